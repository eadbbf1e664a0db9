"""``/v1/extractions``: a document goes in, a job comes out, and from it timetables in every form."""

# ruff: noqa: FAST003 - the id in the paths is a parameter of OwnJob

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response, WebSocket
from fastapi.security import SecurityScopes
from fastapi.sse import EventSourceResponse, ServerSentEvent

from pocai.errors import Conflict, NotFound, PocaiError
from pocai.inference.answers import ExtractionJob, ExtractionResult
from pocai.server.auth import Scope, authenticate, spoken_protocol
from pocai.server.call import Call, CallDep
from pocai.server.drawing import overlay
from pocai.server.events import events, send_states
from pocai.server.failures import answer, status_of
from pocai.server.jobs import Job, Kind, Priority
from pocai.server.problems import SERVICE, problems, sample
from pocai.server.results import (
    AGAIN,
    MEDIA_TYPES,
    Form,
    Include,
    Term,
    TermDep,
    Wish,
    WishDep,
    ending_of,
    exported,
    job_response,
)
from pocai.server.service import Service, ServiceDep
from pocai.server.submission import GONE, NamesDep, Preference, PreferenceDep, Submission, awaited, hand_in
from pocai.server.uploads import UploadDep, body_schema

ID = re.compile(r"[0-9a-f]{32}")
NO_TERM = Term(None, None, "UTC")

HERE = f"{SERVICE}/v1/extractions"

router = APIRouter(prefix="/v1", tags=["extractions"], responses=problems(401, 403, 422, 429, 500, 503))

BINARY = {"schema": {"type": "string", "format": "binary"}}
TEXT = {"schema": {"type": "string"}}
FILES: dict[str, Any] = {
    MEDIA_TYPES[Form.CSV]: TEXT,
    MEDIA_TYPES[Form.XLSX]: BINARY,
    MEDIA_TYPES[Form.ICS]: TEXT,
}
STREAM = """\
event: progress
data: {"status":"running","stage":"text","progress":0.1}
retry: 2000

event: succeeded
data: {"id":"0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c0e","status":"succeeded","stage":"done","progress":1.0,"result":null}
retry: 2000

"""
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: answer 202 at once. `wait=N`: answer 202 when the result is not there after N"
    " seconds. Both: the job takes its place in the backlog, and N seconds are waited (RFC 7240).",
    "schema": {"type": "string"},
    "example": "respond-async",
}
CREATE: dict[str, Any] = {
    "response_model": ExtractionJob,
    "response_description": "The job with its result; in another form than JSON the result alone.",
    "responses": {
        200: {"content": FILES, "headers": {"Content-Location": {"schema": {"type": "string"}}}},
        202: {
            "model": ExtractionJob,
            "description": "Accepted: the job is queued or running. Always JSON.",
            "headers": {
                "Location": {"description": "Where the job is found.", "schema": {"type": "string"}},
                "Retry-After": {"schema": {"type": "integer"}},
                "Preference-Applied": {"schema": {"type": "string"}},
            },
        },
        **problems(400, 404, 406, 408, 409, 413, 415, 504),
    },
    "openapi_extra": {
        "requestBody": body_schema(),
        "parameters": [PREFER],
        **sample(
            f"-F file=@week.png {HERE}",
            f"-F file=@week.png -F engine=ppocr -F deadline=60 '{HERE}?include=text'",
            f"-F file=@week.png -H 'Accept: text/csv' {HERE}",
            f"-F file=@week.png -H 'Prefer: respond-async' -H 'Idempotency-Key: week-37' {HERE}",
            f"""-H 'Content-Type: application/json' -d '{{"path": "/data/uploads/week.png"}}' {HERE}""",
        ),
    },
}


async def _own_job(
    extraction_id: Annotated[
        str, Path(description="id of an extraction", examples=["0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c0e"])
    ],
    call: CallDep,
) -> Job:
    return await find(call.service, call.principal.tenant, extraction_id)


OwnJob = Annotated[Job, Depends(_own_job)]


async def find(service: Service, tenant: str, extraction_id: str) -> Job:
    """An extraction of a tenant. Raises NotFound, alike for what never was and for what is another tenant's."""
    job = await service.store.get(extraction_id) if ID.fullmatch(extraction_id) else None
    if job is None or job.tenant != tenant or job.kind is not Kind.EXTRACT:
        kept = service.settings.server.retention_hours
        raise NotFound("there is no such extraction", mend=f"It is kept for {kept:g} hours after its end")
    return job


