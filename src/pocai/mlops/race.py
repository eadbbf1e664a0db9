"""Candidate and champion side by side: both read each document, one after the other, and take turns to begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pocai.mlops.contestants import Contestant, Item, Outcome
from pocai.mlops.frozen_set import Tell

TIMED = 24  # documents, or batches of lines, that are timed
ROUNDS = 2  # of timing
QUANTILE = 0.95


class Took(NamedTuple):
    """Seconds of a reading: on the clock, and of the processor, which other work on the machine does not lengthen."""

    wall: float
    processor: float

    def least(self, other: Took) -> Took:
        """The least of both readings: whatever else the machine does only adds to either."""
        return Took(min(self.wall, other.wall), min(self.processor, other.processor))


@dataclass(frozen=True, slots=True)
class Run:
    """What one model did: an outcome for each document or line, and what each of those ``took`` that were timed."""

    outcomes: tuple[Outcome, ...]
    took: tuple[Took, ...]

    @property
    def p95(self) -> Took:
        """What 95 % of the timed documents take at most."""
        return Took(*np.quantile(np.array(self.took), QUANTILE, axis=0).tolist())


@dataclass(frozen=True, slots=True)
class Race:
    """Both on the same documents, in the same order."""

    candidate: Run
    champion: Run

    @property
    def ratio(self) -> float:
        """The candidate's p95 of processor time over the champion's."""
        return self.candidate.p95.processor / self.champion.p95.processor


_NEVER = Took(float("inf"), float("inf"))


def race(pair: tuple[Contestant, Contestant], posed: Sequence[Item], limit: float, tell: Tell) -> Race:
    """Let ``(candidate, champion)`` read everything and time some of it.

    Where the candidate seems slower than ``limit`` times the champion, they are timed once more: a model that is slow
    stays so, a busy machine does not.
    """
    outcomes: tuple[list[Outcome], list[Outcome]] = ([], [])
    for number, item in enumerate(posed):
        for side in _turn(number):
            outcomes[side].extend(pair[side].outcomes(item))
        tell("reading", (number + 1) / len(posed))
    timed = posed[:: max(1, len(posed) // TIMED)]
    best = _timed(pair, timed, [[_NEVER] * len(timed)] * 2, tell)
    found = _race(outcomes, best)
    return found if found.ratio <= limit else _race(outcomes, _timed(pair, timed, best, tell))


def _race(outcomes: Sequence[Sequence[Outcome]], took: Sequence[Sequence[Took]]) -> Race:
    one, other = (Run(tuple(some), tuple(best)) for some, best in zip(outcomes, took, strict=True))
    return Race(one, other)


def _timed(
    pair: Sequence[Contestant], timed: Sequence[Item], before: Sequence[Sequence[Took]], tell: Tell
) -> list[list[Took]]:
    """What each document takes at least with both, what it took ``before`` included."""
    best = [list(some) for some in before]
    for turn in range(ROUNDS):
        for number, item in enumerate(timed):
            for side in _turn(number + turn):
                best[side][number] = best[side][number].least(_took(pair[side], item))
        tell("timing", (turn + 1) / ROUNDS)
    return best


def _took(contestant: Contestant, item: Item) -> Took:
    wall, processor = time.perf_counter(), time.thread_time()
    contestant.again(item)
    return Took(time.perf_counter() - wall, time.thread_time() - processor)


def _turn(number: int) -> tuple[int, int]:
    """Who begins."""
    return (1, 0) if number % 2 else (0, 1)
