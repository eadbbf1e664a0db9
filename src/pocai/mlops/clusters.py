"""Counts that come in clusters: documents of one school, or fields of one document, are right or wrong together.

Their design effect (Kish 1965) says how many of them are worth one independent count. Sticky assignment gives whole
schools to an arm, so the schools are the clusters of an experiment on readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pocai.errors import InputError

FEWEST = 10  # clusters from which a design effect is measured


@dataclass(frozen=True, slots=True)
class Clusters:
    """``size`` counts in a cluster on average, their ``correlation`` (0 to 1), and the sizes' ``spread``.

    The correlation is that of two counts of one cluster, the spread the standard deviation of sizes over their mean.
    """

    size: float = 1.0
    correlation: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        """Raises InputError for what cannot be."""
        if self.size < 1 or not 0 <= self.correlation <= 1 or self.spread < 0:
            raise InputError(
                f"clusters of {self.size:g} counts with correlation {self.correlation:g} and spread {self.spread:g}",
                mend="Give a size of 1 or more, a correlation from 0 to 1, and a spread of 0 or more",
            )

    @property
    def design_effect(self) -> float:
        """How many counts are worth one independent count: 1 + ((spread² + 1) size - 1) correlation."""
        return 1 + ((self.spread**2 + 1) * self.size - 1) * self.correlation


ALONE = Clusters()


def design_effect(clusters: Sequence[tuple[int, int]]) -> float | None:
    """The design effect that (hits, total) of each cluster show; None where there are too few to tell.

    It is the variance of the share as a ratio over clusters (Cochran 1977, chapter 6) over that of independent counts,
    and 1 at least.
    """
    counted = [(hits, total) for hits, total in clusters if total]
    hits, total = sum(each[0] for each in counted), sum(each[1] for each in counted)
    if len(counted) < FEWEST or not 0 < hits < total:
        return None
    share = hits / total
    squares = sum((each[0] - share * each[1]) ** 2 for each in counted) * len(counted) / (len(counted) - 1)
    return max(1.0, squares / (total * share * (1 - share)))
