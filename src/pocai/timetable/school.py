"""What earlier timetables of a school have shown: its periods, its words, its habits.

A memory is data, not a model: counts over timetables that were extracted, or corrected by a person. It is bounded, and
what a person corrected counts `CORRECTED` times. `remember` adds timetables to it; `pocai.feature_store` keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from pocai.timetable.timetable import Evidence, TimeBlock, Timetable

Key = TypeVar("Key", str, tuple[int, int])
CORRECTED = 5  # extracted timetables that weigh as much as one that a person has corrected
SURE = 0.5  # calibrated confidence from which a field is learned
MOST_WORDS, MOST_PERIODS = 400, 80  # entries that are kept, the most frequent ones
Period = tuple[int, int]
"""Start and end of a period in minutes after midnight."""


@dataclass(frozen=True, slots=True)
class SchoolMemory:
    """What is known of a school.

    ``documents`` were remembered, of which ``corrected`` by a person. ``periods`` are start and end in minutes after
    midnight with the number of blocks that print them; ``names`` and ``notes`` are texts of blocks as printed, with
    their number. ``cycle`` is the greatest number of days that a timetable has. Of ``fields`` that were extracted of
    corrected documents a person changed ``changed``. ``adapter`` is the folder of an adapter for this school.
    ``updated`` is when this was last added to (with a time zone).
    """

    documents: int = 0
    corrected: int = 0
    periods: Mapping[Period, int] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    cycle: int = 0
    fields: int = 0
    changed: int = 0
    adapter: str | None = None
    updated: datetime | None = None

    @property
    def day_start(self) -> int | None:
        """The earliest start of a period, in minutes after midnight."""
        return min((start for start, _ in self.periods), default=None)

    @property
    def day_end(self) -> int | None:
        """The latest end of a period, in minutes after midnight."""
        return max((end for _, end in self.periods), default=None)

    @property
    def correction_rate(self) -> float | None:
        """The share of extracted fields that were changed by persons; None before the first correction."""
        return self.changed / self.fields if self.fields else None


def remember(
    memory: SchoolMemory, timetables: Sequence[Timetable], when: datetime, *, corrected: bool = False
) -> SchoolMemory:
    """The memory with the timetables of one more document; without timetables it is given back as it is.

    Only what is printed is learned: times that were inferred, and names that the school itself has mended, teach
    nothing, so that no memory feeds on itself.
    """
    blocks = [block for timetable in timetables for block in timetable.timeblocks]
    if not blocks:
        return memory
    weight = CORRECTED if corrected else 1
    periods = (period for timetable in timetables for period in _periods(timetable))
    names = (block.name for block in blocks if _is_printed(block, "name"))
    notes = (block.notes for block in blocks if block.notes and _is_printed(block, "notes"))
    return replace(
        memory,
        documents=memory.documents + 1,
        corrected=memory.corrected + corrected,
        periods=_added(memory.periods, periods, weight, MOST_PERIODS),
        names=_added(memory.names, names, weight, MOST_WORDS),
        notes=_added(memory.notes, notes, weight, MOST_WORDS),
        cycle=max(memory.cycle, *(len({block.day for block in each.timeblocks}) for each in timetables)),
        updated=when,
    )


def minutes(time: str) -> int:
    """Minutes after midnight of a time as "HH:MM"."""
    hour, minute = time.split(":")
    return 60 * int(hour) + int(minute)


def _periods(timetable: Timetable) -> Iterator[Period]:
    """The periods that a timetable prints; where only starts are printed, a period lasts until the next of its day."""
    starts = {(block.day, block.start_time) for block in timetable.timeblocks if _is_printed(block, "startTime")}
    for block in timetable.timeblocks:
        if block.start_time is None or block.end_time is None or not _is_printed(block, "startTime"):
            continue
        start, end = minutes(block.start_time), minutes(block.end_time)
        if start < end and (_is_printed(block, "endTime") or (block.day, block.end_time) in starts):
            yield start, end


def _is_printed(block: TimeBlock, name: str) -> bool:
    """Whether a field's value stands on the page; a corrected block, which has no marks, is as good."""
    mark = next((mark for key, mark in block.fields.items() if key == name), None)
    if mark is None:
        return True
    sure = mark.confidence is None or mark.reason is not None or mark.confidence >= SURE
    return sure and mark.evidence not in (Evidence.INFERRED, Evidence.SCHOOL)


def _added(counts: Mapping[Key, int], more: Iterable[Key], weight: int, most: int) -> dict[Key, int]:
    whole = Counter(counts)
    for each in more:
        whole[each] += weight
    return dict(sorted(whole.items(), key=lambda item: (-item[1], str(item[0])))[:most])
