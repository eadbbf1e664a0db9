"""How MLflow is reached: what is made, what is refused, and that nothing is told to anybody else."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_packages import model_folder
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from registries import a_registry  # noqa: F401 - a fixture

from pocai.errors import ConfigurationError, RegistryError
from pocai.mlops.connection import DATABASE, connect, own_folder
from pocai.mlops.registry import Registry
from pocai.settings import MlopsSettings


def test_only_we_may_look_into_the_folder(registry: Registry, mlops: MlopsSettings) -> None:
    assert registry.versions() == ()
    assert stat.S_IMODE(own_folder(mlops).stat().st_mode) == 0o700


def test_nothing_is_asked_of_another_machine(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *names, **_: asked.append(names))
    registry.pull(registry.register(model_folder(tmp_path / "model"), "layout", kind="layout"))
    assert asked == []


CONNECT = """
import sys
from pathlib import Path
asked = []
names = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}
sys.addaudithook(lambda event, arguments: event in names and asked.append((event, arguments[-1])))
from pocai.mlops.registry import Registry
from pocai.settings import MlopsSettings
print(Registry.open(MlopsSettings(folder=Path(sys.argv[1]))).versions())
from mlflow.telemetry.client import get_telemetry_client
print(get_telemetry_client(), asked)  # without a client MLflow reports no use
"""


def test_processes_that_begin_at_once_make_one_database_and_ask_nobody(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTEST_", "CI"))}
    command = [sys.executable, "-W", "ignore", "-c", CONNECT, str(tmp_path / "new")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=plain) for _ in range(2)]
    for process in running:
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, b"()\nNone []\n"), error.decode()


@pytest.mark.parametrize(
    ("tracking", "why"),
    [
        ("http://ada:s3cret@127.0.0.1:5000", "holds a password"),
        ("postgresql://ada:s3cret@db/mlflow", "'postgresql' address"),
        ("mlruns", "'no' address"),
    ],
)
def test_addresses_that_cannot_be_used_are_told(tracking: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        connect(MlopsSettings(folder=tmp_path, tracking=tracking))
    assert "s3cret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        connect(MlopsSettings(folder=tmp_path / "file" / "mlops"))


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RegistryError, match="cannot be reached, or refuses"):
        connect(MlopsSettings(folder=tmp_path))


def test_a_database_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    settings = MlopsSettings(folder=tmp_path)
    program = (
        "import os, signal, threading, time, sys; from pathlib import Path; from pocai.mlops.connection import connect;"
        "from pocai.settings import MlopsSettings; folder = Path(sys.argv[1]);"
        "threading.Thread(target=lambda: connect(MlopsSettings(folder=folder)), daemon=True).start()\n"
        "while not any(each.stat().st_size > 100_000 for each in folder.glob('*mlflow.db')): time.sleep(0.002)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / DATABASE).exists()
    assert connect(settings).search_experiments(max_results=1)
