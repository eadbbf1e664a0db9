"""Workflows on a real MLflow server with passwords and a real Prefect server: killed, run again, and served there."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import command, done, environment
from mlflow_server import ADMIN, PASSWORD, MlflowServer
from prefect_server import PrefectServer, a_prefect_server  # noqa: F401 - a fixture

from pocai.mlops.registry import Registry
from pocai.models.package import checked

NAME = "train_and_promote"
STEPS = ["check data", "features", "train", "export", "register", "gate", "shadow"]
COSTLY = {"features", "train", "export", "gate"}
PATIENCE = 240.0  # seconds for what takes thirty on a quiet machine


@dataclass(frozen=True, slots=True)
class Done:
    """What a workflow told at its end and meanwhile, and where it was run."""

    told: dict[str, Any]
    log: str
    desk: Path
    servers: dict[str, str]


@pytest.fixture(scope="module", name="promoted")
def a_workflow_that_is_done(
    mlflow_server: MlflowServer, prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Done:
    desk = tmp_path_factory.mktemp("desk")
    servers = {
        "POCAI_MLOPS__TRACKING": mlflow_server.url,
        "POCAI_MLOPS__USER": ADMIN,
        "POCAI_MLOPS__PASSWORD": PASSWORD,
        "PREFECT_API_URL": prefect_server.url,
    }
    words = ("flow", "run", NAME, "--smoke", "--json")
    _killed_while_it_trains(words, desk, servers)
    ended = done(desk, *words, **servers)
    assert ended.returncode == 0, ended.stderr
    assert PASSWORD not in ended.stdout + ended.stderr
    return Done(json.loads(ended.stdout), ended.stderr, desk, servers)


def _killed_while_it_trains(words: tuple[str, ...], desk: Path, servers: dict[str, str]) -> None:
    log = desk / "killed.log"
    with log.open("wb") as stream:
        own = environment(desk, **servers)
        process = subprocess.Popen(command(*words), cwd=desk, env=own, stdout=stream, stderr=stream)
    until = time.monotonic() + PATIENCE
    while not list(desk.glob("mlops/flows/*/run/checkpoints/*.safetensors")):
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < until, log.read_text(errors="replace")
        time.sleep(0.05)
    process.kill()
    process.wait()


@pytest.fixture(name="serving")
def a_served_workflow(promoted: Done) -> Iterator[subprocess.Popen[bytes]]:
    same = ["recipe=recipes/document-smoke-tune.toml", "version=smoke", "measured=2", "frozen=small"]
    words = [word for each in same for word in ("-p", each)]
    log = (promoted.desk / "serve.log").open("wb")
    process = subprocess.Popen(
        command("flow", "serve", NAME, "--cron", "0 3 * * *", *words),
        cwd=promoted.desk,
        env=environment(promoted.desk, PREFECT_RUNNER_POLL_FREQUENCY="1", **promoted.servers),
        stdout=log,
        stderr=log,
    )
    with log:
        yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_one_command_makes_a_signed_challenger_on_real_servers(mlflow_server: MlflowServer, promoted: Done) -> None:
    told = promoted.told
    assert [each["step"] for each in told["steps"]] == STEPS
    assert told["gate"].startswith("passed")
    with Registry.open(mlflow_server.settings(promoted.desk / "mlops")) as registry:
        version = registry.get("layout", int(told["version"]))
        assert version.aliases == ("shadow",)
        assert checked(registry.pull(version)).digest == told["digest"]
        assert [entry.action for entry in registry.journal.entries()] == ["gate", "try"]
        assert registry.lineage(version).run["mlflow.runName"]


def test_what_was_killed_goes_on_where_it_was(promoted: Done) -> None:
    assert [each["step"] for each in promoted.told["steps"] if each["cached"]] == ["features"]
    assert "pages for train" not in promoted.log
    first, *_ = re.findall(r"^step (\d+)/12", promoted.log, re.MULTILINE)
    assert int(first) > 4  # of the checkpoint


def test_the_prefect_server_knows_all_of_it_and_no_password(prefect_server: PrefectServer, promoted: Done) -> None:
    assert promoted.told["flow"] == NAME
    _, run = prefect_server.runs(NAME)[:2]  # the first one was killed
    assert run["state_type"] == "COMPLETED"
    steps = prefect_server.steps(run["id"])
    assert len(steps) == len(STEPS)
    assert sorted(steps.values()) == ["Cached"] + ["Completed"] * (len(STEPS) - 1)
    assert PASSWORD not in json.dumps(run)


def test_a_served_workflow_runs_when_the_server_says_so_and_nothing_is_done_twice(
    prefect_server: PrefectServer, promoted: Done, serving: subprocess.Popen[bytes]
) -> None:
    log = promoted.desk / "serve.log"

    def deployments() -> list[dict[str, Any]]:
        assert serving.poll() is None, log.read_text(errors="replace")
        return list(prefect_server.post("deployments/filter", flows={"name": {"any_": [NAME]}}))

    (deployment,) = _until(deployments, log)
    assert [each["schedule"]["cron"] for each in deployment["schedules"]] == ["0 3 * * *"]
    run = prefect_server.post(f"deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})

    def ended() -> list[dict[str, Any]]:
        now = next(each for each in prefect_server.runs(NAME) if each["id"] == run["id"])
        return [now] if now["state_type"] in {"COMPLETED", "FAILED", "CRASHED"} else []

    (finished,) = _until(ended, log)
    assert finished["state_type"] == "COMPLETED", log.read_text(errors="replace")[-3000:]
    states = prefect_server.steps(run["id"])
    assert len(states) == len(STEPS)
    assert sorted(states.values()).count("Cached") == len(COSTLY)
    serving.send_signal(signal.SIGINT)
    serving.wait(60)
    listed = done(promoted.desk, "models", "list", "--json", **promoted.servers)
    versions = [each for each in json.loads(listed.stdout) if each.get("digest") == promoted.told["digest"]]
    assert len(versions) == 1


def _until(found: Any, log: Path) -> list[dict[str, Any]]:
    """What is found at last."""
    until = time.monotonic() + PATIENCE
    while not (some := found()):
        assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)
    return list(some)
