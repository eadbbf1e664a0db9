"""How far stated probabilities can be trusted: calibration, ranking, and what may be accepted at a given risk.

Everything takes ``confidences`` ``(N,)``, probabilities from 0 to 1, and ``right`` ``(N,)``, whether each turned out
right. Figures that nothing can be said about (ranking without a wrong value) are None, never a made-up number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, lgamma, log, log1p, log2
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocai.errors import InputError

Vector: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Binning: TypeAlias = Literal["width", "mass"]
Statistic: TypeAlias = Callable[[Vector, Flags], float | None]

BINS = 10
LEVEL = 0.95  # of bounds and intervals
ROUNDS = 500  # of the bootstrap
_HALVINGS = 60  # of a bisection: finer than a double between 0 and 1


class Bin(NamedTuple):
    """Values whose confidences lie from ``low`` to ``high``: how many, their mean confidence, the share right."""

    low: float
    high: float
    values: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What happens when only values from a threshold on are accepted, for every threshold that makes a difference.

    ``thresholds`` ``(K,)`` fall; ``coverage`` is the share accepted, ``risk`` the share of those that is wrong.
    """

    thresholds: Vector
    coverage: Vector
    risk: Vector

    @property
    def area(self) -> float:
        """Mean risk over all coverages (AURC; Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206); 0 is perfect."""
        return float(np.diff(self.coverage, prepend=0.0) @ self.risk)


class Accepted(NamedTuple):
    """What is accepted from ``threshold`` on: the share of all, how many ``values``, how many of them are wrong.

    ``bound`` is the upper confidence bound of the risk, None where none was asked for.
    """

    threshold: float
    coverage: float
    values: int
    wrong: int
    bound: float | None

    @property
    def risk(self) -> float:
        """The observed share of wrong values among those accepted."""
        return self.wrong / self.values


class Interval(NamedTuple):
    """A percentile interval of the bootstrap."""

    low: float
    high: float


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = BINS, binning: Binning = "width") -> list[Bin]:
    """The bins of a reliability diagram, those that hold nothing left out.

    They are equally wide from 0 to 1, or hold equally many values, where equal confidences stay together ("mass").
    """
    sure, good = _checked(confidences, right)
    if bins < 1:
        raise InputError(f"a reliability diagram of {bins} bins", mend="Ask for 1 or more")
    edges = np.linspace(0, 1, bins + 1) if binning == "width" else _quantiles(sure, bins)
    number = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, len(edges) - 2)
    found = []
    for each in np.unique(number).tolist():
        inside = number == each
        low, high = (float(edges[each]), float(edges[each + 1]))
        found.append(Bin(low, high, int(inside.sum()), float(sure[inside].mean()), float(good[inside].mean())))
    return found


def expected_calibration_error(
    confidences: ArrayLike, right: ArrayLike, bins: int = BINS, binning: Binning = "width"
) -> float:
    """Mean distance between confidence and share right, over bins by their size (ECE).

    Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017, arXiv:1706.04599. It depends on the binning: equally wide bins
    are usual, bins of equal mass resolve the confidences that occur (Nixon et al. 2019, arXiv:1904.01685).
    """
    found = reliability(confidences, right, bins, binning)
    return sum(each.values * abs(each.confidence - each.right) for each in found) / sum(each.values for each in found)


def brier(confidences: ArrayLike, right: ArrayLike) -> float:
    """Mean squared distance between confidence and outcome (Brier 1950): 0 is perfect, 0.25 is always saying 0.5."""
    sure, good = _checked(confidences, right)
    return float(np.mean((sure - good) ** 2))


