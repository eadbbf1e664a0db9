"""Who gets in: API keys, tokens, the host's address, scopes, tenants, rates; and what an attacker would try."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import given
from hypothesis import strategies as st
from redis_server import free_port, redis_server
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from pocai.errors import NotAuthenticated, Unavailable
from pocai.server import tokens
from pocai.server.audit import Audit
from pocai.server.auth import Extractor, HostCaller, MetricsReader, ModelsReader, Principal, caller_of, spoken_protocol
from pocai.server.failures import install_handlers
from pocai.server.keys import Scope, key_store
from pocai.server.rates import Rates
from pocai.server.service import Service
from pocai.server.tokens import Claims, claims_of
from pocai.settings import Access, ServerSettings, Settings

STRANGER = "203.0.113.7"  # an address of RFC 5737, in no private network
SECRET = "0123456789abcdef0123456789abcdef"
UNUSED = cast("Any", None)  # parts of a service that nothing here calls


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


def application(settings: Settings) -> FastAPI:
    """Routes that tell who called them."""

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


@contextmanager
def guarded(
    folder: Path, *, peer: str = STRANGER, access: dict[str, Any] | None = None, **server: Any
) -> Iterator[Guarded]:
    """A service with access on, called from ``peer``."""
    chosen = {"state_dir": folder, "access": {"mode": "on", **(access or {})}, **server}
    app = application(Settings.model_construct(server=ServerSettings.model_validate(chosen)))
    client = AsyncClient(transport=ASGITransport(app, client=(peer, 5)), base_url="http://pocai.test")
    with asyncio.Runner() as runner:
        life = app.router.lifespan_context(app)
        runner.run(cast("Any", life.__aenter__()))
        yield Guarded(runner, client, app)
        runner.run(client.aclose())
        runner.run(cast("Any", life.__aexit__(None, None, None)))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


# --- credentials -------------------------------------------------------------------------------------------------


def basic(token: str, user: str = "any") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        lambda token: {"Authorization": f"Bearer {token}"},
        lambda token: {"Authorization": f"bearer   {token}"},
        lambda token: {"Authorization": basic(token)},
        lambda token: {"Authorization": basic(token, "")},
        lambda token: {"X-API-Key": token},
    ],
)
def test_a_key_opens_in_every_place_it_may_stand(service: Guarded, headers: Callable[[str], dict[str, str]]) -> None:
    token = service.key()
    answer = service.call("GET", "/v1/extract", headers(token))
    assert answer.status_code == 200
    key_id = token.split("_")[1]
    assert answer.json() == {"tenant": "school", "subject": f"key:{key_id}", "scopes": ["extract"]}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer pocai_",
        "Bearer pocai_00000000_" + "x" * 43,
        "Bearer pocai_00000000_" + "x" * 4000,
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Digest username=x",
        "Bearer é",
    ],
)
def test_what_is_no_key_is_refused(service: Guarded, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = service.call("GET", "/v1/extract", headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_a_wrong_secret_of_a_known_key_is_refused(service: Guarded) -> None:
    token = service.key()
    for wrong in (
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token[:-1],
        token + "a",
        token.upper(),
        f" {token} x",
    ):
        assert service.get(token=wrong).status_code == 401
    assert service.get(token=token).status_code == 200


def test_the_secret_of_another_key_is_refused(service: Guarded) -> None:
    first, second = service.key(), service.key()
    mixed = "_".join([*first.split("_")[:2], second.split("_", 2)[2]])
    assert service.get(token=mixed).status_code == 401


def test_where_access_is_off_everybody_may_do_everything(tmp_path: Path) -> None:
    with guarded(tmp_path, peer="127.0.0.1", access={"mode": "auto", "rate_per_ip": "1/hour"}) as service:
        for path in ("/v1/extract", "/v1/models", "/metrics", "/v1/extract"):
            answer = service.get(path)
            assert answer.json() == {"tenant": "local", "subject": "anonymous", "scopes": sorted(Scope)}
        assert service.call("POST", "/ai/extract").json()["tenant"] == "host"
        assert service.get(token="pocai_nonsense").status_code == 200


def test_auto_is_on_everywhere_but_on_loopback(tmp_path: Path) -> None:
    for host, status in (("127.0.0.1", 200), ("localhost", 200), ("::1", 200), ("0.0.0.0", 401), ("10.0.0.5", 401)):
        with guarded(tmp_path, host=host, access={"mode": "auto"}) as service:
            assert service.get().status_code == status, host


# --- scopes and tenants ------------------------------------------------------------------------------------------


def test_a_missing_scope_is_named(service: Guarded) -> None:
    answer = service.get("/v1/models", service.key("extract", "review"))
    assert answer.status_code == 403
    assert "'models:read'" in answer.json()["error"]["message"]


def test_every_scope_opens_its_own_routes_only(service: Guarded) -> None:
    opened = {
        scope: {path for path in ("/v1/extract", "/v1/models", "/metrics") if service.get(path, key).status_code == 200}
        for scope in Scope
        for key in [service.key(scope)]
    }
    assert opened == {
        Scope.EXTRACT: {"/v1/extract"},
        Scope.MODELS_READ: {"/v1/models"},
        Scope.ADMIN: {"/v1/extract", "/v1/models", "/metrics"},
        Scope.REVIEW: set(),
        Scope.FEATURES: set(),
        Scope.MODELS_DEPLOY: set(),
    }


def test_a_principal_is_of_the_tenant_of_its_key(service: Guarded) -> None:
    for tenant in ("north", "south"):
        assert service.get(token=service.key(tenant=tenant)).json()["tenant"] == tenant


# --- revocation and expiry ---------------------------------------------------------------------------------------


def test_a_revoked_key_is_refused_at_once(service: Guarded) -> None:
    token = service.key()
    assert service.get(token=token).status_code == 200
    assert service.service.keys.revoke(token.split("_")[1])
    assert service.get(token=token).status_code == 401
    assert service.get(token=token).status_code == 401


def test_a_key_expires_though_it_was_just_used(service: Guarded) -> None:
    token = service.key(expires=datetime.now(UTC) + timedelta(seconds=1))
    assert service.get(token=token).status_code == 200
    time.sleep(1.1)
    assert service.get(token=token).status_code == 401


# --- WebSockets --------------------------------------------------------------------------------------------------


def test_a_websocket_takes_the_header_or_a_subprotocol_that_is_not_sent_back(service: Guarded) -> None:
    token = service.key()
    by_header = service.socket({"Authorization": f"Bearer {token}"})
    by_protocol = service.socket({}, "pocai", f"pocai.bearer.{token}")
    assert [message["type"] for message in by_header] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert json.loads(by_protocol[1]["text"])["tenant"] == "school"
    assert by_header[1] == by_protocol[1]
    assert (by_header[0]["subprotocol"], by_protocol[0]["subprotocol"]) == (None, "pocai")
    assert token not in str(by_protocol)


@pytest.mark.parametrize("offered", [[], ["pocai"], ["pocai", "pocai.bearer."], ["pocai.bearer.x.y.z"]])
def test_a_websocket_without_a_key_stays_closed(service: Guarded, offered: list[str]) -> None:
    assert "websocket.accept" not in [message["type"] for message in service.socket({}, *offered)]
    assert service.audited()[-1]["target"] == "WebSocket /v1/ws"


# --- the host application ----------------------------------------------------------------------------------------


@pytest.fixture
def host_service(tmp_path: Path) -> Callable[..., Any]:
    """Calls the host's endpoint from an address; 10.1.0.0/16 may come without credentials, 10.9.0.1 is our proxy."""
    server = {"host_application": {"networks": ["10.1.0.0/16"], "tenant": "host"}}

    @contextmanager
    def called_from(peer: str) -> Iterator[Guarded]:
        with guarded(tmp_path, peer=peer, access={"trusted_proxies": ["10.9.0.1"]}, **server) as service:
            yield service

    return called_from


