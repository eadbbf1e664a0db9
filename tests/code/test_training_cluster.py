"""Trials and trainings on a local Ray: the same weights as by torchrun, the same study, and processes that are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
import toy_tasks
from batches import below, until
from toy_tasks import Regression, losses_of, toy

from pocai.errors import ConfigurationError, ModelError
from pocai.inference.batch_ray import connected
from pocai.training.checkpoints import read
from pocai.training.cluster import Team, repeated, train_together
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.search_space import Dimension, SearchSpace
from pocai.training.task import Share
from pocai.training.tune import Report, StudyPlan, tune

TOYS = Path(toy_tasks.__file__)
RECIPE = """
task = "toy-regression"
seed = 3
[loop]
steps = 20
threads = 1
learning_rate = 0.01
warmup_steps = 5
clip = 0.5
ema = 0.9
accumulate = 2
evaluate_every = 10
checkpoint_every = 5
"""


@pytest.fixture(scope="module", autouse=True)
def a_cluster() -> Iterator[None]:
    """A Ray of this machine."""
    with pytest.MonkeyPatch.context() as environment:
        # its processes import from there
        environment.setenv("PYTHONPATH", os.pathsep.join(map(str, (TOYS.parent, Path(__file__).parent))))
        with connected(None, 2):
            yield
    until(lambda: not below(os.getpid(), "ray"), "the end of all that Ray started")


@pytest.fixture(name="recipe")
def a_recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "toy.toml").write_text(RECIPE)
    return read_recipe(tmp_path / "toy.toml")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read(folder / "checkpoints" / "00000020.safetensors").tensors


def assert_same(one: Path, other: Path) -> None:
    """To the last bit: weights, averaged weights and moments of the optimiser."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert not [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]


def by_torchrun(folder: Path) -> None:
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(TOYS)]
    command = [sys.executable, *words, str(folder.parent / "toy.toml"), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr


@dataclass(frozen=True)
class Once:
    """Makes the toy, whose second process a power cut ends at step 12, the first time only."""

    marks: Path

    def __call__(self, recipe: Recipe) -> Regression:
        del recipe
        return CutOnce(self.marks)


class CutOnce(Regression):
    def __init__(self, marks: Path) -> None:
        super().__init__()
        self._marks = marks

    def batch(self, step: int, share: Share) -> toy_tasks.Pair:
        mark = self._marks / f"cut-{os.getpid()}"
        if step == 24 and share.rank == 1 and not list(self._marks.glob("cut-*")):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step, share)


def cut_always(_: Recipe) -> Regression:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Wrong(Regression):
    """A task whose second process cannot make its data."""

    def batch(self, step: int, share: Share) -> toy_tasks.Pair:
        if share.rank == 1:
            raise ModelError("the data is not there", mend="Put it there")
        return super().batch(step, share)


def wrong(_: Recipe) -> Wrong:
    return Wrong()


def test_processes_on_ray_train_the_weights_that_torchrun_does_even_where_one_is_lost(
    recipe: Recipe, tmp_path: Path
) -> None:
    outcome = train_together(recipe, tmp_path / "ray", Team(2), Once(tmp_path))
    assert len(list(tmp_path.glob("cut-*"))) == 1, "one process was lost"
    by_torchrun(tmp_path / "torchrun")
    assert_same(tmp_path / "ray", tmp_path / "torchrun")
    losses = losses_of(tmp_path / "ray")
    assert losses == losses_of(tmp_path / "torchrun")
    assert losses[-1] < losses[0]
    assert (outcome.steps, outcome.weights) == (20, tmp_path / "ray" / "best.safetensors")
    assert outcome.weights.exists()


def test_a_training_that_loses_its_processes_each_time_ends(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocai.training.cluster.LOSSES", 1)
    with pytest.raises(ConfigurationError, match="lost 2 times"):
        train_together(recipe, tmp_path / "run", Team(1), cut_always)


def test_the_error_of_one_process_is_that_of_the_training(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the data is not there") as told:
        train_together(recipe, tmp_path / "run", Team(2), wrong)
    assert told.value.mend == "Put it there"


def test_a_team_that_the_cluster_has_no_room_for_is_refused(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocai.training.cluster.ROOM", 0.5)
    with pytest.raises(ConfigurationError, match="no room for 3 processes"):
        train_together(recipe, tmp_path / "run", Team(3), toy)


# --- studies -----------------------------------------------------------------------------------------------------

SPACE = SearchSpace({"model.width": Dimension(low=1, high=20)}, {})
TOY = Recipe.model_validate({"task": "toy", "model": {"width": 8}, "loop": {"threads": 1}})


def bowl(recipe: Recipe, report: Report) -> float:
    """Lowest for a width of 4; one above 15 is refused."""
    report(1, 0.0)
    if recipe.model["width"] > 15:
        raise ModelError("too wide")
    return float((recipe.model["width"] - 4) ** 2)


@dataclass(frozen=True)
class Killing:
    """An objective whose process is killed in its second trial."""

    marks: Path

    def __call__(self, recipe: Recipe, report: Report) -> float:
        tries = len(list(self.marks.glob("try-*")))
        (self.marks / f"try-{tries}-{os.getpid()}").touch()
        if tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return bowl(recipe, report)


def test_a_study_on_ray_makes_all_its_trials_in_other_processes(tmp_path: Path) -> None:
    ended: list[tuple[int, int]] = []
    plan = StudyPlan(tmp_path / "study.journal", 6, workers=2, engine="ray")
    result = tune(bowl, TOY, SPACE, plan, lambda done, total: ended.append((done, total)))
    assert len(result.trials) == 6
    assert {trial.state for trial in result.trials} <= {"complete", "fail"}
    assert ended[-1] == (6, 6)
    assert result.score == min(trial.score or 0.0 for trial in result.trials if trial.state == "complete")


def test_a_study_that_loses_a_process_still_makes_all_its_trials(tmp_path: Path) -> None:
    plan = StudyPlan(tmp_path / "study.journal", 4, workers=1, engine="ray")
    result = tune(Killing(tmp_path), TOY, SPACE, plan)
    states = [trial.state for trial in result.trials]
    assert states.count("running") == 1, "the one that was lost"
    assert len(states) == 5


def fails(marks: Path) -> None:
    (marks / f"ran-{os.getpid()}").touch()
    raise ValueError("a fault of the objective")


def test_a_fault_ends_the_study_with_itself(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a fault of the objective"):
        list(repeated(partial(fails, tmp_path), 3, 1, 1))
    assert len(list(tmp_path.glob("ran-*"))) == 1


def test_processes_that_die_each_time_end_the_study() -> None:
    with pytest.raises(ConfigurationError, match="processes of the study were lost"):
        list(repeated(partial(os._exit, 1), 3, 1, 1))
