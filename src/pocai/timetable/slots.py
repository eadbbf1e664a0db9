"""From where a cell begins and ends to when its event does.

An edge on a slot's border takes the time printed there. An edge inside a slot has no printed time: it is inferred by
its place, to a quarter of an hour, until a neighbour's printed time says better (`assemble` sees to that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pocai.timetable.slot_axis import Slot
from pocai.timetable.timetable import Evidence

JITTER = 0.2  # an edge within this share of a slot from its border stands on the border
QUARTER, FIVE = 15, 5  # minutes that inferred times are rounded to, in long and short slots
LEAST_TICKS = 4  # labels in equal steps that are a clock's ticks
LONG_SLOT = 40  # minutes


@dataclass(frozen=True, slots=True)
class Timing:
    """Start and end in minutes (None: not printed anywhere) and what each rests on."""

    start: int | None
    end: int | None
    start_from: Evidence
    end_from: Evidence
    slots: tuple[int, ...] = ()


def timing(low: float, high: float, slots: Sequence[Slot], *, ruled: bool) -> Timing | None:
    """When a cell from ``low`` to ``high`` takes place; None where it stands beside no slot."""
    covered = [i for i, slot in enumerate(slots) if _covers(low, high, slot)]
    if not covered:
        return _between(low, high, slots)
    first, last = covered[0], covered[-1]
    if not ruled:
        first = last = max(covered, key=lambda i: _common(low, high, slots[i]))
        return Timing(
            slots[first].interval.start, slots[first].interval.end, Evidence.HEADER, Evidence.HEADER, (first,)
        )
    start, start_from = _edge(low, slots, first, at_start=True)
    end, end_from = _edge(high, slots, last, at_start=False)
    return Timing(start, end, start_from, end_from, tuple(covered))


def _between(low: float, high: float, slots: Sequence[Slot]) -> Timing | None:
    """A cell beside no time label lasts from the end of the slot before it to the start of the one after it."""
    before = [slot.interval.end for slot in slots if slot.high <= low + JITTER * (high - low)]
    after = [slot.interval.start for slot in slots if slot.low >= high - JITTER * (high - low)]
    if not before or not after or before[-1] is None or after[0] is None or before[-1] >= after[0]:
        return None
    return Timing(before[-1], after[0], Evidence.INFERRED, Evidence.INFERRED)


def _common(low: float, high: float, slot: Slot) -> float:
    return min(high, slot.high) - max(low, slot.low)


def _covers(low: float, high: float, slot: Slot) -> bool:
    return _common(low, high, slot) > JITTER * min(slot.length, high - low)


def _edge(at: float, slots: Sequence[Slot], index: int, *, at_start: bool) -> tuple[int | None, Evidence]:
    slot = slots[index]
    printed = slot.interval.start if at_start else slot.interval.end
    depth = (at - slot.low if at_start else slot.high - at) / slot.length
    if depth <= JITTER:
        if printed is None and not at_start and _even_ticks(slots) and (full := _full(slots, index)):
            return full[1], Evidence.HEADER
        return printed, Evidence.HEADER
    whole = _full(slots, index)
    if whole is None:
        return printed, Evidence.HEADER
    share = (at - slot.low) / slot.length
    step = QUARTER if whole[1] - whole[0] >= LONG_SLOT else FIVE
    minute = whole[0] + share * (whole[1] - whole[0])
    return min(max(round(minute / step) * step, whole[0]), whole[1]), Evidence.INFERRED


def _full(slots: Sequence[Slot], index: int) -> tuple[int, int] | None:
    """Start and end of a slot, the end from the next start where only starts are printed."""
    start, end = slots[index].interval
    if end is None and index + 1 < len(slots):
        end = slots[index + 1].interval.start
    return (start, end) if start is not None and end is not None and end > start else None


def _even_ticks(slots: Sequence[Slot]) -> bool:
    """Whether the labels are ticks of a clock, equally far apart: then each also ends what stands before it."""
    starts = [slot.interval.start for slot in slots]
    known = [start for start in starts if start is not None]
    only_starts = all(slot.interval.end is None for slot in slots)
    return only_starts and len(known) == len(starts) >= LEAST_TICKS and len({b - a for a, b in pairwise(known)}) == 1


def next_start(slots: Sequence[Slot], index: int) -> int | None:
    """The first printed start after slot ``index``; None at the end of the day, or where its own is not printed."""
    own = slots[index].interval.start
    later = (slot.interval.start for slot in slots[index + 1 :])
    return next((start for start in later if start is not None and own is not None), None)
