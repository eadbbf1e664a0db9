"""The week as the host can show it: by example, and for whatever a page may hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_contract import faults
from hypothesis import given
from hypothesis import strategies as st
from strategies import WEEK, names, timetables

from pocai.server.host_answers import HostTimetable
from pocai.server.projection import project
from pocai.timetable.timetable import BlockField, Day, Evidence, Mark, TimeBlock, Timetable, clock

Row = tuple[str, str | None, str | None, str | None]


def block(  # noqa: PLR0913 - the fields of a block
    name: str,
    start: str | None = None,
    end: str | None = None,
    *,
    day: Day | None = "Monday",
    notes: str | None = None,
    weeks: str | None = None,
    start_from: Evidence = Evidence.PRINTED,
    end_from: Evidence = Evidence.PRINTED,
) -> TimeBlock:
    marks: dict[BlockField, Mark] = {
        "startTime": Mark(page=0, box=(0, 0, 1, 1), evidence=start_from),
        "endTime": Mark(page=0, box=(0, 0, 1, 1), evidence=end_from),
    }
    return TimeBlock(day=day, name=name, start_time=start, end_time=end, notes=notes, weeks=weeks, fields=marks)


def rows(*blocks: TimeBlock) -> list[Row]:
    """Name, start, end and notes of what the host gets for a week of these blocks."""
    return shown(project([Timetable(timeblocks=blocks)]))


def shown(week: HostTimetable) -> list[Row]:
    return [(one.name, one.start_time, one.end_time, one.notes) for one in week.timeblocks]


def literal(week: HostTimetable) -> Timetable:
    """The host's week as if it had been printed."""
    blocks = [TimeBlock.model_validate(one.model_dump()) for one in week.timeblocks]
    return Timetable(
        teacher=week.teacher, class_name=week.class_name, term=week.term, year=week.year, timeblocks=tuple(blocks)
    )


# --- overlaps --------------------------------------------------------------------------------------------------------


def test_a_week_without_conflicts_stays_as_it_is() -> None:
    assert rows(block("Maths", "09:00", "10:00", notes="Lab 3"), block("Break", "10:00"), block("PE")) == [
        ("Maths", "09:00", "10:00", "Lab 3"),
        ("Break", "10:00", None, None),
        ("PE", None, None, None),
    ]


def test_of_two_printed_times_the_earlier_block_ends_at_the_start_of_the_later_and_says_what_is_printed() -> None:
    assert rows(block("Maths", "09:00", "10:30", notes="Lab 3"), block("Art", "10:00", "11:00")) == [
        ("Maths", "09:00", "10:00", "Lab 3; printed 09:00-10:30"),
        ("Art", "10:00", "11:00", None),
    ]


@pytest.mark.parametrize("evidence", [Evidence.HEADER, Evidence.INFERRED])
def test_an_end_that_is_not_printed_in_the_block_gives_way_silently(evidence: Evidence) -> None:
    assert rows(block("Maths", "09:00", "10:30", end_from=evidence), block("Art", "10:00", "11:00")) == [
        ("Maths", "09:00", "10:00", None),
        ("Art", "10:00", "11:00", None),
    ]


@pytest.mark.parametrize("evidence", [Evidence.HEADER, Evidence.INFERRED])
def test_a_start_that_is_not_printed_gives_way_to_an_end_that_is(evidence: Evidence) -> None:
    assert rows(block("Maths", "09:00", "10:30"), block("Art", "10:00", "11:00", start_from=evidence)) == [
        ("Maths", "09:00", "10:30", None),
        ("Art", "10:30", "11:00", None),
    ]


def test_a_block_inside_another_keeps_its_time_even_where_only_the_outer_one_is_printed() -> None:
    inner = block("Art", "10:00", "10:30", start_from=Evidence.HEADER, end_from=Evidence.HEADER)
    assert rows(block("Maths", "09:00", "12:00"), inner) == [
        ("Maths", "09:00", "10:00", "printed 09:00-12:00"),
        ("Art", "10:00", "10:30", None),
    ]


def test_of_two_that_begin_together_the_shorter_comes_first_and_the_longer_says_what_is_printed() -> None:
    """The host's own sample: a lesson with its own time beside one that stands in a short column."""
    assert rows(block("English", "10:35", "11:35"), block("Maths", "10:35", "11:00", end_from=Evidence.HEADER)) == [
        ("English", "11:00", "11:35", "printed 10:35-11:35"),
        ("Maths", "10:35", "11:00", None),
    ]


def test_the_same_block_printed_twice_is_one() -> None:
    twice = block("Maths", "09:00", "10:00", notes="Lab 3")
    assert rows(twice, twice) == [("Maths", "09:00", "10:00", "Lab 3")]


def test_parallel_groups_become_one_block_with_all_names_and_notes() -> None:
    groups = (
        block("Maths", "09:00", "10:00", notes="Room 1"),
        block("Music", "09:00", "10:00"),
        block("Art", "09:00", "10:00", notes="Hall"),
    )
    assert rows(*groups) == [("Maths / Music / Art", "09:00", "10:00", "Maths: Room 1; Art: Hall")]


