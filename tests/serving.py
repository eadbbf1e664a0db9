"""A real service for tests: uvicorn on a free loopback port in a thread, with real reading processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from pocai.inference.rollout import Deployments
from pocai.server.serve import Server
from pocai.server.service import Service
from pocai.settings import ServerSettings, Settings

PATIENCE = 60.0  # seconds until a service must be up, on a busy machine


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers: where, its application, and its event loop."""

    url: str
    app: FastAPI
    settings: Settings
    loop: asyncio.AbstractEventLoop

    @property
    def service(self) -> Service:
        """The parts of the service; call their coroutines through `run`."""
        found = self.app.state.service
        assert isinstance(found, Service)
        return found

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the service's own loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)


def settings_for(folder: Path, **server: Any) -> Settings:
    """Settings of a small service on loopback whose state and whose host's files lie below ``folder``.

    ``server`` overrides fields of `ServerSettings`.
    """
    (folder / "uploads").mkdir(exist_ok=True)
    chosen: dict[str, Any] = {
        "port": 0,
        "state_dir": folder / "state",
        "workers": {"processes": 1},
        "host_application": {"roots": [folder / "uploads"]},
        "access": {"rate_per_key": "100000/minute", "rate_per_ip": "100000/minute"},
        **server,
    }
    return Settings.model_construct(server=ServerSettings.model_validate(chosen), threads=2)


@contextlib.contextmanager
def running_service(settings: Settings, deployments: Deployments | None = None) -> Iterator[Running]:
    """Serve in a thread until the block ends; the service is ready to read when the block begins."""
    server = Server(settings, deployments)
    loops: list[asyncio.AbstractEventLoop] = []
    faults: list[BaseException] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    def target() -> None:
        try:
            asyncio.run(run())
        except BaseException as fault:  # noqa: BLE001 - told to the test that waits below
            faults.append(fault)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + PATIENCE
        while not (server.started and server.config.app.state.service.pool.ready):  # type: ignore[union-attr]
            assert thread.is_alive(), faults
            assert time.monotonic() < until, "the service does not start"
            time.sleep(0.02)
        app = server.config.app
        assert isinstance(app, FastAPI)
        yield Running(f"http://127.0.0.1:{server.port}", app, settings, loops[0])
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the service does not stop"
        assert not faults, faults


@dataclass(slots=True)
class Process:
    """A service in a process of its own, for tests that kill it."""

    url: str
    popen: subprocess.Popen[bytes]
    uploads: Path

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.popen.send_signal(sig)
        return self.popen.wait(PATIENCE)


@contextlib.contextmanager
def service_process(folder: Path, port: int, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """`pocai serve` as its user would start it; killed at the end if it still runs."""
    (folder / "uploads").mkdir(exist_ok=True)
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("POCAI_")},
        "STORAGE_PATH": str(folder / "uploads"),
        "POCAI_SERVER__STATE_DIR": str(folder / "state"),
        "POCAI_SERVER__PORT": str(port),
        **(environment or {}),
    }
    command = [str(Path(sys.executable).with_name("pocai")), "serve"]
    with (folder / "service.log").open("ab") as log:
        popen = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        process = Process(f"http://127.0.0.1:{port}", popen, folder / "uploads")
        _until_ready(process)
        yield process
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait(PATIENCE)


def _until_ready(process: Process) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        assert process.popen.poll() is None, "the service ended at once"
        assert time.monotonic() < until, "the service does not start"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{process.url}/health/ready", timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
