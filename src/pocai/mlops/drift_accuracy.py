"""How right readings are: estimated without labels from calibrated confidence, and counted from corrections.

Accuracy is the share of the fields that were read which a person leaves as they are. Before anybody has looked at a
document, its mean confidence says how many that will be (confidence-based performance estimation; Guillory et al. 2021,
arXiv:2107.03315, look at its mean, too), through a calibration of documents (beta calibration: Kull, Silva Filho and
Flach 2017) that `bench/bench_drift.py` fits on made documents and tests on shifted ones.

That holds while confidence means what it meant. What persons correct shows whether it does: their corrections over
those that confidence expects in the same schools, in the reference and now. Where that ratio is not 1 beyond chance, or
is another one now, expected errors are multiplied by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from pocai.mlops.drift_statistics import Sums, Vector, interval, margin, summed
from pocai.mlops.drift_window import Corrected, Documents, Texts, Window

CONFIDENCE = "document.confidence"
FEWEST = 10  # schools with corrections from which confidence is checked against them
CERTAIN = 0.99  # level of the intervals of ratios of corrections, before they count
SURE, UNSURE, LEVEL = 0.29, 1.04, 0.64  # weights of ln c and -ln(1 - c), and the constant: `bench_drift.py --fit`
_LEAST = 0.005  # confidence


@dataclass(frozen=True, slots=True)
class Estimated:
    """A share with its 95 % interval over schools, or a ratio with that of 99 %, from so many values."""

    share: float
    low: float
    high: float
    values: int

    @property
    def is_one(self) -> bool:
        """Whether a ratio of 1 is within the interval."""
        return self.low <= 1 <= self.high


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is known of accuracy in the two windows; None where nothing is.

    ``expected`` and ``expected_before`` are accuracies by confidence alone; ``corrected`` and ``corrected_before`` the
    shares of fields that persons changed. ``burden`` is the corrections for each one that confidence expects, in the
    reference; ``strain`` how many times as many there are now.
    """

    expected: Estimated | None = None
    expected_before: Estimated | None = None
    corrected: Estimated | None = None
    corrected_before: Estimated | None = None
    burden: Estimated | None = None
    strain: Estimated | None = None

    @property
    def estimate(self) -> float | None:
        """The estimated accuracy now."""
        if self.expected is None:
            return None
        moved = [each.share for each in (self.burden, self.strain) if each is not None and not each.is_one]
        return max(0.0, 1 - (1 - self.expected.share) * math.prod(moved))


def accuracy(before: Window, now: Window) -> Accuracy:
    """What both windows say of accuracy."""
    schools = np.unique(np.concatenate([before.corrected.schools, now.corrected.schools]))
    then, here = (_Logarithm.of(_for_expected(each, schools)) for each in (before, now))
    return Accuracy(
        expected=_expected(now.documents),
        expected_before=_expected(before.documents),
        corrected=_corrected(now.corrected),
        corrected_before=_corrected(before.corrected),
        burden=None if then is None else then.ratio,
        strain=None if then is None or here is None else here.less(then).ratio,
    )


def expected_accuracy(confidence: Vector) -> Vector:
    """The accuracy that a document's mean confidence promises ``(N,)``; NaN stays NaN."""
    sure = np.clip(confidence, _LEAST, 1 - _LEAST)
    odds = SURE * np.log(sure) - UNSURE * np.log1p(-sure) + LEVEL
    found: Vector = 1 / (1 + np.exp(-odds))
    return found


def _expected(documents: Documents) -> Estimated | None:
    sure = documents.numbers[CONFIDENCE]
    there = ~np.isnan(sure)
    if not there.any():
        return None
    _, places = np.unique(documents.schools[there], return_inverse=True)
    values = expected_accuracy(sure[there])[:, None]
    return _estimated(summed(values, np.ones(len(values)), places, int(places.max()) + 1), len(values))


def _corrected(corrected: Corrected) -> Estimated | None:
    if not corrected.fields.sum():
        return None
    sums = Sums(corrected.changed[:, None], corrected.fields[:, None])
    return _estimated(sums, int(corrected.fields.sum()))


def _estimated(sums: Sums, values: int) -> Estimated:
    return Estimated(float(sums.ratio[0]), *interval(sums), values)


def _for_expected(window: Window, schools: Texts) -> Sums:
    """By school the share of fields that was changed, over that which confidence expects; 0 where nothing is known."""
    sure, corrected = window.documents.numbers[CONFIDENCE], window.corrected
    there = ~np.isnan(sure) & np.isin(window.documents.schools, schools)
    places = np.searchsorted(schools, window.documents.schools[there])
    wrong = summed(1 - expected_accuracy(sure[there])[:, None], np.ones(int(there.sum())), places, len(schools))
    shares = wrong.parts / np.maximum(wrong.wholes, 1)
    where = np.searchsorted(schools, corrected.schools)
    looked_at = summed((corrected.changed / corrected.fields)[:, None], corrected.fields, where, len(schools))
    known = wrong.wholes > 0
    counted = np.where(known, looked_at.wholes, 0.0)
    rates = Sums(looked_at.parts, counted).level
    return Sums(rates.parts, rates.wholes * shares)


@dataclass(frozen=True, slots=True)
class _Logarithm:
    """The logarithm of a ratio, each school's influence on it ``(S,)``, and how many schools it is of."""

    value: float
    influence: Vector
    schools: int

    @classmethod
    def of(cls, sums: Sums) -> Self | None:
        """None where too few schools are known, or nothing was changed."""
        schools, ratio = int((sums.wholes > 0).sum()), float(sums.ratio[0])
        return None if schools < FEWEST or ratio <= 0 else cls(math.log(ratio), sums.influence[:, 0] / ratio, schools)

    def less(self, other: _Logarithm) -> _Logarithm:
        """That of the ratio of two ratios."""
        schools = min(self.schools, other.schools)
        return _Logarithm(self.value - other.value, self.influence - other.influence, schools)

    @property
    def ratio(self) -> Estimated:
        """The ratio with its interval."""
        width = margin(self.influence, CERTAIN)
        low, high = math.exp(self.value - width), math.exp(self.value + width)
        return Estimated(math.exp(self.value), low, high, self.schools)
