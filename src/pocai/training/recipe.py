"""Recipes: everything that decides what a training run comes to, in one short TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pocai.errors import ConfigurationError

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Table = dict[str, Any]

UNHASHED = frozenset({"steps", "evaluate_every", "checkpoint_every", "keep", "workers", "threads"})
"""Settings of the loop that may change between the parts of an interrupted run."""


class LoopSettings(BaseModel):
    """The dials of the training loop; the rest of a recipe belongs to the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(1000, ge=1, description="updates of the weights")
    learning_rate: float = Field(1e-3, gt=0, description="highest rate, reached after the warm-up")
    final_rate: float = Field(0.01, ge=0, le=1, description="rate of the last step, as a share of the highest")
    warmup_steps: int = Field(0, ge=0, description="steps over which the rate rises from 0")
    weight_decay: float = Field(0.01, ge=0, description="of parameters with more than one dimension")
    betas: tuple[float, float] = Field((0.9, 0.999), description="decay of AdamW's two moments")
    clip: float = Field(1.0, ge=0, description="largest norm of the gradient; 0 never clips")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are added up for one step")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0 averages nothing")
    precision: Precision = Field("auto", description="of the forward pass; auto: the GPU's best, float32 on a CPU")
    evaluate_every: int = Field(0, ge=0, description="steps; 0 evaluates at the end only")
    patience: int = Field(0, ge=0, description="evaluations without a better score before it stops; 0 never stops")
    checkpoint_every: int = Field(0, ge=0, description="steps; 0 writes one at the end only")
    keep: int = Field(2, ge=1, description="newest checkpoints that are kept")
    workers: int = Field(0, ge=0, description="processes that prepare batches; 0 prepares them in the loop")
    threads: int = Field(0, ge=0, description="threads of torch; 0 leaves them as they are")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas must each be at least 0 and below 1")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps}) must be below steps ({self.steps})")
        return self


class Recipe(BaseModel):
    """A training run. ``model``, ``data`` and ``loss`` are read by the task's own configuration classes.

    ``initial`` names a safetensors file with the weights to begin from, in place of new ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(min_length=1)
    seed: int = Field(0, ge=0)
    initial: Path | None = None
    loop: LoopSettings = LoopSettings.model_construct()
    model: Table = {}
    data: Table = {}
    loss: Table = {}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that the weights depend on: two runs of one fingerprint may continue one another."""
        content = self.model_dump(mode="json")
        content["loop"] = {key: value for key, value in content["loop"].items() if key not in UNHASHED}
        return digest(content)

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """This recipe with other values by dotted key: ``{"loop.steps": 10}``. Raises ConfigurationError."""
        content = self.model_dump()
        for key, value in values.items():
            *tables, name = key.split(".")
            table = content
            for part in tables:
                table = table.setdefault(part, {})
                if not isinstance(table, dict):
                    raise ConfigurationError(f"recipe key {key}: {part} is not a table", mend="Check the key")
            table[name] = value
        return _checked(content, "changed recipe")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises ConfigurationError for a file that is missing, broken or holds odd values."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"recipe {path} cannot be read ({error.strerror})", mend="Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"recipe {path} is not TOML: {error}", mend="Mend that line") from error
    return _checked(content, str(path))


def digest(content: object) -> str:
    """SHA-256 (hexadecimal) of a value that JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _checked(content: Table, place: str) -> Recipe:
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise invalid(error, place) from error


def invalid(error: ValidationError, place: str) -> ConfigurationError:
    """The first fault that pydantic found in the settings of ``place`` (a file), with its key and value."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"]) or "(whole table)"
    known = "Delete this key" if fault["type"] == "extra_forbidden" else "Change this value"
    value = "" if isinstance(fault["input"], dict) else f" = {fault['input']!r}"
    return ConfigurationError(f"{place}: {key}{value}: {fault['msg']}", mend=known)