def test_a_note_that_all_parallel_groups_share_stands_once() -> None:
    groups = (block("Maths", "09:00", "10:00", notes="Hall"), block("Music", "09:00", "10:00", notes="Hall"))
    assert rows(*groups) == [("Maths / Music", "09:00", "10:00", "Hall")]


def test_an_event_over_the_whole_morning_keeps_its_name_and_its_printed_time() -> None:
    found = rows(
        block("Trip", "09:00", "12:00"), block("Maths", "09:00", "10:00"), block("Art", "10:00", "12:00", notes="Hall")
    )
    assert found == [
        ("Trip / Art", "10:00", "12:00", "Trip: printed 09:00-12:00; Art: Hall"),
        ("Maths", "09:00", "10:00", None),
    ]


def test_different_days_do_not_conflict() -> None:
    found = rows(block("Maths", "09:00", "10:00"), block("Art", "09:30", "10:30", day="Tuesday"))
    assert [row[1:3] for row in found] == [("09:00", "10:00"), ("09:30", "10:30")]


def test_blocks_that_lack_a_time_conflict_with_none() -> None:
    found = rows(block("Maths", "09:00", "10:00"), block("Art", "09:30"), block("PE", None, "09:45"))
    assert [row[1:3] for row in found] == [("09:00", "10:00"), ("09:30", None), (None, "09:45")]


@pytest.mark.parametrize(("start", "end"), [("15:00", "14:00"), ("10:00", "10:00")])
def test_an_end_that_is_not_after_the_start_is_left_out_and_told(start: str, end: str) -> None:
    assert rows(block("Choir", start, end)) == [("Choir", start, None, f"printed {start}-{end}")]


# --- days and weeks --------------------------------------------------------------------------------------------------


def test_a_list_that_names_no_day_holds_from_monday_to_friday() -> None:
    week = project([Timetable(timeblocks=(block("Maths", "09:00", day=None), block("Art", "10:00", day=None)))])
    assert [(one.day, one.name) for one in week.timeblocks] == [
        (day, name) for day in WEEK[:5] for name in ("Maths", "Art")
    ]


def test_weeks_stand_in_the_notes_and_the_first_week_first() -> None:
    found = rows(
        block("Art", "09:00", "10:00", weeks="B"),
        block("Maths", "09:00", "10:00", weeks="A", notes="Lab 3"),
        block("Music", "10:00", "11:00", weeks="Week 1"),
    )
    assert found == [
        ("Maths / Art", "09:00", "10:00", "Maths: Week A: Lab 3; Art: Week B"),
        ("Music", "10:00", "11:00", "Week 1"),
    ]


def test_the_same_lesson_in_both_weeks_is_one() -> None:
    found = rows(block("Art", "09:00", "10:00", weeks="A"), block("Art", "09:00", "10:00", weeks="B"))
    assert found == [("Art", "09:00", "10:00", "Week A; Week B")]


# --- header and several timetables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "told"), [(1999, None), (2000, 2000), (2026, 2026), (2100, 2100), (None, None)])
def test_a_year_that_the_host_refuses_is_left_out(year: int | None, told: int | None) -> None:
    assert project([Timetable(year=year, timeblocks=(block("Maths"),))]).year == told


def test_every_key_of_the_host_is_always_there() -> None:
    told = json.loads(project([Timetable(timeblocks=(block("Maths"),))]).model_dump_json(by_alias=True))
    assert {"teacher", "className", "term", "year", "timeblocks"} <= set(told)
    assert set(told["timeblocks"][0]) == {"day", "name", "startTime", "endTime", "notes"}


def test_without_a_timetable_there_are_no_blocks_and_nothing_to_warn_of() -> None:
    for nothing in ([], [Timetable(title="Letter")]):
        assert project(nothing).model_dump(exclude_none=True) == {"timeblocks": (), "warnings": ()}


def week(*starts: int, page: int = 0, **header: Any) -> Timetable:
    """A timetable with an hour from each of the full hours ``starts`` on Monday."""
    blocks = tuple(block(f"Lesson {start}", clock(start * 60), clock(start * 60 + 60)) for start in starts)
    return Timetable(timeblocks=blocks, pages=(page,), **header)


def test_timetables_of_the_same_class_become_one_week() -> None:
    found = project([week(9, class_name="2 A"), week(10, page=1, class_name="2a"), week(11, page=1, teacher="Smith")])
    assert [one.name for one in found.timeblocks] == ["Lesson 9", "Lesson 10", "Lesson 11"]
    assert (found.class_name, found.teacher, found.warnings) == ("2 A", "Smith", ())


@pytest.mark.parametrize("other", [{"class_name": "2B"}, {"teacher": "Jones"}, {"term": "Spring"}])
def test_classes_are_never_mixed(other: dict[str, Any]) -> None:
    found = project([week(9, class_name="2A", teacher="Smith", term="Autumn"), week(13, **other)])
    assert [one.name for one in found.timeblocks] == ["Lesson 9"]
    (warning,) = found.warnings
    assert "timetable 2 of 2 was left out (1 blocks): it is of another class" in warning


