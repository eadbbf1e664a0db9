"""What printed times mean where am and pm are missing: for a whole header at once, or beside a slot."""

from __future__ import annotations

from collections.abc import Sequence

from pocai.settings import SchoolHours
from pocai.timetable.clock import HALF_DAY, Interval, TimeSpan, length

# Penalties; only their order of size matters: a time outside school hours is worse than one out of order, and
# both are worse than any habit of schools.
_OUTSIDE = 10.0
_BACKWARDS = 6.0
_DISORDER = 20.0
_EVENING, _EDGE = 1.0, 0.3
_GAP_HOUR = 0.1


def resolve_axis(spans: Sequence[TimeSpan | None], hours: SchoolHours) -> tuple[Interval | None, ...]:
    """The most likely reading of an ordered header, entry by entry; None stays None.

    The choice with the least penalty over the whole header (dynamic programming): starts do not go back, each entry
    lies inside the school's hours, gaps are short, mornings come before evenings. One misread entry costs its own
    penalty and leaves the others as they are.
    """
    known = [(index, span) for index, span in enumerate(spans) if span is not None]
    result: list[Interval | None] = [None] * len(spans)
    if not known:
        return tuple(result)
    paths: list[tuple[float, tuple[Interval, ...]]] = [(0.0, ())]
    for _, span in known:
        paths = [_best(paths, interval, hours) for interval in span.intervals()]
    chosen = min(paths, key=lambda path: path[0])[1]
    for (index, _), interval in zip(known, chosen, strict=True):
        result[index] = interval
    return tuple(result)


def resolve_near(span: TimeSpan, near: Interval | None, hours: SchoolHours) -> Interval:
    """The reading of a time inside a cell that lies closest to the slot ``near`` in which the cell stands."""
    return min(span.intervals(), key=lambda interval: (_distance(interval, near), _habit(interval, hours)))


def _best(
    paths: Sequence[tuple[float, tuple[Interval, ...]]], interval: Interval, hours: SchoolHours
) -> tuple[float, tuple[Interval, ...]]:
    own = _habit(interval, hours)
    cost, path = min(((cost + own + _step(path, interval), path) for cost, path in paths), key=lambda way: way[0])
    return cost, (*path, interval)


def _step(path: Sequence[Interval], interval: Interval) -> float:
    if not path:
        return 0.0
    last = path[-1]
    before, now = _begin(last), _begin(interval)
    if now < before:
        return _BACKWARDS + (before - now) / HALF_DAY
    return max(0, now - (last.end if last.end is not None else before)) / 60 * _GAP_HOUR


def _begin(interval: Interval) -> int:
    begin = interval.start if interval.start is not None else interval.end
    assert begin is not None
    return begin


def _habit(interval: Interval, hours: SchoolHours) -> float:
    """How unlikely a school is to hold a lesson then, whatever stands around it."""
    begin = _begin(interval)
    end = interval.end if interval.end is not None else begin
    cost = _DISORDER if None not in interval and length(interval) <= 0 else 0.0
    if begin < hours.earliest or end > hours.latest:
        cost += _OUTSIDE
    if begin >= 18 * 60:
        return cost + _EVENING
    return cost + (_EDGE if begin < 8 * 60 or begin >= 16 * 60 else 0.0)


def _distance(interval: Interval, near: Interval | None) -> int:
    """Minutes between a reading and a slot, over the ends that both have."""
    if near is None:
        return 0
    pairs = [(own, other) for own, other in zip(interval, near, strict=True) if own is not None and other is not None]
    if not pairs:
        other = near.start if near.start is not None else near.end
        return 0 if other is None else abs(_begin(interval) - other)
    return sum(abs(own - other) for own, other in pairs)
