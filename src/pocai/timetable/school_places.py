"""Times that a page leaves open, settled by a school's periods and by where the events stand among the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

from pocai.timetable.school import Period
from pocai.timetable.school_periods import Periods
from pocai.timetable.timetable import TimeBlock, minutes

IN_ORDER = 0.9  # share of pairs of events that stand on the page in the order of their starts
SAME_ROW = 0.5  # of an event's extent: middles that are nearer are of one row
Times = tuple[int | None, int | None]
"""Start and end in minutes after midnight."""


def axis_of(blocks: Sequence[TimeBlock]) -> int | None:
    """Along which axis of the page a day goes on: 0 to the right, 1 down; None where that is not clear."""
    timed = [block for block in blocks if block.start_time is not None and "name" in block.fields]
    pairs = [
        (one, other)
        for one, other in combinations(timed, 2)
        if one.day == other.day and one.start_time != other.start_time and _page(one) == _page(other)
    ]
    if not pairs:
        return None
    shares = [sum(_in_order(*pair, along) for pair in pairs) / len(pairs) for along in (0, 1)]
    best = shares.index(max(shares))
    return best if shares[best] >= IN_ORDER else None


def _in_order(one: TimeBlock, other: TimeBlock, along: int) -> bool:
    later = (other.start_time or "") > (one.start_time or "")
    step = _Spot.of(other, along).middle - _Spot.of(one, along).middle
    return step > 0 if later else step < 0


def _page(block: TimeBlock) -> int:
    return block.fields["name"].page


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where an event stands along the axis of time, in units of its page."""

    page: int
    low: float
    high: float

    @classmethod
    def of(cls, block: TimeBlock, along: int) -> _Spot:
        mark = block.fields["name"]
        return cls(mark.page, mark.box[along], mark.box[along + 2])

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def before(self, other: _Spot) -> bool:
        """Whether this one ends where the other one has not begun yet."""
        return self.page == other.page and self.high <= other.low + SAME_ROW / 2 * min(self._long, other._long)

    def beside(self, other: _Spot) -> bool:
        return self.page == other.page and abs(self.middle - other.middle) < SAME_ROW * min(self._long, other._long)

    @property
    def _long(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class Placed:
    """Events with their places ``along`` the axis of time, and the periods of their school."""

    blocks: Sequence[TimeBlock]
    along: int
    periods: Periods

    def times(self) -> list[Times]:
        """Start and end of each event; of one that has neither, those of the one period that its place leaves open."""
        known = list(self._read)
        for row, period in self._open_rows():
            for number in row:
                known[number] = period
        return known

    @cached_property
    def _read(self) -> tuple[Times, ...]:
        return tuple((minutes(block.start_time), minutes(block.end_time)) for block in self.blocks)

    @cached_property
    def _spots(self) -> tuple[_Spot | None, ...]:
        return tuple(_Spot.of(block, self.along) if "name" in block.fields else None for block in self.blocks)

    def _bounds(self, number: int) -> Period:
        """The end of the last event that stands before one, and the start of the first that stands after it."""
        spot = self._spots[number]
        low, high = 0, 24 * 60
        if spot is None:
            return low, high
        for place, (start, end) in zip(self._spots, self._read, strict=True):
            if place is None:
                continue
            if place.before(spot):
                low = max(low, end or start or 0)
            elif spot.before(place):
                high = min(high, *(each for each in (start, end) if each is not None), high)
        return low, high

    def _open_rows(self) -> Iterator[tuple[list[int], Period]]:
        """Rows of events without any time, each with its period: between events with times stand as many as can be."""
        gaps: dict[Period, list[list[int]]] = {}
        for row in self._rows():
            bounds = [self._bounds(number) for number in row]
            gap = max(low for low, _ in bounds), min(high for _, high in bounds)
            gaps.setdefault(gap, []).append(row)
        for (low, high), rows in gaps.items():
            inside = [(start, end) for start, end in self.periods.simple if low <= start and end <= high]
            apart = all(one[1] <= other[0] for one, other in pairwise(inside))
            if (low, high) != (0, 24 * 60) and apart and len(inside) == len(rows):
                yield from zip(rows, inside, strict=True)

    def _rows(self) -> list[list[int]]:
        """The events without any time, row by row, in the order of the day."""
        numbers = [n for n, times in enumerate(self._read) if times == (None, None) and self._spots[n] is not None]
        rows: list[list[int]] = []
        for number in sorted(numbers, key=self._middle):
            if rows and self._beside(rows[-1][-1], number):
                rows[-1].append(number)
            else:
                rows.append([number])
        return rows

    def _middle(self, number: int) -> tuple[int, float]:
        spot = self._spots[number]
        assert spot is not None, "only events with a place are put in rows"
        return spot.page, spot.middle

    def _beside(self, one: int, other: int) -> bool:
        first, second = self._spots[one], self._spots[other]
        return first is not None and second is not None and first.beside(second)
