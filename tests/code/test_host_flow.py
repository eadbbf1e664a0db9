"""The host's own flow, call by call over HTTP: what it costs, what goes wrong, and what is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from host_application import API_KEY, Host
from host_documents import DEMO, PAGE, SHORT, expected, host_of, marked
from rendering import as_pdf
from serving import Process, Running, running_service, service_process, settings_for

from pocai.inference.answers import Status
from pocai.server.janitor import Janitor


@pytest.fixture(scope="module")
def host(service: Running) -> Iterator[Host]:
    with host_of(service) as host:
        yield host


# --- one reading for each content ------------------------------------------------------------------------------------


def readings(service: Running) -> int:
    """How many readings were begun since the service runs."""
    log = service.settings.server.state_dir / "audit.jsonl"
    return log.read_text(encoding="utf-8").count('"extraction.create"') if log.exists() else 0


def test_three_attempts_and_a_second_upload_cost_one_reading(host: Host, service: Running) -> None:
    content = marked(1)
    begun = readings(service)
    first = host.store(content, ".png")
    weeks = [host.process(handed).timetable for handed in (first, first, first, host.store(content, ".png"))]
    assert all(week == weeks[0] for week in weeks)
    assert readings(service) - begun == 1


def test_calls_at_the_same_time_share_a_reading(host: Host, service: Running) -> None:
    handed = [host.store(marked(2), ".png") for _ in range(4)]
    begun = readings(service)
    with ThreadPoolExecutor(4) as many:
        found = list(many.map(lambda path: host.post("/ai/extract", image_path=str(path)).json(), handed))
    assert all(week == found[0] for week in found)
    assert readings(service) - begun == 1


def test_a_hopeless_document_costs_one_reading(host: Host, service: Running) -> None:
    begun = readings(service)
    handed = host.store(b"%PDF-1.7 and no more", ".pdf")
    for _ in range(3):
        told = host.post("/preprocess/enhance", image_path=str(handed), output_dir=str(handed.parent))
        assert told.status_code == 500
        assert told.json()["detail"].startswith(f"Image preprocessing failed: Could not read image: {handed} (")
        for path in ("/ocr/process", "/ai/extract"):
            assert host.post(path, image_path=str(handed)).status_code == 500
    assert readings(service) - begun == 1
    assert [path.name for path in handed.parent.iterdir()] == [handed.name]


# --- what goes wrong and passes, and what is left behind -------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service for tests that disturb it."""
    with running_service(settings_for(tmp_path_factory.mktemp("flow"))) as running:
        yield running


@pytest.fixture
def own_host(own: Running) -> Iterator[Host]:
    with host_of(own) as host:
        yield host


def test_a_reading_process_that_dies_is_no_failure(own: Running, own_host: Host) -> None:
    handed = own_host.store(marked(3, DEMO), ".png")
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(own_host.post, "/ai/extract", image_path=str(handed))
        job = until(lambda: newest(own, marked(3, DEMO)))
        until(lambda: own.run(own.service.store.get(job.id)).status is Status.RUNNING)
        for pid in own.service.pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert answer.result().json() == expected(marked(3, DEMO))
    assert own.run(own.service.store.get(job.id)).attempts == 2


def test_a_failure_that_has_passed_is_not_shared(own: Running, own_host: Host) -> None:
    """A reading that was cancelled, and one that never began, are no result."""
    handed = own_host.store(marked(4), ".png")
    own_host.process(handed)
    job = newest(own, marked(4))
    own.run(own.service.store.delete(job.id))
    late = replace(job, id="0" * 32, status=Status.QUEUED, result=None, attempts=0, stage="", deadline=0.0)
    own.run(own.service.store.add(late, marked(4), limit=9))
    until(lambda: own.run(own.service.store.get(late.id)).status is Status.FAILED)
    begun = readings(own)
    assert own_host.post("/ai/extract", image_path=str(handed)).status_code == 200
    assert readings(own) - begun == 1


