"""How far a job is, as it happens: server-sent events, and the same messages over a WebSocket (RFC 6455)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent
from starlette.websockets import WebSocket, WebSocketDisconnect

from pocai.inference.answers import Status
from pocai.server.jobs import Job
from pocai.server.results import job_answer
from pocai.server.runner import Runner

RETRY = 2000  # milliseconds after which a browser connects again
DONE, RESTARTING = 1000, 1012  # close codes (RFC 6455, 7.4; IANA's registry)


def name_of(job: Job) -> str:
    """The name of the event that tells a job's state: ``progress`` until the last one."""
    return job.status.value if job.status.final else "progress"


def message(job: Job) -> str:
    """Its JSON: status, stage and share; at the end the whole job, without its result."""
    answer = job_answer(job, result=False)
    return answer.model_dump_json(by_alias=True, include=None if job.status.final else {"status", "stage", "progress"})


async def events(runner: Runner, job: Job) -> AsyncIterator[ServerSentEvent]:
    """The events of a job until it is final, is deleted, or the service stops."""
    async for state in runner.watch(job.id):
        yield ServerSentEvent(event=name_of(state), raw_data=message(state), retry=RETRY)


async def send_states(websocket: WebSocket, runner: Runner, job: Job) -> None:
    """Send every state of a job over an open WebSocket, and close it; ends at once where the client leaves."""
    sending = asyncio.create_task(_send(websocket, runner, job))
    leaving = asyncio.create_task(_left(websocket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            with contextlib.suppress(WebSocketDisconnect):  # it left while we were sending
                await websocket.close(sending.result())
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send(websocket: WebSocket, runner: Runner, job: Job) -> int:
    """The close code: done, or 1012 where the service stops first and the client should come again."""
    last = Status.QUEUED
    async for state in runner.watch(job.id):
        await websocket.send_text(message(state))
        last = state.status
    return DONE if last.final or not runner.draining else RESTARTING


async def _left(websocket: WebSocket) -> None:
    """Until the client closes; whatever it sends is passed over."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
