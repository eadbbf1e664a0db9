"""What is asked of two windows: each figure with the columns that test it, its effects, and how it is spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocai.mlops.drift_accuracy import CONFIDENCE, expected_accuracy
from pocai.mlops.drift_statistics import Asked, Numbers, Vector, kernel_features, kernel_width, summed
from pocai.mlops.drift_window import CATEGORIES, NUMBERS, Texts, Window

Group: TypeAlias = Literal["data", "layout", "prediction", "accuracy"]
Array: TypeAlias = NDArray[Any]

SURE = 0.9  # confidence from which a document counts as sure
MOST_KINDS = 12  # of a category; the rarer ones are one kind
BARS = 16  # of a histogram
REST = "other"
_BOUNDS = (0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of the reference
_SHOWN = (0.005, 0.995)  # quantiles between which a histogram lies
_FLAT = 0.02  # least standard deviation of a figure of a layout that it is divided by
_SEED = 0  # of the kernel
_ROUNDED = 1e-9


class Both(NamedTuple):
    """Something of each window: arrays that are as long as it has documents."""

    before: Array
    now: Array


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is spread: shares before and now, by bars between ``edges``, or by ``kinds``."""

    before: tuple[float, ...]
    now: tuple[float, ...]
    edges: tuple[float, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One figure: what tests it (nothing where there is too little) with the effect of each, and the usual value.

    Asked are all documents, and, where enough schools are in both windows, those of each school against themselves. An
    effect is the greatest difference of shares, the distance of layouts, or how much an accuracy has fallen. The usual
    value ``before`` and ``now`` is a median or a share.
    """

    name: str
    group: Group
    asked: tuple[Asked, ...] = ()
    effects: tuple[float, ...] = ()
    before: float | None = None
    now: float | None = None
    spread: Spread | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows over the same ``schools``; ``places`` number the school of each document, in both of them."""

    before: Window
    now: Window
    schools: Texts
    places: tuple[Numbers, Numbers]
    fewest: tuple[int, int]

    @classmethod
    def of(cls, before: Window, now: Window, fewest: tuple[int, int]) -> Self:
        """The pair; below so many documents and schools in either window nothing is asked."""
        held = (before.documents.schools, now.documents.schools, before.corrected.schools, now.corrected.schools)
        schools = np.unique(np.concatenate(held))
        places = [np.searchsorted(schools, each.documents.schools) for each in (before, now)]
        return cls(before, now, schools, (places[0], places[1]), fewest)

    def questions(self) -> Iterator[Question]:
        """All that is asked of the two windows."""
        for name in NUMBERS:
            yield self._number(name)
        for name in CATEGORIES:
            yield self._category(name)
        yield self._layout()
        yield self._sure()
        yield self._expected()
        yield self._corrected()

    def _number(self, name: str) -> Question:
        """Ranks, shares of documents below some quantiles of the reference, and of those where nothing was measured."""
        group: Group = "prediction" if name == CONFIDENCE else "data"
        values, there = self._numbers(name)
        if not self._enough(there):
            return Question(name, group)
        known = Both(values.before[there[0]], values.now[there[1]])
        reference = np.sort(known.before)
        bounds = np.unique(np.quantile(reference, _BOUNDS))
        columns = [
            np.column_stack([_ranks(each, reference), each[:, None] <= bounds, np.isnan(each)]) for each in values
        ]
        weights = [np.column_stack([*[has] * (len(bounds) + 1), np.ones(len(has))]) for has in there]
        asked = self._asked(Both(*map(np.nan_to_num, columns)), Both(*weights))
        usual = (float(np.median(known.before)), float(np.median(known.now)))
        return Question(name, group, asked, _differences(asked), *usual, _histogram(known))

    def _category(self, name: str) -> Question:
        """Shares of documents of each kind."""
        values = (self.before.documents.categories[name], self.now.documents.categories[name])
        if not self._enough(Both(np.full(len(values[0]), fill_value=True), np.full(len(values[1]), fill_value=True))):
            return Question(name, "data")
        kinds, counts = np.unique(np.concatenate(values), return_counts=True)
        frequent = kinds[np.argsort(-counts, kind="stable")][:MOST_KINDS]
        columns = Both(*((each[:, None] == frequent).astype(np.float64) for each in values))
        asked = self._asked(columns)
        return Question(name, "data", asked, _differences(asked), spread=_by_kind(columns, frequent))

    def _layout(self) -> Question:
        """The figures of layouts as one vector each, by a Gaussian kernel."""
        values = (self.before.documents.embedding, self.now.documents.embedding)
        there = Both(*(np.isnan(each).sum(axis=1) == 0 for each in values))
        if not self._enough(there):
            return Question("document.embedding", "layout")
        known = values[0][there[0]]
        scale = np.maximum(_FLAT, known.std(axis=0))
        width = kernel_width(known / scale, _SEED)
        columns = Both(*(kernel_features(np.nan_to_num(each) / scale, width, _SEED) for each in values))
        asked = self._asked(columns, there, together=True, counted=False)
        lengths = tuple(float(np.sqrt((each.difference**2).sum())) for each in asked)
        return Question("document.embedding", "layout", asked, lengths)

    def _sure(self) -> Question:
        """The share of documents that are sure as a whole."""
        values, there = self._numbers(CONFIDENCE)
        if not self._enough(there):
            return Question("sure", "prediction")
        sure = Both(*((np.nan_to_num(each) >= SURE).astype(np.float64) for each in values))
        asked = self._asked(Both(*(each[:, None] for each in sure)), there)
        return Question("sure", "prediction", asked, _differences(asked), *_means(sure, there))

    def _expected(self) -> Question:
        """Accuracy by confidence; its effect is how much it has fallen."""
        sure, there = self._numbers(CONFIDENCE)
        values = Both(*map(expected_accuracy, sure))
        if not self._enough(there):
            return Question("expected", "accuracy")
        asked = self._asked(Both(*(np.nan_to_num(each)[:, None] for each in values)), there, counted=False)
        falls = tuple(-float(each.difference[0]) for each in asked)
        return Question("expected", "accuracy", asked, falls, *_means(values, there))

    def _corrected(self) -> Question:
        """The share of fields that persons changed; its effect is how much it has risen."""
        both = (self.before.corrected, self.now.corrected)
        if any(len(each.schools) < self.fewest[1] for each in both):
            return Question("corrected", "accuracy")
        sums = [
            summed(
                (each.changed / each.fields)[:, None],
                each.fields,
                np.searchsorted(self.schools, each.schools),
                len(self.schools),
            )
            for each in both
        ]
        asked = self._several(Asked(sums[0], sums[1]))
        rises = tuple(float(each.difference[0]) for each in asked)
        return Question("corrected", "accuracy", asked, rises, float(sums[0].ratio[0]), float(sums[1].ratio[0]))

    def _numbers(self, name: str) -> tuple[Both, Both]:
        """A figure of the documents, and where it was measured."""
        values = Both(self.before.documents.numbers[name], self.now.documents.numbers[name])
        return values, Both(~np.isnan(values.before), ~np.isnan(values.now))

    def _enough(self, there: Both) -> bool:
        """Whether so many documents, of enough schools, have the figure in both windows."""
        documents, schools = self.fewest
        return all(
            has.sum() >= documents and len(np.unique(places[has])) >= schools
            for has, places in zip(there, self.places, strict=True)
        )

    def _asked(
        self, columns: Both, weights: Both | None = None, *, together: bool = False, counted: bool = True
    ) -> tuple[Asked, ...]:
        """Columns ``(N, C)`` of documents, with weights ``(N,)`` or ``(N, C)``, summed by school."""
        weights = weights or Both(np.ones(len(columns.before)), np.ones(len(columns.now)))
        before, now = (
            summed(values, np.asarray(weight, np.float64), places, len(self.schools))
            for values, weight, places in zip(columns, weights, self.places, strict=True)
        )
        return self._several(Asked(before, now, together, counted))

    def _several(self, asked: Asked) -> tuple[Asked, ...]:
        """Of all documents; and of schools against themselves, where enough of them are in both windows."""
        both = (asked, asked.within) if asked.schools >= self.fewest[1] else (asked,)
        return tuple(each.level for each in both)


def _ranks(values: Vector, reference: Vector) -> Vector:
    """The share of the reference, which is sorted, that lies below, ties counting half."""
    below, upto = (np.searchsorted(reference, values, side) for side in ("left", "right"))
    ranks: Vector = (below + upto) / (2 * len(reference))
    return ranks


def _differences(asked: tuple[Asked, ...]) -> tuple[float, ...]:
    return tuple(float(np.abs(each.difference).max()) for each in asked)


def _means(values: Both, there: Both) -> tuple[float, float]:
    return float(values.before[there[0]].mean()), float(values.now[there[1]].mean())


def _histogram(values: Both) -> Spread:
    """Shares in bars of one width; what lies outside is in the outer ones."""
    low, high = np.quantile(np.concatenate(values), _SHOWN).tolist()
    edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
    before, now = (
        tuple((np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] / len(each)).tolist()) for each in values
    )
    return Spread(before, now, edges=tuple(edges.tolist()))


def _by_kind(columns: Both, kinds: Texts) -> Spread:
    """Shares of the frequent kinds, and of all others as one."""
    before, now = (each.mean(axis=0).tolist() for each in columns)
    rest = (1 - sum(before), 1 - sum(now))
    if max(rest) < _ROUNDED:
        return Spread(tuple(before), tuple(now), kinds=tuple(kinds.tolist()))
    return Spread((*before, rest[0]), (*now, rest[1]), kinds=(*kinds.tolist(), REST))
