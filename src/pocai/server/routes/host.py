"""The endpoints that the host application calls; its contract decides names, fields, statuses and error bodies.

One document costs one reading: `/preprocess/enhance` begins it, and all later calls, the host's repeated attempts
included, share its job. What fails for a passing reason is tried again here, because the host shows every failure.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as AnyHTTPException

from pocai import errors
from pocai.errors import (
    BadRequest,
    DeadlineExceeded,
    InputError,
    NotAllowed,
    NotFound,
    NoTimetable,
    PocaiError,
    Unavailable,
    WorkerLost,
)
from pocai.inference.answers import ReadPage, Status
from pocai.inference.quality import HostRoute, host_gate
from pocai.server.auth import HostCaller
from pocai.server.call import Call
from pocai.server.failures import headers_of, status_of
from pocai.server.frames import Frame
from pocai.server.host_answers import (
    AiError,
    AiFailure,
    AiRequest,
    EnhanceAnswer,
    EnhanceRequest,
    GateAnswer,
    GateRequest,
    Health,
    HostError,
    HostTimetable,
    Message,
    OcrAnswer,
    OcrRequest,
    invalid,
)
from pocai.server.host_source import Source, find_source, open_file, pointer
from pocai.server.intake import Order, job_for
from pocai.server.jobs import Job, Priority
from pocai.server.paths import Paths
from pocai.server.projection import project, project_page
from pocai.server.results import ending_of
from pocai.server.service import ServiceDep
from pocai.server.workers import Task
from pocai.timetable.timetable import Timetable

ATTEMPTS = 3  # of a reading that fails for a passing reason
PAUSE = 0.3  # seconds before the next

ENHANCING, READING, EXTRACTING = "Image preprocessing failed", "OCR processing failed", "AI extraction failed"
OWN_STATUS = (  # errors that keep their status; any other is 500, as the host knows it
    errors.NotAuthenticated,
    errors.NotAllowed,
    errors.NotFound,
    errors.Busy,
    errors.Unavailable,
    errors.DeadlineExceeded,
)


class HostAPIRoute(APIRoute):
    """A route whose refusals have the host's shape, and whose 422 shows the request without its secrets."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's way to wrap a route."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return JSONResponse({"detail": invalid(error.errors())}, 422)
            except AnyHTTPException as error:
                if self.path != ASYNC or not isinstance(error.detail, str):
                    raise
                detail = _failure(BadRequest(error.detail), error.detail)  # FastAPI's, of a body that cannot be parsed
                raise HTTPException(error.status_code, detail) from error
            except PocaiError as error:  # of the credentials: no endpoint was reached
                told = _failure(error, str(error)) if self.path == ASYNC else str(error)
                return JSONResponse({"detail": told}, status_of(error), headers_of(error))

        return handled


ASYNC = "/ai/extract-async"
router = APIRouter(tags=["host"], route_class=HostAPIRoute)


def _call_of_host(request: Request, service: ServiceDep, caller: HostCaller) -> Call:
    return Call(request, service, caller)


HostCall = Annotated[Call, Depends(_call_of_host)]


def _responses(model: type[HostError | AiError]) -> dict[int | str, dict[str, Any]]:
    """What an endpoint may answer besides its result."""
    told = {
        400: "The body cannot be parsed, or no timetable was found.",
        401: "No credentials, from an address that needs them.",
        403: "The path lies outside the folders that may be used, or the credentials lack the scope.",
        404: "The file is missing.",
        429: "Too many documents wait.",
        500: "The file cannot be read, or no timetable was found; the text says why.",
        503: "The service is stopping, or something that it needs is down.",
        504: "The document was not read in time.",
    }
    unread = {408: "The body came too slowly.", 413: "The body is too large."}
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": model, "description": text} for status, text in told.items()
    }
    return found | {status: {"model": HostError, "description": text} for status, text in unread.items()}


@router.get("/", operation_id="greet", summary="Say that the service is there")
async def greet() -> Message:
    """Say that the service is there."""
    return Message(message="pocai: AI middleware API")


@router.get("/health", operation_id="health", summary="Whether the service is up")
async def health() -> Health:
    """Say that the service is up; `/health/ready` tells whether it can read."""
    return Health()