def newest(service: Running, content: bytes) -> Any:
    """The newest job of the host for a content."""
    from pocai.server.intake import Order, job_for

    made = job_for(content, Order("host"), service.settings)
    return service.run(service.service.store.find("host", made.fingerprint))


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the condition gives, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)
    return found


def test_enhanced_pictures_are_readable_by_the_host_and_removed_when_their_time_is_over(
    own: Running, own_host: Host
) -> None:
    enhanced = own_host.enhance(own_host.store(PAGE, ".png"))
    assert enhanced.stat().st_mode & 0o777 == 0o644
    store, day = own.service.store, 24 * 3600
    due = [own.run(store.due_files(time.time() + day + offset)) for offset in (-60, 60)]
    assert [str(enhanced) in files for files in due] == [False, True]
    own.run(store.note_file(str(enhanced), time.time()))
    own.run(Janitor(store, own.settings.server.host_application).sweep())
    assert not enhanced.exists()
    assert len(list(enhanced.parent.iterdir())) == 2  # the upload and its copy stay
    assert own.run(store.due_files(time.time() + 2 * day)).count(str(enhanced)) == 0


def test_relative_paths_are_the_hosts(tmp_path: Path) -> None:
    roots = {"roots": [tmp_path / "uploads"], "relative_to": tmp_path}
    with (
        running_service(settings_for(tmp_path, host_application=roots)) as service,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        handed = Host(client, tmp_path / "uploads").store(as_pdf(SHORT, days_across=True), ".pdf").relative_to(tmp_path)
        answer = Host(client, tmp_path).process(handed)
        assert not answer.path.is_absolute()
        assert (tmp_path / answer.path).is_file()
        assert len(answer.timetable["timeblocks"]) == 15


# --- a service of its own process ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Path]]:
    """`pocai serve` with two reading processes, and the folder of its state, uploads and log."""
    folder = tmp_path_factory.mktemp("process")
    environment = {"POCAI_SERVER__WORKERS__PROCESSES": "2", "POCAI_SERVER__LOG_LEVEL": "debug", "POCAI_THREADS": "1"}
    with service_process(folder, free_port(), environment) as running:
        yield running, folder


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_health_answers_at_once_while_two_documents_are_read(process: tuple[Process, Path]) -> None:
    running, folder = process
    with httpx.Client(base_url=running.url, timeout=120) as client, ThreadPoolExecutor(2) as two:
        host = Host(client, folder / "uploads")
        handed = [host.store(marked(number, DEMO), ".png") for number in (5, 6)]
        reading = [two.submit(host.process, path) for path in handed]
        taken = []
        while not all(answer.done() for answer in reading):
            begin = time.perf_counter()
            assert client.get("/health").json() == {"status": "healthy", "service": "ai-middleware"}
            taken.append(time.perf_counter() - begin)
            time.sleep(0.01)
        assert all(answer.result().timetable["timeblocks"] for answer in reading)
    assert len(taken) > 10
    assert statistics.quantiles(taken, n=10)[-1] < 0.1


def test_the_users_key_is_written_nowhere(process: tuple[Process, Path]) -> None:
    running, folder = process
    with httpx.Client(base_url=running.url, timeout=120) as client:
        host = Host(client, folder / "uploads")
        shown = json.dumps(host.process(host.store(as_pdf(SHORT, days_across=True), ".pdf")).timetable)
        for body in ({"api_key": API_KEY}, {"image_path": "/nothing", "api_key": API_KEY}, {"api_key": [API_KEY]}):
            shown += client.post("/ai/extract-async", json=body).text
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "service.log" for path in written)
    assert any("sqlite" in path.name for path in written)
    assert [path.name for path in written if API_KEY.encode() in path.read_bytes()] == []
    assert API_KEY not in shown
    log = (folder / "service.log").read_text(encoding="utf-8")
    assert "Kestrel" not in log
    assert not re.search(r"[0-9a-f]{32}\.(?:pdf|converted)", log)  # names of uploads
