"""Evidence that two shares differ, valid at every look: exact for guardrails, and in the limit for experiments.

`log_evidence` is an e-process for two proportions, exact from the first count on: the likelihood of what was counted,
averaged over a prior on both shares, over the greatest likelihood that the null hypothesis can give it (universal
inference by the method of mixtures: Wasserman, Ramdas and Balakrishnan 2020, arXiv:1912.11436; Robbins 1970). Whatever
the true shares of the null are, its expectation never exceeds 1, so by Ville's inequality it exceeds 1 / alpha with
probability alpha at most, over all looks together. It needs the counts only, not their order; arms may differ in size;
no prior makes it wrong, a fitting one makes it fast.

`log_ratio` is Wald's likelihood ratio (1945) of the difference of two shares, taken as normal with the variance that is
seen: asymptotically a martingale whatever the baseline is (canonical joint distribution: Jennison and Turnbull 2000,
chapter 3; anytime-valid inference in the limit: Waudby-Smith et al. 2021, arXiv:2103.06476). It takes far fewer counts.

Counts that are correlated are divided by their design effect first (`Counted.over`): for independent ones the evidence
then stays valid (Jensen), for correlated ones it is as large as that of the independent counts which they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector: TypeAlias = NDArray[np.float64]

_HALVINGS = 50  # of a bisection between 0 and 1
_LEAST = 1e-300  # a probability whose logarithm is finite


@dataclass(frozen=True, slots=True)
class Counted:
    """``hits`` of ``total``: numbers, or arrays of one shape for many runs at once; need not be whole."""

    hits: ArrayLike
    total: ArrayLike

    def over(self, design_effect: float) -> Counted:
        """The independent counts that correlated ones are worth."""
        return Counted(np.asarray(self.hits) / design_effect, np.asarray(self.total) / design_effect)

    @property
    def arrays(self) -> tuple[Vector, Vector]:
        """Hits and totals as floats."""
        return np.asarray(self.hits, np.float64), np.asarray(self.total, np.float64)


@dataclass(frozen=True, slots=True)
class Beta:
    """A prior on a share: as if ``hits`` and ``misses`` had been seen."""

    hits: float
    misses: float


ANYTHING = Beta(0.5, 0.5)  # Jeffreys' prior
Priors: TypeAlias = tuple[Beta, Beta]


def log_evidence(first: Counted, second: Counted, margin: float = 0.0, priors: Priors = (ANYTHING, ANYTHING)) -> Vector:
    """Logarithm of the evidence that the second share exceeds the first by more than ``margin``, at any look.

    To reject at alpha, ask for log(1 / alpha). ``priors`` are where the shares may lie if it does.
    """
    marginal = _log_marginal(first, priors[0]) + _log_marginal(second, priors[1])
    evidence: Vector = marginal - _greatest(first, second, margin)
    return evidence


def log_ratio(first: Counted, second: Counted, effect: float) -> Vector:
    """Logarithm of how much likelier the counts are if the second share exceeds the first by ``effect`` than by 0.

    To see a difference at alpha, ask for log(1 / alpha) at any look.
    """
    (a, n), (b, m) = first.arrays, second.arrays
    share = (a + b + 1) / (n + m + 2)
    variance = share * (1 - share) * (1 / np.maximum(n, _LEAST) + 1 / np.maximum(m, _LEAST))
    difference = b / np.maximum(m, _LEAST) - a / np.maximum(n, _LEAST)
    ratio: Vector = (effect * difference - effect**2 / 2) / variance
    return ratio


def log_evidence_over(counted: Counted, limit: float, prior: Beta = ANYTHING) -> Vector:
    """Logarithm of the evidence that one share exceeds ``limit`` (0 to 1), at any look."""
    hits, total = counted.arrays
    share = np.minimum(limit, hits / np.maximum(total, _LEAST))
    evidence: Vector = _log_marginal(counted, prior) - _log_likelihood(hits, total, share)
    return evidence


def _log_marginal(counted: Counted, prior: Beta) -> Vector:
    """Logarithm of the likelihood, averaged over the prior."""
    from scipy.special import betaln

    hits, total = counted.arrays
    seen: Any = betaln(prior.hits + hits, prior.misses + total - hits) - betaln(prior.hits, prior.misses)
    return np.asarray(seen, np.float64)


def _greatest(first: Counted, second: Counted, margin: float) -> Vector:
    """Logarithm of the greatest likelihood where the second share exceeds the first by ``margin`` at most."""
    a, n = first.arrays
    b, m = second.arrays
    free_first, free_second = a / np.maximum(n, _LEAST), b / np.maximum(m, _LEAST)
    best: Vector = _log_likelihood(a, n, free_first) + _log_likelihood(b, m, free_second)
    inside = free_second - free_first <= margin
    if np.all(inside):
        return best
    bound = _on_boundary((a, n), (b, m), margin)
    on_boundary = _log_likelihood(a, n, bound) + _log_likelihood(b, m, bound + margin)
    return np.where(inside, best, on_boundary)


def _on_boundary(first: tuple[Vector, Vector], second: tuple[Vector, Vector], margin: float) -> Vector:
    """The first share of the greatest likelihood where the second is larger by exactly ``margin``.

    The likelihood is concave: its slope, which falls, is halved in on. Without a margin all counts are of one share.
    """
    (a, n), (b, m) = first, second
    if not margin:
        pooled: Vector = (a + b) / np.maximum(n + m, _LEAST)
        return pooled
    shape = np.broadcast_shapes(a.shape, n.shape, b.shape, m.shape)
    low, high = np.full(shape, max(0.0, -margin)), np.full(shape, min(1.0, 1.0 - margin))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rising = _slope(a, n, middle) + _slope(b, m, middle + margin) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    found: Vector = (low + high) / 2
    return found


def _slope(hits: Vector, total: Vector, share: Vector) -> Vector:
    """Of the log-likelihood."""
    slope: Vector = hits / np.maximum(share, _LEAST) - (total - hits) / np.maximum(1 - share, _LEAST)
    return slope


def _log_likelihood(hits: Vector, total: Vector, share: Vector) -> Vector:
    right = hits * np.log(np.maximum(share, _LEAST))
    wrong = (total - hits) * np.log(np.maximum(1 - share, _LEAST))
    likelihood: Vector = right + wrong
    return likelihood
