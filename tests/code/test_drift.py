"""Drift: no alarm without a change however alike documents of a school are, an alarm with one, and accuracy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from drifting import BEGIN, document_row, made_rows, made_schools, made_window, school_row
from scipy.stats import ks_2samp

from pocai.errors import ConfigurationError, InputError
from pocai.feature_store.encryption import Keys
from pocai.feature_store.history import History
from pocai.mlops.drift import DriftReport, Policy, Shift, compared
from pocai.mlops.drift_accuracy import Accuracy, Estimated, accuracy, expected_accuracy
from pocai.mlops.drift_statistics import Sums, margin, summed
from pocai.mlops.drift_window import NUMBERS, Corrected, Documents, Window, open_history, window, windows
from pocai.settings import FeatureSettings

KEY = bytes(range(32))
QUICK = Policy(alpha=0.02, draws=500)
RUNS = 60


def by_name(report: DriftReport) -> dict[str, Shift]:
    return {shift.name: shift for shift in report.shifts}


def names(report: DriftReport) -> set[str]:
    return {shift.name for shift in report.alarms}


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_a_stream_that_does_not_change_raises_few_alarms_though_documents_of_a_school_are_alike() -> None:
    """With effects of any size allowed, so that only chance is in the way; tests by a table alarm all the time."""
    policy, alarms, naive = replace(QUICK, effect=0.0, layout=0.0, fall=0.0), 0, 0
    for run in range(RUNS):
        random = np.random.default_rng(run)
        schools = made_schools(random)
        before, now = made_window(random, schools, 1500), made_window(random, schools, 150)
        alarms += bool(compared(before, now, policy).alarms)
        values = [(before.documents.numbers[name], now.documents.numbers[name]) for name in NUMBERS]
        naive += any(ks_2samp(*pair).pvalue <= policy.alpha / len(NUMBERS) for pair in values)
    assert alarms <= 4  # of 60 at 2 %: more have a probability below 1 %
    assert naive >= 12


@pytest.mark.parametrize("figure", ["document.sharpness", "ocr.confidence", "ocr.words"])
def test_a_figure_that_moves_is_found_and_named(figure: str) -> None:
    found = 0
    for run in range(10):
        random = np.random.default_rng((1, run))
        schools = made_schools(random)
        before = made_window(random, schools, 1500)
        report = compared(before, made_window(random, schools, 200, move={figure: 1.2}), Policy(draws=1000))
        found += figure in names(report)
        assert names(report) <= {figure}
    assert found >= 9


def test_schools_that_all_change_a_little_are_compared_with_themselves() -> None:
    """Between schools a figure differs by much more than it has moved; each of them is the only fair comparison."""
    random = np.random.default_rng(2)
    schools = 4 * made_schools(random, 60)
    before = made_window(random, schools, 3000)
    report = compared(before, made_window(random, schools, 600, move={"ocr.words": -1.5}), replace(QUICK, effect=0.0))
    assert "ocr.words" in names(report)


def test_layouts_confidence_and_corrections_are_watched() -> None:
    random = np.random.default_rng(3)
    schools = made_schools(random)
    before = made_window(random, schools, 1500)
    moved = made_window(random, schools, 300, move={"layout": 1.0})
    assert names(compared(before, moved)) == {"document.embedding"}
    unsure = by_name(compared(before, made_window(random, schools, 300, move={"document.confidence": -2.5})))
    assert {unsure[name].state for name in ("document.confidence", "sure", "expected")} == {"drifted"}
    assert unsure["expected"].group == "accuracy"
    better = by_name(compared(before, made_window(random, schools, 300, move={"document.confidence": 2.5})))
    assert better["expected"].state == "steady"  # it rose
    worse = compared(before, made_window(random, schools, 300, changed=0.5))
    assert names(worse) == {"corrected"}
    corrected = by_name(worse)["corrected"]
    assert corrected.before == pytest.approx(0.1, abs=0.03)
    assert corrected.now == pytest.approx(0.5, abs=0.05)


def test_what_was_never_there_before_is_found() -> None:
    """Shares of 0 and 1 have no variance, and are no less of a change."""
    random = np.random.default_rng(4)
    schools = made_schools(random)
    before, now = made_window(random, schools, 1500), made_window(random, schools, 200)
    of = now.documents
    before = replace(
        before,
        documents=replace(before.documents, numbers={**before.documents.numbers, "document.pages": np.ones(1500)}),
    )
    moved = replace(
        of,
        numbers={**of.numbers, "document.pages": np.full(200, 2.0), "ocr.layout_score": np.full(200, np.nan)},
        categories={**of.categories, "document.format": np.full(200, "heic")},
    )
    report = compared(before, replace(now, documents=moved))
    assert names(report) == {"document.pages", "document.format"}
    assert by_name(report)["ocr.layout_score"].state == "unclear"
    half = np.where(np.arange(200) % 2, np.nan, of.numbers["ocr.layout_score"])
    missing = replace(now, documents=replace(of, numbers={**of.numbers, "ocr.layout_score": half}))
    assert "ocr.layout_score" in names(compared(before, missing))


def test_a_difference_that_is_too_small_to_matter_is_no_alarm() -> None:
    random = np.random.default_rng(5)
    schools = made_schools(random, 200)
    before, now = (
        made_window(random, schools, 8_000),
        made_window(random, schools, 8_000, move={"document.skew": 0.2}),
    )
    assert by_name(compared(before, now))["document.skew"].state == "steady"
    assert "document.skew" in names(compared(before, now, Policy(effect=0.02)))


def test_too_few_documents_or_schools_are_not_judged() -> None:
    random = np.random.default_rng(6)
    schools = made_schools(random)
    before = made_window(random, schools, 1000)
    for now in (made_window(random, schools, 40), made_window(random, schools[:9], 300)):
        report = compared(before, now)
        assert {shift.state for shift in report.shifts if shift.name != "corrected"} == {"unclear"}
        assert not report.alarms
        assert not compared(replace(before, corrected=_nothing()), now).judged


def test_schools_that_are_new_are_compared_with_all() -> None:
    random = np.random.default_rng(7)
    before = made_window(random, made_schools(random), 1500)
    alike = made_window(random, made_schools(random), 300, name="new")
    assert not compared(before, alike).alarms
    other = made_window(random, made_schools(random), 300, name="new", move={"ocr.confidence": -2.0})
    assert names(compared(before, other)) == {"ocr.confidence"}


def test_a_report_is_the_same_each_time_it_is_made() -> None:
    random = np.random.default_rng(8)
    schools = made_schools(random)
    pair = made_window(random, schools, 500), made_window(random, schools, 100)
    assert compared(*pair) == compared(*pair)


def test_an_alpha_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(InputError, match="draws"):
        Policy(alpha=0.001, draws=500)


# --- accuracy --------------------------------------------------------------------------------------------------------


def test_accuracy_follows_confidence() -> None:
    sure = np.array([0.01, 0.3, 0.6, 0.9, 0.99])
    found = expected_accuracy(sure)
    assert np.all(np.diff(found) > 0)
    assert 0 < found[0] < found[-1] < 1
    assert np.isnan(expected_accuracy(np.array([np.nan])))[0]


def of_schools(confidence: float, changed: float, random: np.random.Generator) -> Window:
    """Twenty schools with ten documents each."""
    base = made_window(random, made_schools(random, 20), 200)
    schools = np.array([f"school {number % 20}" for number in range(200)])
    sure = np.clip(random.normal(confidence, 0.02, 200), 0, 1)
    documents = replace(
        base.documents, schools=schools, numbers={**base.documents.numbers, "document.confidence": sure}
    )
    edited = random.binomial(800, changed, 20).astype(np.float64)
    return replace(base, documents=documents, corrected=Corrected(np.unique(schools), np.full(20, 800.0), edited))


def test_an_estimate_needs_no_label_and_takes_what_is_corrected_into_account() -> None:
    random = np.random.default_rng(9)
    wrong = [1 - float(expected_accuracy(np.array([each]))[0]) for each in (0.95, 0.7)]
    before = of_schools(0.95, wrong[0], random)
    known = accuracy(before, replace(of_schools(0.7, wrong[1], random), corrected=_nothing()))
    assert known.estimate == pytest.approx(1 - wrong[1], abs=0.01)
    assert known.strain is None
    assert known.corrected is None
    fair = accuracy(before, of_schools(0.7, wrong[1], random))
    assert fair.strain is not None
    assert fair.strain.is_one
    worse = accuracy(before, of_schools(0.7, 2 * wrong[1], random))
    assert worse.strain is not None
    assert worse.strain.share == pytest.approx(2.0, rel=0.1)
    assert worse.estimate == pytest.approx(1 - 2 * wrong[1], abs=0.03)
    other = accuracy(of_schools(0.95, 2 * wrong[0], random), replace(before, corrected=_nothing()))
    assert other.burden is not None
    assert other.estimate == pytest.approx(1 - 2 * wrong[0], abs=0.01)


def test_without_anything_nothing_is_estimated() -> None:
    assert Accuracy().estimate is None
    lost = Accuracy(expected=Estimated(0.2, 0.1, 0.3, 5), strain=Estimated(3.0, 2.0, 4.0, 20))
    assert lost.estimate == 0.0


def test_intervals_hold_the_truth_as_often_as_they_say_over_schools() -> None:
    """Values of a school are the same: an interval over values would be three times too narrow."""
    random, inside = np.random.default_rng(10), 0
    for _ in range(400):
        own, size = random.beta(2, 8, 40), random.integers(5, 15, 40)
        places = np.repeat(np.arange(40), size)
        sums = summed(
            (random.random(len(places)) < own[places])[:, None].astype(float), np.ones(len(places)), places, 40
        )
        width = margin(sums.influence[:, 0])
        inside += abs(float(sums.ratio[0]) - 0.2) <= width
    assert 0.92 <= inside / 400 <= 0.98


def test_sums_by_school_are_those_of_their_documents() -> None:
    values, places = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([2, 0, 2])
    sums = summed(values, np.array([1.0, 1.0, 0.5]), places, 3)
    assert sums.parts.tolist() == [[0.0, 1.0], [0.0, 0.0], [1.5, 0.5]]
    assert sums.wholes.tolist() == [[1.0, 1.0], [0.0, 0.0], [1.5, 1.5]]
    assert Sums(sums.parts, sums.wholes).level.ratio.tolist() == [0.5, pytest.approx(2 / 3)]


def _nothing() -> Corrected:
    return Corrected(np.array([], np.str_), np.array([]), np.array([]))


# --- windows of a history --------------------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history"), KEY)


def test_a_window_holds_the_last_reading_of_each_document_and_what_corrections_grew_by(history: History) -> None:
    hour = timedelta(hours=1)
    history.append(
        [
            *document_row("a", BEGIN, "north", document__confidence=0.1),  # at the beginning, which is excluded
            *document_row("b", BEGIN + hour, "north", document__confidence=0.2),
            *document_row("b", BEGIN + 2 * hour, "north", document__confidence=0.3, ocr__words=7),
            *document_row("c", BEGIN + 24 * hour, None, document__sharpness=None, document__embedding=None),
            *document_row("d", BEGIN + 25 * hour, "south"),
            school_row("north", BEGIN - hour, 100, 10),
            school_row("north", BEGIN + hour, 180, 30),
            school_row("north", BEGIN + 2 * hour, 260, 30),
            school_row("south", BEGIN + hour, 80, 8),
            school_row("west", BEGIN + 25 * hour, 80, 8),
        ]
    )
    found = window(history, BEGIN, BEGIN + timedelta(days=1))
    assert len(found.documents) == 2
    assert sorted(found.documents.numbers["document.confidence"].tolist()) == [0.3, 0.9]
    assert 7 in found.documents.numbers["ocr.words"].tolist()
    assert np.isnan(found.documents.numbers["document.sharpness"]).sum() == 1
    assert np.isnan(found.documents.embedding).all(axis=1).sum() == 1
    assert len(set(found.documents.schools.tolist())) == 2
    assert found.corrected.schools.tolist() == ["north", "south"]
    assert found.corrected.fields.tolist() == [160.0, 80.0]
    assert found.corrected.changed.tolist() == [20.0, 8.0]


def test_documents_without_a_school_are_schools_of_their_own(history: History) -> None:
    history.append([row for key in "abc" for row in document_row(key, BEGIN + timedelta(hours=1), None)])
    found = window(history, BEGIN, BEGIN + timedelta(days=1))
    assert len(set(found.documents.schools.tolist())) == 3


def test_drift_is_found_in_a_history(history: History) -> None:
    random = np.random.default_rng(11)
    history.append(list(made_rows(random, 14, 2)))
    before, now = windows(history, BEGIN + timedelta(days=14), 2, 12)
    assert (len(before.documents), len(now.documents)) == (720, 120)
    assert (before.end, now.begin) == (BEGIN + timedelta(days=12),) * 2
    report = compared(before, now)
    assert {"document.sharpness", "document.confidence", "expected", "corrected"} <= names(report)
    assert "ocr.words" not in names(report)
    assert [day.documents for day in report.days] == [60] * 14
    assert report.accuracy.corrected is not None
    assert report.accuracy.corrected.share == pytest.approx(0.3, abs=0.03)
    assert "Secret" not in repr(report)
    quiet = compared(*windows(history, BEGIN + timedelta(days=12), 2, 10))
    assert not quiet.alarms
    empty = compared(*windows(history, BEGIN - timedelta(days=100), 7, 28))
    assert not empty.judged
    assert empty.accuracy.estimate is None


def test_the_history_is_that_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no feature store"):
        open_history(FeatureSettings())
    settings = FeatureSettings(kind="sqlite", folder=tmp_path)
    with pytest.raises(ConfigurationError, match="key file"):
        open_history(settings)
    assert not list(tmp_path.iterdir())
    (tmp_path / "features.key").write_bytes(KEY)
    History(str(tmp_path / "history"), Keys.of(KEY).files).append(list(document_row("a", BEGIN, "north")))
    assert len(window(open_history(settings), BEGIN - timedelta(days=1), BEGIN).documents) == 1


def test_a_window_of_documents_is_as_long_as_its_columns() -> None:
    random = np.random.default_rng(12)
    documents: Documents = made_window(random, made_schools(random), 30).documents
    assert {len(values) for values in documents.numbers.values()} == {30} == {len(documents)}
