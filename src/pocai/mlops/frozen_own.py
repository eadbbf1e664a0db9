"""A frozen set of documents of one's own, or of line pictures: read once, and kept by content.

Names of files say who somebody is: documents and lines are named by the SHA-256 of their content instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pocai.documents.ingest import load
from pocai.documents.limits import Deadline
from pocai.errors import InputError
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.evaluation.slices import Slice, slices_of
from pocai.mlops.frozen_set import (
    OWN,
    Content,
    FrozenDocument,
    FrozenLine,
    FrozenSet,
    Tell,
    is_set,
    kept,
    opened,
    sets_in,
)
from pocai.settings import Settings

if TYPE_CHECKING:
    from pocai.training.datasets import LineFolder

What = Literal["documents", "lines"]
_NAME = 12  # digits of a SHA-256 that name a document
_PRIVATE = frozenset(("school", "class", "teacher"))  # slices of labels that say whose a document is


def own_set(home: Path, folder: Path, what: What, settings: Settings, tell: Tell | None = None) -> FrozenSet:
    """The set of a folder: ``documents`` as `pocai evaluate` takes them, or ``lines`` as trainings do.

    A folder that is a frozen set itself is opened as it is. What is read is kept below ``home``, so that a folder is
    read once, as long as nothing in it changes. Raises InputError for a folder that cannot be used.
    """
    if is_set(folder):
        return opened(folder)
    read = _documents if what == "documents" else _lines
    recipe = {"kind": OWN, "what": what, "content": content_hash(folder), "engine": settings.ocr_engine}
    return kept(sets_in(home), recipe, lambda: read(folder, settings, tell))


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder. Raises InputError where there is none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise InputError(f"{folder} holds no files", mend="Name the folder of documents with labels")
    digests = (f"{_sha256(path.read_bytes())}  {path.relative_to(folder).as_posix()}\n" for path in files)
    return _sha256("".join(digests).encode())


def _documents(folder: Path, settings: Settings, tell: Tell | None) -> Content:
    labelled = read_dataset(folder).documents
    found = []
    for each in labelled:
        found.append(_document(each, settings))
        if tell is not None:
            tell("reading documents", len(found) / len(labelled))
    return Content(documents=tuple(found))


def _document(labelled: LabelledDocument, settings: Settings) -> FrozenDocument:
    """A document with its lines; what its label and its looks say becomes its slices."""
    from pocai.inference.pipeline import Stopwatch, read_text

    content = labelled.path.read_bytes()
    document = load(content, name=labelled.path.name, limits=settings.limits)
    document = read_text(document, settings, Deadline(settings.limits.max_seconds), Stopwatch(None))[0]
    found = (each for each in slices_of(labelled.slices, document) if each.dimension not in _PRIVATE)
    slices = (*found, Slice("set", OWN))
    name = f"own-{_sha256(content)[:_NAME]}"
    truth = {"timetables": labelled.truth.get("timetables", [labelled.truth])}
    return FrozenDocument(name, replace(document, name=""), truth, tuple(sorted(set(slices))))


def _lines(folder: Path, settings: Settings, tell: Tell | None) -> Content:
    del settings
    from pocai.training.datasets import read_line_folder

    found = tuple(_line_pictures(read_line_folder(folder)))
    if tell is not None:
        tell("reading lines", 1.0)
    return Content(lines=found)


def _line_pictures(folder: LineFolder) -> Iterator[FrozenLine]:
    from pocai.training.datasets import hash_of_pixels

    for side in (folder.train, folder.validation):
        for number in range(len(side)):
            line = side.line(number)
            name = f"own-{hash_of_pixels(line.image)[:_NAME]}"
            yield FrozenLine(name, line.image, line.text, (Slice("set", OWN),))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
