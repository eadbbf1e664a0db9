"""What a school's timetables teach, and what teaches nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pocai.timetable.school import CORRECTED, MOST_PERIODS, MOST_WORDS, SURE, SchoolMemory, remember
from pocai.timetable.timetable import BlockField, Evidence, Mark, TimeBlock, Timetable, clock

NOW = datetime(2026, 9, 1, tzinfo=UTC)
EDGES: tuple[BlockField, ...] = ("name", "startTime", "endTime", "notes")


def lesson(
    name: str = "Maths",
    *times: str | None,
    notes: str | None = None,
    sure: float | None = None,
    unprinted: tuple[BlockField, Evidence] | None = None,
) -> TimeBlock:
    """A lesson on Monday whose fields are printed, but for one that rests on other evidence."""
    reason = "not calibrated" if sure is None else None
    fields = {
        each: Mark(
            page=0,
            box=(0, 0, 9, 9),
            evidence=unprinted[1] if unprinted and unprinted[0] == each else Evidence.PRINTED,
            confidence=sure,
            reason=reason,
        )
        for each in EDGES
    }
    start, end = times or ("09:00", "10:00")
    return TimeBlock(day="Monday", name=name, start_time=start, end_time=end, notes=notes, fields=fields)


def learnt(*blocks: TimeBlock, corrected: bool = False) -> SchoolMemory:
    return remember(SchoolMemory(), [Timetable(timeblocks=blocks)], NOW, corrected=corrected)


def test_names_notes_and_periods_are_counted() -> None:
    memory = learnt(lesson(notes="Room 1"), lesson(), lesson("Art", "10:15", "11:00"))
    memory = remember(memory, [Timetable(timeblocks=(lesson(),))], NOW)
    assert memory.names == {"Maths": 3, "Art": 1}
    assert memory.notes == {"Room 1": 1}
    assert memory.periods == {(540, 600): 3, (615, 660): 1}
    assert (memory.documents, memory.corrected, memory.cycle, memory.updated) == (2, 0, 1, NOW)
    assert (memory.day_start, memory.day_end) == (540, 660)


def test_what_a_person_corrected_counts_more() -> None:
    memory = learnt(lesson(), corrected=True)
    assert memory.names == {"Maths": CORRECTED}
    assert memory.periods == {(540, 600): CORRECTED}
    assert (memory.documents, memory.corrected) == (1, 1)


def test_a_document_without_timetables_teaches_nothing() -> None:
    memory = learnt(lesson())
    assert remember(memory, [], NOW) is memory
    assert remember(memory, [Timetable(timeblocks=())], NOW) is memory


@pytest.mark.parametrize("how", [Evidence.INFERRED, Evidence.SCHOOL])
def test_no_memory_feeds_on_itself(how: Evidence) -> None:
    assert learnt(lesson(unprinted=("name", how))).names == {}
    assert learnt(lesson(notes="Room 1", unprinted=("notes", how))).notes == {}
    assert learnt(lesson(unprinted=("startTime", how))).periods == {}
    assert learnt(lesson(unprinted=("endTime", how))).periods == {}


def test_where_only_starts_are_printed_a_period_lasts_until_the_next() -> None:
    memory = learnt(
        lesson(unprinted=("endTime", Evidence.INFERRED)),
        lesson("Art", "10:00", "11:00", unprinted=("endTime", Evidence.INFERRED)),
    )
    assert memory.periods == {(540, 600): 1}, "nothing is printed at eleven"


def test_what_is_likelier_wrong_than_right_is_not_learnt() -> None:
    assert learnt(lesson(sure=SURE - 0.01)).names == {}
    assert learnt(lesson(sure=SURE)).names == {"Maths": 1}


def test_times_out_of_order_are_no_period() -> None:
    assert (
        learnt(lesson("PE", "10:00", "09:00"), lesson("PE", None, "09:00"), lesson("PE", "09:00", None)).periods == {}
    )


def test_a_memory_is_bounded_and_keeps_what_is_frequent() -> None:
    blocks = [lesson(f"Name {n}", clock(n), clock(n + 1), notes=f"Note {n}") for n in range(MOST_WORDS + 50)]
    memory = learnt(*blocks, *[lesson("Often", "20:00", "21:00", notes="Often")] * 2)
    assert (len(memory.names), len(memory.notes), len(memory.periods)) == (MOST_WORDS, MOST_WORDS, MOST_PERIODS)
    assert (memory.names["Often"], memory.notes["Often"], memory.periods[1200, 1260]) == (2, 2, 2)


def test_the_rate_of_corrections_is_unknown_before_the_first() -> None:
    assert SchoolMemory().correction_rate is None
    assert SchoolMemory(fields=20, changed=3).correction_rate == pytest.approx(0.15)
