"""From a job to an answer: the job itself, its result as JSON, CSV, workbook or calendar, or the error it ended in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pocai.errors import BadRequest, Conflict, PocaiError
from pocai.inference.answers import (
    DocumentInfo,
    ErrorAnswer,
    ExtractionJob,
    ExtractionResult,
    Links,
    Status,
)
from pocai.server.failures import body_of
from pocai.server.jobs import Job
from pocai.timetable.export import TermDates, to_csv, to_ics, to_xlsx

AGAIN = 2  # seconds after which to ask for an unfinished job again
TERM = timedelta(weeks=12)
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
Day = Annotated[  # of a calendar; JSON Schema knows bounds of numbers only, so they are told as a pattern
    date,
    Field(
        ge=FIRST_DAY,
        le=LAST_DAY,
        json_schema_extra={"pattern": "^(19[7-9][0-9]|2[01][0-9][0-9])-[0-9]{2}-[0-9]{2}$"},
    ),
]


class Form(StrEnum):
    """The forms of a result, the first of equals first."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    ICS = "ics"

    @property
    def media_type(self) -> str:
        """As in ``Accept`` and ``Content-Type``, without parameters."""
        return MEDIA_TYPES[self]


MEDIA_TYPES = {
    Form.JSON: "application/json",
    Form.CSV: "text/csv",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.ICS: "text/calendar",
}


@dataclass(frozen=True, slots=True)
class Term:
    """Between which dates a calendar repeats the week; without them twelve weeks from this Monday."""

    start: date | None
    end: date | None
    timezone: str

    def dates(self) -> TermDates:
        """As the export takes them; raises BadRequest where they cannot be used."""
        today = datetime.now(UTC).date()
        first = self.start or today - timedelta(days=today.weekday())
        try:
            return TermDates(first, self.end or first + TERM, timezone=self.timezone)
        except ValueError as error:
            raise BadRequest(str(error), mend="See start, end and timezone in /docs") from None


def _term_of(
    start: Annotated[Day | None, Query(description="first day of a calendar; without: this Monday")] = None,
    end: Annotated[Day | None, Query(description="last day of a calendar; without: 12 weeks on")] = None,
    timezone: Annotated[
        str, Query(min_length=1, max_length=64, description="IANA name of the zone that a calendar's clock runs in")
    ] = "Europe/London",
) -> Term:
    return Term(start, end, timezone)


TermDep = Annotated[Term, Depends(_term_of)]
Include = Annotated[
    Literal["text"] | None, Query(description="`text`: with all that was read, line by line (`result.pages`)")
]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a result is wanted: its form, with or without the text that was read, and the term of a calendar."""

    form: Form
    text: bool
    term: Term


def _wish_of(request: Request, term: TermDep, include: Include = None) -> Wish:
    return Wish(form_for(",".join(request.headers.getlist("Accept"))), include == "text", term)


WishDep = Annotated[Wish, Depends(_wish_of)]


def form_for(accept: str) -> Form:
    """The form that ``Accept`` likes best, JSON where it says nothing; raises HTTP 406 for none (RFC 9110, 12.5.1)."""
    ranges = dict(_ranges(accept)) or {"*/*": 1.0}

    def quality(form: Form) -> float:
        kind = form.media_type
        return next((ranges[name] for name in (kind, f"{kind.partition('/')[0]}/*", "*/*") if name in ranges), 0.0)

    best = max(Form, key=quality)
    if quality(best) <= 0:
        raise HTTPException(406, f"Accept must allow one of {', '.join(MEDIA_TYPES.values())}")
    return best


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media ranges with their weights, 0 to 1; a weight that is no number counts as 0."""
    for part in filter(str.strip, accept.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        yield name, float(weight) if weight.replace(".", "", 1).isdecimal() and weight.isascii() else 0.0


def links_of(job: Job) -> Links:
    """Where the parts of an extraction are found."""
    path = f"/v1/extractions/{job.id}"
    return Links(self=path, events=f"{path}/events", overlay=f"{path}/overlay.png")


def job_answer(job: Job, *, text: bool = False, result: bool = True) -> ExtractionJob:
    """A job as the API shows it; the lines that were read only where ``text`` is wanted."""
    shown = result and job.result is not None
    return ExtractionJob(
        id=job.id,
        status=job.status,
        stage=job.stage,
        progress=job.progress,
        attempts=job.attempts,
        document=DocumentInfo(name=job.name, size=job.size, sha256=job.sha256),
        created_at=_moment(job.created),
        started_at=None if job.started is None else _moment(job.started),
        finished_at=None if job.finished is None else _moment(job.finished),
        result=_result(job, text=text) if shown else None,
        error=None if job.fault is None else ErrorAnswer.model_validate(body_of(job.fault.error)).error,
        links=links_of(job),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _result(job: Job, *, text: bool) -> ExtractionResult:
    return ExtractionResult.model_validate((job.result or {}) | ({} if text else {"pages": ()}))


def ending_of(job: Job) -> PocaiError:
    """Why a job has no result: the error that it ended in, or Conflict where it was cancelled or is not finished."""
    if job.fault is not None:
        return job.fault.error
    if job.status is Status.CANCELLED:
        return Conflict("the job was cancelled", mend="Send the document again")
    return Conflict(f"the job is {job.status.value}", mend="Come again in a moment", retry_after=AGAIN)


async def job_response(job: Job, *, text: bool, status: int = 200) -> Response:
    """A job as JSON. It is made in a thread: the words of fifty pages take their time."""

    def render() -> str:
        return job_answer(job, text=text).model_dump_json(by_alias=True)

    content = await run_in_threadpool(render)
    return Response(content, status, {"Vary": "Accept"}, media_type=Form.JSON.media_type)


async def exported(job: Job, wish: Wish) -> Response:
    """The result alone, as a file of the wished form; raises the error of a job that has no result."""
    if job.result is None:
        raise ending_of(job)
    term = wish.term.dates() if wish.form is Form.ICS else None
    content = await run_in_threadpool(_content, job, wish, term)
    headers = {"Content-Disposition": _disposition(job.name, wish.form), "Vary": "Accept"}
    return Response(content, headers=headers, media_type=wish.form.media_type)


def _content(job: Job, wish: Wish, term: TermDates | None) -> bytes:
    result = _result(job, text=wish.text)
    if term is not None:
        return to_ics(result.timetables, term)
    if wish.form is Form.XLSX:
        return to_xlsx(result.timetables)
    return (to_csv(result.timetables) if wish.form is Form.CSV else result.model_dump_json(by_alias=True)).encode()


def _disposition(name: str, form: Form) -> str:
    """To be saved under the document's name with another ending (RFC 6266)."""
    filename = f"{PurePath(name).stem or 'timetable'}.{form.value}"
    return f"attachment; filename=\"timetable.{form.value}\"; filename*=UTF-8''{quote(filename, safe='')}"
