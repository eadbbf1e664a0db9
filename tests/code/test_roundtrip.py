"""What is written as a plain week grid is read back block for block, whatever the format, both ways round."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from rendering import NOTATIONS, as_docx, as_pdf, as_xlsx
from strategies import timetables

from pocai.inference.pipeline import extract
from pocai.timetable.timetable import TimeBlock, Timetable

Writer = Callable[..., bytes]
Block = tuple[str | None, str, str | None, str | None, str | None]


def blocks_of(*weeks: Timetable) -> list[Block]:
    return sorted((b.day or "", b.name, b.start_time, b.end_time, b.notes or "") for w in weeks for b in w.timeblocks)


@pytest.mark.parametrize("days_across", [True, False], ids=["days across", "days down"])
@pytest.mark.parametrize("write", [as_docx, as_xlsx, as_pdf])
@given(timetable=timetables())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_plain_grid_comes_back_block_for_block(write: Writer, days_across: bool, timetable: Timetable) -> None:
    data = write(timetable, days_across=days_across)
    assert blocks_of(*extract(data)) == blocks_of(timetable)


WEEK = Timetable(
    timeblocks=tuple(
        TimeBlock(day=day, name=name, start_time=start, end_time=end, notes=notes)
        for day, name, start, end, notes in (
            ("Monday", "Maths", "08:30", "09:30", None),
            ("Monday", "Éducation physique", "09:30", "10:15", "Hall"),
            ("Monday", "Art & Design", "13:00", "14:00", None),
            ("Tuesday", "Reading 3b", "08:30", "10:15", "Room 12"),
            ("Tuesday", "Music/Drama", "13:00", "14:00", None),
        )
    )
)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("days_across", [True, False], ids=["days across", "days down"])
@pytest.mark.parametrize("write", [as_docx, as_xlsx, as_pdf])
def test_every_notation_of_a_slot_is_understood(write: Writer, days_across: bool, notation: str) -> None:
    data = write(WEEK, days_across=days_across, notation=NOTATIONS[notation])
    assert blocks_of(*extract(data)) == blocks_of(WEEK)
