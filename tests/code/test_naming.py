"""What a cell says: name, notes, times, as a careful person would sort them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pocai.documents.page import Box, Line, Quad
from pocai.timetable.naming import Context, folded, joined, learned_from, wording


def cell(*texts: str | tuple[str, float]) -> list[Line]:
    """Lines below each other, centred in a cell of 200 units; a number is the height of the writing."""
    lines, top = [], 10.0
    for text in texts:
        words, size = text if isinstance(text, tuple) else (text, 12.0)
        half = 0.25 * size * len(words)
        lines.append(Line(words, Quad.of(Box(100 - half, top, 100 + half, top + size)), size=size))
        top += size + 4
    return lines


@pytest.mark.parametrize(
    ("lines", "name", "notes"),
    [
        (cell("Maths"), "Maths", None),
        (cell("Shared Reading", "Circle"), "Shared Reading Circle", None),
        (cell("Project", "(Rivers/Maps)"), "Project", "(Rivers/Maps)"),
        (cell("Silent Hour", "(Books or", "own work)"), "Silent Hour", "(Books or own work)"),
        (cell("Letter Work (Sounds)"), "Letter Work (Sounds)", None),
        (cell("Evening Club (Usually", "begins at 20.00)"), "Evening Club", "(Usually begins at 20.00)"),
        (cell("Catering", "Group C4"), "Catering", "Group C4"),
        (cell("Prof. Ada Example", "D7.1 Waves", "L3"), "D7.1 Waves", "Prof. Ada Example L3"),
        (cell("Chemistry", ("bring goggles", 7.0)), "Chemistry", "bring goggles"),
        (cell("Art", "Mr Example", "Room 12"), "Art", "Mr Example Room 12"),
        (cell("1ABC3 · R11 · EXAM"), "1ABC3", "R11 · EXAM"),
        (cell("7A Maths Room 3"), "7A Maths", "Room 3"),
        (cell("Analysis", "(Weeks 1-2)", "L1"), "Analysis", "(Weeks 1-2) L1"),
        (cell("Percus-", "sion"), "Percussion", None),
        (cell("B", "R", "E", "A", "K"), "BREAK", None),
        (cell("L U N C H"), "LUNCH", None),
        (cell("Genetics ·", "Room 3"), "Genetics", "Room 3"),
        (cell("· H-23"), "H-23", None),
        (cell("Chemistry /", "Physics"), "Chemistry / Physics", None),
        (cell("Chemistry /"), "Chemistry", None),
        (cell("Miss Example"), "Miss Example", None),
        (cell("Lunch - 12:10-13:05"), "Lunch", None),
        (cell("PE (1:35-2:20)"), "PE", None),
        (cell("Yoga 13:30 -", "14:30"), "Yoga", None),
    ],
)
def test_names_and_notes(lines: list[Line], name: str, notes: str | None) -> None:
    words = wording(lines)
    assert (words.name, words.notes) == (name, notes)


def test_times_are_found_over_the_end_of_a_line() -> None:
    (span,) = wording(cell("10:35 –", "11:25", "English")).spans
    assert span.start is not None
    assert span.end is not None
    assert (span.start.hour, span.end.minute) == (10, 25)


def test_what_stands_in_the_corners_of_a_cell_is_a_note() -> None:
    box = Box(0, 0, 200, 100)
    lines = [
        Line("Computing Suite", Quad.of(Box(120, 5, 196, 17)), size=12),
        Line("Geometry", Quad.of(Box(70, 40, 130, 52)), size=12),
        Line("EXAMPLE ANNA", Quad.of(Box(110, 85, 196, 95)), size=10),
    ]
    words = wording(lines, box)
    assert (words.name, words.notes) == ("Geometry", "Computing Suite EXAMPLE ANNA")


def test_lines_that_begin_together_are_one_text_wherever_they_stand() -> None:
    box = Box(0, 0, 200, 100)
    lines = [
        Line("Modern", Quad.of(Box(60, 10, 100, 22)), size=12),
        Line("Problems today", Quad.of(Box(60, 26, 140, 38)), size=12),
    ]
    assert wording(lines, box).name == "Modern Problems today"


def test_a_name_that_breaks_here_and_not_elsewhere_is_one() -> None:
    known = Context(frozenset({folded("Prof. Ada Example")}))
    words = wording(cell("Prof. Ada", "Example", "Algebra"), None, known)
    assert (words.name, words.notes) == ("Algebra", "Prof. Ada Example")


def test_a_column_of_rooms_holds_only_notes() -> None:
    lines = [*cell("Sports"), Line("Blue", Quad.of(Box(300, 10, 340, 22)), size=12)]
    words = wording(lines, None, Context(note_columns=((280.0, 360.0),)))
    assert (words.name, words.notes) == ("Sports", "Blue")


def test_nothing_is_corrected() -> None:
    assert joined(["Handwritting", "and Musik"]) == "Handwritting and Musik"


def row(*texts: tuple[str, float]) -> list[Line]:
    """Lines of a PDF file beside each other, a space apart, with the size of their type."""
    lines, left = [], 4.0
    for words, size in texts:
        wide = 0.5 * size * len(words)
        lines.append(Line(words, Quad.of(Box(left, 20, left + wide, 20 + size)), size=size, source="pdf"))
        left += wide + 0.3 * size
    return lines


def test_what_goes_on_in_smaller_type_in_the_same_row_is_a_note() -> None:
    words = wording(row(("Statica", 9.8), ("Bellini", 8.9), ("Polo W", 8.9)))
    assert (words.name, words.notes) == ("Statica", "Bellini Polo W")
    assert wording(row(("Statica", 9.8), ("II", 9.8))).name == "Statica II"


def test_a_line_that_only_goes_on_is_in_no_corner() -> None:
    lines = row(("Reading", 8.0), ("– Mr. Okonkwo", 8.0))
    words = wording(lines, Box(0, 0, 100, 60))
    assert (words.name, words.notes) == ("Reading", "Mr. Okonkwo")


def test_words_beside_the_code_of_a_room_are_the_name() -> None:
    code = Line("R29", Quad.of(Box(80, 10, 110, 22)), size=12, weight=0.16, source="ocr")
    words = Line("Musik", Quad.of(Box(70, 26, 120, 37)), size=11, weight=0.1, source="ocr")
    assert wording([code, words]).name == "Musik"
    assert wording([code, words]).notes == "R29"
    assert wording([replace(code, text="Chor"), words]).name == "Chor"
    assert wording([replace(code, size=20), words]).name == "R29"


def test_where_a_model_is_sure_of_some_lines_the_rules_say_the_rest() -> None:
    lines = cell("Ed. Civ.", "Marchetti")
    assert wording(lines).notes is None
    words = wording(lines, None, Context(told={id(lines[1]): True}))
    assert (words.name, words.notes) == ("Ed. Civ.", "Marchetti")


def test_where_names_stand_behind_times_what_was_broken_on_purpose_is_a_note() -> None:
    cells = [
        cell("9:00-10:00 Discrete", "BSc Physics", "Dr Shackle"),
        cell("10:00-11:00 Fluids", "BSc Nursing"),
        cell("9:00-10:00 SE", "BSc Physics"),
        cell("11:00-12:00 Marketing", "Group A"),
    ]
    box = Box(0, 0, 300, 80)
    context = learned_from(Context(), [(lines, box) for lines in cells])
    assert context.behind_time
    words = wording(cells[0], box, context)
    assert (words.name, words.notes) == ("Discrete", "BSc Physics Dr Shackle")
    narrow = Box(40, 0, 158, 80)  # "Physics" had no room in the first line
    assert wording(cells[0][:2], narrow, context).name == "Discrete BSc Physics"
    assert not learned_from(Context(), [(lines, box) for lines in cells[:3]]).behind_time
    assert wording(cells[0], box).name == "Discrete BSc Physics"
