"""What a finished timetable and its page tell about whether a field is right: figures, none of them of any one model.

`features.figures_of` gives one row of figures for each block. They come from the marks that every document model
leaves, from the lines on the page and from the timetable itself; no word of any language is looked for.
"""
