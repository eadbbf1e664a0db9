"""The probability that a line is right: what the path of a line tells, and a fit that means what it says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.confidence import CLEAR, EXTREME, FEATURES, Calibration, fit, line_features

Vector = NDArray[np.float64]
Scores = NDArray[np.float32]
CLASSES = 12


def path(classes: list[int], sure: list[float]) -> Scores:
    """Log-probabilities of a path whose best class has the given probability at each step; the rest is spread."""
    probabilities = np.empty((len(classes), CLASSES))
    for step, (best, top) in enumerate(zip(classes, sure, strict=True)):
        probabilities[step] = (1 - top) / (CLASSES - 1)
        probabilities[step, best] = top
    return np.log(probabilities).astype(np.float32)


def figures(scores: Scores) -> dict[str, float]:
    found = line_features(scores)
    assert found is not None
    return dict(zip(FEATURES, found.tolist(), strict=True))


def test_the_figures_are_those_of_the_best_path() -> None:
    found = figures(path([3, 3, 0, 4, 0, 0], [0.95, 0.99, 0.8, 0.9, 0.98, 0.99]))
    assert found["weakest letter"] == pytest.approx(np.log(0.9 / 0.1), abs=1e-3)  # a run counts by its best step
    assert found["path"] == pytest.approx(np.log(1e-3 - np.log([0.95, 0.99, 0.8, 0.9, 0.98, 0.99]).sum()), abs=1e-3)
    assert found["undecided"] == pytest.approx(1 / 6)
    assert found["letters"] == pytest.approx(np.log(2))
    leads = [np.log(top / ((1 - top) / 11)) for top in (0.95, 0.99, 0.9)]
    assert found["margin"] == pytest.approx(np.mean(leads), abs=1e-3)
    assert found["room"] == pytest.approx(np.log(3))


@pytest.mark.parametrize("scores", [path([0, 0, 0], [0.9, 0.5, 0.9]), np.zeros((0, CLASSES), np.float32)])
def test_a_path_that_spells_nothing_is_never_right(scores: Scores) -> None:
    assert line_features(scores) is None
    assert CALIBRATION.probability(scores) == 0.0


paths = st.lists(st.tuples(st.integers(1, CLASSES - 1), st.floats(0.2, 1 - 1e-7)), min_size=1, max_size=30)


@settings(deadline=None)
@given(paths)
def test_figures_and_probabilities_stay_finite(steps: list[tuple[int, float]]) -> None:
    scores = path([best for best, _ in steps], [top for _, top in steps])
    found = line_features(scores)
    assert found is not None
    assert np.isfinite(found).all()
    assert abs(found[0]) <= CLEAR
    sure = CALIBRATION.probability(scores)
    assert EXTREME <= sure <= 1 - EXTREME
    assert sure == pytest.approx(CALIBRATION.probabilities(found[None])[0])


def test_a_certain_network_gives_no_infinite_figures() -> None:
    scores = np.full((4, CLASSES), -np.inf, np.float32)
    scores[:, 5] = 0.0
    found = line_features(scores)
    assert found is not None
    assert np.isfinite(found).all()


def simulated(lines: int, seed: int) -> tuple[Vector, NDArray[np.bool_]]:
    """Figures of lines, and whether each is right by a known law."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(lines, len(FEATURES))) * (1, 2, 0.1, 1, 3, 0.5) + (2, -1, 0.2, 2, 6, 1)
    odds = 1.5 + 1.0 * (features[:, 0] - 2) - 0.8 * (features[:, 1] + 1)
    return features, random.random(lines) < 1 / (1 + np.exp(-odds))


def calibration() -> Calibration:
    return fit(*simulated(4000, 0))


CALIBRATION = calibration()


def log_loss(probabilities: Vector, right: NDArray[np.bool_]) -> float:
    return float(-np.log(np.where(right, probabilities, 1 - probabilities)).mean())


def calibration_error(probabilities: Vector, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins of equally many lines."""
    order = np.argsort(probabilities)
    parts = zip(np.array_split(probabilities[order], bins), np.array_split(right[order], bins), strict=True)
    return float(sum(len(part) * abs(part.mean() - true.mean()) for part, true in parts) / len(right))


def test_on_unseen_lines_a_probability_is_the_share_of_lines_that_are_right() -> None:
    features, right = simulated(20000, 1)
    found = CALIBRATION.probabilities(features)
    assert calibration_error(found, right) < 0.02
    assert log_loss(found, right) < 0.75 * log_loss(np.full(len(right), right.mean()), right)


def test_the_law_is_found_again() -> None:
    made = CALIBRATION
    slopes = np.array(made.weights) / np.array(made.scales)
    assert slopes[:2] == pytest.approx([1.0, -0.8], abs=0.12)
    assert made.lines == 4000
    assert made.right == pytest.approx(simulated(4000, 0)[1].mean())


def test_no_other_coefficients_are_likelier() -> None:
    features, right = simulated(4000, 0)
    made = CALIBRATION
    best = log_loss(made.probabilities(features), right)
    for number, change in product(range(len(FEATURES)), (-0.1, 0.1)):
        moved = (*made.weights[:number], made.weights[number] + change, *made.weights[number + 1 :])
        assert log_loss(made.model_copy(update={"weights": moved}).probabilities(features), right) > best


def test_a_fit_of_lines_that_one_figure_tells_apart_ends_and_stays_finite() -> None:
    features = np.zeros((40, len(FEATURES)))
    features[:, 0] = np.arange(40)
    made = fit(features, np.arange(40) >= 20)
    found = made.probabilities(features)
    assert (np.diff(found) >= 0).all()
    assert found[0] < 0.1
    assert found[-1] > 0.9


def test_a_calibration_survives_its_journey_as_json() -> None:
    made = CALIBRATION
    again = Calibration.model_validate_json(made.model_dump_json())
    assert again == made
    features, _ = simulated(50, 2)
    assert (again.probabilities(features) == made.probabilities(features)).all()


@pytest.mark.parametrize(
    ("features", "right", "said"),
    [
        (np.zeros((3, len(FEATURES))), np.array([True] * 3), "all of 3 lines are right, or all are wrong"),
        (np.zeros((3, len(FEATURES))), np.array([False] * 3), "all of 3 lines"),
        (np.zeros((3, 2)), np.array([True, False, True]), "6 finite figures for each of 3 lines"),
        (np.full((2, len(FEATURES)), np.nan), np.array([True, False]), "6 finite figures"),
        (np.zeros((0, len(FEATURES))), np.zeros(0, bool), "all of 0 lines"),
    ],
)
def test_lines_that_teach_nothing_are_refused(features: Vector, right: NDArray[np.bool_], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit(features, right)


@pytest.mark.parametrize(
    "changes",
    [{"features": ("weakest letter",)}, {"means": (0.0,)}, {"scales": (0.0,) * len(FEATURES)}, {"lines": 0}],
)
def test_a_calibration_of_something_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Calibration"):
        Calibration.model_validate({**CALIBRATION.model_dump(), **changes})
