"""Which values a study may give to which keys of a recipe."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, ValidationError, model_validator

from pocai.errors import ConfigurationError
from pocai.training.recipe import digest, invalid

if TYPE_CHECKING:
    from optuna.trial import Trial

Number = StrictInt | StrictFloat


class Dimension(BaseModel):
    """The values of one key: from ``low`` to ``high``, both included, or one of ``choices``.

    Two whole numbers make a whole number, in steps of ``step`` where it is given; ``log`` draws evenly over the
    magnitudes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Number | None = None
    choices: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.choices:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("choices stand alone, without low, high, log and step")
            return self
        if self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and no step")
        if self.step is not None and self.step <= 0:
            raise ValueError("step must be above 0")
        return self

    def suggest(self, trial: Trial, key: str) -> Any:
        """A value that the study draws for a trial; of choices its JSON, since they may be lists (see `chosen`)."""
        if self.choices:
            return trial.suggest_categorical(key, [json.dumps(choice) for choice in self.choices])
        low, high = self.low, self.high
        assert low is not None, "checked above"
        assert high is not None, "checked above"
        if isinstance(low, int) and isinstance(high, int):
            return trial.suggest_int(key, low, high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(key, low, high, step=self.step, log=self.log)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The ``dimensions`` by dotted recipe key, and values that are ``fixed`` in all trials, but not in what comes out.

    Fixed values make trials cheap: fewer steps, less data.
    """

    dimensions: Mapping[str, Dimension]
    fixed: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the space."""
        dimensions = {key: dimension.model_dump() for key, dimension in self.dimensions.items()}
        return digest({"dimensions": dimensions, "fixed": dict(self.fixed)})

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """A value for each dimension, by dotted key."""
        return chosen({key: dimension.suggest(trial, key) for key, dimension in self.dimensions.items()})


def chosen(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a study's parameters stand for, by dotted key."""
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in parameters.items()}


def read_space(path: Path) -> SearchSpace:
    """The space in a TOML file, laid out as a recipe: a table with low and high, or with choices, is a dimension.

    ``[loop.learning_rate]`` with ``low = 1e-4``, ``high = 1e-2`` and ``log = true`` draws that key of the recipe; a
    plain value is fixed. Raises ConfigurationError for a file that is missing, broken, or holds no dimension.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"space {path} cannot be read ({error.strerror})", mend="Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"space {path} is not TOML: {error}", mend="Mend that line") from error
    dimensions: dict[str, Dimension] = {}
    fixed: dict[str, Any] = {}
    for key, value in _leaves(content, ""):
        if not isinstance(value, dict):
            fixed[key] = value
            continue
        try:
            dimensions[key] = Dimension.model_validate(value)
        except ValidationError as error:
            raise invalid(error, f"space {path}: {key}") from error
    if not dimensions:
        raise ConfigurationError(f"space {path} names nothing to try", mend="Give a key low and high, or choices")
    return SearchSpace(dimensions, fixed)


def _leaves(table: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """Dimensions and plain values with their dotted keys."""
    for name, value in table.items():
        key = f"{place}{name}"
        if isinstance(value, dict) and not value.keys() & {"low", "high", "choices"}:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value
