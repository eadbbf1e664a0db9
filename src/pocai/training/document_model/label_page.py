"""A page as corrected values are looked for on it: what each line says, and how far it reaches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

from pocai.documents.page import Box, Cell, Line, Page
from pocai.models.layout_tokens import lines_of
from pocai.timetable.clock import Interval, TimeSpan
from pocai.timetable.days import day_label, resolve_labels
from pocai.timetable.grid import find_tables
from pocai.timetable.heading import period_key
from pocai.timetable.naming import folded
from pocai.timetable.pieces import pieces_of
from pocai.timetable.slot_axis import period_name
from pocai.timetable.times import find_times, is_time_only, strip_times
from pocai.timetable.timetable import Day

LETTERS = re.compile(r"[\W_]+")
_OPEN = re.compile(r"[-–—−]\s*$")
FEW = 8  # lines of a cell that holds one event and not a whole day
SHORT = 4  # letters of a day's label that only its neighbours explain ("Mi", "L")
AXIS = 3  # such labels in a row


@dataclass(frozen=True, slots=True)
class Spot:
    """A line: its ``letters`` and those that are left without times, the days and times that it says.

    ``room`` is the cell around it where that can be told, else the line's own box; ``cell`` is the cell's number, -1
    for none; ``label`` says that there is nothing in it but a time, ``period`` that it names a period.
    """

    number: int
    line: Line
    letters: str
    rest: str
    days: tuple[Day, ...]
    times: tuple[Interval, ...]
    room: Box
    cell: int
    label: bool
    period: bool

    @property
    def box(self) -> Box:
        """Where the line stands."""
        return self.line.box

    @property
    def turned(self) -> bool:
        """Whether it reads up or down."""
        return round(self.line.angle / 90) % 2 == 1


@dataclass(frozen=True, slots=True)
class LabelPage:
    """The lines of a page, in the order of `lines_of`, and the line that each goes on in, -1 for none."""

    page: Page
    spots: tuple[Spot, ...]
    next: tuple[int, ...]

    @classmethod
    def of(cls, page: Page) -> Self:
        """What a page says."""
        tables = find_tables(page)
        lines = lines_of(page)
        cells = [cell for table in tables for cell in table.cells if cell.lines]
        spots = [_spot(number, line, *_cell_of(line, cells)) for number, line in enumerate(lines)]
        spots = _with_keyed_times(_with_short_days(spots), period_key(pieces_of(page, tables)))
        after = tuple(_following(spot, spots) for spot in spots)
        return cls(page, tuple(_as_ranges(_with_own_rooms(spots), after)), after)


def letters_of(text: str) -> str:
    """A text as it is compared: letters and figures alone, in small letters."""
    return LETTERS.sub("", text.casefold())


def overlap(low: float, high: float, other_low: float, other_high: float) -> float:
    """What two stretches have in common, as a share of the shorter one."""
    shorter = min(high - low, other_high - other_low)
    return (min(high, other_high) - max(low, other_low)) / shorter if shorter > 0 else 0.0


def beside(one: Box, other: Box) -> float:
    """By how much two boxes share a row, as a share of the lower one."""
    return overlap(one.top, one.bottom, other.top, other.bottom)


def under(one: Box, other: Box) -> float:
    """By how much two boxes share a column, as a share of the narrower one."""
    return overlap(one.left, one.right, other.left, other.right)


def apart(one: Box, other: Box) -> float:
    """The distance of two boxes, 0 where they touch."""
    across = max(0.0, one.left - other.right, other.left - one.right)
    down = max(0.0, one.top - other.bottom, other.top - one.bottom)
    return across + down


def _cell_of(line: Line, cells: Sequence[Cell]) -> tuple[int, Cell | None]:
    return next(
        ((number, cell) for number, cell in enumerate(cells) if any(each is line for each in cell.lines)), (-1, None)
    )


def _spot(number: int, line: Line, cell_number: int, cell: Cell | None) -> Spot:
    text = line.text
    period = period_name(text) is not None
    spans = find_times(text) or (() if period else find_times(text, bare=True))
    readings = tuple(interval for span in spans for interval in span.intervals())
    rest = strip_times(text, spans) if spans else text
    return Spot(
        number,
        line,
        letters_of(text),
        letters_of(rest),
        day_label(text),
        readings,
        line.box if cell is None else _room(line, cell),
        cell_number,
        label=bool(spans) and (is_time_only(text, bare=True) or period_name(rest) is not None),
        period=period,
    )


def _room(line: Line, cell: Cell) -> Box:
    """A cell's own rectangle; of one with many lines only its width."""
    if len(cell.lines) <= FEW:
        return cell.box
    return Box(cell.box.left, line.box.top, cell.box.right, line.box.bottom)


def _with_keyed_times(spots: Sequence[Spot], key: Mapping[str, TimeSpan]) -> list[Spot]:
    """Periods with the times that the page's key gives them."""
    found = []
    for spot in spots:
        names = (folded(spot.line.text), period_name(spot.line.text) or "") if spot.period else ()
        span = next((key[name] for name in names if name in key), None)
        found.append(spot if span is None or spot.times else replace(spot, times=span.intervals()))
    return found


