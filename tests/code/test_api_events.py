"""How far a job is, over real HTTP: server-sent events and WebSockets tell the same, in order, to the end."""

from __future__ import annotations

import concurrent.futures
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from calling import BROKEN, PATIENCE, Caller, eventually, received, slow, websocket, week
from httpx_sse import connect_sse
from serving import Running, running_service, settings_for


@pytest.fixture(scope="module")
def api(service: Running) -> Caller:
    """A caller of the service without access control."""
    return Caller(service, {})


def test_events_tell_every_stage_in_order_and_end_with_the_job(api: Caller) -> None:
    job = api.submit(slow("events"))
    with (
        httpx.Client(timeout=PATIENCE) as client,
        connect_sse(client, "GET", f"{api.running.url}/v1/extractions/{job}/events") as source,
    ):
        assert source.response.headers["Content-Type"].startswith("text/event-stream")
        events = list(source.iter_sse())
    *progress, last = events
    assert {event.event for event in progress} == {"progress"}
    told = [json.loads(event.data) for event in progress]
    assert all(set(each) == {"status", "stage", "progress"} for each in told)
    shares = [each["progress"] for each in told if each["status"] == "running"]
    assert shares == sorted(shares)
    stages = list(dict.fromkeys(each["stage"] for each in told if each["stage"]))
    assert stages == [stage for stage in ("ingest", "text", "assemble", "check", "done") if stage in stages] != []
    assert all(event.retry == 2000 for event in events)
    assert last.event == "succeeded"
    assert json.loads(last.data) == api("GET", f"/v1/extractions/{job}").json() | {"result": None}


def test_events_of_a_job_that_has_ended_are_its_end(api: Caller) -> None:
    finished = api.send(week("finished")).json()
    cancelled = api.submit(slow("cancelled events"))
    api("DELETE", f"/v1/extractions/{cancelled}")
    failed = api.send(BROKEN).json()["error"]["details"]["id"]
    for job, name in ((finished["id"], "succeeded"), (cancelled, "cancelled"), (failed, "failed")):
        text = api("GET", f"/v1/extractions/{job}/events").text
        assert text.count("event: ") == text.count(f"event: {name}\n") == 1


def test_a_quiet_stream_is_kept_alive(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    jobs = [api.submit(slow(f"quiet {number}")) for number in range(2)]
    with httpx.stream("GET", f"{api.running.url}/v1/extractions/{jobs[1]}/events", timeout=PATIENCE) as answer:
        assert any(line.startswith(":") for line in answer.iter_lines())
    for job in jobs:
        api("DELETE", f"/v1/extractions/{job}")


def test_the_websocket_tells_the_same(api: Caller) -> None:
    job = api.submit(slow("websocket"))
    with websocket(api, job) as socket:
        messages, closed = received(socket)
    *progress, last = messages
    assert closed == 1000
    assert all(set(each) == {"status", "stage", "progress"} for each in progress)
    assert progress[-1]["status"] == "running"
    assert last == api("GET", f"/v1/extractions/{job}").json() | {"result": None}


def test_a_websocket_that_is_closed_early_harms_nobody(api: Caller, caplog: pytest.LogCaptureFixture) -> None:
    job = api.submit(slow("closed early"))
    with websocket(api, job) as socket:
        socket.recv(PATIENCE)
    assert api.until(job, "succeeded", "cancelled") == "succeeded"
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def test_streams_end_when_the_service_stops(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        with running_service(settings_for(tmp_path, grace_seconds=0.0)) as running:
            caller = Caller(running, {})
            blocker, job = caller.submit(slow("stop")), caller.submit(slow("stop 2"))
            caller.until(blocker, "running")
            stream = threads.submit(caller, "GET", f"/v1/extractions/{job}/events")
            messages = threads.submit(follow, caller, job)
            eventually(lambda: len(running.service.runner._waiting.get(job, ())), lambda count: count == 2)
        assert "event: progress" in stream.result(PATIENCE).text
        assert "event: succeeded" not in stream.result(PATIENCE).text
        told, closed = messages.result(PATIENCE)
        assert {each["status"] for each in told} <= {"queued", "running"}
        assert closed == 1012


def follow(caller: Caller, job: str) -> tuple[list[dict[str, Any]], int | None]:
    with websocket(caller, job) as connection:
        return received(connection)
