"""Pieces: what stands on a page, as cells with text and lines that stand free. The raw material of `assemble`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pocai.documents.page import Box, Cell, Line, Page, Quad, Table
from pocai.timetable.days import day_label
from pocai.timetable.times import find_times, is_time_only

LABELS_IN_ONE = 2  # day labels in one cell from which it is an open field, not a cell
DASH_AT_END = re.compile(r"\d\s*[-–—−~]\s*$")
RANGE = re.compile(r"\d\s*[-–—−~]\s*\d")
TIMES_IN_ONE = 3  # the same for lines that are nothing but a time
WIDE, FEWEST_ROWS, MOST_OF = 0.45, 3, 0.8  # of a list: share of the table's width, rows, share of rows with a time


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that belongs together: ``box`` is the printed cell where ``ruled``, else the rectangle of the writing."""

    box: Box
    lines: tuple[Line, ...]
    ruled: bool
    turned: bool = False

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def places(self) -> tuple[Box, ...]:
        """Where each line stands, in the coordinates of ``box``."""
        return tuple(swapped(line.box) if self.turned else line.box for line in self.lines)

    @property
    def page_box(self) -> Box:
        """The piece's box on the page, whichever way it is turned."""
        return swapped(self.box) if self.turned else self.box

    def swapped(self) -> Piece:
        """The piece with x and y exchanged, so that days that run down can be treated as days that run across."""
        return replace(self, box=swapped(self.box), turned=not self.turned)

    def part(self, indices: Sequence[int], box: Box | None = None) -> Piece:
        """The piece with only these of its lines, in ``box`` or in the rectangle of their writing."""
        around = box or Box.around(self.places[i] for i in indices)
        return replace(self, box=around, lines=tuple(self.lines[i] for i in indices))


def swapped(box: Box) -> Box:
    """The box with x and y exchanged."""
    return Box(box.top, box.left, box.bottom, box.right)


def pieces_of(page: Page, tables: Sequence[Table]) -> tuple[Piece, ...]:
    """All text of the page: cells of its tables, open fields taken apart, and lines outside."""
    pieces: list[Piece] = []
    listed = frozenset(id(cell) for table in tables for cell in _list_rows(table))
    for cell in (cell for table in tables for cell in table.cells if cell.lines):
        if id(cell) in listed:
            pieces.extend(free(part for line in cell.lines for part in _time_apart(line)))
        elif _open_field(cell):
            pieces.extend(free(cell.lines))
        else:
            pieces.extend(_side_columns(cell))
    held = {id(line) for table in tables for cell in table.cells for line in cell.lines}
    pieces.extend(free(line for line in page.lines if id(line) not in held))
    return tuple(pieces)


def _list_rows(table: Table) -> list[Cell]:
    """Cells that are rows of a list, as "9.00  Maths  Room 3", or hold several: they are wide and begin with times."""
    columns: dict[tuple[int, int], list[Cell]] = {}
    for cell in table.cells:
        if cell.lines and cell.box.width > WIDE * table.box.width:
            columns.setdefault((round(cell.box.left), round(cell.box.right)), []).append(cell)
    rows: list[Cell] = []
    for cells in columns.values():
        begun = [count for cell in cells if (count := _rows_with_time(cell))]
        if len(begun) >= MOST_OF * len(cells) and sum(begun) >= FEWEST_ROWS:
            rows += [cell for cell in cells if _rows_with_time(cell)]
    return rows


def _rows_with_time(cell: Cell) -> int:
    """How many rows of a cell begin with a time and go on with words; 0 where it holds another row."""
    rows = _rows(cell.lines)
    begun = 0
    for row in rows:
        parted = [part for line in row for part in _time_apart(line)]
        begun += len(parted) > 1 and is_time_only(parted[0].text)
    return begun if begun == len(rows) else 0


def _rows(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that stand beside each other, from left to right, row by row."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.center[1]):
        if rows and line.box.top < rows[-1][0].box.center[1] < line.box.bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box.left) for row in rows]


def _time_apart(line: Line) -> list[Line]:
    """A line that begins with its time, as its time and the rest; any other line as it is."""
    spans = find_times(line.text)
    end = spans[0].at[1] if spans and spans[0].at[0] == 0 else 0
    time, rest = line.text[:end].rstrip(), line.text[end:].lstrip(" :|-–—")
    if not time or not any(letter.isalpha() for letter in rest) or round(line.angle):
        return [line]
    left, top, right, bottom = line.box
    border = left + (right - left) * (end / len(line.text))
    boxes = Box(left, top, border, bottom), Box(border, top, right, bottom)
    return [
        replace(line, text=text, quad=Quad.of(box), words=()) for text, box in zip((time, rest), boxes, strict=True)
    ]


