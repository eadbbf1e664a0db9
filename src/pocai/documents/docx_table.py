"""A Word table as a `Grid`: spans, merges, and rows whose cells divide the width differently than other rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from pocai.documents.docx_text import W, attribute, chosen, color, points, switched_on
from pocai.documents.office import DOWNWARDS, UPWARDS, Block, Grid, GridCell, RowHeight
from pocai.documents.page import Color
from pocai.errors import LimitExceeded

_ANGLES = {"btLr": UPWARDS, "lr": UPWARDS} | dict.fromkeys(("tbRl", "tbRlV", "tbLrV", "rl", "rlV"), DOWNWARDS)
_WRAPPERS = frozenset(W + name for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"))
_ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_SNAP = 2.5  # points by which edges may differ and still be one
_SAME_WIDTH = 0.02  # share of the table's width by which a row's may differ
_PERCENT = 5000.0  # a w:tcW of type pct counts fiftieths of a percent
_NARROWEST = 4.0  # points, for cells whose width is nowhere said

Reader = Callable[[Any], list[Block]]


def within(element: Any, *tags: str) -> Iterator[Any]:
    """The children with one of these tags, also those inside content controls and tracked insertions."""
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag in _WRAPPERS:
            yield from within(child, *tags)
        elif child.tag == _ALTERNATE:
            yield from within(chosen(child), *tags)


@dataclass(frozen=True, slots=True)
class _Cell:
    element: Any
    span: int
    width: float | None
    continues_row: bool  # hMerge
    merge: str | None  # vMerge: restart, continue, None


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[_Cell, ...]
    before: int
    after: int
    indent: float
    height: RowHeight

    @property
    def columns(self) -> int:
        return self.before + sum(cell.span for cell in self.cells) + self.after

    @property
    def width(self) -> float | None:
        """Width by the cells' own widths, with the indent; None if one has none."""
        widths = [cell.width for cell in self.cells]
        return None if not widths or None in widths else self.indent + sum(width or 0.0 for width in widths)


def read_table(table: Any, text_width: float, read: Reader, max_cells: int) -> Grid:
    """The grid of a ``w:tbl``; ``read`` reads what a ``w:tc`` holds, ``text_width`` is the room in points.

    Raises `LimitExceeded` for a table of more than ``max_cells`` cells.
    """
    if sum(1 for _ in table.iter(W + "tc")) > max_cells:
        raise LimitExceeded(
            f"a table has more than {max_cells} cells", mend="Raise limits.max_cells if that is meant to be"
        )
    width = _table_width(table, text_width)
    rows = [_row(row, width) for row in within(table, W + "tr") if not _is_gone(row)]
    edges = _edges(rows, _columns(table, rows, width))
    marks = _snapped(edge for row in edges for edge in row)
    cells = _joined(_cells(rows, [[_nearest(marks, edge) for edge in row] for row in edges], marks, read))
    indent = None if attribute(table, "tblPr/jc") == "center" else points(attribute(table, "tblPr/tblInd", "w")) or 0.0
    return Grid(tuple(cells), tuple(row.height for row in rows), indent)


def _table_width(table: Any, text_width: float) -> float:
    grid = _grid_columns(table)
    width = _measure(table.find(f"{W}tblPr/{W}tblW"), text_width)
    return width or sum(grid) or text_width


def _measure(element: Any, whole: float) -> float | None:
    """Points of a ``w:tblW`` or ``w:tcW``, where ``whole`` is 100 %; None for "auto" and nothing."""
    if element is None:
        return None
    kind, value = element.get(W + "type", "dxa"), element.get(W + "w", "")
    if kind == "pct" or value.endswith("%"):
        share = value.removesuffix("%")
        number = float(share) / (100.0 if share != value else _PERCENT) if share.replace(".", "", 1).isdigit() else 0.0
        return number * whole or None
    return (points(value) or None) if kind == "dxa" else None


def _is_gone(row: Any) -> bool:
    """Whether a row is deleted in tracked changes, or hidden."""
    properties = row.find(W + "trPr")
    return properties is not None and (
        properties.find(W + "del") is not None or bool(switched_on(properties, "hidden"))
    )


def _row(row: Any, width: float) -> _Row:
    height = points(attribute(row, "trPr/trHeight")) or 0.0
    return _Row(
        cells=tuple(_cell(cell, width) for cell in within(row, W + "tc")),
        before=_count(attribute(row, "trPr/gridBefore"), 0),
        after=_count(attribute(row, "trPr/gridAfter"), 0),
        indent=_measure(row.find(f"{W}trPr/{W}wBefore"), width) or 0.0,
        height=RowHeight(height, height > 0 and attribute(row, "trPr/trHeight", "hRule") == "exact"),
    )


def _cell(cell: Any, width: float) -> _Cell:
    properties = cell.find(W + "tcPr")
    return _Cell(
        element=cell,
        span=max(1, _count(attribute(properties, "gridSpan"), 1)),
        width=_measure(None if properties is None else properties.find(W + "tcW"), width),
        continues_row=_merge(properties, "hMerge") == "continue",
        merge=_merge(properties, "vMerge"),
    )


