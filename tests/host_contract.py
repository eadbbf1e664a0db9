"""The host's contract as a validator: what is wrong with an answer, rule by rule; nothing wrong gives an empty list.

Written from the rules of the host (what its code asserts, stores, validates and shows), not from our own types: plain
JSON in, sentences out. The tests and the bench use it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

TIME = re.compile(r"\d{1,2}:\d{2}")  # what the host takes as a time
SHOWN_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")  # what its table sorts rightly: it compares strings
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ENHANCED = re.compile(r"preprocessed_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.png")
WORD = {"text": str, "confidence": float, "left": int, "top": int, "width": int, "height": int}
PREFIXES = {
    "/preprocess/enhance": "Image preprocessing failed: ",
    "/ocr/process": "OCR processing failed: ",
    "/ai/extract": "AI extraction failed: ",
    "/ai/extract-async": "AI extraction failed: ",
}
OBJECT_ERRORS = "/ai/extract-async"
YEARS = range(2000, 2101)
OK, NOT_FOUND, INVALID, FAULT = 200, 404, 422, 500


def faults(path: str, status: int, body: Any) -> list[str]:
    """Everything that is wrong with an answer of the endpoint ``path``."""
    if status == INVALID:
        return list(_invalid_faults(body))
    if status >= 300:
        return list(_error_faults(path, status, body))
    checks = {
        "/": _greeting_faults,
        "/health": _health_faults,
        "/preprocess/enhance": _enhance_faults,
        "/ocr/process": _ocr_faults,
        "/ocr/quality-gate": _gate_faults,
        "/ai/extract": _timetable_faults,
        "/ai/extract-async": _timetable_faults,
    }
    if status != OK:
        return [f"status {status}"]
    return list(checks[path](body)) if isinstance(body, dict) else [f"the body is no object but {type(body).__name__}"]


def words_outside(ocr: Mapping[str, Any], size: tuple[int, int]) -> list[str]:
    """The words whose boxes are empty or not inside a picture of ``size`` (width, height)."""
    return [
        f"word {number} is not inside {size}"
        for number, word in enumerate(ocr["words"])
        if word["left"] < 0
        or word["top"] < 0
        or word["width"] < 1
        or word["height"] < 1
        or word["left"] + word["width"] > size[0]
        or word["top"] + word["height"] > size[1]
    ]


def _greeting_faults(body: dict[str, Any]) -> Iterator[str]:
    if not isinstance(body.get("message"), str):
        yield "message is no string"


def _health_faults(body: dict[str, Any]) -> Iterator[str]:
    if (body.get("status"), body.get("service")) != ("healthy", "ai-middleware"):
        yield "the host asserts status healthy and service ai-middleware"


def _enhance_faults(body: dict[str, Any]) -> Iterator[str]:
    path = body.get("enhanced_image_path")
    if not isinstance(path, str):
        yield "enhanced_image_path is no string"
    elif not ENHANCED.fullmatch(PurePath(path).name):
        yield "the enhanced picture is not called preprocessed_<uuid4>.png"


def _ocr_faults(body: dict[str, Any]) -> Iterator[str]:
    yield from _wrong_types(body, {"text": str, "engine": str, "words": list})
    yield from _share_faults(body.get("confidence"), "confidence")
    words = body.get("words")
    if not isinstance(words, list):
        return
    for number, word in enumerate(words):
        for fault in (*_wrong_types(word, WORD), *_share_faults(word.get("confidence"), "confidence")):
            yield f"word {number}: {fault}"
        if word.get("confidence") == 0:
            yield f"word {number}: words of no confidence are dropped"
    if body.get("text") != " ".join(str(word.get("text")) for word in words):
        yield "text is not all words joined by one space"


def _gate_faults(body: dict[str, Any]) -> Iterator[str]:
    if body.get("route") not in {"ai", "validation"}:
        yield "route is neither ai nor validation"
    yield from _share_faults(body.get("confidence"), "confidence")
    yield from _wrong_types(body, {"reason": str})


def _timetable_faults(body: dict[str, Any]) -> Iterator[str]:
    """What the host's own validation refuses, what crashes its job, and what its pages show wrongly."""
    missing = {"teacher", "className", "term", "year", "timeblocks"} - set(body)
    if missing:
        yield f"keys are missing: {sorted(missing)}"
    for name in ("teacher", "className", "term"):
        if not isinstance(body.get(name), str | None):
            yield f"{name} is neither string nor null"
    year = body.get("year")
    if year is not None and (not isinstance(year, int) or isinstance(year, bool) or year not in YEARS):
        yield "year is no number from 2000 to 2100"
    blocks = body.get("timeblocks")
    if not isinstance(blocks, list) or not blocks:
        yield "timeblocks is no list, or empty"
        return
    for number, block in enumerate(blocks):
        yield from (f"block {number}: {fault}" for fault in _block_faults(block))
    yield from _overlaps(blocks)


