"""Class, teacher, term, year and title in the lines around a timetable; and the key of its periods."""

from __future__ import annotations

import pytest

from pocai.documents.page import Box, Line, Quad
from pocai.timetable.heading import period_key, read_heading
from pocai.timetable.pieces import free


def lines(*texts: str | tuple[str, float]) -> list[Line]:
    made = []
    for number, text in enumerate(texts):
        words, size = text if isinstance(text, tuple) else (text, 12.0)
        made.append(Line(words, Quad.of(Box(0, 40.0 * number, 8.0 * len(words), 40.0 * number + size)), size=size))
    return made


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ["Class: 4C   Teacher: Ms Example   Term: Spring 1 2025"],
            {"className": "4C", "teacher": "Ms Example", "term": "Spring 1", "year": "2025"},
        ),
        (["Klasse: 3b", "Klassenlehrerin: Frau Muster"], {"className": "3b", "teacher": "Frau Muster"}),
        (["Classe : CM2", "Année : 2024-2025"], {"className": "CM2", "year": "2024"}),
        (["Turma: 7.ºA", "Ano letivo: 2025/2026"], {"className": "7.ºA", "year": "2025"}),
        ([("QMSC HT 2023", 20.0)], {"className": "QMSC", "term": "HT", "year": "2023"}),
        (
            [("Finals Timetable Trinity Term 2023", 20.0)],
            {"className": "Finals", "term": "Trinity Term", "year": "2023"},
        ),
        ([("5B", 30.0), "Example School"], {"className": "5B"}),
        (["Year 4 weekly timetable"], {"className": "Year 4"}),
        (["2. Halbjahr 2024/25"], {"term": "2. Halbjahr", "year": "2024"}),
        (["Timetable generated: 21/1/2025"], {"year": "2025"}),
        (["Example Primary School", "Weekly timetable"], {}),
        (["Our day"], {}),
    ],
)
def test_headings(texts: list[str | tuple[str, float]], expected: dict[str, str]) -> None:
    found = dict(read_heading(lines(*texts)).values)
    found.pop("title", None)
    assert found == expected


def test_the_title_is_the_largest_line_and_no_time() -> None:
    heading = read_heading(lines("small print", ("Our week", 24.0), ("8.00-8.45", 30.0)))
    assert heading.values["title"] == "Our week"


def test_the_week_of_a_cycle_is_named() -> None:
    assert read_heading(lines("Timetable, Week B")).weeks == "B"
    assert read_heading(lines("A-Woche")).weeks == "A"
    assert read_heading(lines("Weekly")).weeks is None


def test_every_field_knows_its_line() -> None:
    heading = read_heading(lines("Example School", "Class: 2B"))
    assert heading.lines["className"].text == "Class: 2B"


def test_a_key_of_periods_is_read_wherever_it_stands() -> None:
    pieces = free(lines("Period 1: 8.45-9.35", "2. Stunde 9.40 - 10.25", "Lunch 12.00-13.00"))
    key = period_key(pieces)
    assert sorted(key) == ["1", "2"]
    assert key["1"].start is not None
    assert (key["1"].start.hour, key["1"].start.minute) == (8, 45)
