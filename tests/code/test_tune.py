"""Studies: spaces are read, trials pruned, resumed and shared, and the best recipe comes out as a file."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import ConfigurationError, ModelError
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.recipe_text import as_toml
from pocai.training.search_space import Dimension, SearchSpace, read_space
from pocai.training.study_result import StudyResult
from pocai.training.tune import Pruned, Pruner, Report, StudyPlan, tune

PATIENCE = 240  # seconds to wait for another process on a busy machine
RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = Recipe(task="toy", model={"width": 8, "shape": [1, 2]}, loss={"weight": 1.0})
SPACE = SearchSpace(
    {
        "loop.learning_rate": Dimension(low=1e-5, high=1e-1, log=True),
        "model.width": Dimension(low=2, high=10, step=2),
        "model.shape": Dimension(choices=([1, 2], [3, 4, 5])),
    },
    {"loop.steps": 7},
)


def bowl(recipe: Recipe, report: Report | None = None) -> float:
    """Lowest, at 0, for a width of 4 and the longer shape; the rate does not matter."""
    del report
    assert recipe.loop.steps == 7
    return float((recipe.model["width"] - 4) ** 2 + (0 if recipe.model["shape"] == [3, 4, 5] else 3))


def plan(folder: Path, trials: int, **more: Any) -> StudyPlan:
    return StudyPlan(**{"storage": folder / "study.journal", "trials": trials, **more})


def states(result: StudyResult) -> list[str]:
    return [trial.state for trial in result.trials]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return tune(bowl, RECIPE, SPACE, plan(tmp_path_factory.mktemp("study"), 20, seed=3))


def test_the_best_trial_becomes_a_recipe_without_the_fixed_values(result: StudyResult) -> None:
    scores = [trial.score for trial in result.trials]
    assert result.score == min(score for score in scores if score is not None)
    best = result.trials[result.number]
    assert best.score == result.score
    assert result.recipe == RECIPE.with_values(best.values)
    assert result.recipe.loop.steps == RECIPE.loop.steps
    assert bowl(result.recipe.with_values({"loop.steps": 7})) == result.score
    assert result.score <= 3


def test_the_best_recipe_and_the_summary_are_written(result: StudyResult, tmp_path: Path) -> None:
    best, trials, importance = result.write(tmp_path / "out")
    assert read_recipe(best) == result.recipe
    with trials.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["number"]) for row in rows] == list(range(20))
    assert rows[result.number]["score"] == str(result.score)
    assert rows[result.number]["model.width"] == str(result.recipe.model["width"])
    assert importance.read_text(encoding="utf-8").startswith("key,importance\nmodel.width,")


def test_what_matters_is_told(result: StudyResult) -> None:
    assert result.importance["model.width"] > result.importance["loop.learning_rate"]
    assert sum(result.importance.values()) == pytest.approx(1)


def test_the_same_seed_gives_the_same_trials_and_another_one_others(result: StudyResult, tmp_path: Path) -> None:
    again = tune(bowl, RECIPE, SPACE, plan(tmp_path / "a", 4, seed=3))
    other = tune(bowl, RECIPE, SPACE, plan(tmp_path / "b", 4, seed=4))
    values = [[trial.values for trial in each.trials[:4]] for each in (result, again, other)]
    assert values[0] == values[1] != values[2]


def falling(recipe: Recipe, report: Report) -> float:
    """Scores of eight evaluations, worse throughout for a wider network."""
    for number in range(1, 9):
        if report(number, recipe.model["width"] + 1 / number):
            return -1.0
    return float(recipe.model["width"])


def raising(recipe: Recipe, report: Report) -> float:
    for number in range(1, 9):
        if report(number, recipe.model["width"] + 1 / number):
            raise Pruned
    return float(recipe.model["width"])


WIDTHS = SearchSpace({"model.width": Dimension(low=1, high=100)}, {})


@pytest.mark.parametrize(("pruner", "objective"), [("median", falling), ("median", raising), ("hyperband", falling)])
def test_bad_trials_end_early(tmp_path: Path, pruner: Pruner, objective: Any) -> None:
    result = tune(objective, RECIPE, WIDTHS, plan(tmp_path, 12, pruner=pruner))
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.evaluations < 8 for trial in pruned)
    assert all((trial.score or 0) > result.score > 0 for trial in pruned)
    assert states(result).count("complete") + len(pruned) == 12


def test_without_a_pruner_all_trials_come_to_their_end(tmp_path: Path) -> None:
    assert states(tune(falling, RECIPE, WIDTHS, plan(tmp_path, 7, pruner="none"))) == ["complete"] * 7


def test_a_study_goes_on_where_it_was(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first = tune(bowl, RECIPE, SPACE, plan(tmp_path, 2))
    second = tune(bowl, RECIPE, SPACE, plan(tmp_path, 4), lambda done, of: told.append((done, of)))
    assert second.trials[:2] == first.trials
    assert [trial.number for trial in second.trials] == [0, 1, 2, 3]
    assert told == [(3, 4), (4, 4)]
    third = tune(bowl, RECIPE, SPACE, plan(tmp_path, 3))
    assert third.trials == second.trials


@dataclass(frozen=True)
class Slow:
    """Leaves a file for each trial that begins, then waits for another file in the same folder."""

    folder: Path
    until: str = "go"

    def __call__(self, recipe: Recipe, report: Report) -> float:
        (self.folder / f"{os.getpid()}-{uuid4()}").touch()
        if len(list(self.folder.iterdir())) > 2:
            wait_for(self.folder / self.until)
        return bowl(recipe, report)


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never came"
        time.sleep(0.01)


SCRIPT = """
import sys
from pathlib import Path
from test_tune import *
tune(Slow(Path(sys.argv[1])), RECIPE, SPACE, plan(Path(sys.argv[2]), 5))
"""


def test_after_a_kill_the_numbering_continues_and_what_was_being_tried_is_tried_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(here), *sys.path))}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(begun), str(tmp_path)], env=environment)
    end = time.monotonic() + PATIENCE
    while len(list(begun.iterdir())) < 3 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    (begun / "go").touch()
    result = tune(Slow(begun), RECIPE, SPACE, plan(tmp_path, 5))
    assert [trial.number for trial in result.trials] == list(range(6))
    assert states(result) == ["complete", "complete", "fail", "complete", "complete", "complete"]
    assert result.trials[2].values == result.trials[3].values


def interrupted(recipe: Recipe, report: Report) -> float:
    del recipe, report
    raise KeyboardInterrupt


def test_an_interrupted_trial_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tune(interrupted, RECIPE, SPACE, plan(tmp_path, 1))
    result = tune(bowl, RECIPE, SPACE, plan(tmp_path, 1))
    assert states(result) == ["fail", "complete"]
    assert result.trials[0].values == result.trials[1].values


@dataclass(frozen=True)
class Together:
    """Waits until another process tries something too."""

    folder: Path

    def __call__(self, recipe: Recipe, report: Report) -> float:
        (self.folder / str(os.getpid())).touch()
        end = time.monotonic() + PATIENCE
        while len(list(self.folder.iterdir())) < 2:
            assert time.monotonic() < end, "there is no other worker"
            time.sleep(0.01)
        return bowl(recipe, report)


@pytest.mark.parametrize("name", ["study.journal", "study.db"])
def test_two_workers_share_a_study(tmp_path: Path, name: str) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    result = tune(Together(seen), RECIPE, SPACE, plan(tmp_path, 6, workers=2, storage=tmp_path / name))
    assert len(list(seen.iterdir())) == 2
    assert states(result) == ["complete"] * 6
    assert [trial.number for trial in result.trials] == list(range(6))
    assert len({trial.values["loop.learning_rate"] for trial in result.trials}) == 6


def dying(recipe: Recipe, report: Report) -> float:
    del recipe, report
    os._exit(9)


def test_a_worker_that_is_killed_ends_the_call_and_not_the_study(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a worker of the study was killed"):
        tune(dying, RECIPE, SPACE, plan(tmp_path, 1, workers=2))
    result = tune(bowl, RECIPE, SPACE, plan(tmp_path, 1))
    assert states(result) == ["fail", "complete"]
    assert result.trials[0].values == result.trials[1].values


def narrow(recipe: Recipe, report: Report) -> float:
    if recipe.model["width"] > 50:
        raise ModelError("the loss is no number")
    return float("nan") if recipe.model["width"] < 20 else falling(recipe, report)


def test_failed_trials_count_and_say_why(tmp_path: Path) -> None:
    result = tune(narrow, RECIPE, WIDTHS, plan(tmp_path, 12))
    failed = {trial.error for trial in result.trials if trial.state == "fail"}
    assert failed == {"the loss is no number", "the score is not a finite number"}
    assert len(result.trials) == 12
    assert 20 <= result.score <= 50


def broken(recipe: Recipe, report: Report) -> float:
    del report
    raise ZeroDivisionError(recipe.task)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_ends_the_study_as_it_is(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ZeroDivisionError):
        tune(broken, RECIPE, SPACE, plan(tmp_path, 3, workers=workers))


def test_a_study_in_which_all_fails_says_why(tmp_path: Path) -> None:
    wrong = SearchSpace({"loop.no_such_dial": Dimension(low=1, high=2)}, {})
    with pytest.raises(ConfigurationError, match=r"no trial .* loop.no_such_dial"):
        tune(bowl, RECIPE, wrong, plan(tmp_path, 2))


@pytest.mark.parametrize(
    ("recipe", "space", "what"),
    [(RECIPE.with_values({"seed": 1}), SPACE, "another recipe"), (RECIPE, WIDTHS, "another space")],
)
def test_another_study_is_not_continued(tmp_path: Path, recipe: Recipe, space: SearchSpace, what: str) -> None:
    tune(bowl, RECIPE, SPACE, plan(tmp_path, 1))
    with pytest.raises(ConfigurationError, match=what):
        tune(falling, recipe, space, plan(tmp_path, 1))
    assert tune(falling, recipe, space, plan(tmp_path, 1, name="other")).number == 0


@pytest.mark.parametrize("more", [{"trials": 0}, {"workers": 0}])
def test_a_plan_without_trials_or_workers_is_refused(tmp_path: Path, more: Mapping[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="1 is the least"):
        tune(bowl, RECIPE, SPACE, plan(tmp_path, **{"trials": 1, **more}))


def test_a_space_is_laid_out_as_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(
        "seed = 5\n[loop]\nsteps = 7\n[loop.learning_rate]\nlow = 1e-5\nhigh = 0.1\nlog = true\n"
        "[data.validation.count]\nlow = 1\nhigh = 9\n[model.shape]\nchoices = [[1, 2], [3]]\n",
        encoding="utf-8",
    )
    space = read_space(tmp_path / "space.toml")
    assert space.fixed == {"seed": 5, "loop.steps": 7}
    assert space.dimensions == {
        "loop.learning_rate": Dimension(low=1e-5, high=0.1, log=True),
        "data.validation.count": Dimension(low=1, high=9),
        "model.shape": Dimension(choices=([1, 2], [3])),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names nothing to try"),
        ("a = 1", "names nothing to try"),
        ("a = ", "is not TOML"),
        ("[a]\nlow = 1", "give low and high, or choices"),
        ("[a]\nlow = 2\nhigh = 1", r"low \(2\) must be below high \(1\)"),
        ("[a]\nlow = 0\nhigh = 1\nlog = true", "log needs a low above 0"),
        ("[a]\nlow = 1\nhigh = 2\nstep = 0", "step must be above 0"),
        ("[a]\nlow = 1\nhigh = 2\nchoices = [1]", "choices stand alone"),
        ("[a]\nlow = true\nhigh = 2", "low"),
        ("[a]\nlow = 1\nhigh = 2\nlogs = true", "logs"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "space.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        read_space(tmp_path / "space.toml")


def test_a_space_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_space(tmp_path / "absent.toml")


def test_all_recipes_are_written_and_read_back(tmp_path: Path) -> None:
    for path in RECIPES.glob("*.toml"):
        recipe = read_recipe(path)
        (tmp_path / path.name).write_text(as_toml(recipe), encoding="utf-8")
        assert read_recipe(tmp_path / path.name) == recipe


letters = st.characters(codec="utf-8")
names = st.text(letters, min_size=1, max_size=8)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(letters)
values = st.recursive(scalars | st.lists(scalars, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3))
tables = st.dictionaries(names, values, max_size=4)


@settings(deadline=None, max_examples=50)
@given(tables, tables)
def test_any_recipe_is_written_and_read_back(model: dict[str, Any], data: dict[str, Any]) -> None:
    recipe = Recipe(task="toy", initial=Path("a b/c.safetensors"), model=model, data=data)
    assert Recipe.model_validate(tomllib.loads(as_toml(recipe))) == recipe


def test_what_a_recipe_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"model\.when holds a value of type object"):
        as_toml(Recipe(task="toy", model={"when": object()}))
