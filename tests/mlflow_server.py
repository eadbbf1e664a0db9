"""A real MLflow server with passwords for tests, on a free loopback port; and MLflow's empty tables, made once."""

from __future__ import annotations

import os
import shutil
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
from pydantic import SecretStr
from redis_server import free_port

from pocai.mlops.connection import DATABASE, connect
from pocai.settings import MlopsSettings

PATIENCE = 120.0  # seconds that it may take to answer; alone on a machine it takes ten
ADMIN, PASSWORD = "admin", "not-a-secret-of-anybody"
_tables: list[Path] = []  # each test file has a fixture of its own
CONFIG = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/users.db
admin_username = {admin}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass(frozen=True, slots=True)
class MlflowServer:
    """A server that answers; ``folder`` holds all of its files."""

    url: str
    folder: Path

    def settings(self, folder: Path, user: str = ADMIN, password: str = PASSWORD, **more: Any) -> MlopsSettings:
        """Settings of a user whose own files lie in ``folder``; in a process the user that connects last counts."""
        return MlopsSettings(folder=folder, tracking=self.url, user=user, password=SecretStr(password), **more)

    def post(self, path: str, **content: Any) -> None:
        """Ask something of its API, as its administrator."""
        answer = httpx.post(f"{self.url}/api/{path}", json=content, auth=(ADMIN, PASSWORD), timeout=30)
        assert answer.is_success, answer.text

    def add_user(self, name: str, password: str) -> None:
        """Make a user, who may read everything."""
        self.post("2.0/mlflow/users/create", username=name, password=password)

    def allow(self, user: str, kind: str, which: str, permission: str) -> None:
        """Give a user more rights on one "experiment" or "registered_model"."""
        what = {"resource_type": kind, "resource_id": which, "permission": permission}
        self.post("3.0/mlflow/users/permissions/grant", username=user, **what)


@contextmanager
def running_mlflow(folder: Path) -> Iterator[MlflowServer]:
    """A server that keeps everything in ``folder``; ended with all of its processes."""
    config = folder / "users.ini"
    config.write_text(CONFIG.format(folder=folder, admin=ADMIN, password=PASSWORD), encoding="utf-8")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("POCAI_", "MLFLOW_"))},
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of its own jobs: they would take a core from the tests
    }
    stores = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files")]
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--app-name", "basic-auth", *stores, *where]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        server = MlflowServer(f"http://127.0.0.1:{port}", folder)
        _until_ready(server, process)
        yield server
    finally:
        _end(process)


def _until_ready(server: MlflowServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        log = (server.folder / "server.log").read_text(errors="replace")[-3000:]
        assert process.poll() is None, f"MLflow's server ended with {process.returncode}: {log}"
        assert time.monotonic() < until, f"MLflow's server does not answer: {log}"
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


@pytest.fixture(scope="session", name="mlflow_server")
def an_mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with running_mlflow(tmp_path_factory.mktemp("mlflow-server")) as server:
        yield server


@pytest.fixture(scope="session", name="mlflow_tables")
def empty_mlflow_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without content; making one takes seconds, copying it does not."""
    if not _tables:
        folder = tmp_path_factory.mktemp("mlflow-tables")
        connect(MlopsSettings(folder=folder))
        _tables.append(folder / DATABASE)
    return _tables[0]


@pytest.fixture(name="mlops")
def mlops_settings(tmp_path: Path, mlflow_tables: Path) -> MlopsSettings:
    """Settings of a registry of one's own, in files."""
    folder = tmp_path / "mlops"
    folder.mkdir(mode=0o700)
    shutil.copy(mlflow_tables, folder / DATABASE)
    return MlopsSettings(folder=folder)
