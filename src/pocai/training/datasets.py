"""Labelled lines to train on: what they offer, and folders of line pictures with their texts.

`read_line_folder` takes pictures with one list of labels, or with a text file beside each picture (as users of
Tesseract and kraken have them), in one folder or split into ``train/`` and ``val/``.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pocai.documents.ingest import load
from pocai.errors import InputError
from pocai.settings import Limits
from pocai.training.label_rows import PARTS, Fault, Row, label_rows

Pixels = NDArray[np.uint8]

LINE_LIMITS = Limits(max_bytes=20 * 2**20, max_pixels=20_000_000, max_source_pixels=20_000_000, max_pages=1)
VALIDATION_SHARE = 10  # one line in so many is for validation, where the folder does not say
_TRAIN, _VALIDATION = PARTS[0], PARTS[1:]


class Line(Protocol):
    """A picture of one printed line and its text."""

    @property
    def image(self) -> Pixels:
        """RGB ``(h, w, 3)`` uint8."""
        ...

    @property
    def text(self) -> str:
        """What is printed."""
        ...


class Lines(Protocol):
    """Labelled lines by number."""

    def __len__(self) -> int: ...

    def line(self, index: int) -> Line:
        """One line; a pure function of its number."""
        ...

    def content_hash(self) -> str:
        """SHA-256 over pixels and labels, whatever the order."""
        ...


class NamedLines(Lines, Protocol):
    """Lines that a report can point at."""

    def name(self, index: int) -> str:
        """Where a line comes from, as the user knows it: a file below the folder, a place on a page."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A line in memory: ``image`` RGB ``(h, w, 3)`` uint8."""

    image: Pixels
    text: str


class GivenLines:
    """Lines that are in memory already, each with its name."""

    def __init__(self, samples: Sequence[Sample], names: Sequence[str]) -> None:
        self._samples = tuple(samples)
        self._names = tuple(names)

    def __len__(self) -> int:
        return len(self._samples)

    def line(self, index: int) -> Sample:
        """One line."""
        return self._samples[index]

    def name(self, index: int) -> str:
        """The name that was given with it."""
        return self._names[index]

    def content_hash(self) -> str:
        """SHA-256 over pixels and labels, whatever the order."""
        return hash_of((hash_of_pixels(sample.image), sample.text) for sample in self._samples)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture that was decoded once: its label, and the SHA-256 of its pixels."""

    path: Path
    text: str
    pixels: str


class FileLines:
    """Lines whose pictures lie in files and are decoded when they are asked for."""

    def __init__(self, folder: Path, files: Sequence[PictureFile]) -> None:
        self._folder = folder
        self._files = tuple(files)

    def __len__(self) -> int:
        return len(self._files)

    def line(self, index: int) -> Sample:
        """One line. Raises InputError where its file has gone or was changed since the folder was read."""
        file = self._files[index]
        image = read_picture(file.path)
        if hash_of_pixels(image) != file.pixels:
            raise InputError(f"{self.name(index)} was changed while it was in use", mend="Start again")
        return Sample(image, file.text)

    def name(self, index: int) -> str:
        """The file, from the folder that was read."""
        return self._files[index].path.relative_to(self._folder).as_posix()

    def content_hash(self) -> str:
        """SHA-256 over pixels and labels, whatever the order."""
        return hash_of((file.pixels, file.text) for file in self._files)


Held = TypeVar("Held", bound=NamedLines)


@dataclass(frozen=True, slots=True)
class Split(Generic[Held]):
    """Lines to train on, lines to validate on, and what was left out."""

    train: Held
    validation: Held
    faults: tuple[Fault, ...] = ()


LineFolder = Split[FileLines]


def read_line_folder(folder: Path) -> LineFolder:
    """The labelled lines of a folder; all pictures are decoded once, and those that cannot be used become faults.

    The labels stand in ``labels.tsv`` (file, tab, text), ``labels.csv`` or ``labels.jsonl`` (``{"file", "text"}``)
    beside the pictures, or in ``NAME.gt.txt`` or ``NAME.txt`` beside ``NAME.png``. Texts are brought to Unicode NFC.
    Pictures below ``train/`` and ``val/`` belong there; otherwise the hash of its pixels decides for each line, so
    that equal pictures stay together and new lines move no old one (while both sides have some).

    Raises InputError where there is no folder, no line that can be used, or a list that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", mend="Name the folder that holds line pictures and labels")
    faults: list[Fault] = []
    files = list(_decoded(folder, label_rows(folder, faults), faults))
    if not files:
        first = f" ({faults[0].kind}: {faults[0].place})" if faults else ""
        raise InputError(
            f"{folder} holds no labelled line that can be used{first}",
            mend="Put labels.tsv (file, tab, text) beside the pictures, or NAME.txt beside each NAME.png",
        )
    held_out = _by_folder(folder, files) or split_by_hash([file.pixels for file in files])
    train, validation = (
        [file for file, held in zip(files, held_out, strict=True) if held is side] for side in (False, True)
    )
    return Split(FileLines(folder, train), FileLines(folder, validation), tuple(faults))


def read_picture(path: Path) -> Pixels:
    """A line picture as RGB ``(h, w, 3)`` uint8, upright. Raises InputError where it is none, cut off or too large."""
    document = load(path, limits=LINE_LIMITS)
    image = document.pages[0].image if len(document.pages) == 1 else None
    if image is None or document.format in {"pdf", "docx", "xlsx"}:
        raise InputError(f"it is a {document.format} document, not a picture of a line", mend="Save the line as PNG")
    if document.warnings:
        raise InputError(document.warnings[0], mend="Save the line as PNG again")
    return image


def split_by_hash(keys: Sequence[str]) -> list[bool]:
    """For each line whether it is held out, told by its hexadecimal key alone: one in ten, equal keys together.

    Where that would leave one side empty, the line with the lowest (highest) key changes sides.
    """
    held_out = {key for key in keys if int(key[:8], 16) % VALIDATION_SHARE == 0}
    distinct = sorted(set(keys))
    if len(distinct) > 1 and not held_out:
        held_out = {distinct[0]}
    if len(distinct) > 1 and len(held_out) == len(distinct):
        held_out.remove(distinct[-1])
    return [key in held_out for key in keys]


def hash_of_pixels(image: Pixels) -> str:
    """SHA-256 of a picture's size and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def hash_of(lines: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over pairs of pixel hash and label, whatever their order."""
    each = sorted(hashlib.sha256(f"{pixels} {text}".encode()).hexdigest() for pixels, text in lines)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def _decoded(folder: Path, rows: Iterable[Row], faults: list[Fault]) -> Iterator[PictureFile]:
    for row in rows:
        if not row.path.is_file():
            faults.append(Fault("no picture", row.place))
            continue
        try:
            image = read_picture(row.path)
        except InputError as error:
            faults.append(Fault("unreadable", row.path.relative_to(folder).as_posix(), error.what))
            continue
        yield PictureFile(row.path, unicodedata.normalize("NFC", row.text), hash_of_pixels(image))


def _by_folder(folder: Path, files: Sequence[PictureFile]) -> list[bool] | None:
    """For each picture whether it lies below ``val``; None where not both sides are there."""
    parts = [file.path.relative_to(folder).parts[0] for file in files]
    if _TRAIN not in parts or not set(parts) & set(_VALIDATION):
        return None
    return [part in _VALIDATION for part in parts]
