"""From rules and fills to tables: the cells that printed lines and coloured fields enclose.

Four pure steps, as in a planar drawing: rules that hang in the air are dropped, rules that touch form a frame, the
frame's positions span a lattice, and lattice fields with no wall between them are one cell. Every threshold is a
multiple of the height of the page's writing, so the result does not change when the page is shifted or scaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pocai.documents.page import Box, Cell, Fill, Line, Page, Rule, Table

SNAP = 0.45  # rules nearer than this many text heights are one
REACH = 1.1  # a rule's end this many text heights from another rule still touches it
WALL = 0.5  # share of a field's side that must be ruled to be a wall
THINNEST = 0.6  # cells thinner than this many text heights are double lines, not cells
ALIGNED = 0.2  # pieces of rules nearer than this many text heights are one line
LONG = 6  # a rule of so many text heights may hang at one end
LONG_SHARE = 0.3  # a rule that crosses this share of the page may hang at both
LEAST_CELLS = 2  # cells that make a table


def find_tables(page: Page) -> tuple[Table, ...]:
    """The tables of a page with their lines in the cells; native tables as they are. Largest first."""
    if page.tables:
        return page.tables
    size = text_height(page.lines) or 0.012 * max(page.width, page.height)
    rules = _held(_outside_text((*page.rules, *_rims(page.fills)), page.lines), page, size)
    tables = [_table(frame, page.lines, size) for frame in _frames(rules, size)]
    found = [table for table in tables if len(table.cells) >= LEAST_CELLS]
    found.sort(key=lambda table: -table.box.area)
    return tuple(table for i, table in enumerate(found) if not _decoration(table, found[:i]))


def text_height(lines: Iterable[Line]) -> float:
    """Median height of the writing, in page units; 0.0 without lines."""
    heights = [line.size or min(line.box.width, line.box.height) for line in lines]
    return float(median(heights)) if heights else 0.0


def _rims(fills: Sequence[Fill]) -> list[Rule]:
    """The four sides of every filled region, as rules without thickness."""
    rims = []
    for box in (fill.box for fill in fills):
        corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
        rims += [Rule(a, b, 0.0) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
    return rims


def _outside_text(rules: Iterable[Rule], lines: Sequence[Line]) -> list[Rule]:
    """Rules without those that are strokes of letters: short, and inside the box of a line of text."""
    boxes = [line.box for line in lines]
    return [rule for rule in rules if not any(_stroke_of(rule, box) for box in boxes)]


def _stroke_of(rule: Rule, box: Box) -> bool:
    (x0, y0), (x1, y1) = rule.start, rule.end
    if x0 > box.right or x1 < box.left or y0 > box.bottom or y1 < box.top:
        return False
    slack = 0.1 * min(box.width, box.height)
    inside = box.left - slack <= min(x0, x1) and max(x0, x1) <= box.right + slack
    return inside and box.top - slack <= min(y0, y1) and max(y0, y1) <= box.bottom + slack


Field = tuple[int, int]  # column, row of the lattice


@dataclass(frozen=True, slots=True)
class _Wall:
    """A rule in lattice terms: ``at`` across its direction, from ``low`` to ``high`` along it."""

    upright: bool
    at: float
    low: float
    high: float

    def meets(self, other: _Wall, reach: float) -> bool:
        if self.upright == other.upright:
            near = abs(self.at - other.at) <= reach / 2
            return near and self.low <= other.high + reach and other.low <= self.high + reach
        return other.low - reach <= self.at <= other.high + reach and self.low - reach <= other.at <= self.high + reach


def _held(rules: Sequence[Rule], page: Page, size: float) -> list[_Wall]:
    """Rules that end on a rule of the other direction, or at the page's rim; repeated until stable.

    Both ends must, but for long rules: of those one end is enough, or none where they cross much of the page.
    """
    walls = _in_one_piece([_wall(rule) for rule in rules], size)
    reach = REACH * size
    while True:
        kept = [wall for wall in walls if _ends_held(wall, walls, page, reach) >= _ends_needed(wall, page, size)]
        if len(kept) == len(walls):
            return kept
        walls = kept


def _in_one_piece(walls: Sequence[_Wall], size: float) -> list[_Wall]:
    """Pieces of a line that follow each other (a border drawn cell by cell) as one wall."""
    joined: list[_Wall] = []
    for wall in sorted(walls, key=lambda wall: (wall.upright, round(wall.at / (ALIGNED * size)), wall.low)):
        last = joined[-1] if joined else None
        aligned = last is not None and last.upright == wall.upright and abs(last.at - wall.at) <= ALIGNED * size
        slack = ALIGNED * size
        if last is not None and aligned and last.low - slack <= wall.high and wall.low <= last.high + slack:
            joined[-1] = _Wall(wall.upright, last.at, min(last.low, wall.low), max(last.high, wall.high))
        else:
            joined.append(wall)
    return joined


def _ends_needed(wall: _Wall, page: Page, size: float) -> int:
    length = wall.high - wall.low
    if length > LONG_SHARE * (page.height if wall.upright else page.width):
        return 0
    return 1 if length > LONG * size else 2


def _ends_held(wall: _Wall, walls: Sequence[_Wall], page: Page, reach: float) -> int:
    return sum(_held_at(end, wall, walls, page, reach) for end in (wall.low, wall.high))


def _wall(rule: Rule) -> _Wall:
    (x0, y0), (x1, y1) = rule.start, rule.end
    if rule.horizontal:
        return _Wall(upright=False, at=(y0 + y1) / 2, low=min(x0, x1), high=max(x0, x1))
    return _Wall(upright=True, at=(x0 + x1) / 2, low=min(y0, y1), high=max(y0, y1))


def _held_at(end: float, wall: _Wall, walls: Sequence[_Wall], page: Page, reach: float) -> bool:
    rim = page.height if wall.upright else page.width
    if end <= reach or end >= rim - reach:
        return True
    return any(
        other.upright != wall.upright
        and abs(other.at - end) <= reach
        and other.low - reach <= wall.at <= other.high + reach
        for other in walls
    )


def _frames(walls: Sequence[_Wall], size: float) -> list[list[_Wall]]:
    """Walls that touch, directly or through others, belong to one frame."""
    frames: list[list[_Wall]] = []
    for wall in walls:
        touching = [frame for frame in frames if any(wall.meets(other, REACH * size) for other in frame)]
        merged = [wall, *(other for frame in touching for other in frame)]
        frames = [frame for frame in frames if frame not in touching]
        frames.append(merged)
    return [frame for frame in frames if len(frame) > 2]  # noqa: PLR2004 - three walls enclose nothing less


def _table(frame: Sequence[_Wall], lines: Sequence[Line], size: float) -> Table:
    xs = _positions(
        [(w.at, w.high - w.low) for w in frame if w.upright],
        [e for w in frame if not w.upright for e in (w.low, w.high)],
        size,
    )
    ys = _positions(
        [(w.at, w.high - w.low) for w in frame if not w.upright],
        [e for w in frame if w.upright for e in (w.low, w.high)],
        size,
    )
    if len(xs) < 2 or len(ys) < 2:  # noqa: PLR2004 - a lattice needs two positions each way
        return Table(())
    lattice = _Lattice(xs, ys, _walls_by_position(xs, ys, frame, size))
    cells = [_cell(part, xs, ys) for region in _regions(lattice) for part in _rectangles(region, lattice)]
    cells = [cell for cell in cells if min(cell.box.width, cell.box.height) >= THINNEST * size]
    cells.sort(key=lambda cell: (cell.row, cell.column))
    return Table(tuple(fill_cells(cells, lines)))


def _positions(weighted: Sequence[tuple[float, float]], ends: Sequence[float], size: float) -> list[float]:
    """Positions of rules, those nearer than `SNAP` taken as one; the frame's outermost ends close open sides."""
    groups: list[list[tuple[float, float]]] = []
    for at, weight in sorted(weighted):
        if groups and at - groups[-1][0][0] <= SNAP * size:
            groups[-1].append((at, weight))
        else:
            groups.append([(at, weight)])
    found = [sum(a * w for a, w in g) / max(sum(w for _, w in g), 1e-9) for g in groups]
    if ends:
        low, high = min(ends), max(ends)
        if not found or found[0] - low > THINNEST * size:
            found.insert(0, low)
        if high - found[-1] > THINNEST * size:
            found.append(high)
    return found


