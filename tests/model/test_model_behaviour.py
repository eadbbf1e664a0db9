"""How the shipped models behave: invariance, direction and minimum function, by the tests that the gate runs too."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from pocai.documents.page import Box, Cell, Document, Line, Page, Quad, Table
from pocai.errors import ModelError
from pocai.inference.document_service import DOCUMENT_MODELS
from pocai.mlops.drawn_weeks import DrawnWeek, blocks_of, drawn_lists, drawn_weeks
from pocai.mlops.model_tests import AGREE, Behaviour, agreement, layout_behaviours, student_behaviours
from pocai.mlops.page_changes import CHANGES, folded, plain
from pocai.models.layout_tokens import lines_of
from pocai.models.protocols import Reading
from pocai.models.recognizer import StudentRecognizer
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.made_pages import made_pages

HOURS = SchoolHours()
FIRST = 8_800_000  # seed of the made documents
LAYOUT = (
    *("a wider margin", "a larger page", "another order of lines", "capital letters", "no accents"),
    *("without a line its block is gone", "another name names its block", "another time moves its blocks"),
    *("simple timetables", "simple timetables, as served"),
)
STUDENT = (
    *("fainter print", "light on dark", "a finer picture", "a coarser picture", "more paper beside it"),
    *("another letter is read as that", "without print nothing is sure", "plain print"),
)


def made(number: int) -> Document:
    pages = made_pages(compose(FIRST + number, split="test"), np.random.default_rng(number), plain=True)
    return Document(tuple(each.page for each in pages), "pdf", "")


@pytest.fixture(scope="module")
def layout() -> dict[str, Behaviour]:
    alone, served = (DOCUMENT_MODELS[name](HOURS) for name in ("layout", "auto"))
    found = layout_behaviours(alone, served, [made(number) for number in range(6)])
    return {each.name: each for each in found}


@pytest.fixture(scope="module")
def student() -> dict[str, Behaviour]:
    return {each.name: each for each in student_behaviours(StudentRecognizer(1))}


@pytest.mark.parametrize("name", LAYOUT)
def test_the_shipped_layout_transformer(layout: dict[str, Behaviour], name: str) -> None:
    assert set(layout) == set(LAYOUT)
    assert layout[name].passed, layout[name]
    assert layout[name].trials >= 5


@pytest.mark.parametrize("name", STUDENT)
def test_the_shipped_student(student: dict[str, Behaviour], name: str) -> None:
    assert set(student) == set(STUDENT)
    assert student[name].passed, student[name]
    assert student[name].trials >= 4


@dataclass(frozen=True)
class Broken:
    """A document model that makes one kind of mistake."""

    fault: str
    name: str = "broken"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """Each page is one of the drawn weeks, changed or not; the rules read it, and then something goes wrong."""
        if self.fault == "fails":
            raise ModelError("it is broken")
        page = document.pages[0]
        if self.fault == "looks at places" and min(line.box.left for line in page.lines) > 70:
            return ()
        if self.fault == "looks at order" and not page.lines[0].text.casefold().startswith("timetable"):
            return ()
        if self.fault == "looks at capitals" and page.lines[0].text.isupper():
            return ()
        found = DOCUMENT_MODELS["rules"](HOURS).assemble(document)
        if self.fault == "forgets":
            return tuple(each.model_copy(update={"timeblocks": each.timeblocks[1:]}) for each in found)
        if self.fault == "remembers":
            return DOCUMENT_MODELS["rules"](HOURS).assemble(drawn_weeks()[0].document)
        return found


FAULTS = {
    "none": set[str](),
    "fails": {"minimum function", "direction"},
    "looks at places": {"a wider margin", "a larger page"},
    "looks at order": {"another order of lines"},
    "looks at capitals": {"capital letters"},
    "forgets": {"minimum function", "direction"},
    "remembers": {"minimum function", "direction"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_test_finds_the_fault_that_it_is_for(fault: str) -> None:
    found = layout_behaviours(Broken(fault))
    failed = {each.name if each.group == "invariance" else each.group for each in found if not each.passed}
    assert failed == FAULTS[fault]


@dataclass
class Guesses:
    """A recognizer that says the same of every line."""

    text: str

    def recognize(self, crops: list[object]) -> list[Reading]:
        return [Reading(self.text, 0.9, probability=0.9)] * len(crops)


def test_a_recognizer_that_guesses_is_found() -> None:
    failed = {each.name for each in student_behaviours(Guesses("Maths")) if not each.passed}  # type: ignore[arg-type]
    assert failed == {"another letter is read as that", "without print nothing is sure", "plain print"}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_keep_what_a_page_says(name: str) -> None:
    for week in (*drawn_weeks(), *drawn_lists()):
        before, after = week.document, CHANGES[name](week.document)
        texts = [Counter(folded(line.text) for line in lines_of(each.pages[0])) for each in (before, after)]
        assert texts[0] == texts[1]
        assert [len(each.pages[0].rules) for each in (before, after)] == [len(week.page.rules)] * 2
        assert to_be_seen(before) != to_be_seen(after) or name == "no accents"
    assert any(to_be_seen(CHANGES[name](week.document)) != to_be_seen(week.document) for week in drawn_weeks())


def to_be_seen(document: Document) -> list[object]:
    return [(line.text, line.box, page.width) for page in document.pages for line in page.lines]


def test_changes_reach_the_cells_of_native_tables() -> None:
    line = Line("Übung", Quad.of(Box(10, 10, 50, 20)), source="docx", size=10)
    page = Page(0, 100, 100, (line,), tables=(Table((Cell(Box(0, 0, 60, 30), 0, 0, lines=(line,)),)),))
    for name, text, box in (
        ("capital letters", "ÜBUNG", Box(0, 0, 60, 30)),
        ("no accents", "Ubung", Box(0, 0, 60, 30)),
        ("a wider margin", "Übung", Box(61, 83, 121, 113)),
    ):
        (changed,) = CHANGES[name](Document((page,), "docx", "")).pages
        (cell,) = changed.tables[0].cells
        assert (cell.lines[0].text, cell.box) == (text, box)
        assert cell.lines[0] is changed.lines[0], "a line that stands in a cell and on the page stays one"


def test_agreement_is_the_share_that_both_have() -> None:
    week = drawn_weeks()[0]
    assert agreement(week.blocks, week.blocks) == 1.0
    assert agreement(week.blocks, ()) == 0.0
    assert agreement((), ()) == 1.0
    assert agreement(week.blocks[:10], week.blocks) == pytest.approx(20 / 30)
    assert AGREE.keys() <= CHANGES.keys()
    assert plain("Übung Ångström") == "Ubung Angstrom"


@pytest.mark.parametrize("week", [*drawn_weeks(), *drawn_lists()], ids=lambda week: week.name)
def test_the_rules_read_the_drawn_timetables_as_they_are_meant(week: DrawnWeek) -> None:
    read = DOCUMENT_MODELS["rules"](HOURS).assemble(week.document)
    assert Counter(blocks_of(read)) == Counter(week.blocks)
    for number, said in enumerate(week.said):
        if said.name and len(said.blocks) == 1:
            assert len(week.without(number).blocks) == len(week.blocks) - 1
            assert "pottery" in {block.name for block in week.renamed(number, "Pottery").blocks}
        if said.times:
            later = week.moved(number, 5).blocks
            assert sum(one != other for one, other in zip(week.blocks, later, strict=True)) == len(said.blocks)
