"""The page that an Office file has none of: places for its paragraphs and table cells, in points.

Word flows text and Excel hangs it on a grid; what follows works on rectangles. So paragraphs and tables are put
down the page in document order, with the column widths of the file and row heights of the file or of the text.
A paragraph stays one `Line` and is never broken at the cell's edge: its box is as high as its wrapped text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from pocai.documents.page import Box, Cell, Color, Line, Quad, Source, Table
from pocai.errors import PocaiError, UnreadableDocument

Align = Literal["left", "center", "right"]

LEADING = 1.2  # height of a line of text over its font size
CELL_MARGIN = 4.0  # points between a cell's edge and its text
UPWARDS = 270  # reading directions in degrees, clockwise from left-to-right
DOWNWARDS = 90
_EM = 0.5  # mean width of a letter over the font size
_TAB = 36.0  # points between the tab stops that Word gives a paragraph without its own


@dataclass(frozen=True, slots=True)
class Writing:
    """A paragraph, up to its next line break; ``size`` in points, ``tabs`` its own tab stops in points."""

    text: str
    size: float = 11.0
    bold: bool = False
    color: Color | None = None
    align: Align = "left"
    tabs: tuple[float, ...] = ()


class RowHeight(NamedTuple):
    """Height of a row in points; the text makes it higher unless it is ``fixed``."""

    points: float = 0.0
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell before it has a place: its rows, and its left and right edge in points from the table's left."""

    row: int
    column: int
    left: float
    right: float
    row_span: int = 1
    column_span: int = 1
    content: tuple[Writing | Grid, ...] = ()
    angle: int = 0
    fill: Color | None = None

    @property
    def writings(self) -> tuple[Writing, ...]:
        """What is written in the cell, that in tables within it included; no empty paragraphs."""
        return tuple(
            writing
            for block in self.content
            for writing in ([block] if isinstance(block, Writing) else block.writings)
            if writing.text
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it has a place; ``left`` is its indent in points, None in the middle of the page."""

    cells: tuple[GridCell, ...]
    heights: tuple[RowHeight, ...]
    left: float | None = 0.0
    flat: bool = False  # only there to put text side by side: its text becomes lines

    @property
    def writings(self) -> tuple[Writing, ...]:
        return tuple(writing for cell in self.cells for writing in cell.writings)

    @property
    def width(self) -> float:
        return max((cell.right for cell in self.cells), default=0.0)


Block = Writing | Grid


class Frame(NamedTuple):
    """The column that text flows down: left edge, top and width in points."""

    left: float
    top: float
    width: float
    source: Source


@dataclass(frozen=True, slots=True)
class Placed:
    """Lines and tables that have a place, and where the next may begin (points from the page's top)."""

    lines: tuple[Line, ...]
    tables: tuple[Table, ...]
    bottom: float


@contextmanager
def reading(kind: str) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into `UnreadableDocument`."""
    try:
        yield
    except PocaiError:
        raise
    except Exception as error:  # the libraries raise KeyError, ValueError, AttributeError, lxml's own, … over bad files
        raise UnreadableDocument(
            f"the {kind} file cannot be read ({type(error).__name__})",
            mend=f"Open it in the program that made it, save it again as {kind}, or save it as PDF",
        ) from error


def text_width(text: str, size: float) -> float:
    """About how wide ``text`` is when it is set at ``size`` points."""
    return len(text) * size * _EM


def writing_height(writing: Writing, width: float) -> float:
    """Height in points of a paragraph that is wrapped at ``width``."""
    rows = math.ceil(text_width(writing.text, writing.size) / max(width, writing.size)) if writing.text else 1
    return max(rows, 1) * writing.size * LEADING


def lines_in(box: Box, writings: Sequence[Writing], angle: int, source: Source) -> tuple[Line, ...]:
    """Lines stacked in the middle of a cell, pressed together where the cell is too small for them.

    ``angle`` is the reading direction (0, 90 or 270). Tabs become a wide gap within the line.
    """
    along, across = (box.width, box.height) if angle == 0 else (box.height, box.width)
    length = max(along - 2 * CELL_MARGIN, along / 2)
    heights = [writing_height(writing, length) for writing in writings]
    squeeze = min(1.0, across / sum(heights)) if heights else 1.0
    offsets = accumulate((height * squeeze for height in heights), initial=(across - sum(heights) * squeeze) / 2)
    return tuple(
        _line(writing, _strip(box, angle, (offset, height * squeeze), _extent(writing, along, length)), angle, source)
        for writing, height, offset in zip(writings, heights, offsets, strict=False)
    )


def _extent(writing: Writing, along: float, length: float) -> tuple[float, float]:
    """Where a line begins and how long it is, along its reading direction."""
    width = min(text_width(writing.text, writing.size), length)
    room = along - width
    margin = (along - length) / 2
    return {"left": margin, "center": room / 2, "right": room - margin}[writing.align], width


def _strip(box: Box, angle: int, across: tuple[float, float], along: tuple[float, float]) -> Box:
    """The part of ``box`` that a line takes: (offset, size) across and along its reading direction."""
    (down, height), (start, length) = across, along
    if angle == UPWARDS:  # reads upwards, the first line leftmost
        return Box(box.left + down, box.bottom - start - length, box.left + down + height, box.bottom - start)
    if angle == DOWNWARDS:  # reads downwards, the first line rightmost
        return Box(box.right - down - height, box.top + start, box.right - down, box.top + start + length)
    return Box(box.left + start, box.top + down, box.left + start + length, box.top + down + height)


def _line(writing: Writing, box: Box, angle: int, source: Source) -> Line:
    return Line(
        re.sub(r" *\t[ \t]*", "    ", writing.text),
        Quad.of(box, angle),
        angle=float(angle),
        source=source,
        size=writing.size,
        bold=writing.bold,
        color=writing.color,
    )


def flow(blocks: Sequence[Block], frame: Frame) -> Placed:
    """Put paragraphs and tables one below the other into the column ``frame``."""
    lines: list[Line] = []
    tables: list[Table] = []
    top = frame.top
    for block in blocks:
        here = frame._replace(top=top)
        placed = _flow_writing(block, here) if isinstance(block, Writing) else _flow_grid(block, here)
        lines += placed.lines
        tables += placed.tables
        top = placed.bottom
    return Placed(tuple(lines), tuple(tables), top)


def _flow_writing(writing: Writing, frame: Frame) -> Placed:
    """A paragraph of its own; at a tab a new line begins on the same level, as on a printed page."""
    height = writing_height(writing, frame.width)
    if "\t" not in writing.text:
        box = Box(frame.left - CELL_MARGIN, frame.top, frame.left + frame.width + CELL_MARGIN, frame.top + height)
        lines = lines_in(box, [writing], 0, frame.source) if writing.text else ()
        return Placed(lines, (), frame.top + height)
    height = writing.size * LEADING
    lines = tuple(
        _line(Writing(text, writing.size, writing.bold, writing.color), Box(x, frame.top, right, frame.top + height),
              0, frame.source)
        for text, x, right in _tabbed(writing, frame.left)
    )  # fmt: skip
    return Placed(lines, (), frame.top + height)


def _tabbed(writing: Writing, left: float) -> Iterator[tuple[str, float, float]]:
    """The parts of a tabbed paragraph with where they begin and end."""
    x = left
    for index, part in enumerate(writing.text.split("\t")):
        if index:
            own = [left + stop for stop in writing.tabs if left + stop > x]
            x = min(own) if own else left + (math.floor((x - left) / _TAB) + 1) * _TAB
        text = part.strip()
        right = x + text_width(text, writing.size)
        if text:
            yield text, x, right
        x = right


def _flow_grid(grid: Grid, frame: Frame) -> Placed:
    indent = (frame.width - grid.width) / 2 if grid.left is None else grid.left
    frame = frame._replace(left=frame.left + max(indent, 0.0))
    if grid.flat or _is_layout(grid):
        return _flow_layout(grid, frame)
    table = _place(grid, frame)
    bottom = table.box.bottom if table.cells else frame.top
    return Placed((), (table,) if table.cells else (), bottom + LEADING)


def _is_layout(grid: Grid) -> bool:
    """Whether a table only arranges others: more written cells lie in tables within it than beside them."""
    inner = sum(
        1
        for cell in grid.cells
        for block in cell.content
        if isinstance(block, Grid)
        for nested in block.cells
        if nested.writings
    )
    own = sum(1 for cell in grid.cells if cell.writings and not any(isinstance(block, Grid) for block in cell.content))
    return inner > own or len(grid.cells) == 1


def _flow_layout(grid: Grid, frame: Frame) -> Placed:
    """Flow what each cell holds in the cell's place; only the text and the tables within remain."""
    lines: list[Line] = []
    tables: list[Table] = []
    top = frame.top
    for row in range(len(grid.heights)):
        bottom = top + grid.heights[row].points
        for cell in (cell for cell in grid.cells if cell.row == row):
            column = Frame(
                frame.left + cell.left + CELL_MARGIN, top, cell.right - cell.left - 2 * CELL_MARGIN, frame.source
            )
            content = tuple(
                Grid(block.cells, block.heights, flat=True) if grid.flat and isinstance(block, Grid) else block
                for block in cell.content
            )
            placed = flow(content, column)
            lines += placed.lines
            tables += placed.tables
            bottom = max(bottom, placed.bottom)
        top = bottom
    return Placed(tuple(lines), tuple(tables), top)


def _place(grid: Grid, frame: Frame) -> Table:
    edges = tuple(accumulate(_row_heights(grid), initial=frame.top))
    cells = []
    for cell in grid.cells:
        top, bottom = edges[cell.row], edges[cell.row + cell.row_span]
        box = Box(frame.left + cell.left, top, frame.left + cell.right, bottom)
        lines = lines_in(box, cell.writings, cell.angle, frame.source)
        cells.append(Cell(box, cell.row, cell.column, cell.row_span, cell.column_span, lines, cell.fill))
    return Table(tuple(cells))


def _row_heights(grid: Grid) -> list[float]:
    """Heights in points: what the file says, and more where the text needs it."""
    heights = [height.points for height in grid.heights]
    for cell in sorted(grid.cells, key=lambda cell: cell.row_span):
        rows = range(cell.row, cell.row + cell.row_span)
        growing = [row for row in rows if not grid.heights[row].fixed]
        missing = _needed_height(cell) - sum(heights[row] for row in rows)
        for row in growing if missing > 0 else ():
            heights[row] += missing / len(growing)
    return heights


def _needed_height(cell: GridCell) -> float:
    writings = cell.writings or (Writing(""),)
    if cell.angle:
        return max(text_width(writing.text, writing.size) for writing in writings) + 2 * CELL_MARGIN
    width = cell.right - cell.left - 2 * CELL_MARGIN
    return sum(writing_height(writing, width) for writing in writings)
