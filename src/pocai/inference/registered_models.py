"""Reading with models of the registry in place of the shipped ones; each is verified before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pocai.errors import BadRequest
from pocai.inference.rollout import SLOTS
from pocai.settings import Settings

ENGINES, DOCUMENT_MODELS = ("cascade", "student"), ("auto", "layout")  # what takes a model of each slot


def with_models(settings: Settings, folders: Mapping[str, str], trusted: tuple[str, ...]) -> Settings:
    """The settings with the models in ``folders``, by slot, where they name an engine or model that takes them.

    Raises UntrustedModel for a folder that no ``trusted`` key (path of a PEM file) has signed, or that was altered.
    """
    if unknown := folders.keys() - set(SLOTS):
        raise BadRequest(f"there is no slot {min(unknown)!r}", mend=f"Known: {', '.join(SLOTS)}")
    update: dict[str, Any] = {}
    if (folder := folders.get("layout")) and settings.document_model in DOCUMENT_MODELS:
        update["document_model"] = f"{settings.document_model}:{_verified(folder, trusted)}"
    if (folder := folders.get("student")) and settings.ocr_engine in ENGINES:
        update |= {"ocr_engine": f"{settings.ocr_engine}:{_verified(folder, trusted)}", "ocr_adapter": None}
    return settings.model_copy(update=update)


@lru_cache(maxsize=4)  # no more than loaded models are kept: what is loaded again is verified again
def _verified(folder: str, trusted: tuple[str, ...]) -> str:
    from pocai.models.signing import verified

    verified(Path(folder), tuple(map(Path, trusted)))
    return folder
