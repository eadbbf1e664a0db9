"""The calls of the service as flows: what is asked, in which order, and what comes back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal, TypedDict
from urllib.parse import quote

import httpx

from pocai.client.connection import Connection
from pocai.client.documents import Document, Source, document_of
from pocai.client.exchange import Flow, Load, Pause, Reply, Request, Send
from pocai.client.following import OUTAGE, Follower
from pocai.client.patience import Patience
from pocai.client.replies import answer_of, error_from, error_of, passes, unreachable
from pocai.errors import Conflict, NotFound, PocaiError, ServiceError
from pocai.inference.answers import ExtractionJob, ModelAnswer, ModelList, ReadResult, Status

EXTRACTIONS = "v1/extractions"
HEALTH_SECONDS = 5.0

Format = Literal["json", "csv", "xlsx", "ics"]
OnProgress = Callable[[str, float], None]  # stage, share that is done from 0 to 1


class Reading(TypedDict, total=False):
    """How a document is to be read.

    ``name`` is the file's (without: that of the path), ``engine`` an OCR engine of the catalogue, ``deadline`` the
    seconds after which the service gives up.
    """

    name: str | None
    engine: str | None
    deadline: float | None


class Calendar(TypedDict, total=False):
    """Between which dates a calendar repeats, and in which time zone (an IANA name)."""

    start: date
    end: date
    timezone: str


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that can be made over a connection. Each raises the errors of `pocai.errors`."""

    connection: Connection

    def extract(self, source: Source, reading: Reading, *, include_text: bool, following: bool) -> Flow[ExtractionJob]:
        """One request that waits for its result; or, to be followed, a job whose progress is told."""
        patience = self._patience()
        request = yield from _extraction(source, reading, later=following, include_text=include_text)
        reply = yield from self._ask(request, patience)
        job = answer_of(ExtractionJob, reply.content)
        if following or not job.status.final:
            return (yield from self._wait(job.id, patience.left, include_text=include_text))
        return _succeeded(job)

    def submit(self, source: Source, reading: Reading) -> Flow[ExtractionJob]:
        """A job that the service has accepted."""
        request = yield from _extraction(source, reading, later=True)
        return answer_of(ExtractionJob, (yield from self._ask(request)).content)

    def read(self, source: Source, reading: Reading) -> Flow[ReadResult]:
        """What is written in a document. It has no key: nothing of it is kept, so that it can be read twice."""
        document = yield from _load(source, reading)
        request = Request("POST", "v1/ocr", fields=_fields(reading), document=document)
        return answer_of(ReadResult, (yield from self._ask(request)).content)

    def get(self, job_id: str, *, include_text: bool) -> Flow[ExtractionJob]:
        """A job as it is."""
        return (yield from self._get(job_id, self._patience(), include_text=include_text))

    def wait(self, job_id: str, seconds: float | None, *, include_text: bool) -> Flow[ExtractionJob]:
        """A job that has succeeded."""
        return (yield from self._wait(job_id, seconds, include_text=include_text))

    def events(self, job_id: str) -> Flow[None]:
        """Tells each Progress, for as long as the extraction takes."""
        yield from _follower(job_id, Patience(None, self.connection.retries, outage=OUTAGE)).follow()

    def cancel(self, job_id: str) -> Flow[bool]:
        """Whether it is cancelled now; one that has ended keeps its result."""
        patience = self._patience()
        try:
            yield from self._ask(Request("POST", f"{_path(job_id)}/cancel"), patience)
        except Conflict:  # it has ended; or the answer to an earlier attempt was lost
            return (yield from self._get(job_id, patience)).status is Status.CANCELLED
        return True

    def delete(self, job_id: str) -> Flow[None]:
        """Stop and forget: the first DELETE of a job that is not final cancels it, the next one forgets it."""
        patience = self._patience()
        final = (yield from self._get(job_id, patience)).status.final
        request = Request("DELETE", _path(job_id))
        if not final:
            yield from self._ask(request, patience)
        try:
            yield from self._ask(request, patience)
        except NotFound:
            return  # it became final before it could be cancelled; or the answer to an earlier attempt was lost

    def export(self, job_id: str, form: Format, calendar: Calendar) -> Flow[bytes]:
        """A file."""
        params = {name: str(value) for name, value in calendar.items()}
        return (yield from self._ask(Request("GET", f"{_path(job_id)}.{quote(form, safe='')}", params))).content

    def overlay(self, job_id: str, page: int) -> Flow[bytes]:
        """A PNG."""
        request = Request("GET", f"{_path(job_id)}/overlay.png", {"page": str(page)})
        return (yield from self._ask(request)).content

    def models(self) -> Flow[tuple[ModelAnswer, ...]]:
        """Every model of the catalogue."""
        return answer_of(ModelList, (yield from self._ask(Request("GET", "v1/models"))).content).models

    def model(self, name: str) -> Flow[ModelAnswer]:
        """One model of the catalogue."""
        reply = yield from self._ask(Request("GET", f"v1/models/{quote(name, safe='')}"))
        return answer_of(ModelAnswer, reply.content)

    def healthy(self) -> Flow[bool]:
        """Whether the service would take a document now; asked once."""
        try:
            reply: Reply = yield Send(Request("GET", "health/ready"), HEALTH_SECONDS)
        except httpx.RequestError:
            return False
        return reply.ok

    def _patience(self) -> Patience:
        return Patience(self.connection.timeout, self.connection.retries)

    def _ask(self, request: Request, patience: Patience | None = None) -> Flow[Reply]:
        """The answer to a request, which is repeated while that may help."""
        patience = patience or self._patience()
        while True:
            failure: PocaiError
            try:
                reply: Reply = yield Send(request, patience.left)
            except httpx.RequestError as error:
                patience.check()
                failure = unreachable(error)
            else:
                if reply.ok:
                    return reply
                failure = error_of(reply)
                if not passes(reply):
                    raise failure
            yield Pause(patience.pause_after(failure))

    def _get(self, job_id: str, patience: Patience, *, include_text: bool = False) -> Flow[ExtractionJob]:
        reply = yield from self._ask(Request("GET", _path(job_id), _text(include_text)), patience)
        return answer_of(ExtractionJob, reply.content)

    def _wait(self, job_id: str, seconds: float | None, *, include_text: bool) -> Flow[ExtractionJob]:
        """What the service has accepted it keeps, so that it is worth some patience when the service goes away."""
        patience = Patience(
            self.connection.timeout if seconds is None else seconds, self.connection.retries, outage=OUTAGE
        )
        yield from _follower(job_id, patience).follow()
        return _succeeded((yield from self._get(job_id, patience, include_text=include_text)))


