"""What a language model answers about a page: copied texts, each with the numbers of the lines that it stands on.

The answer is JSON. It becomes timetables only through `pocai.timetable.support`: what the page does not say is left
out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.documents.page import Document, Line
from pocai.errors import ModelError
from pocai.models.language_page import NumberedPage
from pocai.timetable.support import Checked, Unsupported, checked, mark_of
from pocai.timetable.timetable import WEEK, BlockField, Day, Evidence, HeaderField, Mark, TimeBlock, Timetable, clock

MOST_EVENTS = 1000  # of a page
MOST_TIMETABLES = 50
NO_VALUE = "the answer holds no such value"
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DAYS: Mapping[str, Day] = {day.casefold(): day for day in WEEK}
_HEADER: Mapping[str, HeaderField] = {
    "title": "title",
    "teacher": "teacher",
    "class": "className",
    "term": "term",
    "year": "year",
}

Value = TypeVar("Value")
Numbers = Annotated[tuple[int, ...], Field(max_length=50)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Copied(_Part):
    """A text, a time (24-hour HH:MM) or a year, and the numbers of the lines that say so."""

    at: Numbers
    value: str = Field(alias="is", max_length=2000)


class NamedDays(_Part):
    """Days by their English names, and the numbers of the lines that name them."""

    at: Numbers
    value: tuple[str, ...] = Field(alias="is", max_length=7)


class Event(_Part):
    """An event as it is printed once, on all of its days; null for what is not printed."""

    name: Copied
    notes: Copied | None = None
    days: NamedDays | None = None
    start: Copied | None = None
    end: Copied | None = None
    weeks: Copied | None = None


class Table(_Part):
    """A timetable of the page."""

    title: Copied | None = None
    teacher: Copied | None = None
    class_: Copied | None = Field(None, alias="class")
    term: Copied | None = None
    year: Copied | None = None
    events: tuple[Event, ...] = Field(max_length=MOST_EVENTS)


class Answer(_Part):
    """All timetables of a page."""

    timetables: tuple[Table, ...] = Field(max_length=MOST_TIMETABLES)

    def to_json(self) -> str:
        """The answer as a model is to write it: without spaces, keys in the order of the schema."""
        return self.model_dump_json(by_alias=True)


def read_answer(text: str) -> Answer:
    """The answer in a text; words around the JSON are passed over. Raises ModelError where it is no such answer."""
    try:
        return Answer.model_validate(json.loads(text[text.find("{") : text.rfind("}") + 1]))
    except (ValueError, RecursionError) as error:
        what = "no JSON"
        if isinstance(error, ValidationError):
            place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
            what = f"JSON of another shape (at {place or 'the top'})"
        raise ModelError(f"the language model answered {what}", mend="Use a model that keeps to a schema") from None


def schema() -> dict[str, Any]:
    """The JSON schema of an answer: plain keywords only, every key required, nothing else allowed."""
    text = {"type": "string"}
    copied = _citing(text)
    days = _citing({"type": "array", "items": {"type": "string", "enum": list(get_args(Day))}})
    null = {"type": "null"}
    optional = {"anyOf": [copied, null]}
    event = {"name": copied, "notes": optional, "days": {"anyOf": [days, null]}}
    event |= dict.fromkeys(("start", "end", "weeks"), optional)
    table = {**dict.fromkeys(_HEADER, optional), "events": {"type": "array", "items": _object(event)}}
    return _object({"timetables": {"type": "array", "items": _object(table)}})


def _citing(value: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"at": {"type": "array", "items": {"type": "integer"}}, "is": value})


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def timetables_of(answer: Answer, page: NumberedPage) -> Checked:
    """The timetables of an answer with what the page supports, and what it does not.

    A value is looked for in the lines that are cited for it, then on the whole page. Of values of another kind than
    asked for (a time that is none), ``block`` is the number of the event in the answer.
    """
    lacking: list[Unsupported] = []
    tables = [_Reader(page, number, lacking).timetable(table) for number, table in enumerate(answer.timetables)]
    document = Document((page.page,), "pdf", "")  # the format tells nothing here
    result = checked(tables, document)
    found = tuple(timetable for timetable in result.timetables if timetable.timeblocks)
    return Checked(found, (*lacking, *result.unsupported))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one timetable of an answer as it stands; values of another kind than asked for are told and left out."""

    page: NumberedPage
    number: int
    lacking: list[Unsupported]

    def timetable(self, table: Table) -> Timetable:
        """The timetable with marks on the cited lines, blocks in the order of days and times."""
        blocks = [block for index, event in enumerate(table.events) for block in self._blocks(index, event)]
        blocks.sort(key=lambda block: (_rank(block.day), block.start_time is None, block.start_time or ""))
        marks: dict[HeaderField, Mark] = {}
        for name, field in _HEADER.items():
            copied: Copied | None = getattr(table, "class_" if name == "class" else name)
            if copied is not None and (mark := self._mark(copied.at, None)):
                marks[field] = mark
        return Timetable(
            title=_said(table.title),
            teacher=_said(table.teacher),
            class_name=_said(table.class_),
            term=_said(table.term),
            year=self._value(table.year, _year_in, (None, "year")),
            timeblocks=tuple(blocks),
            pages=(self.page.page.number,),
            fields=marks,
        )

    def _blocks(self, index: int, event: Event) -> Iterator[TimeBlock]:
        name = _said(event.name)
        if name is None:
            self.lacking.append(Unsupported(self.number, index, "name", NO_VALUE))
            return
        piece = next((shown.piece for number in event.name.at if (shown := self.page.shown(number))), None)
        cited: dict[BlockField, Copied | NamedDays | None] = {
            "day": event.days,
            "name": event.name,
            "startTime": event.start,
            "endTime": event.end,
            "notes": event.notes,
        }
        marks = {field: mark for field, part in cited.items() if part and (mark := self._mark(part.at, piece))}
        start = self._value(event.start, _time_in, (index, "startTime"))
        end = self._value(event.end, _time_in, (index, "endTime"))
        for day in self._days(index, event.days):
            yield TimeBlock(
                day=day,
                name=name,
                start_time=start,
                end_time=end,
                notes=_said(event.notes),
                weeks=_said(event.weeks),
                fields=marks,
            )

    def _days(self, index: int, named: NamedDays | None) -> tuple[Day | None, ...]:
        known = [_DAYS.get(name.strip().casefold()) for name in named.value] if named else []
        if None in known:
            self.lacking.append(Unsupported(self.number, index, "day", NO_VALUE))
        return tuple(dict.fromkeys(day for day in known if day)) or (None,)

    def _value(
        self, copied: Copied | None, read: Callable[[str], Value | None], place: tuple[int | None, Any]
    ) -> Value | None:
        if copied is None:
            return None
        value = read(copied.value.strip())
        if value is None:
            self.lacking.append(Unsupported(self.number, place[0], place[1], NO_VALUE))
        return value

    def _mark(self, numbers: Sequence[int], piece: int | None) -> Mark | None:
        """The mark of the cited lines that there are; in the piece of the event's name they are printed in it."""
        shown = [line for number in numbers if (line := self.page.shown(number))]
        if not shown:
            return None
        lines: list[Line] = [each.line for each in shown]
        inside = piece is None or all(each.piece == piece for each in shown)
        return mark_of(self.page.page, lines, Evidence.PRINTED if inside else Evidence.HEADER)


def _said(copied: Copied | None) -> str | None:
    return " ".join(copied.value.split()) or None if copied else None


def _rank(day: Day | None) -> int:
    return -1 if day is None else WEEK.index(day)


def _time_in(text: str) -> str | None:
    match = _TIME.fullmatch(text)
    return clock(int(match[1]) * 60 + int(match[2])) if match else None


def _year_in(text: str) -> int | None:
    return int(text) if _YEAR.fullmatch(text) else None
