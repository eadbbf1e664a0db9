"""From pointed lines to timetables: a model says what each line is and which lines belong together; the rest is exact.

Nothing is generated here. Names and notes are the printed lines, times and days are computed from the printed labels
that a model points to, by the same code that the rules use (`drafts`, `slot_axis`, `days`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pocai.documents.page import Line
from pocai.settings import SchoolHours
from pocai.timetable.assemble import timetables_of
from pocai.timetable.clock import Interval
from pocai.timetable.day_axis import FAR, DayAxis, DayEntry
from pocai.timetable.drafts import Draft, House, drafts_of, settle
from pocai.timetable.heading import Heading, period_key, read_heading
from pocai.timetable.name_end import recurring_codes
from pocai.timetable.naming import Context, folded, learned_from
from pocai.timetable.pieces import Piece, pieces_of
from pocai.timetable.pointed import LABELS, Group, Pointed, groups_of
from pocai.timetable.pointed_axes import Key, PointedAxes
from pocai.timetable.slot_axis import Slot
from pocai.timetable.slots import Timing, timing
from pocai.timetable.time_axis import resolve_axis
from pocai.timetable.times import find_times, strip_times
from pocai.timetable.timetable import Day, Evidence, HeaderField, Timetable
from pocai.timetable.week import Week

HEADING = frozenset({"title", "teacher", "class", "term", "year", "other"})
FIELD_OF: dict[str, HeaderField] = {"teacher": "teacher", "class": "className", "term": "term"}
LABEL = re.compile(r"^[^:]{2,25}:\s*")  # "Form tutor: "
LONGEST_FIELD = 40  # characters
NO_DAY = DayEntry((), -FAR, FAR, None)
NO_TIME = Interval(None, None)


def timetables_pointed(pointed: Pointed, hours: SchoolHours) -> tuple[Timetable, ...]:
    """The timetables of a page; none where no event was pointed to."""
    groups = groups_of(pointed)
    if not groups:
        return ()
    pieces = pieces_of(pointed.page, pointed.tables)
    house = _house(pointed, pieces, hours)
    key = _key(pointed, pieces)
    weeks = [_week(pointed, part, house, key) for part in _weeks(groups)]
    together = _one_week_each(weeks)
    return timetables_of(pointed.page, pieces, together, lambda lines: _heading(pointed, lines))


def _heading(pointed: Pointed, lines: Sequence[Line]) -> Heading:
    """The heading in some lines; what it does not say by itself, the line that was pointed to as such says."""
    role = {id(line): name for line, name in zip(pointed.lines, pointed.roles, strict=True)}
    found = read_heading([line for line in lines if role.get(id(line), "other") in HEADING])
    values, places = dict(found.values), dict(found.lines)
    for line in lines:
        name = FIELD_OF.get(role.get(id(line), ""))
        if name is not None and name not in values and len(line.text) <= LONGEST_FIELD:
            values[name], places[name] = LABEL.sub("", line.text).strip(), line
    return replace(found, values=values, lines=places)


def _weeks(groups: Sequence[Group]) -> list[list[Group]]:
    """Groups that share day or time labels, together: one grid, or one list of a day."""
    left = [group for group in groups if group.days or group.times]
    bare = [group for group in groups if not (group.days or group.times)]
    weeks = [bare] if bare else []
    while left:
        week = [left.pop(0)]
        labels = {*week[0].days, *week[0].times}
        while more := [group for group in left if labels & {*group.days, *group.times}]:
            week += more
            labels |= {label for group in more for label in (*group.days, *group.times)}
            left = [group for group in left if group not in more]
        weeks.append(week)
    return weeks


def _one_week_each(weeks: Sequence[Week]) -> list[list[Week]]:
    """Lists of different days are one timetable; where a day comes again another one begins."""
    ordered = sorted(weeks, key=lambda week: min((entry.days[:1] for entry in week.axis.entries), default=()) == ())
    together: list[list[Week]] = []
    for week in ordered:
        days = {day for entry in week.axis.entries for day in entry.days}
        place = next((group for group in together if days and not days & _days(group)), None)
        if place is None:
            together.append([week])
        else:
            place.append(week)
    return together


def _days(weeks: Sequence[Week]) -> set[Day]:
    return {day for week in weeks for entry in week.axis.entries for day in entry.days}


def _house(pointed: Pointed, pieces: Sequence[Piece], hours: SchoolHours) -> House:
    known = frozenset(folded(line.text) for piece in pieces for line in piece.lines)
    cells = [(piece.lines, piece.page_box) for piece in pieces if piece.ruled and len(piece.lines) > 1]
    told = {
        id(line): role == "note"
        for number, (line, role) in enumerate(zip(pointed.lines, pointed.roles, strict=True))
        if number not in pointed.doubtful
    }
    context = Context(known, codes=recurring_codes(line.text for line in pointed.lines))
    return House(hours, replace(learned_from(context, cells), told=told))


def _week(pointed: Pointed, groups: Sequence[Group], house: House, key: Key) -> Week:
    """Events under common labels as a week, in axis coordinates: days along x, times along y."""
    axes = PointedAxes(pointed, groups)
    slots = axes.slots(key, house.hours)
    where = {time: number for number, label in enumerate(axes.labels) for time in label}
    drafts: list[Draft] = []
    for group, piece in zip(groups, axes.bodies, strict=True):
        beside = sorted({where[time] for time in group.times})
        by_name = not beside and not _has_time(pointed, group)
        when = _by_name(pointed, group, key) if by_name else _timing(piece, beside, slots)
        under = [axes.entries[day] for day in group.days if axes.entries[day].days] or [NO_DAY]
        drafts += drafts_of(piece, under, when, slots, house)
    entries = axes.entries.values()
    tops = [entry.label.box.bottom for entry in entries if entry.label]
    axis = DayAxis(tuple(entry for entry in entries if entry.days) or (NO_DAY,), min(tops, default=-FAR), FAR)
    used = [number for group in groups for number in (*group.lines, *group.days, *group.times)]
    return Week(axis, tuple(settle(drafts, slots)), frozenset(id(pointed.lines[number]) for number in used))


def _has_time(pointed: Pointed, group: Group) -> bool:
    """Whether a time is among the lines of an event."""
    return any(pointed.roles[number] in LABELS for number in group.lines)


def _by_name(pointed: Pointed, group: Group, key: Key) -> Timing | None:
    """When the key says that an event of this name takes place ("Break: 10.30-10.50")."""
    named = " ".join(pointed.lines[number].text for number in group.lines if pointed.roles[number] != "note")
    span = key.get(folded(named))
    if span is None:
        return None
    interval = resolve_axis([span], SchoolHours())[0] or NO_TIME
    return Timing(interval.start, interval.end, Evidence.HEADER, Evidence.HEADER)


def _timing(piece: Piece, beside: Sequence[int], slots: Sequence[Slot]) -> Timing | None:
    """When an event takes place that stands beside some labels; an edge inside a slot follows from the cell."""
    beside = [number for number in beside if slots[number].interval != NO_TIME] or beside
    if not beside:
        return None
    first, last = slots[beside[0]], slots[beside[-1]]
    whole = Timing(first.interval.start, last.interval.end, Evidence.HEADER, Evidence.HEADER, tuple(beside))
    placed = timing(piece.box.top, piece.box.bottom, slots, ruled=True) if piece.ruled else None
    return placed if placed is not None and set(placed.slots) & set(beside) else whole


def _key(pointed: Pointed, pieces: Sequence[Piece]) -> Key:
    """The times of named periods, by their names as `folded` and by their bare numbers."""
    key = dict(period_key(pieces))
    lines = [pointed.lines[number] for number in pointed.numbers(frozenset({"key"}))]
    for line in lines:
        spans = find_times(line.text)
        if len(spans) == 1 and spans[0].end is not None:
            name = folded(strip_times(line.text, spans)) or folded(_left_of(line, lines))
            if name:
                key.setdefault(name, spans[0])
    return key


def _left_of(line: Line, lines: Sequence[Line]) -> str:
    """What is printed in the same row, next to a line on its left."""
    beside = [o for o in lines if o.box.right <= line.box.left and o.box.top < line.box.center[1] < o.box.bottom]
    return max(beside, key=lambda other: other.box.right).text if beside else ""
