"""Lines in doubt: a school decides between what the recognizer proposed, and adds nothing of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawn import drawn
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Document, Source
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_periods import LEAST, Periods, nearest
from pocai.timetable.school_reading import MOST, Reader, mended, proposals

MEMORY = SchoolMemory(
    documents=3,
    names={"Maths": 9, "Art and Design": 5, "Inglés": 4, "Year 10": 3, "Musik": LEAST - 1},
    notes={"Room 12": 4, "Frau Maß": 2},
    periods={(540, 600): 9, (600, 660): 8, (675, 720): 5, (780, 800): LEAST - 1},
)
READER = Reader.of(MEMORY)


def said(text: str, *alternatives: str) -> str:
    return READER.chosen(text, alternatives)[0]


def document(text: str, *alternatives: str, source: Source = "ocr") -> Document:
    """A page with one line."""
    page = drawn("x")
    line = replace(page.lines[0], text=text, alternatives=alternatives, source=source)
    return Document((page.with_lines([line]),), "jpeg", "0" * 64)


@pytest.mark.parametrize(
    ("text", "alternatives", "better"),
    [
        ("Moths", ("Maths", "Months"), "Maths"),
        ("Ingiés", ("Ingles", "Inglés"), "Inglés"),
        ("Moths Room 12", ("Maths Raom 12", "Moths Raom 12"), "Maths Room 12"),
        ("ArtandDesign", ("Art andDesign", "Art and Design"), "Art and Design"),
        ("Frau Maf3", ("Frau Mai3", "Frau Maß"), "Frau Maf3"),  # a digit that was read stays
        ("Years 10", ("Year 10",), "Year 10"),
    ],
)
def test_words_of_the_school_count_where_they_were_proposed(
    text: str, alternatives: tuple[str, ...], better: str
) -> None:
    assert said(text, *alternatives) == better


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("Moths", ()),  # the school knows better, the recognizer did not think of it
        ("Moths", ("Mouths", "Months")),
        ("Maths", ("Moths", "Inglés")),  # known: there is nothing to decide
        ("Musk", ("Musik",)),  # printed once: perhaps misread itself
        ("Year 11", ("Year 10",)),  # a digit is never another one
        ("Room 1", ("Room 12",)),
        ("1GEO3·11·MASS", ("1GEO3 - 11 · MASS",)),
    ],
)
def test_everything_else_stays(text: str, alternatives: tuple[str, ...]) -> None:
    assert READER.chosen(text, alternatives) == (text, frozenset())


def test_other_signs_between_the_same_words_are_no_better_reading() -> None:
    reader = Reader.of(SchoolMemory(names={"Maths - 11": 5}))
    assert reader.chosen("Maths·11", ["Maths - 11"]) == ("Maths·11", frozenset())
    assert reader.chosen("Maths-11", ["Maths - 11"])[0] == "Maths - 11"


@pytest.mark.parametrize(
    ("text", "alternatives", "better"),
    [
        ("8:00-10:00", ("9:00-10:00",), "9:00-10:00"),
        ("8:00 - 10:05", ("8:00 - 10:00", "9:00 - 10:05"), "9:00 - 10:00"),  # each part was proposed
        ("90O-10 Maths", ("900-10 Maths", "9:00-10 Maths"), "9:00-10 Maths"),
    ],
)
def test_times_that_are_periods_count_where_they_were_proposed(
    text: str, alternatives: tuple[str, ...], better: str
) -> None:
    assert said(text, *alternatives) == better


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("9:00-10:00", ("10:00-11:00",)),  # a period already
        ("8:00-8:30", ("8:00-8:35",)),  # neither is one: perhaps it is a new one
        ("13:00-13:30", ("13:00-13:20",)),  # printed once
        ("9:00-10:05", ("9:00",)),  # an end that was read is not given up
    ],
)
def test_other_times_stay_as_they_were_read(text: str, alternatives: tuple[str, ...]) -> None:
    assert READER.chosen(text, alternatives) == (text, frozenset())


def test_what_was_decided_is_told() -> None:
    text, kinds = READER.chosen("8:00-10:00 Moths", ["9:00-10:00 Moths", "8:00-10:00 Maths"])
    assert (text, sorted(kinds)) == ("9:00-10:00 Maths", ["time", "words"])
    assert sorted(READER.chosen("8:00-10:00", ["9:00-10:00"])[1]) == ["time"]
    assert sorted(READER.chosen("Moths", ["Maths"])[1]) == ["words"]


LETTERS = st.text("Mathso0191:-. IngléCr", max_size=12)


@given(LETTERS, st.lists(LETTERS, max_size=6))
def test_every_word_was_read_or_proposed(text: str, alternatives: list[str]) -> None:
    found, kinds = READER.chosen(text, alternatives)
    known = {word for each in (text, *alternatives) for word in each.split()}
    assert set(found.split()) <= known
    assert kinds or found == text
    if found not in alternatives and found != text:  # words of several: each in its own place
        options = [
            parts for parts in (each.split() for each in (text, *alternatives)) if len(parts) == len(found.split())
        ]
        assert all(word in {parts[place] for parts in options} for place, word in enumerate(found.split()))


@given(LETTERS, st.lists(LETTERS, max_size=6))
def test_a_memory_of_nothing_decides_nothing(text: str, alternatives: list[str]) -> None:
    for memory in (SchoolMemory(), SchoolMemory(1, names={"Maths": 1, "Cc": 1}, periods={(540, 600): 1})):
        assert Reader.of(memory).chosen(text, alternatives) == (text, frozenset())


def test_no_more_combinations_than_a_bound() -> None:
    words = [" ".join(f"{letter}{number}" for number in range(20)) for letter in "abcdefgh"]
    assert len(list(proposals(words[0], words[1:]))) <= len(words) - 1 + MOST


def test_a_line_keeps_its_place_and_what_it_was_read_as() -> None:
    before = document("Moths Room 12", "Maths Room 12", "Moths Room 1Z")
    after, changes = mended(before, MEMORY)
    line, old = after.pages[0].lines[0], before.pages[0].lines[0]
    assert (line.text, line.alternatives) == ("Maths Room 12", ("Moths Room 12", "Moths Room 1Z"))
    assert (line.quad, line.confidence, line.reader) == (old.quad, old.confidence, old.reader)
    assert [(each.kind, each.text) for each in changes] == [("words", "Maths Room 12")]


@pytest.mark.parametrize("source", ["pdf", "docx", "xlsx"])
def test_native_text_is_never_in_doubt(source: Source) -> None:
    before = document("Moths", "Maths", source=source)
    assert mended(before, MEMORY) == (before, ())


def test_a_page_without_doubts_is_handed_on_as_it_is() -> None:
    before = document("Moths")
    after, changes = mended(before, MEMORY)
    assert after is before
    assert changes == ()


def test_periods_that_hold_others_are_not_simple() -> None:
    periods = Periods.of(SchoolMemory(periods={(540, 600): 3, (600, 660): 3, (540, 660): 2, (700, 720): 1}))
    assert periods.simple == ((540, 600), (600, 660))
    assert (periods.end_after(540), periods.start_before(660), periods.end_after(700)) == (600, 600, None)


def test_the_nearest_boundary_is_the_only_one() -> None:
    assert nearest(543, (480, 540, 600), 10) == 540
    assert nearest(570, (540, 600), 30) is None, "two are as near"
    assert nearest(560, (540, 600), 10) is None
    assert nearest(560, (), 10) is None
