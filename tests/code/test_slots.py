"""From the edges of cells to times: borders give printed times, edges inside a slot are inferred."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Line, Quad
from pocai.timetable.clock import Interval
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import Slot
from pocai.timetable.slots import Timing, next_start, timing
from pocai.timetable.timetable import Evidence

HIGH = 100.0  # units of the page that each slot is high
HEADER, INFERRED = Evidence.HEADER, Evidence.INFERRED


def slots(*times: tuple[int | None, int | None], gap: float = 0.0) -> tuple[Slot, ...]:
    """Slots below each other from 0 on, with ``gap`` between them."""
    found = []
    for number, interval in enumerate(times):
        low = number * (HIGH + gap)
        line = Line("label", Quad.of(Box(0, low, 50, low + 20)))
        found.append(Slot(low, low + HIGH, Interval(*interval), "", Piece(line.box, (line,), ruled=False)))
    return tuple(found)


def placed(low: float, high: float, axis: Sequence[Slot], *, ruled: bool = True) -> Timing:
    found = timing(low, high, axis, ruled=ruled)
    assert found is not None
    return found


HOURS = slots((540, 600), (600, 660), (660, 720))
STARTS = slots((540, None), (600, None), (660, None))


@pytest.mark.parametrize("jitter", [0, 15, -15])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 2), (0, 2)])
def test_edges_near_borders_take_the_printed_times(first: int, last: int, jitter: float) -> None:
    found = placed(first * HIGH + jitter, (last + 1) * HIGH - jitter, HOURS)
    assert (found.start, found.end) == (540 + 60 * first, 600 + 60 * last)
    assert (found.start_from, found.end_from) == (HEADER, HEADER)
    assert found.slots == tuple(range(first, last + 1))


@pytest.mark.parametrize(("depth", "minute"), [(25, 555), (50, 570), (55, 570), (75, 585)])
def test_an_edge_inside_a_long_slot_is_inferred_to_a_quarter(depth: float, minute: int) -> None:
    upper, lower = placed(0, depth, HOURS), placed(depth, HIGH, HOURS)
    assert (upper.start, upper.end, upper.start_from, upper.end_from) == (540, minute, HEADER, INFERRED)
    assert (lower.start, lower.end, lower.start_from, lower.end_from) == (minute, 600, INFERRED, HEADER)


def test_an_edge_inside_a_short_slot_is_inferred_to_five_minutes() -> None:
    assert placed(0, 50, slots((540, 560), (560, 600))).end == 550
    assert placed(0, 40, slots((540, 565), (565, 600))).end == 550


@given(st.floats(0, 240), st.floats(60, 300), st.lists(st.sampled_from([20, 30, 45, 60, 90]), min_size=3, max_size=3))
def test_inferred_edges_stay_inside_their_slots(low: float, length: float, lengths: list[int]) -> None:
    starts = [540, 540 + lengths[0], 540 + lengths[0] + lengths[1]]
    axis = slots(*((start, start + length) for start, length in zip(starts, lengths, strict=True)))
    found = placed(low, min(low + length, 300), axis)
    assert found.start is not None
    assert found.end is not None
    first, last = axis[found.slots[0]].interval, axis[found.slots[-1]].interval
    assert (first.start or 0) <= found.start <= (first.end or 0)
    assert (last.start or 0) <= found.end <= (last.end or 0)
    for minute, evidence in ((found.start, found.start_from), (found.end, found.end_from)):
        assert evidence is HEADER or minute % 5 == 0 or minute in {*first, *last}


@given(st.floats(-5000, 5000), st.floats(0.1, 20), st.floats(0, 250), st.floats(20, 300))
def test_times_do_not_depend_on_place_and_scale(shift: float, scale: float, low: float, length: float) -> None:
    low, high = float(round(low)), float(round(min(low + length, 300)))
    depths = [edge % HIGH for edge in (low, high)]
    if high - low < 30 or any(min(abs(depth - at) for at in (20, 80, 37.5, 62.5)) < 1 for depth in depths):
        return  # so near to a threshold, rounding may decide
    axis = tuple(
        Slot(slot.low * scale + shift, slot.high * scale + shift, slot.interval, slot.words, slot.label)
        for slot in HOURS
    )
    assert placed(low * scale + shift, high * scale + shift, axis) == placed(low, high, HOURS)


@pytest.mark.parametrize(("low", "high", "index"), [(70, 150, 1), (30, 140, 0), (130, 290, 2)])
def test_free_writing_belongs_to_the_slot_that_holds_most_of_it(low: float, high: float, index: int) -> None:
    found = placed(low, high, HOURS, ruled=False)
    assert (found.start, found.end, found.slots) == (540 + 60 * index, 600 + 60 * index, (index,))


@pytest.mark.parametrize(("low", "high"), [(350, 400), (-80, -10)])
def test_a_cell_beyond_all_labels_has_no_time(low: float, high: float) -> None:
    assert timing(low, high, HOURS, ruled=True) is None


def test_without_labels_there_is_no_time() -> None:
    assert timing(0, 100, (), ruled=True) is None


def test_a_cell_in_a_gap_lasts_from_slot_to_slot() -> None:
    axis = slots((540, 600), (615, 675), gap=50)
    found = placed(HIGH, HIGH + 50, axis)
    assert (found.start, found.end) == (600, 615)
    assert (found.start_from, found.end_from) == (INFERRED, INFERRED)


def test_a_cell_in_a_gap_without_time_has_none() -> None:
    assert timing(HIGH, HIGH + 50, slots((540, 600), (600, 660), gap=50), ruled=True) is None
    assert timing(HIGH, HIGH + 50, slots((540, None), (600, 660), gap=50), ruled=True) is None


def test_three_labels_with_starts_only_leave_the_end_open() -> None:
    found = placed(0, HIGH, STARTS)
    assert (found.start, found.end) == (540, None)


def test_a_start_only_slot_is_split_as_far_as_the_next_start() -> None:
    found = placed(0, 50, STARTS)
    assert (found.start, found.end, found.end_from) == (540, 570, INFERRED)


def test_evenly_spaced_ticks_end_themselves() -> None:
    axis = slots(*((start, None) for start in (480, 540, 600, 660)))
    found = placed(HIGH, 3 * HIGH, axis)
    assert (found.start, found.end, found.end_from) == (540, 660, HEADER)


def test_the_last_tick_has_no_end() -> None:
    axis = slots(*((start, None) for start in (480, 540, 600, 660)))
    assert placed(3 * HIGH, 4 * HIGH, axis).end is None


def test_uneven_starts_are_no_ticks() -> None:
    axis = slots(*((start, None) for start in (480, 540, 555, 660)))
    assert placed(0, HIGH, axis).end is None


def test_the_next_start_is_the_first_that_is_printed_below() -> None:
    axis = slots((540, None), (None, None), (600, None), (660, None))
    assert [next_start(axis, index) for index in range(4)] == [600, None, 660, None]
