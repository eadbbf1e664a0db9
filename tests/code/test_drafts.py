"""How neighbours settle what is not printed: printed times win, starts end what stands before, twins are one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pocai.documents.page import Box, Line, Quad
from pocai.settings import SchoolHours
from pocai.timetable.clock import Interval
from pocai.timetable.day_axis import DayEntry
from pocai.timetable.drafts import UNTIMED, Draft, House, drafts_of, settle
from pocai.timetable.naming import Context, wording
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import Slot
from pocai.timetable.slots import Timing
from pocai.timetable.timetable import Day, Evidence

PRINTED, HEADER, INFERRED = Evidence.PRINTED, Evidence.HEADER, Evidence.INFERRED
HOUSE = House(SchoolHours(), Context(frozenset(), ()))
HIGH = 100.0
MONDAY = DayEntry(("Monday",), 0, 200, None)
TUESDAY = DayEntry(("Tuesday",), 200, 400, None)


def cell(top: float, bottom: float, *texts: str, entry: DayEntry = MONDAY) -> Piece:
    lines = tuple(
        Line(text, Quad.of(Box(entry.low + 10, top + 4 + 20 * row, entry.low + 90, top + 18 + 20 * row)), size=14)
        for row, text in enumerate(texts)
    )
    return Piece(Box(entry.low, top, entry.high, bottom), lines, ruled=True)


def draft(piece: Piece, timing: Timing, entry: DayEntry = MONDAY) -> Draft:
    return Draft((entry,), piece, wording(piece.lines, piece.box, HOUSE.context), timing)


def slot(number: int, start: int | None, end: int | None) -> Slot:
    return Slot(number * HIGH, (number + 1) * HIGH, Interval(start, end), "", cell(number * HIGH, number * HIGH, "1"))


def times(drafts: list[Draft]) -> list[tuple[str, int | None, int | None]]:
    return [(each.wording.name, each.timing.start, each.timing.end) for each in drafts]


HOUR = slot(0, 540, 600)
IN_SLOT = Timing(540, 600, HEADER, HEADER, (0,))


# --- what a cell says of its own time


def read(*texts: str, timing: Timing | None = IN_SLOT) -> list[Draft]:
    return drafts_of(cell(0, HIGH, *texts), [MONDAY], timing, (HOUR,), HOUSE)


def test_a_cell_without_a_time_has_that_of_its_slot() -> None:
    (found,) = read("Maths")
    assert found.timing == IN_SLOT
    assert found.time_labels == (HOUR.label,)


def test_a_printed_range_overrides_the_slot() -> None:
    (found,) = read("Maths", "9.10-9.50")
    assert (found.wording.name, found.timing.start, found.timing.end) == ("Maths", 550, 590)
    assert (found.timing.start_from, found.timing.end_from) == (PRINTED, PRINTED)


def test_without_a_slot_only_what_is_printed_is_known() -> None:
    assert read("Maths", timing=None)[0].timing == UNTIMED
    (found,) = read("Maths", "9.10-9.50", timing=None)
    assert (found.timing.start, found.timing.end) == (550, 590)


def test_a_time_that_is_only_mentioned_is_none() -> None:
    (found,) = read("Swimming", "coach leaves at 9.40")
    assert found.timing == IN_SLOT
    assert "coach leaves at 9.40" in f"{found.wording.name} {found.wording.notes}"


@pytest.mark.parametrize(
    "texts",
    [("9.00-9.30", "Maths", "9.30-10.00", "Art"), ("Maths", "9.00-9.30", "Art", "9.30-10.00")],
    ids=["times above", "times below"],
)
def test_a_cell_with_several_timed_events_is_several(texts: tuple[str, ...]) -> None:
    assert times(read(*texts)) == [("Maths", 540, 570), ("Art", 570, 600)]


def test_a_cell_without_words_is_no_event() -> None:
    assert read("9.00-9.30") == []


# --- inferred edges


def test_a_neighbours_printed_time_wins_over_an_inferred_edge() -> None:
    upper = draft(cell(0, 50, "Maths"), Timing(540, 570, HEADER, INFERRED, (0,)))
    lower = draft(cell(50, 100, "Art"), Timing(565, 600, PRINTED, HEADER, (0,)))
    assert times(settle([upper, lower], (HOUR,))) == [("Maths", 540, 565), ("Art", 565, 600)]


def test_a_printed_end_is_the_start_of_what_follows() -> None:
    upper = draft(cell(0, 50, "Maths"), Timing(540, 575, HEADER, PRINTED, (0,)))
    lower = draft(cell(50, 100, "Art"), Timing(570, 600, INFERRED, HEADER, (0,)))
    assert times(settle([upper, lower], (HOUR,))) == [("Maths", 540, 575), ("Art", 575, 600)]


def test_inferred_edges_stay_without_better_knowledge() -> None:
    upper = draft(cell(0, 50, "Maths"), Timing(540, 570, HEADER, INFERRED, (0,)))
    lower = draft(cell(50, 100, "Art"), Timing(570, 600, INFERRED, HEADER, (0,)))
    assert settle([upper, lower], (HOUR,)) == [upper, lower]


@pytest.mark.parametrize(("top", "entry"), [(50, TUESDAY), (90, MONDAY)], ids=["on another day", "further down"])
def test_only_a_neighbour_of_the_same_day_is_asked(top: float, entry: DayEntry) -> None:
    upper = draft(cell(0, 50, "Maths"), Timing(540, 570, HEADER, INFERRED, (0,)))
    other = draft(cell(top, top + 50, "Art", entry=entry), Timing(565, 600, PRINTED, HEADER, (0,)), entry)
    assert times(settle([upper, other], (HOUR,)))[0] == ("Maths", 540, 570)


def test_a_cell_of_another_day_in_the_same_column_is_no_neighbour() -> None:
    upper = draft(cell(0, 50, "Maths"), Timing(540, 570, HEADER, INFERRED, (0,)))
    lower = draft(cell(50, 100, "Art"), Timing(565, 600, PRINTED, HEADER, (0,)), TUESDAY)
    assert times(settle([upper, lower], (HOUR,)))[0] == ("Maths", 540, 570)


def test_a_time_of_the_head_is_not_moved_by_a_neighbour() -> None:
    upper = draft(cell(0, 100, "Maths"), IN_SLOT)
    lower = draft(cell(100, 200, "Art"), Timing(595, 660, PRINTED, HEADER, (1,)))
    assert times(settle([upper, lower], (HOUR, slot(1, 600, 660))))[0] == ("Maths", 540, 600)


# --- groups in one slot


def parts(*names: str) -> list[Draft]:
    high = HIGH / len(names)
    return [
        draft(cell(n * high, (n + 1) * high, name), Timing(540 + 20 * n, 560 + 20 * n, INFERRED, INFERRED, (0,)))
        for n, name in enumerate(names)
    ]


def test_more_parts_than_can_follow_each_other_run_side_by_side() -> None:
    settled = settle(parts("Maths", "Art", "Music"), (HOUR,))
    assert times(settled) == [("Maths", 540, 600), ("Art", 540, 600), ("Music", 540, 600)]
    assert {each.timing.end_from for each in settled} == {HEADER}


def test_sets_run_side_by_side() -> None:
    assert [span[1:] for span in times(settle(parts("Maths set 1", "Maths set 2"), (HOUR,)))] == [(540, 600)] * 2


def test_two_parts_follow_each_other() -> None:
    assert times(settle(parts("Maths", "Art"), (HOUR,))) == [("Maths", 540, 560), ("Art", 560, 580)]


# --- starts without ends


def starting(number: int, name: str, start: int | None, entry: DayEntry = MONDAY) -> Draft:
    piece = cell(number * HIGH, (number + 1) * HIGH, name, entry=entry)
    return draft(piece, Timing(start, None, HEADER, HEADER, (number,)), entry)


STARTS = (slot(0, 540, None), slot(1, 600, None), slot(2, 660, None))


def test_a_start_ends_what_stands_before_it() -> None:
    settled = settle([starting(0, "Maths", 540), starting(1, "Art", 600), starting(2, "Music", 660)], STARTS)
    assert times(settled) == [("Maths", 540, 600), ("Art", 600, 660), ("Music", 660, None)]
    assert [each.timing.end_from for each in settled] == [INFERRED, INFERRED, HEADER]


def test_the_end_is_the_next_start_of_the_axis_even_if_that_slot_is_empty() -> None:
    settled = settle([starting(0, "Maths", 540), starting(2, "Music", 660)], STARTS)
    assert times(settled) == [("Maths", 540, 600), ("Music", 660, None)]


def test_the_start_of_another_day_ends_nothing() -> None:
    settled = settle([starting(0, "Maths", 540), starting(1, "Art", 600, TUESDAY)], STARTS)
    assert times(settled) == [("Maths", 540, None), ("Art", 600, None)]


def test_what_has_no_start_gets_no_end() -> None:
    settled = settle([starting(0, "Maths", None), starting(1, "Art", 600)], STARTS)
    assert times(settled)[0] == ("Maths", None, None)


# --- twins


def own(top: float, entry: DayEntry = MONDAY, name: str = "Choir") -> Draft:
    return draft(cell(top, top + 50, name, entry=entry), Timing(550, 590, PRINTED, PRINTED, (0,)), entry)


def test_twins_with_one_time_of_their_own_are_one_event() -> None:
    (one,) = settle([own(0), own(50)], (HOUR,))
    assert one.piece.box == Box(0, 0, 200, 100)
    assert (one.timing.start, one.timing.end) == (550, 590)


@pytest.mark.parametrize("other", [own(50, TUESDAY), own(50, name="Band")], ids=["another day", "another name"])
def test_what_differs_is_no_twin(other: Draft) -> None:
    assert len(settle([own(0), other], (HOUR,))) == 2


def test_events_with_the_times_of_the_head_are_never_merged() -> None:
    one, other = (replace(own(top), timing=IN_SLOT) for top in (0, 50))
    assert len(settle([one, other], (HOUR,))) == 2


def test_the_days_of_a_draft_stand_once() -> None:
    both: tuple[Day, ...] = ("Monday", "Tuesday")
    found = Draft((DayEntry(both, 0, 200, None), TUESDAY), cell(0, 50, "Choir"), own(0).wording, UNTIMED)
    assert found.days == both
