"""The axes of a week that a model has pointed to: its days, its time labels, and its events beside them."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import log
from statistics import median

import numpy as np

from pocai.documents.page import Box, Cell, Line
from pocai.settings import SchoolHours
from pocai.timetable.clock import Interval, TimeSpan
from pocai.timetable.day_axis import FAR, DayEntry
from pocai.timetable.days import day_label, resolve_labels
from pocai.timetable.naming import folded
from pocai.timetable.pieces import Piece, swapped
from pocai.timetable.pointed import DAYS, Group, Pointed, in_line
from pocai.timetable.slot_axis import Slot
from pocai.timetable.slots import LEAST_TICKS
from pocai.timetable.stretches import stretches_of
from pocai.timetable.time_axis import resolve_axis
from pocai.timetable.times import find_times
from pocai.timetable.timetable import Day

TIMES = frozenset({"time"})
NEAR = 5.0  # heights of a line between the columns of starts and ends

Key = dict[str, TimeSpan]
"""The times of named periods, by their names as `folded`."""


@dataclass(frozen=True)
class PointedAxes:
    """Days along x and times along y, whichever way the page has them; ``groups`` are the events of one week."""

    pointed: Pointed
    groups: Sequence[Group]

    @cached_property
    def turned(self) -> bool:
        """Whether times run along the page's x: judged by what is clearer, the row of the days or that of the times."""
        times = {time for group in self.groups for time in group.times}
        days = {day for group in self.groups for day in group.days}
        return self._wide(times) > self._wide(days)

    @cached_property
    def bodies(self) -> list[Piece]:
        """Each event as a piece."""
        return [self.piece(group.lines) for group in self.groups]

    @cached_property
    def entries(self) -> dict[int, DayEntry]:
        """The day labels by number, each with the half of the way to its neighbours."""
        numbers = sorted({day for group in self.groups for day in group.days})
        pieces = {n: self._free((n,)) for n in numbers}
        ordered = sorted(numbers, key=lambda n: pieces[n].box.center)
        named, all_days = self._named_days(ordered), self.pointed.numbers(DAYS)
        of_page = self._named_days(self._in_reading_order(all_days))
        named = named | of_page if len(of_page) == len(all_days) else of_page | named
        middles = [pieces[n].box.center[0] for n in ordered]
        pitch = min((b - a for a, b in pairwise(middles) if b > a), default=FAR)
        return {
            n: DayEntry(named.get(n, ()), middle - pitch / 2, middle + pitch / 2, pieces[n])
            for n, middle in zip(ordered, middles, strict=True)
        }

    @cached_property
    def labels(self) -> list[tuple[int, ...]]:
        """Time labels in their order; those that stand for the same events are one ("2nd lesson", "9.00")."""
        labels: list[list[int]] = []
        for time in sorted(self._times, key=lambda time: self._along(self.pointed.lines[time])):
            same = next((label for label in labels if self._is_of(label, time)), None)
            if same is None:
                labels.append([time])
            else:
                same.append(time)
        for end, start in self._ends.items():
            next(label for label in labels if start in label).append(end)
        return [tuple(label) for label in labels]

    def slots(self, key: Key, hours: SchoolHours) -> tuple[Slot, ...]:
        """A slot for each label, with the times that it prints or that the key gives for its name."""
        if not self.labels:
            return ()
        marks = [self.piece(label) for label in self.labels]
        spans = [
            span_of(mark, key, bare=any(self.pointed.roles[number] in TIMES for number in label))
            for mark, label in zip(marks, self.labels, strict=True)
        ]
        idle = [label[0] in self._edges for label in self.labels]
        intervals = _until(resolve_axis(spans, hours), idle)
        stretches = stretches_of(marks, self.bodies)
        return tuple(
            Slot(low, high, interval, "", mark)
            for mark, interval, (low, high) in zip(marks, intervals, stretches, strict=True)
        )

    def piece(self, numbers: Sequence[int]) -> Piece:
        """Lines as a piece: their cell where they have it to themselves, else the rectangle of their writing."""
        lines = [self.pointed.lines[number] for number in numbers]
        cell = self._cells.get(id(lines[0]))
        if cell is None or {id(line) for line in cell.lines} != {id(line) for line in lines}:
            return self._free(numbers)
        piece = Piece(cell.box, tuple(cell.lines), ruled=True)
        return piece.swapped() if self.turned else piece

    def _free(self, numbers: Sequence[int]) -> Piece:
        lines = tuple(self.pointed.lines[number] for number in numbers)
        piece = Piece(Box.around(line.box for line in lines), lines, ruled=False)
        return piece.swapped() if self.turned else piece

    @cached_property
    def _cells(self) -> dict[int, Cell]:
        return self.pointed.cells()

    @cached_property
    def _times(self) -> list[int]:
        return [*self._labelling, *self._edges]

    @cached_property
    def _labelling(self) -> list[int]:
        """The times under which events stand."""
        return sorted({time for group in self.groups for time in group.times})

    @cached_property
    def _idle(self) -> list[int]:
        """The times under which nothing stands."""
        others = ~np.eye(len(self.pointed.lines), dtype=bool)
        return [t for t in self.pointed.numbers(TIMES) if not (self.pointed.related[t] & others[t]).any()]

    @cached_property
    def _ends(self) -> dict[int, int]:
        """Idle times right beside a label, in a column of their own: each with the label whose end it is."""
        found = {}
        for end in self._idle:
            beside = [start for start in self._labelling if self._at_one_place(start, end) and self._next(start, end)]
            if beside and not in_line(self.pointed, end, self._labelling):
                found[end] = beside[0]
        return found

    def _next(self, one: int, other: int) -> bool:
        """Whether a line stands close beside another one, at whose right or below which it begins."""
        first, second = (self._free((number,)).box for number in (one, other))
        return first.left < second.left <= first.right + NEAR * first.height

    @cached_property
    def _edges(self) -> list[int]:
        """Idle times in line with the labels: they end what stands before them."""
        times = self._labelling
        return [time for time in self._idle if len(times) > 1 and in_line(self.pointed, time, times)]

    def _is_of(self, label: Sequence[int], time: int) -> bool:
        """Whether a line is one more of a label: at its place, for the same events; for most of them, if beside it.

        Hours below each other have events in common where these last for several hours, and are labels of their own.
        """
        events, others = self._stands_for(label[0]), self._stands_for(time)
        most = 2 * len(events & others) >= len(events | others)
        if not most or not any(self._at_one_place(other, time) for other in label):
            return False
        timed = all(find_times(self.pointed.lines[number].text) for number in (label[0], time))
        return not timed or self._in_one_row(label[0], time) or (events == others and not self._ticking)

    @cached_property
    def _ticking(self) -> bool:
        """Whether the times along the axis are the ticks of a clock, in equal steps."""
        ordered = sorted(self._times, key=lambda time: self._along(self.pointed.lines[time]))
        spans = [span for time in ordered for span in find_times(self.pointed.lines[time].text)]
        starts = [60 * span.start.hour + span.start.minute for span in spans if span.start and span.end is None]
        steps = {(later - start) % (12 * 60) for start, later in pairwise(starts)}
        return len(starts) == len(spans) >= LEAST_TICKS and len(steps) == 1

    def _stands_for(self, time: int) -> set[int]:
        return {number for number, group in enumerate(self.groups) if time in group.times}

    def _at_one_place(self, one: int, other: int) -> bool:
        """Whether two lines stand in one cell, or beside or close below each other on the time axis."""
        line, beside = self.pointed.lines[one], self.pointed.lines[other]
        if id(line) in self._cells and self._cells[id(line)] is self._cells.get(id(beside)):
            return True
        size = min(line.box.height, line.box.width, beside.box.height, beside.box.width)
        return self._apart(one, other) < 0.5 * size

    def _in_one_row(self, one: int, other: int) -> bool:
        return self._apart(one, other) < 0

    def _apart(self, one: int, other: int) -> float:
        """How far two lines are apart on the time axis; below 0 where they stand beside each other."""
        boxes = (self.pointed.lines[number].box for number in (one, other))
        first, second = (swapped(box) if self.turned else box for box in boxes)
        return max(first.top, second.top) - min(first.bottom, second.bottom)

    def _along(self, line: Line) -> float:
        return line.box.center[0 if self.turned else 1]

    def _wide(self, numbers: set[int]) -> float:
        """How much further apart most of some lines lie in x than in y, as a logarithm; 0 for less than two.

        One in the middle of a bar does not count.
        """
        if len(numbers) < 2:  # noqa: PLR2004 -- one has no distance
            return 0.0
        boxes = [self.pointed.lines[number].box for number in numbers]
        size = median(min(box.width, box.height) for box in boxes)
        across, down = zip(*(box.center for box in boxes), strict=True)
        return log((_spread(across) + size) / (_spread(down) + size))

    def _in_reading_order(self, numbers: Sequence[int]) -> list[int]:
        """Lines from left to right in rows from top to bottom."""
        boxes = {number: self.pointed.lines[number].box for number in numbers}
        row = 2 * median(box.height for box in boxes.values()) if boxes else 1.0
        tops = sorted(box.center[1] for box in boxes.values())
        starts = [y for before, y in pairwise([-FAR, *tops]) if y - before > row]
        return sorted(numbers, key=lambda n: (bisect(starts, boxes[n].center[1]), boxes[n].left))

    def _named_days(self, numbers: Sequence[int]) -> dict[int, tuple[Day, ...]]:
        """The days of labels that name one, decided together: a single "M" is told by the labels beside it."""
        texts = [self.pointed.lines[number].text for number in numbers]
        read = zip(numbers, resolve_labels(texts), texts, strict=True)
        found = {number: days or day_label(text) for number, days, text in read}
        return {number: days for number, days in found.items() if days}


