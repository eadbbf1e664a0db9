"""Timetables as a calendar (RFC 5545): every block an event that repeats weekly between the term's dates."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pocai.timetable.timetable import WEEK, TimeBlock, Timetable, minutes

if TYPE_CHECKING:
    from icalendar import Calendar, Event

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WEEK_WORDS = re.compile(
    r"\b(?:weeks?|wks?|wochen?|semaines?|semanas?|settiman[ae]|kw|and|und|et|y|e)\b", re.IGNORECASE
)
_LONGEST_CYCLE = 8  # weeks


@dataclass(frozen=True, slots=True)
class TermDates:
    """Between which dates the week repeats: from ``first`` to ``last``, both included; without ``last``, for ever.

    ``holidays`` are left out. ``timezone`` is an IANA name. ``cycle`` names the weeks in turn, beginning with the one
    that ``first`` lies in (``("B", "A")``); empty, it follows from what is printed ("A" and "B", or 1, 2 and 3).
    Raises ValueError where the dates are in the wrong order or the zone is unknown.
    """

    first: date
    last: date | None = None
    holidays: tuple[date, ...] = ()
    timezone: str = "Europe/London"
    cycle: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.last is not None and self.last < self.first:
            raise ValueError(f"the term ends on {self.last}, before it begins on {self.first}")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{self.timezone!r} is not the name of a time zone, such as Europe/London") from error

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def date_of(self, weekday: int, turn: int, cycle: int) -> date:
        """The first ``weekday`` (0: Monday) in week ``turn`` of a cycle of ``cycle`` weeks, on or after ``first``."""
        monday = self.first - timedelta(days=self.first.weekday())
        day = monday + timedelta(days=weekday, weeks=turn)
        return day if day >= self.first else day + timedelta(weeks=cycle)


def to_ics(timetables: Sequence[Timetable], term: TermDates, *, stamp: datetime | None = None) -> bytes:
    """The calendar as bytes: UTF-8, CRLF, folded lines, with the time zone in it; the same input gives the same bytes.

    UIDs follow from class, day, start, name and week, so that a second import replaces the first. A block without a
    start becomes an all-day event that leaves the day free; one without an end (or with an end before its start) has
    no length; one without a day is left out, as is one whose first date lies after the term. ``stamp`` (aware) is
    when the calendar was made, by default midnight UTC before ``term.first``.
    """
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", "-//pocai//timetable//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    if names := [name for name in map(_title, timetables) if name]:
        calendar.add("x-wr-calname", _clean(names[0]))
    made = stamp or datetime.combine(term.first, time(), UTC)
    seen: Counter[str] = Counter()
    for timetable in timetables:
        for block, week, turn, cycle in _occasions(timetable, term):
            uid = _uid(timetable, block, week, seen)
            if event := _event(block, term, (turn, cycle)):
                event.add("uid", uid)
                event.add("dtstamp", made.astimezone(UTC))
                if timetable.class_name:
                    event.add("categories", [_clean(timetable.class_name)])
                calendar.add_component(event)
    _add_timezone(calendar, term)
    return bytes(calendar.to_ical())


def _title(timetable: Timetable) -> str:
    return timetable.title or timetable.class_name or timetable.teacher or ""


def _add_timezone(calendar: Calendar, term: TermDates) -> None:
    """The zone's rules for the years in which events lie."""
    from icalendar import Timezone

    last = term.last or term.first.replace(year=term.first.year + 10, day=1)
    zone = Timezone.from_tzid(
        term.timezone, first_date=term.first - timedelta(days=366), last_date=last + timedelta(days=366)
    )
    calendar.subcomponents.insert(0, zone)