def test_the_host_is_known_by_its_address(host_service: Callable[..., Any]) -> None:
    with host_service("10.1.2.3") as service:
        answer = service.call("POST", "/ai/extract", {"Authorization": "Bearer nonsense"})
        assert answer.json() == {"tenant": "host", "subject": "host", "scopes": ["extract"]}
        assert service.get().status_code == 401  # its address opens nothing else


def test_elsewhere_the_host_needs_a_key_of_its_own_tenant(host_service: Callable[..., Any]) -> None:
    with host_service("10.2.0.1") as service:
        refused = service.call("POST", "/ai/extract")
        assert refused.status_code == 401
        assert isinstance(refused.json()["detail"], str)
        for key, status in (
            (service.key(tenant="host"), 200),
            (service.key("admin", tenant="host"), 200),
            (service.key("review", tenant="host"), 403),
            (service.key(tenant="school"), 403),
            (service.key("admin", tenant="school"), 403),
        ):
            answer = service.call("POST", "/ai/extract", {"Authorization": basic(key)})
            assert answer.status_code == status
        assert [line["outcome"] for line in service.audited()].count("not_allowed") == 3


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_an_unknown_proxy_beside_us_is_not_the_host(host_service: Callable[..., Any], header: str) -> None:
    with host_service("10.1.2.3") as service:
        assert service.call("POST", "/ai/extract", {header: "10.1.2.3"}).status_code == 401


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("10.1.2.3", 200),
        ("203.0.113.7, 10.1.2.3", 200),
        ("10.1.2.3, 203.0.113.7", 401),  # the caller wrote the first itself
        ("10.1.2.3, unknown", 401),
        ("10.1.2.3, 10.9.0.1", 200),
        ("203.0.113.7, 10.9.0.1", 401),
        ("", 401),
    ],
)
def test_behind_our_proxy_the_last_hop_counts(host_service: Callable[..., Any], forwarded: str, status: int) -> None:
    with host_service("10.9.0.1") as service:
        assert service.call("POST", "/ai/extract", {"X-Forwarded-For": forwarded}).status_code == status


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "vouched"),
    [
        ("192.0.2.1", [], "192.0.2.1", True),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1", False),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1", True),
        ("10.0.0.1", ["192.0.2.9, 198.51.100.1", "10.0.0.2"], "198.51.100.1", True),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1", True),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1", True),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3", True),
        ("10.0.0.1", ["192.0.2.9, nobody"], None, True),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1", True),
        ("::ffff:192.0.2.1", [], "192.0.2.1", True),
        ("fe80::1%eth0", [], "fe80::1", True),
        ("testclient", [], None, True),
        ("10.0.0.1", [], "10.0.0.1", True),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded: list[str], address: str | None, vouched: bool) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    caller = caller_of(HTTPConnection({"type": "http", "client": (peer, 1), "headers": headers}), NETWORK)
    assert (caller.address if address is None else str(caller.address), caller.vouched) == (address, vouched)
    assert caller.within([ip_network("0.0.0.0/0"), ip_network("::/0")]) == (vouched and address is not None)


