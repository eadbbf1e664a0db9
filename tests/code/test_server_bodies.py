"""Bodies of requests: how large they may be, how slow, and whose are read."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from guarded import LARGEST, served, settings_for

from pocai.server import security
from pocai.server.keys import key_store


@pytest.fixture
def small_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """With limits that a test can reach quickly."""
    monkeypatch.setattr(security, "SLACK", 1000)
    monkeypatch.setattr(security, "JSON_BYTES", 100_000)
    with served(settings_for(tmp_path)) as found:
        yield found


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
