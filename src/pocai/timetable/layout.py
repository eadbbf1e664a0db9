"""How a page is laid out: where its days are, and which way they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pocai.documents.page import Box
from pocai.timetable.columns import single_across, single_axes, single_row
from pocai.timetable.day_axis import FAR, DayAxis, DayEntry, day_axis, day_rows
from pocai.timetable.pieces import Piece
from pocai.timetable.pieces import swapped as swapped_box
from pocai.timetable.slot_axis import only_times
from pocai.timetable.times import find_times
from pocai.timetable.timetable import Day

NEAR = 0.35  # share of a frame's height within which another one below it is its continuation

LAST_OF_12, HALF_A_DAY = 7, 720  # an hour up to which a time after noon may be printed without saying so; minutes

Row = Sequence[tuple[Piece, tuple[Day, ...]]]
Band = tuple[float, float, Piece]


@dataclass(frozen=True, slots=True)
class Layout:
    """The axes of each timetable of a page; ``turned`` where days run down, and all is read with x and y exchanged."""

    turned: bool
    groups: tuple[tuple[DayAxis, ...], ...]


def layout_of(pieces: Sequence[Piece], frames: Sequence[Box]) -> Layout:
    """How a page is laid out: days in rows, days down, days as headings of lists, one day, or none."""
    shown = list(pieces)
    swapped = [piece.swapped() for piece in pieces]
    across, down = day_rows(shown), day_rows(swapped)
    if _is_heading_grid(across) and _days(across) >= _days(down):
        return Layout(turned=False, groups=(tuple(replace(a, listed=True) for a in _row_axes(across, shown, frames)),))
    if down and _days(down) > _days(across):
        return _days_down(down, shown, swapped, frames)
    if across:
        return Layout(turned=False, groups=tuple((axis,) for axis in _row_axes(across, shown, frames)))
    if label := single_across(shown):
        return Layout(turned=True, groups=((single_row(label.swapped()),),))
    return Layout(turned=False, groups=tuple((axis,) for axis in single_axes(shown)))


def _days_down(rows: Sequence[Row], shown: Sequence[Piece], swapped: Sequence[Piece], frames: Sequence[Box]) -> Layout:
    """Day names below each other: headings of lists, lists beside them, or the rows of a table."""
    bands = _are_bands(rows[0], shown)
    if _are_headings(rows[0], swapped) and not (bands and _beside_times(rows[0], shown)):
        return Layout(turned=False, groups=(tuple(_heading_axes(_disjoint(rows))),))
    if bands:
        return Layout(turned=False, groups=(tuple(_band_axes(rows[0], shown)),))
    axes = _row_axes(rows, swapped, [swapped_box(frame) for frame in frames])
    return Layout(turned=True, groups=tuple((axis,) for axis in axes))


def _days(rows: Sequence[Row]) -> int:
    """Days that the rows name: those of the first, and of others as far as they are other days."""
    return len({day for row in _disjoint(rows) for _, days in row for day in days})


def _is_heading_grid(rows: Sequence[Row]) -> bool:
    """Whether rows name different days: the days' lists stand below each other, two or three in a row."""
    named = [day for row in rows for _, days in row for day in days]
    return len(rows) > 1 and len(named) == len(set(named))


def _row_axes(rows: Sequence[Row], pieces: Sequence[Piece], frames: Sequence[Box]) -> list[DayAxis]:
    """An axis for each row of labels; it ends where its printed frame does, or where the next row below it begins."""
    axes = []
    for row in rows:
        own = Box.around(piece.box for piece, _ in row)
        below = [
            other_box.top
            for other in rows
            if other is not row
            and (other_box := Box.around(piece.box for piece, _ in other)).top > own.bottom
            and min(own.right, other_box.right) > max(own.left, other_box.left)
        ]
        axes.append(day_axis(row, pieces, min([*below, _frame_end(own, frames)])))
    axes.sort(key=lambda axis: (axis.top, axis.low))
    return [replace(axis, start=_start(axis, axes)) for axis in axes]


def _start(axis: DayAxis, axes: Sequence[DayAxis]) -> float:
    """Where the space to the left of an axis begins: behind the axis that stands beside it."""
    beside = (
        other.high for other in axes if other.high <= axis.low and other.top < axis.bottom and axis.top < other.bottom
    )
    return max(beside, default=-FAR)


def _frame_end(labels: Box, frames: Sequence[Box]) -> float:
    """The lower end of the frame that holds the labels and much more than them."""
    for frame in frames:
        if frame.contains(labels.center) and frame.bottom - labels.bottom > 2 * labels.height:
            return _continued(frame, frames)
    return FAR


def _continued(frame: Box, frames: Sequence[Box]) -> float:
    """The lower end of a frame, or of the frames that follow it closely (an afternoon after an empty noon)."""
    bottom = frame.bottom
    for other in sorted(frames, key=lambda box: box.top):
        common = min(frame.right, other.right) - max(frame.left, other.left)
        if bottom < other.bottom and other.top - bottom < NEAR * frame.height and common > frame.width / 2:
            bottom = other.bottom
    return bottom


def _are_headings(row: Row, swapped: Sequence[Piece]) -> bool:
    """Whether day names that stand below each other are headings: each with its events between it and the next."""
    labels = sorted((piece for piece, _ in row), key=lambda piece: piece.box.left)
    ends = [label.box.left for label in labels[1:]] + [FAR]
    with_events = 0
    for label, end in zip(labels, ends, strict=True):
        around = 2 * (label.box.right - label.box.left)
        with_events += any(
            label.box.right <= piece.box.center[0] < end
            and piece.box.top < label.box.bottom + around
            and piece.box.bottom > label.box.top - around
            for piece in swapped
            if piece not in labels
        )
    return 2 * with_events > len(labels)