@router.post(
    "/preprocess/enhance",
    operation_id="enhanceImage",
    summary="Step 1: an evenly lit picture of the first page",
    responses=_responses(HostError),
)
async def enhance(order: EnhanceRequest, call: HostCall) -> EnhanceAnswer:
    """Write an evenly lit PNG of a picture, or of the first page of a document, into a folder.

    It has the pixels of the picture that was handed in. The document behind it is read meanwhile, and the later calls
    find it by the path of the PNG, which is removed after a set time.
    """
    with _told(order.image_path, ENHANCING):
        paths, service = _paths(call), call.service
        shown = os.path.join(order.output_dir, f"preprocessed_{uuid4()}.png")  # noqa: PTH118 - text, as the host sent it
        target = await asyncio.to_thread(paths.resolve, shown)
        file = await asyncio.to_thread(open_file, paths, order.image_path)
        run = _runner_of_tasks(call)
        source = await find_source(paths, file, run)
        options = {"texts": pointer(source, target.parent)}
        task = Task("enhance", options, (file.content,), service.settings.server.request_seconds, urgent=True)
        frame, _ = await asyncio.gather(run(task), _begin(call, source))
        (picture,) = frame.parts
        due = time.time() + 3600 * service.settings.server.host_application.derived_hours
        await service.store.note_file(str(target), due)  # first: a picture that nobody knows of would stay for ever
        await asyncio.to_thread(paths.write, target, picture)
        return EnhanceAnswer(enhanced_image_path=shown)


@router.post(
    "/ocr/process",
    operation_id="processOcr",
    summary="Step 2: the words of the first page",
    responses=_responses(HostError),
)
async def process_ocr(order: OcrRequest, call: HostCall) -> OcrAnswer:
    """Read the first page; boxes are in pixels of the picture that the path names."""
    with _told(order.image_path, READING):
        source, job = await _read(call, order.image_path)
        return await asyncio.to_thread(_words, job, source)


@router.post(
    "/ocr/quality-gate",
    operation_id="qualityGate",
    summary="Step 3: where the document goes",
    responses=_responses(HostError),
)
async def quality_gate(order: GateRequest, call: HostCall) -> GateAnswer:
    """Say where the document goes. Only `ai` yields a timetable in the host, so that is the answer unless it is set."""
    settings = call.service.settings
    decided = host_gate(order.confidence, settings.quality)
    if settings.quality_gate.mode == "ai" and decided.route != "ai":
        reason = f"High confidence ({order.confidence:.2%}) - AI processing extracts the timetable"
        decided = HostRoute("ai", order.confidence, reason)
    call.service.metrics.host_gate(decided.route)
    return GateAnswer(route=decided.route, confidence=decided.confidence, reason=decided.reason)


@router.post(
    "/ai/extract",
    operation_id="extractTimetable",
    summary="The timetable, with errors as text",
    responses=_responses(HostError),
)
async def extract(order: AiRequest, call: HostCall) -> HostTimetable:
    """Extract the timetable with the local models, whichever `provider` and `model` are named; no key is needed."""
    with _told(order.image_path, EXTRACTING):
        return await _timetable(call, order)


@router.post(
    ASYNC, operation_id="extractTimetableAsync", summary="Step 4: the timetable", responses=_responses(AiError)
)
async def extract_async(order: AiRequest, call: HostCall) -> HostTimetable:
    """The same as `/ai/extract`; errors are objects here."""
    with _told(order.image_path, EXTRACTING, order):
        return await _timetable(call, order)


# --- one reading for each document -----------------------------------------------------------------------------------


async def _timetable(call: Call, order: AiRequest) -> HostTimetable:
    _, job = await _read(call, order.image_path)
    week = await asyncio.to_thread(_week, job)
    call.record("extraction.read", job.id)
    if not week.timeblocks:
        raise NoTimetable("no timetable was found", mend="Is it the right page?")
    return week


def _week(job: Job) -> HostTimetable:
    assert job.result is not None, "only jobs that succeeded are shown"
    return project([Timetable.model_validate(one) for one in job.result["timetables"]])


def _words(job: Job, source: Source) -> OcrAnswer:
    assert job.result is not None, "only jobs that succeeded are shown"
    return project_page(ReadPage.model_validate(job.result["pages"][0]), source.size)


async def _read(call: Call, path: str) -> tuple[Source, Job]:
    """The job that read the document behind a path; it has succeeded. Raises what reading raises."""
    paths = _paths(call)
    file = await asyncio.to_thread(open_file, paths, path)
    source = await find_source(paths, file, _runner_of_tasks(call))
    until = time.monotonic() + call.service.settings.server.request_seconds
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return source, await _ended(call, source, until)
        except _Passing as passing:
            if attempt == ATTEMPTS or call.service.runner.draining:
                raise passing.error from passing
            await asyncio.sleep(PAUSE)
    raise AssertionError("the last attempt returns or raises")  # pragma: no cover


class _Passing(Exception):
    """A reading that failed for a reason that may be gone by now."""

    def __init__(self, error: PocaiError) -> None:
        super().__init__(str(error))
        self.error = error


