"""How much a reading is like a school's earlier timetables: of two readings of a page it tells the likelier one."""

from __future__ import annotations

from collections.abc import Sequence

from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_periods import LEAST
from pocai.timetable.timetable import Timetable


def likeness(timetables: Sequence[Timetable], memory: SchoolMemory) -> float:
    """The share of blocks, 0 to 1, whose name the school has printed at least `LEAST` times; 0 without blocks."""
    names = [block.name for timetable in timetables for block in timetable.timeblocks]
    return sum(memory.names.get(name, 0) >= LEAST for name in names) / len(names) if names else 0.0