def _occasions(timetable: Timetable, term: TermDates) -> Iterator[tuple[TimeBlock, str, int, int]]:
    """Each block with a day, once for every week of the cycle that it is held in: label, turn, weeks of the cycle."""
    cycle = term.cycle or _cycle(timetable)
    for block in timetable.timeblocks:
        if block.day is None:
            continue
        turns = [turn for turn, week in enumerate(cycle) if week.casefold() in _weeks(block.weeks)]
        if turns and len(turns) < len(cycle):
            yield from ((block, cycle[turn], turn, len(cycle)) for turn in turns)
        else:
            yield block, "", 0, 1


def _weeks(printed: str | None) -> set[str]:
    """The single weeks of "A", "Week B" or "Weeks 1, 2, 4", in lower case."""
    words = re.findall(r"[^\W_]+", _WEEK_WORDS.sub(" ", printed or ""))
    return {word.casefold() for word in words}


def _cycle(timetable: Timetable) -> tuple[str, ...]:
    """The weeks that take turns, from what is printed: letters from A, numbers from 1; empty where none are."""
    printed = set[str]().union(*(_weeks(block.weeks) for block in timetable.timeblocks))
    if printed and all(week.isdigit() and 1 <= int(week) <= _LONGEST_CYCLE for week in printed):
        return tuple(str(number) for number in range(1, max(2, *map(int, printed)) + 1))
    if printed and printed <= set("abcdefgh"):
        return tuple("ABCDEFGH"[: max(2, *("abcdefgh".index(week) + 1 for week in printed))])
    return tuple(sorted(printed)) if len(printed) > 1 else ()


def _uid(timetable: Timetable, block: TimeBlock, week: str, seen: Counter[str]) -> str:
    key = "\x1f".join(
        value or ""
        for value in (_title(timetable), timetable.class_name, block.day, block.start_time, block.name, week)
    )
    seen[key] += 1
    digest = hashlib.sha256(f"{key}\x1f{seen[key]}".encode()).hexdigest()
    return f"{digest[:32]}@pocai"


def _event(block: TimeBlock, term: TermDates, turn: tuple[int, int]) -> Event | None:
    from icalendar import Event

    assert block.day is not None
    day = term.date_of(WEEK.index(block.day), *turn)
    if term.last is not None and day > term.last:
        return None
    event = Event()
    event.add("summary", _clean(block.name))
    if description := _clean("\n".join(filter(None, (block.notes, _unplaced(block))))):
        event.add("description", description)
    start = minutes(block.start_time)
    if start is None:
        event.add("dtstart", day)
        event.add("transp", "TRANSPARENT")
    else:
        event.add("dtstart", _moment(day, start, term))
        end = minutes(block.end_time)
        if end is not None and end > start:
            event.add("dtend", _moment(day, end, term))
    _repeat(event, term, start, turn[1])
    return event


def _unplaced(block: TimeBlock) -> str | None:
    """The printed end that cannot be the event's end, in words."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    return f"until {block.end_time}" if end is not None and (start is None or end <= start) else None


def _moment(day: date, minute: int, term: TermDates) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60), term.zone)


def _repeat(event: Event, term: TermDates, start: int | None, interval: int) -> None:
    rule: dict[str, object] = {"freq": "weekly"}
    if interval > 1:
        rule["interval"] = interval
    if term.last is not None:  # by RFC 5545 in UTC for an event with a time, else a date
        rule["until"] = term.last if start is None else _moment(term.last, 23 * 60 + 59, term).astimezone(UTC)
    event.add("rrule", rule)
    first = event.decoded("dtstart")
    weekday = first.weekday()
    left_out = [day for day in sorted(set(term.holidays)) if day.weekday() == weekday and _within(day, term)]
    if left_out and start is None:
        event.add("exdate", left_out, parameters={"VALUE": "DATE"})
    elif left_out and start is not None:
        event.add("exdate", [_moment(day, start, term) for day in left_out])


def _within(day: date, term: TermDates) -> bool:
    return term.first <= day and (term.last is None or day <= term.last)


def _clean(text: str) -> str:
    """Without the control characters that RFC 5545 forbids."""
    return _CONTROL.sub(" ", text)
