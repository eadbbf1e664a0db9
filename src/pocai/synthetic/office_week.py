"""A drawn week without a table (boxes on a scale of time, panels of a poster) as it is written in an office program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pocai.documents.page import Box, Color
from pocai.synthetic.document import Role, Sheet, Stroke, Text
from pocai.synthetic.layouts.palette import WHITE, legible
from pocai.synthetic.office import JOINTS, OPEN, Abreast, Board, Field, Paragraph, Section, Sides, sections

Shape = Literal["columns", "rows", "lists", "bullets"]

_NAMES: frozenset[Role] = frozenset(("event", "break"))
_TIMES: frozenset[Role] = frozenset(("time", "period"))
_OF_WEEK: frozenset[Role] = _NAMES | _TIMES | {"day", "note"}
_WIDTHS = {"day": 80.0, "time": 90.0, "name": 170.0, "note": 150.0}  # of columns in points
_ROOM = 0.9  # of the width of the paper
_THIN = Stroke((0, 0), (1, 0), 0.5, (110, 110, 110))
_RULED: Sides = (_THIN, _THIN, _THIN, _THIN)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one day as printed: its time (None where there is none), its name, its notes."""

    time: Text | None
    name: Text
    notes: tuple[Text, ...]
    fill: Color | None

    @property
    def texts(self) -> tuple[Text, ...]:
        """Time, name and notes, the ones that there are."""
        return (*((self.time,) if self.time else ()), self.name, *self.notes)


@dataclass(frozen=True, slots=True)
class DayList:
    """The events of a day, from the first to the last; ``label`` is the printed name of the day."""

    label: Text | None
    fill: Color | None
    events: tuple[Event, ...]


def office_sheet(sheet: Sheet, abreast: Abreast, shape: Shape, *, ruled: bool) -> tuple[Section, ...]:
    """A sheet as paragraphs and tables from top to bottom, a drawn week written in some ``shape``.

    ``abreast`` says what becomes of tables side by side (see `pocai.synthetic.office.sections`), ``ruled`` whether a
    table that is made of a drawn week has borders.
    """
    week = [text for text in sheet.texts if text.role in _OF_WEEK]
    if not week or any(text.role in _NAMES for grid in sheet.grids for cell in grid.cells for text in cell.texts):
        return sections(sheet, abreast)
    top = min(text.box.top for text in week)
    around = [text for text in sheet.texts if text.role not in _OF_WEEK]
    above = replace(
        sheet,
        texts=tuple(text for text in around if text.box.top < top),
        grids=tuple(grid for grid in sheet.grids if grid.rows[0] < top),
    )
    below = replace(
        sheet,
        texts=tuple(text for text in around if text.box.top >= top),
        grids=tuple(grid for grid in sheet.grids if grid.rows[0] >= top),
    )
    middle = written(week_of(sheet), shape, _ROOM * sheet.width, ruled=ruled)
    return (*sections(above, abreast), *middle, *sections(below, abreast))


def week_of(sheet: Sheet) -> tuple[DayList, ...]:
    """The days of a drawn week from left to right; hours along a scale, which belong to no event, are left out."""
    groups: dict[tuple[int, tuple[int, ...]], list[Text]] = {}
    labels: dict[tuple[int, float, tuple[int, ...]], list[Text]] = {}
    for text in sheet.texts:
        if text.role == "day":  # those of days without events have no blocks; the place tells them apart
            place = 0.0 if text.blocks else text.box.center[0]
            labels.setdefault((text.timetable, place, text.blocks), []).append(text)
        elif text.role in _OF_WEEK and text.blocks:
            groups.setdefault((text.timetable, text.blocks), []).append(text)
    named = [(number, blocks, _one(texts)) for (number, _, blocks), texts in labels.items()]
    days: dict[Text | None, list[Event]] = {label: [] for *_, label in named}
    events = {key: texts for key, texts in groups.items() if any(text.role in _NAMES for text in texts)}
    for (number, blocks), texts in sorted(events.items(), key=lambda each: _place(each[1])):
        own = (label for of, some, label in named if of == number and set(blocks) <= set(some))
        days.setdefault(next(own, None), []).append(_event(texts, sheet))
    return tuple(DayList(label, _ground(label, sheet) if label else None, tuple(some)) for label, some in days.items())


def _place(texts: Sequence[Text]) -> tuple[float, float]:
    box = Box.around(text.box for text in texts)
    return box.top, box.left


