"""A paired bootstrap test: does one model read the same documents worse, or better, than another one?

Both models are counted on the same documents, so whole documents are drawn, with replacement, and both keep their pair.
A test must draw as if there were no difference (Efron and Tibshirani 1993, chapter 16): in each draw a document's two
counts change sides with probability 1/2. Taking the share of plain draws above 0 instead would refuse too often where
few documents differ: three documents, all worse by chance (1 in 8), would already count as significant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocai.errors import InputError

Vector: TypeAlias = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 20_261_124
LEVEL = 0.05  # of the test, one-sided, and of what lies outside the interval on either side
BINS = 40  # of the histogram
_AT_ONCE = 500_000  # draws of documents whose counts are held in memory at a time
_NARROW = 5e-4  # by which the histogram reaches beyond what was drawn
_EQUAL = 1e-12  # differences that only the order of additions makes


class Part(NamedTuple):
    """A share as a fraction: how much is ``right`` of how much there is; fractions of many documents add up."""

    right: float
    whole: float

    @property
    def share(self) -> float:
        """Right over whole; 1.0 where there was nothing to get right."""
        return self.right / self.whole if self.whole else 1.0


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What the test found: shares of the draws, and the difference of candidate and champion (shares, -1 to 1).

    ``worse`` is the chance of a ``difference`` so low, or lower, where there is none; ``better`` that of one so high.
    ``low`` to ``high`` is the percentile interval of 90 %, whose ends are one-sided bounds of 95 %. ``edges`` and
    ``counts`` are the histogram of the differences that were drawn.
    """

    difference: float
    low: float
    high: float
    worse: float
    better: float
    documents: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def total(parts: Iterable[Part]) -> Part:
    """Fractions added up: the micro average over documents."""
    pairs = np.array(list(parts), np.float64).reshape(-1, 2).sum(axis=0)
    return Part(float(pairs[0]), float(pairs[1]))


def compared(
    candidate: Sequence[Part], champion: Sequence[Part], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Bootstrap:
    """The test over documents, given in the same order for both; the same input gives the same numbers.

    Raises InputError where the two are not of the same documents, or of none.
    """
    if len(candidate) != len(champion) or not candidate:
        what = f"{len(candidate)} documents of the candidate and {len(champion)} of the champion"
        raise InputError(what, mend="Evaluate both on the same documents, at least one")
    both = np.array([candidate, champion], np.float64)  # (2, N, 2)
    drawn = list(_drawn(both, resamples, np.random.default_rng((seed, len(candidate)))))
    plain, mixed = (np.concatenate(each) for each in zip(*drawn, strict=True))
    seen = float(_difference(both.sum(axis=1)[:, None, :])[0])
    counts, edges = np.histogram(plain, BINS, (plain.min() - _NARROW, plain.max() + _NARROW))
    low, high = np.quantile(plain, (LEVEL, 1 - LEVEL)).tolist()
    return Bootstrap(
        difference=seen,
        low=low,
        high=high,
        worse=_chance(mixed <= seen + _EQUAL),
        better=_chance(mixed >= seen - _EQUAL),
        documents=len(candidate),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _drawn(both: Vector, resamples: int, random: np.random.Generator) -> Iterator[tuple[Vector, Vector]]:
    """Differences as drawn ``(R,)``, and those of the same draws with sides changed at random."""
    documents = both.shape[1]
    apart = both[0] - both[1]
    step = max(1, _AT_ONCE // documents)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        times = random.multinomial(documents, np.full(documents, 1 / documents), size)
        sums = times @ both  # (2, R, 2)
        moved = random.binomial(times, 0.5) @ apart
        yield _difference(sums), _difference(np.stack((sums[0] - moved, sums[1] + moved)))


def _difference(sums: Vector) -> Vector:
    """Candidate's share minus champion's: ``(2, R, 2)`` to ``(R,)``."""
    shares = np.divide(sums[..., 0], sums[..., 1], out=np.ones(sums.shape[:-1]), where=sums[..., 1] > 0)
    found: Vector = shares[0] - shares[1]
    return found


def _chance(hits: NDArray[np.bool_]) -> float:
    """The share of draws that hit, what was seen counted among them: no finite number of draws shows a chance of 0."""
    return float((hits.sum() + 1) / (hits.size + 1))