@router.post("/extractions", operation_id="createExtraction", summary="Read a document", **CREATE)
async def create(call: CallDep, wish: WishDep, prefer: PreferenceDep, upload: UploadDep, names: NamesDep) -> Response:
    """Hand in a picture, a PDF, a Word or an Excel file, and wait for its timetables.

    The document comes as the field `file` of a form, or, for callers of the host's own tenant, as JSON with the `path`
    of a file on a shared volume. A document without a timetable is no error: the answer has no timetables and the
    verdict `reject`. A document that cannot be read is answered with an error, whose `details.id` names the job.

    A client that closes the connection while it waits cancels its job, unless it sent an `Idempotency-Key`. Should the
    service stop before the result is there, the answer is 202 and the job is kept.
    """
    priority = Priority.BACKLOG if prefer.respond_async else Priority.WAITING
    job = await hand_in(call, Submission(upload, Kind.EXTRACT, priority, names.key, names.school))
    if prefer.seconds != 0 and not job.status.final:
        found = await awaited(call, job, seconds=prefer.seconds, kept=names.key is not None)
        if found is None:
            return Response(status_code=GONE)
        job = found
    return await _finished(job, wish) if job.status.final else await _accepted(job, prefer)


async def _finished(job: Job, wish: Wish) -> Response:
    """The result, or the error that the job ended in, with the job's id."""
    if job.result is None:
        return answer(ending_of(job), id=job.id)
    found = await (job_response(job, text=wish.text) if wish.form is Form.JSON else exported(job, wish))
    found.headers["Content-Location"] = _place(job)
    return found


async def _accepted(job: Job, prefer: Preference) -> Response:
    found = await job_response(job, text=False, status=202)
    found.headers.update({"Location": _place(job), "Retry-After": str(AGAIN)})
    if prefer.applied:
        found.headers["Preference-Applied"] = prefer.applied
    return found


def _place(job: Job) -> str:
    return f"/v1/extractions/{job.id}"


async def _export(call: Call, job: Job, wish: Wish) -> Response:
    found = await exported(job, wish)
    call.record("extraction.export", job.id)
    return found


@router.get(
    "/extractions/{extraction_id}.json",
    operation_id="exportJson",
    openapi_extra=sample(f"-O {HERE}/$ID.json"),
    summary="Its result as JSON",
    response_model=ExtractionResult,
    responses=problems(404, 409),
)
async def export_json(job: OwnJob, call: CallDep, include: Include = None) -> Response:
    """The result alone, without the job around it."""
    return await _export(call, job, Wish(Form.JSON, include == "text", NO_TERM))


@router.get(
    "/extractions/{extraction_id}.csv",
    operation_id="exportCsv",
    openapi_extra=sample(f"-O {HERE}/$ID.csv"),
    summary="Its result as CSV",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPES[Form.CSV]: TEXT}}, **problems(404, 409)},
)
async def export_csv(job: OwnJob, call: CallDep) -> Response:
    """One row a block (RFC 4180). What a spreadsheet would run as a formula has an apostrophe in front."""
    return await _export(call, job, Wish(Form.CSV, text=False, term=NO_TERM))


@router.get(
    "/extractions/{extraction_id}.xlsx",
    operation_id="exportWorkbook",
    openapi_extra=sample(f"-O {HERE}/$ID.xlsx"),
    summary="Its result as a workbook",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPES[Form.XLSX]: BINARY}}, **problems(404, 409)},
)
async def export_xlsx(job: OwnJob, call: CallDep) -> Response:
    """One sheet a timetable: days across, time down, ready to print."""
    return await _export(call, job, Wish(Form.XLSX, text=False, term=NO_TERM))


@router.get(
    "/extractions/{extraction_id}.ics",
    operation_id="exportCalendar",
    openapi_extra=sample(f'-o week.ics "{HERE}/$ID.ics?start=2026-09-07&end=2026-12-18&timezone=Europe/London"'),
    summary="Its result as a calendar",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPES[Form.ICS]: TEXT}}, **problems(400, 404, 409)},
)
async def export_ics(job: OwnJob, call: CallDep, term: TermDep) -> Response:
    """Every block as an event that repeats weekly between two dates (RFC 5545)."""
    return await _export(call, job, Wish(Form.ICS, text=False, term=term))