NETWORK = [ip_network("10.0.0.0/24")]


def test_an_ipv6_site_is_one_caller() -> None:
    def bucket(peer: str) -> str:
        return caller_of(HTTPConnection({"type": "http", "client": (peer, 1), "headers": []}), []).bucket

    assert bucket("2001:db8::1") == bucket("2001:db8::ffff:1") == "2001:db8::/64"
    assert bucket("2001:db8:0:1::1") != bucket("2001:db8::1")
    assert bucket("192.0.2.1") == "192.0.2.1"
    assert bucket("nobody") == "unknown"


# --- rates -------------------------------------------------------------------------------------------------------


def test_a_key_that_calls_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "3/minute"}) as service:
        token, other = service.key(), service.key()
        assert [service.get(token=token).status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = service.get(token=token)
        assert answer.json()["error"]["code"] == "busy"
        assert 50 <= int(answer.headers["Retry-After"]) <= 60
        assert service.get(token=other).status_code == 200


def test_failed_logins_count_twice_against_the_address(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_ip": "4/minute"}) as service:
        token = service.key()
        assert [service.get().status_code for _ in range(3)] == [401, 401, 429]
        assert service.get(token=token).status_code == 429


def test_each_address_behind_our_proxy_has_its_own_rate(tmp_path: Path) -> None:
    access = {"rate_per_ip": "2/minute", "trusted_proxies": ["10.9.0.1"]}
    with guarded(tmp_path, peer="10.9.0.1", access=access) as service:
        token = service.key()
        for client in ("198.51.100.1", "198.51.100.2"):
            headers = {"X-Forwarded-For": f"127.0.0.1, {client}"}
            assert [service.get(token=token, **headers).status_code for _ in range(3)] == [200, 200, 429]


def test_one_request_is_counted_once_however_many_dependencies_ask(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "2/minute"}) as service:
        token = service.key("extract", "models:read")
        assert [service.get("/v1/both/x", token).status_code for _ in range(3)] == [200, 200, 429]


def test_the_window_moves(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"rate_per_key": "2/2second;100/minute"}) as service:
        token = service.key()
        assert [service.get(token=token).status_code for _ in range(3)] == [200, 200, 429]
        time.sleep(2.1)
        assert service.get(token=token).status_code == 200


