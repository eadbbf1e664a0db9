"""How many readings an experiment takes: the size at which its sequential test has the wanted power.

The test is Wald's likelihood ratio of `pocai.mlops.sequential.log_ratio`, which may be looked at any time. With so many
counts that the effect is worth mu standard errors, its logarithm is normal with mean mu² / 2 and variance mu²: the size
follows in closed form. At the usual alpha and power it is 1.73 times that of a test which looks once, at the end; who
looks more often than at the end finds the effect earlier, and more often.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt
from statistics import NormalDist

from pocai.errors import InputError
from pocai.mlops.clusters import ALONE, Clusters

FEWEST = 30  # independent counts for each arm: below them a share is not nearly normal
_quantile = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class Question:
    """Does the challenger lower a share from ``baseline`` by ``effect`` (absolute)?

    ``alpha`` is the probability to see a difference, in either direction, where there is none, however often one looks;
    ``power`` that of finding this one. Where the true baseline is another one, alpha holds, and power changes with the
    variance of the share.
    """

    baseline: float
    effect: float
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        """Raises InputError for a question that has no answer."""
        if not 0 < self.baseline < 1 or not 0 < self.effect < self.baseline:
            raise InputError(
                f"a share of {self.baseline:g} cannot fall by {self.effect:g}",
                mend="Give a baseline between 0 and 1, and an effect above 0 and below the baseline",
            )
        if not 0 < self.alpha < 1 or not self.alpha < self.power < 1:
            raise InputError(
                f"an experiment with alpha {self.alpha:g} and power {self.power:g}",
                mend="Give alpha above 0, and a power between alpha and 1",
            )

    @property
    def threshold(self) -> float:
        """The log-ratio in one direction that shows a difference; each direction has half of alpha."""
        return log(2 / self.alpha)

    @property
    def independent(self) -> int:
        """Independent counts that each arm takes, looked at any time."""
        quantile = _quantile(self.power)
        errors = quantile + sqrt(quantile**2 + 2 * self.threshold)
        return max(FEWEST, ceil(errors**2 * self._spread / self.effect**2))

    @property
    def at_once(self) -> int:
        """What each arm takes where one looks once, at the end (Fleiss, Levin and Paik 2003, chapter 4)."""
        errors = _quantile(1 - self.alpha / 2) + _quantile(self.power)
        return ceil(errors**2 * self._spread / self.effect**2)

    @property
    def _spread(self) -> float:
        """Variance of the difference of two counts, one of each arm."""
        middle = self.baseline - self.effect / 2
        return 2 * middle * (1 - middle)


@dataclass(frozen=True, slots=True)
class Size:
    """What an experiment takes for each arm: ``counts``, in so many ``clusters``.

    ``independent`` is what they are worth; ``at_once`` what a test would take that looks only once.
    """

    counts: int
    clusters: int
    independent: int
    at_once: int


def sample_size(
    baseline: float, effect: float, alpha: float = 0.05, power: float = 0.8, clusters: Clusters = ALONE
) -> Size:
    """The size at which the sequential test has found the effect with this power; raises InputError."""
    question = Question(baseline, effect, alpha, power)
    counts = ceil(question.independent * clusters.design_effect)
    return Size(counts, ceil(counts / clusters.size), question.independent, question.at_once)
