"""The ensemble below field confidence: it learns a law, says how sure it is, and grows alike from alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.evaluation.calibration import auroc, expected_calibration_error
from pocai.models.field_confidence import (
    Ensemble,
)
from pocai.training.document_model.boosting import Boosting, grow
from pocai.training.document_model.logistic import calibrated as calibrate
from pocai.training.document_model.logistic import logistic_regression


def simulated(documents: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Figures, and whether a value is right by a known law of three of them, in documents of forty values."""
    random = np.random.default_rng(seed)
    figures = random.random((documents * 40, 12)).round(3)
    odds = 6 * figures[:, 0] - 3 + 2 * (figures[:, 3] > 0.5) * (figures[:, 7] > 0.5)
    return figures, random.random(len(odds)) < 1 / (1 + np.exp(-odds)), np.repeat(np.arange(documents), 40)


SMALL = Boosting(trees=60, rate=0.1)


def test_an_ensemble_learns_the_law_and_says_how_sure_it_is() -> None:
    ensemble = calibrate(grow(*simulated(100, 1), SMALL, 1), *simulated(60, 2)[:2])
    figures, right, _ = simulated(80, 3)
    sure = ensemble.probabilities(figures)

    best = auroc(1 / (1 + np.exp(-(6 * figures[:, 0] - 3 + 2 * (figures[:, 3] > 0.5) * (figures[:, 7] > 0.5)))), right)
    ranking = auroc(sure, right)
    assert ranking is not None
    assert best is not None
    assert ranking > best - 0.02
    assert expected_calibration_error(sure, right) < 0.04


def test_the_same_seed_grows_the_same_ensemble_and_another_one_another() -> None:
    one, same, other = (grow(*simulated(20, 1), SMALL, seed) for seed in (1, 1, 2))
    assert one == same != other


def test_the_margins_are_those_that_it_was_grown_to() -> None:
    figures, right, documents = simulated(20, 1)
    ensemble = grow(figures, right, documents, Boosting(trees=1, depth=2, share=1.0, ridge=4.0, rate=1.0), 1)
    margins = ensemble.margins(figures)
    for margin in np.unique(margins):  # each leaf: the bias, and a Newton step of its own values
        inside = margins == margin
        likely = (right.sum() + 0.5) / (len(right) + 1)
        step = (right[inside] - likely).sum() / (inside.sum() * likely * (1 - likely) + 1)
        assert margin == pytest.approx(ensemble.bias + step, abs=1e-4)


@pytest.mark.parametrize("all_right", [True, False])
def test_where_nothing_differs_nothing_is_learned(all_right: bool) -> None:
    figures, _, documents = simulated(5, 1)
    right = np.full(len(figures), all_right)
    ensemble = calibrate(grow(figures, right, documents, SMALL, 1), figures, right)
    assert ensemble.splits == ()
    sure = ensemble.probabilities(figures)
    assert (sure > 0.99).all() if all_right else (sure < 0.01).all()
    assert ((sure >= 1 / 202) & (sure <= 1 - 1 / 202)).all()  # 200 values show no more


def test_calibration_never_turns_the_order_round() -> None:
    figures, right, documents = simulated(40, 1)
    ensemble = grow(figures, right, documents, SMALL, 1)
    against = calibrate(ensemble, figures, ~right)
    order = np.argsort(ensemble.margins(figures))
    assert (np.diff(against.probabilities(figures)[order]) >= 0).all()


def test_without_values_nothing_is_grown() -> None:
    nothing = np.empty((0, 3)), np.empty(0, np.bool_), np.empty(0, np.int64)
    with pytest.raises(InputError):
        grow(*nothing, SMALL, 1)
    with pytest.raises(InputError):
        calibrate(Ensemble(splits=(), thresholds=(), leaves=(), bias=0, values=1, right=1), *nothing[:2])


def test_the_regression_finds_the_coefficients() -> None:
    random = np.random.default_rng(5)
    inputs = random.normal(size=(20_000, 2))
    likely = 1 / (1 + np.exp(-(1.5 * inputs[:, 0] - 0.5 * inputs[:, 1] + 0.3)))
    found = logistic_regression(inputs, (random.random(20_000) < likely).astype(float), 0.01)
    assert found == pytest.approx([1.5, -0.5, 0.3], abs=0.07)
