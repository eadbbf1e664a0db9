"""A real Prefect server for tests, on a free loopback port, with all that it keeps in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis_server import free_port

PATIENCE = 180.0  # seconds that it may take to answer; alone on a machine it takes ten


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A server that answers; ``url`` is what PREFECT_API_URL wants."""

    url: str

    def post(self, path: str, **content: Any) -> Any:
        """What its API answers."""
        answer = httpx.post(f"{self.url}/{path}", json=content, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()

    def runs(self, workflow: str) -> list[dict[str, Any]]:
        """The runs of a workflow, oldest first."""
        found: list[dict[str, Any]] = self.post("flow_runs/filter", flows={"name": {"any_": [workflow]}})
        return sorted(found, key=lambda run: run["created"])

    def steps(self, run: str) -> dict[str, str]:
        """The steps of a run, with the names of the states that they ended in."""
        found = self.post("task_runs/filter", flow_runs={"id": {"any_": [run]}})
        return {str(each["task_key"]): str(each["state_name"]) for each in found}


@contextmanager
def running_prefect(folder: Path) -> Iterator[PrefectServer]:
    """A server that keeps everything in ``folder``; ended with all of its processes."""
    port = free_port()
    own = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("POCAI_", "PREFECT_"))}
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start", "--host", "127.0.0.1", "--port"]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(port), "--no-ui"],
            env={**inherited, **own},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = PrefectServer(f"http://127.0.0.1:{port}/api")
        _until_ready(server, process, folder / "server.log")
        yield server
    finally:
        _end(process)


def _until_ready(server: PrefectServer, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        told = log.read_text(errors="replace")[-3000:]
        assert process.poll() is None, f"Prefect's server ended with {process.returncode}: {told}"
        assert time.monotonic() < until, f"Prefect's server does not answer: {told}"
        with suppress(httpx.TransportError):
            if httpx.get(f"{server.url}/health", timeout=2).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the processes of its session, which is our own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10 if sign is signal.SIGTERM else PATIENCE)


@pytest.fixture(scope="module", name="prefect_server")
def a_prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with running_prefect(tmp_path_factory.mktemp("prefect-server")) as server:
        yield server
