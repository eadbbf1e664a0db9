"""Tests whether two windows differ that hold while documents of a school are alike, and while many things are asked.

Everything asked is a ratio of sums, such as the share of documents below a bound. Its difference between the windows is
a sum over schools, each school's part being its influence; a school that is in both windows counts against itself.
Schools, not documents, are taken as independent: the error of a difference is that of a ratio over clusters (Cochran
1977, chapter 6), with as many degrees of freedom as the influences are worth (Carter, Schnepel and Steigerwald 2017).
The null distribution is that of influences with random signs (wild cluster bootstrap: Cameron, Gelbach and Miller 2008;
for kernel statistics Chwialkowski, Sejdinovic and Gretton 2014, arXiv:1408.5404). One draw of signs serves everything
that is asked, so that the largest statistic of each draw controls the error of all tests together (Westfall and Young
1993). A Kolmogorov-Smirnov or chi-square test by its table would take documents as independent, and cry wolf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.intp]

FIGURES = 64  # random features of the kernel
MEDIAN_OF = 200  # documents that its width is measured on
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by school ``(S, C)``: of a figure, and of what it is a share of; ratios are of their totals."""

    parts: Vector
    wholes: Vector

    @property
    def ratio(self) -> Vector:
        """The ratio in the whole window ``(C,)``; 0 where there is nothing."""
        found: Vector = self.parts.sum(axis=0) / np.maximum(self.wholes.sum(axis=0), _LEAST)
        return found

    @property
    def influence(self) -> Vector:
        """What each school adds to the error of the ratio ``(S, C)``."""
        found: Vector = (self.parts - self.ratio * self.wholes) / np.maximum(self.wholes.sum(axis=0), _LEAST)
        return found

    @property
    def level(self) -> Sums:
        """With the same weight for each school, however much it sends: documents of one are much alike."""
        worth = 1 / np.maximum(self.wholes, _LEAST)
        return Sums(np.where(self.wholes > 0, self.parts * worth, 0.0), (self.wholes > 0).astype(np.float64))

    @property
    def doubt(self) -> Vector:
        """What a share of 0 or 1 among so many schools leaves open: the square of one's weight, parted among them."""
        weights = self.wholes / np.maximum(self.wholes.sum(axis=0), _LEAST)
        found: Vector = weights * (weights**2).sum(axis=0) ** 2
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of one or more columns ``(S, C)``.

    ``together`` where they are one vector whose length is asked for; ``counted`` where they are shares of documents
    that are counted, so that not even a share of 0 or 1 is certain.
    """

    before: Sums
    now: Sums
    together: bool = False
    counted: bool = False

    @property
    def level(self) -> Asked:
        """The same with each school counted once."""
        return Asked(self.before.level, self.now.level, self.together, self.counted)

    @property
    def within(self) -> Asked:
        """The same of those schools that are in both windows: each is compared with itself."""
        both = (self.before.wholes > 0) & (self.now.wholes > 0)
        before, now = (Sums(each.parts * both, each.wholes * both) for each in (self.before, self.now))
        return Asked(before, now, self.together, self.counted)

    @property
    def schools(self) -> int:
        """How many schools are in both windows."""
        return int(((self.before.wholes > 0) & (self.now.wholes > 0)).any(axis=1).sum())

    @property
    def difference(self) -> Vector:
        """Of the ratios, now less before."""
        return self.now.ratio - self.before.ratio

    @property
    def influence(self) -> Vector:
        """What each school adds to the error of the difference."""
        return self.now.influence - self.before.influence

    @property
    def squares(self) -> Vector:
        """What each school adds to the variance of the difference."""
        found: Vector = self.influence**2
        return found + self.before.doubt + self.now.doubt if self.counted else found


def summed(values: Vector, weights: Vector, places: Numbers, schools: int) -> Sums:
    """Sums by school of values ``(N, C)`` with weights ``(N,)`` or ``(N, C)``; ``places`` ``(N,)`` number schools."""
    wide = np.broadcast_to(weights if weights.ndim > 1 else weights[:, None], values.shape)
    parts, wholes = np.zeros((schools, values.shape[1])), np.zeros((schools, values.shape[1]))
    order = np.argsort(places, kind="stable")
    present, starts = np.unique(places[order], return_index=True)
    if len(present):
        parts[present] = np.add.reduceat((values * wide)[order], starts, axis=0)
        wholes[present] = np.add.reduceat(wide[order].astype(np.float64), starts, axis=0)
    return Sums(parts, wholes)


def p_values(asked: Sequence[Asked], draws: int, seed: int) -> list[float]:
    """Of each question the probability that any of them would show as much by chance, in the order given.

    At least 1 / (draws + 1). The same questions and seed give the same answers.
    """
    if not asked:
        return []
    schools = len(asked[0].before.parts)
    signs = np.random.default_rng((seed, schools)).choice((-1.0, 1.0), size=(draws, schools))
    scored = [_lengths(each, signs) if each.together else _shares(each, signs) for each in asked]
    largest = np.max([by_chance for _, by_chance in scored], axis=0)
    return [float((1 + (largest >= seen).sum()) / (draws + 1)) for seen, _ in scored]


def interval(sums: Sums, level: float = 0.95) -> tuple[float, float]:
    """The interval of the ratio of the first column over schools, within 0 to 1."""
    width, middle = margin(sums.influence[:, 0], level), float(sums.ratio[0])
    return max(0.0, middle - width), min(1.0, middle + width)


def margin(influence: Vector, level: float = 0.95) -> float:
    """Half the width of the interval of what these influences ``(S,)`` are of."""
    from scipy.stats import t

    freedom = max(1, int((influence != 0).sum()) - 1)
    return float(t.isf((1 - level) / 2, freedom) * np.sqrt((influence**2).sum()))


def kernel_features(values: Vector, width: float, seed: int) -> Vector:
    """Random features ``(N, 64)`` whose inner products are about a Gaussian kernel (Rahimi and Recht 2007).

    The length of the difference of their means is the maximum mean discrepancy (Gretton et al. 2012).
    """
    random = np.random.default_rng((seed, values.shape[1]))
    turned = values @ random.normal(0, 1 / width, (values.shape[1], FIGURES // 2))
    found: Vector = np.concatenate([np.cos(turned), np.sin(turned)], axis=1) / np.sqrt(FIGURES / 2)
    return found


def kernel_width(values: Vector, seed: int) -> float:
    """The median distance of documents, of some of them (Gretton et al. 2012)."""
    random = np.random.default_rng((seed, len(values)))
    some = values[random.choice(len(values), min(len(values), MEDIAN_OF), replace=False)]
    squares = ((some[:, None] - some[None]) ** 2).sum(axis=2)
    return float(np.sqrt(np.median(squares[np.triu_indices(len(some), 1)]))) or 1.0


def _shares(asked: Asked, signs: Vector) -> tuple[float, Vector]:
    """The largest studentized difference of the columns, as a standard normal value, and the same by chance."""
    squares = asked.squares
    error = np.sqrt(squares.sum(axis=0))
    known = error > _LEAST
    if not known.any():
        return 0.0, np.zeros(len(signs))
    seen = _as_normal(np.abs(asked.difference[known]) / error[known], _freedom(squares[:, known]))
    by_chance: Vector = np.abs(signs @ (asked.influence[:, known] / error[known])).max(axis=1)
    return float(np.max(seen)), by_chance


def _lengths(asked: Asked, signs: Vector) -> tuple[float, Vector]:
    """The length of the difference over what is usual by chance, in standard deviations of that."""
    influence = asked.influence
    by_chance = np.sqrt(((signs @ influence) ** 2).sum(axis=1))
    usual, spread = float(by_chance.mean()), max(_LEAST, float(by_chance.std()))
    seen = (float(np.sqrt((asked.difference**2).sum())) - usual) / spread
    worth = _freedom((influence**2).sum(axis=1))
    return float(_as_normal(np.maximum(0.0, seen), worth)), (by_chance - usual) / spread


def _freedom(squares: Vector) -> Vector:
    """How many schools the squares of their influences are worth, less one; by column."""
    worth: Vector = squares.sum(axis=0) ** 2 / np.maximum((squares**2).sum(axis=0), _LEAST**4)
    return np.maximum(1.0, worth - 1)


def _as_normal(values: Vector, freedom: Vector) -> Vector:
    """Values of Student's t as the standard normal values that are as rare."""
    from scipy.stats import norm, t

    found: Vector = -norm.ppf(np.maximum(t.sf(values, freedom), 1e-300))
    return found
