"""The registry on a real MLflow server with passwords: who may register, promote and read, and where passwords go."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from made_packages import model_folder
from mlflow_server import PASSWORD, MlflowServer

from pocai.errors import NotAllowed, RegistryError, UnknownModel
from pocai.mlops.connection import connect
from pocai.mlops.registry import Registry
from pocai.models.package import checked
from pocai.settings import MlopsSettings

READER = ("reader", "reads-only-0123")


@pytest.fixture(scope="module", name="home")
def a_registry_with_a_model(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an administrator, who has registered a model; there is a user who may only read."""
    folder = tmp_path_factory.mktemp("admin")
    Registry.open(mlflow_server.settings(folder)).register(model_folder(folder / "model"), "layout", kind="layout")
    mlflow_server.add_user(*READER)
    return folder


def reading(server: MlflowServer, home: Path, folder: Path) -> Registry:
    """The registry as the reader has it."""
    settings = server.settings(folder, *READER, trusted_keys=(home / "keys" / "public.pem",))
    return Registry.open(settings)


def test_all_of_it_works_on_a_server(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    registry = Registry.open(mlflow_server.settings(tmp_path / "own"))
    version = registry.register(model_folder(tmp_path / "model"), "all", kind="layout", description="first")
    assert checked(registry.pull(version)).digest == version.digest
    registry.set_alias("all", "champion", 1)
    registry.set_alias("all", "previous", None)
    registry.write_state("all", "running")
    registry.write_head("all", "ab")
    registry.attach(version, tmp_path / "model" / "notes.txt")
    assert registry.get("all", "champion").aliases == ("champion",)
    assert [each.aliases for each in registry.versions("all")] == [("champion",)]
    assert (registry.read_state("all"), registry.heads()["all"]) == ("running", "ab")
    assert registry.fetch(version, "notes.txt", tmp_path / "out").read_bytes() == b"x"
    assert registry.lineage(version).run["mlflow.runName"] == "all registered"
    registry.write_state("all", "")
    registry.set_alias("all", "champion", None)
    assert (registry.read_state("all"), registry.aliases("all")) == (None, {})
    for reference in (7, "champion"):
        with pytest.raises(UnknownModel, match="there is no model all@"):
            registry.get("all", reference)
    with pytest.raises(UnknownModel, match="there is no model none"):
        registry.get("none", 1)


def test_who_may_read_may_use(mlflow_server: MlflowServer, home: Path, tmp_path: Path) -> None:
    registry = reading(mlflow_server, home, tmp_path / "reader")
    version = registry.get("layout", 1)
    assert checked(registry.pull(version)).digest == version.digest
    assert version in registry.versions()


def test_who_may_read_may_not_write(mlflow_server: MlflowServer, home: Path, tmp_path: Path) -> None:
    registry = reading(mlflow_server, home, tmp_path / "reader")
    version = registry.get("layout", 1)
    calls: list[Callable[[], None]] = [
        lambda: registry.set_alias("layout", "champion", 1),
        lambda: registry.write_state("layout", "x"),
        lambda: registry.write_head("layout", "x"),
        lambda: registry.attach(version, home / "model" / "notes.txt"),
    ]
    for call in calls:
        with pytest.raises(NotAllowed, match="does not allow this"):
            call()
    own = Registry.open(mlflow_server.settings(tmp_path / "reader", *READER))
    with pytest.raises(NotAllowed, match="does not allow this"):
        own.register(home / "model", "layout", kind="layout", run_id=version.run_id)
    assert [each.version for each in own.versions("layout")] == [1]
    assert own.aliases("layout") == {}


def test_who_may_edit_may_promote(mlflow_server: MlflowServer, home: Path, tmp_path: Path) -> None:
    mlflow_server.add_user("operator", "promotes-only-0123")
    mlflow_server.allow("operator", "registered_model", "layout", "MANAGE")  # an alias is taken away by who may delete
    settings = mlflow_server.settings(tmp_path / "operator", "operator", "promotes-only-0123")
    registry = Registry.open(settings)
    registry.set_alias("layout", "shadow", 1)
    assert registry.aliases("layout") == {"shadow": 1}
    registry.set_alias("layout", "shadow", None)
    assert home.exists()


def test_a_wrong_password_is_refused(mlflow_server: MlflowServer, home: Path, tmp_path: Path) -> None:
    assert home.exists()
    for settings in (
        mlflow_server.settings(tmp_path, "reader", "another-one-0123"),
        mlflow_server.settings(tmp_path, "nobody", "another-one-0123"),
        MlopsSettings(folder=tmp_path, tracking=mlflow_server.url.replace("127.0.0.1", "localhost")),
    ):
        with pytest.raises(NotAllowed, match="Check POCAI_MLOPS__USER") as caught:
            connect(settings)
        assert "another-one-0123" not in str(caught.value)


def test_passwords_are_not_in_the_environment(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    connect(mlflow_server.settings(tmp_path))
    assert not [name for name, value in os.environ.items() if PASSWORD in value]


class Listening(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    heard: list[str | None]

    def do_GET(self) -> None:
        self.heard.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"files": []}')

    def log_message(self, *_: Any) -> None: ...


def test_passwords_go_to_their_server_only(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    heard: list[str | None] = []
    server = HTTPServer(("127.0.0.1", 0), type("Ours", (Listening,), {"heard": heard}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = connect(mlflow_server.settings(tmp_path))
        run = client.create_run(client.create_experiment("elsewhere")).info.run_id
        place = f"mlflow-artifacts://127.0.0.1:{server.server_port}/x"
        with closing(sqlite3.connect(mlflow_server.folder / "server.db")) as database, database:
            database.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", [place, run])
        assert client.list_artifacts(run) == []
    finally:
        server.shutdown()
        server.server_close()
    assert heard == [None]


def test_a_server_that_is_away_is_told_soon(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(RegistryError, match="cannot be reached"):
        connect(MlopsSettings(folder=tmp_path, tracking="http://127.0.0.1:9"))
    assert time.monotonic() - begun < 20