def span_of(label: Piece, key: Key, *, bare: bool) -> TimeSpan | None:
    """The time that a label prints, or that the key gives for its name; a start and an end printed apart are one.

    ``bare`` numbers are hours where the label was pointed to as a time: "8", but not "8" as the eighth period.
    """
    spans = [span for line in label.lines for span in find_times(line.text)]
    if not spans:
        names = (label.text, *(line.text for line in label.lines))
        named = next((key[name] for name in map(folded, names) if name in key), None)
        spans = [named] if named else list(find_times(label.text, bare=True)) if bare else []
    starts = [span for span in spans if span.start and span.end is None]
    if len(starts) == len(spans) == 2:  # noqa: PLR2004 -- a start and an end
        return TimeSpan(starts[0].start, starts[1].start, starts[0].at)
    return spans[0] if spans else None


def _until(intervals: Sequence[Interval | None], idle: Sequence[bool]) -> list[Interval]:
    """Times along an axis; a start under which nothing stands is the end of what is open before it.

    Not so the ticks of a clock, which `slots` knows: there an event ends where its cell does.
    """
    known = [interval or Interval(None, None) for interval in intervals]
    starts = [interval.start for interval in known if interval.start is not None]
    if len({later - start for start, later in pairwise(starts)}) == 1 and len(starts) == len(known) >= LEAST_TICKS:
        return known
    for number, (before, at) in enumerate(pairwise(known)):
        if idle[number + 1] and before.end is None:
            known[number] = before._replace(end=at.start)
    return known


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return median(abs(value - middle) for value in values)
