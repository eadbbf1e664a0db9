"""``pocai models`` as somebody meets it who registers, promotes and takes back models."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_packages import EVIL_WEIGHTS, WEIGHTS, model, model_folder, package
from mlflow_server import empty_mlflow_tables, mlops_settings  # noqa: F401 - fixtures
from typer.testing import CliRunner, Result

from pocai.cli.models import app
from pocai.errors import ConfigurationError, Conflict, GateRefused, InputError, ModelError, UnknownModel, UntrustedModel
from pocai.mlops.registry import Registry
from pocai.models.signing import make_key, sign
from pocai.settings import MlopsSettings

Models = Callable[..., Result]


class Passed:
    passed = True


@pytest.fixture(name="models")
def the_command(mlops: MlopsSettings, monkeypatch: pytest.MonkeyPatch) -> Models:
    """Runs ``pocai models ARGUMENTS`` on a registry of its own."""
    monkeypatch.setenv("POCAI_MLOPS__FOLDER", str(mlops.folder))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(name="two")
def two_versions(models: Models, mlops: MlopsSettings, tmp_path: Path) -> Path:
    """Registers two versions of the layout model, of which the first has passed the gate; the folder of the second."""
    for number, weights in enumerate((model(), model() + b"\x12\x01x"), start=1):
        done = models("register", model_folder(tmp_path / str(number), weights), "--kind", "layout")
        assert done.stdout == f"layout@{number}\n", done.output
    report = tmp_path / "gate.md"
    report.write_text("# Passed")
    Registry.open(mlops).set_gate("layout", 1, Passed(), report)
    return tmp_path / "2"


def listed(models: Models) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(models("list", "--json").stdout)
    return found


def journalled(models: Models, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(models("history", "--json", *options).stdout)
    return found


# --- the registry -------------------------------------------------------------------------------------------------


def test_versions_are_listed(two: Path, models: Models) -> None:
    assert two.is_dir()
    assert [(each["name"], each["version"], each["gate"]) for each in listed(models)] == [
        ("layout", 1, "passed"),
        ("layout", 2, "none"),
    ]
    table = models("list", "layout").stdout
    assert "layout@1" in table
    assert "passed" in table
    assert isinstance(models("list", "student").exception, UnknownModel)


def test_a_version_is_shown_with_all_that_is_known(two: Path, models: Models) -> None:
    assert models("promote", "layout@1", "--actor", "ada", "--reason", "first").exit_code == 0
    shown = models("show", "layout@champion").stdout
    for said in ("layout@1", "champion", "**Licence:** MIT", "Gate:   passed", "gate.md", "promote by ada: first"):
        assert said in shown
    told = json.loads(models("show", "layout@1", "--json").stdout)
    assert (told["files"], told["data_sha256"]) == (["gate.md"], "d" * 64)
    assert [entry["action"] for entry in told["deployments"]] == ["promote"]
    assert told["run"]["id"] == told["run_id"]
    assert two.is_dir()


@pytest.mark.parametrize("reference", ["layout", "layout@", "@1"])
def test_a_version_must_be_named(reference: str, models: Models) -> None:
    for command in ("show", "pull", "promote", "deploy"):
        done = models(command, reference)
        assert done.exit_code == 2
        assert "names no version" in done.stderr


def test_a_version_is_fetched_and_verified(two: Path, models: Models) -> None:
    folder = Path(models("pull", "layout@2").stdout.strip())
    assert (folder / WEIGHTS).read_bytes() == (two / WEIGHTS).read_bytes()
    for what in ("layout@2", str(folder)):
        done = models("verify", what)
        assert done.exit_code == 0, done.output
        assert f"package {folder.name}" in done.stdout
        assert ": verified" in done.stdout
    (folder / WEIGHTS).write_bytes(b"other weights")
    error = models("verify", folder).exception
    assert isinstance(error, UntrustedModel)
    assert error.exit_code == 4
    assert models("verify", "layout@2").exit_code == 0, "it is fetched again"


def test_a_package_of_others_needs_their_key(models: Models, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "keys")
    folder = package(tmp_path)
    assert isinstance(models("verify", folder, "--key", public).exception, UntrustedModel)
    sign(folder, private)
    assert isinstance(models("verify", folder).exception, ConfigurationError)
    assert models("verify", folder, "--key", public).exit_code == 0


def test_an_evil_model_is_not_registered(models: Models, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", EVIL_WEIGHTS["pickle of protocol 4"])
    assert isinstance(models("register", folder, "--kind", "layout").exception, UntrustedModel)
    assert listed(models) == []


def test_a_version_is_told_as_json(models: Models, tmp_path: Path) -> None:
    options = ("--kind", "layout", "--name", "mine", "--description", "of mine", "--json")
    told = json.loads(models("register", model_folder(tmp_path / "model"), *options).stdout)
    assert (told["name"], told["version"], told["kind"]) == ("mine", 1, "layout")
    assert told["description"].startswith("of mine")


def test_a_key_is_made_and_used(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = models("key", tmp_path / "keys")
    assert done.exit_code == 0
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    assert models("register", model_folder(tmp_path / "model"), "--kind", "layout").exit_code == 0
    assert models("verify", "layout@1").exit_code == 0
    assert isinstance(models("key", tmp_path / "keys").exception, ConfigurationError)


# --- deployment ---------------------------------------------------------------------------------------------------


def test_a_version_is_promoted_and_taken_back(two: Path, models: Models) -> None:
    assert "layout@1 is champion" in models("promote", "layout@1").stderr
    forced = models("promote", "layout@2", "--force", "--reason", "the gate's set is old")
    assert "layout@2 is champion" in forced.stderr
    assert {each["version"]: each["aliases"] for each in listed(models)} == {1: ["previous"], 2: ["champion"]}
    assert "layout is read by layout@1" in models("rollback", "layout", "--reason", "worse").stderr
    assert "layout is read by what is shipped" in models("rollback", "layout").stderr
    assert isinstance(models("rollback", "layout").exception, Conflict)
    entries = journalled(models)
    assert [(each["action"], each["version"], each["reason"]) for each in entries] == [
        ("promote", 1, ""),
        ("promote", 2, "the gate's set is old"),
        ("rollback", 2, "worse"),
        ("rollback", 1, ""),
    ]
    assert {each["actor"] for each in entries} == {getpass.getuser()}
    assert entries[1]["details"]["forced"] is True
    assert two.is_dir()


def test_the_gate_is_not_passed_over_silently(two: Path, models: Models) -> None:
    assert isinstance(models("promote", "layout@2").exception, GateRefused)
    done = models("promote", "layout@2", "--force")
    assert done.exit_code == 2
    assert "needs a --reason" in done.stderr
    assert journalled(models) == []
    assert two.is_dir()


def test_a_version_is_tried_and_stopped(two: Path, models: Models) -> None:
    models("promote", "layout@1")
    trial = ("--mode", "canary", "--share", "0.2", "--force", "--reason", "to see", "--actor", "ada")
    done = models("deploy", "layout@2", *trial)
    assert "layout@2 is tried: canary, 20%" in done.stderr
    assert listed(models)[1]["aliases"] == ["challenger"]
    assert isinstance(models("deploy", "layout@2", *trial).exception, Conflict)
    assert "is over" in models("stop", "layout", "--actor", "ada").stderr
    assert isinstance(models("stop", "layout").exception, Conflict)
    assert [(each["action"], each["actor"]) for each in journalled(models)[1:]] == [("try", "ada"), ("stop", "ada")]
    assert two.is_dir()


@pytest.mark.parametrize("limit", ["p95", "p95=fast"])
def test_a_limit_is_a_number(limit: str, models: Models) -> None:
    done = models("deploy", "layout@1", "--limit", limit)
    assert done.exit_code == 2
    assert "NAME=NUMBER" in done.stderr


def test_a_limit_must_be_known(two: Path, models: Models) -> None:
    assert isinstance(models("deploy", "layout@1", "--limit", "colour=1").exception, InputError)
    assert two.is_dir()


def test_an_alias_names_a_version(two: Path, models: Models) -> None:
    models("promote", "layout@1")
    models("promote", "layout@2", "--force", "--reason", "to see")
    assert "layout@1 is champion" in models("promote", "layout@previous").stderr
    assert two.is_dir()


# --- the journal --------------------------------------------------------------------------------------------------


def test_the_journal_is_printed_and_checked(two: Path, models: Models) -> None:
    models("promote", "layout@1", "--actor", "ada", "--reason", "first")
    done = models("history", "--verify")
    assert done.exit_code == 0
    assert "1 lines, the chain holds, and the registry knows its end" in done.stderr
    for said in ("ada", "promote", "layout@1", "first"):
        assert said in done.stdout
    assert journalled(models, "student") == []
    assert two.is_dir()


@pytest.mark.parametrize(
    ("kept", "why"), [(2, "line 1 of the journal was changed"), (1, "newest about layout is line 1")]
)
def test_a_changed_journal_is_told(kept: int, why: str, two: Path, models: Models, mlops: MlopsSettings) -> None:
    models("promote", "layout@1", "--actor", "ada")
    models("rollback", "layout", "--actor", "ada")
    journal = mlops.folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([lines[0].replace("ada", "bob"), lines[1]] if kept > 1 else lines[:kept]))
    error = models("history", "--verify").exception
    assert isinstance(error, ModelError)
    assert error.exit_code == 4
    assert why in str(error)
    assert two.is_dir()


def test_it_is_part_of_pocai(mlops: MlopsSettings) -> None:
    environment = {**os.environ, "POCAI_MLOPS__FOLDER": str(mlops.folder)}
    (mlops.folder / "journal.jsonl").write_text("{}\n")
    command = [str(Path(sys.executable).with_name("pocai")), "models", "history", "--verify"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4
    assert "Error: line 1 of the journal is broken" in done.stderr
