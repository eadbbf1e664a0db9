"""The cards of networks: a JSON file beside weights that says what they are, what they can do, and whose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pocai.errors import ModelError
from pocai.models.confidence import Calibration

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class Threshold(BaseModel):
    """The probability below which a line goes to the teacher, and what that gave on ``lines`` validation lines.

    Shares of lines: ``sent`` to the teacher; read right by the ``student`` alone, by the ``teacher`` alone and by the
    ``cascade`` of both. ``rule`` says in words how ``value`` was chosen, given ``tolerance`` and ``risk``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Share
    rule: str
    tolerance: Share
    risk: Share = 1.0
    lines: Positive
    sent: Share
    student: Share
    teacher: Share
    cascade: Share


class Card(BaseModel):
    """What must be known of any network to use it, and to judge it.

    ``sha256`` is that of the weights. ``metrics`` are by slice of the data, then by name. ``data_sha256`` is the
    content hash of what it was trained on, ``recipe`` how.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    sha256: Digest
    recipe: Mapping[str, Any] = {}
    data_sha256: Digest | None = None
    trained_on: str = ""
    limits: tuple[str, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """The card in a file. Raises ModelError when it is missing or not a card."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            what = f"the model card {file.name} cannot be read"
            raise ModelError(what, mend="Weights need their card (.json) beside them.") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise ModelError(
                f"{file.name} is no model card: {where}: {first['msg']}", mend="Export it again."
            ) from None

    def write(self, file: Path) -> None:
        """Write the card as JSON; the same card gives the same bytes."""
        file.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def verified(self, weights: Path) -> Path:
        """The weights after their SHA-256 was checked; raises ModelError when they are missing or others."""
        try:
            with weights.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"the weights {weights.name} cannot be read", mend="Export them again.") from error
        if digest != self.sha256:
            what = f"{weights.name} is not what its card is of: SHA-256 {digest[:12]}…, expected {self.sha256[:12]}…"
            raise ModelError(what, mend="Keep weights and card of one export together.")
        return weights


class ModelCard(Card):
    """The card of a recognizer.

    ``classes`` are what the network tells apart, the CTC blank ("") and the space first; it gives one vector of scores
    for ``step`` pixels of lines that are ``height`` pixels high and a ``multiple`` of pixels wide. Without a
    ``calibration`` it gives no probabilities, without a ``threshold`` it makes no cascade.
    """

    classes: tuple[str, ...]
    step: Positive
    height: Positive = 48
    multiple: Positive = 16
    calibration: Calibration | None = None
    threshold: Threshold | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        blank, space, *letters = (*self.classes[:2], *self.classes[2:]) if len(self.classes) > 1 else (None, None)
        if (blank, space) != ("", " ") or not letters:
            raise ValueError('classes must be the blank "", the space " ", and letters')
        if any(len(letter) != 1 for letter in letters) or len(set(self.classes)) != len(self.classes):
            raise ValueError("each letter must be one character, and stand there once")
        if self.multiple % self.step:
            raise ValueError(f"widths, multiples of {self.multiple}, must be whole steps of {self.step} pixels")
        return self


AnyPath = TypeVar("AnyPath", bound=PurePath)


def card_file(weights: AnyPath) -> AnyPath:
    """Where the card of weights lies: beside them, under the same name."""
    return weights.with_suffix(".json")
