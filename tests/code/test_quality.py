"""Quality gates: the host's number and sentences, and the product's verdicts with their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Word
from pocai.errors import InputError
from pocai.inference.quality import VOCABULARY, gate, host_confidence, host_gate
from pocai.models.protocols import OCRResult
from pocai.settings import QualityThresholds
from pocai.timetable.timetable import Timetable

THRESHOLDS = QualityThresholds.model_validate({})
BOX = Box(0, 0, 1, 1)


@dataclass(frozen=True)
class Found:
    code: str
    severity: str = "warning"


def read(*texts: str, confidence: float | None = 1.0, page: float = 0.97) -> OCRResult:
    words = tuple(Word(text, BOX, confidence) for text in texts)
    return OCRResult(" ".join(texts), page, words, (), "fake")


def week(timed: int = 2, untimed: int = 0, undated: int = 0) -> list[Timetable]:
    full = {"day": "Monday", "name": "Art", "startTime": "09:00", "endTime": "09:50"}
    blocks = [full] * timed + [full | {"endTime": None}] * untimed + [full | {"day": None}] * undated
    return [Timetable.model_validate({"timeblocks": blocks})]


def test_the_vocabulary_has_the_25_words_of_the_formula() -> None:
    assert len(VOCABULARY) == 25
    assert all(word == word.casefold() for word in VOCABULARY)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (read(), 0.2 * 0.5),
        (read("xyz", confidence=0.5), 0.4 * 0.5 + 0.2 * 0.5),
        (read("Monday,", confidence=0.5), 0.4 * 0.5 + 0.2 + 0.2 * 0.5),
        (read("Monday", "xyz", confidence=None), 0.4 + 0.2 * 0.5 + 0.2 * 0.5),
        (read(*["xyz"] * 10), 0.4 + 0.2 * 0.5),
        (read(*["xyz"] * 11), 0.4 + 0.2 * 0.8),
        (read("9:00"), 0.4 + 0.2 * 0.5 + 0.2 * 0.6),
        (read("9:00", "10.15"), 0.4 + 0.2 * 0.5 + 0.2 * 0.6),
        (read("9:00", "10.15", "2pm"), 0.4 + 0.2 * 0.5 + 0.2 * 0.8),
        (read("9:00-10:00", "10.15-11", "2 pm", "23:59"), 0.4 + 0.2 * 0.5 + 0.2 * 1.0),
        (read("12345", "99:99", "2024", "1.234"), 0.4 + 0.2 * 0.5),
    ],
)
def test_the_host_confidence_is_the_sum_of_its_four_parts(result: OCRResult, expected: float) -> None:
    assert host_confidence(result) == pytest.approx(expected)


def test_a_page_of_vocabulary_and_times_reaches_the_highest_score() -> None:
    perfect = read(*[day for day in ("Monday", "Friday") for _ in range(5)], "9:00 9:30 10:00 10:30 11:00", "Maths")

    assert host_confidence(perfect) == pytest.approx(0.4 + 0.2 * 11 / 12 + 0.2 * 0.8 + 0.2)


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(0, 1)), max_size=20))
def test_the_host_confidence_stays_within_zero_and_one(words: list[tuple[str, float]]) -> None:
    read_words = tuple(Word(text, BOX, confidence) for text, confidence in words)
    result = OCRResult(" ".join(text for text, _ in words), 0.5, read_words, (), "fake")

    assert 0 <= host_confidence(result) <= 1


@pytest.mark.parametrize(
    ("confidence", "route", "reason"),
    [
        (0.81, "validation", "High confidence (81.00%) - direct validation"),
        (0.80, "validation", "High confidence (80.00%) - direct validation"),
        (0.7999999, "ai", "Medium confidence (80.00%) - AI processing required"),
        (0.605429334572059, "ai", "Medium confidence (60.54%) - AI processing required"),
        (0.0, "ai", "Medium confidence (0.00%) - AI processing required"),
    ],
)
def test_the_host_gate_answers_with_the_sentences_that_were_recorded(
    confidence: float, route: str, reason: str
) -> None:
    answer = host_gate(confidence, THRESHOLDS)

    assert (answer.route, answer.confidence, answer.reason) == (route, confidence, reason)


@pytest.mark.parametrize("confidence", [-0.1, 1.01, float("nan")])
def test_the_host_gate_refuses_what_is_no_confidence(confidence: float) -> None:
    with pytest.raises(InputError, match="not between 0 and 1"):
        host_gate(confidence, THRESHOLDS)


def test_the_host_threshold_is_a_setting() -> None:
    assert host_gate(0.6, QualityThresholds.model_validate({"host_confidence": 0.5})).route == "validation"


def test_a_well_read_complete_week_is_accepted_and_says_why() -> None:
    verdict = gate(week(), read("x"), [], THRESHOLDS)

    assert verdict.decision == "accept"
    assert verdict.reasons == (
        "the mean reading score is 0.97, at least 0.90",
        "2 of 2 blocks have start and end",
        "the checks found nothing",
    )


def test_native_text_needs_no_reading_score() -> None:
    assert gate(week(), None, [], THRESHOLDS).decision == "accept"


@pytest.mark.parametrize(
    ("timetables", "ocr", "findings", "reason"),
    [
        (week(), read("x", page=0.89), [], "the mean reading score is 0.89, below 0.90"),
        (week(timed=8, untimed=2), None, [], "8 of 10 blocks have start and end, fewer than 90%"),
        (week(undated=1), None, [], "1 of 3 blocks have no day"),
        (week(), None, [Found("overlap"), Found("overlap")], "the checks found: overlap (2)"),
    ],
)
def test_a_doubt_sends_the_week_to_review_with_only_that_reason(
    timetables: list[Timetable], ocr: OCRResult | None, findings: list[Found], reason: str
) -> None:
    verdict = gate(timetables, ocr, findings, THRESHOLDS)

    assert verdict.decision == "review"
    assert verdict.reasons == (reason,)


def test_every_doubt_is_named() -> None:
    verdict = gate(week(untimed=3), read("x", page=0.7), [Found("gap"), Found("order")], THRESHOLDS)

    assert len(verdict.reasons) == 4


@pytest.mark.parametrize("timetables", [[], [Timetable.model_validate({})]])
def test_no_blocks_is_rejected(timetables: list[Timetable]) -> None:
    verdict = gate(timetables, None, [Found("order")], THRESHOLDS)

    assert (verdict.decision, verdict.reasons) == ("reject", ("no timetable was found",))


def test_an_unreadable_page_is_rejected_however_complete_the_week_looks() -> None:
    verdict = gate(week(), read("x", page=0.3), [], THRESHOLDS)

    assert verdict.decision == "reject"
    assert verdict.reasons == ("the mean reading score is 0.30, below 0.50: a sharper picture is needed",)


def test_the_thresholds_are_settings() -> None:
    strict = QualityThresholds.model_validate({"reject_reading": 0.98, "accept_reading": 0.99})

    assert gate(week(), read("x"), [], strict).decision == "reject"
    assert (
        gate(week(untimed=2), read("x"), [], QualityThresholds.model_validate({"accept_timed": 0.5})).decision
        == "accept"
    )


@given(st.floats(0, 1), st.integers(0, 4), st.integers(0, 4), st.lists(st.sampled_from(("gap", "overlap")), max_size=3))
def test_a_verdict_always_has_a_reason(score: float, timed: int, untimed: int, codes: list[str]) -> None:
    verdict = gate(week(timed, untimed), read("x", page=score), [Found(code) for code in codes], THRESHOLDS)

    assert verdict.reasons
    assert all(verdict.reasons)


def test_a_note_is_no_reason_to_look_again() -> None:
    parallel = [Found("overlap", "note")]
    assert gate(week(), None, parallel, THRESHOLDS).decision == "accept"
