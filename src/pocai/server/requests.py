"""Every request gets an id, is measured, and leaves one line in the log: never its path, its query or its headers."""

from __future__ import annotations

import logging
import re
import secrets
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pocai.server.logs import REQUEST_ID
from pocai.server.metrics import Metrics

HEADER = "X-Request-ID"
TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
UNMATCHED = "unmatched"  # the route of what no route was found for, or what was refused before one was looked for
WEBSOCKET = "WEBSOCKET"  # stands for the method of a WebSocket
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", WEBSOCKET})
OTHER = "other"
GONE = 499  # the client went away before an answer began, as nginx has it
PROBES = frozenset({"/metrics", "/health", "/health/live", "/health/ready"})  # asked every few seconds by machines

log = logging.getLogger(__name__)


class RequestLog:
    """ASGI middleware: takes or makes the id, measures, logs. Routes find the id as ``request.state.request_id``."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket; whatever it raises is passed on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        # Never reset: the server runs each request in a task of its own, and what it logs afterwards has the id too.
        REQUEST_ID.set(request_id)
        exchange = Exchange(scope, receive, send, named=True)
        begin = time.perf_counter()
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            self._note(exchange, time.perf_counter() - begin)

    def _note(self, exchange: Exchange, seconds: float) -> None:
        method, route, status = exchange.method, exchange.route, exchange.status
        self._metrics.request(method, route, status, seconds)
        fields = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
        if exchange.code is not None:
            fields["code"] = exchange.code
        log.log(_level(route, status), "request", extra=fields)


class Exchange:
    """One request and its answer as they pass by: what it was, and how it ended.

    Where it is ``named`` the answer carries the id.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, named: bool = False) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._named = named
        self._status: int | None = None
        self._gone = False
        self.code: int | None = None

    @property
    def id(self) -> str:
        """The id that `RequestLog` gave it."""
        return str(self._scope["state"]["request_id"])

    @property
    def method(self) -> str:
        """The method; ``WEBSOCKET`` for a WebSocket, ``other`` for one that HTTP does not know."""
        method = self._scope.get("method", WEBSOCKET)
        return method if method in METHODS else OTHER

    @property
    def route(self) -> str:
        """The template of the route, as in ``/v1/extractions/{id}``; ``unmatched`` where there is none."""
        return route_of(self._scope)

    @property
    def status(self) -> int:
        """What was answered; 101 for a WebSocket that was accepted, 499 and 500 where no answer began."""
        if self._status is not None:
            return self._status
        return GONE if self._gone else 500

    async def receive(self) -> Message:
        """The next message of the client."""
        message = await self._receive()
        if message["type"] in {"http.disconnect", "websocket.disconnect"}:
            self._gone = True
            if self._status is not None and self.code is None:
                self.code = message.get("code")
        return message

    async def send(self, message: Message) -> None:
        """The next message to the client."""
        if not self._gone or self._status is not None:
            self._look_at(message)
        await self._send(message)

    def _look_at(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self._begin(message, message["status"])
            case "websocket.accept":
                self._begin(message, 101)
            case "websocket.close" if self._status is None:
                self._status = 403  # what the server makes of it (ASGI, HTTP & WebSocket, "Close")
                self.code = message.get("code", 1000)
            case "websocket.close":
                self.code = message.get("code", 1000)

    def _begin(self, message: Message, status: int) -> None:
        self._status = status
        if self._named:
            MutableHeaders(scope=message)[HEADER] = self.id


def id_of(scope: Scope) -> str:
    """The id that the caller gave where it is a plain token of at most 64 characters, else a new one."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if TOKEN.fullmatch(given) else secrets.token_hex(16)


def route_of(scope: Scope) -> str:
    """The template of the route that took a request, known once it was routed."""
    route = scope.get("route")
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    if template is None and "endpoint" in scope and not scope.get("path_params"):
        template = scope["path"]  # FastAPI's own pages leave no route; without parameters the path is the template
    return template or UNMATCHED


def _level(route: str, status: int) -> int:
    if route in PROBES:
        return logging.DEBUG if status < HTTPStatus.BAD_REQUEST else logging.INFO
    return logging.INFO if status < HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
