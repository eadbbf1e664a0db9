"""What the feature store's history holds of a stretch of time: figures of documents, and what persons corrected.

Everything is read from the history alone, without Feast, whose import takes seconds. No text is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocai.errors import ConfigurationError
from pocai.feature_store.encryption import Keys, given_key
from pocai.feature_store.feature_table import DOCUMENT, EMBEDDING, SCHOOL, VIEWS
from pocai.feature_store.history import TIME, History
from pocai.settings import FeatureSettings

Vector: TypeAlias = NDArray[np.float64]
Texts: TypeAlias = NDArray[np.str_]
Values: TypeAlias = Mapping[str, Any]

OCR = "ocr"
KEY_FILE = "features.key"  # of `pocai.feature_store.feast_store`, which imports Redis
NUMBERS = (
    "ocr.confidence",
    "ocr.words",
    "ocr.layout_score",
    "ocr.times",
    "document.pages",
    "document.sharpness",
    "document.skew",
    "document.resolution",
    "document.confidence",
)
CATEGORIES = ("ocr.orientation", "ocr.source", "document.format", "document.language")
NONE = "none"  # stands for a category that is not known


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents by column, each of length N: ``schools``, the ``days`` that they were read on (ISO dates), and figures.

    ``numbers`` are NaN where nothing was measured; so are whole rows of ``embedding`` ``(N, 32)``. A document whose
    school is not known is a school of its own.
    """

    schools: Texts
    days: Texts
    numbers: Mapping[str, Vector]
    categories: Mapping[str, Texts]
    embedding: Vector

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self.schools)


@dataclass(frozen=True, slots=True)
class Corrected:
    """By school: the fields that persons looked at within a window, and of them those that they changed."""

    schools: Texts
    fields: Vector
    changed: Vector


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, ``begin`` excluded and ``end`` included, with what came in it."""

    begin: datetime
    end: datetime
    documents: Documents
    corrected: Corrected


def open_history(settings: FeatureSettings) -> History:
    """The history of the feature store that the settings name; raises ConfigurationError where there is none."""
    if settings.kind == "none":
        raise ConfigurationError("there is no feature store", mend="Set POCAI_FEATURES__KIND to sqlite or redis")
    folder = settings.folder.expanduser()
    key = _key_in(folder / KEY_FILE) if settings.key is None else given_key(settings.key.get_secret_value())
    return History(settings.offline or str(folder.absolute() / "history"), Keys.of(key).files)


def windows(history: History, until: datetime, days: int, reference: int) -> tuple[Window, Window]:
    """The ``reference`` days, and after them the current ``days``, which end at ``until`` (with a time zone)."""
    middle = until - timedelta(days=days)
    return window(history, middle - timedelta(days=reference), middle), window(history, middle, until)


def window(history: History, begin: datetime, end: datetime) -> Window:
    """What came after ``begin`` and until ``end``: the last reading of each document, and all corrections."""
    first = begin + timedelta(microseconds=1)
    read = _latest(history, OCR, first, end)
    about = _latest(history, DOCUMENT, first, end)
    rows = [(key, values, read.get(key, {})) for key, values in about.items()]
    return Window(begin, end, documents_of(rows), _corrected(history, begin, end))


def documents_of(rows: Sequence[tuple[str, Values, Values]]) -> Documents:
    """Documents by column: the key of each, its values of the view ``document``, and those of the view ``ocr``.

    Values are as `pocai.feature_store` keeps them, with their time as ``event_timestamp``.
    """
    held = [{DOCUMENT: about, OCR: read} for _, about, read in rows]
    return Documents(
        schools=np.array([str(about.get(SCHOOL) or f"\0{key}") for key, about, _ in rows], np.str_),
        days=np.array([about[TIME].date().isoformat() for _, about, _ in rows], np.str_),
        numbers={name: _numbers(held, name) for name in NUMBERS},
        categories={name: _categories(held, name) for name in CATEGORIES},
        embedding=np.array(
            [about.get("embedding") or [np.nan] * EMBEDDING for _, about, _ in rows], np.float64
        ).reshape(-1, EMBEDDING),
    )


def _numbers(held: Iterable[Mapping[str, Values]], name: str) -> Vector:
    view, _, feature = name.partition(".")
    found = (each[view].get(feature) for each in held)
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _categories(held: Iterable[Mapping[str, Values]], name: str) -> Texts:
    view, _, feature = name.partition(".")
    found = (each[view].get(feature) for each in held)
    return np.array([NONE if value is None else str(value) for value in found], np.str_)


def _latest(history: History, view: str, begin: datetime, end: datetime) -> dict[str, Values]:
    """The newest row of each key, without texts."""
    texts = [feature.name for feature in VIEWS[view].features if feature.kind == "text"]
    table = history.read(view, begin, end).drop_columns(texts)
    return {row[DOCUMENT]: row for row in sorted(table.to_pylist(), key=lambda row: row[TIME])}


def _corrected(history: History, begin: datetime, end: datetime) -> Corrected:
    """Schools keep sums: what came in the window is what the sums grew by."""
    table = history.read(SCHOOL, end=end).select([SCHOOL, TIME, "fields", "changed"])
    before: dict[str, tuple[int, int]] = {}
    after: dict[str, tuple[int, int]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: row[TIME]):
        sums = (row["fields"] or 0, row["changed"] or 0)
        (before if row[TIME] <= begin else after)[row[SCHOOL]] = sums
    grown = {
        school: (fields - before.get(school, (0, 0))[0], changed - before.get(school, (0, 0))[1])
        for school, (fields, changed) in after.items()
    }
    looked_at = {school: sums for school, sums in grown.items() if sums[0] > 0 and sums[1] >= 0}
    return Corrected(
        np.array(list(looked_at), np.str_),
        np.array([fields for fields, _ in looked_at.values()], np.float64),
        np.array([changed for _, changed in looked_at.values()], np.float64),
    )


def _key_in(file: Path) -> bytes:
    """The key in the folder of the store; unlike the store this makes none, and asks nobody to."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the key file of the feature store cannot be read ({type(error).__name__})",
            mend="Is POCAI_FEATURES__FOLDER the one that documents were remembered in?",
        ) from error
