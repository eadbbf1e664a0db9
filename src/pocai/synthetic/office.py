"""A made sheet as people write it in an office program: paragraphs, and tables with merged cells, down the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

from pocai.documents.page import Box, Color
from pocai.synthetic.document import Align, Grid, GridCell, Sheet, Stroke, Text
from pocai.synthetic.reading_order import levels
from pocai.synthetic.setting import baseline, width

Sides = tuple[Stroke | None, Stroke | None, Stroke | None, Stroke | None]  # left, top, right, bottom
Abreast = Literal["joined", "stacked", "nested"]

OPEN: Sides = (None, None, None, None)
JOINTS = ("·", "–", "(", ",", "/")  # what parts a note from the name before it on the same line
MOST_COLUMNS = 60  # of a table; Word allows 63
SPACER = 2.0  # points between tables from which an empty column parts them
_NEAR = 0.6  # points by which a rule may miss the edge that it draws
_DRAWN = 0.6  # share of an edge that a rule has to cover
_PADDING = 4.0  # points of a cell's width that its text does not use


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Runs of text on one line.

    ``stops``: where each run begins, in points from the left edge of the text, behind a tab; None behind a space.
    """

    runs: tuple[Text, ...]
    stops: tuple[float | None, ...]
    align: Align = "left"
    fill: Color | None = None
    bullet: bool = False

    @property
    def angle(self) -> int:
        return self.runs[0].angle


@dataclass(frozen=True, slots=True)
class Field:
    """A cell of a table: paragraphs, or tables within it; ``sides`` are its borders."""

    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    content: tuple[Paragraph | Board, ...] = ()
    fill: Color | None = None
    sides: Sides = OPEN

    @property
    def angle(self) -> int:
        """The reading direction of what is written in the cell."""
        return next((item.angle for item in self.content if isinstance(item, Paragraph)), 0)

    @property
    def places(self) -> Iterator[tuple[int, int]]:
        """The rows and columns that the cell covers."""
        rows, columns = range(self.row, self.row + self.row_span), range(self.column, self.column + self.column_span)
        return ((row, column) for row in rows for column in columns)


@dataclass(frozen=True, slots=True)
class Board:
    """A table: widths of its columns and heights of its rows in points (0: as the text needs), and its cells."""

    widths: tuple[float, ...]
    heights: tuple[float, ...]
    fields: tuple[Field, ...]
    align: Align = "left"


Section = Paragraph | Board


@dataclass(frozen=True, slots=True)
class Band:
    """Tables that stand side by side, with the lines above each that are its own."""

    grids: tuple[Grid, ...]
    heads: tuple[tuple[Text, ...], ...]

    @property
    def box(self) -> Box:
        return Box.around(map(box_of, self.grids))


def sections(sheet: Sheet, abreast: Abreast) -> tuple[Section, ...]:
    """The sheet as paragraphs and tables from top to bottom.

    Tables side by side become one (``joined``), stand below each other (``stacked``), or in the cells of a table that
    only arranges them (``nested``). Watermarks and pictures are left to the writer.
    """
    held = {text for grid in sheet.grids for cell in grid.cells for text in cell.texts}
    bands = [Band(grids, ()) for grids in _bands(sheet.grids)]
    loose = _whole_titles(text for text in sheet.texts if text not in held)
    rows = [tuple(text for _, text in row) for row in levels((text.box, text) for text in loose)]
    items: list[Band | tuple[Text, ...]] = [*rows, *bands]
    items.sort(key=lambda item: _top(item, bands))
    return tuple(section for item in _with_heads(items) for section in _written(item, sheet, abreast))


def _whole_titles(texts: Iterable[Text]) -> tuple[Text, ...]:
    """The lines, those of a title that broke for want of room as one."""
    kept: dict[object, Text] = {}
    for number, text in enumerate(texts):
        key = (text.timetable, text.style) if text.role == "title" else number
        before = kept.get(key)
        if before is None:
            kept[key] = text
        else:
            whole = f"{before.text} {text.text}"
            kept[key] = replace(text, text=whole, box=Box.around((before.box, text.box)))
    return tuple(kept.values())


def box_of(grid: Grid) -> Box:
    """What a table takes up."""
    return Box(grid.columns[0], grid.rows[0], grid.columns[-1], grid.rows[-1])


