"""A real HTTP server that answers, or fails to, as a test's script says; for what the client does with failures."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Told:
    """One answer. Without a status the connection is closed instead; ``chunks`` are a body without a length."""

    status: int | None = 200
    body: str = "{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    pause: float = 0.0  # seconds before the answer, or before each chunk


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: Message
    body: bytes


class ScriptedServer:
    """Gives the answers of `script` on loopback, one a request, and keeps in `seen` what it was asked."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.script: list[Told] = []
        self.seen: list[Seen] = []

    def take(self, seen: Seen) -> Told:
        """Keep a request; the answer to it."""
        self.seen.append(seen)
        return self.script.pop(0) if self.script else Told(599, "nothing more was expected")


@contextlib.contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """A server that listens until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        _Handler.scripts[server.server_port] = scripted = ScriptedServer(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield scripted
        server.shutdown()
        thread.join()
        del _Handler.scripts[server.server_port]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripts: dict[int, ScriptedServer] = {}  # noqa: RUF012 - by port: http.server makes the handlers itself

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        parsed = self.raw_requestline and self.parse_request()
        self.close_connection = True  # set after parsing, which would keep it alive
        if parsed:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            port = self.connection.getsockname()[1]
            told = self.scripts[port].take(Seen(self.command, self.path, self.headers, body))
            with contextlib.suppress(OSError):  # the client has gone, as some tests want it to
                self._answer(told)

    def _answer(self, told: Told) -> None:
        if told.status is None:
            return
        if not told.chunks:
            time.sleep(told.pause)
        self.send_response_only(told.status)
        length = {} if told.chunks else {"Content-Length": str(len(told.body.encode()))}
        for name, value in {**length, **told.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        for chunk in told.chunks or (told.body.encode(),):
            time.sleep(told.pause if told.chunks else 0)
            self.wfile.write(chunk)