def test_a_timetable_must_fit_all_others_and_not_only_the_first() -> None:
    found = project([week(9), week(10, class_name="2A"), week(11, class_name="2B")])
    assert [one.name for one in found.timeblocks] == ["Lesson 9", "Lesson 10"]
    assert len(found.warnings) == 1


def test_a_timetable_that_fills_the_same_hours_is_left_out_and_told() -> None:
    other = Timetable(timeblocks=(block("Art", "09:30", "10:30"),), pages=(0,))
    found = project([week(9, 10), other])
    assert [one.name for one in found.timeblocks] == ["Lesson 9", "Lesson 10"]
    assert "it fills the same hours" in found.warnings[0]


def test_the_same_timetable_on_two_pages_is_one() -> None:
    found = project([week(9, 10), week(9, 10, page=1)])
    assert [one.name for one in found.timeblocks] == ["Lesson 9", "Lesson 10"]
    assert found.warnings == ()


def test_weeks_that_take_turns_are_told_apart_and_joined() -> None:
    first = Timetable(timeblocks=(block("Maths", "09:00", "10:00", weeks="A"),))
    second = Timetable(timeblocks=(block("Art", "09:00", "10:00", weeks="B"),))
    assert shown(project([first, second])) == [("Maths / Art", "09:00", "10:00", "Maths: Week A; Art: Week B")]


def test_blocks_without_times_of_another_page_may_be_of_another_class() -> None:
    def untimed(name: str, page: int) -> Timetable:
        return Timetable(timeblocks=(block(name),), pages=(page,))

    assert [one.name for one in project([untimed("Maths", 0), untimed("Art", 1)]).timeblocks] == ["Maths"]
    assert [one.name for one in project([untimed("Maths", 0), untimed("Art", 0)]).timeblocks] == ["Maths", "Art"]


def test_an_aside_on_the_first_page_does_not_stand_for_the_document() -> None:
    found = project(
        [week(9, class_name="Staff"), week(9, 10, 11, class_name="2A"), week(*range(8, 16), page=1, class_name="2B")]
    )
    assert (found.class_name, len(found.timeblocks), len(found.warnings)) == ("2A", 3, 2)


# --- whatever a page may hold ----------------------------------------------------------------------------------------


@st.composite
def messy_blocks(draw: st.DrawFn) -> TimeBlock:
    """A block at any time of few, so that many conflict."""
    times = st.sampled_from([None, *(clock(minute) for minute in range(0, 1440, 180)), "10:05", "23:59"])
    evidence = st.sampled_from(list(Evidence))
    return block(
        draw(names()),
        draw(times),
        draw(times),
        day=draw(st.sampled_from([*WEEK[:2], None])),
        notes=draw(st.sampled_from([None, "Hall", "Room 12"])),
        weeks=draw(st.sampled_from([None, None, "A", "B"])),
        start_from=draw(evidence),
        end_from=draw(evidence),
    )


def messy_timetables() -> st.SearchStrategy[Timetable]:
    return st.builds(
        lambda blocks, year, page: Timetable(timeblocks=tuple(blocks), year=year, pages=(page,)),
        st.lists(messy_blocks(), min_size=1, max_size=12),
        st.sampled_from([None, 1950, 2024]),
        st.integers(0, 1),
    )


@given(st.lists(messy_timetables(), min_size=1, max_size=3))
def test_whatever_is_printed_the_host_accepts_it(found: list[Timetable]) -> None:
    week = project(found)
    assert faults("/ai/extract-async", 200, json.loads(week.model_dump_json(by_alias=True))) == []


@given(messy_timetables())
def test_every_name_survives_on_its_days(timetable: Timetable) -> None:
    told = {day: [one.name for one in project([timetable]).timeblocks if one.day == day] for day in WEEK}
    for one in timetable.timeblocks:
        for day in [one.day] if one.day else WEEK[:5]:
            assert any(one.name in name.split(" / ") or one.name in name for name in told[day])


@given(messy_timetables())
def test_a_printed_time_is_kept_or_told(timetable: Timetable) -> None:
    told = project([timetable]).timeblocks
    for one in timetable.timeblocks:
        if one.start_time is None or one.end_time is None:
            continue
        kept = [
            other
            for other in told
            if one.name in other.name
            and (
                (one.start_time, one.end_time) == (other.start_time, other.end_time)
                or f"printed {one.start_time}-{one.end_time}" in (other.notes or "")
            )
        ]
        gives_way = {one.fields["startTime"].evidence, one.fields["endTime"].evidence} != {Evidence.PRINTED}
        assert kept or gives_way


@given(messy_timetables())
def test_what_was_projected_stays_as_it_is(timetable: Timetable) -> None:
    once = project([timetable])
    assert project([literal(once)]) == once


@given(timetables())
def test_a_week_on_a_grid_comes_out_as_it_went_in_and_in_order(timetable: Timetable) -> None:
    assert shown(project([timetable])) == [
        (one.name, one.start_time, one.end_time, one.notes) for one in timetable.timeblocks
    ]
    assert project([timetable]).warnings == ()
