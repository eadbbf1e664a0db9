"""What tests of metrics, logs and traces share: a small application, a job that ended, and looks at what was told."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, WebSocket
from prometheus_client.parser import text_string_to_metric_families

from pocai.inference.answers import Status
from pocai.server.jobs import Job, Kind, Priority
from pocai.server.logs import Handler, configure
from pocai.server.metrics import Metrics
from pocai.server.tracing import carrier
from pocai.settings import ServerSettings, Settings

SECRET = "Mrs Penhallow's secret"
RESULT = {
    "seconds": {"ingest": 0.1, "text": 1.5, "assemble": 0.2, "check": 0.05},
    "verdict": {"decision": "review", "reasons": []},
    "models": {"ocr": "ppocr", "document": "rules"},
    "pages": [{"lines": [{"words": [{"text": "a", "confidence": 0.8}, {"text": "b", "confidence": 1.0}]}]}],
}

Lines = Callable[..., list[dict[str, Any]]]


def job(**changes: Any) -> Job:
    """A job that was accepted at 100 s, begun at 101 s, and ended well at 103 s."""
    plain: dict[str, Any] = {
        "id": "1" * 32,
        "tenant": "school",
        "kind": Kind.EXTRACT,
        "priority": Priority.WAITING,
        "fingerprint": "f",
        "sha256": "0" * 64,
        "size": 1,
        "created": 100.0,
        "deadline": 200.0,
        "started": 101.0,
        "finished": 103.0,
        "status": Status.SUCCEEDED,
        "attempts": 1,
    }
    return Job(**{**plain, **changes})


class Measured:
    """What an exposition says; a sample that is not there is 0."""

    def __init__(self, metrics: Metrics | str) -> None:
        self.text = metrics if isinstance(metrics, str) else metrics.render()[0].decode()
        families = text_string_to_metric_families(self.text)
        self._all = {(one.name, frozenset(one.labels.items())): one.value for each in families for one in each.samples}

    def __call__(self, sample: str, **labels: str) -> float:
        """The sample of this name, without its prefix."""
        return float(self._all.get((f"pocai_{sample}", frozenset(labels.items())), 0.0))


@contextlib.contextmanager
def logged() -> Iterator[Lines]:
    """Configures logging; gives the lines since the last look, at least so many. Each must be JSON."""
    levels = {name: logging.getLogger(name).level for name in ("pocai", "uvicorn", "uvicorn.error")}
    configure(Settings.model_construct(server=ServerSettings(log_level="debug")))
    root = logging.getLogger()
    (handler,) = [handler for handler in root.handlers if isinstance(handler, Handler)]
    handler.setStream(io.StringIO())

    def look(count: int = 0) -> list[dict[str, Any]]:
        eventually(lambda: handler.stream.getvalue().count("\n") >= count)
        written = handler.setStream(io.StringIO())
        assert isinstance(written, io.StringIO)
        return [json.loads(line) for line in written.getvalue().splitlines()]

    try:
        yield look
    finally:
        root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def small_app() -> FastAPI:
    """An application whose requests end in every way."""
    app = FastAPI()

    @app.get("/things/{name}")
    async def thing(name: str, request: Request) -> dict[str, str]:
        if name == "broken":
            raise ValueError(SECRET)
        if name == "teapot":
            raise HTTPException(418)
        return {"id": request.state.request_id, **carrier()}

    @app.get("/health/live")
    async def live() -> None:
        """Say nothing."""

    @app.get("/slow")
    async def slow(request: Request) -> None:
        while not await request.is_disconnected():  # noqa: ASYNC110 - starlette tells it to those who ask
            await asyncio.sleep(0.01)

    @app.websocket("/talk/{name}")
    async def talk(socket: WebSocket, name: str) -> None:
        if name == "stranger":
            await socket.close(4401)
            return
        await socket.accept()
        await socket.send_text(socket.state.request_id)
        await socket.close(4000)

    return app


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of an application that runs in a thread until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)
