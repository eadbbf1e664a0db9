"""Logs and request ids: every request can be followed, and nobody's data is among the lines."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from watched import SECRET, Lines, Measured, logged, serving, small_app
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pocai.server.logs import Handler, configure
from pocai.server.metrics import Metrics
from pocai.server.requests import RequestLog
from pocai.settings import ServerSettings, Settings


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged."""
    with logged() as look:
        yield look


# --- lines --------------------------------------------------------------------------------------------------------


def test_a_line_has_its_message_and_the_known_fields_only(lines: Lines) -> None:
    logging.getLogger("pocai.server.x").info("%d jobs", 2, extra={"job": "ab", "count": 2, "name_of_file": SECRET})
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {"level": "info", "logger": "pocai.server.x", "message": "2 jobs", "job": "ab", "count": 2}


def test_an_exception_is_told_by_type_and_place_only(lines: Lines) -> None:
    logging.getLogger("pocai").error("failed", exc_info=ExceptionGroup(SECRET, [ValueError(SECRET)]))
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert SECRET not in json.dumps(line)
    try:
        json.loads("{")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %s", SECRET)
    (line,) = lines()
    assert line["message"] == "Task exception was never retrieved"
    assert [place.partition(":")[0] for place in line["at"]][:2] == ["test_server_logs.py", "__init__.py"]
    assert SECRET not in json.dumps(line)


def test_of_other_libraries_only_warnings_are_told_and_no_values(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', SECRET, "/?token=1")
    logging.getLogger("httpx").info("HTTP Request: %s", SECRET)
    logging.getLogger("redis").warning("no answer from %s", SECRET)
    assert [line["message"] for line in lines()] == ["no answer from %s"]


def test_a_line_that_cannot_be_written_does_not_show_its_values() -> None:
    handler, stream = Handler(), io.StringIO()
    handler.setStream(stream)
    handler.handle(logging.LogRecord("pocai", logging.INFO, "jobs.py", 7, "%d jobs", (SECRET,), None))
    assert json.loads(stream.getvalue())["at"] == ["jobs.py:7"]
    assert SECRET not in stream.getvalue()


def test_configuring_twice_writes_each_line_once(lines: Lines) -> None:
    configure(Settings.model_construct(server=ServerSettings(log_level="warning")))
    logging.getLogger("pocai").info("quiet")
    logging.getLogger("pocai").warning("loud")
    assert [line["message"] for line in lines()] == ["loud"]


# --- requests -----------------------------------------------------------------------------------------------------


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def address(metrics: Metrics, lines: Lines) -> Iterator[str]:
    """A small application behind the middleware."""
    app = small_app()
    app.add_middleware(RequestLog, metrics=metrics)
    with serving(app) as place:
        lines()
        yield place


def requests_of(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = [line for line in lines if line["message"] == "request"]
    assert all(line["seconds"] >= 0 and line["request_id"] for line in found)
    return [(line["method"], line["route"], line["status"], line["level"]) for line in found]


def test_each_request_is_logged_and_measured_by_its_route(address: str, metrics: Metrics, lines: Lines) -> None:
    for method, path in (
        ("GET", "things/penhallow?key=penhallow"),
        ("GET", "things/teapot"),
        ("POST", "things/penhallow"),
        ("PROPFIND", "things/x"),
        ("GET", "penhallow"),
        ("GET", "openapi.json"),
        ("GET", "health/live"),
    ):
        httpx.request(method, f"http://{address}/{path}", headers={"User-Agent": "penhallow"})
    found = lines(7)
    assert requests_of(found) == [
        ("GET", "/things/{name}", 200, "info"),
        ("GET", "/things/{name}", 418, "info"),
        ("POST", "/things/{name}", 405, "info"),
        ("other", "/things/{name}", 405, "info"),
        ("GET", "unmatched", 404, "info"),
        ("GET", "/openapi.json", 200, "info"),
        ("GET", "/health/live", 200, "debug"),
    ]
    measured = Measured(metrics)
    assert measured("http_requests_total", method="GET", route="/things/{name}", status="200") == 1
    assert measured("http_request_duration_seconds_count", method="GET", route="unmatched", status="404") == 1
    assert "penhallow" not in measured.text.lower() + json.dumps(found).lower()


def test_a_fault_is_logged_without_its_message(address: str, lines: Lines) -> None:
    assert httpx.get(f"http://{address}/things/broken").status_code == 500
    found = lines(2)
    assert requests_of(found) == [("GET", "/things/{name}", 500, "warning")]
    (fault,) = [line for line in found if line.get("error") == "ValueError"]
    assert fault["logger"] == "uvicorn.error"
    assert fault["request_id"] == found[0]["request_id"]
    assert SECRET not in json.dumps(found)


def test_a_client_that_leaves_is_logged_as_499(address: str, lines: Lines) -> None:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
    assert requests_of(lines(1)) == [("GET", "/slow", 499, "info")]


@pytest.mark.parametrize("given", ["abc.DEF_1-2", "x" * 64])
def test_a_request_id_comes_back(given: str, address: str, lines: Lines) -> None:
    answer = httpx.get(f"http://{address}/things/x", headers={"X-Request-ID": given})
    assert answer.headers.get_list("X-Request-ID") == [answer.json()["id"]] == [given]
    assert [line["request_id"] for line in lines(1)] == [given]


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "a\tb", "ä", "{}"])
def test_what_is_no_token_is_replaced_by_a_fresh_id(given: str | None, address: str) -> None:
    headers = {} if given is None else {b"X-Request-ID": given.encode()}
    ids = {httpx.get(f"http://{address}/things/x", headers=headers).headers["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_websockets_have_an_id_and_a_line(address: str, metrics: Metrics, lines: Lines) -> None:
    with connect(f"ws://{address}/talk/x", additional_headers={"X-Request-ID": "mine"}) as talk:
        assert talk.recv() == "mine"
        assert talk.response is not None
        assert talk.response.headers["X-Request-ID"] == "mine"
    with pytest.raises(InvalidStatus):
        connect(f"ws://{address}/talk/stranger")
    found = lines(2)
    assert requests_of(found) == [
        ("WEBSOCKET", "/talk/{name}", 101, "info"),
        ("WEBSOCKET", "/talk/{name}", 403, "info"),
    ]
    assert [line["code"] for line in found if "code" in line] == [4000, 4401]
    assert Measured(metrics)("http_requests_total", method="WEBSOCKET", route="/talk/{name}", status="101") == 1