def test_a_service_whose_keys_and_rates_are_in_redis(tmp_path: Path, redis_url: str) -> None:
    with guarded(tmp_path, redis_url=redis_url) as service:
        token = service.key()
        assert service.get(token=token).status_code == 200
        assert service.get(token=token[:-1] + "!").status_code == 401
    assert not (tmp_path / "keys.sqlite").exists()


# --- tokens ------------------------------------------------------------------------------------------------------


def claims(**more: Any) -> dict[str, Any]:
    told = {"sub": "client", "tenant": "school", "scope": "extract models:read", "exp": time.time() + 60, **more}
    return {name: value for name, value in told.items() if value is not None}


def signed(content: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **headers: str) -> str:
    return jwt.encode(content, key, algorithm, headers)


def verified(token: str, **access: Any) -> Claims:
    return asyncio.run(claims_of(token, Access.model_validate({"jwt_secret": SECRET, **access})))


def test_a_token_says_who_and_what() -> None:
    assert verified(signed(claims())) == Claims("client", "school", frozenset({Scope.EXTRACT, Scope.MODELS_READ}))


def test_scopes_may_be_a_list_and_unknown_ones_give_nothing() -> None:
    assert verified(signed(claims(scope=None, scopes=["admin", "root", 7, ["x"]]))).scopes == {Scope.ADMIN}
    assert verified(signed(claims(scope="EXTRACT extracts model:read"))).scopes == frozenset()
    assert verified(signed(claims(scope={"admin": True}))).scopes == frozenset()
    assert verified(signed(claims(scope=None, scopes="admin"))).scopes == frozenset()


def test_the_tenant_is_in_the_claim_that_the_settings_name() -> None:
    token = signed(claims(tenant="wrong", **{"https://school.example/tenant": "right"}))
    assert verified(token, tenant_claim="https://school.example/tenant").tenant == "right"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (lambda now: {"exp": now - 60}, "expired"),
        (lambda _: {"exp": None}, "missing"),
        (lambda _: {"sub": None}, "missing"),
        (lambda _: {"tenant": None}, "missing"),
        (lambda now: {"nbf": now + 90}, "not valid yet"),
        (lambda _: {"sub": ""}, "subject"),
        (lambda _: {"sub": "x" * 201}, "subject"),
        (lambda _: {"sub": "a\nb"}, "subject"),
        (lambda _: {"tenant": 7}, "tenant"),
        (lambda _: {"tenant": ["school"]}, "tenant"),
        (lambda _: {"tenant": "a:b"}, "tenant"),
        (lambda _: {"exp": "soon"}, "form"),
    ],
)
def test_tokens_that_are_refused_for_what_they_say(more: Callable[[float], dict[str, Any]], said: str) -> None:
    with pytest.raises(NotAuthenticated, match=said):
        verified(signed(claims(**more(time.time()))))


def test_audience_and_issuer_must_be_ours_where_they_are_set() -> None:
    access = {"jwt_audience": "pocai", "jwt_issuer": "https://id.example"}
    right = claims(aud=["other", "pocai"], iss="https://id.example")
    assert verified(signed(right), **access).tenant == "school"
    for name, value in (("aud", None), ("aud", "other"), ("iss", None), ("iss", "https://evil.example")):
        with pytest.raises(NotAuthenticated):
            verified(signed({key: kept for key, kept in {**right, name: value}.items() if kept is not None}), **access)
    assert verified(signed(claims(aud="whatever"))).tenant == "school"


