"""A timetable as a week grid: rows between all printed times, a column a day, lanes for what is parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pocai.timetable.timetable import WEEK, Day, TimeBlock, Timetable, minutes

_OPEN_END = 15  # minutes of the last row, where a block begins and no end is printed


@dataclass(frozen=True, slots=True)
class Placed:
    """A block and the rows and lanes that it covers in its day: first included, last excluded."""

    block: TimeBlock
    rows: tuple[int, int]
    lanes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Column:
    """A day of the grid, ``lanes`` columns wide; ``untimed`` are listed below the grid."""

    day: Day | None
    lanes: int
    placed: tuple[Placed, ...]
    untimed: tuple[TimeBlock, ...]


@dataclass(frozen=True, slots=True)
class WeekGrid:
    """A timetable as a grid: row ``i`` lasts from ``boundaries[i]`` to ``boundaries[i + 1]`` (minutes)."""

    boundaries: tuple[int, ...]
    columns: tuple[Column, ...]


def week_grid(timetable: Timetable) -> WeekGrid:
    """The grid of a timetable: days in the order of the week, blocks without a day last."""
    blocks = timetable.timeblocks
    spans = [span for block in blocks if (span := _span(block))]
    boundaries = sorted({minute for span in spans for minute in span if minute is not None})
    if any(end is None and start == boundaries[-1] for start, end in spans):
        boundaries.append(boundaries[-1] + _OPEN_END)
    days: list[Day | None] = [day for day in WEEK if any(block.day == day for block in blocks)]
    if any(block.day is None for block in blocks):
        days.append(None)
    return WeekGrid(
        tuple(boundaries),
        tuple(_column(day, [block for block in blocks if block.day == day], boundaries) for day in days),
    )


def _span(block: TimeBlock) -> tuple[int, int | None] | None:
    """Start and end of a block; the end is None where none is printed or it lies before the start."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    if start is None:
        return None
    return start, end if end is not None and end > start else None


def _column(day: Day | None, blocks: Sequence[TimeBlock], boundaries: Sequence[int]) -> Column:
    timed = [(block, _rows(span, boundaries)) for block in blocks if (span := _span(block))]
    clusters = list(_clusters(sorted(timed, key=lambda pair: pair[1])))
    counted = [(cluster, _lanes([rows for _, rows in cluster])) for cluster in clusters]
    width = max((max(lanes) + 1 for _, lanes in counted), default=1)
    placed: list[Placed] = []
    for cluster, lanes in counted:
        count = max(lanes) + 1
        for (block, rows), lane in zip(cluster, lanes, strict=True):
            placed.append(Placed(block, rows, (lane * width // count, (lane + 1) * width // count)))
    return Column(day, width, tuple(placed), tuple(block for block in blocks if _span(block) is None))


def _rows(span: tuple[int, int | None], boundaries: Sequence[int]) -> tuple[int, int]:
    first = boundaries.index(span[0])
    return first, first + 1 if span[1] is None else boundaries.index(span[1])


def _clusters(
    timed: Sequence[tuple[TimeBlock, tuple[int, int]]],
) -> Iterator[list[tuple[TimeBlock, tuple[int, int]]]]:
    """Groups of blocks that overlap, directly or through others."""
    cluster: list[tuple[TimeBlock, tuple[int, int]]] = []
    end = 0
    for block, rows in timed:
        if cluster and rows[0] >= end:
            yield cluster
            cluster = []
        cluster.append((block, rows))
        end = max(end, rows[1])
    if cluster:
        yield cluster


def _lanes(rows: Sequence[tuple[int, int]]) -> list[int]:
    """For each block of a cluster, in order of start, the first lane that is free."""
    free: list[int] = []
    lanes: list[int] = []
    for first, last in rows:
        lane = next((index for index, end in enumerate(free) if end <= first), len(free))
        if lane == len(free):
            free.append(last)
        free[lane] = last
        lanes.append(lane)
    return lanes
