"""Which pages a language model is trained on, and which it is measured on: made ones, labelled ones, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pocai.training.document_model.language_examples import Example
from pocai.training.document_model.language_made import MadeExamples

_SEEDS = 4_000_000  # of made documents between two seeds of a recipe
_UNSEEN = 2_000_000  # from there on those that are measured on
_HELD_OUT = 5  # of so many labelled pages one is measured on


class LanguageData(BaseModel):
    """The table ``data`` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(None, description="labelled documents; one page of five is measured on")
    share: float = Field(
        0.5, gt=0, le=1, description="of the examples that come from the folder, where made ones do too"
    )
    made: int = Field(0, ge=0, le=_UNSEEN, description="made documents to train on")
    made_validation: int = Field(16, ge=0, le=_UNSEEN, description="made documents of each kind to measure on")
    reading: Literal["mixed", "plain"] = Field(
        "mixed", description="made pages as OCR and PDFs give them, or faultless"
    )
    engine: str = Field("cascade", description="OCR engine that reads labelled pictures")
    batch: int = Field(1, ge=1, description="pages of a step in each process")
    longest: int = Field(12_000, ge=64, description="tokens of prompt and answer; longer ones are left out")
    read: int = Field(0, ge=0, description="pages of each kind that are read through in an evaluation; slow")
    licence: str = Field("not stated", min_length=1, description="of data and base; it goes into the model's card")

    @model_validator(mode="after")
    def _check(self) -> LanguageData:
        if not self.made_validation and self.folder is None:
            raise ValueError("made_validation = 0 leaves nothing to measure on")
        return self


class Examples(Protocol):
    """Examples by number."""

    def __len__(self) -> int: ...

    def example(self, number: int) -> Example | None:
        """A pure function of the number; None for one that cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class GivenExamples:
    """Examples that are there."""

    examples: Sequence[Example]

    def __len__(self) -> int:
        return len(self.examples)

    def example(self, number: int) -> Example:
        """One of them."""
        return self.examples[number]


@dataclass(frozen=True, slots=True)
class Sources:
    """What is trained on, and what is measured on by slice; one of the first two may be empty."""

    folder: Examples
    made: Examples
    validation: dict[str, Examples]


def sources_of(data: LanguageData, seed: int) -> Sources:
    """The examples that a recipe names. Raises InputError for a folder that cannot be used."""
    first, plain = seed * _SEEDS, data.reading == "plain"
    validation: dict[str, Examples] = {}
    if data.made_validation:
        validation["made"] = MadeExamples(first + _UNSEEN, data.made_validation, "train", plain)
        validation["held-out"] = MadeExamples(first + _UNSEEN, data.made_validation, "test", plain)
    labelled = _labelled(data) if data.folder is not None else []
    held_out = [example for number, example in enumerate(labelled) if number % _HELD_OUT == _HELD_OUT - 1]
    kept = [example for number, example in enumerate(labelled) if number % _HELD_OUT < _HELD_OUT - 1]
    if held_out:
        validation["folder"] = GivenExamples(held_out)
    return Sources(GivenExamples(kept), MadeExamples(first, data.made, "train", plain), validation)


def _labelled(data: LanguageData) -> list[Example]:
    from pocai.models.catalog import engine
    from pocai.training.document_model.language_labelled import labelled_examples

    assert data.folder is not None, "asked for only where there is one"
    return labelled_examples(data.folder, lambda: engine(data.engine))
