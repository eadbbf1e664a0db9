"""What an extraction says of its own certainty, and which blocks a person is asked to look at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendering import as_docx

from pocai.documents.page import Document
from pocai.inference.certainty import Certainty, certainty
from pocai.inference.pipeline import read
from pocai.inference.quality import gate
from pocai.models.field_confidence import FieldConfidenceCard, shipped
from pocai.settings import QualityThresholds, SchoolHours, Settings
from pocai.timetable.timetable import Timetable

THRESHOLDS = QualityThresholds.model_construct(accept_timed=0.9)


def week(blocks: int = 3) -> Timetable:
    block = {"day": "Monday", "startTime": "09:00", "endTime": "10:00"}
    return Timetable.model_validate({"timeblocks": [{**block, "name": f"Lesson {n}"} for n in range(blocks)]})


def sure(*blocks: tuple[float | None, ...], accept: float | None = 0.9) -> Certainty:
    return Certainty(tuple(week(len(some)) for some in blocks), blocks, accept)


def test_blocks_below_the_threshold_are_doubtful() -> None:
    found = sure((0.95, 0.9, 0.89), (), (0.2,))
    assert found.doubtful == ((2,), (), (0,))
    assert found.judged == 4


def test_what_was_not_calibrated_is_not_judged() -> None:
    found = sure((None, None, None))
    assert found.doubtful == ((),)
    assert found.findings() == ()
    assert gate([week()], None, [], THRESHOLDS, found) == gate([week()], None, [], THRESHOLDS)


def test_where_no_threshold_keeps_the_risk_every_block_is_doubtful() -> None:
    found = sure((1.0, 0.5), accept=None)
    assert found.doubtful == ((0, 1),)
    verdict = gate(found.timetables, None, [], THRESHOLDS, found)
    assert (verdict.decision, verdict.reasons) == ("review", ("2 blocks are not sure enough, whatever the threshold",))


def test_doubtful_blocks_are_a_finding_of_their_timetable() -> None:
    first, second = sure((0.95, 0.1, 0.2), (0.99,), (0.3,)).findings()
    assert (first.code, first.severity, first.timetable, first.blocks) == ("unsure", "note", 0, (1, 2))
    assert first.message == "2 of 3 blocks are less sure than 0.900"
    assert (second.timetable, second.blocks) == (2, (0,))


def test_one_doubtful_block_sends_the_document_to_review() -> None:
    doubtful, clear = sure((0.95, 0.1, 0.97)), sure((0.95, 0.9, 0.97))
    verdict = gate(doubtful.timetables, None, doubtful.findings(), THRESHOLDS, doubtful)
    assert (verdict.decision, verdict.reasons) == ("review", ("1 of 3 blocks are less sure than 0.900",))
    verdict = gate(clear.timetables, None, clear.findings(), THRESHOLDS, clear)
    assert verdict.decision == "accept"
    assert "all 3 blocks are at least 0.900 sure" in verdict.reasons


@given(st.lists(st.lists(st.none() | st.floats(0, 1), max_size=6).map(tuple), max_size=3), st.floats(0, 1))
def test_a_higher_threshold_accepts_no_more(blocks: list[tuple[float | None, ...]], accept: float) -> None:
    strict, lax = sure(*blocks, accept=accept), sure(*blocks, accept=accept / 2)
    for more, fewer in zip(strict.doubtful, lax.doubtful, strict=True):
        assert set(fewer) <= set(more)
    assert {number for finding in strict.findings() for number in finding.blocks} <= set(range(6))


def test_a_model_without_a_card_stays_silent() -> None:
    document = Document((), "png", "0")
    found = certainty([week()], document, "no such model", SchoolHours())
    assert (found.blocks, found.accept) == (((None, None, None),), None)
    assert shipped("no such model") is None
    assert shipped("../student") is None


def test_the_threshold_is_the_cards_or_that_of_the_settings(card: FieldConfidenceCard) -> None:
    document = Document((), "png", "0")
    assert certainty([], document, "rules", SchoolHours()).accept == card.accept_block
    assert certainty([], document, "rules", SchoolHours(), 0.5).accept == 0.5


@pytest.fixture
def card() -> FieldConfidenceCard:
    found = shipped("rules")
    assert found is not None
    return found


def test_the_shipped_card_says_how_it_did(card: FieldConfidenceCard) -> None:
    assert card.document_model == "rules"
    assert card.accept_block is not None
    assert card.metrics["block"]["ece"] < 0.06
    assert card.metrics["block"]["auroc"] > 0.85
    assert card.metrics["block"]["risk"] <= 0.02
    assert card.metrics["block"]["values"] > 5000


def test_the_pipeline_fills_the_confidence_of_every_mark(written_week: bytes) -> None:
    found = read(written_week, settings=Settings(ocr_engine="no-such-engine"))
    (timetable,) = found.timetables
    marks = [mark for block in timetable.timeblocks for mark in block.fields.values()]
    assert marks
    assert all(mark.confidence is not None and mark.reason is None for mark in marks)
    assert [len(some) for some in found.confidences] == [len(timetable.timeblocks)]
    assert None not in found.confidences[0]


def test_the_settings_decide_what_is_accepted(written_week: bytes) -> None:
    strict, lax = (
        read(written_week, settings=Settings(quality=QualityThresholds.model_validate({"accept_block": accept})))
        for accept in (1.0, 0.0)
    )
    assert [finding.code for finding in strict.findings] == ["unsure"]
    assert strict.verdict.decision == "review"
    assert lax.findings == ()
    assert lax.verdict.decision == "accept"


@pytest.fixture(scope="module")
def written_week() -> bytes:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    slots = (("09:00", "10:00", "Maths"), ("10:00", "11:00", "English"), ("11:00", "12:00", "Music"))
    blocks = [
        {"day": day, "name": name, "startTime": start, "endTime": end} for day in days for start, end, name in slots
    ]
    return as_docx(Timetable.model_validate({"timeblocks": blocks}), days_across=True)
