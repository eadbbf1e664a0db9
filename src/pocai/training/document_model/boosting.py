"""Gradient boosting of symmetric trees for a probability: the fit of `pocai.models.field_confidence.Ensemble`.

Logistic loss with second derivatives (Friedman 2001; Chen and Guestrin 2016, arXiv:1603.02754). All nodes of a level
share one question (Prokhorenkova et al. 2018, arXiv:1706.09516), so that few trees say little: what is wanted with some
hundred documents. Each tree sees a part of the documents, never a part of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.field_confidence import Ensemble
from pocai.training.document_model.logistic import logistic

Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.int64]

_DIGITS = 5  # of leaves, in the card


@dataclass(frozen=True, slots=True)
class Boosting:
    """How an ensemble is grown: so many trees of a depth, each with its ``rate``.

    ``ridge`` holds leaves small (in seen values of even odds, times four); ``bins`` are the thresholds tried of each
    figure, and each tree sees the ``share`` of the documents and of the figures; fewer documents where that would be
    more than ``most`` values, so that the time does not grow with the data.
    """

    trees: int = 150
    depth: int = 3
    rate: float = 0.06
    ridge: float = 20.0
    bins: int = 32
    share: float = 0.6
    most: int = 8000


def grow(figures: Matrix, right: Flags, documents: Numbers, how: Boosting, seed: int) -> Ensemble:
    """An ensemble for ``right`` ``(N,)`` over ``figures`` ``(N, F)``; ``documents`` ``(N,)`` says whose each value is.

    Not calibrated yet (see `logistic.calibrated`). With nothing to learn, all right or all wrong, it has no trees.
    Raises InputError for no values at all.
    """
    if not len(right):
        raise InputError("no value to learn confidence from", mend="Read more documents")
    odds = (float(right.sum()) + 0.5) / (float((~right).sum()) + 0.5)
    bias = float(np.log(odds))
    edges = [_edges(column, how.bins) for column in figures.T]
    binned = np.column_stack([np.searchsorted(each, column) for each, column in zip(edges, figures.T, strict=True)])
    forest = _Forest(binned, [len(each) for each in edges], how)
    random, margins = np.random.default_rng((seed, 0xB0057)), np.full(len(right), bias)
    share = min(how.share, how.most / len(right))
    splits, thresholds, leaves = [], [], []
    for _ in range(how.trees if right.any() and not right.all() else 0):
        likely = logistic(margins)
        tree = forest.tree(right - likely, likely * (1 - likely), _seen(documents, share, random), random)
        if not tree.asked:
            break
        margins += tree.leaves[tree.number]
        splits.append(tuple(figure for figure, _ in tree.asked))
        thresholds.append(tuple(float(edges[figure][place]) for figure, place in tree.asked))
        leaves.append(tuple(tree.leaves.tolist()))
    return Ensemble(
        splits=tuple(splits),
        thresholds=tuple(thresholds),
        leaves=tuple(leaves),
        bias=bias,
        values=len(right),
        right=float(right.mean()),
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    asked: list[tuple[int, int]]  # figure, and number of its threshold
    number: Numbers  # leaf of each value
    leaves: Matrix


class _Forest:
    """Grows trees over figures that are cut into bins."""

    def __init__(self, binned: Numbers, thresholds: list[int], how: Boosting) -> None:
        self._how = how
        self._thresholds = thresholds
        self._bins = max(thresholds) + 1
        self._columns = np.ascontiguousarray(binned.T)

    def tree(self, slope: Matrix, weight: Matrix, seen: Flags, random: Generator) -> _Tree:
        """A tree that reduces the loss whose falling slope and curvature are given for each value."""
        columns, sums = self._columns[:, seen], (slope[seen], weight[seen])
        chosen = np.flatnonzero(random.random(len(columns)) < self._how.share).tolist()
        figures = [figure for figure in chosen if self._thresholds[figure]]
        asked: list[tuple[int, int]] = []
        while figures and len(asked) < self._how.depth:
            number = _leaf_numbers(columns, asked)
            gains = [self._gains(figure, columns[figure], number, len(asked), sums) for figure in figures]
            best = max(range(len(gains)), key=lambda each: float(gains[each].max()))
            if gains[best].max() <= 0:
                break
            asked.append((figures[best], int(gains[best].argmax())))
        if asked:
            asked += asked[-1:] * (self._how.depth - len(asked))  # the same question again tells nothing more
        size, number = 2 ** len(asked), _leaf_numbers(columns, asked)
        slopes, weights = (np.bincount(number, each, size) for each in sums)
        leaves = np.round(self._how.rate * slopes / (weights + self._how.ridge / 4), _DIGITS).astype(np.float64)
        return _Tree(asked, _leaf_numbers(self._columns, asked), leaves)

    def _gains(self, figure: int, column: Numbers, number: Numbers, level: int, sums: tuple[Matrix, Matrix]) -> Matrix:
        """For each threshold of a figure, by how much splitting all leaves there reduces the loss (times two)."""
        size = 2**level * self._bins
        place = number * self._bins + column
        slopes, weights = (np.bincount(place, each, size).reshape(2**level, -1).cumsum(axis=1) for each in sums)
        ridge = self._how.ridge / 4
        slope, weight = slopes[:, -1:], weights[:, -1:]
        apart = slopes**2 / (weights + ridge) + (slope - slopes) ** 2 / (weight - weights + ridge)
        gains: Matrix = (apart - slope**2 / (weight + ridge)).sum(axis=0)
        return gains[: self._thresholds[figure]]


def _leaf_numbers(columns: Numbers, asked: list[tuple[int, int]]) -> Numbers:
    """The leaf of each value: its answers, the first one lowest."""
    number = np.zeros(columns.shape[1], np.int64)
    for level, (figure, place) in enumerate(asked):
        number |= (columns[figure] > place).astype(np.int64) << level
    return number


def _edges(column: Matrix, bins: int) -> Matrix:
    """Thresholds halfway between neighbouring values, at most ``bins`` of them, spread over the values' ranks."""
    values = np.unique(column)
    halves = np.unique([float(f"{half:.6g}") for half in (values[1:] + values[:-1]) / 2])  # short in the card
    if len(halves) <= bins:
        return halves
    wanted = np.quantile(column, np.linspace(0, 1, bins + 2)[1:-1])
    places = np.clip(np.searchsorted(halves, wanted), 0, len(halves) - 1)
    found: Matrix = halves[np.unique(places)]
    return found


def _seen(documents: Numbers, share: float, random: Generator) -> Flags:
    """Which values a tree sees: those of a part of the documents, of at least one."""
    names = np.unique(documents)
    chosen = names[random.random(len(names)) < share]
    seen: Flags = np.isin(documents, chosen if len(chosen) else names)
    return seen
