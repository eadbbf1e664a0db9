"""Exports are read back by the programs that they are for: a spreadsheet, a calendar, a CSV reader."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from pocai.timetable.export import TermDates, to_csv, to_ics, to_json, to_xlsx
from pocai.timetable.timetable import Day, TimeBlock, Timetable, clock

TERM = TermDates(date(2025, 9, 3), date(2025, 12, 19), holidays=(date(2025, 10, 27), date(2025, 10, 28)))
DAYS: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def block(
    times: str, name: str = "Maths", day: Day | None = "Monday", *, weeks: str | None = None, notes: str | None = None
) -> TimeBlock:
    start, _, end = times.partition("-")
    return TimeBlock(day=day, name=name, start_time=start or None, end_time=end or None, weeks=weeks, notes=notes)


def week(*blocks: TimeBlock, class_name: str | None = "3 Oak") -> Timetable:
    return Timetable(timeblocks=blocks, class_name=class_name)


def events(timetable: Timetable, term: TermDates = TERM) -> list[Any]:
    return list(Calendar.from_ical(to_ics([timetable], term)).walk("VEVENT"))


# JSON and CSV


def test_json_is_the_hosts_shape_with_warnings() -> None:
    timetable = week(block("09:00-10:00", notes="Café"))
    read = json.loads(to_json([timetable], ["page 2 was left out"]))
    assert read["warnings"] == ["page 2 was left out"]
    assert read["timetables"][0]["timeblocks"][0]["startTime"] == "09:00"
    assert Timetable.model_validate(read["timetables"][0]) == timetable
    assert "Café" in to_json([timetable])


def test_csv_has_a_row_for_each_block() -> None:
    timetables = [week(block("09:00-10:00", 'Say "hi", twice'), block("10:00-", "Art")), week(block("", "PE"))]
    rows = list(csv.DictReader(io.StringIO(to_csv(timetables))))
    assert [(row["timetable"], row["name"], row["startTime"], row["endTime"]) for row in rows] == [
        ("1", 'Say "hi", twice', "09:00", "10:00"),
        ("1", "Art", "10:00", ""),
        ("2", "PE", "", ""),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+44", "-2+3", "@SUM(A1)", " =1", "\t=1", "＝1"])
def test_csv_text_is_never_a_formula(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([week(block("09:00-10:00", text, notes=text))])))
    assert row["name"] == row["notes"] == f"'{text}"


# Workbook


def sheets(*timetables: Timetable) -> Any:
    return openpyxl.load_workbook(io.BytesIO(to_xlsx(timetables)), rich_text=True)


def covered(sheet: Any) -> dict[str, tuple[str, str]]:
    """The first and last cell of each text below the row of days."""
    merged = {area.coord.split(":")[0]: area.coord.split(":")[1] for area in sheet.merged_cells.ranges}
    cells = [cell for row in sheet.iter_rows(min_row=3, min_col=2) for cell in row if cell.value]
    return {str(cell.value): (cell.coordinate, merged.get(cell.coordinate, cell.coordinate)) for cell in cells}


def test_the_week_grid_has_days_across_and_times_down() -> None:
    (sheet,) = sheets(
        week(block("09:00-10:00"), block("10:00-10:30", "Art", "Wednesday"), block("09:00-10:30", "PE", "Friday"))
    )
    assert [sheet.cell(2, column).value for column in (2, 3, 4)] == ["Monday", "Wednesday", "Friday"]
    assert [sheet.cell(row, 1).value for row in (3, 4)] == ["09:00–10:00", "10:00–10:30"]
    assert covered(sheet) == {"Maths": ("B3", "B3"), "Art": ("C4", "C4"), "PE": ("D3", "D4")}


def test_parallel_lessons_stand_side_by_side_and_others_take_the_whole_day() -> None:
    (sheet,) = sheets(week(block("09:00-10:00"), block("09:00-10:00", "Art"), block("10:00-11:00", "PE")))
    assert covered(sheet) == {"Maths": ("B3", "B3"), "Art": ("C3", "C3"), "PE": ("B4", "C4")}


def test_blocks_without_usable_times_stay_on_the_sheet() -> None:
    (sheet,) = sheets(
        week(
            block("09:00-10:00"),
            block("10:00-", "Home"),
            block("", "Club"),
            block("11:00-10:30", "Odd"),
            block("", "Trip", None),
        )
    )
    assert [text.splitlines()[0] for text in covered(sheet)] == ["Maths", "Home", "Odd", "Club", "Trip"]
    assert any("11:00–10:30" in text for text in covered(sheet))


def test_equal_names_have_equal_colours() -> None:
    (sheet,) = sheets(week(block("09:00-10:00"), block("10:00-11:00", "Art"), block("09:00-10:00", "MATHS", "Tuesday")))
    colors = [sheet[cell].fill.start_color.rgb for cell in ("B3", "B4", "C3")]
    assert colors[0] == colors[2] != colors[1]


def test_notes_are_printed_smaller() -> None:
    (sheet,) = sheets(week(block("09:00-10:00", notes="Hall")))
    name, notes = sheet["B3"].value
    assert (str(name), str(notes)) == ("Maths", "\nHall")
    assert notes.font.sz < name.font.sz


def test_nothing_on_a_sheet_is_a_formula() -> None:
    (sheet,) = sheets(week(block("09:00-10:00", "=1+1"), block("10:00-11:00", "=2", notes="=3"), class_name="=4"))
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert sheet["B3"].value == "=1+1"


def test_sheets_print_on_one_landscape_page() -> None:
    (sheet,) = sheets(week(block("09:00-10:00")))
    assert sheet.page_setup.orientation == "landscape"
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 1)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage


@pytest.mark.parametrize("name", ["", "a/b:c*?[x]", "'quoted'", "x" * 40, "History", "\x07", None])
def test_any_class_name_makes_sheets_of_different_names(name: str | None) -> None:
    book = sheets(week(block("09:00-10:00"), class_name=name), week(block("09:00-10:00"), class_name=name))
    assert len({title.casefold() for title in book.sheetnames}) == 2
    assert all(0 < len(title) <= 31 for title in book.sheetnames)


def test_a_workbook_without_timetables_opens() -> None:
    assert len(sheets().sheetnames) == 1


times = st.integers(0, 95).map(lambda quarter: clock(quarter * 15)) | st.none()
texts = st.text(max_size=12)
blocks = st.builds(
    TimeBlock,
    day=st.sampled_from([*DAYS, None]),
    name=st.text(min_size=1, max_size=12),
    start_time=times,
    end_time=times,
    notes=st.none() | texts,
    weeks=st.sampled_from([None, "A", "B", "Week 2", "1, 3"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(blocks, max_size=8))
def test_every_export_takes_every_timetable(some: list[TimeBlock]) -> None:
    timetable = week(*some)
    (sheet,) = sheets(timetable)
    assert len(covered(sheet)) <= len(some)
    areas = [area.bounds for area in sheet.merged_cells.ranges]
    for index, (left, top, right, bottom) in enumerate(areas):
        assert all(r < left or right < x or b < top or bottom < y for x, y, r, b in areas[index + 1 :])
    assert len(list(csv.reader(io.StringIO(to_csv([timetable]))))) == len(some) + 1
    assert len({str(event["uid"]) for event in events(timetable)}) == len(events(timetable))


# Calendar


def test_an_event_repeats_weekly_between_the_dates_of_term() -> None:
    (event,) = events(week(block("09:00-10:00", notes="Hall, please; bring\nshoes")))
    zone = ZoneInfo("Europe/London")
    assert event.decoded("dtstart") == datetime(2025, 9, 8, 9, tzinfo=zone)  # term begins on a Wednesday
    assert event.decoded("dtend") == datetime(2025, 9, 8, 10, tzinfo=zone)
    assert event["rrule"]["freq"] == ["WEEKLY"]
    assert event["rrule"]["until"] == [datetime(2025, 12, 19, 23, 59, tzinfo=UTC)]
    assert [moment.dt for moment in event["exdate"].dts] == [datetime(2025, 10, 27, 9, tzinfo=zone)]
    assert str(event["summary"]) == "Maths"
    assert str(event["description"]) == "Hall, please; bring\nshoes"


@given(st.lists(st.tuples(st.sampled_from(DAYS), st.integers(28, 70), st.integers(1, 12)), max_size=6))
def test_the_calendar_gives_the_blocks_back(some: list[tuple[Day, int, int]]) -> None:
    truth = [
        (day, clock(quarter * 15), clock(min(1425, (quarter + lasts) * 15)), f"Lesson {index}")
        for index, (day, quarter, lasts) in enumerate(some)
    ]
    read = events(week(*(block(f"{start}-{end}", name, day) for day, start, end, name in truth)))
    assert truth == [
        (
            DAYS[event.decoded("dtstart").weekday()],
            f"{event.decoded('dtstart'):%H:%M}",
            f"{event.decoded('dtend'):%H:%M}",
            str(event["summary"]),
        )
        for event in read
    ]
    assert all(TERM.first <= event.decoded("dtstart").date() < TERM.first + timedelta(weeks=1) for event in read)


def test_weeks_a_and_b_take_turns() -> None:
    lessons = (block("09:00-10:00", weeks="Week A"), block("09:00-10:00", "Art", weeks="B"), block("10:00-11:00", "PE"))
    read = {str(event["summary"]): event for event in events(week(*lessons))}
    starts = {name: event.decoded("dtstart").date() for name, event in read.items()}
    # The first week (A) began on a Monday before the term did.
    assert starts == {"Maths": date(2025, 9, 15), "Art": date(2025, 9, 8), "PE": date(2025, 9, 8)}
    assert [read[name]["rrule"].get("interval") for name in ("Maths", "Art", "PE")] == [[2], [2], None]


def test_the_term_can_begin_with_week_b() -> None:
    term = TermDates(date(2025, 9, 1), cycle=("B", "A"))
    (event,) = events(week(block("09:00-10:00", weeks="B")), term)
    assert event.decoded("dtstart").date() == date(2025, 9, 1)


def test_numbered_weeks_run_up_to_the_highest_one() -> None:
    read = events(week(block("09:00-10:00", weeks="Weeks 1, 3")), TermDates(date(2025, 9, 1)))
    assert [event.decoded("dtstart").date() for event in read] == [date(2025, 9, 1), date(2025, 9, 15)]
    assert all(event["rrule"]["interval"] == [3] for event in read)


def test_without_an_end_of_term_the_week_repeats_for_ever() -> None:
    (event,) = events(week(block("09:00-10:00")), TermDates(date(2025, 9, 1)))
    assert "until" not in event["rrule"]


def test_blocks_without_times_are_all_day_and_leave_the_day_free() -> None:
    (event,) = events(week(block("", "Trip"), block("09:00-10:00", "Nowhere", None)))
    assert event.decoded("dtstart") == date(2025, 9, 8)
    assert str(event["transp"]) == "TRANSPARENT"
    assert event["rrule"]["until"] == [date(2025, 12, 19)]
    assert event["exdate"].params["VALUE"] == "DATE"


def test_an_end_is_never_invented() -> None:
    without, backwards = events(week(block("09:00-"), block("10:00-09:00", "Odd")))
    assert "dtend" not in without
    assert "dtend" not in backwards
    assert str(backwards["description"]) == "until 09:00"


def test_a_day_that_does_not_occur_in_a_short_term_is_left_out() -> None:
    term = TermDates(date(2025, 9, 3), date(2025, 9, 4))
    assert [
        str(event["summary"])
        for event in events(week(block("09:00-10:00"), block("09:00-10:00", "Art", "Thursday")), term)
    ] == ["Art"]


@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata", "America/New_York", "Australia/Sydney", "UTC"])
def test_the_calendar_holds_the_rules_of_its_zone(zone: str) -> None:
    term = TermDates(date(2025, 9, 3), timezone=zone)
    calendar = Calendar.from_ical(to_ics([week(block("09:00-10:00"))], term))
    assert [str(part["tzid"]) for part in calendar.walk("VTIMEZONE")] == [zone]
    (event,) = calendar.walk("VEVENT")
    assert event.decoded("dtstart").utcoffset() == datetime(2025, 9, 8, 9, tzinfo=ZoneInfo(zone)).utcoffset()


def test_the_same_input_gives_the_same_bytes_and_uids() -> None:
    timetable = week(block("09:00-10:00"), block("09:00-10:00"), block("10:00-11:00", notes="before"))
    assert to_ics([timetable], TERM) == to_ics([timetable], TERM)
    uids = [str(event["uid"]) for event in events(timetable)]
    later = events(week(block("09:00-10:00"), block("09:00-10:00"), block("10:00-11:30", notes="after")))
    assert len(set(uids)) == 3
    assert uids == [str(event["uid"]) for event in later]


def test_the_stamp_is_given_or_the_first_day_of_term() -> None:
    (event,) = events(week(block("09:00-10:00")))
    assert event.decoded("dtstamp") == datetime(2025, 9, 3, tzinfo=UTC)
    stamped = to_ics([week(block("09:00-10:00"))], TERM, stamp=datetime(2025, 8, 1, 12, tzinfo=UTC))
    assert b"DTSTAMP:20250801T120000Z" in stamped


def test_lines_are_folded_and_end_as_the_standard_asks() -> None:
    content = to_ics([week(block("09:00-10:00", "é" * 120, notes="bell\x07"))], TERM)
    assert content.endswith(b"\r\n")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(len(line) for line in content.split(b"\r\n")) <= 75
    assert b"\x07" not in content


@pytest.mark.parametrize(
    ("last", "zone", "says"),
    [(date(2025, 9, 1), "Europe/London", "2025-09-01"), (None, "Mars/Base", "Mars/Base"), (None, "../x", "../x")],
)
def test_impossible_terms_are_refused(last: date | None, zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TermDates(date(2025, 9, 3), last, timezone=zone)
