"""Training lines from corrected timetables: each crop gets the text that is printed on it, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_lines import picture, save
from painted import painted

from pocai.documents.page import Box, Line, Page, Quad
from pocai.errors import InputError
from pocai.inference.pipeline import read
from pocai.models.catalog import engine
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.models.protocols import OCRResult
from pocai.settings import Settings
from pocai.timetable.export.plain import to_json
from pocai.timetable.timetable import TimeBlock, Timetable
from pocai.training.alignment import anywhere, covers, in_place
from pocai.training.corrections import CorrectedLines, lines_of_corrected
from pocai.training.datasets import GivenLines

NAMES = ("Mathematics", "Physical Education", "Geography", "Assembly")
WEEK = Timetable(
    timeblocks=tuple(
        TimeBlock(day=day, name=NAMES[(row + column) % 4], start_time=f"{9 + row:02d}:00", end_time=f"{9 + row:02d}:50")
        for column, day in enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))
        for row in range(4)
    )
)


class Misreading:
    """An engine that finds every line and reads some letters wrong."""

    name = "misreading"

    def __init__(self, wrong: dict[str, str]) -> None:
        self._engine = engine("ppocr", 1)
        self._wrong = str.maketrans(wrong)

    def read(self, page: Page) -> OCRResult:
        return self.read_upright(page)[1]

    def read_upright(self, page: Page) -> tuple[Page, OCRResult]:
        upright, result = self._engine.read_upright(page)
        lines = [replace(line, text=line.text.translate(self._wrong)) for line in result.lines]
        return upright.with_lines(lines), OCRResult.of(lines, self.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painted week, and what our own pipeline exports for it: with marks."""
    folder = tmp_path_factory.mktemp("corrected")
    painted(WEEK, days_across=True).save(folder / "week.png")
    extraction = read(folder / "week.png", settings=Settings.model_construct(threads=1))
    (folder / "week.json").write_text(to_json(extraction.timetables), encoding="utf-8")
    return folder


def samples(found: CorrectedLines) -> list[tuple[str, Any]]:
    sides: tuple[GivenLines, ...] = (found.lines.train, found.lines.validation)
    return [(side.name(number), side.line(number)) for side in sides for number in range(len(side))]


def texts(found: CorrectedLines) -> list[str]:
    return sorted(sample.text for _, sample in samples(found))


def check_crops(found: CorrectedLines) -> None:
    """Each crop shows what its label says."""
    read = PPOCRRecognizer(1).recognize([sample.image for _, sample in samples(found)])
    assert [reading.text for reading in read] == [sample.text for _, sample in samples(found)]


def test_misread_names_get_the_corrected_text(folder: Path) -> None:
    found = lines_of_corrected(folder, Misreading({"a": "o", "y": "v", "E": "F"}))
    assert texts(found) == sorted(block.name for block in WEEK.timeblocks)
    assert len({name for name, _ in samples(found)}) == 20
    assert len(found.lines.validation) >= 1
    check_crops(found)


def test_without_marks_texts_are_found_on_lines_of_their_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "week.png").write_bytes((folder / "week.png").read_bytes())
    label = json.loads(WEEK.to_json())
    label["teacher"] = "Ms Nowhere"
    for block in label["timeblocks"]:
        del block["fields"]
    (tmp_path / "week.json").write_text(json.dumps(label), encoding="utf-8")
    found = lines_of_corrected(tmp_path, Misreading({"a": "o"}))
    assert texts(found) == sorted(block.name for block in WEEK.timeblocks)
    assert [(skipped.field, skipped.why) for skipped in found.skipped] == [
        ("timetables[0].teacher", "no whole line reads like it")
    ]
    check_crops(found)


def relabelled(folder: Path, target: Path, change: dict[str, str]) -> Path:
    """The painted week with other names in its label."""
    (target / "week.png").write_bytes((folder / "week.png").read_bytes())
    label = json.loads((folder / "week.json").read_text(encoding="utf-8"))
    for block in label["timetables"][0]["timeblocks"]:
        block["name"] = change.get(block["name"], block["name"])
    (target / "week.json").write_text(json.dumps(label), encoding="utf-8")
    return target


def test_texts_that_are_not_what_is_printed_teach_nothing(folder: Path, tmp_path: Path) -> None:
    changed = {"Geography": "Geo", "Assembly": "Assembly (hall)", "Mathematics": "MATHEMATICS"}
    found = lines_of_corrected(relabelled(folder, tmp_path, changed), engine("ppocr", 1))
    assert set(texts(found)) == {"Physical Education"}
    assert len(found.skipped) == 15
    report = str(found)
    assert "15 × not used, no whole line reads like it: week: timetables[0].timeblocks[" in report
    assert "and 5 more" in report
    assert not any(name in report for name in ("Geo", "Assembly", "MATHEMATICS"))


class Reads:
    """An engine that reads given lines, each at its box, on any page."""

    name = "reads"

    def __init__(self, **boxes: Box) -> None:
        self._lines = tuple(Line(text.replace("_", " "), Quad.of(box)) for text, box in boxes.items())

    def read(self, page: Page) -> OCRResult:
        return self.read_upright(page)[1]

    def read_upright(self, page: Page) -> tuple[Page, OCRResult]:
        return page.with_lines(self._lines), OCRResult.of(self._lines, self.name)


