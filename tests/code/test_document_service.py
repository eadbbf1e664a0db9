"""Which document model answers, and why it was not the one asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pocai.documents.page import Document
from pocai.errors import ModelError
from pocai.inference.document_service import DOCUMENT_MODELS, DocumentService, RulesAndLayout
from pocai.models.layout import LayoutModel
from pocai.settings import SchoolHours
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_likeness import likeness
from pocai.timetable.timetable import TimeBlock, Timetable

HOURS = SchoolHours()
DOCUMENT = Document((), "pdf", "")


def week(*names: str) -> tuple[Timetable, ...]:
    blocks = tuple(
        TimeBlock(day="Monday", name=name, start_time=f"{9 + hour:02}:00", end_time=f"{10 + hour:02}:00")
        for hour, name in enumerate(names)
    )
    return (Timetable(timeblocks=blocks),)


@dataclass
class Says:
    """A document model that gives one answer, and counts how often it was asked."""

    name: str
    answer: tuple[Timetable, ...] | ModelError
    asked: list[Document] = field(default_factory=list)

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        self.asked.append(document)
        if isinstance(self.answer, ModelError):
            raise self.answer
        return self.answer


def auto(rules: Says, layout: Says) -> DocumentService:
    return DocumentService(RulesAndLayout(layout, rules, HOURS), HOURS)


def test_where_the_transformer_fails_the_rules_answer_once_and_the_reason_is_told() -> None:
    rules, layout = Says("rules", week("Maths")), Says("layout", ModelError("too long", mend="Use the rules"))
    found = auto(rules, layout).extract(DOCUMENT)
    assert found.timetables == week("Maths")
    assert (found.model, found.fallback_reason, found.judge) == ("rules", "layout failed: model_error", None)
    assert len(rules.asked) == 1


def test_where_only_the_transformer_finds_a_week_it_is_taken() -> None:
    found = auto(Says("rules", ()), Says("layout", week("Maths"))).extract(DOCUMENT)
    assert (found.timetables, found.model, found.judge) == (week("Maths"), "layout", "auto")


def test_where_it_finds_none_the_rules_are_taken() -> None:
    found = auto(Says("rules", week("Maths")), Says("layout", ())).extract(DOCUMENT)
    assert (found.model, found.fallback_reason, found.judge) == ("rules", None, "auto")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(ModelError("broken", mend="Repair it"), "other failed: model_error"), ((), "other found no timetable")],
)
def test_any_other_model_falls_back_to_the_rules(answer: tuple[Timetable, ...] | ModelError, reason: str) -> None:
    found = DocumentService(Says("other", answer), HOURS).extract(DOCUMENT)
    assert (found.model, found.fallback_reason) == ("rules", reason)


KNOWN = SchoolMemory(documents=3, names={"Maths": 9, "English": 7, "Music": 4})
STRANGE = SchoolMemory(documents=3, names={"Ringen": 9, "Segeln": 7})
RIGHT = week("Maths", "English", "Music")


@pytest.mark.parametrize("wrong", [week("Mths", "Engiish", "Muslc"), week("Maths English", "Music PE")])
def test_of_two_readings_the_one_is_taken_that_is_like_the_school(wrong: tuple[Timetable, ...]) -> None:
    first = auto(Says("rules", RIGHT), Says("layout", wrong)).extract(DOCUMENT, KNOWN)
    second = auto(Says("rules", wrong), Says("layout", RIGHT)).extract(DOCUMENT, KNOWN)
    assert (first.model, second.model) == ("rules", "layout")
    assert [first.by_school, second.by_school].count(True) == 1, "it told only where it decided"
    plain = auto(Says("rules", RIGHT), Says("layout", wrong)).extract(DOCUMENT)
    assert plain.by_school is False
    assert (plain.model != first.model) == first.by_school


@pytest.mark.parametrize("memory", [SchoolMemory(), STRANGE, SchoolMemory(names={"Maths": 1})])
def test_a_school_that_knows_neither_reading_decides_nothing(memory: SchoolMemory) -> None:
    rules, layout = week("Latin", "Greek"), week("Latin and Greek")
    for one, two in ((rules, layout), (layout, rules)):
        plain = auto(Says("rules", one), Says("layout", two)).extract(DOCUMENT)
        assert auto(Says("rules", one), Says("layout", two)).extract(DOCUMENT, memory) == plain


def test_likeness_is_the_share_of_names_that_were_printed_before() -> None:
    assert likeness(week("Maths", "Latin"), KNOWN) == 0.5
    assert likeness(RIGHT, KNOWN) == 1.0
    assert likeness((), KNOWN) == likeness(RIGHT, SchoolMemory()) == 0.0


def test_other_hours_do_not_load_the_network_again() -> None:
    one, other = (DOCUMENT_MODELS["auto"](hours) for hours in (HOURS, SchoolHours(earliest=480)))
    assert isinstance(one, RulesAndLayout)
    assert isinstance(other, RulesAndLayout)
    assert isinstance(one.layout, LayoutModel)
    assert isinstance(other.layout, LayoutModel)
    assert one.layout.card is other.layout.card
    assert (one.layout.hours.earliest, other.layout.hours.earliest) == (HOURS.earliest, 480)
