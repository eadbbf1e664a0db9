"""The period boundaries of a school that earlier timetables have shown often enough to be used."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pocai.timetable.clock import TimeSpan
from pocai.timetable.school import Period, SchoolMemory

LEAST = 2  # blocks that must have printed a period before it is used


@dataclass(frozen=True, slots=True)
class Periods:
    """Periods of a school in minutes after midnight, and their boundaries in order."""

    pairs: frozenset[Period]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, memory: SchoolMemory) -> Self:
        """The periods that at least `LEAST` blocks printed."""
        pairs = frozenset(pair for pair, count in memory.periods.items() if count >= LEAST)
        return cls(pairs, tuple(sorted({start for start, _ in pairs})), tuple(sorted({end for _, end in pairs})))

    @property
    def simple(self) -> tuple[Period, ...]:
        """The periods in order that hold no other one: double lessons are left out."""
        return tuple(sorted(pair for pair in self.pairs if not any(_inside(other, pair) for other in self.pairs)))

    def fits(self, span: TimeSpan) -> bool:
        """Whether a printed time may be a period, go from the start of one to the end of another, or be a boundary."""
        return any(self._fits(start, end) for start, end in span.intervals())

    def _fits(self, start: int | None, end: int | None) -> bool:
        if start is not None and end is not None:
            return (start, end) in self.pairs or (start < end and start in self.starts and end in self.ends)
        return start in self.starts or start in self.ends if end is None else end in self.ends

    def end_after(self, start: int) -> int | None:
        """The end of the one period that begins at ``start``; None where there is none, or several."""
        return _only(end for begin, end in self.simple if begin == start)

    def start_before(self, end: int) -> int | None:
        """The start of the one period that ends at ``end``; None where there is none, or several."""
        return _only(start for start, until in self.simple if until == end)


def nearest(minute: int, boundaries: tuple[int, ...], within: int) -> int | None:
    """The boundary at most ``within`` minutes away; None where there is none, or two are as near."""
    at = bisect_left(boundaries, minute)
    some = sorted((abs(each - minute), each) for each in boundaries[max(0, at - 1) : at + 2])
    if not some or some[0][0] > within or (len(some) > 1 and some[0][0] == some[1][0]):
        return None
    return some[0][1]


def _only(some: Iterable[int]) -> int | None:
    found = set(some)
    return found.pop() if len(found) == 1 else None


def _inside(inner: Period, outer: Period) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]
