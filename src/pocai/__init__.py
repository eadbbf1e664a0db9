"""A school's timetable goes in (photo, scan, PDF, Word, Excel), a correct week comes out, on your own machine.

Importing this package loads nothing heavy: `extract` and the types bring in what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocai.errors import (
    ConfigurationError,
    EncryptedDocument,
    InputError,
    LimitExceeded,
    ModelError,
    NoTimetable,
    PocaiError,
    UnknownModel,
    UnreadableDocument,
    UnsupportedFormat,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pocai.settings import Settings
    from pocai.timetable.timetable import TimeBlock, Timetable

__version__ = "0.1.0"
__all__ = [
    "ConfigurationError",
    "EncryptedDocument",
    "InputError",
    "LimitExceeded",
    "ModelError",
    "NoTimetable",
    "PocaiError",
    "Settings",
    "TimeBlock",
    "Timetable",
    "UnknownModel",
    "UnreadableDocument",
    "UnsupportedFormat",
    "__version__",
    "extract",
]

_LAZY = {
    "Settings": "pocai.settings",
    "TimeBlock": "pocai.timetable.timetable",
    "Timetable": "pocai.timetable.timetable",
}


def extract(source: str | Path | bytes, *, settings: Settings | None = None) -> list[Timetable]:
    """The timetables on a document, given as a path or as its bytes; an empty list where it was read and has none.

    Raises `InputError` (unreadable, unknown format, password, too large), `ModelError` or `ConfigurationError`, all of
    them `PocaiError`.
    """
    from pathlib import Path

    from pocai.inference import pipeline

    return list(pipeline.extract(Path(source) if isinstance(source, str) else source, settings=settings))


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pocai' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