@router.get(
    "/extractions/{extraction_id}/events",
    operation_id="followExtraction",
    openapi_extra=sample(f"-N {HERE}/$ID/events"),
    summary="How far it is, as it happens",
    response_class=EventSourceResponse,
    response_description="Server-sent events.",
    responses={200: {"content": {"text/event-stream": TEXT | {"example": STREAM}}}, **problems(404)},
)
async def follow(job: OwnJob, service: ServiceDep) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` with `{"status", "stage", "progress"}` each time the job gets further.

    The last one is named `succeeded`, `failed` or `cancelled`, and holds the job without its result. Then the stream
    ends, and a client should not connect again. It ends without such an event when the service stops: connect again
    after the time that `retry` says. Comments keep the connection alive.

    The same messages come over a WebSocket at `/v1/extractions/{extraction_id}/ws`, one JSON text each, until it is
    closed with 1000; it is closed with 4401, 4403 or 4404 where HTTP would answer 401, 403 or 404, and with 1012 when
    the service stops. A browser, which cannot set headers, offers the subprotocols `pocai` and `pocai.bearer.<token>`.
    """
    async for event in events(service.runner, job):
        yield event


@router.websocket("/extractions/{extraction_id}/ws")
async def follow_by_websocket(websocket: WebSocket, extraction_id: str, service: ServiceDep) -> None:
    """The messages of ``events`` over a WebSocket; refusals are close codes, which a browser can read."""
    job: Job | None = None
    refusal: PocaiError | None = None
    try:
        caller = await authenticate(websocket, SecurityScopes([Scope.EXTRACT]))
        job = await find(service, caller.tenant, extraction_id)
    except PocaiError as error:
        refusal = error
    await websocket.accept(spoken_protocol(websocket))
    if refusal is not None:
        await websocket.close(4000 + status_of(refusal), refusal.code)
    elif job is not None:
        await send_states(websocket, service.runner, job)


@router.get(
    "/extractions/{extraction_id}/overlay.png",
    operation_id="getOverlay",
    openapi_extra=sample(f"-o week.png {HERE}/$ID/overlay.png"),
    summary="A page with every block marked",
    response_class=Response,
    responses={200: {"content": {"image/png": BINARY}}, **problems(404, 409, 504)},
)
async def get_overlay(
    job: OwnJob, call: CallDep, page: Annotated[int, Query(ge=0, lt=1000, description="index, from 0")] = 0
) -> Response:
    """The page as a picture, each block framed where it was read and tagged with day, time and name."""
    picture = await overlay(call, job, page)
    call.record("extraction.export", job.id)
    return Response(picture, media_type="image/png")


@router.get(
    "/extractions/{extraction_id}",
    operation_id="getExtraction",
    openapi_extra=sample(f"{HERE}/$ID"),
    summary="How far an extraction is, and its result",
    response_model=ExtractionJob,
    response_description="The job, with its result once it has succeeded; in another form than JSON the result alone.",
    responses={200: {"content": FILES}, **problems(400, 404, 406, 409)},
)
async def get(job: OwnJob, wish: WishDep, call: CallDep) -> Response:
    """The job as it is now. Where `Accept` asks for another form than JSON and there is no result yet: 409."""
    if wish.form is not Form.JSON:
        return await _export(call, job, wish)
    if job.result is not None:
        call.record("extraction.read", job.id)
    return await job_response(job, text=wish.text)


@router.post(
    "/extractions/{extraction_id}/cancel",
    operation_id="cancelExtraction",
    summary="Cancel an extraction",
    response_model=ExtractionJob,
    response_description="The job, cancelled.",
    responses=problems(404, 409),
)
async def cancel(job: OwnJob, call: CallDep) -> Response:
    """Stop one that is queued or running, and erase its document. One that has ended keeps its result: 409."""
    if not await call.service.runner.cancel(job.id):
        raise Conflict("the job has ended already", mend="Use its result, or erase it with DELETE")
    call.record("extraction.cancel", job.id)
    return await job_response(await find(call.service, job.tenant, job.id), text=False)


@router.delete(
    "/extractions/{extraction_id}",
    status_code=204,
    operation_id="deleteExtraction",
    openapi_extra=sample(f"-X DELETE {HERE}/$ID"),
    summary="Cancel or erase an extraction",
    response_class=Response,
    response_description="Done.",
    responses=problems(404),
)
async def delete(job: OwnJob, call: CallDep) -> None:
    """One that is queued or running is cancelled; one that has ended is erased, with its document and its result.

    Whoever wants to stop it and not to lose a result that comes at that moment, takes `…/cancel`.
    """
    if not await call.service.runner.cancel(job.id):
        await call.service.store.delete(job.id)
    call.record("extraction.delete", job.id)
