"""What the service refuses to start with, the guards around every request, and the audit log."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request, UploadFile, WebSocket
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from redis_server import free_port, redis_server
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pocai.errors import Busy, ConfigurationError, Unavailable
from pocai.server import audit as audit_module
from pocai.server import security
from pocai.server.audit import Audit
from pocai.server.auth import ANYONE, Extractor, Principal
from pocai.server.failures import install_handlers
from pocai.server.keys import key_store
from pocai.server.rates import Rates, parse_rates
from pocai.server.security import HEADERS, check_safe, protect
from pocai.server.service import Service
from pocai.settings import Limits, ServerSettings, Settings

UNUSED = cast("Any", None)  # parts of a service that nothing here calls
SECRET = "0123456789abcdef0123456789abcdef"
LARGEST = 200_000  # bytes of a document in these tests


def settings_for(folder: Path, **server: Any) -> Settings:
    chosen = ServerSettings.model_validate({"state_dir": folder / "state", **server})
    return Settings.model_construct(server=chosen, limits=Limits(max_bytes=LARGEST))


# --- settings that are refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "setting"),
    [
        ({"host": "0.0.0.0", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"host": "::", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"host": "pocai.school.example", "access": {"mode": "off"}}, "ACCESS__MODE"),
        ({"access": {"trusted_proxies": ["127.0.0.1"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"access": {"jwt_secret": "x" * 31}}, "ACCESS__JWT_SECRET"),
        ({"access": {"jwks_url": "http://id.example/jwks", "jwt_audience": "a"}}, "ACCESS__JWKS_URL"),
        ({"access": {"jwks_url": "file:///etc/passwd", "jwt_audience": "a"}}, "ACCESS__JWKS_URL"),
        ({"access": {"jwks_url": "https://id.example/jwks"}}, "ACCESS__JWKS_URL"),
        ({"access": {"rate_per_key": "often"}}, "ACCESS__RATE_PER_KEY"),
        ({"access": {"rate_per_ip": "0/minute"}}, "ACCESS__RATE_PER_IP"),
        ({"access": {"cors_origins": ["*"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://a.example", "null"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://a.example/path"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"cors_origins": ["https://*.example"]}}, "ACCESS__CORS_ORIGINS"),
        ({"access": {"mode": "on", "trusted_proxies": ["0.0.0.0/0"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"access": {"mode": "on", "trusted_proxies": ["198.51.100.0/24"]}}, "ACCESS__TRUSTED_PROXIES"),
        ({"host_application": {"networks": ["0.0.0.0/0"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["10.0.0.0/7"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["127.0.0.0/8", "198.51.100.1/32"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["::/0"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"networks": ["::ffff:0:0/96"]}}, "HOST_APPLICATION__NETWORKS"),
        ({"host_application": {"roots": ["/"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["/proc/self"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/uploads", "FOLDER/state"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/state/documents"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/uploads/../state"]}}, "HOST_APPLICATION__ROOTS"),
        ({"host_application": {"roots": ["FOLDER/link"]}}, "HOST_APPLICATION__ROOTS"),
        ({"state_dir": "/"}, "STATE_DIR"),
        ({"state_dir": "~"}, "STATE_DIR"),
        ({"state_dir": "FOLDER/shared"}, "STATE_DIR"),
        ({"redis_url": "http://redis:6379"}, "REDIS_URL"),
        ({"redis_url": "redis://[redis"}, "REDIS_URL"),
        ({"redis_url": "redis://:hunter2@198.51.100.1:6379/0"}, "REDIS_URL"),
        ({"redis_url": "redis://:hunter2@redis.example.com/0"}, "REDIS_URL"),
        ({"otlp_endpoint": "http://collector.example:4318"}, "OTLP_ENDPOINT"),
        ({"grace_seconds": 121}, "GRACE_SECONDS"),
    ],
)
def test_settings_that_are_not_safe(tmp_path: Path, server: dict[str, Any], setting: str) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "state", target_is_directory=True)
    there = json.loads(json.dumps(server).replace("FOLDER", str(tmp_path)))
    with pytest.raises(ConfigurationError, match=f"^POCAI_SERVER__{setting}: ") as caught:
        check_safe(settings_for(tmp_path, **there))
    assert caught.value.mend
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"host": "localhost", "access": {"mode": "off"}},
        {"host": "0.0.0.0"},
        {"host": "0.0.0.0", "access": {"mode": "on", "jwt_secret": SECRET}},
        {"access": {"jwks_url": "https://id.example/jwks", "jwt_audience": "pocai"}},
        {"access": {"jwks_url": "http://localhost:9000/jwks", "jwt_audience": "pocai"}},
        {"access": {"mode": "on", "trusted_proxies": ["10.0.0.0/8", "198.51.100.1", "fd00::/8"]}},
        {"access": {"cors_origins": ["https://school.example", "http://localhost:3000", "http://[::1]:3000"]}},
        {"access": {"rate_per_key": "10/second;600/minute"}},
        {
            "host_application": {
                "networks": ["172.18.0.0/16", "10.0.0.0/8", "fd00::/8", "::1/128"],
                "roots": ["FOLDER/uploads"],
            }
        },
        {"redis_url": "redis://redis:6379/0"},
        {"redis_url": "redis://:secret@10.0.0.5/0"},
        {"redis_url": "redis://redis.queue.svc.cluster.local"},
        {"redis_url": "rediss://:secret@redis.example.com/0"},
        {"redis_url": "unix:///run/redis.sock"},
        {"otlp_endpoint": "https://collector.example"},
        {"otlp_endpoint": "http://127.0.0.1:4318"},
    ],
)
def test_settings_that_are_safe(tmp_path: Path, server: dict[str, Any]) -> None:
    check_safe(settings_for(tmp_path, **json.loads(json.dumps(server).replace("FOLDER", str(tmp_path)))))


def test_looking_at_settings_makes_nothing(tmp_path: Path) -> None:
    check_safe(settings_for(tmp_path))
    assert list(tmp_path.iterdir()) == []


# --- an application behind the guards ----------------------------------------------------------------------------


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


def application(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        keys, rates = key_store(settings), Rates(settings)
        audit = Audit(settings.server.state_dir / "audit.jsonl")
        app.state.service = Service(settings, UNUSED, UNUSED, UNUSED, keys, rates, audit, UNUSED)
        yield
        await rates.close()
        keys.close()

    app = FastAPI(lifespan=lifespan)
    install_handlers(app)
    app.include_router(router)
    app.router.routes.append(Route("/v1/early", Early()))
    protect(app, settings)
    return app


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The application behind uvicorn on a free port of loopback, as in `pocai.server.serve`."""
    config = uvicorn.Config(application(settings), port=0, log_config=None, access_log=False, proxy_headers=False)
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


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Access is off; one web page may call."""
    folder = tmp_path_factory.mktemp("open")
    with served(settings_for(folder, access={"cors_origins": ["https://school.example"]})) as found:
        yield found


@pytest.fixture
def small_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """With limits that a test can reach quickly."""
    monkeypatch.setattr(security, "SLACK", 1000)
    monkeypatch.setattr(security, "JSON_BYTES", 100_000)
    with served(settings_for(tmp_path)) as found:
        yield found


# --- headers and sites -------------------------------------------------------------------------------------------


def test_every_answer_has_the_security_headers(url: str) -> None:
    for answer in (
        httpx.get(f"{url}/v1/mine"),
        httpx.get(f"{url}/nowhere"),
        httpx.get(f"{url}/v1/upload"),
        httpx.post(f"{url}/v1/upload"),
        httpx.get(f"{url}/v1/mine", headers={"Origin": "https://evil.example"}),
        httpx.post(f"{url}/v1/count", content=b"x" * (security.JSON_BYTES + 1)),
        httpx.get(f"{url}/v1/fault"),
    ):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.status_code


def test_a_fault_is_answered_once_and_without_its_text(url: str) -> None:
    answer = httpx.get(f"{url}/v1/fault")
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "a fault in pocai (ZeroDivisionError). Please report it"


def test_a_route_may_say_otherwise(url: str) -> None:
    headers = httpx.get(f"{url}/v1/styled").headers
    assert headers.get_list("Cache-Control") == ["max-age=60"]
    assert headers.get_list("Content-Security-Policy") == ["default-src 'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8000", 200),
        ("pocai:8000", 200),
        ("host.docker.internal:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.1.5", 403),
        ("localhost.evil.example.", 403),
        ("[::1.evil.example", 403),
        ("", 200),  # HTTP/1.0; every browser names its host
    ],
)
def test_without_credentials_only_local_names_are_answered(url: str, host: str, status: int) -> None:
    assert httpx.get(f"{url}/v1/mine", headers={"Host": host}).status_code == status


def test_with_credentials_any_name_is_answered(tmp_path: Path) -> None:
    with served(settings_for(tmp_path, access={"mode": "on"})) as found:
        assert httpx.get(f"{found}/v1/styled", headers={"Host": "pocai.school.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("https://school.example", 200),
        ("same", 200),
        ("https://evil.example", 403),
        ("https://school.example.evil.example", 403),
        ("http://school.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_origins_may_not_call(url: str, origin: str | None, status: int) -> None:
    headers = {} if origin is None else {"Origin": url if origin == "same" else origin}
    answer = httpx.post(f"{url}/v1/count", content=b"x", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "not_allowed"
        assert isinstance(httpx.post(f"{url}/ai/count", headers=headers).json()["detail"], str)


def test_a_foreign_page_opens_no_websocket(url: str) -> None:
    def upgraded(**headers: str) -> int:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        connection.request("GET", "/v1/ws", headers={**handshake, "Sec-WebSocket-Key": "A" * 22 + "==", **headers})
        status = connection.getresponse().status
        connection.close()
        return status

    assert upgraded(Origin="https://evil.example") == 403
    assert upgraded(Host="evil.example") == 403
    assert upgraded(Origin="https://school.example") == 101
    assert upgraded() == 101


def test_cors_is_for_named_origins_and_v1_only(url: str) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, prefer"}
    page = {"Origin": "https://school.example"}
    allowed = httpx.options(f"{url}/v1/count", headers={**ask, **page})
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://school.example"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    answer = httpx.post(f"{url}/v1/count", headers=page)
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    for refused in (
        httpx.options(f"{url}/v1/count", headers={**ask, "Origin": "https://evil.example"}),
        httpx.options(f"{url}/ai/count", headers={**ask, **page}),
        httpx.post(f"{url}/ai/count", headers=page),
    ):
        assert "Access-Control-Allow-Origin" not in refused.headers


# --- bodies ------------------------------------------------------------------------------------------------------


def chunks(size: int, piece: int = 20_000) -> Iterator[bytes]:
    for begin in range(0, size, piece):
        yield b"x" * min(piece, size - begin)


def test_a_body_is_limited_by_its_length(small_url: str) -> None:
    assert httpx.post(f"{small_url}/v1/count", content=b"x" * 100_000).json() == 100_000
    answer = httpx.post(f"{small_url}/v1/count", content=b"x" * 100_001)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "limit_exceeded"


def test_a_length_that_is_too_large_is_refused_before_anything_is_read(small_url: str) -> None:
    assert first_answer(small_url, "/v1/count", 100_001) == 413
    assert first_answer(small_url, "/ai/count", 10**12) == 413


def test_a_body_is_limited_while_it_streams(small_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with httpx.Client() as client:
        assert client.post(f"{small_url}/v1/count", content=chunks(100_000)).json() == 100_000
        for path, shape in (("/v1/count", "error"), ("/ai/count", "detail")):
            answer = client.post(f"{small_url}{path}", content=chunks(100_001))
            assert answer.status_code == 413
            assert list(answer.json()) == [shape]
        assert client.post(f"{small_url}/v1/count", content=b"well").json() == 4
    assert "ASGI" not in caplog.text  # nothing was left for the server to mend


def test_a_document_may_be_larger_than_other_bodies(small_url: str) -> None:
    def post(size: int) -> httpx.Response:
        return httpx.post(f"{small_url}/v1/upload", files={"file": ("week.png", b"x" * size)})

    assert post(LARGEST).json() == LARGEST
    assert post(LARGEST + 1000).status_code == 413


def test_a_form_that_streams_is_cut_off_too(small_url: str) -> None:
    def form() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        yield from chunks(LARGEST + 1000)
        yield b"\r\n--b--\r\n"

    answer = httpx.post(
        f"{small_url}/v1/upload", content=form(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 413


def test_a_large_upload_gets_its_answer_though_it_is_not_read(small_url: str) -> None:
    """The client sends all of it before it looks; a closed connection would hide the reason from it."""
    answer = httpx.post(f"{small_url}/v1/upload", files={"file": ("week.png", b"x" * 20_000_000)}, timeout=30)
    assert answer.status_code == 413


def test_an_answer_that_has_begun_is_only_cut_off(small_url: str) -> None:
    answer = httpx.post(f"{small_url}/v1/early", content=chunks(150_000))
    assert answer.status_code == 200
    assert answer.content == b"begun ended"


def test_a_body_that_stops_coming_is_given_up(small_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SILENCE", 0.2)
    status, seconds = trickled(small_url, [b"some"])
    assert status == 408
    assert 0.15 < seconds < 5


def test_a_body_that_trickles_is_given_up_in_the_end(small_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SILENCE", 5)
    monkeypatch.setattr(security, "WHOLE_BODY", 0.4)
    trickle = [b"x"] * 9 + [b"y" * 91]  # complete after 0.9 s
    assert trickled(small_url, trickle)[0] == 408
    monkeypatch.setattr(security, "WHOLE_BODY", 60)
    assert trickled(small_url, trickle)[0] == 200


def trickled(url: str, pieces: list[bytes]) -> tuple[int, float]:
    """Status and seconds of a request whose body of 100 bytes comes in pieces, one every 0.1 s."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        begin = time.monotonic()
        connection.sendall(b"POST /v1/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        for piece in pieces:
            with contextlib.suppress(OSError):  # the answer may have come already
                connection.sendall(piece)
            time.sleep(0.1)
        response = http.client.HTTPResponse(connection)
        response.begin()
        status, seconds = response.status, time.monotonic() - begin
        response.close()
        return status, seconds


def test_a_slow_answer_is_not_a_slow_body(small_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "SILENCE", 0.1)
    monkeypatch.setattr(security, "WHOLE_BODY", 0.1)
    answer = httpx.post(f"{small_url}/v1/patient", content=b"x")
    assert (answer.status_code, answer.json()) == (200, "the client is still there")


def test_a_large_body_of_a_stranger_is_not_read(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, access={"mode": "on"}, host_application={"networks": ["10.0.0.0/8"]})
    with served(settings) as found:
        for path in ("/v1/count", "/ai/count"):
            assert first_answer(found, path, 70_000) == 401
        keys = key_store(settings)
        _, token = keys.create("k", "host", ["extract"])
        keys.close()
        for path in ("/v1/count", "/ai/count"):
            headers = {"Authorization": f"Bearer {token}"}
            assert httpx.post(f"{found}{path}", content=b"x" * 70_000, headers=headers).json() == 70_000
            assert httpx.post(f"{found}{path}", content=chunks(70_000), headers=headers).json() == 70_000


def first_answer(url: str, path: str, length: int) -> int:
    """The status of the answer to a request whose head says so many bytes, and that never sends one of them."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        response.close()
        return response.status


# --- rates shared by replicas ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


def rated(url: str, rate: str) -> Settings:
    access = {"rate_per_key": rate, "rate_per_ip": rate}
    return Settings.model_construct(server=ServerSettings.model_validate({"redis_url": url, "access": access}))


def test_replicas_share_their_rates_in_redis(redis_url: str) -> None:
    async def run() -> Busy:
        replicas = [Rates(rated(redis_url, "3/minute")) for _ in range(2)]
        for number in range(3):
            await replicas[number % 2].hit("key", "shared")
        with pytest.raises(Busy) as caught:
            await replicas[1].hit("key", "shared")
        await replicas[0].hit("ip", "shared")  # kinds are counted apart
        for replica in replicas:
            await replica.close()
        return caught.value

    wait = asyncio.run(run()).retry_after
    assert wait is not None
    assert 50 < wait <= 60


def test_rates_without_their_redis_are_unavailable() -> None:
    async def run() -> str:
        rates = Rates(rated(f"redis://:hunter2@127.0.0.1:{free_port()}/0", "3/minute"))
        try:
            with pytest.raises(Unavailable) as caught:
                await rates.hit("ip", "x")
            return str(caught.value)
        finally:
            await rates.close()

    assert "hunter2" not in asyncio.run(run())


@pytest.mark.parametrize("text", ["", "many", "10", "10/fortnight", "0/minute", "10/second;0/minute", "-1/second"])
def test_rates_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rates(text)


# --- the audit log -----------------------------------------------------------------------------------------------

STRANGER = Principal("", "address:203.0.113.7", frozenset())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_says_who_did_what(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).record("extraction.create", ANYONE, "0123", "ok", "request-1")
    Audit(path).record("keys.revoke", None)
    first, second = lines(path)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "action": "extraction.create",
        "tenant": "local",
        "subject": "anonymous",
        "target": "0123",
        "outcome": "ok",
        "request_id": "request-1",
    }
    assert (second["tenant"], second["subject"], second["target"], second["outcome"]) == ("", "", "", "ok")
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_breaks_out_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    Audit(path).record("x", ANYONE, 'a\n{"action": "forged"}\u2028\x00', "ok")
    assert [line["action"] for line in lines(path)] == ["x"]


def write_many(audit: Audit, name: str, count: int) -> None:
    for number in range(count):
        audit.record(name, ANYONE, str(number))


def test_processes_and_threads_share_the_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = (
        "import sys; from pathlib import Path\n"
        "from pocai.server.audit import Audit; from pocai.server.auth import ANYONE\n"
        "for number in range(300): Audit(Path(sys.argv[1])).record('process', ANYONE, str(number))"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)])
    audit = Audit(path)
    threads = [threading.Thread(target=write_many, args=(audit, "thread", 100)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(60) == 0
    actions = [line["action"] for line in lines(path)]
    assert (actions.count("process"), actions.count("thread")) == (300, 400)


def test_a_large_file_is_put_aside_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "LARGEST", 1000)
    path = tmp_path / "audit.jsonl"
    write_many(Audit(path), "x", 50)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 5
    assert all(file.stat().st_size < 1300 for file in files)
    assert sorted(int(line["target"]) for file in files for line in lines(file)) == list(range(50))


def test_strangers_cannot_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    for _ in range(1000):
        audit.record("auth.refused", STRANGER, outcome="not_authenticated")
    written = len(lines(path))
    assert written in {audit_module.STRANGERS, 2 * audit_module.STRANGERS}  # two where a minute ended meanwhile
    audit.record("extraction.create", ANYONE)
    audit._minute -= 1  # as if a minute had passed
    audit.record("auth.refused", STRANGER)
    *_, known, stranger = lines(path)
    assert known["action"] == "extraction.create"
    assert known["left_out"] + sum(line.get("left_out", 0) for line in lines(path)[:written]) == 1000 - written
    assert "left_out" not in stranger


def test_what_cannot_be_recorded_is_not_done_silently(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="audit log"):
        Audit(tmp_path / "gone" / "audit.jsonl").record("x", ANYONE)
    with pytest.raises(Unavailable, match="audit log"):
        Audit(Path("/dev/full")).record("x", ANYONE)


def test_a_record_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    begin = time.perf_counter()
    for _ in range(500):
        audit.record("extraction.create", ANYONE, "0" * 32, "ok", "0" * 32)
    assert (time.perf_counter() - begin) / 500 < 0.005


def test_no_secret_of_the_settings_is_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "hunter2" * 5
    settings = settings_for(
        tmp_path, redis_url=f"redis://:{secret}@redis/0", access={"jwt_secret": secret, "mode": "on"}
    )
    check_safe(settings)
    asyncio.run(Rates(settings).close())
    assert isinstance(settings.server.redis_url, SecretStr)
    assert secret not in repr(settings) + str(settings) + caplog.text
