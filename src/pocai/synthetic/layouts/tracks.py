"""Tracks of a table, its columns or rows: how large they must be, and how what is left over is shared out.

Tracks come in groups whose parts keep their proportions: a day that is split for two sets of pupils, a slot of which
an event fills the second half.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Stretch = Literal["tight", "stretch", "even"]

MOST_STRETCH = 2.0  # rows grow to at most this many times what they need


class Span(NamedTuple):
    """Tracks from ``first`` up to (not with) ``end``."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Group:
    """Tracks that belong together: ``parts`` are their shares of its size, which is at least ``least`` points.

    Room that is left over goes to the groups by ``weight``; one without weight is as large as its content.
    """

    parts: tuple[float, ...] = (1.0,)
    weight: float = 1.0
    least: float = 0.0


@dataclass(frozen=True, slots=True)
class Tracks:
    """Groups of tracks, in order; tracks are counted through all groups from 0."""

    groups: tuple[Group, ...]

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(group.weight for group in self.groups)

    def span(self, group: int, last: int | None = None) -> Span:
        """All tracks of a group, or of those from ``group`` to ``last``."""
        starts = [0, *accumulate(len(each.parts) for each in self.groups)]
        return Span(starts[group], starts[(group if last is None else last) + 1])

    def shares(self, span: Span) -> dict[int, float]:
        """The groups that a span touches, each with the share of it that the span covers."""
        covered: dict[int, float] = {}
        track = 0
        for index, group in enumerate(self.groups):
            for part in group.parts:
                if span.first <= track < span.end:
                    covered[index] = covered.get(index, 0.0) + part
                track += 1
        return covered

    def weighted(self, span: Span) -> bool:
        """Whether a span touches a group that takes part in what is left over."""
        return any(self.groups[index].weight for index in self.shares(span))

    def least(self, needs: Iterable[tuple[Span, float]]) -> list[float]:
        """The least size of each group, so that each span has the size that it needs."""
        sizes = [group.least for group in self.groups]
        wide: list[tuple[dict[int, float], float]] = []
        for span, need in needs:
            shares = self.shares(span)
            if len(shares) == 1:
                ((index, share),) = shares.items()
                sizes[index] = max(sizes[index], need / share)
            else:
                wide.append((shares, need))
        for shares, need in wide:
            missing = need - sum(sizes[index] * share for index, share in shares.items())
            if missing > 0:
                takers = [index for index in shares if self.groups[index].weight] or list(shares)
                reach = sum(shares[index] for index in takers)
                for index in takers:
                    sizes[index] += missing / reach
        return sizes

    def edges(self, sizes: Sequence[float]) -> tuple[float, ...]:
        """Where the tracks begin, and where the last one ends, from 0."""
        lengths = (part * size for group, size in zip(self.groups, sizes, strict=True) for part in group.parts)
        return (0.0, *accumulate(lengths))


def spread(least: Sequence[float], weights: Sequence[float], total: float) -> list[float]:
    """Sizes that fill ``total``, each by its weight but none below its least; as they are where none has a weight."""
    fixed = {i for i, weight in enumerate(weights) if weight <= 0}
    while len(fixed) < len(least):
        free = total - sum(least[i] for i in fixed)
        unit = free / sum(weight for i, weight in enumerate(weights) if i not in fixed)
        small = {i for i in range(len(least)) if i not in fixed and least[i] > weights[i] * unit}
        if not small:
            return [least[i] if i in fixed else weight * unit for i, weight in enumerate(weights)]
        fixed |= small
    return list(least)


def heights(mode: Stretch, least: Sequence[float], weights: Sequence[float], total: float) -> list[float]:
    """Heights of rows in at most ``total``: as they must be, all stretched, or as even as there is room for."""
    must = sum(least)
    if mode == "tight" or must <= 0:
        return list(least)
    most = max(must, min(total, must * MOST_STRETCH))
    if mode == "stretch":
        return [size * most / must for size in least]
    return spread(least, weights, most)