def _block_faults(block: Any) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "no object"
        return
    missing = {"day", "name", "startTime", "endTime", "notes"} - set(block)
    if missing:
        yield f"keys are missing: {sorted(missing)}"
    if block.get("day") not in DAYS:
        yield "day is no English day name"
    if not isinstance(block.get("name"), str) or not block["name"].strip():
        yield "name is empty"
    if not isinstance(block.get("notes"), str | None):
        yield "notes is neither string nor null"
    times = [block.get("startTime"), block.get("endTime")]
    for time in times:
        if time is not None and not (isinstance(time, str) and TIME.fullmatch(time)):
            yield "a time is not H:MM or HH:MM"
        elif time is not None and not SHOWN_TIME.fullmatch(time):
            yield "a time is not zero-padded, or no time of day"
    if None not in times and not str(times[0]) < str(times[1]):
        yield "it ends before it begins"


def _overlaps(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """Two blocks of the same day string that overlap; only where all four times are there."""
    days: dict[Any, list[tuple[str, str, int]]] = defaultdict(list)
    for number, block in enumerate(blocks):
        if block.get("startTime") and block.get("endTime"):
            days[block.get("day")].append((block["startTime"].zfill(5), block["endTime"].zfill(5), number))
    for spans in days.values():
        for index, (start, end, number) in enumerate(spans):
            for other_start, other_end, other in spans[index + 1 :]:
                if start < other_end and other_start < end:
                    yield f"blocks {number} and {other} overlap"


def _invalid_faults(body: Any) -> Iterator[str]:
    """FastAPI's list of what is wrong with a request."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if not isinstance(detail, list) or not detail:
        yield "detail is no list"
        return
    for number, entry in enumerate(detail):
        if not {"type", "loc", "msg", "input"} <= set(entry):
            yield f"entry {number} lacks type, loc, msg or input"
        elif not isinstance(entry["loc"], list):
            yield f"entry {number}: loc is no list"


def _error_faults(path: str, status: int, body: Any) -> Iterator[str]:
    detail = body.get("detail") if isinstance(body, dict) else None
    said = detail
    if path == OBJECT_ERRORS:
        if not isinstance(detail, dict):
            yield "detail is no object"
            return
        yield from _failure_faults(detail)
        said = detail.get("error")
    if not isinstance(said, str) or not said:
        yield "no text says what is wrong"
        return
    missing = "Image file not found: Image not found: " if path == OBJECT_ERRORS else "Image not found: "
    if status == NOT_FOUND and path in PREFIXES and not said.startswith(missing):
        yield f"a missing file is told as {missing!r}"
    if status == FAULT and path in PREFIXES and not said.startswith(PREFIXES[path]):
        yield f"an error begins {PREFIXES[path]!r}"


def _failure_faults(detail: dict[str, Any]) -> Iterator[str]:
    yield from _wrong_types(detail, {"error": str, "error_type": str})
    for name in ("provider", "model"):
        if name not in detail or not isinstance(detail[name], str | None):
            yield f"{name} is missing, or neither string nor null"
    if not isinstance(detail.get("hint", ""), str):
        yield "hint is no string"


def _wrong_types(body: Mapping[str, Any], types: Mapping[str, type]) -> Iterator[str]:
    for name, kind in types.items():
        value = body.get(name)
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if not fits:
            yield f"{name} is no {kind.__name__}"


def _share_faults(value: Any, name: str) -> Iterator[str]:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        yield f"{name} is no number from 0 to 1"