def auroc(confidences: ArrayLike, right: ArrayLike) -> float | None:
    """Chance that a right value is surer than a wrong one, ties counting half (Mann-Whitney); None without both."""
    sure, good = _checked(confidences, right)
    positives = int(good.sum())
    negatives = len(good) - positives
    if not positives or not negatives:
        return None
    _, number, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[number]  # the mean rank of equal values
    return float((ranks[good].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def risk_coverage(confidences: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve (El-Yaniv and Wiener 2010); values that are equally sure are accepted together."""
    sure, good = _checked(confidences, right)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    wrong = np.cumsum(~good[order])[ends]
    return RiskCoverage(ranked[ends], (ends + 1) / len(ranked), wrong / (ends + 1))


def accepted_at(confidences: ArrayLike, right: ArrayLike, risk: float) -> Accepted | None:
    """The most that can be accepted while at most ``risk`` of it is wrong here; None where nothing can.

    Hindsight on these values: a threshold for others comes from `guaranteed`.
    """
    curve = risk_coverage(confidences, right)
    good = np.flatnonzero(curve.risk <= risk + 1e-12)
    return _accepted(curve, int(good[-1]), np.size(confidences)) if len(good) else None


def guaranteed(
    confidences: ArrayLike,
    right: ArrayLike,
    risk: float,
    level: float = LEVEL,
    groups: Sequence[object] | None = None,
) -> Accepted | None:
    """A threshold whose risk on other values like these is at most ``risk``, with probability ``level``.

    Selection with guaranteed risk (Geifman and El-Yaniv 2017, arXiv:1705.08500): a binary search over thresholds, each
    step with its share of what may go wrong. None where no step keeps it. Without ``groups`` ``(N,)`` values count as
    independent; with them the bound is also that of a ratio over whole groups (Cochran 1977, chapter 6), as values of
    one document are wrong together.
    """
    sure, good = _checked(confidences, right)
    members = None if groups is None else _members(len(sure), groups)
    curve = risk_coverage(sure, good)
    size = len(sure)
    each = 1 - (1 - level) / max(1, ceil(log2(len(curve.risk) + 1)))
    low, high, best = 0, len(curve.risk) - 1, None
    while low <= high:
        middle = (low + high + 1) // 2
        found = _accepted(curve, middle, size)
        bound = upper_bound(found.wrong, found.values, each)
        if isinstance(members, list):
            taken = sure >= found.threshold
            bound = max(bound, _ratio_bound([(taken[some], good[some]) for some in members], each))
        if bound <= risk:
            best, low = found._replace(bound=bound), middle + 1
        else:
            high = middle - 1
    return best


def upper_bound(wrong: int, count: int, level: float = LEVEL) -> float:
    """Upper confidence bound of a share of which ``wrong`` of ``count`` were seen (Clopper and Pearson 1934), exact.

    The share at which so few would be seen with probability ``1 - level``: 1 - 0.05 ** (1 / n) of none in n.
    """
    if not 0 <= wrong <= count or not count:
        raise InputError(f"{wrong} wrong of {count}", mend="Count at least one value, and no more wrong than all")
    if wrong == count:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(wrong, count, middle) > 1 - level else (low, middle)
    return high


def bootstrap(
    statistic: Statistic,
    confidences: ArrayLike,
    right: ArrayLike,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> Interval | None:
    """The interval in which 95 % of the resampled figures lie (Efron 1979), deterministic by ``seed``.

    With ``groups`` ``(N,)`` whole groups are drawn: values of one document are right or wrong together, and an
    interval that takes them as independent is too narrow. None where no resample has a figure.
    """
    sure, good = _checked(confidences, right)
    members = _members(len(sure), groups)
    random = np.random.default_rng((seed, len(sure)))
    figures = []
    for _ in range(ROUNDS):
        drawn = _drawn(members, random)
        figure = statistic(sure[drawn], good[drawn])
        if figure is not None:
            figures.append(figure)
    if not figures:
        return None
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Interval(low, high)


def _checked(confidences: ArrayLike, right: ArrayLike) -> tuple[Vector, Flags]:
    sure, good = np.asarray(confidences, np.float64), np.asarray(right, np.bool_)
    if sure.ndim != 1 or sure.shape != good.shape or not len(sure):
        shapes = f"{sure.shape} confidences for {good.shape} values"
        raise InputError(shapes, mend="Give one confidence for each value, and at least one")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise InputError("a confidence lies outside 0 to 1", mend="Give probabilities")
    return sure, good


def _quantiles(sure: Vector, bins: int) -> Vector:
    """Edges between equally many values, each edge once."""
    inner = np.quantile(sure, np.linspace(0, 1, bins + 1)[1:-1], method="higher")
    edges: Vector = np.unique(np.concatenate(([0.0], inner, [1.0])))
    return edges


def _accepted(curve: RiskCoverage, place: int, size: int) -> Accepted:
    count = round(float(curve.coverage[place]) * size)
    wrong = round(float(curve.risk[place]) * count)
    return Accepted(float(curve.thresholds[place]), count / size, count, wrong, None)


def _ratio_bound(groups: Sequence[tuple[Flags, Flags]], level: float) -> float:
    """Upper bound of the share of wrong values among those accepted, from how it differs between groups."""
    counts = np.array([(taken.sum(), (taken & ~good).sum()) for taken, good in groups], np.float64)
    accepted, wrong = counts.sum(axis=0)
    share = wrong / accepted
    error = np.sqrt(np.square(counts[:, 1] - share * counts[:, 0]).sum()) / accepted
    return float(share + NormalDist().inv_cdf(level) * error)


def _at_most(wrong: int, count: int, share: float) -> float:
    """Probability of at most ``wrong`` in ``count`` draws of a share: the binomial distribution, by its logarithms."""
    if share in (0.0, 1.0):
        return float(share == 0.0)
    odds = log(share) - log1p(-share)
    whole = lgamma(count + 1) + count * log1p(-share)
    terms = [whole - lgamma(k + 1) - lgamma(count - k + 1) + k * odds for k in range(wrong + 1)]
    most = max(terms)
    return exp(most) * sum(exp(term - most) for term in terms)


def _drawn(members: NDArray[np.intp] | list[NDArray[np.intp]], random: np.random.Generator) -> NDArray[np.intp]:
    """As many groups as there are, each drawn from all."""
    chosen = random.integers(len(members), size=len(members))
    if isinstance(members, np.ndarray):
        return members[chosen]
    return np.concatenate([members[each] for each in chosen.tolist()])


def _members(size: int, groups: Sequence[object] | None) -> NDArray[np.intp] | list[NDArray[np.intp]]:
    """The numbers of each group's values; an array where each value is a group of its own."""
    if groups is None:
        return np.arange(size)
    if len(groups) != size:
        raise InputError(f"{len(groups)} groups for {size} values", mend="Give one group for each value")
    places: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        places.setdefault(group, []).append(index)
    return [np.array(each) for each in places.values()]