def _bands(grids: Iterable[Grid]) -> Iterator[tuple[Grid, ...]]:
    """The tables by what stands side by side, from left to right."""
    band: list[Grid] = []
    for grid in sorted(grids, key=lambda each: each.rows[0]):
        if band and grid.rows[0] >= max(each.rows[-1] for each in band):
            yield tuple(sorted(band, key=lambda each: each.columns[0]))
            band = []
        band.append(grid)
    if band:
        yield tuple(sorted(band, key=lambda each: each.columns[0]))


def _top(item: Band | tuple[Text, ...], bands: Iterable[Band]) -> tuple[float, bool]:
    """Where an item comes down the page; lines beside the upper half of a band come before it."""
    if isinstance(item, Band):
        return item.box.top, True
    middle = item[0].box.center[1]
    for band in bands:
        box = band.box
        if box.top < middle < box.bottom:
            return (box.top if middle < box.center[1] else box.bottom), False
    return item[0].box.top, False


def _with_heads(items: Iterable[Band | tuple[Text, ...]]) -> Iterator[Band | tuple[Text, ...]]:
    """The items, lines that head one table of a band with several timetables moved into the band."""
    waiting: list[tuple[Text, ...]] = []
    for item in items:
        if not isinstance(item, Band):
            waiting.append(item)
            continue
        numbers = [_timetable(grid) for grid in item.grids]
        own: list[tuple[Text, ...]] = []
        while len(set(numbers)) > 1 and waiting and all(_heads(text, item.grids) for text in waiting[-1]):
            own.insert(0, waiting.pop())
        yield from waiting
        waiting = []
        heads = tuple(tuple(t for row in own for t in row if t.timetable == number) for number in numbers)
        yield replace(item, heads=heads)
    yield from waiting


def _timetable(grid: Grid) -> int:
    return next((text.timetable for cell in grid.cells for text in cell.texts), 0)


def _heads(text: Text, grids: Iterable[Grid]) -> bool:
    """Whether a line stands above the table of its own timetable."""
    middle = text.box.center[0]
    return any(g.columns[0] <= middle <= g.columns[-1] and text.timetable == _timetable(g) for g in grids)


def _written(item: Band | tuple[Text, ...], sheet: Sheet, abreast: Abreast) -> Iterator[Section]:
    if not isinstance(item, Band):
        yield _line(item, sheet)
        return
    boards = [board_of(grid, sheet) for grid in item.grids]
    parts: list[tuple[Section, ...]] = []
    for board, texts in zip(boards, item.heads, strict=True):
        parts.append((*(_line((text,), sheet) for text in texts), board))
    count = sum(len(board.widths) + 1 for board in boards)
    if abreast == "nested" and len(boards) > 1:
        yield _nested(item.grids, parts)
    elif abreast == "stacked" or count > MOST_COLUMNS or len(boards) == 1 or any(item.heads):
        for part in parts:
            yield from part
    else:
        yield joined(boards, [b.columns[0] - a.columns[-1] for a, b in pairwise(item.grids)])


def _line(texts: tuple[Text, ...], sheet: Sheet) -> Paragraph:
    """Lines on one level as a paragraph; where there are several, tabs part them."""
    left = min((grid.columns[0] for grid in sheet.grids), default=min(text.box.left for text in sheet.texts))
    stops = tuple(max(text.box.left - left, 1.0) for text in texts[1:])
    fill = next((p.color for p in reversed(sheet.fills) if p.box.contains(texts[0].box.center)), None)
    return Paragraph(texts, (None, *stops), texts[0].align if len(texts) == 1 else "left", fill)


def board_of(grid: Grid, sheet: Sheet) -> Board:
    """A table of the sheet with its borders."""
    widths, heights = (tuple(b - a for a, b in pairwise(edges)) for edges in (grid.columns, grid.rows))
    fields = tuple(_field(cell, sheet) for cell in sorted(grid.cells, key=lambda cell: (cell.row, cell.column)))
    middle = (grid.columns[0] + grid.columns[-1]) / 2
    return Board(widths, heights, fields, "center" if abs(middle - sheet.width / 2) < 0.02 * sheet.width else "left")


