"""What the service answers: made from an extraction, in units of the uploaded page, and read back unchanged."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pocai.inference.answers import ExtractionResult, ReadPage, Status
from pocai.inference.pipeline import read
from pocai.settings import Limits, Settings

DEMO = Path(__file__).parents[2] / "src/pocai/assets/demo/demo.png"


@pytest.fixture(scope="module")
def result() -> ExtractionResult:
    return ExtractionResult.of(read(DEMO))


def word_box(page: ReadPage, text: str) -> tuple[float, float, float, float]:
    """The box of a word that stands once on the page."""
    (box,) = (word.box for line in page.lines for word in line.words if word.text == text)
    return box


def test_an_answer_holds_what_the_extraction_found(result: ExtractionResult) -> None:
    found = read(DEMO)
    assert result.timetables == found.timetables
    assert result.verdict.decision == found.verdict.decision
    assert result.models.ocr == "cascade"
    assert result.models.document == "rules"
    assert set(result.seconds) == {"ingest", "text", "assemble", "check"}


def test_json_reads_back_as_the_same_answer(result: ExtractionResult) -> None:
    assert ExtractionResult.model_validate_json(result.model_dump_json(by_alias=True)) == result


def test_the_host_finds_its_own_names_in_the_json(result: ExtractionResult) -> None:
    first = result.model_dump(mode="json", by_alias=True)["timetables"][0]
    assert {"teacher", "className", "term", "year", "timeblocks"} <= first.keys()
    assert {"day", "name", "startTime", "endTime", "notes"} <= first["timeblocks"][0].keys()


def test_fields_that_a_newer_service_adds_are_ignored(result: ExtractionResult) -> None:
    newer = {**result.model_dump(mode="json", by_alias=True), "somethingNew": 1}
    newer["timetables"][0]["rooms"] = ["Hall"]
    assert ExtractionResult.model_validate(newer, extra="ignore") == result  # as the client reads it


def test_a_page_that_was_scaled_down_is_answered_in_pixels_of_the_upload(result: ExtractionResult) -> None:
    small = Settings.model_construct(limits=Limits(max_pixels=1_500_000))
    scaled = ExtractionResult.of(read(DEMO, settings=small)).pages[0]
    (page,) = result.pages
    with Image.open(DEMO) as picture:
        assert (round(page.width), round(page.height)) == picture.size
        assert (round(scaled.width), round(scaled.height)) == picture.size
    wanted, found = word_box(page, "Wednesday"), word_box(scaled, "Wednesday")
    assert all(abs(one - two) < 8 for one, two in zip(wanted, found, strict=True))


def test_a_picture_on_its_side_is_answered_where_it_was_uploaded(result: ExtractionResult) -> None:
    stream = io.BytesIO()
    with Image.open(DEMO) as picture:
        width, height = picture.size
        picture.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG")  # counter-clockwise
    (page,) = ExtractionResult.of(read(stream.getvalue())).pages
    assert (round(page.width), round(page.height)) == (height, width)
    left, top, right, bottom = word_box(result.pages[0], "Wednesday")
    wanted = (top, width - right, bottom, width - left)
    assert all(abs(one - two) < 12 for one, two in zip(wanted, word_box(page, "Wednesday"), strict=True))


def test_text_of_a_page_is_its_lines(result: ExtractionResult) -> None:
    (page,) = result.pages
    assert page.text.splitlines() == [line.text for line in page.lines]
    assert page.engine == "cascade"


@pytest.mark.parametrize("status", Status)
def test_a_job_that_is_not_on_its_way_stays_as_it_is(status: Status) -> None:
    assert status.final == (status not in {Status.QUEUED, Status.RUNNING})
