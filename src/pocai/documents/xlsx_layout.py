"""Finds the tables on a worksheet: what an empty row or column separates, titles apart, cells joined as drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from statistics import median

from pocai.documents.office import CELL_MARGIN, lines_in, text_width
from pocai.documents.page import Box, Cell, Line, Table
from pocai.documents.xlsx_sheet import Area, Place, Sheet

_NARROW = 0.5  # an empty row or column narrower than this share of the median is only a spacer
_RULED = 0.5  # share of the written rows with lines from which a table counts as ruled
_HEADER = 3  # unruled texts side by side right above a ruled table that make its header, not its title
_DEEPEST = 16  # times that a sheet is cut further
_MOST_BLANKS = 50_000  # places of a table up to which its empty ones become cells


@dataclass(frozen=True, slots=True)
class _Region:
    """Areas that stand together on a rectangle of rows and columns."""

    areas: tuple[Area, ...]
    ruled: bool

    @property
    def rows(self) -> range:
        return range(min(area.top for area in self.areas), max(area.bottom for area in self.areas))

    @property
    def columns(self) -> range:
        return range(min(area.left for area in self.areas), max(area.right for area in self.areas))

    def row(self, row: int) -> list[Area]:
        """The written areas that begin in a row."""
        return [area for area in self.areas if area.top == row and area.writings]

    @property
    def tabular(self) -> bool:
        """Whether this is a table: written, and ruled or of several columns; a column of lines is text."""
        written = [area for area in self.areas if area.writings]
        return bool(written) and ((self.ruled and len(self.areas) > 1) or len({area.left for area in written}) > 1)


def find_tables(sheet: Sheet) -> tuple[tuple[Line, ...], tuple[Table, ...]]:
    """The text beside the tables, and the tables, both from top to bottom; in points."""
    areas = tuple(area for area in sheet.areas if area.writings or area.fill or any(map(sheet.is_drawn, area.places())))
    lines: list[Line] = []
    tables: list[Table] = []
    for region in _split(areas, sheet):
        alone, rest = _without_titles(region, sheet)
        for piece in rest:
            if piece.tabular:
                tables.append(_table(piece, sheet))
            else:
                alone += piece.areas
        lines += chain.from_iterable(_title_lines(area, sheet) for area in alone)
    return (
        tuple(sorted(lines, key=lambda line: line.box[1::-1])),
        tuple(sorted(tables, key=lambda table: table.box[1::-1])),
    )


def _region(areas: Sequence[Area], sheet: Sheet) -> _Region:
    written = {area.top for area in areas if area.writings}
    ruled = {area.top for area in areas if area.writings and _touches_line(area, sheet)}
    return _Region(tuple(areas), len(ruled) >= _RULED * len(written) > 0)


def _touches_line(area: Area, sheet: Sheet) -> bool:
    across = any(
        (row, column) in sheet.above for row in (area.top, area.bottom) for column in (area.left, area.right - 1)
    )
    return across or any((area.top, column) in sheet.before for column in (area.left, area.right))


def _split(areas: Sequence[Area], sheet: Sheet, depth: int = 0) -> Iterator[_Region]:
    """Cut along empty rows, then along empty columns, until nothing is left to cut."""
    if not areas:
        return
    region = _region(areas, sheet)
    for cut in (_cut_rows, _cut_columns) if depth < _DEEPEST else ():
        parts = cut(region, sheet)
        if len(parts) > 1:
            for part in parts:
                yield from _split(part, sheet, depth + 1)
            return
    yield region


def _cut_rows(region: _Region, sheet: Sheet) -> list[list[Area]]:
    ordered = sorted(region.areas, key=lambda area: area.top)
    height = _usual({area.top for area in region.areas}, sheet.ys)
    cuts = []
    for end, start in _gaps((area.top, area.bottom) for area in ordered):
        wide = sheet.ys[start] - sheet.ys[end] >= _NARROW * height
        lonely = min(len(region.row(start)), sum(area.bottom == end and bool(area.writings) for area in ordered)) <= 1
        if wide and (region.ruled or start - end > 1 or lonely):
            cuts.append(start)
    return _parts(ordered, [area.top for area in ordered], cuts)


def _cut_columns(region: _Region, sheet: Sheet) -> list[list[Area]]:
    ordered = sorted(region.areas, key=lambda area: area.left)
    width = _usual({area.left for area in region.areas}, sheet.xs)
    cuts = []
    for end, start in _gaps((area.left, area.right) for area in ordered):
        sides = (
            {area.left for area in ordered if area.left < end and area.writings},
            {area.left for area in ordered if area.left >= start and area.writings},
        )
        wide = sheet.xs[start] - sheet.xs[end] >= _NARROW * width
        tables = region.ruled and min(map(len, sides)) > 1
        if (wide or tables) and not any(_runs_over(area, sheet, end, start) for area in ordered):
            cuts.append(start)
    return _parts(ordered, [area.left for area in ordered], cuts)


def _usual(starts: Iterable[int], edges: Sequence[float]) -> float:
    return median(edges[start + 1] - edges[start] for start in starts)


def _gaps(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The empty stretches between spans that are sorted by their start."""
    reach: int | None = None
    for start, end in spans:
        if reach is not None and start > reach:
            yield reach, start
        reach = end if reach is None else max(reach, end)


