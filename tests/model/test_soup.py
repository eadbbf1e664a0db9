"""The mean of the weights of runs: it is their mean, it is evaluated, and nothing worse than them is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pocai.errors import InputError, ModelError
from pocai.training import checkpoints
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.soup import average_runs
from pocai.training.tasks import task_of

SMOKE = Path(__file__).parents[2] / "recipes/ocr-student-smoke.toml"
SMALL = {"data.made": 8, "data.made_validation": 4}


def run(folder: Path, seed: int, score: float, recipe: Recipe) -> Path:
    """A folder as a run leaves it, with random weights and the score that it claims."""
    torch.manual_seed(seed)
    tensors = checkpoints.network_tensors(task_of(recipe).build())
    state = {"recipe": recipe.model_dump(mode="json"), "metrics": {"score": score}}
    checkpoints.write(folder / "best.safetensors", checkpoints.Checkpoint(tensors, state))
    (folder / "run.json").write_text(f'{{"data": "{seed}"}}', encoding="utf-8")
    return folder / "best.safetensors"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(SMOKE).with_values(SMALL)


def test_the_mean_is_written_with_its_own_metrics_as_the_last_run(recipe: Recipe, tmp_path: Path) -> None:
    runs = [run(tmp_path / str(seed), seed, 1e6, recipe) for seed in (1, 2, 3)]
    mean = checkpoints.read(average_runs(runs, tmp_path / "mean"))
    held = [checkpoints.read(file).tensors for file in runs]
    for name, tensor in mean.tensors.items():
        if tensor.is_floating_point():
            wanted = torch.stack([each[name] for each in held]).mean(dim=0)
            assert torch.allclose(tensor, wanted, atol=1e-6), name
    assert 0 < mean.state["metrics"]["score"] < 1e6
    assert Recipe.model_validate(mean.state["recipe"]) == recipe
    assert (tmp_path / "mean/run.json").read_text(encoding="utf-8") == '{"data": "3"}'


def test_a_mean_that_is_no_better_is_not_written(recipe: Recipe, tmp_path: Path) -> None:
    runs = [run(tmp_path / str(seed), seed, 0.0, recipe) for seed in (1, 2)]
    with pytest.raises(ModelError, match="no better than the best of the runs"):
        average_runs(runs, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_other_networks_and_single_runs_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    first = run(tmp_path / "1", 1, 1e6, recipe)
    with pytest.raises(InputError, match="at least two"):
        average_runs([first], tmp_path / "mean")
    other = run(tmp_path / "2", 2, 1e6, recipe.with_values({"model.mixer": 64}))
    with pytest.raises(ModelError):
        average_runs([first, other], tmp_path / "mean")