def _one(texts: Sequence[Text]) -> Text:
    """Lines of one writing as a single one."""
    return replace(texts[0], text=" ".join(text.text for text in texts), box=Box.around(text.box for text in texts))


def _event(texts: Sequence[Text], sheet: Sheet) -> Event:
    times, names, notes = ([t for t in texts if t.role in roles] for roles in (_TIMES, _NAMES, {"note"}))
    time = _one(times) if times else None
    return Event(time, _one(names), (_one(notes),) if notes else (), _ground(names[0], sheet))


def _ground(text: Text, sheet: Sheet) -> Color | None:
    """The colour on which a line is printed; None for the paper's."""
    return next((panel.color for panel in reversed(sheet.fills) if panel.box.contains(text.box.center)), None)


def written(days: Sequence[DayList], shape: Shape, room: float, *, ruled: bool) -> tuple[Section, ...]:
    """The week as a table with a column for each day, as one with a row for each event, or as lists of paragraphs.

    ``room`` is the width that there is, in points.
    """
    if shape == "columns":
        return (_columns(days, room, _RULED if ruled else OPEN),)
    if shape == "rows":
        return (_rows(days, _RULED if ruled else OPEN),)
    return tuple(_lists(days, bullets=shape == "bullets"))


def _columns(days: Sequence[DayList], room: float, sides: Sides) -> Board:
    first = int(any(day.label for day in days))
    fields: list[Field] = []
    for column, day in enumerate(days):
        if first:
            content = (_paragraph(day.label),) if day.label else ()
            fields.append(Field(0, column, content=content, fill=day.fill, sides=sides))
        for row, event in enumerate(day.events, first):
            texts = tuple(_paragraph(text) for text in event.texts)
            fields.append(Field(row, column, content=texts, fill=event.fill, sides=sides))
    count = first + max(len(day.events) for day in days)
    fields.sort(key=lambda field: (field.row, field.column))
    return Board((room / len(days),) * len(days), (0.0,) * count, tuple(fields))


def _paragraph(*runs: Text, stops: tuple[float | None, ...] = (None,), bullet: bool = False) -> Paragraph:
    return Paragraph(runs, stops, runs[0].align, bullet=bullet)


def _rows(days: Sequence[DayList], sides: Sides) -> Board:
    """A row for each event, its day beside the first of each day; columns for what is printed of any of them."""
    events = [event for day in days for event in day.events]
    labelled, timed = any(day.label for day in days), any(event.time for event in events)
    noted = any(event.notes for event in events)
    shown = {"day": labelled, "time": timed, "name": True, "note": noted}
    columns = [name for name in _WIDTHS if shown[name]]
    fields: list[Field] = []
    row = 0
    for day in days:
        if labelled and day.events:
            head = (_paragraph(_plain(day.label)),) if day.label else ()
            fields.append(Field(row, 0, len(day.events), content=head, sides=sides))
        for event in day.events:
            cells = {"time": (event.time,) if event.time else (), "name": (event.name,), "note": event.notes}
            for column, name in enumerate(columns[labelled:], int(labelled)):
                content = tuple(_paragraph(_plain(text)) for text in cells[name])
                fields.append(Field(row, column, content=content, sides=sides))
            row += 1
    return Board(tuple(_WIDTHS[name] for name in columns), (0.0,) * row, tuple(fields))


def _lists(days: Iterable[DayList], *, bullets: bool) -> Iterator[Paragraph]:
    """The name of each day, and below it a line for each event; tabs part its time, its name and its notes."""
    for day in days:
        if day.label:
            yield _paragraph(replace(_plain(day.label), align="left"))
        for event in day.events:
            texts = tuple(replace(_plain(text), align="left") for text in event.texts)
            if bullets:
                texts = tuple(_in_brackets(text) if text.role == "note" else text for text in texts)
                yield _paragraph(*texts, stops=(None,) * len(texts), bullet=True)
                continue
            stops: list[float | None] = [None] * len(texts)
            if event.time:
                stops[1] = _WIDTHS["time"]
            if event.notes:
                stops[-1] = _WIDTHS["name"] + _WIDTHS["time"] * bool(event.time)
            yield _paragraph(*texts, stops=tuple(stops))


def _in_brackets(note: Text) -> Text:
    """The note as people set it apart from a name on the same line; where something parts them already, as it is."""
    return note if note.text.startswith(JOINTS) else replace(note, text=f"({note.text})")


def _plain(text: Text) -> Text:
    """The line in ink that can be read on white paper."""
    return replace(text, style=replace(text.style, color=legible(text.style.color, WHITE)))
