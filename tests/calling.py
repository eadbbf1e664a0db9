"""What tests of the API share: documents, a caller of a running service, and clients that go away."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image
from serving import Running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import pocai
from pocai.server.intake import Order, fingerprint
from pocai.server.jobs import Kind

DEMO = Path(pocai.__file__).parent / "assets/demo/demo.png"


WEEK = (
    ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    ("9.00-10.00", "Maths", "English", "Maths", "Art", "PE"),
    ("10.15-11.15", "Science", "History", "Music", "English", "Maths"),
)


PATIENCE = 60.0


UNKNOWN = "0" * 32  # an id that no job has
BROKEN = DEMO.read_bytes()[:600]


def week(title: str) -> bytes:
    """A small week as a Word file, read in a moment; documents of different titles differ."""
    import docx

    document = docx.Document()
    document.add_paragraph(title)
    table = document.add_table(rows=0, cols=len(WEEK[0]))
    table.style = "Table Grid"
    for row in WEEK:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    return saved(document)


def letter() -> bytes:
    import docx

    document = docx.Document()
    document.add_paragraph("The hall is closed.")
    return saved(document)


def saved(document: Any) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def slow(mark: str) -> bytes:
    """The demo document three times over, whose reading takes its time; those of different marks differ."""
    return _thrice() + mark.encode()


@cache
def _thrice() -> bytes:
    target = io.BytesIO()
    with Image.open(DEMO) as picture:
        page = picture.convert("L")
        page.save(target, "TIFF", compression="tiff_lzw", save_all=True, append_images=[page, page])
    return target.getvalue()


@dataclass(frozen=True)
class Caller:
    """Somebody who calls a service."""

    running: Running
    headers: dict[str, str]

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return httpx.request(method, f"{self.running.url}{path}", headers=headers, timeout=PATIENCE, **more)

    def send(self, document: bytes, path: str = "/v1/extractions", **more: Any) -> httpx.Response:
        """Upload a document; ``fields`` are further fields of the form."""
        return self("POST", path, files={"file": ("week.png", document)}, data=more.pop("fields", None), **more)

    def submit(self, document: bytes, **headers: str) -> str:
        answer = self.send(document, headers={"Prefer": "respond-async", **headers})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def status(self, job: str) -> str:
        answer = self("GET", f"/v1/extractions/{job}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    def until(self, job: str, *wanted: str) -> str:
        return str(eventually(lambda: self.status(job), lambda status: status in wanted))


def eventually(look: Callable[[], Any], fits: Callable[[Any], object]) -> Any:
    """What is seen once it fits."""
    until = time.monotonic() + PATIENCE
    while not fits(seen := look()):
        assert time.monotonic() < until, seen
        time.sleep(0.01)
    return seen


def code(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    return str(error["code"])


def upload(document: bytes, path: str = "/v1/extractions", headers: str = "") -> bytes:
    """A whole request that uploads a document, as it goes over the wire."""
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="week.png"\r\n\r\n' + document + b"\r\n--x--\r\n"
    )
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(form)}\r\n{headers}\r\n"
    )
    return head.encode() + form


@contextlib.contextmanager
def sent(caller: Caller, request: bytes) -> Iterator[None]:
    """A request that is sent, and whose client goes away at the end of the block without waiting for the answer."""
    address = urlsplit(caller.running.url)
    with socket.create_connection((address.hostname, address.port or 0)) as client:
        client.sendall(request)
        yield


def newest(api: Caller, document: bytes) -> Any:
    """The newest job of a document that was not cancelled."""
    order = Order(tenant="local", kind=Kind.EXTRACT)
    name = fingerprint(hashlib.sha256(document).hexdigest(), order, api.running.settings)
    return api.running.run(api.running.service.store.find("local", name))


def websocket(caller: Caller, job: str, **more: Any) -> Any:
    address = urlsplit(caller.running.url)
    return connect(f"ws://{address.netloc}/v1/extractions/{job}/ws", additional_headers=caller.headers, **more)


def received(connection: Any) -> tuple[list[dict[str, Any]], int | None]:
    """All messages of a WebSocket, and the code that it was closed with."""
    messages: list[dict[str, Any]] = []
    try:
        while True:
            messages.append(json.loads(connection.recv(PATIENCE)))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd else None
