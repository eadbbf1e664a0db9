"""The client for asyncio; its calls are those of `pocai.client.blocking.Client`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from pocai.client.calls import Calendar, Calls, Format, OnProgress, Reading
from pocai.client.connection import LOCAL, Options, connect
from pocai.client.documents import Source
from pocai.client.exchange import Act, Flow, Listen, Load, Next, Pause, Play, Reply, Send, Tell
from pocai.client.following import Progress
from pocai.inference.answers import ExtractionJob, ModelAnswer, ReadResult

T = TypeVar("T")


class AsyncClient:
    """Calls the service at ``url`` from asyncio: as `Client`, with ``await``, ``async with`` and ``async for``.

    Tasks of one event loop may share one. A cancelled task stops its call.
    """

    def __init__(self, url: str = LOCAL, **options: Unpack[Options]) -> None:
        self._connection = connect(url, options)
        self._calls = Calls(self._connection)
        self._http = httpx.AsyncClient(**self._connection.arguments())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._connection.url)!r})"

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def extract(
        self,
        document: Source,
        *,
        include_text: bool = False,
        on_progress: OnProgress | None = None,
        **reading: Unpack[Reading],
    ) -> ExtractionJob:
        """As `Client.extract`; ``on_progress`` is called in the event loop and must be quick."""
        flow = self._calls.extract(document, reading, include_text=include_text, following=on_progress is not None)
        return await self._run(flow, on_progress)

    async def submit(self, document: Source, **reading: Unpack[Reading]) -> ExtractionJob:
        """As `Client.submit`."""
        return await self._run(self._calls.submit(document, reading))

    async def get(self, job_id: str, *, include_text: bool = False) -> ExtractionJob:
        """As `Client.get`."""
        return await self._run(self._calls.get(job_id, include_text=include_text))

    async def wait(
        self,
        job_id: str,
        *,
        seconds: float | None = None,
        include_text: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ExtractionJob:
        """As `Client.wait`; ``on_progress`` is called in the event loop and must be quick."""
        return await self._run(self._calls.wait(job_id, seconds, include_text=include_text), on_progress)

    async def events(self, job_id: str) -> AsyncIterator[Progress]:
        """As `Client.events`."""
        async with aclosing(self._play(Play(self._calls.events(job_id)))) as told:
            async for progress in told:
                yield progress

    async def cancel(self, job_id: str) -> bool:
        """As `Client.cancel`."""
        return await self._run(self._calls.cancel(job_id))

    async def delete(self, job_id: str) -> None:
        """As `Client.delete`."""
        return await self._run(self._calls.delete(job_id))

    async def export(self, job_id: str, form: Format, **calendar: Unpack[Calendar]) -> bytes:
        """As `Client.export`."""
        return await self._run(self._calls.export(job_id, form, calendar))

    async def overlay(self, job_id: str, page: int = 0) -> bytes:
        """As `Client.overlay`."""
        return await self._run(self._calls.overlay(job_id, page))

    async def read(self, document: Source, **reading: Unpack[Reading]) -> ReadResult:
        """As `Client.read`."""
        return await self._run(self._calls.read(document, reading))

    async def models(self) -> tuple[ModelAnswer, ...]:
        """As `Client.models`."""
        return await self._run(self._calls.models())

    async def model(self, name: str) -> ModelAnswer:
        """As `Client.model`."""
        return await self._run(self._calls.model(name))

    async def healthy(self) -> bool:
        """As `Client.healthy`."""
        return await self._run(self._calls.healthy())

    async def _run(self, flow: Flow[T], on_progress: OnProgress | None = None) -> T:
        play = Play(flow)
        async with aclosing(self._play(play)) as told:
            async for progress in told:
                if on_progress is not None:
                    on_progress(progress.stage, progress.progress)
        return play.result

    async def _play(self, play: Play[Any]) -> AsyncGenerator[Progress, None]:
        async with _Line(self._http) as line:
            while (step := play.step) is not None:
                outcome: object = None
                if isinstance(step, Tell):
                    yield step.news
                else:
                    try:
                        outcome = await line.take(step)
                    except httpx.RequestError as error:
                        outcome = error
                play.go_on(outcome)


class _Line:
    """Takes the steps of one call; holds at most one stream open."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._open = AsyncExitStack()
        self._chunks: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def take(self, step: Act) -> object:
        """What comes of a step; raises httpx.RequestError."""
        match step:
            case Send():
                return Reply.of(await self._http.request(**step.request.arguments(step.seconds)))
            case Listen():
                return await self._listen(step)
            case Next():
                assert self._chunks is not None, "a stream is opened before it is read"
                return await anext(self._chunks, None)
            case Pause():
                await asyncio.sleep(step.seconds)
            case Load():
                return await asyncio.to_thread(step.read)
        return None

    async def _listen(self, step: Listen) -> Reply:
        await self._open.aclose()
        request = self._http.build_request(**step.request.arguments(step.seconds))
        response = await self._http.send(request, stream=True)
        self._open.push_async_callback(response.aclose)
        if not response.is_success:
            await response.aread()
            return Reply.of(response)
        self._chunks = response.aiter_bytes()
        return Reply(response.status_code, response.headers)
