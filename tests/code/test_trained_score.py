"""Studies of real trainings: bad ones end early, interrupted ones go on from their checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_tasks import recipe, toy, trained

from pocai.training.recipe import read_recipe
from pocai.training.search_space import Dimension, SearchSpace, read_space
from pocai.training.tasks import task_of
from pocai.training.trained_score import TrainedScore
from pocai.training.tune import StudyPlan, tune

RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = recipe(steps=200)
FIXED = {"loop.steps": 60, "loop.evaluate_every": 10}
RATES = SearchSpace({"loop.learning_rate": Dimension(low=1e-5, high=0.1, log=True)}, FIXED)


def test_a_study_of_trainings_finds_a_rate_that_learns(tmp_path: Path) -> None:
    plan = StudyPlan(tmp_path / "study.journal", 10, seed=1)
    result = tune(TrainedScore(tmp_path / "runs", toy), RECIPE, RATES, plan)
    scores = [trial.score for trial in result.trials if trial.score is not None]
    assert result.score < 0.5 * max(scores)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    assert all(0 < trial.evaluations < 6 for trial in pruned)
    assert len(list((tmp_path / "runs").iterdir())) == 10
    assert result.recipe.loop.steps == 200
    again = trained(result.recipe.with_values(FIXED), tmp_path / "again")
    assert again.best_score == pytest.approx(result.score)


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    made = RECIPE.with_values({**FIXED, "loop.checkpoint_every": 10})
    whole: list[tuple[int, float]] = []

    def keep(number: int, score: float) -> bool:
        whole.append((number, score))
        return False

    score = TrainedScore(tmp_path / "whole", toy)(made, keep)
    parts: list[tuple[int, float]] = []

    def stop_once(number: int, score: float) -> bool:
        if number == 4 and len(parts) == 3:
            parts.append((0, 0.0))
            raise KeyboardInterrupt
        parts.append((number, score))
        return False

    objective = TrainedScore(tmp_path / "parts", toy)
    with pytest.raises(KeyboardInterrupt):
        objective(made, stop_once)
    assert objective(made, stop_once) == score
    assert [number for number, _ in whole] == [1, 2, 3, 4, 5]
    assert [part for part in parts if part[0]] == whole


@pytest.mark.parametrize("path", sorted((RECIPES / "spaces").glob("*.toml")), ids=lambda path: path.stem)
def test_every_value_of_a_space_suits_the_recipe_of_its_name(path: Path) -> None:
    space, plain = read_space(path), read_recipe(RECIPES / path.name)
    for key, dimension in space.dimensions.items():
        for value in (dimension.low, dimension.high, *dimension.choices):
            if value is not None:
                assert task_of(plain.with_values({**space.fixed, key: value})).name == plain.task
