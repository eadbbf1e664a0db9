"""Figures of when a block takes place: by itself, beside the rest of its day, and beside the slots of other days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from pocai.models.evidence.scene import ABSENT, Matrix, Scene
from pocai.timetable.timetable import Day, TimeBlock, minutes

NAMES = (
    "time.start",
    "time.end",
    "time.length",
    "time.length over usual",
    "time.usual lengths",
    "time.odd start",
    "time.odd end",
    "time.start elsewhere",
    "time.end elsewhere",
    "time.slot elsewhere",
    "time.same slot",
    "time.follows",
    "time.is followed",
    "time.free before",
    "time.free after",
    "time.common",
    "time.first",
    "time.last",
    "time.name elsewhere",
)
_STEP = 5  # minutes that printed times are usually multiples of
_LONGEST = 240  # minutes; more counts as this
_EPS = 1e-9


@dataclass(frozen=True, slots=True)
class _When:
    day: Day | None
    start: int | None
    end: int | None


def figures(scene: Scene) -> Matrix:
    """``(blocks, len(NAMES))``: times in minutes, `ABSENT` where they are not known; the rest are shares and counts.

    ``odd`` times are no multiples of five minutes; ``elsewhere`` is the share of the other days on which a block has
    the same start, end, both, or name and times; ``same slot`` counts blocks of the same day and times, ``common`` is
    the time that the block shares with others of its day; a block ``follows`` where another ends as it begins.
    """
    whens = [_when(block) for block in scene.blocks]
    days = {when.day for when in whens}
    lengths = [when.end - when.start for when in whens if when.start is not None and when.end is not None]
    usual = median(lengths) if lengths else 0.0
    modes = Counter(lengths)
    shares = _Shares(scene.blocks, whens, max(1, len(days) - 1))
    rows = []
    for number, when in enumerate(whens):
        beside = [other for n, other in enumerate(whens) if n != number and other.day == when.day]
        length = ABSENT if when.start is None or when.end is None else float(when.end - when.start)
        rows.append(
            [
                _or_absent(when.start),
                _or_absent(when.end),
                min(length, _LONGEST),
                length / usual if length > 0 and usual > 0 else ABSENT,
                modes[int(length)] / max(1, len(lengths)),
                _odd(when.start),
                _odd(when.end),
                *shares.of(number),
                *_in_the_day(when, beside),
                shares.named(number),
            ]
        )
    return np.array(rows, np.float64).reshape(-1, len(NAMES))


def _when(block: TimeBlock) -> _When:
    return _When(block.day, minutes(block.start_time), minutes(block.end_time))


def _or_absent(minute: int | None) -> float:
    return ABSENT if minute is None else float(minute)


def _odd(minute: int | None) -> float:
    return ABSENT if minute is None else float(minute % _STEP != 0)


class _Shares:
    """On how many other days the same times occur."""

    def __init__(self, blocks: Sequence[TimeBlock], whens: Sequence[_When], others: int) -> None:
        self._blocks, self._whens, self._others = blocks, whens, others
        self._starts = Counter({(when.day, when.start) for when in whens})
        self._on_start = Counter(start for _, start in self._starts)
        self._on_end = Counter(end for _, end in {(when.day, when.end) for when in whens})
        self._on_slot = Counter(slot for _, slot in {(when.day, (when.start, when.end)) for when in whens})
        self._slots = Counter(whens)
        self._on_named = Counter(key for _, key in {(when.day, self._key(n)) for n, when in enumerate(whens)})

    def _key(self, number: int) -> tuple[str, int | None, int | None]:
        when = self._whens[number]
        return self._blocks[number].name.casefold(), when.start, when.end

    def of(self, number: int) -> list[float]:
        """Shares of the other days with this start, this end, and both; blocks of the same day and times."""
        when = self._whens[number]
        return [
            ABSENT if when.start is None else (self._on_start[when.start] - 1) / self._others,
            ABSENT if when.end is None else (self._on_end[when.end] - 1) / self._others,
            (self._on_slot[when.start, when.end] - 1) / self._others,
            float(self._slots[when]),
        ]

    def named(self, number: int) -> float:
        """The share of the other days on which the same stands at the same time."""
        return (self._on_named[self._key(number)] - 1) / self._others


def _in_the_day(when: _When, beside: Sequence[_When]) -> list[float]:
    """Follows, is followed, free minutes before and after, share in common with others, first, last."""
    if when.start is None:
        return [ABSENT] * 7
    start, end = when.start, when.end if when.end is not None else when.start
    ends = [other.end for other in beside if other.end is not None]
    starts = [other.start for other in beside if other.start is not None]
    before = [start - other for other in ends if other <= start]
    after = [other - end for other in starts if other >= end]
    common = sum(_common(start, end, other) for other in beside)
    return [
        float(start in ends),
        float(end in starts),
        float(min(*before, _LONGEST)) if before else ABSENT,
        float(min(*after, _LONGEST)) if after else ABSENT,
        min(common / (end - start + _EPS), 3.0) if end > start else ABSENT,
        float(not before),
        float(not after),
    ]


def _common(start: int, end: int, other: _When) -> int:
    if other.start is None or other.end is None:
        return 0
    return max(0, min(end, other.end) - max(start, other.start))