def test_a_token_of_another_secret_or_algorithm_is_refused() -> None:
    with pytest.raises(NotAuthenticated, match="signature"):
        verified(signed(claims(), SECRET[::-1]))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        verified(signed(claims(), SECRET * 2, "HS512"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        verified(jwt.encode(claims(), "", "none"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        asyncio.run(claims_of(signed(claims()), Access()))


def raw(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    """A token that no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    "token",
    [
        "a.b.c",
        "..",
        "x" * 9000,
        raw({}, claims()),
        raw({"alg": None}, claims()),
        raw({"alg": ["HS256"]}, claims()),
        raw({"alg": "HS256", "crit": ["x"]}, claims()),
        raw({"alg": "HS256"}, claims(), b"x" * 32),
        raw({"alg": "HS256", "kid": {"a": 1}}, claims()),
        base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.",
        base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5000).decode() + ".e30.",
        base64.urlsafe_b64encode(b'["HS256"]').decode() + ".e30.",
        base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".e30.",
    ],
)
def test_malformed_tokens_are_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        verified(token)


@given(st.one_of(st.text(max_size=300), st.lists(st.binary(max_size=60), min_size=3, max_size=3)))
def test_no_text_whatever_is_a_token(parts: str | list[bytes]) -> None:
    token = parts if isinstance(parts, str) else ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
    with pytest.raises(NotAuthenticated):
        verified(token)


def test_a_signed_payload_that_is_no_object_is_refused() -> None:
    for payload in (b"[]", b'"x"', b"7", b"\xff", b"{" * 3000):
        with pytest.raises(NotAuthenticated):
            verified(jwt.api_jws.encode(payload, SECRET, "HS256"))


def test_a_token_opens_the_service(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"jwt_secret": SECRET, "rate_per_key": "2/minute"}) as service:
        answer = service.get(token=signed(claims()))
        assert answer.json() == {"tenant": "school", "subject": "jwt:client", "scopes": ["extract", "models:read"]}
        assert service.get("/metrics", signed(claims())).status_code == 403
        assert service.get(token=signed(claims(exp=1))).status_code == 401
        assert service.get(token=signed(claims())).status_code == 429
        sent = service.socket({}, "pocai", "pocai.bearer." + signed(claims(sub="browser")))
        assert json.loads(sent[1]["text"])["subject"] == "jwt:browser"


# --- published keys ----------------------------------------------------------------------------------------------


@dataclass
class Issuer:
    """An issuer that publishes its keys over HTTP on loopback."""

    url: str
    asked: int = 0
    answer: bytes = b""
    status: int = 200

    def publish(self, *keys: dict[str, Any]) -> None:
        self.answer = json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Issuer(f"http://127.0.0.1:{server.server_port}/jwks.json")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(**more: str) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "r", "use": "sig", **more}


def ec_jwk() -> dict[str, Any]:
    return {**jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "e", "use": "sig"}


def by_issuer(token: str, issuer: Issuer, **access: Any) -> Claims:
    return asyncio.run(claims_of(token, Access.model_validate({"jwks_url": issuer.url, **access})))


def test_published_keys_are_fetched_once_for_many_tokens(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk(alg="RS256"), ec_jwk())
    for _ in range(3):
        assert by_issuer(signed(claims(), RSA, "RS256", kid="r"), issuer).subject == "client"
        assert by_issuer(signed(claims(), EC, "ES256", kid="e"), issuer).subject == "client"
    assert issuer.asked == 1


def test_an_unknown_key_is_refused_and_does_not_flood_the_issuer(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    for number in range(5):
        with pytest.raises(NotAuthenticated, match="not published"):
            by_issuer(signed(claims(), RSA, "RS256", kid=f"unknown {number}"), issuer)
    with pytest.raises(NotAuthenticated, match="not published"):
        by_issuer(signed(claims(), RSA, "RS256"), issuer)
    assert issuer.asked == 1


def test_a_public_key_is_no_secret_of_hs256(issuer: Issuer) -> None:
    """The classic confusion: HS256 with what everybody can read (RFC 8725, 2.1)."""
    issuer.publish(
        rsa_jwk(), {"kty": "oct", "alg": "HS256", "kid": "o", "k": base64.urlsafe_b64encode(b"x" * 32).decode()}
    )
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = raw({"alg": "HS256", "kid": "r"}, claims()).split(".")
    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for token in (forged, signed(claims(), b"x" * 32, "HS256", kid="o")):
        with pytest.raises(NotAuthenticated, match="algorithm"):
            by_issuer(token, issuer)
        with pytest.raises(NotAuthenticated):
            by_issuer(token, issuer, jwt_secret=SECRET)


def test_a_token_must_use_the_algorithm_of_its_key(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk(), ec_jwk(), rsa_jwk(kid="r512", alg="RS512"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        by_issuer(signed(claims(), RSA, "RS256", kid="e"), issuer)
    with pytest.raises(NotAuthenticated, match="algorithm"):
        by_issuer(signed(claims(), RSA, "RS256", kid="r512"), issuer)
    with pytest.raises(NotAuthenticated, match="signature"):
        by_issuer(
            signed(claims(), rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", kid="r"), issuer
        )


def test_an_address_in_the_token_is_never_asked(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    with pytest.raises(NotAuthenticated):
        verified(signed(claims(), RSA, "RS256", kid="r", jku=issuer.url, x5u=issuer.url))
    assert issuer.asked == 0


@pytest.mark.parametrize(("status", "answer"), [(500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": []}')])
def test_an_issuer_that_is_down_is_asked_once_and_then_left_alone(issuer: Issuer, status: int, answer: bytes) -> None:
    issuer.status, issuer.answer = status, answer
    for _ in range(3):
        with pytest.raises(Unavailable, match="keys") as caught:
            by_issuer(signed(claims(), RSA, "RS256", kid="r"), issuer)
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= tokens.PAUSE
    assert issuer.asked == 1


def test_an_issuer_that_fails_later_is_no_fault_of_ours(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    keys = tokens.PublishedKeys(issuer.url)
    keys._client.cooldown_duration = 0
    assert asyncio.run(keys.key("r")).key_id == "r"
    issuer.answer = b"<html>"
    with pytest.raises(Unavailable):
        asyncio.run(keys.key("rotated"))
    assert asyncio.run(keys.key("r")).key_id == "r"  # it is still believed
    assert issuer.asked == 2


def test_an_issuer_that_nobody_hears_makes_the_service_unavailable(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"jwks_url": f"http://127.0.0.1:{free_port()}/"}) as service:
        answer = service.get(token=signed(claims(), RSA, "RS256", kid="r"))
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert service.get(token=service.key()).status_code == 200


# --- what is told ------------------------------------------------------------------------------------------------


def test_refusals_are_audited_without_what_was_sent(service: Guarded) -> None:
    token = service.key("review")
    service.get("/v1/both/private-name", token="pocai_00000000_" + "s" * 43)
    service.get("/v1/both/private-name", token=token)
    stranger, known = service.audited()
    assert {name: stranger[name] for name in ("action", "tenant", "subject", "target", "outcome")} == {
        "action": "auth.refused",
        "tenant": "",
        "subject": f"address:{STRANGER}",
        "target": "GET /v1/both/{name}",
        "outcome": "not_authenticated",
    }
    assert (known["tenant"], known["outcome"]) == ("school", "not_allowed")
    assert "sss" not in json.dumps(service.audited())


def test_no_secret_is_ever_logged_or_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with guarded(tmp_path, access={"jwt_secret": SECRET}) as service:
        token = service.key()
        shown = [repr(service.service), repr(service.service.settings), repr(service.service.keys.list())]
        bearer = signed(claims())
        for sent in (token, token + "x", bearer, bearer + "x"):
            shown.append(service.get(token=sent).text)
            shown.append(service.get(**{"X-API-Key": sent}).text)
        secrets = [SECRET, token.split("_", 2)[2], bearer.rpartition(".")[2]]
    shown += [caplog.text, (tmp_path / "audit.jsonl").read_text()]
    for secret in secrets:
        assert not any(secret in text for text in shown)


def test_openapi_names_the_ways_in_and_the_scopes(service: Guarded) -> None:
    document = service.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["basic"]["scheme"] == "basic"
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    security = document["paths"]["/v1/models"]["get"]["security"]
    assert security == [{"bearer": ["models:read"]}, {"basic": ["models:read"]}, {"apiKey": ["models:read"]}]
    assert "parameters" not in document["paths"]["/v1/models"]["get"]


def test_importing_the_modules_does_nothing(tmp_path: Path) -> None:
    code = "import pocai.server.auth, pocai.server.security, pocai.server.keys, threading, os; print(os.listdir('.'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