CELL = (10.0, 10.0, 210.0, 110.0)


def labelled(folder: Path, blocks: list[dict[str, Any]]) -> Path:
    save(folder / "page.png", picture("A page with enough to see, made up for this test", size=40, pad=80))
    (folder / "page.json").write_text(json.dumps({"timeblocks": blocks}), encoding="utf-8")
    return folder


def block(name: str, box: tuple[float, ...] | None = CELL, evidence: str = "printed", **more: str) -> dict[str, Any]:
    fields = {} if box is None else {"name": {"page": 0, "box": box, "evidence": evidence}}
    return {"day": None, "name": name, "fields": fields, **more}


CASES: list[tuple[list[dict[str, Any]], list[str], list[str]]] = [
    ([block("Physical Education")], ["Education", "Physical"], []),
    ([block("Physical Education 7")], [], ["no whole line reads like it"]),
    ([block("Education")], ["Education"], []),
    ([block("Education", (300.0, 10.0, 400.0, 110.0))], [], ["no whole line reads like it"]),
    ([block("Physical"), block("Phisical")], [], ["several corrected texts claim the line"]),
    ([block("Physical"), block("Physical")], ["Physical"], []),
    ([block("Physical", evidence="inferred")], [], []),
    ([block("Physical", None)], ["Physical"], []),
    ([block("Phisical", None), block("Phusical", None)], [], ["no whole line reads like it"] * 2),
    ([block("Physical", (1.0,))], ["Physical"], []),
    ([block("Physical", notes="Education")], ["Education", "Physical"], []),
]


@pytest.mark.parametrize(("blocks", "labels", "doubts"), CASES)
def test_labels_are_given_only_where_there_is_no_doubt(
    tmp_path: Path, blocks: list[dict[str, Any]], labels: list[str], doubts: list[str]
) -> None:
    reader = Reads(Physical=Box(20, 20, 120, 40), Education=Box(20, 50, 120, 70), Other=Box(220, 20, 290, 40))
    found = lines_of_corrected(labelled(tmp_path, blocks), reader)
    assert texts(found) == labels
    assert [skipped.why for skipped in found.skipped] == doubts
    assert [sample.image.shape for _, sample in samples(found)] == [(20, 100, 3)] * len(labels)


def test_equal_lines_in_one_box_are_doubtful(tmp_path: Path) -> None:
    reader = Reads(PE1=Box(20, 20, 120, 40), PE2=Box(20, 50, 120, 70))
    found = lines_of_corrected(labelled(tmp_path, [block("PE3")]), reader)
    assert texts(found) == []
    assert [skipped.why for skipped in found.skipped] == ["several lines could be it"]


def test_documents_with_text_of_their_own_and_broken_ones_are_named(folder: Path, tmp_path: Path) -> None:
    from rendering import as_docx

    (tmp_path / "native.docx").write_bytes(as_docx(WEEK, days_across=True))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "week.png").write_bytes((folder / "week.png").read_bytes())
    for name in ("native", "broken", "week"):
        (tmp_path / f"{name}.json").write_bytes((folder / "week.json").read_bytes())
    told: list[tuple[int, int]] = []
    found = lines_of_corrected(tmp_path, Reads(), progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    whole = {skipped.document: skipped.why for skipped in found.skipped if skipped.field == "all"}
    assert sorted(whole) == ["broken", "native"]
    assert whole["broken"].startswith("The png picture is damaged")
    assert whole["native"] == "its text needs no reading"


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled document"):
        lines_of_corrected(tmp_path, Reads())


COVERS = [
    ("Maths", "Maths", True),
    ("Moths", "Maths", True),
    ("Mths", "Maths", True),
    ("Maths 12", "Maths", False),
    ("2 Maths", "Maths", False),
    ("Maths", "Maths 12", False),
    ("Maths with Year 4", "Maths Year 4", False),
    ("|Maths.", "Maths", True),
    ("", "Maths", False),
]


@pytest.mark.parametrize(("reading", "text", "covered"), COVERS)
def test_a_text_must_cover_its_line(reading: str, text: str, covered: bool) -> None:
    assert covers(reading, text) is covered


words = st.text("abcdefghij", min_size=1, max_size=8)
texts_of_lines = st.lists(st.lists(words, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=4)


@given(
    texts_of_lines,
    st.lists(st.text("XYZ ", max_size=10), max_size=3),
    st.lists(st.text("XYZ ", max_size=10), max_size=3),
)
def test_a_text_over_several_lines_is_shared_out_as_it_is_printed(
    printed: list[str], before: list[str], after: list[str]
) -> None:
    found = in_place(" ".join(printed), [*before, *printed, *after])
    assert found == {len(before) + number: line for number, line in enumerate(printed)}


@given(st.lists(st.text("abcdef ", min_size=1, max_size=12), max_size=6), st.lists(words, max_size=6))
def test_whatever_is_found_anywhere_covers_its_line(readings: list[str], wanted: list[str]) -> None:
    for number, text in anywhere(wanted, readings).items():
        assert text in wanted
        assert covers(readings[number], text)
