"""How sure a reading is: what the CTC path of a line tells, as the probability that the whole line is right.

A logistic regression over a few figures of the path (Platt 1999, with more than one figure). It is fitted on lines that
the recognizer was not trained on; serving is a dot product. Each figure counts in one direction only, so that no path
seems worse for being clearer: squares of the figures fitted a little better and did not keep to that.
"""

from __future__ import annotations

from math import expm1, log, tanh
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pocai.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]
    Vector = NDArray[np.float64]
    Flags = NDArray[np.bool_]

FEATURES = ("weakest letter", "path", "undecided", "letters", "margin", "room")
UNDECIDED = 0.9  # probability of the best class below which a step is undecided
CLEAR = 3.0  # log-odds (0.95) beyond which a letter is clear, and below which (0.05) it is not: more tells no more
LEAD = 12.0  # nats; a greater lead over the second class counts as this
LEAST_DOUBT = 1e-3  # nats; a path that costs less is as good as certain
EXTREME = 1e-6  # no probability is nearer to 0 or 1 than this: no finite sample could show it
RIDGE = 1.0  # weight of the squared coefficients in the fit, beside the sum over lines
ROUNDS = 100  # of Newton's method at most; it needs about ten


class Calibration(BaseModel):
    """Coefficients over the figures of `line_features`, standardized by ``means`` and ``scales``.

    It was fitted on ``lines``, of which the share ``right`` was read right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = FEATURES
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    lines: int = Field(ge=1)
    right: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.features != FEATURES:
            raise ValueError(f"the calibration is of other figures of a line than {FEATURES}")
        if any(len(each) != len(FEATURES) for each in (self.means, self.scales, self.weights)):
            raise ValueError(f"means, scales and weights must be {len(FEATURES)} each")
        if not all(scale > 0 for scale in self.scales):
            raise ValueError("scales must be greater than 0")
        return self

    def probabilities(self, features: Vector) -> Vector:
        """Probability that each line is right: ``(N, figures)`` to ``(N,)``, strictly between 0 and 1."""
        import numpy as np

        odds = (features - self.means) / self.scales @ np.array(self.weights) + self.bias
        found: Vector = np.clip(_logistic(odds), EXTREME, 1 - EXTREME)
        return found

    def probability(self, log_probabilities: Scores) -> float:
        """Probability that the best path through ``(T, classes)`` is right; 0.0 where it spells nothing.

        A line that was found holds something, so that nothing is never the right reading of it.
        """
        features = line_features(log_probabilities)
        if features is None:
            return 0.0
        figures = zip(features.tolist(), self.means, self.scales, self.weights, strict=True)
        odds = self.bias + sum(weight * (figure - mean) / scale for figure, mean, scale, weight in figures)
        return min(1 - EXTREME, max(EXTREME, 0.5 * (1 + tanh(odds / 2))))


def line_features(log_probabilities: Scores) -> Vector | None:
    """The figures named in `FEATURES` of the best path through ``(T, classes)``; None where it spells nothing.

    They are the log-odds of the weakest letter, the logarithm of what the path costs (nats), the share of undecided
    steps, the logarithm of the number of letters, the mean lead of the best class over the second (nats) where letters
    stand, and the logarithm of the steps for each letter. Class 0 is the blank.
    """
    import numpy as np

    steps = len(log_probabilities)
    if not steps:
        return None
    best = log_probabilities.argmax(axis=1)
    written = best != 0
    starts = np.flatnonzero(written & np.concatenate(([True], best[1:] != best[:-1])))
    letters = len(starts)
    if not letters:
        return None
    places = np.arange(steps)
    top = log_probabilities[places, best].astype(np.float64)
    others = log_probabilities.copy()
    others[places, best] = -np.inf
    lead = np.minimum(top - others.max(axis=1), LEAD)
    runs = np.maximum.reduceat(np.where(written, top, -np.inf), starts)  # a run of blanks after a letter counts nothing
    return np.array(
        [
            _log_odds(float(runs.min())),
            log(LEAST_DOUBT - float(top.sum())),
            np.count_nonzero(top < log(UNDECIDED)) / steps,
            log(letters),
            float(lead[written].sum()) / np.count_nonzero(written),
            log(steps / letters),
        ]
    )


def fit(features: Vector, right: Flags) -> Calibration:
    """The calibration that makes ``right`` ``(N,)`` likeliest, given ``features`` ``(N, figures)``; Newton's method.

    Raises InputError for lines without any that is right, or any that is wrong, and for figures that are not finite.
    """
    import numpy as np

    if features.shape != (len(right), len(FEATURES)) or not np.isfinite(features).all():
        what = f"a calibration needs {len(FEATURES)} finite figures for each of {len(right)} lines"
        raise InputError(what, mend="Take them from line_features.")
    if right.all() or not right.any():
        what = f"all of {len(right)} lines are right, or all are wrong: nothing can be calibrated"
        raise InputError(what, mend="Take more lines, damaged ones among them.")
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales[scales < EXTREME] = 1.0
    inputs = np.column_stack([(features - means) / scales, np.ones(len(right))])
    *weights, bias = _newton(inputs, right.astype(np.float64)).tolist()
    return Calibration(
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(weights),
        bias=bias,
        lines=len(right),
        right=float(right.mean()),
    )


def _newton(inputs: Vector, right: Vector) -> Vector:
    """Coefficients of the likeliest logistic regression; the last one (of the constant) is not held small."""
    import numpy as np

    ridge = np.full(inputs.shape[1], RIDGE)
    ridge[-1] = EXTREME
    found = np.zeros(inputs.shape[1])
    for _ in range(ROUNDS):
        likely = _logistic(inputs @ found)
        slope = inputs.T @ (likely - right) + ridge * found
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        found = found - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < EXTREME:
            break
    return found


def _logistic(odds: Vector) -> Vector:
    import numpy as np

    found: Vector = 0.5 * (1 + np.tanh(odds / 2))  # overflows nowhere
    return found


def _log_odds(log_probability: float) -> float:
    """Log-odds of a probability that is given by its logarithm."""
    against = -expm1(min(log_probability, -1e-12))
    return max(-CLEAR, min(CLEAR, log_probability - log(against)))
