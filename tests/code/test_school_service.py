"""Assembly with a school's memory: what it may change, what it never changes, and what it tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import drawn
from rendering import as_docx
from school_documents import doubtful_documents, knowing

from pocai.documents.page import Document, Line
from pocai.evaluation.timetables import compare, total
from pocai.inference import pipeline
from pocai.inference.document_service import Assembly
from pocai.inference.school_service import assembled
from pocai.settings import Settings
from pocai.timetable.printed import Printed
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_periods import LEAST
from pocai.timetable.school_reading import mended
from pocai.timetable.school_use import MARGIN, usual_hours
from pocai.timetable.support import lines_of
from pocai.timetable.timetable import Evidence, TimeBlock, Timetable

COUNT = 40
HARM = 0.005  # of block F1, by the memory of another school
AUTO = Settings.model_construct(threads=1)
RULES = Settings.model_construct(threads=1, document_model="rules")
WEEK = """
                 Monday        Tuesday       Wednesday

9.00-9.45        Maths         English       Music

9.45-10.30       Art           Science       Games

10.45-11.30      French        History       Drama
"""
EVENING = """
                 Monday        Tuesday       Wednesday

7.30-8.15        Maths         English       Music

8.15-9.00        Art           Science       Games
"""
MEMORY = SchoolMemory(
    documents=2,
    names={"Maths": 5, "Science": 5, "Games": 5},
    periods={(540, 585): 5, (585, 630): 5, (645, 690): 5},
)


def document(text: str, **other: tuple[str, ...]) -> Document:
    """A drawn page; ``other`` are lines as they were read, with their alternatives."""
    page = drawn(text)
    read = {alternatives[-1]: (misread, alternatives) for misread, alternatives in other.items()}
    lines = [
        replace(line, text=read[line.text][0], alternatives=read[line.text][1]) if line.text in read else line
        for line in page.lines
    ]
    return Document((page.with_lines(lines),), "jpeg", "0" * 64)


def blocks(assembly: Assembly) -> list[TimeBlock]:
    return [block for timetable in assembly.timetables for block in timetable.timeblocks]


def told(assembly: Assembly) -> set[tuple[str, str]]:
    """Names of blocks, with those of their fields that rest on the school."""
    return {
        (block.name, name)
        for block in blocks(assembly)
        for name, mark in block.fields.items()
        if mark.evidence is Evidence.SCHOOL
    }


def test_a_name_in_doubt_is_read_as_the_school_prints_it() -> None:
    doubtful = document(WEEK, Scienoe=("Scienco", "Science"))
    assert "Scienoe" in {block.name for block in blocks(assembled(doubtful, RULES, None)[0])}
    assembly, decided = assembled(doubtful, RULES, MEMORY)
    assert "Science" in {block.name for block in blocks(assembly)}
    assert told(assembly) == {("Science", "name")}
    assert "Science" in {line.text for line in decided.pages[0].lines}


def test_a_time_in_doubt_is_read_as_the_school_keeps_it() -> None:
    doubtful = replace_time(document(WEEK), "9.45-10.30", "9.45-10.80", ("9.45-10.50", "9.45-10.30"))
    assembly, _ = assembled(doubtful, RULES, MEMORY)
    assert {(b.start_time, b.end_time) for b in blocks(assembly) if b.name == "Art"} == {("09:45", "10:30")}
    assert ("Art", "endTime") in told(assembly)
    assert not any(name == "Maths" for name, _ in told(assembly))


def replace_time(before: Document, text: str, misread: str, alternatives: tuple[str, ...]) -> Document:
    page = before.pages[0]
    lines = [
        replace(line, text=misread, alternatives=alternatives) if line.text == text else line for line in page.lines
    ]
    return replace(before, pages=(page.with_lines(lines),))


def test_habit_says_which_half_of_the_day_is_meant() -> None:
    page = document(EVENING)
    evening = SchoolMemory(documents=2, periods={(1170, 1215): 5, (1215, 1260): 5})
    assert {block.start_time for block in blocks(assembled(page, RULES, None)[0])} == {"07:30", "08:15"}
    assembly, _ = assembled(page, RULES, evening)
    assert {(block.start_time, block.end_time) for block in blocks(assembly)} == {
        ("19:30", "20:15"),
        ("20:15", "21:00"),
    }
    assert {name for _, name in told(assembly)} == {"startTime", "endTime"}


def test_a_time_that_the_school_never_keeps_stays_as_it_is_printed() -> None:
    page = document(EVENING.replace("7.30-8.15", "07:30-08:15").replace("8.15-9.00", "08:15-09:00"))
    evening = SchoolMemory(documents=2, periods={(1170, 1215): 5, (1215, 1260): 5})
    assert usual_hours(evening, RULES.school_hours).earliest == 1170 - MARGIN
    plain, _ = assembled(page, RULES, None)
    assert assembled(page, RULES, evening)[0].timetables == plain.timetables


@pytest.fixture(scope="module")
def made() -> list[tuple[Document, tuple[Timetable, ...]]]:
    return list(doubtful_documents(COUNT))


Made = list[tuple[Document, tuple[Timetable, ...]]]


@pytest.mark.parametrize("settings", [RULES, AUTO], ids=["rules", "auto"])
def test_an_empty_or_poor_memory_changes_nothing_at_all(made: Made, settings: Settings) -> None:
    for page, truth in made:
        plain = assembled(page, settings, None)
        rich = knowing(truth, 1)
        poor = SchoolMemory(
            1,
            periods=dict.fromkeys(rich.periods, LEAST - 1),
            names=dict.fromkeys(rich.names, LEAST - 1),
            notes=dict.fromkeys(rich.notes, LEAST - 1),
        )
        assert assembled(page, settings, SchoolMemory()) == plain
        assert assembled(page, settings, poor) == plain


def test_the_schools_own_memory_makes_the_reading_better_and_anothers_hardly_worse(made: Made) -> None:
    memories = [knowing(truth) for _, truth in made]
    without, own, other = (
        [
            compare({"timetables": dumped(truth)}, assembled(page, AUTO, memory)[0].timetables).counts
            for (page, truth), memory in zip(made, some, strict=True)
        ]
        for some in ([None] * COUNT, memories, [*memories[1:], memories[0]])
    )
    plain, better, worse = (total(each).figures.block for each in (without, own, other))
    assert better > plain + 0.02
    assert worse >= plain - HARM


def dumped(truth: tuple[Timetable, ...]) -> list[dict[str, object]]:
    return [each.model_dump(by_alias=True, mode="json") for each in truth]


def replaced(before: Document, after: Document) -> Iterator[tuple[Line, Line]]:
    """The lines that say something else after, with what they said before."""
    for old, new in zip(before.pages, after.pages, strict=True):
        yield from ((one, two) for one, two in zip(old.lines, new.lines, strict=True) if one.text != two.text)


def test_names_are_made_of_lines_or_of_their_proposals(made: Made) -> None:
    changed = 0
    for page, truth in made:
        assembly, decided = assembled(page, AUTO, knowing(truth))
        for old, new in replaced(page, decided):
            assert old.alternatives, "of a line that is not in doubt nothing is changed"
            assert set(new.text.split()) <= {word for text in (old.text, *old.alternatives) for word in text.split()}
            changed += 1
        printed = Printed([line for each in decided.pages for line in lines_of(each)])
        assert [block.name for block in blocks(assembly) if printed.text(block.name) is None] == []
    assert changed > COUNT


def test_each_change_is_told(made: Made) -> None:
    for page, truth in made:
        memory = knowing(truth)
        decided, changes = mended(page, memory)
        assert bool(changes) == (decided != page)
        assembly, _ = assembled(page, RULES, memory)
        plain, _ = assembled(decided, RULES, None)
        old = [(block.name, block.start_time, block.end_time) for block in blocks(plain)]
        for before, block in zip(old, blocks(assembly), strict=True):
            if before != (block.name, block.start_time, block.end_time):
                assert any(mark.evidence is Evidence.SCHOOL for mark in block.fields.values())


def test_a_missing_adapter_fails_no_extraction(tmp_path: Path) -> None:
    page = document(WEEK)
    lost = SchoolMemory(adapter=str(tmp_path / "secret-name"))
    for settings in (RULES, AUTO):
        plain, _ = assembled(page, settings, None)
        assembly, _ = assembled(page, settings, lost)
        assert assembly.timetables == plain.timetables
        assert assembly.model == plain.model
        assert assembly.fallback_reason == "the school's adapter was not used: model_error"


def test_an_extraction_tells_that_an_adapter_was_not_used(tmp_path: Path) -> None:
    week = Timetable(
        timeblocks=tuple(
            TimeBlock(day=day, name=name, start_time=start, end_time=end)
            for day in ("Monday", "Tuesday")
            for name, start, end in (("Maths", "09:00", "10:00"), ("Art", "10:00", "11:00"), ("PE", "11:00", "12:00"))
        )
    )
    data = as_docx(week, days_across=True)
    plain = pipeline.read(data)
    extraction = pipeline.read(data, memory=SchoolMemory(adapter=str(tmp_path)))
    assert extraction.timetables == plain.timetables
    assert set(extraction.warnings) - set(plain.warnings) == {"the school's adapter was not used: model_error"}
