"""Made streams of documents for tests of drift: schools with figures of their own, and histories that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from pocai.feature_store.feature_table import EMBEDDING, VIEWS
from pocai.feature_store.store import FeatureRow
from pocai.mlops.drift_window import CATEGORIES, NUMBERS, Corrected, Documents, Window

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
ALIKE = 0.8  # share of the variance of a figure that is between schools
FIELDS = 80  # of a document


def made_window(  # noqa: PLR0913 - each is one thing that a test changes
    random: np.random.Generator,
    means: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    documents: int,
    *,
    move: Mapping[str, float] | None = None,
    changed: float = 0.1,
    name: str = "school",
) -> Window:
    """A window of ``documents``: each school has its ``means`` (one for each number), and sends several at a time.

    ``move`` is added to figures, in standard deviations.
    """
    schools = np.repeat(random.integers(len(means), size=documents), 3)[:documents]
    values = ALIKE**0.5 * means[schools] + (1 - ALIKE) ** 0.5 * random.normal(size=(documents, len(NUMBERS)))
    numbers = {each: values[:, place] + (move or {}).get(each, 0.0) for place, each in enumerate(NUMBERS)}
    numbers["document.confidence"] = 1 / (1 + np.exp(-numbers["document.confidence"] - 1.5))
    layout = 0.1 * (values[:, [0]] + random.normal(size=(documents, EMBEDDING)) + (move or {}).get("layout", 0.0))
    names = np.array([f"{name} {school}" for school in schools])
    some, places = np.unique(names, return_inverse=True)
    fields = FIELDS * np.bincount(places).astype(np.float64)
    edited = random.binomial(fields.astype(int), random.beta(changed * 20, (1 - changed) * 20, len(some)))
    return Window(
        BEGIN,
        BEGIN + timedelta(days=1),
        Documents(
            names,
            np.full(documents, "2026-09-01"),
            numbers,
            {each: np.array(["pdf", "jpeg"])[schools % 2] for each in CATEGORIES},
            layout,
        ),
        Corrected(some, fields, edited.astype(np.float64)),
    )


def made_schools(random: np.random.Generator, schools: int = 60) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The means of schools, ``(schools, numbers)``."""
    return random.normal(size=(schools, len(NUMBERS)))


def document_row(key: str, at: datetime, school: str | None, **about: Any) -> Iterator[FeatureRow]:
    """The rows of a document, with the figures that are given and the usual ones."""
    held: dict[str, dict[str, Any]] = {
        "document": {
            "school": school,
            "embedding": [0.5] * EMBEDDING,
            "pages": 1,
            "format": "pdf",
            "language": "en",
            "sharpness": 900.0,
            "skew": 0.0,
            "resolution": 22.0,
            "confidence": 0.9,
        },
        "ocr": {
            "text": None,
            "confidence": 0.98,
            "words": 120,
            "layout_score": 0.9,
            "times": 20,
            "orientation": 0,
            "source": "ocr",
        },
    }
    for name, value in about.items():
        view, _, feature = name.partition("__")
        held[view][feature] = value
    for view, values in held.items():
        yield FeatureRow(view, {"document": key}, values, at)


def school_row(school: str, at: datetime, fields: int, changed: int) -> FeatureRow:
    """The row of a school that holds nothing but what was corrected so far."""
    values: dict[str, Any] = dict.fromkeys(VIEWS["school"].names)
    return FeatureRow("school", {"school": school}, values | {"fields": fields, "changed": changed}, at)


def made_rows(random: np.random.Generator, days: int, shifted: int) -> Iterator[FeatureRow]:
    """Days with 60 documents of 20 schools, and corrections; those of the last ``shifted`` days are worse."""
    sums: dict[str, tuple[int, int]] = {}
    for day in range(days):
        late = day >= days - shifted
        for number in range(60):
            school, at = f"Secret School {number % 20}", BEGIN + timedelta(days=day, minutes=number + 1)
            yield from document_row(
                f"{day:02}{number:02}",
                at,
                school,
                document__sharpness=float(random.normal(300 if late else 900, 80) + 20 * (number % 20)),
                document__confidence=float(np.clip(random.normal(0.55 if late else 0.9, 0.05), 0, 1)),
                ocr__words=int(random.integers(60, 240)),
            )
            if number < 20:
                fields, changed = sums.get(school, (0, 0))
                sums[school] = (fields + 80, changed + int(random.binomial(80, 0.3 if late else 0.08)))
                yield school_row(school, at, *sums[school])
