"""Support: what a timetable says is kept where the page says it too, and taken out where it does not."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import NOTATIONS, as_docx
from strategies import timetables

from pocai.documents.ingest import load
from pocai.documents.page import Box, Document, Line, Page, Quad
from pocai.settings import Limits, SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.assemble import assemble
from pocai.timetable.letters import letters_of
from pocai.timetable.printed import Printed
from pocai.timetable.support import NOT_PRINTED, Unsupported, checked
from pocai.timetable.timetable import Evidence, Mark, TimeBlock, Timetable
from pocai.training.document_model.made_pages import made_pages

HOURS = SchoolHours()
WORDS = st.sampled_from(("Maths", "PE", "Übung", "Art", "3b", "Straße", "D&T", "(Set", "2)", "Ökonomie", "l'été"))


def line(text: str, left: float = 0, top: float = 0) -> Line:
    return Line(text, Quad.of(Box(left, top, left + 6 * len(text), top + 10)), source="pdf")


def below(*texts: str, step: float = 20) -> list[Line]:
    """Lines below each other."""
    return [line(text, top=step * row) for row, text in enumerate(texts)]


def apart(*texts: str) -> list[Line]:
    """Lines of which no two share a row or a column."""
    return [line(text, left=500 * number, top=50 * number) for number, text in enumerate(texts)]


def document(lines: Sequence[Line], *others: Sequence[Line]) -> Document:
    pages = [Page(number, 1000, 1000, tuple(each), unit="pt") for number, each in enumerate((lines, *others))]
    return Document(tuple(pages), "pdf", "0" * 64)


def block(**values: object) -> TimeBlock:
    return TimeBlock.model_validate({"day": None, "name": "Maths", **values})


@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_stretches_of_lines_are_supported(rows: list[list[str]], data: st.DataObject) -> None:
    """Whatever stretches of words are copied from the lines, in whatever case and with whatever dashes between."""
    lines = apart(*(" ".join(row) for row in rows))
    stretches = []
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(rows))
        begin = data.draw(st.integers(0, len(row) - 1))
        stretches.append(" ".join(row[begin : data.draw(st.integers(begin + 1, len(row)))]))
    said = data.draw(st.sampled_from((" ", " – ", ", ", " / "))).join(stretches)
    found = Printed(lines).text(data.draw(st.sampled_from((said, said.upper(), said.casefold()))))
    assert found is not None
    assert len(found) <= len(stretches)


@given(
    st.lists(st.text(string.ascii_letters + " -", min_size=1, max_size=12), min_size=1, max_size=6),
    st.text(string.ascii_letters + " -,", min_size=1, max_size=12),
)
def test_every_word_of_a_supported_text_is_a_word_on_the_page(texts: list[str], value: str) -> None:
    """The other way round, by a plainer rule: lines that do not touch hold whole words, and capitals begin some."""
    words = {part for text in texts for part in re.findall(r"[a-z]+|[A-Z][a-z]*|[A-Z]+", text)}
    letters = {letter for word in words for letter in word.casefold()}
    found = Printed(apart(*texts)).text(value)
    if found is not None:
        assert set(letters_of(value).text) <= letters | {","}
        held = ["".join(re.findall(r"[a-zA-Z]", each.text)).casefold() for each in found]
        for word in re.findall(r"[a-z]{2,}", value):
            assert any(word in text for text in held)


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["Maths with", "Ms Hill"], "Maths with Ms Hill"),
        (["Mathe-", "matik"], "Mathematik"),
        (["B", "R", "E", "A", "K"], "Break"),
        (["B R E A K"], "BREAK"),
        (["Lunch12:00"], "Lunch"),
        (["ScienceLab 3"], "Science"),
        (["Caf\u00e9 ½"], "Cafe\u0301"),
        (["Art—Craft"], "Art - Craft"),
        (["Room 3", "Ms Hill"], "Ms Hill · Room 3"),
        (["Straße"], "STRASSE"),
        (["\ufb01ne art"], "fine art"),
        (["3º A"], "3º A"),
    ],
)
def test_what_is_printed_is_supported(texts: list[str], value: str) -> None:
    assert Printed(below(*texts)).text(value) is not None


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (below("Party"), "Art"),
        (below("the art"), "heart"),
        (apart("M", "A", "T"), "Mat"),
        (apart("Mathe-", "matik"), "Mathematik"),
        (below("Maths"), "Maths club"),
        (below("Mahts"), "Maths"),
        (below("Room 35"), "Room 3.5"),
        (below("Room 35"), "Room 3"),
        (below("Maths"), "–"),
        ([], "Maths"),
    ],
)
def test_what_is_not_printed_is_not_supported(lines: list[Line], value: str) -> None:
    assert Printed(lines).text(value) is None


def test_the_fewest_lines_support_a_text() -> None:
    lines = below("Art", "and", "Craft", "Art and Craft")
    assert Printed(lines).text("Art and Craft") == (lines[3],)


@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(("{h:02d}:{m:02d}", "{h}.{m:02d}", "{h}h{m:02d}")))
def test_a_printed_time_supports_itself_and_half_a_day_from_it_alone(hour: int, minute: int, notation: str) -> None:
    found = Printed([line(notation.format(h=hour, m=minute))]).minutes
    assert hour * 60 + minute in found or notation.startswith("{h}")  # "0h05" is a length
    assert {each % 720 for each in found} <= {(hour * 60 + minute) % 720}


@pytest.mark.parametrize(
    ("texts", "minutes"),
    [
        (["9"], {540, 1260}),
        (["11-1pm"], {660, 780}),
        (["9.00-", "9.45"], {540, 1260, 585, 1305}),
        (["Maths 9 -", "10am"], {540, 600}),
        (["Room 12", "Year 3"], set()),
        (["from midday"], {720}),
    ],
)
def test_times_are_those_that_the_lines_print(texts: list[str], minutes: set[int]) -> None:
    assert set(Printed(below(*texts)).minutes) == minutes


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["Mon-Wed"], {"Monday", "Tuesday", "Wednesday"}),
        (["Donnerstag, 12.9."], {"Thursday"}),
        (["M T W"], {"Monday", "Tuesday", "Wednesday"}),
        (["D&T 2"], set()),
        (["M", "T", "W"], {"Monday", "Tuesday", "Wednesday", "Thursday"}),
        (["M"], set()),
        (["M 12", "T 13", "F 16"], {"Monday", "Tuesday", "Thursday", "Friday"}),
        (["S10", "T3", "M4"], set()),
        (["Maths and friends"], set()),
    ],
)
def test_days_are_those_that_the_lines_name(texts: list[str], days: set[str]) -> None:
    found = set(Printed(below(*texts)).days)
    assert days <= found
    assert bool(found) == bool(days)
    assert len(found - days) <= 1  # of a letter or a short form all days that it may stand for


def test_a_word_that_is_set_downwards_is_no_row_of_days() -> None:
    assert set(Printed(below(*"MONDAY", step=12)).days) == {"Monday"}
    assert set(Printed(below(*"LUNCH", step=12)).days) == set()


@pytest.mark.parametrize(("text", "year"), [("2024/25", 2025), ("2024", 2024), ("Term 1 – 2024", 2024), ("'25", 2025)])
def test_a_year_is_printed_whole_or_as_the_second_of_two(text: str, year: int) -> None:
    assert Printed([line(text)]).year(year)
    assert not Printed([line(text)]).year(year + 2)


@settings(max_examples=12)
@given(timetables(), st.sampled_from(sorted(NOTATIONS)), st.booleans())
def test_what_the_rules_read_from_a_document_is_supported(week: Timetable, notation: str, across: bool) -> None:
    data = as_docx(week, days_across=across, notation=NOTATIONS[notation])
    read = load(data, limits=Limits())
    found = assemble(read, HOURS)
    result = checked(found, read)
    days = {each.day for each in week.timeblocks}
    for each in result.unsupported:  # now and then the rules take a name such as "D&T 2" for days
        assert each.field == "day"
        assert found[each.timetable].timeblocks[each.block or 0].day not in days
    assert result.unsupported or result.timetables == found


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_about_a_made_document_is_supported(seed: int) -> None:
    drawing = compose(seed)
    pages = made_pages(drawing, np.random.default_rng(seed), plain=True)
    read = Document(tuple(made.page for made in pages), "pdf", "0" * 64)
    result = checked(drawing.timetables, read)
    places = {each.field for each in result.unsupported}
    assert places <= {"startTime", "endTime"}  # of events that share a slot, a time that is printed nowhere
    assert [len(each.timeblocks) for each in result.timetables] == [len(each.timeblocks) for each in drawing.timetables]


@settings(max_examples=12)
@given(timetables(), st.data())
def test_an_invented_value_goes_and_all_others_stay(week: Timetable, data: st.DataObject) -> None:
    read = load(as_docx(week, days_across=True), limits=Limits())
    found = assemble(read, HOURS)[0]
    at = data.draw(st.integers(0, len(found.timeblocks) - 1))
    field, attribute, value = data.draw(
        st.sampled_from(
            (
                ("name", "name", "Quidditch"),
                ("notes", "notes", "Zauberwald"),
                ("startTime", "start_time", "03:07"),
                ("endTime", "end_time", "23:59"),
                ("day", "day", "Sunday"),
            )
        )
    )
    if value == "Sunday" and any(each.day == "Sunday" for each in found.timeblocks):
        return
    blocks = list(found.timeblocks)
    blocks[at] = blocks[at].model_copy(update={attribute: value})
    result = checked([found.model_copy(update={"timeblocks": tuple(blocks)})], read)
    assert [(each.block, each.field) for each in result.unsupported] == [(at, field)]
    left = [each for number, each in enumerate(found.timeblocks) if number != at]
    if field == "name":
        assert [each.timeblocks for each in result.timetables] == ([tuple(left)] if left else [])
        return
    changed = result.timetables[0].timeblocks[at]
    assert getattr(changed, attribute) is None
    assert field not in changed.fields
    assert [each for number, each in enumerate(result.timetables[0].timeblocks) if number != at] == left


def test_what_was_taken_out_is_told_without_its_text() -> None:
    read = document(below("Maths", "9.00"))
    week = Timetable(timeblocks=(block(start_time="09:00"), block(name="Secret")), teacher="Ms Secret")
    result = checked([week], read)
    assert result.unsupported == (Unsupported(0, 1, "name"), Unsupported(0, None, "teacher"))
    told = [str(each) for each in result.unsupported]
    assert told[0] == f"timetable 1, block 2: name left out with its block, {NOT_PRINTED}"
    assert told[1] == f"timetable 1: teacher left empty, {NOT_PRINTED}"


def test_a_timetable_without_supported_blocks_is_left_out() -> None:
    assert checked([Timetable(timeblocks=(block(name="Secret"),))], document(below("Maths"))).timetables == ()


def test_a_value_without_a_mark_gets_that_of_its_lines() -> None:
    lines = [replace(each, confidence=score) for each, score in zip(below("Maths", "with"), (0.9, 0.7), strict=True)]
    week = Timetable(timeblocks=(block(name="Maths with"),), title="Maths")
    found = checked([week], document(lines)).timetables[0]
    mark = found.timeblocks[0].fields["name"]
    assert (mark.box, mark.reading_score, mark.evidence) == ((0, 0, 30, 30), 0.7, Evidence.PRINTED)
    assert found.fields["title"].box == (0, 0, 30, 10)


def test_a_mark_that_misses_its_value_is_put_right() -> None:
    lines = below("Maths", "Music")
    wrong = Mark(page=0, box=(0, 20, 30, 30), confidence=0.8, reason=None)
    found = checked([Timetable(timeblocks=(block(fields={"name": wrong}),))], document(lines)).timetables[0]
    assert found.timeblocks[0].fields["name"] == wrong.model_copy(update={"box": (0, 0, 30, 10)})


def test_only_the_pages_of_a_timetable_speak_for_it() -> None:
    read = document(below("Maths"), below("Music"))
    blocks = (block(), block(name="Music"))
    assert len(checked([Timetable(timeblocks=blocks, pages=(0,))], read).timetables[0].timeblocks) == 1
    assert len(checked([Timetable(timeblocks=blocks, pages=(0, 1))], read).timetables[0].timeblocks) == 2
    assert len(checked([Timetable(timeblocks=blocks)], read).timetables[0].timeblocks) == 2


@pytest.mark.parametrize(("time", "kept"), [("09:20", True), ("09:45", True), ("23:00", False)])
def test_an_inferred_time_needs_printed_ones_around_it(time: str, kept: bool) -> None:
    inferred = Mark(page=0, box=(0, 20, 60, 30), evidence=Evidence.INFERRED)
    week = Timetable(timeblocks=(block(start_time=time, fields={"startTime": inferred}),))
    result = checked([week], document(below("Maths", "9.00-9.45"))).timetables[0].timeblocks[0]
    assert (result.start_time, result.fields.get("startTime")) == ((time, inferred) if kept else (None, None))


def test_a_day_whose_label_cannot_be_read_follows_from_its_neighbours() -> None:
    read = document(below("Maths", "Monday", "Tsudy", "Wednesday"))
    marks = {"day": Mark(page=0, box=(0, 40, 30, 50), evidence=Evidence.HEADER)}
    week = Timetable(timeblocks=(block(day="Tuesday", fields=marks), block(day="Friday", fields=marks)))
    first, second = checked([week], read).timetables[0].timeblocks
    assert (first.day, first.fields["day"].evidence) == ("Tuesday", Evidence.INFERRED)
    assert second.day is None


def test_weeks_are_printed_too() -> None:
    week = Timetable(timeblocks=(block(weeks="B"), block(weeks="A")))
    result = checked([week], document(below("Maths", "Week B")))
    assert [each.weeks for each in result.timetables[0].timeblocks] == ["B", None]
    assert result.unsupported == (Unsupported(0, 1, "weeks"),)
