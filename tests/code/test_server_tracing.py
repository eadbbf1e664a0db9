"""Traces, as a collector gets them; and what a whole service tells of a document to whoever watches it: nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from redis_server import free_port
from serving import service_process, settings_for
from watched import RESULT, SECRET, eventually, job, serving, small_app
from websockets.sync.client import connect

from pocai.inference.answers import Status
from pocai.server.jobs import Fault
from pocai.server.keys import key_store
from pocai.server.metrics import Metrics
from pocai.server.requests import RequestLog
from pocai.server.tracing import Tracing, trace
from pocai.settings import ServerSettings, Settings

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
GREETING = ("pocai on ", "files of the host application: ", "credentials: ")  # for people, before the log begins
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """A collector that takes traces by OTLP over HTTP, and keeps them."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        keep = self.requests.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    keep(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def text(self) -> str:
        """Everything that arrived."""
        return "\n".join(map(str, self.requests))

    @property
    def spans(self) -> list[Span]:
        scopes = (scope for one in self.requests for resource in one.resource_spans for scope in resource.scope_spans)
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def tracing(collector: Collector) -> Iterator[tuple[str, Tracing]]:
    """A traced application and its traces."""
    app = small_app()
    app.add_middleware(RequestLog, metrics=Metrics())
    traces = trace(app, Settings.model_construct(server=ServerSettings(otlp_endpoint=collector.url)))
    with serving(app) as place:
        yield place, traces
    asyncio.run(traces.close())


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_request_is_one_span_of_its_callers_trace(tracing: tuple[str, Tracing], collector: Collector) -> None:
    address, traces = tracing
    given = {
        "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01",
        "tracestate": "who=penhallow",
        "baggage": "who=penhallow",
        "User-Agent": "penhallow",
        "X-Request-ID": "mine",
    }
    answer = httpx.get(f"http://{address}/things/penhallow?key=penhallow", headers=given)
    httpx.get(f"http://{address}/health/live")
    asyncio.run(traces.close())
    (span,) = collector.spans
    assert span.name == "GET /things/{name}"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert answer.json()["traceparent"] == f"00-{TRACE_ID}-{span.span_id.hex()}-01"
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/things/{name}",
        "http.response.status_code": 200,
        "pocai.request.id": "mine",
    }
    assert "penhallow" not in collector.text.lower()
    assert 'string_value: "pocai"' in collector.text


def test_faults_and_strangers_are_traced_without_what_they_said(
    tracing: tuple[str, Tracing], collector: Collector
) -> None:
    address, traces = tracing
    httpx.get(f"http://{address}/things/broken")
    httpx.get(f"http://{address}/penhallow")
    with connect(f"ws://{address}/talk/penhallow") as talk:
        talk.recv()
    asyncio.run(traces.close())
    broken, stranger, talking = collector.spans
    assert [span.name for span in collector.spans] == ["GET /things/{name}", "GET unmatched", "WEBSOCKET /talk/{name}"]
    assert (broken.status.code, broken.status.message, len(broken.events)) == (2, "", 0)
    assert [attributes(span)["http.response.status_code"] for span in (broken, stranger, talking)] == [500, 404, 101]
    assert "penhallow" not in collector.text.lower()


def test_a_job_continues_the_trace_of_its_request_wherever_it_ends(collector: Collector) -> None:
    elsewhere = trace(FastAPI(), Settings.model_construct(server=ServerSettings(otlp_endpoint=collector.url)))
    elsewhere.stage_spans(job(result=RESULT, options={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}, name=SECRET))
    elsewhere.stage_spans(job(status=Status.FAILED, fault=Fault("worker_lost", SECRET), result={"seconds": SECRET}))
    asyncio.run(elsewhere.close())
    spans = {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE_ID}
    assert set(spans) == {"job extract", "waiting", "ingest", "text", "assemble", "check"}
    whole = spans.pop("job extract")
    assert whole.parent_span_id.hex() == SPAN_ID
    assert {span.parent_span_id for span in spans.values()} == {whole.span_id}
    assert (whole.start_time_unix_nano, whole.end_time_unix_nano) == (100 * 10**9, 103 * 10**9)
    text = spans["text"]
    assert (text.start_time_unix_nano, text.end_time_unix_nano) == (101_100_000_000, 102_600_000_000)
    (failed,) = [span for span in collector.spans if span.name == "job extract" and span is not whole]
    assert (failed.status.code, failed.status.message) == (2, "worker_lost")
    assert SECRET not in collector.text


def test_without_an_endpoint_the_sdk_is_not_even_imported_and_with_one_it_must_be_there() -> None:
    script = """
import sys
from fastapi import FastAPI
from pocai.errors import ConfigurationError
from pocai.server.tracing import carrier, trace
from pocai.settings import ServerSettings, Settings

assert trace(FastAPI(), Settings.model_construct()).provider is None and carrier() == {}
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
sys.modules["opentelemetry.sdk"] = None
try:
    trace(FastAPI(), Settings.model_construct(server=ServerSettings(otlp_endpoint="http://127.0.0.1:4318")))
except ConfigurationError as error:
    assert "pocai[tracing]" in str(error)
else:
    raise AssertionError("OpenTelemetry is missing, and nobody says so")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_neither_log_nor_trace_holds_document_name_or_key(tmp_path: Path, collector: Collector) -> None:
    keys = key_store(settings_for(tmp_path))
    _, token = keys.create("monitor", "school", ["admin"])
    keys.close()
    environment = {
        "POCAI_SERVER__ACCESS__MODE": "on",
        "POCAI_SERVER__LOG_LEVEL": "debug",
        "POCAI_SERVER__OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # milliseconds
    }
    with service_process(tmp_path, free_port(), environment) as running:
        credentials = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(
            f"{running.url}/v1/extractions?include=text&note=Penhallow",
            files={"file": ("Kestrel of Penhallow.png", DEMO)},
            headers={**credentials, "X-Request-ID": "mine"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        assert httpx.post(f"{running.url}/v1/extractions", headers={"X-API-Key": "Penhallow"}).status_code == 401
        assert httpx.get(f"{running.url}/metrics").status_code == 401
        assert "pocai_jobs_total" in httpx.get(f"{running.url}/metrics", headers=credentials).text
        eventually(lambda: len(collector.spans) >= 2)
        assert running.stop() in {0, -signal.SIGTERM}
    log = (tmp_path / "service.log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines() if not line.startswith(GREETING)]
    (line,) = [line for line in lines if line.get("request_id") == "mine" and line["message"] == "request"]
    assert (line["route"], line["status"]) == ("/v1/extractions", 200)
    (span,) = [span for span in collector.spans if attributes(span).get("pocai.request.id") == "mine"]
    assert span.trace_id.hex() == line["trace_id"]
    (timetable,) = answer.json()["result"]["timetables"]
    texts = {timetable["teacher"], timetable["className"], *(block["name"] for block in timetable["timeblocks"])}
    for secret in (token, token[-43:], "Kestrel", "Penhallow", *(text for text in texts if text and len(text) > 4)):
        assert secret not in log
        assert secret not in collector.text
