"""What happens when processes die: nothing that was accepted is lost."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from redis_server import free_port, redis_server
from serving import Process, Running, service_process

DEMO = Path(__file__).parents[2] / "src/pocai/assets/demo/demo.png"
PATIENCE = 60.0


def send(url: str, *, prefer: str = "") -> httpx.Response:
    headers = {"Prefer": prefer} if prefer else {}
    return httpx.post(
        f"{url}/v1/extractions",
        files={"file": ("week.png", DEMO.read_bytes())},
        headers=headers,
        timeout=PATIENCE,
    )


def job(url: str, job_id: str) -> dict[str, object]:
    answer = httpx.get(f"{url}/v1/extractions/{job_id}", timeout=PATIENCE)
    assert answer.status_code == httpx.codes.OK, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def ended(url: str, job_id: str) -> dict[str, object]:
    """The job as soon as it is final."""
    until = time.monotonic() + PATIENCE
    while (found := job(url, job_id))["status"] in {"queued", "running"}:
        assert time.monotonic() < until, found["status"]
        time.sleep(0.05)
    return found


def until_running(url: str, job_id: str) -> None:
    until = time.monotonic() + PATIENCE
    while job(url, job_id)["status"] != "running":
        assert time.monotonic() < until, "the job does not begin"
        time.sleep(0.01)


@pytest.fixture
def port() -> int:
    return free_port()


def test_a_reading_process_that_is_killed_costs_a_retry(service: Running) -> None:
    job_id = send(service.url, prefer="respond-async").json()["id"]
    until_running(service.url, job_id)
    (pid,) = service.service.pool.pids
    os.kill(pid, signal.SIGKILL)
    found = ended(service.url, job_id)
    assert (found["status"], found["attempts"]) == ("succeeded", 2)


def test_a_request_that_waits_does_not_notice_that_its_process_was_killed(service: Running) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        answer = threads.submit(send, service.url)
        until = time.monotonic() + PATIENCE
        while not service.run(service.service.store.queued()) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.3)  # in the middle of the reading
        (pid,) = service.service.pool.pids
        os.kill(pid, signal.SIGKILL)
        assert answer.result(PATIENCE).status_code == httpx.codes.OK


def load(process: Process, threads: concurrent.futures.ThreadPoolExecutor) -> tuple[list[str], list[object]]:
    """Three accepted jobs and one request that waits, with the first of the jobs running."""
    ids = [send(process.url, prefer="respond-async").json()["id"] for _ in range(3)]
    until_running(process.url, ids[0])
    waiting: list[object] = [threads.submit(send, process.url)]
    time.sleep(0.2)
    return ids, waiting


def test_a_service_that_is_told_to_stop_loses_nothing(tmp_path: Path, port: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        with service_process(tmp_path, port, {"POCAI_SERVER__WORKERS__PROCESSES": "1"}) as process:
            ids, (waiting,) = load(process, threads)
            assert process.stop(signal.SIGTERM) == 0
        assert isinstance(waiting, concurrent.futures.Future)
        answer = waiting.result(PATIENCE)
        assert answer.status_code in {httpx.codes.OK, httpx.codes.ACCEPTED}
        with service_process(tmp_path, port) as process:
            for job_id in (*ids, answer.json()["id"]):
                assert ended(process.url, job_id)["status"] == "succeeded"


def test_without_grace_running_work_is_handed_back(tmp_path: Path, port: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        environment = {"POCAI_SERVER__GRACE_SECONDS": "0", "POCAI_SERVER__WORKERS__PROCESSES": "1"}
        with service_process(tmp_path, port, environment) as process:
            ids, (waiting,) = load(process, threads)
            assert process.stop(signal.SIGTERM) == 0
        assert isinstance(waiting, concurrent.futures.Future)
        answer = waiting.result(PATIENCE)
        assert answer.status_code == httpx.codes.ACCEPTED
        assert answer.headers["Location"].endswith(answer.json()["id"])
        with service_process(tmp_path, port) as process:
            for job_id in (*ids, answer.json()["id"]):
                found = ended(process.url, job_id)
                assert (found["status"], found["attempts"]) == ("succeeded", 1)


def test_a_service_that_is_killed_loses_no_accepted_job(tmp_path: Path, port: int) -> None:
    with service_process(tmp_path, port) as process:
        ids = [send(process.url, prefer="respond-async").json()["id"] for _ in range(3)]
        until_running(process.url, ids[0])
        process.stop(signal.SIGKILL)
    with service_process(tmp_path, port) as process:
        for job_id in ids:
            assert ended(process.url, job_id)["status"] == "succeeded"


def lives(pid: str) -> bool:
    """Whether a process runs; one that has ended and that nobody waited for has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def test_reading_processes_end_with_the_service_that_was_killed(tmp_path: Path, port: int) -> None:
    with service_process(tmp_path, port) as process:
        children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text(encoding="ascii")
        assert children.split()
        process.stop(signal.SIGKILL)
    until = time.monotonic() + PATIENCE
    while any(lives(pid) for pid in children.split()):
        assert time.monotonic() < until, "a reading process lives on"
        time.sleep(0.05)


def test_replicas_that_share_a_redis_share_their_jobs(tmp_path: Path) -> None:
    """One is stopped with a job running and others queued: the second, which knew nothing of them, ends them all."""
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    with redis_server() as url:
        shared = {"POCAI_SERVER__REDIS_URL": url, "POCAI_SERVER__WORKERS__PROCESSES": "1"}
        with service_process(places[0], free_port(), {**shared, "POCAI_SERVER__GRACE_SECONDS": "0"}) as first:
            ids = [send(first.url, prefer="respond-async").json()["id"] for _ in range(3)]
            until_running(first.url, ids[0])
            assert first.stop(signal.SIGTERM) == 0
        with service_process(places[1], free_port(), shared) as second:
            for job_id in ids:
                assert ended(second.url, job_id)["status"] == "succeeded"