def _field(cell: GridCell, sheet: Sheet) -> Field:
    room = cell.box.height if cell.texts and cell.texts[0].angle % 180 else cell.box.width
    content = tuple(paragraphs(cell.texts, room - _PADDING))
    spans = cell.row, cell.column, cell.row_span, cell.column_span
    return Field(*spans, content, cell.fill, _sides(cell.box, sheet.rules))


def _sides(box: Box, rules: Sequence[Stroke]) -> Sides:
    """The rules that are drawn along the edges of a cell."""
    across = [rule for rule in rules if rule.horizontal]
    down = [rule for rule in rules if not rule.horizontal]
    return (
        _along(down, box.left, (box.top, box.bottom), 0),
        _along(across, box.top, (box.left, box.right), 1),
        _along(down, box.right, (box.top, box.bottom), 0),
        _along(across, box.bottom, (box.left, box.right), 1),
    )


def _along(rules: Iterable[Stroke], place: float, ends: tuple[float, float], axis: int) -> Stroke | None:
    for rule in rules:
        if abs(rule.start[axis] - place) > _NEAR:
            continue
        low, high = sorted((rule.start[1 - axis], rule.end[1 - axis]))
        if min(high, ends[1]) - max(low, ends[0]) >= _DRAWN * (ends[1] - ends[0]):
            return rule
    return None


def paragraphs(texts: Iterable[Text], room: float) -> Iterator[Paragraph]:
    """The lines of a cell as paragraphs; lines that only broke for want of room (in points) are one again."""
    runs: list[Text] = []
    before: Text | None = None
    for text in texts:
        if before is not None and _on_level(before, text) and not _set_apart(before, text):
            runs.append(text)
        elif before is not None and _runs_on(before, text, room - _reach(runs[:-1])):
            runs[-1] = replace(runs[-1], text=f"{runs[-1].text} {text.text}")
        else:
            if runs:
                yield Paragraph(tuple(runs), (None,) * len(runs), runs[0].align)
            runs = [text]
        before = text
    if runs:
        yield Paragraph(tuple(runs), (None,) * len(runs), runs[0].align)


def _on_level(before: Text, text: Text) -> bool:
    axis = 0 if text.angle % 180 else 1
    return before.angle == text.angle and abs(baseline(before)[axis] - baseline(text)[axis]) < _NEAR


def _set_apart(before: Text, text: Text) -> bool:
    """Whether only its letters part a note from a name on the same line; in office files it goes on the next line."""
    return text.role == "note" and before.role in ("event", "break") and not text.text.startswith(JOINTS)


def _reach(runs: Sequence[Text]) -> float:
    return sum(width(f"{text.text} ", text.style) for text in runs)


def _runs_on(before: Text, text: Text, room: float) -> bool:
    """Whether a line continues the one before: the same writing, and its first word had no room there."""
    alike = replace(before, text="", box=text.box) == replace(text, text="")
    stacked = len(before.text) == len(text.text) == 1
    first = text.text.split(" ")[0]
    return alike and not stacked and width(f"{before.text} {first}", text.style) > room


def joined(boards: Sequence[Board], gaps: Sequence[float]) -> Board:
    """Tables as one, side by side, with an empty column between those with a gap (in points) between them."""
    widths: list[float] = []
    fields: list[Field] = []
    for board, gap in zip(boards, (0.0, *gaps), strict=True):
        widths += [gap] if gap > SPACER else []
        fields += [replace(field, column=field.column + len(widths)) for field in board.fields]
        widths += board.widths
    count = max(len(board.heights) for board in boards)
    heights = (max(b.heights[i] for b in boards if i < len(b.heights)) for i in range(count))
    fields.sort(key=lambda field: (field.row, field.column))
    return Board(tuple(widths), tuple(heights), tuple(fields), boards[0].align)


def _nested(grids: Sequence[Grid], contents: Sequence[tuple[Section, ...]]) -> Board:
    """A table of one row and without borders that puts things side by side."""
    starts = [grid.columns[0] for grid in grids]
    ends = [*starts[1:], grids[-1].columns[-1] + 2 * _PADDING]
    fields = tuple(Field(0, column, content=content) for column, content in enumerate(contents))
    return Board(tuple(b - a for a, b in zip(starts, ends, strict=True)), (0.0,), fields)


def edges(widths: Iterable[float]) -> tuple[float, ...]:
    """Where columns begin, and where the last one ends."""
    return tuple(accumulate(widths, initial=0.0))
