"""Metrics and health: they say what happens, and nothing of what a document holds."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis_server import redis_server
from serving import Running, running_service, settings_for
from watched import RESULT, SECRET, Measured, eventually, job

from pocai import __version__
from pocai.inference.answers import Status
from pocai.models import catalog
from pocai.server.jobs import Fault, Priority
from pocai.server.metrics import Metrics

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()


# --- what is counted ----------------------------------------------------------------------------------------------


def test_a_job_is_measured() -> None:
    metrics = Metrics()
    metrics.finished(job(result=RESULT))
    measured = Measured(metrics)
    assert measured("jobs_total", kind="extract", status="succeeded", error="") == 1
    assert measured("job_waiting_seconds_sum", priority="waiting") == 1
    assert measured("job_duration_seconds_sum", kind="extract", status="succeeded") == 3
    assert measured("stage_duration_seconds_sum", stage="text") == 1.5
    assert measured("reading_confidence_ratio_sum") == pytest.approx(0.9)
    assert measured("verdicts_total", decision="review") == 1
    assert measured("results_total", task="ocr", model="ppocr", model_version="PP-OCRv6 small") == 1
    assert measured("results_total", task="document", model="rules", model_version=__version__) == 1
    assert measured("build_info", version=__version__) == 1


def test_a_failed_job_is_counted_by_its_code() -> None:
    metrics = Metrics()
    metrics.finished(job(status=Status.FAILED, fault=Fault("encrypted_document", SECRET)))
    measured = Measured(metrics)
    assert measured("jobs_total", kind="extract", status="failed", error="encrypted_document") == 1
    assert measured("verdicts_total", decision="accept") == 0
    assert SECRET not in measured.text


@pytest.mark.parametrize(
    "result",
    [
        {"seconds": {SECRET: 1.0}, "models": {"ocr": SECRET, "document": SECRET}},
        {"seconds": {"text": -1}, "verdict": {"decision": SECRET}},
        {"seconds": {f"{SECRET} {n}": 1.0 for n in range(1000)}},
        {"pages": [{"lines": [{"words": [{"confidence": float(odd)} for odd in ("inf", "nan", "-1")]}]}]},
        {"pages": [7, {"lines": {SECRET: 1}}, {"lines": [None, {"words": [{"confidence": SECRET}, []]}]}]},
        {"pages": 7, "seconds": None, "verdict": [], "models": 1.5},
    ],
)
def test_a_result_of_a_process_that_a_document_took_over_makes_no_labels(result: dict[str, Any]) -> None:
    metrics = Metrics()
    metrics.finished(job(result=result))
    measured = Measured(metrics)
    assert measured("jobs_total", kind="extract", status="succeeded", error="") == 1
    assert SECRET not in measured.text
    assert measured("stage_duration_seconds_count", stage="other") <= 1
    assert measured("reading_confidence_ratio_count") == 0
    assert measured("verdicts_total", decision="accept") == 0


def test_queue_workers_and_the_hosts_gate_are_measured() -> None:
    metrics = Metrics()
    metrics.queue({Priority.HOST: 2, Priority.WAITING: 0, Priority.BACKLOG: 7})
    metrics.running(3)
    metrics.worker("lost")
    metrics.host_gate("ai")
    measured = Measured(metrics)
    assert [measured("jobs_queued", priority=name) for name in ("host", "waiting", "backlog")] == [2, 0, 7]
    assert measured("jobs_running") == 3
    assert measured("worker_events_total", event="lost") == 1
    assert measured("host_gate_routes_total", route="ai") == 1


def test_applications_do_not_share_measurements() -> None:
    first, second = Metrics(), Metrics()
    first.worker("started")
    assert Measured(second)("worker_events_total", event="started") == 0


def test_names_follow_prometheus_rules() -> None:
    metrics = Metrics()
    metrics.finished(job(result=RESULT))
    metrics.request("GET", "/", 200, 0.1)
    body, content_type = metrics.render()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    for family in text_string_to_metric_families(body.decode()):
        assert re.fullmatch(r"(pocai|process)_[a-z0-9_]+", family.name), family.name
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram"}
        assert family.type != "histogram" or family.name.endswith(("_seconds", "_ratio"))


# --- the service --------------------------------------------------------------------------------------------------


def extracted(service: Running, name: str = "week.png", **more: Any) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/extractions", files={"file": (name, DEMO)}, timeout=60, **more)


def test_an_extraction_is_seen_in_the_metrics(service: Running) -> None:
    def look() -> Measured:
        answer = httpx.get(f"{service.url}/metrics")
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Measured(answer.text)

    before = look()
    answer = extracted(service, headers={"X-Request-ID": "mine"})
    assert answer.headers["X-Request-ID"] == "mine"
    asked = {"method": "POST", "route": "/v1/extractions", "status": "200"}
    done = {"kind": "extract", "status": "succeeded", "error": ""}

    def grown(sample: str, **labels: str) -> float:
        return look()(sample, **labels) - before(sample, **labels)

    eventually(lambda: grown("http_requests_total", **asked) == grown("jobs_total", **done) == 1)
    measured = look()
    assert grown("results_total", task="ocr", model="cascade", model_version=catalog.entry("cascade").version) == 1
    assert grown("verdicts_total", decision=answer.json()["result"]["verdict"]["decision"]) == 1
    assert 0 < grown("stage_duration_seconds_sum", stage="text") < 60
    assert 0.5 < grown("reading_confidence_ratio_sum") <= 1
    assert measured("worker_events_total", event="started") >= 1
    assert measured("jobs_queued", priority="waiting") == 0


def test_a_service_without_processes_store_or_future_is_not_ready(tmp_path: Path) -> None:
    def state() -> tuple[int, dict[str, bool]]:
        answer = httpx.get(f"{running.url}/health/ready")
        assert (answer.status_code == 200) == (answer.json()["status"] == "ready")
        return answer.status_code, answer.json()["checks"]

    with contextlib.ExitStack() as redis:
        url = redis.enter_context(redis_server())
        with running_service(settings_for(tmp_path, redis_url=url)) as running:
            assert state() == (200, {"accepting": True, "store": True, "workers": True})
            for pid in running.service.pool.pids:
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: state() == (503, {"accepting": True, "store": True, "workers": False}))
            eventually(lambda: state()[0] == 200, seconds=60)
            redis.close()
            assert state() == (503, {"accepting": True, "store": False, "workers": True})
            running.run(running.service.runner.drain(0))
            assert state() == (503, {"accepting": False, "store": False, "workers": True})
            assert httpx.get(f"{running.url}/health/live").json() == {"status": "live"}