@dataclass(frozen=True, slots=True)
class _Lattice:
    """Positions of walls from left to right and from top to bottom, and the walls at each."""

    xs: Sequence[float]
    ys: Sequence[float]
    walls: Mapping[tuple[bool, int], Sequence[_Wall]]

    def walled(self, field: Field, *, right: bool) -> bool:
        """Whether a wall stands on the right side of a field, or else below it."""
        i, j = field
        low, high = (self.ys[j], self.ys[j + 1]) if right else (self.xs[i], self.xs[i + 1])
        return _walled(self.walls.get((right, i + 1 if right else j + 1), ()), low, high)


def _regions(lattice: _Lattice) -> list[set[Field]]:
    """Lattice fields joined where no wall stands between them."""
    columns, rows = len(lattice.xs) - 1, len(lattice.ys) - 1
    parent = {(i, j): (i, j) for i in range(columns) for j in range(rows)}

    def root(field: Field) -> Field:
        while parent[field] != field:
            parent[field] = parent[parent[field]]
            field = parent[field]
        return field

    for i, j in list(parent):
        if i + 1 < columns and not lattice.walled((i, j), right=True):
            parent[root((i + 1, j))] = root((i, j))
        if j + 1 < rows and not lattice.walled((i, j), right=False):
            parent[root((i, j + 1))] = root((i, j))
    regions: dict[Field, set[Field]] = {}
    for field in parent:
        regions.setdefault(root(field), set()).add(field)
    return list(regions.values())


