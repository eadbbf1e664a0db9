"""Trials of a challenger that are played, many at once: counts after each look, of single readings and of schools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocai.mlops.clusters import Clusters
from pocai.mlops.power import FEWEST, Question
from pocai.mlops.sequential import Counted, Vector, log_ratio


@dataclass(frozen=True, slots=True)
class Played:
    """Hits of champion and challenger after each look ``(runs, looks)``, and how much each had by then ``(looks,)``."""

    champion: Vector
    challenger: Vector
    totals: Vector

    def found(self, question: Question, design_effect: float = 1.0) -> tuple[float, float]:
        """The shares of runs in which the challenger was first seen to be better, or to be worse, at any look."""
        old, new = (Counted(hits, self.totals).over(design_effect) for hits in (self.champion, self.challenger))
        enough = self.totals / design_effect >= FEWEST
        better = (log_ratio(new, old, question.effect) >= question.threshold) & enough
        worse = (log_ratio(old, new, question.effect) >= question.threshold) & enough
        first = [np.where(seen.any(axis=1), seen.argmax(axis=1), len(self.totals)) for seen in (better, worse)]
        return float((first[0] < first[1]).mean()), float((first[1] < first[0]).mean())


def independent(shares: tuple[float, float], totals: Sequence[int], runs: int, seed: int) -> Played:
    """Runs with independent readings, of which each arm has these totals at the looks."""
    random, steps = np.random.default_rng(seed), np.diff(totals, prepend=0)
    hits = [random.binomial(steps, share, (runs, len(steps))).cumsum(axis=1) for share in shares]
    return Played(hits[0], hits[1], np.array(totals, np.float64))


def by_school(shares: tuple[float, float], schools: int, clusters: Clusters, runs: int, seed: int = 0) -> Played:
    """Runs in which each arm has its own schools, that send one reading each at every look, until they have their size.

    A school's own share is Beta-distributed about the arm's: two of its readings have the clusters' correlation.
    """
    random, size = np.random.default_rng(seed), round(clusters.size)
    worth = (1 - clusters.correlation) / clusters.correlation
    hits = []
    for share in shares:
        own = random.beta(share * worth, (1 - share) * worth, (runs, schools))
        hits.append(
            np.stack([(random.random(own.shape) < own).sum(axis=1) for _ in range(size)], axis=1).cumsum(axis=1)
        )
    return Played(hits[0], hits[1], schools * np.arange(1.0, size + 1))
