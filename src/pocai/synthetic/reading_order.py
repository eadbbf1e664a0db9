"""The order in which people read what is drawn: down the page, a table at a time, in it row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from pocai.documents.page import Box
from pocai.synthetic.document import Drawing, GridCell, Sheet, Text

SAME_ROW = 0.5  # share of the lower one's height that two lines on one level have in common
NEAR = 1.0  # points by which things of one row may be apart

Thing = TypeVar("Thing")


def ordered(drawing: Drawing) -> Drawing:
    """The same drawing with the texts of each sheet in reading order: down the page, a table at a time, row by row."""
    return replace(drawing, sheets=tuple(_ordered(sheet) for sheet in drawing.sheets))


def _ordered(sheet: Sheet) -> Sheet:
    units: list[tuple[Box, list[Text]]] = []
    inside: set[Text] = set()
    for grid in sheet.grids:
        box = Box(grid.columns[0], grid.rows[0], grid.columns[-1], grid.rows[-1])
        cells = sorted(grid.cells, key=_place)
        units.append((box, [text for cell in cells for text in cell.texts]))
        inside.update(units[-1][1])
    units += [(text.box, [text]) for text in sheet.texts if text not in inside]
    texts = tuple(text for row in levels(units) for _, group in row for text in group)
    return replace(sheet, texts=texts)


def _place(cell: GridCell) -> tuple[int, int]:
    return cell.row, cell.column


def levels(units: Iterable[tuple[Box, Thing]]) -> Iterator[list[tuple[Box, Thing]]]:
    """Things with boxes in rows from top to bottom, each from left to right; what begins on one level is one row."""
    row: list[tuple[Box, Thing]] = []
    for unit in sorted(units, key=lambda each: (each[0].top, each[0].left)):
        if row and not _on_level(row[0][0], unit[0]):
            yield sorted(row, key=lambda each: each[0].left)
            row = []
        row.append(unit)
    if row:
        yield sorted(row, key=lambda each: each[0].left)


def _on_level(first: Box, other: Box) -> bool:
    if abs(first.top - other.top) <= NEAR:
        return True
    common = min(first.bottom, other.bottom) - max(first.top, other.top)
    shorter, taller = sorted((first.height, other.height))
    return common >= SAME_ROW * shorter and taller < 2 * shorter