def _walls_by_position(
    xs: Sequence[float], ys: Sequence[float], frame: Sequence[_Wall], size: float
) -> dict[tuple[bool, int], list[_Wall]]:
    found: dict[tuple[bool, int], list[_Wall]] = {}
    for wall in frame:
        positions = xs if wall.upright else ys
        index = min(range(len(positions)), key=lambda i: abs(positions[i] - wall.at))
        if abs(positions[index] - wall.at) <= 2 * SNAP * size:
            found.setdefault((wall.upright, index), []).append(wall)
    return found


def _walled(walls: Iterable[_Wall], low: float, high: float) -> bool:
    covered, reached = 0.0, low
    for wall in sorted(walls, key=lambda w: w.low):
        begin, end = max(wall.low, reached), min(wall.high, high)
        if end > begin:
            covered, reached = covered + end - begin, end
    return covered >= WALL * (high - low)


def _rectangles(region: set[Field], lattice: _Lattice) -> list[set[Field]]:
    """A region cut into rectangles: as few as a scan by rows, or by columns, needs; and along walls that cross these.

    The parts on both sides of such a wall hang together around its end, where a neighbour is not walled off.
    """
    if _is_rectangle(region):
        return [region]
    by_rows = _sweep(region)
    by_columns = [{(i, j) for j, i in part} for part in _sweep({(j, i) for i, j in region})]
    cuts = [[piece for part in parts for piece in _along_walls(part, lattice)] for parts in (by_rows, by_columns)]
    return min(cuts, key=lambda cut: (sum(_walls_inside(piece, lattice) for piece in cut), len(cut)))


def _along_walls(part: set[Field], lattice: _Lattice) -> list[set[Field]]:
    """A rectangle cut where a wall crosses it from side to side."""
    for right in (False, True):
        lines: dict[int, list[Field]] = {}
        for field in part:
            lines.setdefault(field[0] if right else field[1], []).append(field)
        *inner, _ = sorted(lines)
        for at in inner:
            if all(lattice.walled(field, right=right) for field in lines[at]):
                before = {field for field in part if (field[0] if right else field[1]) <= at}
                return [*_along_walls(before, lattice), *_along_walls(part - before, lattice)]
    return [part]


