"""Times that a page leaves open are settled by the school's periods; what is printed stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import timetables

from pocai.settings import SchoolHours
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_periods import LEAST
from pocai.timetable.school_reading import Mended
from pocai.timetable.school_use import MARGIN, halves_told, misses_half_a_day, settled, usual_hours
from pocai.timetable.timetable import BlockField, Day, Evidence, Mark, TimeBlock, Timetable, clock, minutes

PERIODS = ((540, 600), (600, 660), (675, 720), (780, 840))
MEMORY = SchoolMemory(documents=2, periods=dict.fromkeys(PERIODS, 5))
EDGES: tuple[BlockField, ...] = ("startTime", "endTime")
INFERRED = Evidence.INFERRED
DAYS: tuple[Day, ...] = ("Monday", "Tuesday")


def lesson(
    start: str | None,
    end: str | None,
    row: int,
    *,
    day: Day = "Monday",
    inferred: tuple[BlockField, ...] = (),
) -> TimeBlock:
    """A lesson in a row of the page; its times are printed but for those that are ``inferred``."""
    column = DAYS.index(day) if day in DAYS else 2
    box = (100.0 * column, 40.0 * row, 100.0 * column + 80, 40.0 * row + 20)
    fields: dict[BlockField, Mark] = {"name": Mark(page=0, box=box)}
    for name, value in zip(EDGES, (start, end), strict=True):
        if value is not None:
            how = INFERRED if name in inferred else Evidence.HEADER
            fields[name] = Mark(page=0, box=(0, box[1], 50, box[3]), evidence=how)
    return TimeBlock(day=day, name=f"Row {row}", start_time=start, end_time=end, fields=fields)


def use(*blocks: TimeBlock, memory: SchoolMemory = MEMORY) -> list[tuple[str | None, str | None]]:
    return [(block.start_time, block.end_time) for block in settle(*blocks, memory=memory)]


def settle(*blocks: TimeBlock, memory: SchoolMemory = MEMORY) -> tuple[TimeBlock, ...]:
    (week,) = settled([Timetable(timeblocks=blocks)], memory, ())
    return week.timeblocks


def by_school(block: TimeBlock) -> set[BlockField]:
    return {name for name, mark in block.fields.items() if mark.evidence is Evidence.SCHOOL}


FIRST, LAST = lesson("09:00", "10:00", 0), lesson("13:00", "14:00", 5)
STARTS = [lesson(clock(start), None, row) for row, (start, _) in enumerate(PERIODS)]


def test_an_inferred_edge_moves_to_the_boundary_beside_it() -> None:
    blocks = settle(FIRST, LAST, lesson("10:00", "10:55", 1, inferred=("endTime",)))
    assert (blocks[2].start_time, blocks[2].end_time) == ("10:00", "11:00")
    assert by_school(blocks[2]) == {"endTime"}
    assert blocks[:2] == (FIRST, LAST)


@pytest.mark.parametrize("end", ["10:45", "11:30"])
def test_an_edge_that_is_far_from_any_boundary_stays(end: str) -> None:
    assert use(FIRST, LAST, lesson("10:00", end, 1, inferred=("endTime",)))[2] == ("10:00", end)


def test_an_edge_that_the_page_prints_elsewhere_is_no_guess() -> None:
    other = lesson("10:00", "10:55", 1, day="Tuesday")
    assert use(FIRST, LAST, other, lesson("10:00", "10:55", 1, inferred=("endTime",)))[3] == ("10:00", "10:55")


@given(timetables())
def test_what_is_printed_stays(week: Timetable) -> None:
    marked = [
        lesson(block.start_time, block.end_time, row, day=block.day or "Monday")
        for row, block in enumerate(week.timeblocks)
    ]
    assert list(settle(*marked)) == marked


def test_ends_that_no_page_of_the_school_prints_are_those_of_its_periods() -> None:
    blocks = settle(FIRST, *STARTS[1:])
    assert [(block.start_time, block.end_time) for block in blocks] == [
        (clock(start), clock(end)) for start, end in PERIODS
    ]
    assert [by_school(block) for block in blocks] == [set(), {"endTime"}, {"endTime"}, {"endTime"}]
    assert blocks[1].fields["endTime"].box == STARTS[1].fields["name"].box, "where the event stands"


def test_starts_follow_from_ends_alike() -> None:
    ends = [lesson(None, clock(end), row) for row, (_, end) in enumerate(PERIODS)]
    assert use(FIRST, *ends[1:]) == [(clock(start), clock(end)) for start, end in PERIODS]


def test_an_open_end_stays_open_where_the_page_prints_ends() -> None:
    whole = [lesson(clock(start), clock(end), row) for row, (start, end) in enumerate(PERIODS)]
    assert use(*whole[:3], STARTS[3])[3] == ("13:00", None)


def test_of_two_periods_that_begin_together_none_is_taken() -> None:
    memory = SchoolMemory(periods={(540, 600): 3, (600, 660): 3, (600, 650): 3, (600, 645): 1})
    assert use(FIRST, STARTS[1], STARTS[2], memory=SchoolMemory(periods={(540, 600): 3, (600, 660): 3}))[1:] == [
        ("10:00", "11:00"),
        ("11:15", None),
    ]
    assert use(FIRST, STARTS[1], STARTS[1], memory=memory)[1] == ("10:00", "10:50"), "the other one holds it"
    crossing = SchoolMemory(periods={(540, 600): 3, (600, 660): 3, (590, 650): 3})
    assert use(FIRST, lesson(None, "10:50", 1), memory=crossing)[1] == ("09:50", "10:50")


def test_rows_without_times_get_the_periods_that_are_left_for_them() -> None:
    rows = [lesson(None, None, row, day=day) for row in (1, 2) for day in DAYS]
    blocks = settle(FIRST, *rows, LAST)
    assert [(block.start_time, block.end_time) for block in blocks[1:-1]] == [
        ("10:00", "11:00"),
        ("10:00", "11:00"),
        ("11:15", "12:00"),
        ("11:15", "12:00"),
    ]
    assert all(by_school(block) == set(EDGES) for block in blocks[1:-1])


@pytest.mark.parametrize("count", [1, 3])
def test_rows_stay_open_where_more_or_fewer_periods_are_left(count: int) -> None:
    rows = [lesson(None, None, row) for row in range(1, 1 + count)]
    assert use(FIRST, *rows, LAST)[1:-1] == [(None, None)] * count


def test_rows_stay_open_where_the_day_goes_nowhere() -> None:
    same = [lesson("13:00", "14:00", 0), lesson("09:00", "10:00", 5)]  # upside down on one day, not on the other
    other = [lesson("09:00", "10:00", 0, day="Tuesday"), lesson("13:00", "14:00", 5, day="Tuesday")]
    assert use(*same, *other, lesson(None, None, 2))[-1] == (None, None)


def test_the_periods_of_another_school_settle_nothing() -> None:
    other = SchoolMemory(periods=dict.fromkeys([(545, 605), (605, 665), (680, 725), (775, 835)], 5))
    blocks = (FIRST, *STARTS[1:], lesson(None, None, 4), lesson("10:00", "11:02", 6, inferred=("endTime",)))
    assert settle(*blocks, memory=other) == blocks


@pytest.mark.parametrize("memory", [SchoolMemory(), SchoolMemory(1, periods=dict.fromkeys(PERIODS, LEAST - 1))])
def test_a_poor_memory_settles_nothing(memory: SchoolMemory) -> None:
    blocks = (FIRST, *STARTS[1:], lesson(None, None, 4))
    assert settle(*blocks, memory=memory) == blocks
    assert usual_hours(memory, SchoolHours()) == SchoolHours()


PLACE = st.integers(0, 8)


@given(st.lists(st.tuples(st.sampled_from([None, *PERIODS]), PLACE, st.booleans()), max_size=10))
def test_no_start_or_end_of_the_page_is_ever_changed(found: list[tuple[tuple[int, int] | None, int, bool]]) -> None:
    blocks = [
        lesson(clock(times[0]) if times else None, clock(times[1]) if times and whole else None, row)
        for times, row, whole in found
    ]
    for before, after in zip(blocks, settle(*blocks), strict=True):
        assert after.start_time == before.start_time or before.start_time is None
        assert after.end_time == before.end_time or before.end_time is None
        new = {name for name, value in zip(EDGES, (after.start_time, after.end_time), strict=True) if value is not None}
        old = {
            name for name, value in zip(EDGES, (before.start_time, before.end_time), strict=True) if value is not None
        }
        assert by_school(after) == new - old, "each use is told"
        start, end = minutes(after.start_time), minutes(after.end_time)
        assert start is None or end is None or start < end


def test_a_decision_about_a_line_is_told_of_what_rests_on_it() -> None:
    block = lesson("09:00", "10:00", 0)
    (week,) = settled([Timetable(timeblocks=(block,))], SchoolMemory(), [Mended(0, (40.0, 10.0), "Row 0", "words")])
    assert by_school(week.timeblocks[0]) == {"name"}
    (week,) = settled([Timetable(timeblocks=(block,))], SchoolMemory(), [Mended(0, (25.0, 10.0), "9:00-10:00", "time")])
    assert by_school(week.timeblocks[0]) == set(EDGES)
    for elsewhere in (Mended(1, (40.0, 10.0), "Row 0", "words"), Mended(0, (40.0, 90.0), "Row 0", "words")):
        (week,) = settled([Timetable(timeblocks=(block,))], SchoolMemory(), [elsewhere])
        assert week.timeblocks == (block,)


def test_a_time_half_a_day_later_than_without_the_school_is_told() -> None:
    before, after = lesson("07:30", "08:15", 0), lesson("19:30", "20:15", 0)
    (week,) = halves_told([Timetable(timeblocks=(after,))], [Timetable(timeblocks=(before,))])
    assert by_school(week.timeblocks[0]) == set(EDGES)
    for other in (lesson("07:30", "08:15", 1), lesson("07:30", "08:15", 0, day="Tuesday"), after):
        (week,) = halves_told([Timetable(timeblocks=(after,))], [Timetable(timeblocks=(other,))])
        assert week.timeblocks == (after,)


def test_half_a_day_is_missed_only_by_the_schools_own_periods() -> None:
    def missed(*blocks: TimeBlock, memory: SchoolMemory = MEMORY) -> bool:
        return misses_half_a_day([Timetable(timeblocks=blocks)], memory)

    assert missed(lesson("21:00", "22:00", 0), lesson("22:00", "23:00", 1))
    assert missed(FIRST, lesson("01:00", "02:00", 5)), "some of them are enough"
    assert not missed(FIRST, LAST)
    assert not missed(lesson("20:10", "20:50", 0)), "another event in the evening"
    assert not missed()
    assert not missed(lesson("21:00", "22:00", 0), memory=SchoolMemory())


def test_the_hours_of_a_school_have_a_margin_and_never_grow() -> None:
    hours = usual_hours(MEMORY, SchoolHours())
    assert (hours.earliest, hours.latest) == (540 - MARGIN, 840 + MARGIN)
    assert usual_hours(MEMORY, SchoolHours(earliest=530, latest=850)) == SchoolHours(earliest=530, latest=850)