async def _ended(call: Call, source: Source, until: float) -> Job:
    """The job of a document when it has succeeded; raises why it has not, `_Passing` where another may."""
    runner = call.service.runner
    try:
        job = await runner.wait(await _submitted(call, source), max(0.0, until - time.monotonic()))
    except Unavailable as error:
        raise _Passing(error) from error
    if job is None or job.status is Status.CANCELLED:
        raise _Passing(Unavailable("the reading was cancelled or removed meanwhile", mend="Come again", retry_after=2))
    if job.status is Status.SUCCEEDED:
        return job
    if job.status is Status.FAILED:
        cause = ending_of(job)
        raise cause if _is_shared(job) or isinstance(cause, WorkerLost) else _Passing(cause)
    if runner.draining:
        raise Unavailable("the service is stopping", mend="Come again in a moment", retry_after=2)
    raise DeadlineExceeded("the document was not read in time", mend="Come again: it is read meanwhile")


async def _begin(call: Call, source: Source) -> None:
    """Have the document read for the calls to come; these say what goes wrong."""
    with suppress(PocaiError):
        await _submitted(call, source)


async def _submitted(call: Call, source: Source) -> str:
    """The id of the job that reads a document: one that is there already, or a new one."""
    service = call.service
    order = Order(call.principal.tenant, priority=Priority.HOST)
    rollout = service.rollouts.revision
    job = await asyncio.to_thread(job_for, source.file.content, order, service.settings, rollout)
    async with call.desk.turn(f"{job.tenant} {job.fingerprint}"):
        found = await service.store.find(job.tenant, job.fingerprint)
        if found is not None and _is_shared(found):
            return found.id
        await service.runner.submit(job, source.file.content, limit=service.settings.server.queue.host)
    call.record("extraction.create", job.id)
    return job.id


def _is_shared(job: Job) -> bool:
    """Whether what became of a job, or will, holds for every later call with the same document.

    Not where it only waits behind others, failed for a passing reason, or had less time than we would give it.
    """
    if job.priority is not Priority.HOST and not job.status.final:
        return False
    if job.fault is None:
        return True
    late = job.fault.code == DeadlineExceeded.code and job.priority is not Priority.HOST
    return job.fault.lasting and not late


def _paths(call: Call) -> Paths:
    settings = call.service.settings
    return Paths(settings.server.host_application, settings.limits)


def _runner_of_tasks(call: Call) -> Callable[[Task], Coroutine[Any, Any, Frame]]:
    """Has tasks done by reading processes, again where one dies, all within the time of one request."""
    service = call.service
    until = time.monotonic() + service.settings.server.request_seconds

    async def run(task: Task) -> Frame:
        for _ in range(1, service.settings.server.workers.attempts):
            with suppress(WorkerLost):
                return await service.pool.run(replace(task, seconds=min(task.seconds, until - time.monotonic())))
        return await service.pool.run(replace(task, seconds=min(task.seconds, until - time.monotonic())))

    return run


# --- errors as the host knows them -----------------------------------------------------------------------------------


@contextmanager
def _told(path: str, work: str, order: AiRequest | None = None) -> Iterator[None]:
    """Answer errors with the host's status and text; as an object where the ``order`` is given."""
    try:
        yield
    except PocaiError as error:
        status = status_of(error) if isinstance(error, OWN_STATUS) else 500
        text = _text(error, path, work)
        if order is not None:
            raise HTTPException(status, _failure(error, text, order), headers_of(error)) from error
        if isinstance(error, NoTimetable):
            status = 400
        raise HTTPException(status, text, headers_of(error)) from error


def _text(error: PocaiError, path: str, work: str) -> str:
    if isinstance(error, NotFound):
        return f"Image not found: {path}"
    if isinstance(error, NotAllowed):
        return str(error)
    if work == ENHANCING and isinstance(error, InputError):
        return f"{work}: Could not read image: {path} ({error})"
    return f"{work}: {error}"


def _failure(error: PocaiError, text: str, order: AiRequest | None = None) -> dict[str, Any]:
    """The ``detail`` of `/ai/extract-async`."""
    named: dict[type[PocaiError], str] = {NotFound: "FileNotFoundError", NotAllowed: "PermissionError"}
    failure = AiFailure(
        error=f"Image file not found: {text}" if isinstance(error, NotFound) else text,
        provider=order.provider if order else None,
        model=order.model if order else None,
        error_type=named.get(type(error), type(error).__name__),
        hint=error.mend or None,
    )
    return {name: value for name, value in failure.model_dump().items() if name != "hint" or value}
