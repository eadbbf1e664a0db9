"""Recipes: every one in the repository is valid, and what is wrong with one is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.errors import ConfigurationError
from pocai.training.recipe import LoopSettings, Recipe, read_recipe
from pocai.training.schedule import learning_rate
from pocai.training.search_space import read_space
from pocai.training.tasks import TASKS, task_of

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.glob("*.toml"))
SPACES = sorted((FOLDER / "spaces").glob("*.toml"))  # what a study tries around the recipe of that name
LINES = ("task = 'ocr-student'", "seed = 7", "[loop]", "steps = 10", "learning_rate = 0.1", "[model]", "mixer = 64")


def written(folder: Path, *lines: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text("\n".join(lines))
    return path


def test_there_are_recipes_and_nothing_else() -> None:
    assert RECIPES
    assert SPACES
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == {*RECIPES, *SPACES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_for_its_task(path: Path) -> None:
    recipe = read_recipe(path)
    assert task_of(recipe).name == recipe.task
    assert recipe.task in TASKS


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_search_space_is_valid(path: Path) -> None:
    space = read_space(path)
    assert not space.dimensions.keys() & space.fixed.keys()
    task_of(read_recipe(FOLDER / path.name).with_values(space.fixed))


def test_a_recipe_is_read(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, *LINES))
    assert (recipe.task, recipe.seed, recipe.model) == ("ocr-student", 7, {"mixer": 64})
    assert recipe.loop == LoopSettings(steps=10, learning_rate=0.1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour = 'red'", r"recipe\.toml: loop\.colour = 'red': .*Delete this key"),
        ("clip = -1", r"recipe\.toml: loop\.clip = -1: .*greater than or equal to 0.*Change this value"),
        ("accumulate = 0", r"loop\.accumulate = 0"),
        ("ema = 1.0", r"loop\.ema = 1\.0"),
        ("precision = 'int8'", r"loop\.precision = 'int8'"),
        ("betas = [0.9, 1.0]", r"betas must each be"),
        ("warmup_steps = 10", r"warmup_steps \(10\) must be below steps \(10\)"),
        ("clip = = 1", r"recipe\.toml is not TOML.*line 6"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, *LINES[:5], line, *LINES[5:])
    with pytest.raises(ConfigurationError, match=message):
        read_recipe(path)


def test_an_unknown_key_is_to_be_deleted(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"recipe\.toml: speed = 3: .*Delete this key"):
        read_recipe(written(tmp_path, "speed = 3", *LINES))


def test_a_recipe_that_is_not_there_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml cannot be read \(No such file"):
        read_recipe(tmp_path / "absent.toml")


def test_a_task_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'juggling'"):
        task_of(Recipe(task="juggling"))


def test_values_are_changed_by_dotted_keys() -> None:
    recipe = Recipe(task="ocr-student", model={"mixer": 64})
    changed = recipe.with_values({"loop.steps": 10, "model.mixer": 32, "data.made": 5, "seed": 9})
    assert (changed.loop.steps, changed.model, changed.data, changed.seed) == (10, {"mixer": 32}, {"made": 5}, 9)
    assert recipe == Recipe(task="ocr-student", model={"mixer": 64})


@pytest.mark.parametrize(
    ("key", "message"), [("loop.stepps", r"loop\.stepps = 1.*Delete"), ("seed.x", "seed is not a table")]
)
def test_keys_that_a_recipe_does_not_have_are_refused(key: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Recipe(task="ocr-student").with_values({key: 1})


@pytest.mark.parametrize("key", ["steps", "evaluate_every", "checkpoint_every", "keep", "workers", "threads"])
def test_what_the_weights_do_not_depend_on_may_change_in_a_run(key: str) -> None:
    recipe = Recipe(task="ocr-student")
    assert recipe.with_values({f"loop.{key}": 7}).fingerprint == recipe.fingerprint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1),
        ("task", "x"),
        ("initial", "w.safetensors"),
        ("model.mixer", 8),
        ("data.batch", 8),
        ("loss.truth", 2.0),
        ("loop.learning_rate", 0.1),
        ("loop.ema", 0.5),
        ("loop.accumulate", 2),
        ("loop.precision", "bfloat16"),
    ],
)
def test_what_the_weights_depend_on_may_not(key: str, value: object) -> None:
    recipe = Recipe(task="ocr-student")
    assert recipe.with_values({key: value}).fingerprint != recipe.fingerprint


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    one, other = {"a": 1, "b": [2, 3]}, {"b": [2, 3], "a": 1}
    assert Recipe(task="x", data=one).fingerprint == Recipe(task="x", data=other).fingerprint


@given(
    steps=st.integers(1, 5000),
    warmup=st.floats(0, 0.99),
    highest=st.floats(1e-6, 1.0),
    share=st.floats(0, 1),
    place=st.floats(0, 1),
)
def test_the_rate_rises_to_its_highest_and_falls_to_its_last(
    steps: int, warmup: float, highest: float, share: float, place: float
) -> None:
    warm = int(warmup * steps)
    loop = LoopSettings(steps=steps, warmup_steps=warm, learning_rate=highest, final_rate=share)
    step = round(place * (steps - 1))
    rate = learning_rate(loop, step)
    assert 0 <= rate <= highest * (1 + 1e-12)
    if step:
        before = learning_rate(loop, step - 1)
        assert rate > before if step <= warm else rate <= before * (1 + 1e-12)
    assert learning_rate(loop, warm) == pytest.approx(highest)
    if steps - 1 > warm:
        assert learning_rate(loop, steps - 1) == pytest.approx(highest * share)
    assert learning_rate(loop, steps + 100) <= learning_rate(loop, steps - 1) * (1 + 1e-12)
