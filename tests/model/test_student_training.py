"""The student learns, is the same after an interruption, and reads the same from ONNX as in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pocai.models.line_image import HEIGHT
from pocai.models.student_network import MULTIPLE, STEP, StudentConfig, StudentNetwork
from pocai.training import checkpoints
from pocai.training.loop import Outcome, train
from pocai.training.ocr_model.export import difference, export
from pocai.training.ocr_model.shipping import trained_network
from pocai.training.ocr_model.student import error_rate, read_lines
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.tasks import task_of

RECIPES = Path(__file__).parents[2] / "recipes"
TINY = StudentConfig(channels=(4, 8, 16, 16), blocks=(0, 0, 1), mixer=32, layers=1, heads=2)


def trained(recipe: Recipe, folder: Path) -> Outcome:
    return train(task_of(recipe), recipe, folder)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The run of `make train-smoke`."""
    return trained(read_recipe(RECIPES / "ocr-student-smoke.toml"), tmp_path_factory.mktemp("smoke"))


def test_a_tiny_student_learns_to_read(smoke: Outcome) -> None:
    state = checkpoints.read(next((smoke.folder / "checkpoints").glob("*.safetensors"))).state
    rates = [evaluation["cer/clean"] for evaluation in state["run"]["history"]]
    assert rates[-1] < 0.7 < rates[0]
    assert smoke.best_score == min(rates)


def test_its_best_weights_read_as_the_run_says(smoke: Outcome) -> None:
    task = task_of(read_recipe(RECIPES / "ocr-student-smoke.toml"))
    (lines,) = task.validation.values()  # type: ignore[attr-defined]  # a student task
    read = read_lines(trained_network(smoke.weights), lines)
    assert error_rate(read, [lines.text(number) for number in range(len(lines))]) == smoke.best_score


def test_the_exported_network_computes_what_torch_does(smoke: Outcome, tmp_path: Path) -> None:
    network = trained_network(smoke.weights)
    assert difference(network, export(network, tmp_path / "student.onnx"), seed=5) < 1e-4


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    small = {"data.made": 64, "data.made_validation": 8, "loop.steps": 6, "loop.warmup_steps": 1, "data.augment": 0.5}
    often = {"loop.evaluate_every": 3, "loop.checkpoint_every": 3, "model.dropout": 0.1}
    recipe = read_recipe(RECIPES / "ocr-student-smoke.toml").with_values({**small, **often})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(recipe, whole)
    (whole / "checkpoints" / "00000006.safetensors").rename(tmp_path / "end")
    parts.mkdir()
    (whole / "checkpoints").rename(parts / "checkpoints")  # what a run leaves that was stopped after three steps
    trained(recipe, parts)
    want = checkpoints.read(tmp_path / "end").tensors
    have = checkpoints.read(parts / "checkpoints" / "00000006.safetensors").tensors
    assert want.keys() == have.keys()
    assert all(torch.equal(want[name], have[name]) for name in want)


def test_the_shipped_recipe_stays_below_three_million_parameters() -> None:
    recipe = read_recipe(RECIPES / "ocr-student.toml")
    network = StudentNetwork(StudentConfig.model_validate(recipe.model))
    assert sum(parameter.numel() for parameter in network.parameters()) <= 3_000_000


@pytest.mark.parametrize("width", [MULTIPLE, 160, 800])
def test_any_width_gives_a_vector_for_four_pixels(width: int) -> None:
    lines = torch.randint(0, 256, (2, 1, HEIGHT, width), dtype=torch.uint8)
    scores = StudentNetwork(TINY).eval()(lines)
    assert scores.shape == (2, width // STEP, TINY.classes)
    assert np.allclose(scores.exp().sum(dim=-1).detach().numpy(), 1, atol=1e-4)
