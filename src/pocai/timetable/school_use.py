"""What a school's memory settles in timetables that are assembled, and the hours that it suggests before that.

Edges that are not printed are settled by the school's periods: an inferred one by the boundary beside it, a missing one
where one period alone begins or ends with the other edge, both by the place among the events of the day. What is
printed stays, whatever the school does elsewhere. Each field that the school settled has `Evidence.SCHOOL`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pocai.settings import SchoolHours
from pocai.timetable.clock import HALF_DAY
from pocai.timetable.school import Period, SchoolMemory
from pocai.timetable.school_periods import Periods, nearest
from pocai.timetable.school_places import Placed, Times, axis_of
from pocai.timetable.school_reading import Mended
from pocai.timetable.timetable import BlockField, Day, Evidence, Mark, TimeBlock, Timetable, clock, minutes

MARGIN = 60  # minutes before the school's first period and after its last one in which something may yet happen
KEPT = 0.5  # share of a timetable's blocks that must be periods of the school before these settle anything
NEAR = 10  # minutes from an inferred edge to the boundary that it may stand for
_EDGES: tuple[BlockField, BlockField] = ("startTime", "endTime")
WHOLE_DAY = SchoolHours(earliest=0, latest=2 * HALF_DAY)
_READ = (Evidence.PRINTED, Evidence.HEADER)


def usual_hours(memory: SchoolMemory, hours: SchoolHours) -> SchoolHours:
    """The hours narrowed to those of the school, with an hour's margin; as they are where it has no periods."""
    periods = Periods.of(memory)
    if not periods.pairs:
        return hours
    earliest, latest = periods.starts[0] - MARGIN, periods.ends[-1] + MARGIN
    return hours.model_copy(update={"earliest": max(hours.earliest, earliest), "latest": min(hours.latest, latest)})


def misses_half_a_day(timetables: Iterable[Timetable], memory: SchoolMemory) -> bool:
    """Whether timetables keep to the school's periods by the clock on the wall, but some times are not in its hours."""
    blocks = [block for timetable in timetables for block in timetable.timeblocks]
    hours = usual_hours(memory, WHOLE_DAY)
    times = [minutes(time) for block in blocks for time in (block.start_time, block.end_time)]
    within = all(hours.earliest <= time <= hours.latest for time in times if time is not None)
    usual = {_on_the_wall(pair) for pair in Periods.of(memory).pairs}
    return not within and _keep(usual, [_on_the_wall(pair) for pair in _whole(blocks)])


def _on_the_wall(period: Period) -> Period:
    return period[0] % HALF_DAY, period[1] % HALF_DAY


def halves_told(timetables: Iterable[Timetable], before: Iterable[Timetable]) -> tuple[Timetable, ...]:
    """The timetables with the school as evidence of times that are half a day from those of the same block before."""
    known = {(block.day, block.fields["name"]): block for block in _named(before)}
    return tuple(
        timetable.model_copy(
            update={"timeblocks": tuple(_half_told(block, known) for block in timetable.timeblocks)},
        )
        for timetable in timetables
    )


def _named(timetables: Iterable[Timetable]) -> Iterator[TimeBlock]:
    return (block for timetable in timetables for block in timetable.timeblocks if "name" in block.fields)


def _half_told(block: TimeBlock, known: Mapping[tuple[Day | None, Mark], TimeBlock]) -> TimeBlock:
    old = known.get((block.day, block.fields["name"])) if "name" in block.fields else None
    if old is None:
        return block
    pairs = zip(_EDGES, (block.start_time, block.end_time), (old.start_time, old.end_time), strict=True)
    other = {name for name, time, past in pairs if _half_a_day(minutes(time), minutes(past))}
    fields = {name: _by_school(mark) if name in other else mark for name, mark in block.fields.items()}
    return block.model_copy(update={"fields": fields}) if other else block


