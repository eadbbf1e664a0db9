"""Layouts of real timetables, drawn with characters, and the blocks that stand on them: `tests/golden/layouts`.

Below the line of equals signs of each file stands what a person reads on the drawing above it. The blocks were first
written out by the reader and then checked by eye against each drawing. One is written
``Mon: 09:00-09:50 Maths (notes)``; ``?`` stands for a time that is printed nowhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from drawn import drawn

from pocai.documents.page import Document
from pocai.settings import SchoolHours
from pocai.timetable.assemble import assemble, assemble_page
from pocai.timetable.timetable import TimeBlock

LAYOUTS = sorted((Path(__file__).parents[1] / "golden/layouts").glob("*.txt"))


def written(block: TimeBlock) -> str:
    notes = f" ({block.notes})" if block.notes else ""
    return f"{block.start_time or '?'}-{block.end_time or '?'} {block.name}{notes}"


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.stem)
def test_layout_reads_as_a_person_reads_it(layout: Path) -> None:
    picture, expected = layout.read_text(encoding="utf-8").split("\n====\n")
    found = []
    timetables = assemble_page(drawn(picture), SchoolHours())
    for timetable in timetables:
        weeks = {block.weeks for block in timetable.timeblocks} - {None}
        if len(timetables) > 1 and (timetable.class_name or weeks):
            found.append(f"# {timetable.class_name or f'week {weeks.pop()}'}")
        days: dict[str, list[str]] = {}
        for block in timetable.timeblocks:
            days.setdefault((block.day or "---")[:3], []).append(written(block))
        found += [f"{day}: {'; '.join(blocks)}" for day, blocks in days.items()]
    assert "\n".join(found) == expected.strip()


def pages(*drawings: str) -> Document:
    numbered = tuple(replace(drawn(drawing), number=number) for number, drawing in enumerate(drawings))
    return Document(numbered, "pdf", "0" * 64)


def test_a_day_on_each_page_is_one_week() -> None:
    first = "Monday\n\n9.00-10.00   Maths\n10.00-11.00  French"
    second = "Tuesday\n\n9.00-10.00   Art\n10.00-11.00  Music"
    (week,) = assemble(pages(first, second), SchoolHours())
    assert [(block.day, block.name) for block in week.timeblocks] == [
        ("Monday", "Maths"),
        ("Monday", "French"),
        ("Tuesday", "Art"),
        ("Tuesday", "Music"),
    ]
    assert week.pages == (0, 1)


def test_a_class_on_each_page_is_a_timetable_each() -> None:
    page = "Class: {}\n\n             Mon        Tue\n9.00-10.00   Maths      Art\n10.00-11.00  French     Music"
    found = assemble(pages(page.format("1A"), page.format("1B")), SchoolHours())
    assert [timetable.class_name for timetable in found] == ["1A", "1B"]


def test_the_same_day_on_two_pages_stays_two() -> None:
    page = "Monday\n\n9.00-10.00   Maths\n10.00-11.00  French"
    assert len(assemble(pages(page, page), SchoolHours())) == 2