def _side_columns(cell: Cell) -> list[Piece]:
    """A cell as one piece; or as several, where texts of two or more lines each stand side by side in it."""
    columns: list[list[Line]] = []
    if any(round(line.angle) for line in cell.lines):
        return [Piece(cell.box, cell.lines, ruled=True)]
    for line in sorted(cell.lines, key=lambda line: -line.box.width):
        over = [column for column in columns if any(_above_each_other(line, other) for other in column)]
        columns = [column for column in columns if column not in over]
        columns.append([line, *(other for column in over for other in column)])
    columns.sort(key=lambda column: min(line.box.left for line in column))
    texts = [column for column in columns if len(column) > 1]
    if len(texts) < len(columns) or len(texts) <= 1 or not _begin_alike(columns):
        return [Piece(cell.box, cell.lines, ruled=True)]
    borders = [(max(x.box.right for x in a) + min(x.box.left for x in b)) / 2 for a, b in pairwise(columns)]
    edges = [cell.box.left, *borders, cell.box.right]
    return [
        Piece(Box(left, cell.box.top, right, cell.box.bottom), tuple(x for x in cell.lines if x in column), ruled=True)
        for column, left, right in zip(columns, edges, edges[1:], strict=False)
    ]


def _begin_alike(columns: Sequence[Sequence[Line]]) -> bool:
    """Whether the first lines of columns stand at one height and are of one size, as the names of events are."""
    first = [min(column, key=lambda line: line.box.top) for column in columns]
    sizes = [line.size or line.box.height for line in first]
    tops = [line.box.center[1] for line in first]
    return max(tops) - min(tops) < 0.5 * min(sizes) and min(sizes) > 0.85 * max(sizes)


def _above_each_other(line: Line, other: Line) -> bool:
    common = min(line.box.right, other.box.right) - max(line.box.left, other.box.left)
    return common > 0.15 * min(line.box.width, other.box.width)


def free(lines: Iterable[Line]) -> list[Piece]:
    """A piece for each line; a line that ends with a dash goes on in the line below it ("9.00-" over "10.00")."""
    pieces: list[Piece] = []
    for line in lines:
        if pieces and _goes_on(pieces[-1].lines[-1], line):
            both = (*pieces[-1].lines, line)
            pieces[-1] = Piece(Box.around(part.box for part in both), both, ruled=False)
        else:
            pieces.append(Piece(line.box, (line,), ruled=False))
    return pieces


def _goes_on(line: Line, following: Line) -> bool:
    near = _gap(line.box, following.box) < 0.8 * min(line.box.width, line.box.height)
    return near and bool(DASH_AT_END.search(line.text)) and bool(following.text[:1].isdigit())


def _open_field(cell: Cell) -> bool:
    """Whether a cell holds the labels of several rows or columns, because no line is printed between them."""
    lines = free(cell.lines)
    days = [line for line in lines if day_label(line.text)]
    times = [line for line in lines if is_time_only(line.text)]
    if len(days) >= LABELS_IN_ONE and _apart(days):
        return True
    if len(times) == len(lines) > 1 and all(RANGE.search(line.text) for line in lines):
        return True
    return (len(times) >= TIMES_IN_ONE and _apart(times)) or (len(times) == 1 and _beside_its_event(times[0], lines))


def _in_row(time: Piece, piece: Piece) -> bool:
    """Whether words stand to the right of a time, in its row."""
    return piece.box.left >= time.box.center[0] and piece.box.top < time.box.center[1] < piece.box.bottom


def _beside_its_event(time: Piece, pieces: Sequence[Piece]) -> bool:
    """Whether words stand to the right of a time, in its row and clearly apart: a row of a list in one frame."""
    return any(
        piece.box.left - time.box.right > 1.5 * time.box.height and _in_row(time, piece)
        for piece in pieces
        if piece is not time
    )


def _apart(lines: Sequence[Piece]) -> bool:
    """Whether the lines stand clearly apart from each other, as labels do and the lines of one text do not."""
    gaps = [_gap(before.box, after.box) for before, after in pairwise(lines)]
    heights = [min(line.box.width, line.box.height) for line in lines]
    return 2 * sum(gap > 0.6 * height for gap, height in zip(gaps, heights, strict=False)) >= len(gaps)


def _gap(box: Box, other: Box) -> float:
    """The free space between two boxes, along the axis on which they lie further apart."""
    return max(
        max(box.left, other.left) - min(box.right, other.right), max(box.top, other.top) - min(box.bottom, other.bottom)
    )
