"""Confidence of fields: the figures that it rests on, the ensemble, and what is said of documents it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import timetables

from pocai.documents.page import Box, Document, Line, Page, Quad
from pocai.errors import ModelError
from pocai.models.evidence.features import NAMES, figures_of
from pocai.models.evidence.scene import ABSENT
from pocai.models.field_confidence import (
    ASKED,
    BLOCK_FIGURES,
    BlockModel,
    Ensemble,
    FieldConfidenceCard,
    block_confidences,
    block_figures,
    block_figures_of,
    calibrated,
    confident,
)
from pocai.settings import SchoolHours
from pocai.timetable.timetable import WEEK, BlockField, Evidence, Mark, TimeBlock, Timetable

HOURS = SchoolHours()
COLUMN, ROW, TEXT = 100.0, 40.0, 10.0


def line(text: str, box: Box, score: float | None = 0.99, reader: str = "student") -> Line:
    return Line(text, Quad.of(box), confidence=score, size=TEXT, reader="" if score is None else reader)


def week(days: int = 3, slots: int = 4) -> tuple[Timetable, Document]:
    """Days across, times down, every cell taken: a block at its place, under its day and beside its time."""
    lines = [line(WEEK[day], Box(60 + COLUMN * day, 10, 120 + COLUMN * day, 20)) for day in range(days)]
    lines += [
        line(f"{9 + slot}:00 - {10 + slot}:00", Box(2, 50 + ROW * slot, 48, 60 + ROW * slot)) for slot in range(slots)
    ]
    blocks = []
    for day in range(days):
        for slot in range(slots):
            name = f"Lesson {chr(65 + slot)}"
            box = Box(60 + COLUMN * day, 50 + ROW * slot, 120 + COLUMN * day, 60 + ROW * slot)
            lines.append(line(name, box))
            times = mark(lines[days + slot].box, Evidence.HEADER)
            marks = {
                "name": mark(box),
                "day": mark(lines[day].box, Evidence.HEADER),
                "startTime": times,
                "endTime": times,
            }
            clock = {"start_time": f"{9 + slot:02d}:00", "end_time": f"{10 + slot:02d}:00"}
            blocks.append(TimeBlock(day=WEEK[day], name=name, fields=fields(marks), **clock))
    page = Page(0, 60 + COLUMN * days, 60 + ROW * slots, tuple(lines))
    return Timetable(timeblocks=tuple(blocks), pages=(0,)), Document((page,), "png", "0")


def fields(marks: dict[str, Mark]) -> Any:
    return marks


def mark(box: Box, evidence: Evidence = Evidence.PRINTED) -> Mark:
    return Mark(page=0, box=tuple(box), evidence=evidence, reading_score=0.99)


def figure(name: str, timetable: Timetable, document: Document) -> list[float]:
    (rows,) = figures_of((timetable,), document, HOURS)
    found: list[float] = rows[:, NAMES.index(name)].tolist()
    return found


def changed(timetable: Timetable, number: int, **update: Any) -> Timetable:
    blocks = list(timetable.timeblocks)
    blocks[number] = blocks[number].model_copy(update=update)
    return timetable.model_copy(update={"timeblocks": tuple(blocks)})


def moved(timetable: Timetable, number: int, box: Box) -> Timetable:
    block = timetable.timeblocks[number]
    marks = block.fields | {"name": mark(box)}
    return changed(timetable, number, fields=marks)


def test_the_figures_have_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_a_plain_week_has_nothing_against_it() -> None:
    timetable, document = week()
    for name in (
        "place.overlap",
        "day.offset",
        "day.nearer",
        "start.nearer",
        "order.against",
        "time.common",
        "found.overlap",
    ):
        assert figure(name, timetable, document) == [0.0] * 12
    for name in ("name.support", "time.start elsewhere", "time.name elsewhere"):
        assert figure(name, timetable, document) == pytest.approx([1.0] * 12)


def test_a_block_under_another_day_is_seen() -> None:
    timetable, document = week()
    wrong = moved(timetable, 0, Box(260, 50, 320, 60))

    assert figure("day.nearer", wrong, document)[:2] == [1.0, 0.0]
    assert figure("day.offset", wrong, document)[0] == pytest.approx((260 - 90) / TEXT)
    assert figure("place.shared", wrong, document)[0] == 2.0


def test_a_block_beside_another_time_is_seen() -> None:
    timetable, document = week()
    wrong = changed(timetable, 0, start_time="12:30", end_time="13:00")

    assert figure("order.against", wrong, document)[0] == pytest.approx(1.0)
    assert figure("time.slot elsewhere", wrong, document)[:2] == [0.0, 1.0]
    assert figure("time.common", wrong, document)[0] == pytest.approx(1.0)
    assert figure("time.length over usual", wrong, document)[0] == pytest.approx(0.5)
    assert figure("found.overlap", wrong, document)[0] == 1.0


def test_faint_lines_are_seen_under_their_own_marks() -> None:
    timetable, document = week()
    page = document.pages[0]
    lines = tuple(replace(each, confidence=0.6) if each.text == "Tuesday" else each for each in page.lines)
    faint = replace(document, pages=(page.with_lines(lines),))

    assert figure("day.worst", timetable, faint) == pytest.approx([0.99] * 4 + [0.6] * 4 + [0.99] * 4)
    assert figure("name.worst", timetable, faint) == pytest.approx([0.99] * 12)


def test_a_line_that_another_recognizer_read_is_seen() -> None:
    timetable, document = week()
    page = document.pages[0]
    lines = tuple(replace(each, reader="teacher") if each.text == "Tuesday" else each for each in page.lines)
    doubted = replace(document, pages=(page.with_lines(lines),))

    assert figure("day.doubted", timetable, doubted) == [0.0] * 4 + [1.0] * 4 + [0.0] * 4


def test_a_name_that_is_not_on_the_page_has_no_support() -> None:
    timetable, document = week()
    support = figure("name.support", changed(timetable, 0, name="Astronomy"), document)
    assert support[0] < 0.5
    assert min(support[1:]) == pytest.approx(1.0)


def test_native_text_is_certain() -> None:
    timetable, document = week()
    page = document.pages[0]
    native = replace(
        document, pages=(page.with_lines([replace(each, confidence=None, reader="") for each in page.lines]),)
    )

    assert figure("page.native", timetable, native) == [1.0] * 12
    assert figure("name.worst", timetable, native) == [1.0] * 12
    assert figure("page.native", timetable, document) == [0.0] * 12


def test_what_is_not_there_is_absent() -> None:
    timetable, document = week()
    bare = changed(timetable, 0, fields={}, start_time=None, end_time=None, day=None)
    for name in ("name.worst", "name.support", "place.gap", "time.start", "time.length", "day.evidence"):
        assert figure(name, bare, document)[0] == ABSENT


def test_marks_on_a_page_that_is_not_there_break_nothing() -> None:
    timetable, document = week()
    (rows,) = figures_of((timetable,), replace(document, pages=()), HOURS)
    assert np.isfinite(rows).all()


@settings(max_examples=25)
@given(st.floats(0.2, 8))
def test_scale_changes_no_figure(factor: float) -> None:
    timetable, document = week()
    page = document.pages[0]
    large = Page(
        0,
        page.width * factor,
        page.height * factor,
        tuple(replace(each, quad=Quad.of(each.box.scaled(factor))) for each in page.lines),
    )
    blocks = []
    for block in timetable.timeblocks:
        marks = {
            field: each.model_copy(update={"box": tuple(Box(*each.box).scaled(factor))})
            for field, each in block.fields.items()
        }
        blocks.append(block.model_copy(update={"fields": marks}))
    (small,) = figures_of((timetable,), document, HOURS)
    (other,) = figures_of(
        (timetable.model_copy(update={"timeblocks": tuple(blocks)}),), replace(document, pages=(large,)), HOURS
    )
    assert np.allclose(small, other, atol=1e-6)


@settings(max_examples=40)
@given(timetables())
def test_the_figures_of_any_week_are_finite_and_the_order_of_blocks_means_nothing(timetable: Timetable) -> None:
    document = Document((Page(0, 100, 100),), "xlsx", "0")
    (rows,) = figures_of((timetable,), document, HOURS)
    assert rows.shape == (len(timetable.timeblocks), len(NAMES))
    assert np.isfinite(rows).all()
    turned = timetable.model_copy(update={"timeblocks": timetable.timeblocks[::-1]})
    assert np.allclose(figures_of((turned,), document, HOURS)[0][::-1], rows)


def ensemble(name: str, threshold: float, right: tuple[float, float] = (-2.0, 2.0)) -> Ensemble:
    return Ensemble(
        splits=((NAMES.index(name),),), thresholds=((threshold,),), leaves=(right,), bias=0.0, values=1000, right=0.5
    )


def card(**update: Any) -> FieldConfidenceCard:
    parts: dict[BlockField, Ensemble] = {
        "day": ensemble("day.offset", 0.5, (4.0, -3.0)),
        "name": ensemble("name.worst", 0.9),
        "startTime": ensemble("start.offset", 0.5, (4.0, -3.0)),
        "endTime": ensemble("end.offset", 0.5, (4.0, -3.0)),
    }
    whole: dict[str, Any] = {
        "name": "field-confidence",
        "version": "0",
        "licence": "MIT",
        "features": NAMES,
        "fields": parts,
        "block": BlockModel(weights=(1.0, 0.5, 0.2, -1.0, -1.0, -1.0), bias=0.0, values=1000, right=0.9),
        "document_model": "rules",
        "readers": ("student", "teacher"),
        "data_sha256": "0" * 64,
    }
    return FieldConfidenceCard(**(whole | update))


def confidences(timetable: Timetable, field: BlockField) -> list[float | None]:
    return [block.fields[field].confidence for block in timetable.timeblocks]


def test_every_mark_gets_the_probability_of_its_field() -> None:
    timetable, document = week()
    (found,) = confident((moved(timetable, 0, Box(260, 50, 320, 60)),), document, "rules", HOURS, card())

    assert confidences(found, "day") == [0.0474] + [0.982] * 11
    assert confidences(found, "name") == [0.8808] * 12
    assert {each.reason for block in found.timeblocks for each in block.fields.values()} == {None}
    assert [(block.name, block.day) for block in found.timeblocks] == [(b.name, b.day) for b in timetable.timeblocks]


def test_a_field_that_was_not_calibrated_says_so() -> None:
    timetable, document = week()
    marks = timetable.timeblocks[0].fields | {"notes": mark(Box(60, 50, 120, 60))}
    (found,) = confident((changed(timetable, 0, notes="Hall", fields=marks),), document, "rules", HOURS, card())
    note = found.timeblocks[0].fields["notes"]
    assert (note.confidence, note.reason) == (None, "not calibrated")


def test_nothing_is_said_of_another_document_model_or_recognizer() -> None:
    timetable, document = week()
    (found,) = confident((timetable,), document, "base", HOURS, card())
    assert {each.reason for block in found.timeblocks for each in block.fields.values()} == {
        "not calibrated for the document model base"
    }
    assert block_confidences(found, card()) == (None,) * 12
    (other,) = confident((timetable,), document, "rules", HOURS, card(readers=("teacher",)))
    assert confidences(other, "name") == [None] * 12
    assert other.timeblocks[0].fields["name"].reason == "not calibrated for the recognizer student"


def test_a_calibrated_confidence_stays_and_the_models_own_is_a_figure() -> None:
    timetable, document = week()
    own = mark(Box(60, 50, 120, 60)).model_copy(update={"confidence": 0.3})
    there = own.model_copy(update={"confidence": 0.77, "reason": None})
    assert not calibrated(own)
    assert calibrated(there)

    kept = changed(timetable, 0, fields=timetable.timeblocks[0].fields | {"name": there})
    once = confident((kept,), document, "rules", HOURS, card())
    assert confidences(once[0], "name")[:2] == [0.77, 0.8808]
    assert confident(once, document, "rules", HOURS, card()) == once

    raw = changed(timetable, 0, fields=timetable.timeblocks[0].fields | {"name": own})
    assert figure("name.own", raw, document)[:2] == [0.3, ABSENT]
    assert figure("name.own", kept, document)[:2] == [ABSENT, ABSENT]


def test_a_block_is_as_sure_as_its_fields_let_it_be() -> None:
    timetable, document = week()
    (found,) = confident((moved(timetable, 0, Box(260, 50, 320, 60)),), document, "rules", HOURS, card())
    first, *others = block_confidences(found, card())
    assert first is not None
    assert all(first < each for each in others if each is not None)
    assert None not in others


def test_a_block_of_which_a_field_has_no_confidence_has_none() -> None:
    timetable, document = week()
    assert block_figures(timetable) is None
    assert block_confidences(timetable, card()) == (None,) * 12
    assert block_confidences(Timetable(), card()) == ()
    (found,) = confident((timetable,), document, "rules", HOURS, card())
    bare = changed(found, 0, fields={})
    assert block_confidences(bare, card()) == (None,) * 12


def test_the_figures_of_blocks_are_counted_by_hand() -> None:
    sure = np.array([[0.9, 0.8, np.nan, np.nan], [0.5, 0.5, 0.5, 0.5]])
    missing = np.array([[False, True, True], [False, False, False]])
    found = block_figures_of(sure, missing)

    mean = (0.72 + 0.0625) / 2
    assert found.shape == (2, len(BLOCK_FIGURES))
    assert found[:, 0] == pytest.approx(np.log([0.72, 0.0625]), abs=1e-4)
    assert found[:, 1] == pytest.approx([np.log(4), 0])
    assert found[:, 2] == pytest.approx([np.log(mean / (1 - mean))] * 2, abs=1e-4)
    assert found[:, 3:].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_an_empty_document_stays_empty() -> None:
    _, document = week()
    assert confident((), document, "rules", HOURS, card()) == ()
    assert confident((Timetable(),), document, "rules", HOURS, card()) == (Timetable(),)


def test_a_card_is_written_and_read(tmp_path: Path) -> None:
    card().write(tmp_path / "card.json")
    assert FieldConfidenceCard.read(tmp_path / "card.json") == card()
    first = (tmp_path / "card.json").read_bytes()
    card().write(tmp_path / "card.json")
    assert (tmp_path / "card.json").read_bytes() == first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": ["other"]}, "other figures"),
        ({"version": ""}, "version"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = tmp_path / "card.json"
    file.write_text(json.dumps(card().model_dump(mode="json") | change), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        FieldConfidenceCard.read(file)


def test_a_missing_card_is_an_error_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        FieldConfidenceCard.read(tmp_path / "none.json")


@pytest.mark.parametrize("leaves", [((1.0,),), ((1.0, 2.0, 3.0),), ()])
def test_a_tree_must_be_whole(leaves: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValidationError):
        Ensemble(splits=((0,),), thresholds=((0.5,),), leaves=leaves, bias=0.0, values=1, right=1.0)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=len(ASKED), max_size=len(ASKED)), st.integers(0, 3), st.floats(0, 1))
def test_a_surer_field_never_makes_a_block_less_sure(sure: list[float], place: int, more: float) -> None:
    higher = list(sure)
    higher[place] += (1 - sure[place]) * more
    rows = [block_figures_of(np.array([each]), np.zeros((1, 3), np.bool_)) for each in (sure, higher)]
    low, high = (float(card().block.probabilities(row)[0]) for row in rows)
    assert high >= low - 1e-12
