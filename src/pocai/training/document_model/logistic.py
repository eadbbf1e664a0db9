"""Logistic regression by Newton's method, and with it the calibration of an ensemble."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.field_confidence import Ensemble

Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

_LEAST_SLOPE = 0.05  # of a calibration: a probability never falls as the margin rises
_RIDGE = 0.01  # of a calibration
_ROUNDS = 50  # of Newton's method at most; it needs about six
_CLOSE = 1e-9


def calibrated(ensemble: Ensemble, figures: Matrix, right: Flags) -> Ensemble:
    """The ensemble with slope and offset from values of other documents (Platt 1999, with his targets).

    Raises InputError for no values; a slope that would turn the order round is held at next to nothing.
    """
    if not len(right):
        raise InputError("no value to calibrate confidence on", mend="Read more documents")
    good, bad = int(right.sum()), int((~right).sum())
    targets = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    slope, offset = logistic_regression(ensemble.margins(figures)[:, None], targets, ridge=_RIDGE)
    update = {
        "slope": max(float(slope), _LEAST_SLOPE),
        "offset": float(offset),
        "values": len(right),
        "right": good / len(right),
    }
    return ensemble.model_copy(update=update)


def logistic_regression(inputs: Matrix, targets: Matrix, ridge: float, counts: Matrix | None = None) -> Matrix:
    """Weights and, last, the constant ``(F + 1,)`` that make ``targets`` (0 to 1) likeliest; Newton's method.

    ``ridge`` times half the squared weights is added to the loss, which is a sum over values; ``counts`` is how much
    each value counts in it, 1 without.
    """
    with_one = np.column_stack([inputs, np.ones(len(inputs))])
    held = np.full(with_one.shape[1], ridge)
    held[-1] = _CLOSE
    found = np.zeros(with_one.shape[1])
    much = np.ones(len(inputs)) if counts is None else counts
    for _ in range(_ROUNDS):
        likely = logistic(with_one @ found)
        slope = with_one.T @ (much * (likely - targets)) + held * found
        curvature = (with_one * (much * likely * (1 - likely))[:, None]).T @ with_one + np.diag(held)
        step = np.linalg.solve(curvature, slope)
        found = found - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _CLOSE:
            break
    return found


def logistic(odds: Matrix) -> Matrix:
    """Probabilities of log-odds; overflows nowhere."""
    found: Matrix = 0.5 * (1 + np.tanh(odds / 2))
    return found
