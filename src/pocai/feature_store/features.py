"""From what was read and remembered to feature rows, and back: pure functions, nothing is fetched or written."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2

from pocai.documents.page import Document, Line, Page
from pocai.errors import FeatureStoreError
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.layout_vector import layout_score, layout_vector, lines_of
from pocai.feature_store.store import FeatureRow
from pocai.models.protocols import OCRResult
from pocai.timetable.day_words import day_words
from pocai.timetable.school import SchoolMemory
from pocai.timetable.times import find_times

NOON = 12 * 60
QUARTER = 90  # degrees
LONGEST = 1_000_000  # characters of text that are kept
MOST_LINES = 2000  # that are searched for times and days
_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What rows are about: the ``document``'s id, when it was read (with a time zone), and its ``school``, if known."""

    document: str
    at: datetime
    school: str | None = None


def school_row(school: str, memory: SchoolMemory) -> FeatureRow:
    """The row of what is remembered of a school; raises FeatureStoreError for a memory that was never added to."""
    if memory.updated is None:
        raise FeatureStoreError("this memory of a school holds nothing", mend="Add timetables to it with remember()")
    periods = list(memory.periods.items())
    printed = sum(memory.periods.values())
    late = sum(count for (start, _), count in periods if start >= NOON)
    values = {
        "documents": memory.documents,
        "corrected": memory.corrected,
        "period_starts": [start for (start, _), _ in periods],
        "period_ends": [end for (_, end), _ in periods],
        "period_counts": [count for _, count in periods],
        "day_start": memory.day_start,
        "day_end": memory.day_end,
        "afternoon": late / printed if printed else None,
        "cycle": memory.cycle,
        "names": _as_json(memory.names),
        "notes": _as_json(memory.notes),
        "fields": memory.fields,
        "changed": memory.changed,
        "correction_rate": memory.correction_rate,
        "adapter": memory.adapter,
    }
    return FeatureRow("school", {"school": checked(school)}, values, aware(memory.updated))


def memory_of(row: FeatureRow) -> SchoolMemory:
    """What `school_row` was made of; what is derived (the day's start and end, shares) is derived again."""
    held = row.values
    starts, ends, counts = (held[name] or () for name in ("period_starts", "period_ends", "period_counts"))
    try:
        return SchoolMemory(
            documents=held["documents"] or 0,
            corrected=held["corrected"] or 0,
            periods={(start, end): count for start, end, count in zip(starts, ends, counts, strict=True)},
            names=json.loads(held["names"] or "{}"),
            notes=json.loads(held["notes"] or "{}"),
            cycle=held["cycle"] or 0,
            fields=held["fields"] or 0,
            changed=held["changed"] or 0,
            adapter=held["adapter"],
            updated=row.at,
        )
    except ValueError as error:
        raise FeatureStoreError(
            "a row of the view school is damaged", mend="Forget the school, or backfill it"
        ) from error


def document_rows(
    subject: Subject, document: Document, ocr: Sequence[OCRResult] = (), confidence: float | None = None
) -> tuple[FeatureRow, FeatureRow]:
    """The rows of the views ``ocr`` and ``document``.

    The ``document`` has its text on its pages; ``ocr`` is of the pages that had to be recognized; ``confidence`` is
    the mean probability of its blocks.
    """
    key, at = {"document": checked(subject.document)}, aware(subject.at)
    school = None if subject.school is None else checked(subject.school)
    about = {"school": school, "confidence": confidence, **document_features(document)}
    return (
        FeatureRow("ocr", key, _ordered("ocr", ocr_features(document, ocr)), at),
        FeatureRow("document", key, _ordered("document", about), at),
    )


def ocr_features(document: Document, ocr: Sequence[OCRResult]) -> dict[str, Any]:
    """What was read, and how well."""
    lines = _lines(document)
    text = " ".join(" ".join(line.text.split()) for line in lines)[:LONGEST]
    first = document.pages[0] if document.pages else None
    read = OCRResult.of([line for result in ocr for line in result.lines], "all pages")
    scores = [(score, len(lines_of(page))) for page in document.pages if (score := layout_score(page)) is not None]
    return {
        "text": text,
        "confidence": read.confidence if read.lines else None,
        "words": len(text.split()),
        "layout_score": sum(score * count for score, count in scores) / len(lines) if lines else None,
        "times": sum(len(find_times(line.text)) for line in lines[:MOST_LINES]),
        "orientation": 0 if first is None else _turn(first)[0],
        "source": _source(lines),
    }


def document_features(document: Document) -> dict[str, Any]:
    """What the document is, apart from its words."""
    first = next((page for page in document.pages if page.has_text), document.pages[0] if document.pages else None)
    heights = [line.box.height for page in document.pages if page.unit == "px" for line in lines_of(page)]
    return {
        "embedding": None if first is None else list(layout_vector(first)),
        "pages": len(document.pages),
        "format": document.format,
        "language": language(document),
        "sharpness": _sharpness(document.pages),
        "skew": None if first is None else _turn(first)[1],
        "resolution": statistics.median(heights) if heights else None,
    }


def language(document: Document) -> str | None:
    """The language (ISO 639-1) that most words for days are of; None without any, or where two are level."""
    votes: Counter[str] = Counter()
    for line in _lines(document)[:MOST_LINES]:
        for word in day_words(line.text):
            votes.update(word.days.keys())
    best = votes.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else None


def checked(key: str) -> str:
    """The id of a school or a document; raises FeatureStoreError where it cannot be one."""
    if not _KEY.fullmatch(key):
        raise FeatureStoreError(
            f"an id of {len(key)} characters cannot be a key", mend="Use 1 to 200 characters without control characters"
        )
    return key


def aware(at: datetime) -> datetime:
    """The time; raises FeatureStoreError where it has no time zone."""
    if at.tzinfo is None:
        raise FeatureStoreError(f"the time {at.isoformat()} has no time zone", mend="Use datetime.now(UTC)")
    return at


def _ordered(view: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in VIEWS[view].names}


def _as_json(counts: Mapping[str, int]) -> str:
    return json.dumps(dict(counts), ensure_ascii=False, separators=(",", ":"))


def _lines(document: Document) -> list[Line]:
    return [line for page in document.pages for line in lines_of(page)]


def _source(lines: Sequence[Line]) -> str:
    recognized = sum(line.source == "ocr" for line in lines)
    if not lines:
        return "none"
    return "native" if not recognized else "ocr" if recognized == len(lines) else "mixed"


def _turn(page: Page) -> tuple[int, float]:
    """How the uploaded page lay, clockwise: the nearest right angle, and the rest (-45 to 45 degrees)."""
    a, _, _, d, _, _, g, h, i = page.to_source
    x, y = page.width / 2, page.height / 2
    w = g * x + h * y + i
    a0, b0, c0, d0, e0, f0 = page.to_source[:6]
    u, v = (a0 * x + b0 * y + c0) / w, (d0 * x + e0 * y + f0) / w
    angle = math.degrees(math.atan2((d - g * v) / w, (a - g * u) / w)) % 360  # of the reading direction, mid page
    quarter = round(angle / QUARTER)
    return quarter % 4 * QUARTER, round(angle - quarter * QUARTER, 3)


def _sharpness(pages: Sequence[Page]) -> float | None:
    image = next((page.image for page in pages if page.image is not None), None)
    if image is None:
        return None
    edges = cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    return float(edges.var())
