"""Handing in a document and waiting for it: ``Prefer``, ``Idempotency-Key``, deadlines, and clients that go away."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Header, Query
from pydantic import StringConstraints
from starlette.requests import Request

from pocai.errors import Conflict, DeadlineExceeded, NotFound, WaitedTooLong
from pocai.inference.answers import Status
from pocai.server.call import Call
from pocai.server.intake import Order, job_for
from pocai.server.jobs import Job, Kind, Priority
from pocai.server.uploads import Upload

LATE = 1.0  # seconds that a reading process has beyond the deadline to say itself that it was too late
GONE = 499  # status of an answer to a client that is not there any more; nobody sees it but the log
LONGEST_KEY = 255  # characters of an Idempotency-Key
SCHOOL = r"^\w[\w.@-]{0,98}$"  # with a tenant and a stroke before it, 200 characters
SCHOOL_TOLD = (
    "Your name for the school that the document comes from, where you have several; what its earlier timetables have"
    " shown helps to read this one."
)


@dataclass(frozen=True, slots=True)
class Preference:
    """What ``Prefer`` asks for (RFC 7240): an answer before the work is done, at once or after ``wait`` seconds."""

    respond_async: bool = False
    wait: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long to wait for the result; None: until it is there."""
        return 0.0 if self.respond_async and self.wait is None else self.wait

    @property
    def applied(self) -> str:
        """What ``Preference-Applied`` says of it; empty where nothing was asked for."""
        wait = () if self.wait is None else (f"wait={self.wait:.0f}",)
        return ", ".join((*(("respond-async",) if self.respond_async else ()), *wait))


def _preference_of(request: Request) -> Preference:
    """Preferences that we do not know are passed over, as are those that make no sense (RFC 7240, 2)."""
    found = Preference()
    for text in ",".join(request.headers.getlist("Prefer")).split(","):
        name, _, value = text.partition(";")[0].strip().lower().partition("=")
        value = value.strip().strip('"')
        if name.strip() == "respond-async":
            found = replace(found, respond_async=True)
        elif name.strip() == "wait" and re.fullmatch(r"[0-9]{1,9}", value):
            found = replace(found, wait=float(value))
    return found


PreferenceDep = Annotated[Preference, Depends(_preference_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        description="Any name of your own for this request: sent again with the same document, it finds the same job"
        " and nothing is read twice. It is forgotten with the job.",
        examples=["3c1f0a52-week-37"],
    ),
]


SchoolName = Annotated[str, StringConstraints(pattern=SCHOOL)]


@dataclass(frozen=True, slots=True)
class Names:
    """How a request is known again (its Idempotency-Key), and the school that its document comes from."""

    key: str | None = None
    school: str | None = None


def _names_of(
    key: IdempotencyKey = None,
    school: Annotated[SchoolName | None, Query(description=SCHOOL_TOLD)] = None,
    named: Annotated[SchoolName | None, Header(alias="X-School", description="The same as `school`.")] = None,
) -> Names:
    return Names(key, school or named)


NamesDep = Annotated[Names, Depends(_names_of)]


@dataclass(frozen=True, slots=True)
class Submission:
    """A document that is handed in; with a key it is handed in once, however often the request comes."""

    upload: Upload
    kind: Kind
    priority: Priority
    key: str | None = None
    school: str | None = None


async def hand_in(call: Call, submission: Submission) -> Job:
    """The job of a document: a new one, or that of an earlier request with the same key.

    Raises QueueFull, Unavailable, LimitExceeded or UnreadableDocument where no job is made, Conflict for a key that was
    used for something else.
    """
    upload, settings = submission.upload, call.service.settings
    order = Order(
        tenant=call.principal.tenant,
        kind=submission.kind,
        priority=submission.priority,
        name=upload.name,
        engine=upload.wishes.engine,
        school=submission.school,
        seconds=upload.wishes.deadline,
    )
    rollout = call.service.rollouts.revision
    # a hash of fifty megabytes takes its time
    job = await asyncio.to_thread(job_for, upload.document, order, settings, rollout)
    if submission.key is None:
        return await _submit(call, job, upload.document)
    job = replace(job, id=_id_of(call.principal.tenant, submission.key))
    async with call.desk.turn(job.id):
        return await _same_or_new(call, job, upload.document)


async def _same_or_new(call: Call, job: Job, document: bytes) -> Job:
    """The job that has this id already, or a new one; also in place of one cancelled or failed in passing."""
    store = call.service.store
    found = await store.get(job.id)
    if found is None:
        return await _submit(call, job, document)
    if found.fingerprint != job.fingerprint:
        raise Conflict("this Idempotency-Key was used for another document", mend="Use a new key")
    late = found.fault is not None and found.fault.code == DeadlineExceeded.code
    if found.status is Status.CANCELLED or late or (found.fault is not None and not found.fault.lasting):
        await store.delete(found.id)
        return await _submit(call, job, document)
    return found


async def _submit(call: Call, job: Job, document: bytes) -> Job:
    queue = call.service.settings.server.queue
    backlog = job.priority is Priority.BACKLOG
    await call.service.runner.submit(
        job, document, limit=queue.backlog if backlog else queue.waiting or call.service.pool.size
    )
    call.record(f"{'extraction' if job.kind is Kind.EXTRACT else 'reading'}.create", job.id)
    return job


def _id_of(tenant: str, key: str) -> str:
    """The id that follows from a key. Who guesses it gains nothing: a job is shown to its own tenant only."""
    return hashlib.sha256(f"{len(tenant)}:{tenant}{key}".encode()).hexdigest()[:32]


async def awaited(call: Call, job: Job, *, seconds: float | None, kept: bool) -> Job | None:
    """The job when it is final, or as it is after ``seconds`` or when the service stops; None where the client left.

    A client that goes away cancels its job, unless it is ``kept``: with an Idempotency-Key it may come back for it.
    Raises DeadlineExceeded where the job's deadline passes first, NotFound where somebody deletes it meanwhile.
    """
    runner = call.service.runner
    longest = max(0.0, job.deadline - time.time()) + LATE
    waiting = asyncio.create_task(runner.wait(job.id, longest if seconds is None else min(seconds, longest)))
    leaving = asyncio.create_task(_left(call.request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            if not kept and await runner.cancel(job.id):
                call.record("extraction.cancel", job.id, "the client left")
            return None
        found = waiting.result()
    finally:
        waiting.cancel()
        leaving.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)
    if found is None:
        raise NotFound("the job was deleted while it was waited for", mend="Send the document again")
    if not found.status.final and time.time() >= found.deadline + LATE and not runner.draining:
        await runner.cancel(job.id)
        raise WaitedTooLong("the document waited past its deadline", mend="Allow more time, or come again later")
    return found


async def _left(request: Request) -> None:
    """Until the client closes its connection; the body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
