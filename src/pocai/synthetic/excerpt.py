"""Drawings with other sheets: the first one alone, or one for each timetable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pocai.synthetic.document import Drawing, Grid, Text
from pocai.timetable.timetable import Timetable

_Spot = tuple[int, int]  # a timetable of the drawing, and one of its time blocks


def first_sheet(drawing: Drawing) -> Drawing:
    """The first sheet alone, with the timetables and time blocks that are printed on it: for formats of one page."""
    sheet = drawing.sheets[0]
    spots = sorted({(text.timetable, block) for text in sheet.texts if _is_of_event(text) for block in text.blocks})
    places = {number: place for place, number in enumerate(sorted({number for number, _ in spots}))}
    kept: dict[int, list[int]] = {number: [block for n, block in spots if n == number] for number in places}
    timetables = tuple(_part(drawing.timetables[number], blocks) for number, blocks in kept.items())
    moved = {(n, block): (places[n], place) for n, blocks in kept.items() for place, block in enumerate(blocks)}
    texts, under = (tuple(_moved(text, moved, places) for text in group) for group in (sheet.texts, sheet.under))
    swap = dict(zip(sheet.texts, texts, strict=True))
    grids = tuple(
        replace(grid, cells=tuple(replace(cell, texts=tuple(swap[text] for text in cell.texts)) for cell in grid.cells))
        for grid in sheet.grids
    )
    return replace(
        drawing, sheets=(replace(sheet, texts=texts, under=under, grids=grids),), timetables=timetables or ()
    )


def _is_of_event(text: Text) -> bool:
    """Whether a line prints an event; those of days and slots belong to blocks on other sheets too."""
    return text.role in ("event", "break", "note")


def _part(timetable: Timetable, blocks: list[int]) -> Timetable:
    some = tuple(timetable.timeblocks[block] for block in blocks)
    return timetable.model_copy(update={"timeblocks": some, "pages": (0,)})


def _moved(text: Text, moved: Mapping[_Spot, _Spot], places: Mapping[int, int]) -> Text:
    blocks = tuple(moved[spot][1] for block in text.blocks if (spot := (text.timetable, block)) in moved)
    return replace(text, timetable=places.get(text.timetable, 0), blocks=blocks)


def sheet_each(drawing: Drawing) -> Drawing:
    """The same document with a sheet for each timetable, where several share one; what heads them all is on each."""
    if len(drawing.sheets) > 1 or len(drawing.timetables) == 1:
        return drawing
    sheet = drawing.sheets[0]
    weeks = {text: grid_number(grid) for grid in sheet.grids for cell in grid.cells for text in cell.texts}
    free = [text for text in sheet.texts if text not in weeks]
    first = set(_own_of_first(free))
    owner = weeks | {text: text.timetable for text in free if text.timetable or text in first}
    sheets = []
    for number in range(len(drawing.timetables)):
        texts = tuple(text for text in sheet.texts if owner.get(text) in (None, number))
        grids = tuple(grid for grid in sheet.grids if grid_number(grid) in (None, number))
        sheets.append(replace(sheet, texts=texts, grids=grids))
    timetables = (table.model_copy(update={"pages": (n,)}) for n, table in enumerate(drawing.timetables))
    return replace(drawing, sheets=tuple(sheets), timetables=tuple(timetables))


def grid_number(grid: Grid) -> int | None:
    """The timetable whose events stand in a table; None for a table without events, such as a key."""
    texts = (text for cell in grid.cells for text in cell.texts)
    return next((text.timetable for text in texts if _is_of_event(text)), None)


def _own_of_first(free: Sequence[Text]) -> Iterator[Text]:
    """The lines that head only the first of several timetables: the lowest in each role that heads the others too."""
    roles = {text.role for text in free if text.timetable}
    for role in roles - {"key"}:
        own = [text for text in free if text.role == role and not text.timetable]
        if own:
            yield max(own, key=lambda text: text.box.top)
