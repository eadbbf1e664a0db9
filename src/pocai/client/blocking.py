"""The client for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
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


class Client:
    """Calls the service at ``url`` and waits for its answers; `Options` are given by name.

    Threads may share one. Every call raises errors of `pocai.errors`: those of the service by their code,
    `Unavailable` where nothing answers, `DeadlineExceeded` after ``timeout`` seconds. Refused or broken connections and
    the statuses 429, 502, 503 and a proxy's 504 are tried again, which is safe: a document that is sent twice in one
    call is one extraction.
    """

    def __init__(self, url: str = LOCAL, **options: Unpack[Options]) -> None:
        self._connection = connect(url, options)
        self._calls = Calls(self._connection)
        self._http = httpx.Client(**self._connection.arguments())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._connection.url)!r})"

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def extract(
        self,
        document: Source,
        *,
        include_text: bool = False,
        on_progress: OnProgress | None = None,
        **reading: Unpack[Reading],
    ) -> ExtractionJob:
        """The timetables of a document, in the ``result`` of the job; with ``include_text`` also what was read.

        ``on_progress`` is called with the stage and the share that is done. Such a job waits behind those of callers
        that show no progress, and goes on when this call is given up.
        """
        flow = self._calls.extract(document, reading, include_text=include_text, following=on_progress is not None)
        return self._run(flow, on_progress)

    def submit(self, document: Source, **reading: Unpack[Reading]) -> ExtractionJob:
        """Hand a document in and go on; `wait` and `get` take the job's id."""
        return self._run(self._calls.submit(document, reading))

    def get(self, job_id: str, *, include_text: bool = False) -> ExtractionJob:
        """A job as it is now, also one that has failed."""
        return self._run(self._calls.get(job_id, include_text=include_text))

    def wait(
        self,
        job_id: str,
        *,
        seconds: float | None = None,
        include_text: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ExtractionJob:
        """A job when it has succeeded; its failure is raised, and DeadlineExceeded after ``seconds``."""
        return self._run(self._calls.wait(job_id, seconds, include_text=include_text), on_progress)

    def events(self, job_id: str) -> Iterator[Progress]:
        """How far a job is, each time it has changed, until it is final, for as long as it takes."""
        yield from self._play(Play(self._calls.events(job_id)))

    def cancel(self, job_id: str) -> bool:
        """Stop a job; False where it was final, and then its result stays."""
        return self._run(self._calls.cancel(job_id))

    def delete(self, job_id: str) -> None:
        """Stop a job if it runs, and have the service forget it, its document and its result."""
        return self._run(self._calls.delete(job_id))

    def export(self, job_id: str, form: Format, **calendar: Unpack[Calendar]) -> bytes:
        """The result as a file: json, csv, xlsx, or ics with the dates of a `Calendar`."""
        return self._run(self._calls.export(job_id, form, calendar))

    def overlay(self, job_id: str, page: int = 0) -> bytes:
        """A page with every lesson marked, as PNG; ``page`` counts from 0."""
        return self._run(self._calls.overlay(job_id, page))

    def read(self, document: Source, **reading: Unpack[Reading]) -> ReadResult:
        """What is written in a document, without looking for timetables."""
        return self._run(self._calls.read(document, reading))

    def models(self) -> tuple[ModelAnswer, ...]:
        """Every model that the service can be asked for."""
        return self._run(self._calls.models())

    def model(self, name: str) -> ModelAnswer:
        """One model; raises UnknownModel."""
        return self._run(self._calls.model(name))

    def healthy(self) -> bool:
        """Whether the service would take a document now; an unreachable one would not."""
        return self._run(self._calls.healthy())

    def _run(self, flow: Flow[T], on_progress: OnProgress | None = None) -> T:
        play = Play(flow)
        with closing(self._play(play)) as told:
            for progress in told:
                if on_progress is not None:
                    on_progress(progress.stage, progress.progress)
        return play.result

    def _play(self, play: Play[Any]) -> Generator[Progress, None, None]:
        with _Line(self._http) as line:
            while (step := play.step) is not None:
                outcome: object = None
                if isinstance(step, Tell):
                    yield step.news
                else:
                    try:
                        outcome = line.take(step)
                    except httpx.RequestError as error:
                        outcome = error
                play.go_on(outcome)


class _Line:
    """Takes the steps of one call; holds at most one stream open."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open = ExitStack()
        self._chunks: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def take(self, step: Act) -> object:
        """What comes of a step; raises httpx.RequestError."""
        match step:
            case Send():
                return Reply.of(self._http.request(**step.request.arguments(step.seconds)))
            case Listen():
                return self._listen(step)
            case Next():
                return next(self._chunks, None)
            case Pause():
                time.sleep(step.seconds)
            case Load():
                return step.read()
        return None

    def _listen(self, step: Listen) -> Reply:
        self._open.close()
        response = self._http.send(self._http.build_request(**step.request.arguments(step.seconds)), stream=True)
        self._open.callback(response.close)
        if not response.is_success:
            response.read()
            return Reply.of(response)
        self._chunks = response.iter_bytes()
        return Reply(response.status_code, response.headers)
