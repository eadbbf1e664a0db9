"""The size of experiments: enough power, few false positives whenever one looks, and schools that are alike."""

from __future__ import annotations

import numpy as np
import pytest
import typer
from played_trials import by_school, independent
from typer.testing import CliRunner

from pocai.cli.experiments import power
from pocai.errors import InputError
from pocai.mlops.clusters import Clusters, design_effect
from pocai.mlops.power import FEWEST, Question, sample_size

RUNS = 500
QUESTIONS = [(0.05, 0.02), (0.2, 0.05), (0.4, 0.1), (0.5, 0.3)]


@pytest.mark.parametrize(("baseline", "effect"), QUESTIONS)
def test_looking_after_every_count_sees_a_difference_that_is_none_in_5_percent_at_most(
    baseline: float, effect: float
) -> None:
    """Over twice the planned size; in the limit the probability is below 5 %, which 500 runs show up to their error."""
    size = sample_size(baseline, effect)
    played = independent((baseline, baseline), range(1, 2 * size.counts), RUNS, 1)
    better, worse = played.found(Question(baseline, effect))
    assert better + worse <= 0.05


@pytest.mark.parametrize(("baseline", "effect"), QUESTIONS)
def test_the_effect_is_found_at_the_size_that_was_said(baseline: float, effect: float) -> None:
    size = sample_size(baseline, effect)
    played = independent((baseline, baseline - effect), range(1, size.counts + 1), RUNS, 2)
    better, worse = played.found(Question(baseline, effect))
    assert better >= 0.8
    assert worse <= 0.01
    last = independent((baseline, baseline - effect), [size.counts], RUNS, 3)
    assert last.found(Question(baseline, effect))[0] >= 0.75  # who looks at the end only has 80 % in the limit


def test_another_baseline_than_planned_costs_power_and_no_truth() -> None:
    question, size = Question(0.1, 0.03), sample_size(0.1, 0.03)
    looks = range(1, size.counts + 1)
    assert sum(independent((0.15, 0.15), looks, RUNS, 1).found(question)) <= 0.05
    assert independent((0.15, 0.12), looks, RUNS, 2).found(question)[0] >= 0.6


@pytest.mark.parametrize(("size", "correlation"), [(5, 0.2), (20, 0.1)])
def test_whole_schools_are_right_with_their_design_effect(size: int, correlation: float) -> None:
    clusters = Clusters(size, correlation)
    found, question = sample_size(0.2, 0.1, clusters=clusters), Question(0.2, 0.1)
    assert found.clusters == pytest.approx(found.counts / size, abs=1)
    effect = clusters.design_effect
    assert sum(by_school((0.2, 0.2), found.clusters, clusters, RUNS).found(question, effect)) <= 0.05
    better = by_school((0.2, 0.1), found.clusters, clusters, 4 * RUNS, 1).found(question, effect)[0]
    assert better >= 0.78  # 80 % but for the error of so many runs


def test_schools_that_are_taken_as_independent_are_not() -> None:
    clusters = Clusters(50, 0.5)
    played = by_school((0.2, 0.2), 100, clusters, RUNS)
    assert sum(played.found(Question(0.2, 0.1))) > 0.05
    assert sum(played.found(Question(0.2, 0.1), clusters.design_effect)) <= 0.05


def test_a_design_effect_is_measured_as_it_was_made() -> None:
    random, clusters = np.random.default_rng(0), Clusters(40, 0.1)
    own = random.beta(0.3 * 9, 0.7 * 9, 4000)
    measured = design_effect([(int(random.binomial(40, share)), 40) for share in own])
    assert measured == pytest.approx(clusters.design_effect, rel=0.1)
    alone = [(int(random.binomial(40, 0.3)), 40) for _ in range(4000)]
    assert design_effect(alone) == pytest.approx(1.0, abs=0.1)
    assert design_effect(alone[:9]) is None
    assert design_effect([(0, 40)] * 20) is None
    assert Clusters(40, 0.1, 0.7).design_effect > clusters.design_effect


def test_the_price_of_looking_at_any_time_is_stated() -> None:
    size = sample_size(0.05, 0.01)
    assert size.counts / size.at_once == pytest.approx(1.73, abs=0.01)
    assert sample_size(0.05, 0.01, power=0.9).counts > size.counts > sample_size(0.05, 0.02).counts
    assert sample_size(0.05, 0.01, alpha=0.01).counts > size.counts
    assert sample_size(0.9, 0.85).independent == FEWEST


@pytest.mark.parametrize(
    ("baseline", "effect", "alpha", "wanted"),
    [
        (0.0, 0.1, 0.05, 0.8),
        (0.1, 0.1, 0.05, 0.8),
        (0.1, -0.1, 0.05, 0.8),
        (0.1, 0.05, 0.0, 0.8),
        (0.1, 0.05, 0.5, 0.4),
    ],
)
def test_questions_without_an_answer_are_refused(baseline: float, effect: float, alpha: float, wanted: float) -> None:
    with pytest.raises(InputError):
        sample_size(baseline, effect, alpha, wanted)


def test_clusters_that_cannot_be_are_refused() -> None:
    for wrong in ((0.5, 0.1, 0.0), (2.0, 1.5, 0.0), (2.0, 0.1, -1.0)):
        with pytest.raises(InputError, match="clusters"):
            Clusters(*wrong)


def test_the_command_says_how_many() -> None:
    app = typer.Typer()
    app.command()(power)
    told = CliRunner().invoke(app, ["--baseline", "0.05", "--effect", "0.02"])
    assert told.exit_code == 0, told.output
    assert f"Each arm: {sample_size(0.05, 0.02).counts:,} counts" in told.stdout
    alike = CliRunner().invoke(
        app, ["--baseline", "0.05", "--effect", "0.02", "--per-school", "20", "--correlation", "0.1"]
    )
    size = sample_size(0.05, 0.02, clusters=Clusters(20, 0.1))
    assert f"{size.counts:,} counts in {size.clusters:,} schools" in alike.stdout
