"""Hypothesis strategies: weeks as schools have them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from pocai.timetable.timetable import Day, TimeBlock, Timetable, clock

WEEK: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SUBJECTS = (
    "Maths", "English", "Français", "Éducation physique", "PE", "Art & Design", "Music/Drama", "Reading", "Übung",
    "Science", "Geography", "Assembly", "Break", "Lunch", "Naturaleza y Año", "D&T", "Choir", "Story", "Handwriting",
)  # fmt: skip
SUFFIXES = ("", "", "", " 2", " 3b", " / Phonics", " & Games", " club")
NOTES = (None, None, "Room 12", "Lab 3", "Hall", "Room B4")
Slot = tuple[int, int]  # minutes after midnight


def names() -> st.SearchStrategy[str]:
    """What stands in a cell: several words, digits, "/", "&", accents."""
    return st.builds(lambda subject, suffix: subject + suffix, st.sampled_from(SUBJECTS), st.sampled_from(SUFFIXES))


@st.composite
def slots(draw: st.DrawFn) -> list[Slot]:
    """2 to 9 slots of a school day in order, one after the other or with gaps between."""
    start = draw(st.integers(16, 19)) * 30
    result = []
    for _ in range(draw(st.integers(2, 9))):
        length = draw(st.sampled_from((15, 20, 30, 40, 45, 50, 60)))
        result.append((start, start + length))
        start += length + draw(st.sampled_from((0, 0, 0, 5, 10, 30)))
    return result


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    """A week on a plain grid: 1 to 7 days from Monday on, blocks over one slot or several, empty cells.

    Every day holds a block, and every slot one that fills it alone, so that the blocks tell the grid.
    """
    days = WEEK[: draw(st.integers(1, 7))]
    times = draw(slots())
    witnesses = {slot: draw(st.sampled_from(days)) for slot in range(len(times))}
    blocks = [block for day in days for block in draw(_day(day, times, {s for s, d in witnesses.items() if d == day}))]
    return Timetable(timeblocks=tuple(blocks))


@st.composite
def _day(draw: st.DrawFn, day: Day, times: Sequence[Slot], singles: set[int]) -> list[TimeBlock]:
    """The blocks of a day; those in the slots ``singles`` fill one slot."""
    blocks: list[TimeBlock] = []
    slot = 0
    while slot < len(times):
        needed = slot in singles or (slot == len(times) - 1 and not blocks)
        free = next((later for later in range(slot, len(times)) if later in singles), len(times)) - slot
        length = 1 if slot in singles else min(draw(st.sampled_from((0, 1, 1, 1, 2, 3))), free)
        if length or needed:
            last = slot + max(length, 1) - 1
            start, end = clock(times[slot][0]), clock(times[last][1])
            name, notes = draw(names()), draw(st.sampled_from(NOTES))
            blocks.append(TimeBlock(day=day, name=name, start_time=start, end_time=end, notes=notes))
        slot += max(length, 1)
    return blocks
