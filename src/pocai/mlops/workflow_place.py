"""Where a workflow does its work: settings, and a folder that is named by the content of all that goes in."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pocai
from pocai.errors import ConfigurationError, Conflict
from pocai.mlops.connection import own_folder
from pocai.mlops.frozen_own import content_hash
from pocai.mlops.provenance import data_manifest, revision, sha256_of
from pocai.settings import Settings
from pocai.training.recipe import Recipe, digest, read_recipe

FOLDER, STEPS = "flows", "steps"
SHORT = 16  # digits of a key that name its folder
_settings: ContextVar[Settings | None] = ContextVar("settings", default=None)


@contextmanager
def settings_of(settings: Settings) -> Iterator[None]:
    """Let the steps of a workflow work by these settings."""
    token = _settings.set(settings)
    try:
        yield
    finally:
        _settings.reset(token)


def settings_here() -> Settings:
    """The settings to work by; those of the environment where a Prefect server has started this process."""
    return _settings.get() or Settings()


@dataclass(frozen=True, slots=True)
class Place:
    """A ``recipe``, and where a workflow works by it; ``key`` is the SHA-256 of recipe, data and code."""

    recipe: Recipe
    key: str
    folder: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises Conflict where the same work is being done already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                what = f"the same training ({self.folder.name}) is running already"
                raise Conflict(what, mend="Wait for it, or stop it") from None
            yield


def place_of(path: Path, values: Mapping[str, Any], data: Path | None = None) -> Place:
    """The place of what a recipe with some changed values, on some data, comes to.

    Raises ConfigurationError for a recipe that cannot be used, InputError for a folder without data.
    """
    recipe = read_recipe(below_checkout(path)).with_values(values)
    if recipe.initial is not None:
        recipe = recipe.with_values({"initial": below_checkout(recipe.initial)})
    content = {
        "recipe": recipe.model_dump(mode="json"),
        "files": [each["sha256"] for each in data_manifest(recipe)],
        "code": revision().source,
        "documents": None if data is None else content_hash(data),
    }
    key = digest(content)
    return Place(recipe, key, own_folder(settings_here().mlops) / FOLDER / key[:SHORT])


def below_checkout(path: Path) -> Path:
    """A path, if need be below the checkout that this package is in. Raises ConfigurationError."""
    root = Path(pocai.__file__).parents[2]
    for each in (path, root / path):
        if each.exists():
            return each
    raise ConfigurationError(f"{path} is not there", mend="Check the path, or run it in a checkout of pocai")


def hashed(*files: Path) -> dict[str, str]:
    """Files with their SHA-256."""
    return {str(file): sha256_of(file) for file in files}


def is_whole(result: Mapping[str, Any]) -> bool:
    """Whether the ``files`` that a step names in its result are there, as it left them."""
    files: Mapping[str, str] = result.get("files", {})
    return all(Path(name).is_file() and sha256_of(Path(name)) == sha256 for name, sha256 in files.items())
