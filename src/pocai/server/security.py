"""What protects the service as a whole: settings that it refuses to start with, and guards around every request."""

from __future__ import annotations

import asyncio
import re
import stat
import time
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pocai.errors import ConfigurationError, DeadlineExceeded, LimitExceeded, NotAllowed, PocaiError
from pocai.server.auth import access_on, admit, is_loopback
from pocai.server.failures import HOST_PATHS, body_of, headers_of, status_of
from pocai.server.rates import parse_rates
from pocai.settings import ServerSettings, Settings

# --- settings ----------------------------------------------------------------------------------------------------

SHORTEST_SECRET = 32  # bytes; RFC 7518, 3.2: as long as the hash of HS256
PRIVATE = tuple(  # loopback, RFC 1918, RFC 4193, link-local; ipaddress calls more networks private than are ours
    ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
PRIVATE_NAMES = (".localhost", ".internal", ".local", ".lan", ".svc", ".home.arpa")
SYSTEM_FOLDERS = tuple(map(Path, ("/proc", "/sys", "/dev", "/etc")))
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")


def check_safe(settings: Settings) -> None:
    """Refuse settings that would open the service further than was meant. Raises ConfigurationError for the first."""
    server = settings.server
    checks = (_access(settings), _tokens(server), _limits(server), _networks(server), _addresses(server))
    for problems in (*checks, _folders(server)):
        for name, what, mend in problems:
            raise ConfigurationError(f"POCAI_SERVER__{name}: {what}", mend=mend)


Problem = tuple[str, str, str]  # setting, what is wrong with it, how to mend it


def _access(settings: Settings) -> Iterator[Problem]:
    server = settings.server
    if access_on(settings):
        return
    if not is_loopback(server.host):
        what = f"access is off, and {server.host} is no loopback address"
        yield "ACCESS__MODE", what, "Take auto or on, and make keys with pocai keys create"
    if server.access.trusted_proxies:
        what = "access is off, and a proxy makes the service reachable from elsewhere"
        yield "ACCESS__TRUSTED_PROXIES", what, "Set POCAI_SERVER__ACCESS__MODE=on, or name no proxies"


def _tokens(server: ServerSettings) -> Iterator[Problem]:
    access = server.access
    secret = access.jwt_secret
    if secret is not None and len(secret.get_secret_value().encode()) < SHORTEST_SECRET:
        yield "ACCESS__JWT_SECRET", f"it has fewer than {SHORTEST_SECRET} bytes", "Take a random one that is longer"
    if access.jwks_url is not None:
        if not _encrypted(access.jwks_url):
            yield "ACCESS__JWKS_URL", "keys that come without TLS can be forged", "Take an https address"
        if access.jwt_audience is None:
            what = "any token of the issuer would do, also one made for another service (RFC 8725, 3.9)"
            yield "ACCESS__JWKS_URL", what, "Set POCAI_SERVER__ACCESS__JWT_AUDIENCE to the audience of our tokens"


def _limits(server: ServerSettings) -> Iterator[Problem]:
    access = server.access
    for name, rates in (("RATE_PER_KEY", access.rate_per_key), ("RATE_PER_IP", access.rate_per_ip)):
        try:
            parse_rates(rates)
        except ValueError as error:
            yield f"ACCESS__{name}", str(error), "Write it as 10/second;600/minute"
    if server.grace_seconds > server.request_seconds:
        what = f"{server.grace_seconds:g} is longer than any request may take ({server.request_seconds:g})"
        yield "GRACE_SECONDS", what, "Take a smaller one"


def _networks(server: ServerSettings) -> Iterator[Problem]:
    for network in server.host_application.networks:
        if not _private(network):
            what = f"from {network} anybody could call without credentials"
            yield "HOST_APPLICATION__NETWORKS", what, "Name loopback or private networks, or give the host a key"
    for network in server.access.trusted_proxies:
        if not _private(network) and network.num_addresses > 1:
            what = f"anybody in {network} could claim any address"
            yield "ACCESS__TRUSTED_PROXIES", what, "Name private networks, or single addresses"
    for origin in server.access.cors_origins:
        if ORIGIN.fullmatch(origin) is None:
            what = f"{origin!r} is not one origin"
            yield "ACCESS__CORS_ORIGINS", what, "Write each as https://host, without path and without *"


def _addresses(server: ServerSettings) -> Iterator[Problem]:
    if server.otlp_endpoint is not None and not _encrypted(server.otlp_endpoint):
        yield "OTLP_ENDPOINT", "traces would go without TLS", "Take an https address, or a collector on loopback"
    if server.redis_url is None:
        return
    url = _parts(server.redis_url.get_secret_value())  # never shown: it may hold a password
    if url.scheme not in {"redis", "rediss", "unix"}:
        yield "REDIS_URL", "its scheme is none of rediss, redis and unix", "Write it as rediss://USER:PASSWORD@HOST"
    elif url.scheme == "redis" and not _nearby(url.hostname or "localhost"):
        what = "documents and passwords would travel without TLS"
        yield "REDIS_URL", what, "Write it as rediss://…, or take a Redis in a private network"


def _folders(server: ServerSettings) -> Iterator[Problem]:
    state = server.state_dir.expanduser().resolve()
    if state in {Path("/"), Path.home().resolve()} or _open_to_all(state):
        yield "STATE_DIR", f"{state} is not for us alone", "Name a folder of its own; it is made if need be"
    for root in server.host_application.roots:
        real = root.expanduser().resolve()
        if real == Path("/") or any(real.is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            what = f"{root} would let the host read the system"
        elif state.is_relative_to(real) or real.is_relative_to(state):
            what = f"{root} would let the host read jobs and keys in {state}"
        else:
            continue
        yield "HOST_APPLICATION__ROOTS", what, "Name the folder of the host's uploads, outside the state folder"


def _open_to_all(folder: Path) -> bool:
    return folder.exists() and bool(folder.stat().st_mode & stat.S_IWOTH)


def _private(network: IPv4Network | IPv6Network) -> bool:
    return any(
        network.version == ours.version and network.network_address in ours and network.broadcast_address in ours
        for ours in PRIVATE
    )


def _encrypted(url: str) -> bool:
    """Whether a web address is read over TLS, or never leaves this machine."""
    parts = _parts(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that do not match
        return urlsplit("")


def _nearby(host: str) -> bool:
    """Whether a host lies in a private network: by its address, or a name that the public DNS does not give away."""
    try:
        return _private(ip_network(ip_address(host)))
    except ValueError:
        return "." not in host or host.casefold().endswith(PRIVATE_NAMES)


# --- requests ----------------------------------------------------------------------------------------------------

SLACK = 2**20  # bytes of a multipart body around its document
JSON_BYTES = 2 * 2**20  # bytes of any other body, 18,000 words with boxes: its JSON holds the event loop up for 65 ms
UNASKED = 2**16  # bytes of a body that are read before it is known who sends it
SILENCE = 60.0  # seconds without a byte of the body
WHOLE_BODY = 600.0  # seconds for all of it
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",  # most answers hold a document's content; a route may say otherwise
}
LOCAL_NAME = re.compile(r"([\w-]+|([\w-]+\.)+(localhost|internal))\.?(:\d+)?")  # public DNS cannot answer for these
CORS_METHODS = ("GET", "POST", "DELETE")
CORS_REQUEST = ("Authorization", "X-API-Key", "Content-Type", "Prefer", "Idempotency-Key", "X-Request-ID")
CORS_ANSWER = ("Location", "Retry-After", "Preference-Applied", "Content-Disposition", "X-Request-ID")


def protect(app: FastAPI, settings: Settings) -> None:
    """Put the guards around the application: headers, then sites, then CORS, then the body's limits."""
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(ApiCORS, origins=settings.server.access.cors_origins)
    app.add_middleware(SiteGuard, settings=settings)
    app.add_middleware(SecurityHeaders)


class SecurityHeaders:
    """Adds `HEADERS` to every answer that does not set them itself, also to that of a fault.

    Starlette answers faults outside of all middleware, where they would go without headers and request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = scope["type"] != "http"

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            if not begun:
                fault = PocaiError(f"a fault in pocai ({type(error).__name__})", mend="Please report it")
                await refusal(scope, fault)(scope, receive, with_headers)
            raise


class SiteGuard:
    """Keeps foreign web pages out, which a browser lets call any address that it reaches.

    A page of another origin is refused unless `cors_origins` names it (WebSockets know no CORS, and browsers add Basic
    credentials by themselves). Where access is off, so is a host name that public DNS could point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origins = frozenset(settings.server.access.cors_origins)
        self._open = not access_on(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._problem(Headers(scope=scope)) if scope["type"] in {"http", "websocket"} else None
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refusal(scope, problem)(scope, receive, send)
        else:
            await WebSocketClose(4403, problem.what)(scope, receive, send)

    def _problem(self, headers: Headers) -> NotAllowed | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host and self._open and not is_loopback(host) and LOCAL_NAME.fullmatch(host.casefold()) is None:
            return NotAllowed(
                "without credentials this service answers under local names only",
                mend="Call it as localhost, or set POCAI_SERVER__ACCESS__MODE=on",
            )
        own = bool(host) and origin is not None and origin.partition("://")[2].casefold() == host.casefold()
        if own or origin is None or origin in self._origins:
            return None
        return NotAllowed("web pages of that origin may not call", mend="Name it in POCAI_SERVER__ACCESS__CORS_ORIGINS")


class ApiCORS:
    """CORS for ``/v1``, with the origins of the settings; other paths are not for web pages."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST,
            expose_headers=CORS_ANSWER,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._cors if public else self._app)(scope, receive, send)


class BodyLimit:
    """Refuses a body that is too large (413) or too slow (408), and a large one of a stranger before it is read."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._upload = settings.limits.max_bytes + SLACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        multipart = headers.get("content-type", "").casefold().startswith("multipart/")
        body = Body(scope, receive, send, self._upload if multipart else JSON_BYTES)
        problem = await self._problem(scope, headers, body)
        if problem is not None:
            await refusal(scope, problem)(scope, receive, send)
        else:
            await body.through(self._app)

    async def _problem(self, scope: Scope, headers: Headers, body: Body) -> PocaiError | None:
        length = headers.get("content-length", "")
        size = int(length) if length.isdecimal() else 0
        if size > body.most:
            return body.too_large()
        if size > UNASKED or "transfer-encoding" in headers:
            try:
                await admit(HTTPConnection(scope))
            except PocaiError as error:
                return error
        return None


class Body:
    """The body of one request on its way in: counted, timed, and cut off with an answer where it breaks a limit."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self.most = most
        self._scope, self._receive, self._send = scope, receive, send
        self._size = 0
        self._until = 0.0
        self._whole = self._begun = self._cut = self._refused = False

    async def through(self, app: ASGIApp) -> None:
        """Hand the request on."""
        try:
            await app(self._scope, self.receive, self.send)
        except ClientDisconnect:
            if not self._refused:  # else it only seemed so, and the answer is out
                raise

    async def receive(self) -> Message:
        """The next message; the client seems to have gone once the body broke a limit."""
        if self._cut:
            return {"type": "http.disconnect"}
        if self._whole:
            return await self._receive()
        now = time.monotonic()
        self._until = self._until or now + WHOLE_BODY
        try:
            async with asyncio.timeout(min(SILENCE, max(0.0, self._until - now))):
                message = await self._receive()
        except TimeoutError:
            return await self._cut_off(DeadlineExceeded("the body came too slowly", mend="Send it again"), 408)
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message if self._size <= self.most else await self._cut_off(self.too_large())

    async def send(self, message: Message) -> None:
        """Pass an answer on, unless the request was refused meanwhile."""
        if not self._refused:
            self._begun = True
            await self._send(message)

    def too_large(self) -> LimitExceeded:
        """The refusal of more than ``most`` bytes."""
        return LimitExceeded(f"the body is larger than {self.most} bytes", mend="Send a smaller document")

    async def _cut_off(self, error: PocaiError, status: int | None = None) -> Message:
        self._cut = True
        if not self._begun:
            self._refused = True
            await refusal(self._scope, error, status)(self._scope, self._receive, self._send)
        return {"type": "http.disconnect"}


def refusal(scope: Scope, error: PocaiError, status: int | None = None) -> JSONResponse:
    """The answer to a request that no route has seen, in the shape of its path."""
    host = scope["path"].startswith(HOST_PATHS)
    body = {"detail": str(error)} if host else body_of(error)
    return JSONResponse(body, status or status_of(error), headers_of(error))