def _as_ranges(spots: Sequence[Spot], after: Sequence[int]) -> list[Spot]:
    """Times that are set on two lines ("8.15 –", "9.15") as one, with a common room."""
    found = list(spots)
    for spot, number in zip(spots, after, strict=True):
        if number >= 0 and spot.label and spots[number].label and _OPEN.search(spot.line.text):
            other = spots[number]
            times = tuple(t for span in find_times(f"{spot.line.text} {other.line.text}") for t in span.intervals())
            room = Box.around((spot.room, other.room))
            for each in (spot, other):
                found[each.number] = replace(each, room=room, times=times)
    return found


def _with_short_days(spots: list[Spot]) -> list[Spot]:
    """Labels such as "L M M G V", which only a row or a column of them explains."""
    named = sum(bool(spot.days) and not spot.period for spot in spots)
    if named > 1:  # "2ª" is a Monday only where nothing else is
        spots = [replace(spot, days=() if spot.period else spot.days) for spot in spots]
    found: dict[int, tuple[Day, ...]] = {}
    for axis in (1, 0):
        rows: dict[int, list[Spot]] = defaultdict(list)
        for spot in spots:
            if (spot.days or len(spot.letters) <= SHORT) and spot.letters and not spot.times:
                rows[round(spot.box.center[axis] / (1.5 * _size(spot)))].append(spot)
        for row in rows.values():
            ordered = sorted(row, key=lambda spot: spot.box.center[1 - axis])
            days = resolve_labels([spot.line.text for spot in ordered])
            pairs = zip(ordered, days, strict=True)
            told = [(spot, day) for spot, day in pairs if day and not (named > 1 and spot.period)]
            if len(told) >= AXIS and all(a[1] != b[1] for a, b in pairwise(told)):
                found |= {spot.number: day for spot, day in told if not spot.days}
    return [replace(spot, days=found.get(spot.number, spot.days)) for spot in spots]


def _size(spot: Spot) -> float:
    return max(1e-6, spot.box.width if spot.turned else spot.box.height)


def _following(spot: Spot, spots: Sequence[Spot]) -> int:
    """The line in which the text of a line may go on."""
    below = [(gap, other.number) for other in spots if (gap := _gap(spot, other)) is not None]
    return min(below)[1] if below else -1


def _gap(spot: Spot, other: Spot) -> float | None:
    """How far below a line another one of its cell stands that may go on with its text, in the direction of reading."""
    if other.number == spot.number or other.turned != spot.turned or other.cell != spot.cell:
        return None
    one, two, size = spot.box, other.box, _size(spot)
    if spot.turned:
        shared = beside(one, two)
        gap = one.left - two.right if round(spot.line.angle / 90) % 4 == 1 else two.left - one.right
    else:
        shared, gap = under(one, two), two.top - one.bottom
    return gap if shared > 0.3 and -0.5 * size < gap < 0.9 * size else None  # noqa: PLR2004 -- lines of one text


def _with_own_rooms(spots: Sequence[Spot]) -> list[Spot]:
    """Labels that share a cell, or have none, with the room up to the middle between them."""
    labels = [spot for spot in spots if spot.label or spot.period or spot.days]
    rooms = {spot.number: spot.room for spot in spots}
    for spot in labels:
        same = [other for other in labels if other.cell == spot.cell and bool(other.days) == bool(spot.days)]
        if spot.cell < 0 or any(other.letters != spot.letters and _between(other, spot) > 0 for other in same):
            rooms[spot.number] = _stretch(spot, same)
    return [replace(spot, room=rooms[spot.number]) for spot in spots]


def _between(one: Spot, other: Spot) -> float:
    """The gap between two lines, more than 0 where they are not of one label."""
    return apart(one.box, other.box) - 0.5 * min(_size(one), _size(other))


def _stretch(spot: Spot, labels: Sequence[Spot]) -> Box:
    """A line's box, stretched half the way to its neighbours where labels are a column or a row."""
    left, top, right, bottom = spot.box
    column = [other.box for other in labels if other is not spot and under(other.box, spot.box) > 0.5]  # noqa: PLR2004
    row = [other.box for other in labels if other is not spot and beside(other.box, spot.box) > 0.5]  # noqa: PLR2004
    if len(column) >= max(len(row), AXIS - 1):
        ups, downs = [b.bottom for b in column if b.bottom <= top + 1], [b.top for b in column if b.top >= bottom - 1]
        up = (top - max(ups)) / 2 if ups else None
        down = (min(downs) - bottom) / 2 if downs else None
        return Box(left, top - _or(up, down), right, bottom + _or(down, up))
    if len(row) >= AXIS - 1:
        befores, afters = [b.right for b in row if b.right <= left + 1], [b.left for b in row if b.left >= right - 1]
        before = (left - max(befores)) / 2 if befores else None
        after = (min(afters) - right) / 2 if afters else None
        return Box(left - _or(before, after), top, right + _or(after, before), bottom)
    return spot.box


def _or(way: float | None, other: float | None) -> float:
    return max(0.0, way if way is not None else other or 0.0)
