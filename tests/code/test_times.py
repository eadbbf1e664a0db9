"""Times as they are printed: every notation is read, nothing else is, and a whole header is read together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.settings import SchoolHours
from pocai.timetable.clock import Clock, Interval, TimeSpan
from pocai.timetable.time_axis import resolve_axis, resolve_near
from pocai.timetable.times import find_times, is_time_only, strip_times

HOURS = SchoolHours()


def hm(hour: int, minute: int = 0) -> int:
    return hour * 60 + minute


def read(text: str, *, bare: bool = False) -> list[Interval]:
    """Each span as its only reading, or as the one that a school day suggests."""
    return [resolve_near(span, None, HOURS) for span in find_times(text, bare=bare)]


RANGES = {
    "8:35 – 8.50 am": (hm(8, 35), hm(8, 50)),
    "12-1pm": (hm(12), hm(13)),
    "11-1pm": (hm(11), hm(13)),
    "9 – 9.30": (hm(9), hm(9, 30)),
    "10-11.30": (hm(10), hm(11, 30)),
    "1-1.15pm": (hm(13), hm(13, 15)),
    "10.00-10.30": (hm(10), hm(10, 30)),
    "0900-1000": (hm(9), hm(10)),
    "800-845": (hm(8), hm(8, 45)),
    "9.30am to 10.15am": (hm(9, 30), hm(10, 15)),
    "11:30 -\n12:30 pm": (hm(11, 30), hm(12, 30)),
    "13.00-\n14.00": (hm(13), hm(14)),
    "8:05–8:50 Uhr": (hm(8, 5), hm(8, 50)),
    "von 8 bis 9 Uhr": (hm(8), hm(9)),
    "de 8 à 9": (hm(8), hm(9)),
    "das 8h às 9h": (hm(8), hm(9)),
    "dalle 8.30 alle 9.30": (hm(8, 30), hm(9, 30)),
    "de 9:00 a 10:00": (hm(9), hm(10)),
    "entre 8h et 9h": (hm(8), hm(9)),
    "14h-15h": (hm(14), hm(15)),
    "10:15 -11:00": (hm(10, 15), hm(11)),
    "9.00→10.00": (hm(9), hm(10)),
    "9.00 ~ 10.00": (hm(9), hm(10)),
    "9.00 − 10.00": (hm(9), hm(10)),
    "9:3O-1O:OO": (hm(9, 30), hm(10)),
    "9,30-10,15": (hm(9, 30), hm(10, 15)),
    "8⁰⁰-8⁴⁵": (hm(8), hm(8, 45)),
    "9.30-1030": (hm(9, 30), hm(10, 30)),
    "8.30 a.m. - 3.15 p.m.": (hm(8, 30), hm(15, 15)),
    "8:15a-9:00a": (hm(8, 15), hm(9)),
    "11am-1": (hm(11), hm(13)),
    "noon-1pm": (hm(12), hm(13)),
    "9:00to9:30": (hm(9), hm(9, 30)),
    "12:45-1:15": (hm(12, 45), hm(13, 15)),
}
STARTS = {
    "9.00": hm(9),
    "9h30": hm(9, 30),
    "9h": hm(9),
    "14 Uhr": hm(14),
    "8.00 Uhr": hm(8),
    "ab 8 Uhr": hm(8),
    "8 h 15": hm(8, 15),
    "13:00h": hm(13),
    "2pm": hm(14),
    "at noon": hm(12),
    "12: 30": hm(12, 30),
    "9 .15": hm(9, 15),
    "1O:3O": hm(10, 30),
    "l0:15": hm(10, 15),
    "8⁰⁰": hm(8),
    "09:00:00": hm(9),
    "0900 hrs": hm(9),
    "8.30 A.M.": hm(8, 30),
    "15 H 30": hm(15, 30),
}
ENDS = {
    "ends 12: 30pm": hm(12, 30),
    "till 3pm": hm(15),
    "until midday": hm(12),
    "bis 12.30 Uhr": hm(12, 30),
    "jusqu'à 16h30": hm(16, 30),
    "hasta las 14:00": hm(14),
}
NO_TIMES = (
    *(
        "01/09/2023",
        "24 April",
        "26/08/2025",
        "2.1.2025",
        "01.09.2023",
        "01.09.23",
        "Mo 24.04.",
        "2024-25",
        "2024-2025",
    ),
    *("B5.4", "SB2.2 ", "SB2.20", "LG.01", "C3.9", "L3", "11 · ABCD", "Room 12", "Room 5.12", "P3", "2A", "7.1"),
    *("Week 1-2", "Weeks 1, 2, 4", "Year 3-4", "Grades 9-12", "KS1-2", "Pages 4-5", "Group 1-2", "Ages 4-11", "1/2"),
    *("(20 min)", "20 MIN.", "1h30", "Deutsch 4 h", "10 hrs per week", "3 x 20"),
    *("£3.50", "3.50 €", "5*", "50%", "01234 567890", "0114 234 5678", "555-1234", "Autumn 2 2024", "Sept 2024"),
    *("9-10", "9 – 10", "9", "Gruppe 3 am Montag", "Midday meal", "English 4 (A)", "2nd", "5-a-side", ""),
)


@pytest.mark.parametrize(("text", "expected"), RANGES.items())
def test_a_range_is_read_whole(text: str, expected: tuple[int, int]) -> None:
    (span,) = find_times(text)
    assert read(text) == [expected]
    assert span.at == (0, len(text))


@pytest.mark.parametrize(("text", "start"), STARTS.items())
def test_a_single_time_is_a_start(text: str, start: int) -> None:
    assert read(text) == [(start, None)]


@pytest.mark.parametrize(("text", "end"), ENDS.items())
def test_until_gives_an_end_without_a_start(text: str, end: int) -> None:
    assert read(text) == [(None, end)]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    assert find_times(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "9-10": (hm(9), hm(10)),
        "12-1": (hm(12), hm(13)),
        "9": (hm(9), None),
        "(9-10)": (hm(9), hm(10)),
        "0900": (hm(9), None),
        "9,30": (hm(9, 30), None),
        "9:00\n9:30": (hm(9), hm(9, 30)),
        "8.35/8.50": (hm(8, 35), hm(8, 50)),
        "Time 9-10": (hm(9), hm(10)),
    }.items(),
)
def test_in_a_cell_of_times_bare_numbers_count(text: str, expected: tuple[int, int | None]) -> None:
    assert read(text, bare=True) == [expected]
    assert is_time_only(text, bare=True)


@pytest.mark.parametrize("text", ["Year 9-10", "7A", "Room 9", "25", "9-10 Maths", "2024", "10-9", "1st"])
def test_in_a_cell_of_times_other_numbers_do_not_count(text: str) -> None:
    assert find_times(text, bare=True) == ()


def test_several_times_in_one_text_are_found_in_order() -> None:
    assert read("9:30 -10:30 Maths 11:00 - 12:00 PE") == [(hm(9, 30), hm(10, 30)), (hm(11), hm(12))]


@pytest.mark.parametrize("text", ["Maths 2 - 10:30", "1 - 10.30-11.00", "Period 1 10:30", "Group 10:30 -11:15"])
def test_the_number_of_a_group_is_not_part_of_its_time(text: str) -> None:
    assert read(text)[0][0] == hm(10, 30)


def test_clock_readings() -> None:
    assert Clock(1, 15).readings() == (75, 795)
    assert Clock(13, 15).readings() == Clock(1, 15, "pm").readings() == (795,)
    assert Clock(12, 0).readings() == (720,)
    assert Clock(12, 30, "am").readings() == (30,)


@pytest.mark.parametrize(
    ("text", "rest"),
    {
        "PE (1:45-2:30)": "PE",
        "DBT - 9:45 - 12:00 pm": "DBT",
        "Lunch - 12:30-13:30": "Lunch",
        "Group 10:30 -11:15": "Group",
        "Assbly (ends 12: 30pm)": "Assbly",
        "(Hall, 1:45-2:30)": "(Hall)",
        "(1:45-2:30, Hall)": "(Hall)",
        "Maths\n9.00-10.00\nRoom 3": "Maths\nRoom 3",
        "9.00: Maths": "Maths",
        "Maths - 9:00-10:00 - Hall": "Maths - Hall",
        "Early start 8.30": "Early start",
        "03: 10:00 – 10:45": "03",
        "Ends at 12.30.": "",
    }.items(),
)
def test_stripping_mends_the_cut(text: str, rest: str) -> None:
    assert strip_times(text, find_times(text)) == rest


@pytest.mark.parametrize("text", ["03: 9:00 – 9:45", "03: 9h00 – 9h45", "03: 9.00–9.45", "03 9h–9h45", "11: 9h - 9h45"])
def test_a_number_before_a_colon_and_a_time_is_no_hour(text: str) -> None:
    (span,) = find_times(text)
    assert (span.start.hour, span.end.hour, span.end.minute) == (9, 9, 45)  # type: ignore[union-attr]  # both are there


@pytest.mark.parametrize("text", ["9.00-10.00", "Time: 9.00", "from 9.00 to 10.00", "(9.00)\n10.00", "8.00 Uhr"])
def test_time_only(text: str) -> None:
    assert is_time_only(text)


@pytest.mark.parametrize("text", ["Time", "Maths 9.00", "", "Monday", "9-10"])
def test_not_time_only(text: str) -> None:
    assert not is_time_only(text)


minute_of_day = st.integers(hm(7), hm(20, 55))
DASHES = ("-", " - ", "–", " – ", "—", "−", " to ", " bis ", " -\n", "- ")
NOTATIONS: dict[str, Callable[[int, int], str]] = {
    "24h colon": lambda h, m: f"{h:02d}:{m:02d}",
    "24h point": lambda h, m: f"{h:02d}.{m:02d}",
    "short colon": lambda h, m: f"{h}:{m:02d}",
    "12h colon": lambda h, m: f"{(h - 1) % 12 + 1}:{m:02d}",
    "12h point": lambda h, m: f"{(h - 1) % 12 + 1}.{m:02d}",
    "am pm": lambda h, m: f"{(h - 1) % 12 + 1}.{m:02d}{'am' if h < 12 else 'pm'}",
    "a.m. p.m.": lambda h, m: f"{(h - 1) % 12 + 1}:{m:02d} {'a.m.' if h < 12 else 'p.m.'}",
    "French": lambda h, m: f"{h}h{m:02d}",
    "German": lambda h, m: f"{h}.{m:02d} Uhr",
    "space after the colon": lambda h, m: f"{h}: {m:02d}",
}


@given(minute_of_day, st.integers(5, 120), st.sampled_from(sorted(NOTATIONS)), st.sampled_from(DASHES))
def test_what_is_written_is_read(start: int, lasts: int, notation: str, dash: str) -> None:
    write = NOTATIONS[notation]
    end = start + lasts
    (span,) = find_times(write(*divmod(start, 60)) + dash + write(*divmod(end, 60)))
    assert resolve_near(span, Interval(start, end), HOURS) == (start, end)


@given(st.sampled_from([*RANGES, *STARTS, *ENDS]), st.sampled_from(["Maths ", "\n", "PE\n", "Music: ", "  "]))
def test_text_in_front_only_shifts_a_time(text: str, front: str) -> None:
    (alone,), (moved,) = find_times(text), find_times(front + text)
    shift = len(front)
    assert moved == TimeSpan(alone.start, alone.end, (alone.at[0] + shift, alone.at[1] + shift))


@given(st.text(alphabet="0123456789:.-–h apmOl|()/ \nUhrto€,⁰³", max_size=30), st.booleans())
def test_any_text_gives_ordered_spans_within_it(text: str, bare: bool) -> None:
    spans = find_times(text, bare=bare)
    ends = [0, *(edge for span in spans for edge in span.at), len(text)]
    assert ends == sorted(ends)
    assert all(span.start or span.end for span in spans)
    assert len(strip_times(text, spans)) <= len(text) + 2 * len(spans)


def axis(*texts: str) -> list[Interval | None]:
    spans = [next(iter(find_times(text, bare=True)), None) for text in texts]
    return list(resolve_axis(spans, HOURS))


def test_a_school_day_runs_through_noon() -> None:
    starts = axis("8.35", "9.50", "Break", "11.10", "12.10", "1.15", "2.15")
    assert starts == [(m, None) if m else None for m in (515, 590, 0, 670, 730, 795, 855)]


def test_an_evening_school_begins_in_the_afternoon() -> None:
    assert axis("4.30-5.30", "6.00-7.30", "7.30-9") == [(990, 1050), (1080, 1170), (1170, 1260)]


def test_a_nursery_begins_at_seven() -> None:
    assert axis("7-8", "8-9", "9-10") == [(420, 480), (480, 540), (540, 600)]


def test_a_header_with_leading_zeros_still_has_an_afternoon() -> None:
    assert axis("09:00-10:00", "01:00-02:00") == [(540, 600), (780, 840)]


def test_one_misread_entry_leaves_the_others() -> None:
    starts = [interval and interval[0] for interval in axis("9.00", "10.00", "5.00pm", "11.00", "12.00", "1.00")]
    assert starts == [540, 600, 1020, 660, 720, 780]


def test_an_empty_header_has_no_times() -> None:
    assert resolve_axis([], HOURS) == ()
    assert resolve_axis([None, None], HOURS) == (None, None)


@given(st.integers(hm(7, 30), hm(11)), st.lists(st.integers(5, 100), min_size=2, max_size=9), st.sampled_from(":."))
def test_a_day_without_am_and_pm_is_read_back(first: int, lengths: list[int], sign: str) -> None:
    marks = [first]
    for length in lengths:
        marks.append(min(marks[-1] + length, hm(20)))
    truth = [(start, end) for start, end in pairwise(marks) if start < end]
    printed = ["-".join(f"{(mark // 60 - 1) % 12 + 1}{sign}{mark % 60:02d}" for mark in interval) for interval in truth]
    assert axis(*printed) == truth


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([0, 15, 30])), min_size=1, max_size=10))
def test_each_reading_of_a_header_is_one_that_is_printed(clocks: list[tuple[int, int]]) -> None:
    spans = [TimeSpan(Clock(*clock), None, (0, 1)) for clock in clocks]
    for span, interval in zip(spans, resolve_axis(spans, HOURS), strict=True):
        assert interval in span.intervals()


@pytest.mark.parametrize(
    ("text", "near", "expected"),
    [
        ("1.45-2.30", Interval(hm(13), hm(14)), Interval(hm(13, 45), hm(14, 30))),
        ("6.00", Interval(hm(17), hm(18)), Interval(hm(18), None)),
        ("8.15", Interval(hm(20), None), Interval(hm(20, 15), None)),
        ("until 3.00", Interval(hm(14), hm(16)), Interval(None, hm(15))),
        ("1.45", None, Interval(hm(13, 45), None)),
        ("until 9.00", Interval(hm(19), None), Interval(None, hm(21))),
        ("9.15", Interval(None, hm(21, 30)), Interval(hm(21, 15), None)),
    ],
)
def test_a_time_in_a_cell_is_read_near_its_slot(text: str, near: Interval | None, expected: Interval) -> None:
    (span,) = find_times(text)
    assert resolve_near(span, near, HOURS) == expected


def test_a_roman_numeral_before_a_time_is_no_room() -> None:
    assert len(find_times("V 12.00 13.00")) == 2
    assert find_times("R 3.07") == ()
