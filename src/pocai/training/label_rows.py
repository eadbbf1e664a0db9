"""Which text belongs to which picture of a folder: lists of labels, and text files beside pictures."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocai.errors import InputError

PARTS = ("train", "val", "validation")  # folders that say what their lines are for
_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"}
_PREPARED = (".nrm", ".bin")  # what OCRopus and kraken put before the ending of pictures that they prepared
_FILE_KEYS = ("file", "file_name", "filename", "image", "path")
_TEXT_KEYS = ("text", "label", "transcription")

FaultKind = Literal["unreadable", "no picture", "no label", "bad row"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a folder that was left out: ``place`` names the file or the row, ``why`` says more if need be."""

    kind: FaultKind
    place: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The text of a picture, as it was found at ``place``; the picture need not be there."""

    path: Path
    text: str
    place: str


def label_rows(folder: Path, faults: list[Fault]) -> list[Row]:
    """The labels of a folder: of its list, of its parts (train, val), or of the texts beside its pictures.

    What has no partner, and rows that make no sense or name a file outside of their folder, are added to ``faults``.
    Raises InputError where a list or a text is not UTF-8, or where there are several lists.
    """
    return _rows(folder, folder, faults)


def _rows(root: Path, folder: Path, faults: list[Fault]) -> list[Row]:
    there = [folder / name for name in _READERS if (folder / name).is_file()]
    if len(there) > 1:
        raise InputError(f"{folder} holds {there[0].name} and {there[1].name}", mend="Keep one of them")
    if there:
        rows = list(_listed(root, there[0], faults))
        labelled = {row.path for row in rows}
        left = (path for path in _pictures(folder) if path not in labelled)
        faults += [Fault("no label", _relative(path, root)) for path in left]
        return rows
    if folder == root and (folder / PARTS[0]).is_dir():
        parts = [folder / part for part in PARTS if (folder / part).is_dir()]
        return [row for part in parts for row in _rows(root, part, faults)]
    return list(_beside(root, folder, faults))


_Fields = Iterator[tuple[int, tuple[str, str] | None]]
"""Number of the row, its file and its text; None where these cannot be told."""


def _listed(root: Path, file: Path, faults: list[Fault]) -> Iterator[Row]:
    for number, fields in _READERS[file.name](_text_of(file)):
        place = f"{_relative(file, root)}:{number}"
        if fields is None or not fields[0] or "\0" in fields[0]:
            faults.append(Fault("bad row", place, "it is not a file and a text"))
            continue
        path = Path(os.path.normpath(file.parent / fields[0]))
        if not path.is_relative_to(Path(os.path.normpath(file.parent))):
            faults.append(Fault("bad row", place, "its file lies outside the folder"))
            continue
        yield Row(file.parent / path.relative_to(os.path.normpath(file.parent)), fields[1], place)


def _read_tsv(content: str) -> _Fields:
    for number, line in enumerate(content.split("\n"), start=1):
        file, tab, text = line.removesuffix("\r").partition("\t")
        if not line.strip() or (number == 1 and _is_heading([file, text])):
            continue
        yield number, (file.strip(), text) if tab else None


def _read_csv(content: str) -> _Fields:
    at_file, at_text = 0, 1
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        for fields in reader:
            if reader.line_num == 1 and _is_heading(fields):
                at_file, at_text = _place(fields, _FILE_KEYS), _place(fields, _TEXT_KEYS)
            elif fields:
                whole = len(fields) > max(at_file, at_text)
                yield reader.line_num, (fields[at_file].strip(), fields[at_text]) if whole else None
    except csv.Error:  # what follows cannot be told apart any more
        yield reader.line_num, None


def _read_jsonl(content: str) -> _Fields:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, None
            continue
        values = [_first(row, keys) for keys in (_FILE_KEYS, _TEXT_KEYS)] if isinstance(row, dict) else [None, None]
        file, text = values
        yield number, (file, text) if isinstance(file, str) and isinstance(text, str) else None


_READERS: dict[str, Callable[[str], _Fields]] = {
    "labels.tsv": _read_tsv,
    "labels.csv": _read_csv,
    "labels.jsonl": _read_jsonl,
}


def _first(row: dict[str, object], keys: Sequence[str]) -> object:
    return next((row[key] for key in keys if key in row), None)


def _place(fields: Sequence[str], keys: Sequence[str]) -> int:
    names = [field.strip().lower() for field in fields]
    return next(names.index(key) for key in keys if key in names)


def _is_heading(fields: Sequence[str]) -> bool:
    names = {field.strip().lower() for field in fields}
    return bool(names & set(_FILE_KEYS)) and bool(names & set(_TEXT_KEYS))


def _beside(root: Path, folder: Path, faults: list[Fault]) -> Iterator[Row]:
    """Pictures with a text file of the same name, in the folder and below it."""
    labels = set(folder.rglob("*.txt"))
    used: set[Path] = set()
    for picture in _pictures(folder):
        found = [path for path in _labels_of(picture) if path in labels]
        used.update(found)
        if found:
            yield Row(picture, _text_of(found[0]).removesuffix("\n").removesuffix("\r"), _relative(found[0], root))
        else:
            faults.append(Fault("no label", _relative(picture, root)))
    faults += [Fault("no picture", _relative(path, root)) for path in sorted(labels - used)]


def _labels_of(picture: Path) -> Iterator[Path]:
    """Where the text of a picture may stand, the likeliest first."""
    for base in dict.fromkeys((picture.stem, *(picture.stem.removesuffix(ending) for ending in _PREPARED))):
        yield from (picture.with_name(base + ending) for ending in (".gt.txt", ".txt"))


def _pictures(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _text_of(file: Path) -> str:
    """The text of a file of labels; raises InputError where it is not UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as UTF-8 text", mend="Save it as UTF-8") from error