def _walls_inside(part: set[Field], lattice: _Lattice) -> int:
    """How many fields of a rectangle are walled off from their neighbour in it."""
    return sum(
        neighbour in part and lattice.walled((i, j), right=right)
        for i, j in part
        for right, neighbour in ((True, (i + 1, j)), (False, (i, j + 1)))
    )


def _is_rectangle(region: set[Field]) -> bool:
    columns, rows = {i for i, _ in region}, {j for _, j in region}
    return len(region) == (max(columns) - min(columns) + 1) * (max(rows) - min(rows) + 1)


def _sweep(region: set[Field]) -> list[set[Field]]:
    """Runs of fields in a row; equal runs in neighbouring rows make one rectangle."""
    open_runs: dict[tuple[int, int], set[Field]] = {}
    done: list[set[Field]] = []
    for row in range(min(j for _, j in region), max(j for _, j in region) + 2):
        runs = _row_runs(sorted(i for i, j in region if j == row))
        done += [fields for run, fields in open_runs.items() if run not in runs]
        open_runs = {run: open_runs.get(run, set()) | {(i, row) for i in range(run[0], run[1] + 1)} for run in runs}
    return done


def _row_runs(columns: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for column in columns:
        if runs and runs[-1][1] == column - 1:
            runs[-1] = (runs[-1][0], column)
        else:
            runs.append((column, column))
    return runs


def _cell(fields: set[Field], xs: Sequence[float], ys: Sequence[float]) -> Cell:
    left, right = min(i for i, _ in fields), max(i for i, _ in fields) + 1
    top, bottom = min(j for _, j in fields), max(j for _, j in fields) + 1
    box = Box(xs[left], ys[top], xs[right], ys[bottom])
    return Cell(box, row=top, column=left, row_span=bottom - top, column_span=right - left)


def fill_cells(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Cell]:
    """The cells with the lines whose middle lies in them, in reading order."""
    inside: list[list[Line]] = [[] for _ in cells]
    for line in lines:
        middle = line.box.center
        holders = [k for k, cell in enumerate(cells) if cell.box.contains(middle)]
        if holders:
            inside[min(holders, key=lambda k: cells[k].box.area)].append(line)
    return [replace(cell, lines=reading_order((*cell.lines, *held))) for cell, held in zip(cells, inside, strict=True)]


def reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Lines as a person reads them: along their own direction, row after row."""
    if not lines:
        return ()
    turned = round(median(line.angle for line in lines) / 90) % 4 * 90
    return tuple(row_line for row in _rows(lines, turned) for row_line in row)


def _rows(lines: Sequence[Line], turned: int) -> list[list[Line]]:
    """Rows of lines that stand side by side, in the frame of a reader turned by ``turned`` degrees."""
    placed = sorted(((_as_read(line.box, turned), line) for line in lines), key=lambda pair: pair[0].center[1])
    rows: list[list[tuple[Box, Line]]] = []
    for box, line in placed:
        if rows and box.center[1] - rows[-1][0][0].center[1] < 0.5 * min(box.height, rows[-1][0][0].height):
            rows[-1].append((box, line))
        else:
            rows.append([(box, line)])
    return [[line for _, line in sorted(row, key=lambda pair: pair[0].left)] for row in rows]


def _as_read(box: Box, turned: int) -> Box:
    """The box in the coordinates of a reader of text turned by 0, 90, 180 or 270 degrees."""
    if turned == 90:  # noqa: PLR2004 - degrees
        return Box(box.top, -box.right, box.bottom, -box.left)
    if turned == 270:  # noqa: PLR2004 - degrees
        return Box(-box.bottom, box.left, -box.top, box.right)
    if turned == 180:  # noqa: PLR2004 - degrees
        return Box(-box.right, -box.bottom, -box.left, -box.top)
    return box


def _decoration(table: Table, larger: Sequence[Table]) -> bool:
    """Whether a table is a small frame drawn inside one cell of a larger table (a highlighted time, a logo)."""
    inside = [t for t in larger if any(table.box.overlap(cell.box) > 0.9 for cell in t.cells)]  # noqa: PLR2004 - nearly all
    return bool(inside) and sum(bool(cell.lines) for cell in table.cells) < 4  # noqa: PLR2004 - too few for a timetable