def _parts(ordered: Sequence[Area], starts: Sequence[int], cuts: Sequence[int]) -> list[list[Area]]:
    bounds = [float("-inf"), *cuts, float("inf")]
    return [
        [area for area, start in zip(ordered, starts, strict=True) if low <= start < high]
        for low, high in pairwise(bounds)
    ]


def _runs_over(area: Area, sheet: Sheet, end: int, start: int) -> bool:
    """Whether text is wider than its column and is printed over the empty one behind it."""
    if area.right != end or area.angle or any(writing.align != "left" for writing in area.writings):
        return False
    middle = (sheet.xs[end] + sheet.xs[start]) / 2
    return any(sheet.xs[area.left] + text_width(writing.text, writing.size) > middle for writing in area.writings)


def _without_titles(region: _Region, sheet: Sheet) -> tuple[list[Area], list[_Region]]:
    """Take the rows out that are only text above, between and below what is ruled, or alone above the rest."""
    titles = _unruled_rows(region, sheet) if region.ruled else _rows_alone_on_top(region)
    alone = [area for area in region.areas if area.top in titles and area.writings]
    rest = [area for area in region.areas if area.top not in titles]
    cuts = sorted(
        row for row in titles if any(area.top > row for area in rest) and any(area.top < row for area in rest)
    )
    parts = _parts(rest, [area.top for area in rest], cuts)
    return alone, [_region(part, sheet) for part in parts if part]


def _rows_alone_on_top(region: _Region) -> set[int]:
    rows = [row for row in region.rows if region.row(row)]
    titles: set[int] = set()
    for row in rows[:-1]:
        if len(region.row(row)) > 1:
            break
        titles.add(row)
    return titles


def _unruled_rows(region: _Region, sheet: Sheet) -> set[int]:
    rows = [row for row in region.rows if region.row(row)]
    covered = {row for area in region.areas for row in range(area.top + 1, area.bottom)}
    free = [
        row for row in rows if row not in covered and not any(_touches_sides(area, sheet) for area in region.row(row))
    ]
    ruled = [row for row in rows if row not in free]
    if not ruled:
        return set()
    top, bottom = ruled[0], ruled[-1]
    header = {row for row in free if row == top - 1 and len(region.row(row)) >= _HEADER}
    between = {row for row in free if top < row < bottom and _is_bare(region, row)}
    return ({row for row in free if row < top or row > bottom} - header) | between


def _touches_sides(area: Area, sheet: Sheet) -> bool:
    """Whether a line bounds the cell at a side, or one of its own does above and below."""
    sides = any(
        (row, column) in sheet.before for row in range(area.top, area.bottom) for column in (area.left, area.right)
    )
    return sides or (area.top, area.left) in sheet.framed


