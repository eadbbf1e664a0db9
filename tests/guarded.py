"""What tests of access and of the guards share: small applications behind the real parts, callers, credentials."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import jwt
import uvicorn
from fastapi import APIRouter, FastAPI, Request, UploadFile
from fastapi.responses import JSONResponse
from httpx import ASGITransport, AsyncClient, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from pocai.server.audit import Audit
from pocai.server.auth import Extractor, HostCaller, MetricsReader, ModelsReader, Principal, spoken_protocol
from pocai.server.failures import install_handlers
from pocai.server.keys import key_store
from pocai.server.rates import Rates
from pocai.server.security import protect
from pocai.server.service import Service
from pocai.settings import Limits, ServerSettings, Settings

STRANGER = "203.0.113.7"  # an address of RFC 5737, in no private network
SECRET = "0123456789abcdef0123456789abcdef"
LARGEST = 200_000  # bytes of a document in these tests
UNUSED = cast("Any", None)  # parts of a service that nothing here calls


def application(settings: Settings) -> FastAPI:
    """An application with the parts of a service that guard it, and without routes."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        keys, rates = key_store(settings), Rates(settings)
        audit = Audit(settings.server.state_dir / "audit.jsonl")
        app.state.service = Service(settings, UNUSED, UNUSED, UNUSED, keys, rates, audit, UNUSED)
        yield
        await rates.close()
        keys.close()

    app = FastAPI(lifespan=lifespan)
    install_handlers(app)
    return app


# --- credentials -------------------------------------------------------------------------------------------------


def basic(token: str, user: str = "any") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def claims(**more: Any) -> dict[str, Any]:
    told = {"sub": "client", "tenant": "school", "scope": "extract models:read", "exp": time.time() + 60, **more}
    return {name: value for name, value in told.items() if value is not None}


def signed(content: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **headers: str) -> str:
    return jwt.encode(content, key, algorithm, headers)


# --- who gets in -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guarded:
    """A small application behind the real dependencies, a client at some address, and the service behind it."""

    runner: asyncio.Runner
    client: AsyncClient
    app: FastAPI

    @property
    def service(self) -> Service:
        return cast("Service", self.app.state.service)

    def key(self, *scopes: str, tenant: str = "school", expires: datetime | None = None) -> str:
        return self.service.keys.create("test", tenant, scopes or ("extract",), expires)[1]

    def get(self, path: str = "/v1/extract", token: str | None = None, **headers: str) -> Response:
        return self.call("GET", path, headers if token is None else {"Authorization": f"Bearer {token}", **headers})

    def call(self, method: str, path: str, headers: Any = None) -> Response:
        return self.runner.run(self.client.request(method, path, headers=headers))

    def socket(self, headers: dict[str, str], *offered: str) -> list[dict[str, Any]]:
        """What the service sends over a WebSocket."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/v1/ws",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": list(offered),
            "client": (STRANGER, 5),
        }
        self.runner.run(cast("Any", self.app(scope, receive, send)))
        return sent

    def audited(self) -> list[dict[str, Any]]:
        log = self.service.settings.server.state_dir / "audit.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def told(principal: Principal) -> dict[str, Any]:
    return {"tenant": principal.tenant, "subject": principal.subject, "scopes": sorted(principal.scopes)}


def telling(settings: Settings) -> FastAPI:
    """Routes that tell who called them."""
    app = application(settings)

    @app.get("/v1/extract")
    async def extract(caller: Extractor) -> dict[str, Any]:
        return told(caller)

    @app.get("/v1/models")
    async def models(caller: ModelsReader) -> dict[str, Any]:
        return told(caller)

    @app.get("/v1/both/{name}")
    async def both(caller: ModelsReader, again: Extractor, name: str) -> dict[str, Any]:
        return told(again) if caller == again else {"name": name}

    @app.get("/metrics")
    async def metrics(caller: MetricsReader) -> dict[str, Any]:
        return told(caller)

    @app.post("/ai/extract")
    async def host(caller: HostCaller) -> dict[str, Any]:
        return told(caller)

    @app.websocket("/v1/ws")
    async def follow(websocket: WebSocket, caller: Extractor) -> None:
        await websocket.accept(spoken_protocol(websocket))
        await websocket.send_json(told(caller))
        await websocket.close()

    return app


@contextlib.contextmanager
def guarded(
    folder: Path, *, peer: str = STRANGER, access: dict[str, Any] | None = None, **server: Any
) -> Iterator[Guarded]:
    """A service with access on, called from ``peer``."""
    chosen = {"state_dir": folder, "access": {"mode": "on", **(access or {})}, **server}
    app = telling(Settings.model_construct(server=ServerSettings.model_validate(chosen)))
    client = AsyncClient(transport=ASGITransport(app, client=(peer, 5)), base_url="http://pocai.test")
    with asyncio.Runner() as runner:
        life = app.router.lifespan_context(app)
        runner.run(cast("Any", life.__aenter__()))
        yield Guarded(runner, client, app)
        runner.run(client.aclose())
        runner.run(cast("Any", life.__aexit__(None, None, None)))


# --- an application behind the guards ----------------------------------------------------------------------------


def settings_for(folder: Path, **server: Any) -> Settings:
    chosen = ServerSettings.model_validate({"state_dir": folder / "state", **server})
    return Settings.model_construct(server=chosen, limits=Limits(max_bytes=LARGEST))


router = APIRouter()


@router.get("/v1/mine")
async def mine(caller: Extractor) -> str:
    return caller.tenant


@router.get("/v1/fault")
async def fault() -> None:
    raise ZeroDivisionError("text of a document")


@router.get("/v1/styled")
async def styled() -> JSONResponse:
    return JSONResponse({}, headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"})


@router.post("/v1/upload")
async def upload(file: UploadFile) -> int:
    return len(await file.read())


@router.post("/v1/count")
@router.post("/ai/count")
async def count(request: Request) -> int:
    return len(await request.body())


@router.post("/v1/patient")
async def patient(request: Request) -> str:
    await request.body()
    try:
        message = await asyncio.wait_for(request.receive(), 0.4)
    except TimeoutError:
        return "the client is still there"
    return str(message["type"])


class Early:
    """An endpoint that begins its answer before it reads the body."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
        while (message := await receive())["type"] == "http.request" and message.get("more_body"):
            pass
        await send({"type": "http.response.body", "body": b"ended"})


@router.websocket("/v1/ws")
async def follow(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def protected(settings: Settings) -> FastAPI:
    """Routes behind the guards around every request."""
    app = application(settings)
    app.include_router(router)
    app.router.routes.append(Route("/v1/early", Early()))
    protect(app, settings)
    return app


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The application behind uvicorn on a free port of loopback, as in `pocai.server.serve`."""
    config = uvicorn.Config(protected(settings), port=0, log_config=None, access_log=False, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()
