"""Runs on MLflow: all is told once, whatever becomes of servers, disks and processes meanwhile."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from door import door_to
from mlflow_server import (  # noqa: F401 - fixtures
    MlflowServer,
    empty_mlflow_tables,
    mlops_settings,
)
from toy_tasks import Regression, recipe, toy
from tracked_toys import tracked
from typer.testing import CliRunner
from watched import eventually

import pocai.cli
from pocai.errors import ConfigurationError, RegistryError
from pocai.mlops import provenance
from pocai.mlops.connection import connect
from pocai.mlops.delivery import COMMIT, DATA, KEY, PARENT, STATUS, flat
from pocai.mlops.provenance import data_manifest, sha256_of
from pocai.mlops.replay import replay, unsent
from pocai.mlops.spool import LINES, STATE, Spool
from pocai.mlops.tracking import MlflowTracker, TrackedTrials, Trackers
from pocai.settings import MlopsSettings
from pocai.training.loop import train
from pocai.training.recipe import Recipe, digest, read_recipe
from pocai.training.recipe_text import as_toml
from pocai.training.search_space import Dimension, SearchSpace
from pocai.training.tracker import CsvTracker
from pocai.training.trained_score import TrainedScore
from pocai.training.tune import StudyPlan, tune

NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port


class Told:
    """What MLflow knows of the run in a folder."""

    def __init__(self, folder: Path, settings: MlopsSettings) -> None:
        self.client = connect(settings)
        self.id = json.loads((folder / STATE).read_text())["run_id"]
        run = self.client.get_run(self.id)
        self.tags, self.params, self.status = run.data.tags, run.data.params, run.info.status
        self.names = sorted(run.data.metrics)

    def rows(self) -> list[tuple[int, str, float]]:
        """Every row of every metric, as they lie in the store: step, name, value."""
        return [
            (row.step, name, row.value) for name in self.names for row in self.client.get_metric_history(self.id, name)
        ]

    def files(self, under: str = "") -> set[str]:
        return {item.path for item in self.client.list_artifacts(self.id, under or None)}

    def file(self, name: str, target: Path) -> Path:
        return Path(self.client.download_artifacts(self.id, name, str(target)))


def written(folder: Path) -> list[tuple[int, str, float]]:
    """What the log of `CsvTracker` says."""
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        return [(int(step), name, float(value)) for step, name, value in list(csv.reader(stream))[1:]]


def assert_same(told: Told, folder: Path) -> None:
    """All figures of the log are in MLflow, each once, and no others."""
    wanted = {(step, name): value for step, name, value in written(folder)}
    rows = told.rows()
    assert Counter((step, name) for step, name, _ in rows) == Counter(list(wanted))
    timed = [value for (_, name), value in wanted.items() if name == "steps_per_second"]
    assert len(timed) > 0
    for step, name, value in rows:
        if name != "steps_per_second":  # a resumed run has measured its time anew
            assert value == pytest.approx(wanted[step, name], rel=1e-5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    data = tmp_path_factory.mktemp("data")
    (data / "part").mkdir()
    (data / "part" / "a.npz").write_bytes(b"some pages")
    return recipe(steps=45, evaluate_every=20).with_values({"data.files": {str(data): 2}, "data.odd name!": [1, 2]})


def test_a_run_is_told_with_all_that_it_came_from(made: Recipe, mlops: MlopsSettings, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    tracker = tracked(made, folder, mlops)
    told = Told(folder, mlops)
    assert tracker.run_id == told.id
    assert (folder / "run.json").is_file()
    assert_same(told, folder)
    assert told.params == flat(made.model_dump(mode="json"))
    assert told.params["loop.learning_rate"] == "0.02"
    assert told.params["data.odd name_"] == "[1, 2]"
    assert (told.status, told.tags[STATUS], told.tags[KEY]) == ("FINISHED", "finished", tracker.key)
    assert told.tags[DATA] == digest({"data": made.data, "seed": made.seed})
    assert told.tags.get(COMMIT) == provenance.revision().commit
    assert told.client.get_experiment_by_name(made.task) is not None
    files = {"recipe.toml", "environment.json", "data-manifest.json", "curves.svg", "best.safetensors"}
    assert told.files() == files
    assert read_recipe(told.file("recipe.toml", tmp_path)) == made
    environment = json.loads(told.file("environment.json", tmp_path).read_text())
    assert environment["packages"]["torch"]
    assert environment["code"]["source"] == provenance.revision().source
    curves = ET.parse(told.file("curves.svg", tmp_path))
    titles = [text.text for text in curves.iter("{http://www.w3.org/2000/svg}text") if text.get("font-weight")]
    assert titles == ["losses", "evaluation", "learning rate"]
    assert sha256_of(told.file("best.safetensors", tmp_path)) == sha256_of(folder / "best.safetensors")
    (listed,) = json.loads(told.file("data-manifest.json", tmp_path).read_text())["files"]
    assert (listed["bytes"], listed["sha256"]) == (10, sha256_of(Path(listed["file"])))
    assert unsent(mlops) == ()


def test_content_of_data_is_hashed_wherever_a_recipe_names_it(tmp_path: Path) -> None:
    weights, page = tmp_path / "w.safetensors", tmp_path / "pages" / "1.npz"
    page.parent.mkdir()
    for file in (weights, page):
        file.write_bytes(file.name.encode())
    told = Recipe(task="t", initial=weights, data={"validation": [str(page.parent)], "layouts": "train", "none": ""})
    assert [each["file"] for each in data_manifest(told)] == [str(page), str(weights)]


def test_a_server_that_goes_and_comes_loses_and_doubles_nothing(
    mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = tmp_path / "run"

    class Shutting(MlflowTracker):
        """Shuts the door, or opens it, when certain steps are told."""

        def metrics(self, step: int, values: Mapping[str, float]) -> None:
            super().metrics(step, values)
            if step == 20 and "loss/total" in values:
                door.open()
                eventually(lambda: self._sender is not None and self._sender._try())  # as its thread will, later
                assert self.run_id is not None
            if step == 40 and "loss/total" in values:
                door.shut()

    with door_to(mlflow_server.url) as door:
        settings = mlflow_server.settings(tmp_path / "mlops")
        settings = settings.model_copy(update={"tracking": door.url})
        tracker = Shutting(folder, settings, patience=1.0)
        made = recipe(steps=60, evaluate_every=20)
        train(Regression(), made, folder, tracker=Trackers(CsvTracker(folder), tracker))
        assert unsent(settings) == (folder,)
        sent = Spool(folder).sent()
        with pytest.raises(RegistryError):
            replay(settings)
        door.open()
        done = replay(settings)
        assert (done.runs, done.left) == (1, ())
        assert done.records > 0
        told = Told(folder, settings)
        assert_same(told, folder)
        assert told.status == "FINISHED"
        assert unsent(settings) == ()
        Spool(folder).note(sent)  # as if it had died after sending, before it noted that
        assert replay(settings, tmp_path).records == done.records
        assert_same(Told(folder, settings), folder)
        (folder / STATE).unlink()  # even if it forgot all of that
        replay(settings, folder)
        again = Told(folder, settings)
        assert again.id == told.id
        assert_same(again, folder)


def test_a_killed_run_is_replayed_and_resumed_as_one(mlops: MlopsSettings, tmp_path: Path) -> None:
    folder, kill = tmp_path / "run", {"dropout": 0.2, "at": 47}
    made = recipe("toy-killed", model=kill, steps=60, evaluate_every=10, checkpoint_every=10, threads=1)
    (tmp_path / "killed.toml").write_text(as_toml(made))
    away = mlops.model_copy(update={"tracking": NOWHERE})
    program = Path(__file__).parents[1] / "tracked_toys.py"
    command = [sys.executable, str(program), str(tmp_path / "killed.toml"), str(folder), away.model_dump_json()]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert max(step for step, _, _ in written(folder)) == 40
    with (folder / LINES).open("a") as stream:
        stream.write('{"kind": "metrics", "at": 17')  # a line that it did not end
    assert unsent(mlops) == (folder,)
    replay(mlops)
    killed = Told(folder, mlops)
    assert killed.status == "KILLED"
    assert_same(killed, folder)
    state = next((folder / "checkpoints").glob("*40.safetensors"))
    assert state.is_file()
    state.unlink()  # the newest was damaged: what was told of steps 31 to 40 comes again
    made = made.with_values({"loop.keep": 3})

    class Spared(Regression):
        name = "toy-killed"

    tracker = MlflowTracker(folder, mlops)
    train(Spared(0.2), made, folder, tracker=Trackers(CsvTracker(folder), tracker))
    told = Told(folder, mlops)
    assert (told.id, told.status) == (killed.id, "FINISHED")
    assert_same(told, folder)
    assert (told.params["loop.keep"], told.tags["resumed with loop.keep"]) == ("2", "3")


def test_no_fault_of_a_tracker_ends_a_training(
    tmp_path: Path, mlops: MlopsSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    tracker = MlflowTracker(tmp_path / "file" / "spool", mlops.model_copy(update={"tracking": "ftp://x"}))
    outcome = train(Regression(), recipe(steps=5), tmp_path / "run", tracker=tracker)
    assert outcome.steps == 5
    assert tracker.run_id is None
    assert "Traceback" not in capfd.readouterr().err


def test_a_run_that_goes_on_is_left_to_itself(tmp_path: Path, mlops: MlopsSettings) -> None:
    tracker = MlflowTracker(tmp_path / "run", mlops.model_copy(update={"tracking": NOWHERE}), patience=0)
    tracker.start(recipe(steps=5), "d" * 64)
    assert replay(mlops).left == (tmp_path / "run",)
    tracker.finish("failed")
    assert tracker._sender is not None
    tracker._sender.join(60)
    assert replay(mlops).runs == 1
    assert Told(tmp_path / "run", mlops).status == "FAILED"
    with pytest.raises(ConfigurationError, match="no tracked run"):
        replay(mlops, tmp_path / "nothing")


def test_trials_are_part_of_their_study(tmp_path: Path, mlops: MlopsSettings) -> None:
    made, space = (
        recipe(steps=4, evaluate_every=2),
        SearchSpace({"loop.learning_rate": Dimension(low=1e-3, high=1e-1)}, {}),
    )
    study = MlflowTracker(tmp_path, mlops)
    study.start(made, space.fingerprint)
    score = TrainedScore(tmp_path / "trials", toy, TrackedTrials(mlops, study.key))
    found = tune(score, made, space, StudyPlan(tmp_path / "study.journal", trials=2, workers=2))
    for path in found.write(tmp_path):
        study.artefact(path)
    study.finish("finished")
    whole = Told(tmp_path, mlops)
    assert {"best.toml", "trials.csv", "importance.csv"} <= whole.files()
    trials = [Told(folder, mlops) for folder in (tmp_path / "trials").iterdir()]
    assert [trial.tags[PARENT] for trial in trials] == [whole.id] * 2
    assert {trial.status for trial in trials} == {"FINISHED"}
    assert len({trial.params["loop.learning_rate"] for trial in trials}) == 2
    scores = [value for trial in trials for _, name, value in trial.rows() if name == "evaluation/score"]
    assert found.score == pytest.approx(min(scores), rel=1e-5)


def test_any_training_is_tracked_by_an_option(
    tmp_path: Path, mlops: MlopsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCAI_MLOPS__FOLDER", str(mlops.folder))
    root = Path(__file__).parents[2]
    small = ["loop.steps=2", "loop.warmup_steps=0", "data.made=2", "data.made_validation=1", "data.batch=1"]
    values = [part for value in small for part in ("--set", value)]
    recipe_file = str(root / "recipes" / "document-base-smoke.toml")
    command = ["train", "document-base", "-r", recipe_file, *values, "--measured", "1", "--track"]
    done = CliRunner().invoke(pocai.cli.app, [*command, "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    told = Told(tmp_path / "run", mlops)
    assert told.status == "FINISHED"
    assert {"best.safetensors", "page-1.png"} <= told.files()
