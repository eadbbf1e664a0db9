"""Tables: cells that span tracks, fitted to their text and to the room that there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocai.documents.page import Box
from pocai.synthetic.document import Align
from pocai.synthetic.layouts.tracks import Span, Stretch, Tracks, heights, spread
from pocai.synthetic.setting import Paragraphs, Phrase, Place, Valign, set_in, widest_word, width

if TYPE_CHECKING:
    from pocai.documents.page import Color

SHRINKS = (1.0, 0.9, 0.8, 0.72)  # letters of a cell with one long word may be smaller than those of the others
SLACK = 0.02  # points that do not count
TURNED = 190.0  # points that turned writing may be long before it breaks


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its tracks, its phrases, and how they stand in it; ``head`` where it holds labels and no events."""

    rows: Span
    columns: Span
    phrases: tuple[Phrase, ...] = ()
    fill: Color | None = None
    align: Align = "center"
    valign: Valign = "middle"
    angle: int = 0
    head: bool = False

    @property
    def turned(self) -> bool:
        return self.angle % 180 != 0


@dataclass(frozen=True, slots=True)
class Table:
    """Cells on columns and rows; ``pad`` is the room between the edges of a cell and its text."""

    columns: Tracks
    rows: Tracks
    cells: tuple[Cell, ...]
    pad: float
    stretch: Stretch = "tight"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table whose places are settled: edges of its tracks from 0, and the set text of each cell."""

    table: Table
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    settings: tuple[Paragraphs, ...]

    @property
    def width(self) -> float:
        return self.xs[-1]

    @property
    def height(self) -> float:
        return self.ys[-1]

    def box(self, cell: Cell) -> Box:
        """Where a cell is, from the table's corner."""
        columns, rows = cell.columns, cell.rows
        return Box(self.xs[columns.first], self.ys[rows.first], self.xs[columns.end], self.ys[rows.end])

    def inside(self, cell: Cell) -> Place:
        """Where a cell's text may stand."""
        box, pad = self.box(cell), self.table.pad
        inner = Box(box.left + pad, box.top + pad, box.right - pad, box.bottom - pad)
        return Place(inner, cell.align, cell.valign, cell.angle)


def fit(table: Table, room: tuple[float, float]) -> Fitted | None:
    """The table in a room (width, height): as wide as that, as high as need be; None where it does not fit."""
    columns = _columns(table, *room)
    if columns is None:
        return None
    xs = table.columns.edges(columns)
    needs: list[tuple[Span, float]] = []
    for cell in table.cells:
        setting = _set(cell, xs[cell.columns.end] - xs[cell.columns.first] - 2 * table.pad, room[1])
        if setting is None:
            return None
        needs.append((cell.rows, (setting.width if cell.turned else setting.height) + 2 * table.pad))
    least = table.rows.least(needs)
    if sum(least) > room[1] + SLACK:
        return None
    ys = table.rows.edges(heights(table.stretch, least, table.rows.weights, room[1]))
    return _settled(table, xs, ys)


def _settled(table: Table, xs: tuple[float, ...], ys: tuple[float, ...]) -> Fitted | None:
    settings: list[Paragraphs] = []
    for cell in table.cells:
        wide = xs[cell.columns.end] - xs[cell.columns.first] - 2 * table.pad
        high = ys[cell.rows.end] - ys[cell.rows.first] - 2 * table.pad
        setting = _set(cell, wide, high, final=True)
        along, across = (high, wide) if cell.turned else (wide, high)
        if setting is None or setting.width > along + SLACK or setting.height > across + SLACK:
            return None
        settings.append(setting)
    return Fitted(table, xs, ys, tuple(settings))


def _set(cell: Cell, wide: float, high: float, *, final: bool = False) -> Paragraphs | None:
    """The cell's text in its room; turned text breaks at the height, which is but a limit before it is final."""
    if cell.turned:
        return set_in(cell.phrases, (high if final else _turned_limit(cell, high)) + SLACK)
    for factor in SHRINKS:
        phrases = cell.phrases if factor == 1 else [phrase.sized(factor) for phrase in cell.phrases]
        setting = set_in(phrases, wide + SLACK)
        if setting is not None:
            return setting
    return None


def _turned_limit(cell: Cell, high: float) -> float:
    longest = max((widest_word(phrase) for phrase in cell.phrases), default=0.0)
    return max(longest, min(TURNED, 0.8 * high))


def _columns(table: Table, wide: float, high: float) -> list[float] | None:
    """Widths of the groups of columns: what must be, and the rest by weight; labels are as wide as their text."""
    tracks = table.columns
    for shrink in (1.0, SHRINKS[-1]):
        needs = [(cell.columns, _narrowest(cell, high, shrink) + 2 * table.pad) for cell in table.cells]
        least = tracks.least(needs)
        if sum(least) <= wide + SLACK:
            break
    else:
        return None
    free = wide - sum(least)
    for i, wish in enumerate(_wishes(table)):
        grown = min(max(0.0, wish - least[i]), free / 2)
        least[i] += grown
        free -= grown
    return spread(least, tracks.weights, wide)


def _wishes(table: Table) -> list[float]:
    """For each group without weight the width at which nothing in it breaks; 0 for the others."""
    wishes = [0.0] * len(table.columns.groups)
    for cell in table.cells:
        shares = table.columns.shares(cell.columns)
        if len(shares) == 1 and not table.columns.weighted(cell.columns) and not cell.turned:
            ((index, share),) = shares.items()
            widest = max((width(phrase.text, phrase.style) for phrase in cell.phrases if not phrase.stacked), default=0)
            wishes[index] = max(wishes[index], (widest + 2 * table.pad) / share)
    return wishes


def _narrowest(cell: Cell, high: float, shrink: float) -> float:
    """The least width that a cell's text takes on the page."""
    if not cell.turned:
        return shrink * max((widest_word(phrase) for phrase in cell.phrases), default=0.0)
    setting = set_in(cell.phrases, _turned_limit(cell, high) + SLACK)
    return setting.height if setting else 0.0
