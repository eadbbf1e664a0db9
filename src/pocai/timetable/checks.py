"""What looks wrong in a timetable. Nothing is repaired: what is printed stays, and a person decides.

The messages name lessons and teachers' events as printed; they belong to the user's result and never to a log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pocai.settings import SchoolHours
from pocai.timetable.timetable import WEEK, Day, TimeBlock, Timetable, minutes

Code = Literal[
    "overlap",
    "duplicate",
    "order",
    "length",
    "hours",
    "missing_time",
    "missing_day",
    "coverage",
    "gap",
    "unsure",  # of calibrated confidences; said by `pocai.inference.certainty`
]
Severity = Literal["warning", "note"]

_SHORTEST, _LONGEST = 3, 6 * 60  # minutes
_LONG_GAP = 90  # minutes
_SCHOOL_WEEK = 5
_MOST_DAYS = 3  # days from which a missing one is remarkable
_FEW = 0.4  # share of the usual number of blocks
_NAMED = 6  # blocks that a message names


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at; ``blocks`` are indices into the timeblocks of timetable ``timetable``."""

    code: Code
    message: str
    blocks: tuple[int, ...] = ()
    severity: Severity = "warning"
    timetable: int = 0

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class _Placed:
    """A block with its index and its times in minutes."""

    index: int
    block: TimeBlock
    start: int
    end: int


def check(timetable: Timetable, hours: SchoolHours | None = None) -> tuple[Finding, ...]:
    """All findings on one timetable: of single blocks first, then of days, then of the week."""
    hours = hours or SchoolHours()
    blocks = timetable.timeblocks
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _missing(blocks),
        lambda: _times(blocks, hours),
        lambda: _duplicates(blocks),
        lambda: _overlaps(blocks),
        lambda: _gaps(blocks),
        lambda: _coverage(blocks),
    )
    return tuple(finding for run in checks for finding in run())


def _label(block: TimeBlock) -> str:
    times = "–".join(filter(None, (block.start_time, block.end_time)))
    return f"“{block.name}” {times}".strip()


def _labels(blocks: Sequence[TimeBlock]) -> str:
    shown = ", ".join(_label(block) for block in blocks[:_NAMED])
    return f"{shown} and {len(blocks) - _NAMED} more" if len(blocks) > _NAMED else shown


def _on(day: Day | None) -> str:
    return day or "No day"


def _placed(blocks: Sequence[TimeBlock]) -> dict[Day | None, list[_Placed]]:
    """The blocks with usable times by day, in order of their start."""
    days: dict[Day | None, list[_Placed]] = defaultdict(list)
    for index, block in enumerate(blocks):
        start, end = minutes(block.start_time), minutes(block.end_time)
        if start is not None and end is not None and start < end:
            days[block.day].append(_Placed(index, block, start, end))
    return {day: sorted(placed, key=lambda one: (one.start, one.end)) for day, placed in days.items()}


def _missing(blocks: Sequence[TimeBlock]) -> Iterator[Finding]:
    for index, block in enumerate(blocks):
        if block.day is None:
            yield Finding("missing_day", f"{_label(block)} stands on no day", (index,))
        lost = [name for name, time in (("start", block.start_time), ("end", block.end_time)) if time is None]
        if lost:
            yield Finding("missing_time", f"{_on(block.day)}: {_label(block)} has no {' and no '.join(lost)}", (index,))


def _times(blocks: Sequence[TimeBlock], hours: SchoolHours) -> Iterator[Finding]:
    for index, block in enumerate(blocks):
        start, end = minutes(block.start_time), minutes(block.end_time)
        where = f"{_on(block.day)}: {_label(block)}"
        if start is not None and end is not None and end <= start:
            yield Finding("order", f"{where} ends before it starts", (index,))
        elif start is not None and end is not None and not _SHORTEST <= end - start <= _LONGEST:
            yield Finding("length", f"{where} lasts {end - start} minutes", (index,))
        known = [time for time in (start, end) if time is not None]
        if known and (min(known) < hours.earliest or max(known) > hours.latest):
            yield Finding("hours", f"{where} lies outside school hours", (index,))


def _duplicates(blocks: Sequence[TimeBlock]) -> Iterator[Finding]:
    groups: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for index, block in enumerate(blocks):
        groups[_identity(block)].append(index)
    for indices in groups.values():
        if len(indices) > 1:
            block = blocks[indices[0]]
            yield Finding("duplicate", f"{_on(block.day)}: {_label(block)} stands {len(indices)} times", tuple(indices))


def _identity(block: TimeBlock) -> tuple[str | None, ...]:
    return block.day, block.name.casefold(), block.start_time, block.end_time, block.notes, block.weeks


def _overlaps(blocks: Sequence[TimeBlock]) -> Iterator[Finding]:
    """One finding for each group of blocks that begin together and run into, or beside, others."""
    for day, placed in _placed(blocks).items():
        seen: list[_Placed] = []
        for one in placed:
            beside = [other for other in seen if other.end > one.start and _clash(other.block, one.block)]
            twin = any((other.start, other.end) == (one.start, one.end) for other in beside)
            if beside and not (twin and _counted(seen, one, beside)):
                together = [*beside, *(later for later in placed if _same_time(later, one))]
                named = sorted({other.index for other in together})
                message = f"{_on(day)}: {_labels([blocks[index] for index in named])} overlap"
                parallel = all(_same_time(other, one) for other in together)  # groups side by side, as printed
                yield Finding("overlap", message, tuple(named), "note" if parallel else "warning")
            seen.append(one)


def _same_time(one: _Placed, other: _Placed) -> bool:
    return (one.start, one.end) == (other.start, other.end)


def _counted(seen: Sequence[_Placed], one: _Placed, beside: Sequence[_Placed]) -> bool:
    """Whether the group that ``one`` belongs to has been reported with an earlier member of it."""
    twins = [other for other in seen if _same_time(other, one)]
    return len(twins) > 1 or len(beside) > len(twins)


def _clash(one: TimeBlock, other: TimeBlock) -> bool:
    """Whether both take place in the same week; what stands twice is reported as a duplicate."""
    return (one.weeks == other.weeks or None in (one.weeks, other.weeks)) and _identity(one) != _identity(other)


def _gaps(blocks: Sequence[TimeBlock]) -> Iterator[Finding]:
    for day, placed in _placed(blocks).items():
        free_from = placed[0]
        for one in placed[1:]:
            if one.start - free_from.end >= _LONG_GAP:
                message = f"{_on(day)}: nothing between {_label(free_from.block)} and {_label(one.block)}"
                yield Finding("gap", message, (free_from.index, one.index), "note")
            free_from = max(free_from, one, key=lambda placed: placed.end)


def _coverage(blocks: Sequence[TimeBlock]) -> Iterator[Finding]:
    counts = Counter(block.day for block in blocks if block.day in WEEK[:_SCHOOL_WEEK])
    if len(counts) < _MOST_DAYS:
        return
    usual = median(counts.values())
    for day in WEEK[:_SCHOOL_WEEK]:
        count = counts[day]
        if count == 0:
            yield Finding("coverage", f"{day} has no blocks")
        elif count < _FEW * usual:
            indices = tuple(index for index, block in enumerate(blocks) if block.day == day)
            yield Finding("coverage", f"{day} has {count} blocks where other days have {usual:g}", indices)