def _is_bare(region: _Region, row: int) -> bool:
    """Whether a row holds one text and nothing else, not even colour."""
    areas = [area for area in region.areas if area.top <= row < area.bottom]
    return len(areas) == 1 and not areas[0].fill


def _table(region: _Region, sheet: Sheet) -> Table:
    areas = [*region.areas, *_blanks(region)]
    if region.ruled:
        areas = _joined(areas, sheet.above)
        turned = _joined([_turned(area) for area in areas], {(column, row) for row, column in sheet.before})
        areas = [_turned(area) for area in turned]
    top, left = region.rows.start, region.columns.start
    return Table(
        tuple(
            Cell(
                box=_box(area, sheet),
                row=area.top - top,
                column=area.left - left,
                row_span=area.bottom - area.top,
                column_span=area.right - area.left,
                lines=lines_in(_box(area, sheet), area.writings, area.angle, "xlsx"),
                fill=area.fill,
            )
            for area in sorted(areas, key=lambda area: (area.top, area.left))
        )
    )


def _blanks(region: _Region) -> Iterator[Area]:
    """The empty places of a table, but for rows and columns that are empty altogether."""
    rows = {row for area in region.areas for row in range(area.top, area.bottom)}
    columns = {column for area in region.areas for column in range(area.left, area.right)}
    if len(rows) * len(columns) > _MOST_BLANKS:
        return
    taken = {place for area in region.areas for place in area.places()}
    for row in sorted(rows):
        for column in sorted(columns):
            if (row, column) not in taken:
                yield Area(row, column, row + 1, column + 1)


def _turned(area: Area) -> Area:
    """The area with rows and columns exchanged."""
    return replace(area, top=area.left, left=area.top, bottom=area.right, right=area.bottom)


def _joined(areas: Sequence[Area], above: Iterable[Place]) -> list[Area]:
    """Join cells one below the other that no line parts where lines part others, if at most one is written in.

    Only what is closed by lines above and below is one cell; a table without lines across stays as it is.
    """
    lines = set(above)
    columns = {column for area in areas for column in range(area.left, area.right)}
    drawn = {row for row, column in lines if column in columns}
    result: list[Area] = []
    run: list[Area] = []
    for area in sorted(areas, key=lambda area: (area.left, area.right, area.top)):
        if run and not (_continues(run[-1], area, lines) and area.top in drawn):
            result += _as_drawn(run, lines)
            run = []
        run.append(area)
    return result + _as_drawn(run, lines)


def _continues(upper: Area, lower: Area, lines: set[Place]) -> bool:
    same = (upper.left, upper.right, upper.bottom, upper.fill) == (lower.left, lower.right, lower.top, lower.fill)
    return same and not any((lower.top, column) in lines for column in range(lower.left, lower.right))


def _as_drawn(run: list[Area], lines: set[Place]) -> list[Area]:
    """The cells of a run as one if lines close it, else as they are."""
    written = [area for area in run if area.writings]
    if len(run) <= 1 or len(written) > 1:
        return run
    first, last = run[0], run[-1]
    closed = all(
        (row, column) in lines for row in (first.top, last.bottom) for column in range(first.left, first.right)
    )
    return [replace((written or run)[0], top=first.top, bottom=last.bottom)] if closed else run


def _box(area: Area, sheet: Sheet) -> Box:
    return Box(sheet.xs[area.left], sheet.ys[area.top], sheet.xs[area.right], sheet.ys[area.bottom])


def _title_lines(area: Area, sheet: Sheet) -> tuple[Line, ...]:
    """Lines of text beside the tables, which runs over the empty cells to the right."""
    box = _box(area, sheet)
    width = max((text_width(writing.text, writing.size) for writing in area.writings), default=0.0)
    right = box.right if area.angle else max(box.right, box.left + width + 2 * CELL_MARGIN)
    return lines_in(box._replace(right=right), area.writings, area.angle, "xlsx")
