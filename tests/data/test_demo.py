"""The bundled demo document reads exactly as its golden JSON says, in every field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pocai
from pocai.inference.pipeline import Extraction, read
from pocai.timetable.checks import check
from pocai.timetable.timetable import Timetable

DEMO = Path(pocai.__file__).parent / "assets" / "demo"
BLOCK_FIELDS = ("day", "name", "startTime", "endTime", "notes")
HEADER_FIELDS = ("teacher", "className", "term", "year")


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def extraction() -> Extraction:
    return read(DEMO / "demo.png")


@pytest.fixture(scope="module")
def demo(extraction: Extraction) -> dict[str, Any]:
    (timetable,) = extraction.timetables
    return timetable.model_dump(by_alias=True, mode="json")


def test_the_golden_file_is_a_whole_week(golden: dict[str, Any]) -> None:
    week = Timetable.model_validate(golden)
    assert {block.day for block in week.timeblocks} == {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
    assert all(block.start_time and block.end_time for block in week.timeblocks)


def test_the_header_is_that_of_the_golden_file(demo: dict[str, Any], golden: dict[str, Any]) -> None:
    assert {name: demo[name] for name in HEADER_FIELDS} == {name: golden[name] for name in HEADER_FIELDS}


def test_every_block_is_that_of_the_golden_file(demo: dict[str, Any], golden: dict[str, Any]) -> None:
    blocks = [{name: block[name] for name in BLOCK_FIELDS} for block in demo["timeblocks"]]
    assert blocks == golden["timeblocks"]


def test_the_overlap_that_is_printed_is_the_only_finding(extraction: Extraction, golden: dict[str, Any]) -> None:
    printed = tuple(finding for finding in extraction.findings if finding.code != "unsure")
    assert [finding.code for finding in printed] == ["overlap"]
    assert printed == check(Timetable.model_validate(golden))
    assert extraction.verdict.decision == "review"


def test_every_field_says_where_it_stands(extraction: Extraction) -> None:
    page = extraction.document.pages[0]
    for block in extraction.timetables[0].timeblocks:
        given = {"day", "name", "startTime", "endTime"} | ({"notes"} if block.notes else set())
        assert set(block.fields) == given
        for mark in block.fields.values():
            left, top, right, bottom = mark.box
            assert -2 <= left < right <= page.width + 2
            assert -2 <= top < bottom <= page.height + 2
