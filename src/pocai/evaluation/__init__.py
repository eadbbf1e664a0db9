"""Measuring: text, timetables, slices of a labelled folder, and the report about them.

Nothing here reads a document: `evaluate.evaluate` is handed the extractor as a function.
"""
