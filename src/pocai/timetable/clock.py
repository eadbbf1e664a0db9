"""`Clock`, `TimeSpan` and `Interval`: a time as it is printed, and what it may mean in minutes after midnight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Meridiem = Literal["am", "pm"]

NOON_HOUR = 12
HALF_DAY = 720  # minutes


class Interval(NamedTuple):
    """Start and end in minutes after midnight; None where none is printed."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Clock:
    """A printed time: hour 0 to 23, minute 0 to 59; ``meridiem`` as printed or implied ("09:00" is am)."""

    hour: int
    minute: int
    meridiem: Meridiem | None = None

    def readings(self) -> tuple[int, ...]:
        """The minutes after midnight that this may mean, ascending: ``1.15`` gives ``(75, 795)``.

        A 12 without am or pm is noon: no school prints midnight.
        """
        if self.hour > NOON_HOUR or (self.hour == 0 and self.meridiem is None):
            return (self.hour * 60 + self.minute,)
        early = self.hour % NOON_HOUR * 60 + self.minute
        if self.meridiem == "am":
            return (early,)
        if self.meridiem == "pm" or self.hour == NOON_HOUR:
            return (early + HALF_DAY,)
        return early, early + HALF_DAY


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A printed time phrase; ``at`` is its character range in the text, brackets and words such as "from" included.

    ``start`` is None for "until 3pm"; ``end`` is None where only one time is printed.
    """

    start: Clock | None
    end: Clock | None
    at: tuple[int, int]

    def intervals(self) -> tuple[Interval, ...]:
        """Every consistent reading, ascending; of a range that cannot be in order, all readings as printed."""
        starts: tuple[int | None, ...] = self.start.readings() if self.start else (None,)
        ends: tuple[int | None, ...] = self.end.readings() if self.end else (None,)
        every = tuple(Interval(start, end) for start in starts for end in ends)
        if None in every[0]:
            return every
        ordered = tuple(pair for pair in every if length(pair) > 0)
        # "9-10" lasts one hour and not thirteen: a reading half a day longer than another falls away.
        return tuple(pair for pair in ordered if length(pair) < min(map(length, ordered)) + HALF_DAY) or every


def length(interval: Interval) -> int:
    """Minutes from start to end, 0 or less where they are out of order; 0 where one of them is missing."""
    return 0 if interval.start is None or interval.end is None else interval.end - interval.start
