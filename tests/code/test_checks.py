"""Checks name what looks wrong, and change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.settings import SchoolHours
from pocai.timetable.checks import Finding, check
from pocai.timetable.timetable import Day, TimeBlock, Timetable, clock

WEEK: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def block(
    times: str, name: str = "Maths", day: Day | None = "Monday", *, weeks: str | None = None, notes: str | None = None
) -> TimeBlock:
    start, _, end = times.partition("-")
    return TimeBlock(day=day, name=name, start_time=start or None, end_time=end or None, weeks=weeks, notes=notes)


def found(*blocks: TimeBlock) -> list[tuple[str, tuple[int, ...]]]:
    return [(finding.code, finding.blocks) for finding in check(Timetable(timeblocks=blocks))]


def test_a_plain_week_has_no_findings() -> None:
    blocks = [
        block(times, name, day) for day in WEEK for times, name in (("09:00-10:00", "Maths"), ("10:00-11:00", "Art"))
    ]
    assert found(*blocks) == []


def test_an_empty_timetable_has_no_findings() -> None:
    assert found() == []


def test_an_overlap_names_both_blocks() -> None:
    (finding,) = check(Timetable(timeblocks=(block("09:30-10:30", "Art"), block("09:00-10:00"))))
    assert finding == Finding("overlap", "Monday: “Art” 09:30–10:30, “Maths” 09:00–10:00 overlap", (0, 1))
    assert str(finding) == finding.message


def test_parallel_groups_are_one_finding() -> None:
    assert found(*(block("09:00-10:00", name) for name in "ABCD")) == [("overlap", (0, 1, 2, 3))]


def test_a_long_bar_overlaps_each_block_beside_it() -> None:
    blocks = (block("09:00-12:00", "Trip"), block("09:00-10:00"), block("10:00-11:00", "Art"))
    assert found(*blocks) == [("overlap", (0, 1)), ("overlap", (0, 2))]


def test_blocks_that_touch_or_lie_on_other_days_or_weeks_do_not_overlap() -> None:
    assert found(block("09:00-10:00"), block("10:00-11:00", "Art")) == []
    assert found(block("09:00-10:00"), block("09:00-10:00", "Art", "Tuesday")) == []
    assert found(block("09:00-10:00", weeks="A"), block("09:00-10:00", "Art", weeks="B")) == []
    assert found(block("09:00-10:00", weeks="A"), block("09:00-10:00", "Art")) == [("overlap", (0, 1))]


def test_a_block_printed_twice_is_a_duplicate_and_no_overlap() -> None:
    assert found(block("09:00-10:00"), block("09:00-10:00", "MATHS")) == [("duplicate", (0, 1))]
    assert found(block("09:00-10:00"), block("09:00-10:00", notes="Hall")) == [("overlap", (0, 1))]


@pytest.mark.parametrize(
    ("times", "code"),
    {
        "10:00-09:00": "order",
        "10:00-10:00": "order",
        "10:00-10:02": "length",
        "08:00-15:00": "length",
        "05:00-06:00": "hours",
        "21:30-22:30": "hours",
        "09:00-": "missing_time",
        "-10:00": "missing_time",
        "": "missing_time",
    }.items(),
)
def test_times_that_cannot_be_right(times: str, code: str) -> None:
    assert found(block(times)) == [(code, (0,))]


def test_school_hours_are_the_schools_own() -> None:
    timetable = Timetable(timeblocks=(block("05:00-06:00"),))
    assert check(timetable, SchoolHours(earliest=4 * 60, latest=20 * 60)) == ()


def test_a_block_without_a_day_is_named() -> None:
    assert found(block("09:00-10:00", day=None)) == [("missing_day", (0,))]


def test_a_missing_weekday_is_named_where_the_others_are_there() -> None:
    blocks = [block("09:00-10:00", day=day) for day in WEEK if day != "Wednesday"]
    (finding,) = check(Timetable(timeblocks=tuple(blocks)))
    assert (finding.code, finding.message) == ("coverage", "Wednesday has no blocks")


def test_a_list_for_one_or_two_days_misses_no_day() -> None:
    assert found(block("09:00-10:00"), block("09:00-10:00", day="Tuesday")) == []


def test_a_day_with_far_fewer_blocks_is_named() -> None:
    blocks = [block(f"{hour:02d}:00-{hour + 1:02d}:00", day=day) for day in WEEK[:4] for hour in range(9, 15)]
    assert found(*blocks, block("09:00-10:00", day="Friday")) == [("coverage", (24,))]


def test_a_long_gap_is_only_a_note() -> None:
    blocks = (block("09:00-10:00"), block("09:10-09:50", "Art"), block("13:00-14:00"))
    gap = next(finding for finding in check(Timetable(timeblocks=blocks)) if finding.code == "gap")
    assert (gap.blocks, gap.severity) == ((0, 2), "note")


times = st.integers(0, 1439).map(clock) | st.none()
blocks = st.builds(
    TimeBlock, day=st.sampled_from([*WEEK, None]), name=st.sampled_from("ABC"), start_time=times, end_time=times
)


@given(st.lists(blocks, max_size=12))
def test_findings_point_at_blocks_of_the_timetable_whatever_it_holds(some: list[TimeBlock]) -> None:
    timetable = Timetable(timeblocks=tuple(some))
    for finding in check(timetable):
        assert finding.message
        assert all(0 <= index < len(some) for index in finding.blocks)
        assert len(set(finding.blocks)) == len(finding.blocks)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), min_size=2, max_size=8))
def test_every_block_that_overlaps_another_is_named(spans: list[tuple[int, int]]) -> None:
    some = [
        block(f"{clock(480 + 15 * start)}-{clock(480 + 15 * (start + lasts))}", f"Lesson {index}")
        for index, (start, lasts) in enumerate(spans)
    ]
    truth = {
        index
        for index, (start, lasts) in enumerate(spans)
        for other, (begin, length) in enumerate(spans)
        if index != other and start < begin + length and begin < start + lasts
    }
    named = {index for code, indices in found(*some) if code == "overlap" for index in indices}
    assert named == truth