def _half_a_day(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and abs(one - other) == HALF_DAY


def settled(timetables: Iterable[Timetable], memory: SchoolMemory, changes: Sequence[Mended]) -> tuple[Timetable, ...]:
    """The timetables with their open edges settled, and marks that tell of it and of ``changes`` to their lines."""
    periods = Periods.of(memory)
    return tuple(_settled(_told(timetable, changes), periods) for timetable in timetables)


def _told(timetable: Timetable, changes: Sequence[Mended]) -> Timetable:
    """The timetable with the school as evidence of all fields that rest on lines which it decided."""
    if not changes:
        return timetable
    blocks = tuple(_block_told(block, changes) for block in timetable.timeblocks)
    heading = timetable.fields
    fields = {name: _by_school(mark) if _words_in(mark, "", changes) else mark for name, mark in heading.items()}
    return timetable.model_copy(update={"timeblocks": blocks, "fields": fields})


def _block_told(block: TimeBlock, changes: Sequence[Mended]) -> TimeBlock:
    texts: dict[BlockField, str] = {"name": block.name, "notes": block.notes or ""}
    fields: dict[BlockField, Mark] = {}
    for name, mark in block.fields.items():
        if name in texts:
            decided = _words_in(mark, texts[name], changes)
        else:
            decided = any(each.kind == "time" and _holds(mark, each) for each in changes) and name != "day"
        fields[name] = _by_school(mark) if decided and mark.evidence in _READ else mark
    return block if fields == block.fields else block.model_copy(update={"fields": fields})


def _words_in(mark: Mark, text: str, changes: Sequence[Mended]) -> bool:
    """Whether words of a line in the mark were decided; of a ``text``, if there is one, that shares words with it."""
    return any(
        each.kind == "words" and _holds(mark, each) and (not text or bool({*each.text.split()} & {*text.split()}))
        for each in changes
    )


def _holds(mark: Mark, change: Mended) -> bool:
    left, top, right, bottom = mark.box
    x, y = change.middle
    return mark.page == change.page and left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1


def _by_school(mark: Mark) -> Mark:
    return mark.model_copy(update={"evidence": Evidence.SCHOOL})


def _settled(timetable: Timetable, periods: Periods) -> Timetable:
    if not _keep(periods.pairs, _whole(timetable.timeblocks)):
        return timetable
    told = _boundaries_told(timetable)
    blocks = [_with_boundaries(block, periods, told) for block in timetable.timeblocks]
    unprinted = {name for name in _EDGES if not _usually_printed(name, blocks)}
    blocks = [_with_other_edge(block, periods, unprinted) for block in blocks]
    along = axis_of(blocks)
    if along is not None:
        placed = Placed(blocks, along, periods)
        blocks = [_with_times(block, times) for block, times in zip(blocks, placed.times(), strict=True)]
    return timetable.model_copy(update={"timeblocks": tuple(blocks)})


def _keep(periods: Collection[Period], times: Collection[Period]) -> bool:
    """Whether most of the times are periods; of no times none are."""
    return bool(times) and sum(each in periods for each in times) >= KEPT * len(times)


def _whole(blocks: Iterable[TimeBlock]) -> list[Period]:
    """Start and end of the blocks that have both."""
    times = [(minutes(block.start_time), minutes(block.end_time)) for block in blocks]
    return [(start, end) for start, end in times if start is not None and end is not None]


def _boundaries_told(timetable: Timetable) -> frozenset[int]:
    """The starts and ends that a timetable prints, in minutes: what is inferred from them is no guess by place."""
    edges = ((block, name) for block in timetable.timeblocks for name in _EDGES if not _inferred(block, name))
    times = (minutes(block.start_time if name == "startTime" else block.end_time) for block, name in edges)
    return frozenset(time for time in times if time is not None)


def _with_boundaries(block: TimeBlock, periods: Periods, told: frozenset[int]) -> TimeBlock:
    """A block with the edges that its place alone says on the boundaries of the school that are beside them."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    if start is not None and start not in told and _inferred(block, "startTime"):
        start = nearest(start, periods.starts, NEAR) or start
    if end is not None and end not in told and _inferred(block, "endTime"):
        end = nearest(end, periods.ends, NEAR) or end
    return block if start is not None and end is not None and start >= end else _with_times(block, (start, end))


def _usually_printed(name: BlockField, blocks: Sequence[TimeBlock]) -> bool:
    """Whether most of the blocks with times have this edge from the page."""
    timed = [block for block in blocks if block.start_time is not None or block.end_time is not None]
    return 2 * sum(name in block.fields and not _inferred(block, name) for block in timed) > len(timed)


def _with_other_edge(block: TimeBlock, periods: Periods, unprinted: Collection[BlockField]) -> TimeBlock:
    """A block with the edge that it lacks, if the page does not print such edges, from the one period of the other."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    if start is not None and end is None and "endTime" in unprinted:
        end = periods.end_after(start)
    elif end is not None and start is None and "startTime" in unprinted:
        start = periods.start_before(end)
    return _with_times(block, (start, end))


def _inferred(block: TimeBlock, name: BlockField) -> bool:
    mark = block.fields.get(name)
    return mark is not None and mark.evidence is Evidence.INFERRED


def _with_times(block: TimeBlock, times: Times) -> TimeBlock:
    """The block with other times; what is new rests on the school, and stands where the block's other marks are."""
    fields = dict(block.fields)
    values: dict[BlockField, str | None] = {"startTime": block.start_time, "endTime": block.end_time}
    for name, minute in zip(_EDGES, times, strict=True):
        value = None if minute is None else clock(minute)
        mark = fields.get(name) or fields.get("name")
        if value != values[name] and mark is not None:
            fields[name] = _by_school(mark)
            values[name] = value
    update = {"start_time": values["startTime"], "end_time": values["endTime"], "fields": fields}
    return block if fields == block.fields else block.model_copy(update=update)
