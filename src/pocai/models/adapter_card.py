"""The card of an adapter: what it is, which weights it belongs to, and what it was seen to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import ModelError
from pocai.models.card import Digest, Positive, Share

CARD = "adapter.json"


class AdapterOrigin(BaseModel):
    """Where an adapter comes from.

    ``base_sha256`` is the digest of the base's weights (`pocai.training.lora_network.digest_of`). ``lines`` were
    trained on, ``data_sha256`` is the content hash of these and of those that it was chosen by. ``before`` and
    ``after`` are metrics by name, without and with the adapter, on lines that it was not trained on. ``licence`` is
    that of the lines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_sha256: Digest
    rank: Positive
    alpha: Positive
    targets: tuple[str, ...] = Field(min_length=1)
    lines: Positive
    data_sha256: Digest
    before: Mapping[str, float] = {}
    after: Mapping[str, float] = {}
    recipe: Mapping[str, Any] = {}
    licence: str = Field(min_length=1)


class AdapterCard(AdapterOrigin):
    """What must be known of an adapter to use it, and to judge it.

    ``sha256`` is that of the file for ONNX Runtime, ``tensors_sha256`` that of the trained matrices. ``parameters``
    were trained, a ``share`` of the base's number.
    """

    name: str = Field(min_length=1)
    sha256: Digest
    tensors_sha256: Digest
    parameters: Positive
    share: Share
    created: date

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card of the adapter in a folder. Raises ModelError when it is missing or not a card."""
        try:
            return cls.model_validate_json((folder / CARD).read_bytes())
        except OSError as error:
            raise ModelError(f"{folder} holds no adapter ({CARD})", mend="Name the folder of an adapter.") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise ModelError(f"{folder / CARD}: {where}: {first['msg']}", mend="Train the adapter again.") from None

    def write(self, folder: Path) -> None:
        """Write the card into the adapter's folder."""
        (folder / CARD).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def check_base(self, sha256: str) -> None:
        """Raises ModelError where the adapter is of other base weights than those with this digest."""
        if self.base_sha256 != sha256:
            what = f"adapter {self.name} belongs to base weights {self.base_sha256[:12]}…, not to {sha256[:12]}…"
            raise ModelError(what, mend="Train it again on this base.")


def verified(file: Path, sha256: str) -> Path:
    """A file of an adapter after its SHA-256 was checked; raises ModelError when it is missing or altered."""
    digest = sha256_of(file)
    if digest != sha256:
        what = f"{file.name} is not what its card is of: SHA-256 {digest[:12]}…, expected {sha256[:12]}…"
        raise ModelError(what, mend="Keep the files of one adapter together.")
    return file


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises ModelError when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{file} cannot be read", mend="Train the adapter again.") from error