def _merge(properties: Any, name: str) -> str | None:
    if properties is None or properties.find(W + name) is None:
        return None
    return attribute(properties, name) or "continue"


def _count(value: str | None, default: int) -> int:
    """A count of grid columns; Word itself allows 63."""
    return min(int(value), 1000) if value and value.isdigit() else default


def _grid_columns(table: Any) -> list[float]:
    return [points(column.get(W + "w")) or 0.0 for column in table.iterfind(f"{W}tblGrid/{W}gridCol")]


def _columns(table: Any, rows: Sequence[_Row], width: float) -> list[float]:
    """Widths of the grid columns: of ``w:tblGrid``, else the widest cell in each, else equal shares."""
    count = max((row.columns for row in rows), default=0)
    grid = _grid_columns(table)
    if len(grid) >= count and all(column > 0 for column in grid[:count]):
        return grid
    widest = [0.0] * count
    for row in rows:
        column = row.before
        for cell in row.cells:
            if cell.span == 1 and cell.width:
                widest[column] = max(widest[column], cell.width)
            column += cell.span
    unknown = widest.count(0.0)
    share = max((width - sum(widest)) / unknown, _NARROWEST) if unknown else 0.0
    return [column or share for column in widest]


def _edges(rows: Sequence[_Row], columns: Sequence[float]) -> list[list[float]]:
    """For each row the left edge of each cell and the right edge of the last, in points.

    The shared grid decides, but for a row that does not fit it, or whose own widths fill the table otherwise.
    """
    marks = list(accumulate(columns, initial=0.0))
    return [_row_edges(row, marks, len(columns)) for row in rows]


def _row_edges(row: _Row, marks: Sequence[float], columns: int) -> list[float]:
    indexes = list(accumulate((cell.span for cell in row.cells), initial=row.before))
    by_grid = [marks[min(index, columns)] for index in indexes]
    if row.width is None:
        return by_grid
    indent = row.indent or marks[min(row.before, columns)]
    by_width = list(accumulate((cell.width or 0.0 for cell in row.cells), initial=indent))
    fills = abs(by_width[-1] - marks[-1]) <= _SAME_WIDTH * marks[-1]
    return by_width if row.columns != columns or fills else by_grid


def _snapped(edges: Iterator[float]) -> list[float]:
    """The different edges in order; those that are nearly the same count once."""
    marks: list[float] = []
    for edge in sorted(edges):
        if not marks or edge - marks[-1] > _SNAP:
            marks.append(edge)
    return marks


def _nearest(marks: Sequence[float], edge: float) -> int:
    index = bisect_left(marks, edge)
    near = [place for place in (index - 1, index) if 0 <= place < len(marks)]
    return min(near, key=lambda place: abs(marks[place] - edge))


def _cells(
    rows: Sequence[_Row], edges: Sequence[Sequence[int]], marks: Sequence[float], read: Reader
) -> Iterator[tuple[_Cell, GridCell]]:
    for index, (row, places) in enumerate(zip(rows, edges, strict=True)):
        for cell, (first, last) in zip(row.cells, pairwise(places), strict=True):
            end = max(last, first + 1) if first + 1 < len(marks) else first
            right = marks[end] if end > first else marks[first] + _NARROWEST
            yield (
                cell,
                GridCell(
                    row=index,
                    column=first,
                    left=marks[first],
                    right=right,
                    column_span=max(end - first, 1),
                    content=() if cell.merge == "continue" else tuple(read(cell.element)),
                    angle=_ANGLES.get(attribute(cell.element, "tcPr/textDirection") or "", 0),
                    fill=_fill(cell.element.find(f"{W}tcPr/{W}shd")),
                ),
            )


def _fill(shading: Any) -> Color | None:
    """The shading; None for white, which is the paper's colour."""
    if shading is None:
        return None
    name = "color" if shading.get(W + "val") == "solid" else "fill"
    found = color(shading.get(W + name))
    return None if found == (255, 255, 255) else found


def _joined(cells: Iterator[tuple[_Cell, GridCell]]) -> list[GridCell]:
    """Join merged cells: a continued one lengthens the cell to its left, or the one above on the same columns."""
    done: list[GridCell] = []
    open_merges: dict[tuple[int, int], int] = {}  # (first column, columns) → place in `done`
    for cell, placed in cells:
        key = (placed.column, placed.column_span)
        if cell.continues_row and done and done[-1].row == placed.row:
            before = done[-1]
            span = placed.column + placed.column_span - before.column
            done[-1] = replace(before, right=placed.right, column_span=span)
            continue
        upper = done[open_merges[key]] if cell.merge == "continue" and key in open_merges else None
        if upper is not None and upper.row + upper.row_span == placed.row:
            done[open_merges[key]] = replace(upper, row_span=upper.row_span + 1)
            continue
        if cell.merge == "restart":
            open_merges[key] = len(done)
        done.append(placed)
    return done