def _heading_axes(rows: Sequence[Row]) -> list[DayAxis]:
    """Each heading is an axis of its own, as wide as its column of headings, down to the next heading."""
    columns = [
        sorted(((piece.swapped(), days) for piece, days in row), key=lambda pair: pair[0].box.top) for row in rows
    ]
    columns.sort(key=lambda column: column[0][0].box.left)
    lefts = [min(piece.box.left for piece, _ in column) for column in columns]
    edges = [-FAR, *lefts[1:], FAR]
    axes = []
    for column, left, right in zip(columns, edges, edges[1:], strict=False):
        ends = [piece.box.top for piece, _ in column[1:]] + [FAR]
        axes += [
            DayAxis((DayEntry(days, left, right, piece),), piece.box.bottom, end, listed=True)
            for (piece, days), end in zip(column, ends, strict=True)
        ]
    return axes


def _disjoint(rows: Sequence[Row]) -> list[Row]:
    """The first row, and those of the others that name only other days."""
    kept: list[Row] = []
    named: set[Day] = set()
    for row in rows:
        own = {day for _, days in row for day in days}
        if not own & named:
            kept.append(row)
            named |= own
    return kept


def _are_bands(row: Row, pieces: Sequence[Piece]) -> bool:
    """Whether the times of each day stand below each other beside its name, each with its event: a list a day."""
    listed = 0
    for low, high, label in _bands(row, pieces):
        inside = [p for p in pieces if low <= p.box.center[1] < high and p.box.center[0] > label.box.right]
        times = only_times(inside)
        columns = {round(time.box.center[0] / max(time.box.width, 1)) for time in times}
        others = [p for p in inside if p not in times and any(_in_row(p, time) for time in times)]
        listed += bool(times) and len(columns) <= 2 and bool(others)  # noqa: PLR2004 - start and end
    return 2 * listed > len(row)


def _beside_times(row: Row, pieces: Sequence[Piece]) -> bool:
    """Whether most labels stand in the row of a time, or between two: a heading stands in a row of its own."""
    labels = [piece.swapped() for piece, _ in row]
    times = only_times(pieces)
    return 2 * sum(any(_in_row(time, label) for time in times) for label in labels) > len(labels)


def _in_row(piece: Piece, time: Piece) -> bool:
    return piece.box.top <= time.box.center[1] <= piece.box.bottom


def _bands(row: Row, pieces: Sequence[Piece]) -> list[Band]:
    """The stretch down the page that belongs to each label: its cell, or its list."""
    ordered = sorted((piece.swapped() for piece, _ in row), key=lambda piece: piece.box.top)
    ends = [piece.box.top for piece in ordered[1:]] + [FAR]
    free = [label for label in ordered if not label.ruled]
    around = dict(zip(map(id, free), _around(free, pieces, ordered), strict=False))
    return [
        (p.box.top, min(p.box.bottom, end), p) if p.ruled else (*around.get(id(p), (p.box.top, end)), p)
        for p, end in zip(ordered, ends, strict=True)
    ]


def _around(labels: Sequence[Piece], pieces: Sequence[Piece], all_labels: Sequence[Piece]) -> list[tuple[float, float]]:
    """Where the lists of labels begin and end that stand in the middle of them; nothing where they do not.

    They do where the first time stands above the first label. A list begins where times start anew, or halfway.
    """
    top = max((p.box.bottom for p in all_labels if p.ruled and labels and p.box.top < labels[0].box.top), default=-FAR)
    edge = max((label.box.right for label in all_labels), default=FAR)
    times = [p for p in only_times(pieces) if p.box.center[0] > edge and p.box.center[1] > top]
    times.sort(key=lambda piece: piece.box.center[1])
    if not labels or not times or times[0].box.bottom > labels[0].box.top:
        return []
    begins = _begins_anew(times)
    if len(begins) != len(labels) - 1 or not _hold(labels, begins):
        begins = [(a.box.center[1] + b.box.center[1]) / 2 for a, b in pairwise(labels)]
    return list(pairwise([top, *begins, FAR]))


def _begins_anew(times: Sequence[Piece]) -> list[float]:
    """The upper ends of times that are earlier than the time above them."""
    begins, before = [], -1
    for piece in times:
        start = next((span.start for span in find_times(piece.text, bare=True) if span.start), None)
        if start is None:
            continue
        minute = 60 * start.hour + start.minute
        if minute < before and (start.hour > LAST_OF_12 or minute + HALF_A_DAY <= before):
            begins.append(piece.box.top)
        elif minute < before:
            minute += HALF_A_DAY
        before = minute
    return begins


def _hold(labels: Sequence[Piece], begins: Sequence[float]) -> bool:
    """Whether one label stands between each two beginnings."""
    return all(
        low <= label.box.center[1] < high
        for label, (low, high) in zip(labels, pairwise([-FAR, *begins, FAR]), strict=True)
    )


def _band_axes(row: Row, pieces: Sequence[Piece]) -> list[DayAxis]:
    """Each label's stretch of the page, to the right of it, is an axis of its own."""
    days_of = {piece.lines: days for piece, days in row}
    return [
        DayAxis((DayEntry(days_of[label.lines], label.box.right, FAR, label),), low, high, listed=True)
        for low, high, label in _bands(row, pieces)
    ]
