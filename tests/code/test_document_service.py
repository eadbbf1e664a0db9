"""Which document model answers, and why it was not the one asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pocai.documents.page import Document
from pocai.errors import ModelError
from pocai.inference.document_service import DocumentService, RulesAndLayout
from pocai.settings import SchoolHours
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
