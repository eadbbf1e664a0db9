"""Training in several processes: killed and resumed, batches made elsewhere, one run on two processes."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import toy_tasks
from toy_tasks import Regression, trained

from pocai.training.batches import Span, batches
from pocai.training.checkpoints import read
from pocai.training.loop import train
from pocai.training.recipe import read_recipe
from pocai.training.task import Share
from pocai.training.tracker import CsvTracker

TOYS = Path(toy_tasks.__file__)
RECIPE = """
task = "{task}"
seed = 3
model = {model}
[loop]
steps = 30
threads = 1
learning_rate = 0.01
warmup_steps = 5
clip = 0.5
ema = 0.9
accumulate = 2
evaluate_every = 10
checkpoint_every = 8
"""


def recipe_file(folder: Path, task: str, model: str) -> Path:
    path = folder / f"{task}.toml"
    path.write_text(RECIPE.format(task=task, model=model))
    return path


def started(command: Sequence[str], recipe: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A training run in processes of its own, each with one thread."""
    words = [sys.executable, *command, str(TOYS), str(recipe), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)


def figures(folder: Path) -> dict[tuple[int, str], float]:
    """All that was logged but the speed."""
    with (folder / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({(row["step"], row["name"]) for row in rows}) == len(rows), "a figure stands in the log twice"
    return {(int(row["step"]), row["name"]): float(row["value"]) for row in rows if row["name"] != "steps_per_second"}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read(folder / "checkpoints" / "00000030.safetensors").tensors


def assert_same(one: Path, other: Path) -> None:
    """To the last bit: weights, averaged weights and moments of the optimiser, and to 6 digits all figures."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert not [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
    assert figures(one) == figures(other)


def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, "toy-killed", "{ dropout = 0.3, at = 47 }")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    assert started([], recipe, killed).returncode == -signal.SIGKILL
    checkpoints = sorted(path.name for path in (killed / "checkpoints").iterdir())
    assert checkpoints == ["00000008.safetensors", "00000016.safetensors"]  # step 20 was logged
    for folder in (killed, whole):
        train(Regression(dropout=0.3), read_recipe(recipe), folder, tracker=CsvTracker(folder))
    assert_same(killed, whole)


def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, "toy-regression", "{}")
    ended = started(["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"], recipe, tmp_path / "two")
    assert ended.returncode == 0, ended.stderr
    trained(read_recipe(recipe), tmp_path / "one")
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert two == pytest.approx(one, abs=1e-6, rel=2e-6)  # the log has 6 digits
    assert one[30, "loss/total"] < one[10, "loss/total"]
    torch.testing.assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"), atol=1e-6, rtol=1e-6)
    assert sorted(path.name for path in (tmp_path / "two").rglob("*")) == sorted(
        path.name for path in (tmp_path / "one").rglob("*")
    )


def test_batches_that_other_processes_prepare_train_the_same_weights(tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file(tmp_path, "toy-regression", "{ dropout = 0.3 }"))
    trained(recipe, tmp_path / "here")
    trained(recipe.with_values({"loop.workers": 2}), tmp_path / "elsewhere")
    assert_same(tmp_path / "elsewhere", tmp_path / "here")


def test_processes_that_prepare_batches_end_when_the_run_does() -> None:
    source = batches(Regression(), Span(5, 9, Share(1, 2)), workers=1)
    numbers, _ = next(source)
    assert torch.equal(numbers, Regression().batch(5, Share(1, 2))[0])
    (worker,) = multiprocessing.active_children()
    source.close()
    assert not worker.is_alive()
