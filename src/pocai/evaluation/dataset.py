"""A labelled folder: documents and the truth about them.

Two layouts are read: ``DIR/documents/NAME.png`` with ``DIR/truth/NAME.json``, or ``NAME.png`` and ``NAME.json`` side by
side. A label is a timetable in the host's shape (or ``{"timetables": [...]}``); a block may carry ``accept``, a list of
overrides that are right as well. Optional: ``words`` (all printed words, in reading order) and ``slices`` (an object
such as ``{"layout": "rows", "photo": true}``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocai.errors import InputError
from pocai.evaluation.timetables import Json

_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")
_TEXTS = ("day", "name", "notes")
_TIMES = ("startTime", "endTime")
_NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """A document and the truth about it; ``name`` is the file name without its ending."""

    name: str
    path: Path
    truth: Json

    @property
    def words(self) -> tuple[str, ...] | None:
        """All printed words in reading order, None where the label has none."""
        words = self.truth.get("words")
        return None if words is None else tuple(words)

    @property
    def slices(self) -> Mapping[str, str | bool]:
        """The slices that the label names."""
        named: Mapping[str, str | bool] = self.truth.get("slices") or {}
        return named


@dataclass(frozen=True, slots=True)
class Dataset:
    """The labelled documents by name, and the names of the documents that have no label."""

    documents: tuple[LabelledDocument, ...]
    unlabelled: tuple[str, ...] = ()


def read_dataset(folder: Path) -> Dataset:
    """Read every label of ``folder``.

    Raises `InputError` where the folder holds no label, or with the places of all mistakes in its labels (a label
    without its document, two documents of one name, no JSON, a block without a name, a time that is none).
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", mend="Name the folder that holds documents and their truth")
    apart = (folder / "truth").is_dir()
    labels = sorted((folder / "truth" if apart else folder).glob("*.json"))
    files = _files_by_stem(folder / "documents" if apart else folder)
    documents, problems = [], []
    for label in labels:
        if not apart and label.stem not in files:
            continue  # some other JSON file that lies here: side by side, a label is known by its document
        truth, mistakes = read_label(label)
        found = files.get(label.stem, [])
        if len(found) != 1:
            mistakes.append(f"{label.name}: {'several documents have' if found else 'no document has'} this name")
        if mistakes:
            problems += mistakes
        else:
            documents.append(LabelledDocument(label.stem, found[0], truth))
    if problems:
        raise InputError(_listed(problems), mend="Correct these labels; the format is described in pocai.evaluation")
    if not documents:
        raise InputError(
            f"no labelled document in {folder}",
            mend="Put NAME.json beside each document, or use DIR/documents and DIR/truth",
        )
    named = {document.name for document in documents}
    return Dataset(tuple(documents), tuple(sorted(files.keys() - named)))


def read_label(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The label in ``path`` and its mistakes, each as "FILE: place: what is wrong" (no text of the label)."""
    try:
        label = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        return {}, [f"{path.name}: cannot be read as JSON ({type(error).__name__})"]
    if not isinstance(label, dict):
        return {}, [f"{path.name}: is not a JSON object"]
    return label, [f"{path.name}: {mistake}" for mistake in _mistakes(label)]


def _files_by_stem(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix.lower() != ".json" and not path.name.startswith("."):
                files.setdefault(path.stem, []).append(path)
    return files


def _mistakes(label: Mapping[str, Any]) -> Iterator[str]:
    tables = label.get("timetables", [label])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        yield "timetables is not a list of objects"
        return
    for table in tables:
        blocks = table.get("timeblocks")
        if not isinstance(blocks, list):
            yield "timeblocks is not a list"
            continue
        for index, block in enumerate(blocks):
            yield from _block_mistakes(f"timeblocks[{index}]", block)
    words = label.get("words")
    if words is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        yield "words is not a list of strings"
    slices = label.get("slices")
    if slices is not None and not (
        isinstance(slices, dict) and all(isinstance(value, str | bool) for value in slices.values())
    ):
        yield "slices is not an object of strings, true and false"


def _block_mistakes(place: str, block: object) -> Iterator[str]:
    if not isinstance(block, dict):
        yield f"{place} is not an object"
        return
    if not block.get("name"):
        yield f"{place}.name is missing"
    yield from _field_mistakes(place, block)
    variants = block.get("accept")
    if variants is not None and not isinstance(variants, list):
        yield f"{place}.accept is not a list"
        return
    for index, variant in enumerate(variants or []):
        if isinstance(variant, dict):
            yield from _field_mistakes(f"{place}.accept[{index}]", variant)
        else:
            yield f"{place}.accept[{index}] is not an object"


def _field_mistakes(place: str, block: Mapping[str, Any]) -> Iterator[str]:
    for name in (*_TEXTS, *_TIMES):
        value = block.get(name)
        if value is not None and not isinstance(value, str):
            yield f"{place}.{name} is not a text"
        elif value is not None and name in _TIMES and not _TIME.fullmatch(value.strip()):
            yield f"{place}.{name} is not a time as HH:MM"


def _listed(problems: list[str]) -> str:
    more = len(problems) - _NAMED_AT_MOST
    shown = "; ".join(problems[:_NAMED_AT_MOST])
    return f"{len(problems)} mistakes in the labels: {shown}{f'; and {more} more' if more > 0 else ''}"
