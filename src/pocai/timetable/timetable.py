"""`Timetable` and `TimeBlock`: the result, the HTTP answer, the label and the golden file, all one type.

The JSON is a strict superset of the host application's: ``teacher``, ``className``, ``term``, ``year`` and
``timeblocks`` with ``day``, ``name``, ``startTime``, ``endTime``, ``notes`` are always present.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


class Evidence(StrEnum):
    """Where a value comes from."""

    PRINTED = "printed"  # it stands in the block itself
    HEADER = "header"  # it stands in the row, column, title or key that the block belongs to
    SCHOOL = "school"  # earlier timetables of the school decided between readings of what is printed
    INFERRED = "inferred"  # it follows from the neighbours or from where the cell begins and ends


def _is_time(value: str) -> str:
    if TIME.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is not a time of day as HH:MM (00:00 to 23:59)")


Time = Annotated[str, AfterValidator(_is_time)]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEK: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BlockField = Literal["day", "name", "startTime", "endTime", "notes"]
HeaderField = Literal["teacher", "className", "term", "year", "title"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Mark(_Frozen):
    """What supports a field: its place on the page, and how sure we are.

    ``box`` is left, top, right, bottom in units of the uploaded page (pixels of a picture, points of a PDF).
    ``confidence`` is a calibrated probability that the field is right; null, with ``reason``, where none was measured.
    ``reading_score`` is the recognizer's own score for the text, 0 to 1 and uncalibrated; null for native text.
    """

    page: int = Field(ge=0, description="index of the page, from 0")
    box: tuple[float, float, float, float]
    evidence: Evidence = Evidence.PRINTED
    confidence: float | None = Field(None, ge=0, le=1)
    reason: str | None = "not calibrated"
    reading_score: float | None = Field(None, ge=0, le=1)


class TimeBlock(_Frozen):
    """One scheduled event on one day. ``day`` is null where the page names none; times are 24-hour HH:MM or null."""

    day: Day | None
    name: str = Field(min_length=1)
    start_time: Time | None = None
    end_time: Time | None = None
    notes: str | None = None
    weeks: str | None = Field(None, description='which weeks of a cycle, as printed ("A", "B"); null: every week')
    fields: dict[BlockField, Mark] = Field(default_factory=dict)


class Timetable(_Frozen):
    """One week of one class, teacher or room, exactly as printed."""

    teacher: str | None = None
    class_name: str | None = None
    term: str | None = None
    year: int | None = Field(None, ge=1900, le=2100)
    timeblocks: tuple[TimeBlock, ...] = ()
    title: str | None = None
    pages: tuple[int, ...] = ()
    fields: dict[HeaderField, Mark] = Field(default_factory=dict)

    def to_json(self, *, indent: int | None = 2) -> str:
        """The JSON text, in the host's camelCase."""
        return self.model_dump_json(by_alias=True, indent=indent)


def minutes(time: str | None) -> int | None:
    """Minutes after midnight of ``HH:MM``; None stays None."""
    return None if time is None else int(time[:2]) * 60 + int(time[3:])


def clock(total: int) -> str:
    """``HH:MM`` of minutes after midnight (0 to 1439)."""
    return f"{total // 60:02d}:{total % 60:02d}"
