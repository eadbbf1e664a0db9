"""How far probabilities can be trusted: figures counted by hand, and laws that hold whatever the values are."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.errors import InputError
from pocai.evaluation.calibration import (
    accepted_at,
    auroc,
    bootstrap,
    brier,
    expected_calibration_error,
    guaranteed,
    reliability,
    risk_coverage,
    upper_bound,
)

SURE = [0.95, 0.95, 0.85, 0.65, 0.15]
RIGHT = [True, True, False, True, False]

values = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=60)
claims = values.map(lambda pairs: ([sure for sure, _ in pairs], [right for _, right in pairs]))


def test_the_bins_of_equal_width_hold_what_lies_in_them() -> None:
    found = reliability(SURE, RIGHT, bins=10)

    assert [(each.values, each.right) for each in found] == [(1, 0.0), (1, 1.0), (1, 0.0), (2, 1.0)]
    assert [each.low for each in found] == pytest.approx([0.1, 0.6, 0.8, 0.9])
    assert [each.confidence for each in found] == pytest.approx([0.15, 0.65, 0.85, 0.95])


def test_certainty_lies_in_the_last_bin_and_nothing_in_the_first() -> None:
    assert [(each.low, each.high) for each in reliability([0.0, 1.0], [False, True], bins=4)] == [(0, 0.25), (0.75, 1)]


def test_bins_of_equal_mass_keep_equal_confidences_together() -> None:
    found = reliability([0.2] * 5 + [0.9] * 5, [True] * 10, bins=5, binning="mass")

    assert [each.values for each in found] == [5, 5]
    assert [each.confidence for each in found] == pytest.approx([0.2, 0.9])


def test_bins_of_equal_mass_hold_equally_many() -> None:
    found = reliability(np.linspace(0.01, 0.99, 100), [True] * 100, bins=4, binning="mass")

    assert all(24 <= each.values <= 26 for each in found)
    assert sum(each.values for each in found) == 100


def test_the_calibration_error_is_counted_by_hand() -> None:
    by_hand = (0.15 * 1 + 0.35 * 1 + 0.85 * 1 + 0.05 * 2) / 5
    assert expected_calibration_error(SURE, RIGHT) == pytest.approx(by_hand)
    assert expected_calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)


def test_the_brier_score_is_the_mean_square() -> None:
    by_hand = (0.05**2 + 0.05**2 + 0.85**2 + 0.35**2 + 0.15**2) / 5
    assert brier(SURE, RIGHT) == pytest.approx(by_hand)


def test_ranking_counts_pairs_and_ties_as_half() -> None:
    assert auroc([0.9, 0.8, 0.8, 0.1], [True, True, False, False]) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert auroc([0.5, 0.5], [True, False]) == pytest.approx(0.5)
    assert auroc([0.5, 0.6], [True, True]) is None


@given(claims)
def test_ranking_is_the_share_of_pairs(both: tuple[list[float], list[bool]]) -> None:
    sure, right = both
    good = [each for each, is_right in zip(sure, right, strict=True) if is_right]
    bad = [each for each, is_right in zip(sure, right, strict=True) if not is_right]
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(good, bad)]
    assert auroc(sure, right) == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_the_risk_coverage_curve_accepts_equal_values_together() -> None:
    curve = risk_coverage([0.9, 0.8, 0.8, 0.1], [True, True, False, False])

    assert curve.thresholds.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverage.tolist() == pytest.approx([0.25, 0.75, 1.0])
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert curve.area == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)


@given(claims)
def test_everything_accepted_has_the_risk_of_all(both: tuple[list[float], list[bool]]) -> None:
    curve = risk_coverage(*both)
    assert curve.coverage[-1] == pytest.approx(1)
    assert curve.risk[-1] == pytest.approx(1 - np.mean(both[1]))
    assert (np.diff(curve.thresholds) < 0).all()
    assert 0 <= curve.area <= 1


@given(claims, st.sampled_from([0.0, 0.1, 0.5]))
def test_what_is_accepted_keeps_the_risk_and_no_more_could_be(
    both: tuple[list[float], list[bool]], risk: float
) -> None:
    sure, right = np.array(both[0]), np.array(both[1])
    found = accepted_at(sure, right, risk)

    kept = {each: float((~right[sure >= each]).mean()) for each in set(both[0])}
    good = [each for each, wrong in kept.items() if wrong <= risk + 1e-12]
    assert (found.threshold if found else None) == (min(good) if good else None)
    if found:
        assert found.values == (sure >= found.threshold).sum()
        assert found.risk == pytest.approx(kept[found.threshold])


@given(claims)
def test_the_figures_do_not_depend_on_the_order(both: tuple[list[float], list[bool]]) -> None:
    sure, right = np.array(both[0]), np.array(both[1])
    turned = (sure[::-1], right[::-1])
    assert expected_calibration_error(*turned) == pytest.approx(expected_calibration_error(sure, right))
    assert auroc(*turned) == auroc(sure, right)
    assert risk_coverage(*turned).area == pytest.approx(risk_coverage(sure, right).area)


@given(claims, st.sampled_from(["width", "mass"]))
def test_every_value_is_in_one_bin_and_the_error_is_a_share(both: tuple[list[float], list[bool]], binning: str) -> None:
    found = reliability(*both, binning="mass" if binning == "mass" else "width")
    assert sum(each.values for each in found) == len(both[0])
    assert all(each.low - 1e-9 <= each.confidence <= each.high + 1e-9 for each in found)
    error = expected_calibration_error(*both, binning="mass" if binning == "mass" else "width")
    assert abs(np.mean(both[0]) - np.mean(both[1])) - 1e-9 <= error <= 1


@pytest.mark.parametrize(
    ("wrong", "count", "bound"),  # in closed form at the ends, from tables between
    [(0, 10, 1 - 0.05 ** (1 / 10)), (0, 299, 1 - 0.05 ** (1 / 299)), (6, 7, 0.95 ** (1 / 7)), (1, 10, 0.3942)],
)
def test_the_upper_bound_is_that_of_clopper_and_pearson(wrong: int, count: int, bound: float) -> None:
    assert upper_bound(wrong, count) == pytest.approx(bound, abs=1e-4)


@given(
    st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.9, 0.99])
)
def test_at_the_bound_so_few_are_seen_with_the_chance_left(counts: tuple[int, int], level: float) -> None:
    wrong, count = counts
    bound = upper_bound(wrong, count, level)
    assert wrong / count <= bound <= 1 or level == 0.5
    if wrong < count:
        chance = sum(comb(count, k) * bound**k * (1 - bound) ** (count - k) for k in range(wrong + 1))
        assert chance == pytest.approx(1 - level, abs=1e-6)


def test_the_upper_bound_can_be_told_of_many_values() -> None:
    assert 0.01 < upper_bound(1000, 100_000) < 0.0107


def test_a_guaranteed_threshold_keeps_its_risk_on_other_values() -> None:
    random = np.random.default_rng(3)
    failed, coverages = 0, []
    for _ in range(60):
        sure = random.random(3000)
        found = guaranteed(sure, random.random(3000) < 0.7 + 0.3 * sure**0.3, 0.05)
        assert found is not None
        assert found.bound is not None
        assert found.risk <= found.bound <= 0.05
        other = random.random(20_000)
        wrong = random.random(20_000) >= 0.7 + 0.3 * other**0.3
        failed += wrong[other >= found.threshold].mean() > 0.05
        coverages.append(found.coverage)
    assert failed <= 6  # 5 % of the draws may fail
    assert np.mean(coverages) > 0.3


def test_nothing_is_guaranteed_of_too_few_values() -> None:
    assert guaranteed([0.99] * 100, [True] * 100, 0.01) is None
    found = guaranteed([0.99] * 1000, [True] * 1000, 0.01)
    assert found is not None
    assert (found.coverage, found.wrong) == (1.0, 0)


def test_the_bootstrap_is_deterministic_and_covers_the_figure() -> None:
    random = np.random.default_rng(1)
    sure = random.random(200)
    right = random.random(200) < sure
    one, other = (bootstrap(auroc, sure, right, seed=4) for _ in range(2))
    assert one == other
    assert one is not None
    figure = auroc(sure, right)
    assert figure is not None
    assert one.low < figure < one.high
    assert bootstrap(auroc, sure, right, seed=5) != one


def test_whole_groups_are_drawn_so_that_the_interval_is_wider() -> None:
    random = np.random.default_rng(2)
    shares = np.repeat(random.random(20), 50)  # a document is right, or wrong, as a whole
    right = np.repeat(random.random(20) < 0.5, 50)
    alone = bootstrap(brier, shares, right, seed=1)
    together = bootstrap(brier, shares, right, np.repeat(np.arange(20), 50).tolist(), seed=1)
    assert alone is not None
    assert together is not None
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_a_figure_that_no_resample_has_has_no_interval() -> None:
    assert bootstrap(auroc, [0.4, 0.6], [True, True]) is None


@pytest.mark.parametrize(
    ("sure", "right"), [([], []), ([0.5], [True, False]), ([1.2], [True]), ([float("nan")], [True])]
)
def test_what_is_no_probability_is_refused(sure: list[float], right: list[bool]) -> None:
    with pytest.raises(InputError):
        expected_calibration_error(sure, right)


@pytest.mark.parametrize(("wrong", "count"), [(0, 0), (3, 2), (-1, 5)])
def test_a_bound_needs_values(wrong: int, count: int) -> None:
    with pytest.raises(InputError):
        upper_bound(wrong, count)


def test_groups_must_be_as_many_as_values_and_bins_one_or_more() -> None:
    with pytest.raises(InputError, match="2 groups for 1 values"):
        bootstrap(brier, [0.5], [True], ["a", "b"])
    with pytest.raises(InputError, match="0 bins"):
        reliability([0.5], [True], bins=0)


def test_values_that_are_wrong_together_make_the_threshold_stricter() -> None:
    random = np.random.default_rng(5)
    sure = random.uniform(0.5, 1, 6000)
    documents = np.repeat(np.arange(60), 100)
    wrong = (documents % 20 == 7) & (sure < 0.8)  # three documents are wrong wherever they are not sure
    alone = guaranteed(sure, ~wrong, 0.05)
    together = guaranteed(sure, ~wrong, 0.05, groups=documents.tolist())
    assert alone is not None
    assert together is not None
    assert together.threshold > alone.threshold
    assert together.bound is not None
    assert together.risk < together.bound <= 0.05


def test_where_every_group_has_the_same_share_of_wrong_ones_the_bound_is_that_of_values() -> None:
    sure, right = [0.9] * 400, [n % 20 != 0 for n in range(400)]
    groups = [n // 20 for n in range(400)]
    assert guaranteed(sure, right, 0.1, groups=groups) == guaranteed(sure, right, 0.1)