def _extraction(source: Source, reading: Reading, *, later: bool, include_text: bool = False) -> Flow[Request]:
    """A request to extract. Its key lets the service know a repetition, so that one call makes one job."""
    document = yield from _load(source, reading)
    headers = {"Idempotency-Key": uuid.uuid4().hex, **({"Prefer": "respond-async"} if later else {})}
    return Request("POST", EXTRACTIONS, _text(include_text), headers, _fields(reading), document)


def _load(source: Source, reading: Reading) -> Flow[Document]:
    document: Document = yield Load(partial(document_of, source, reading.get("name")))
    return document


def _fields(reading: Reading) -> dict[str, str]:
    given = {"engine": reading.get("engine"), "deadline": reading.get("deadline")}
    return {name: str(value) for name, value in given.items() if value is not None}


def _follower(job_id: str, patience: Patience) -> Follower:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    return Follower(job_id, Request("GET", f"{_path(job_id)}/events", headers=headers), patience)


def _path(job_id: str) -> str:
    return f"{EXTRACTIONS}/{quote(job_id, safe='')}"


def _text(wanted: bool) -> dict[str, str]:
    return {"include": "text"} if wanted else {}


def _succeeded(job: ExtractionJob) -> ExtractionJob:
    """The job, or its failure raised."""
    if job.status is Status.SUCCEEDED:
        return job
    if job.error is not None:
        error = error_from(job.error)
        error.add_note(f"extraction {job.id}")
        raise error
    if job.status is Status.CANCELLED:
        raise Conflict("the extraction was cancelled", mend="Hand the document in again")
    raise ServiceError(f"the extraction is {job.status} where it should be final", mend="Please report it")
