"""Line images on disk, in the recognizer's own shape, with what a teacher read: written once, then mapped into memory.

A part is a folder: ``pixels.bin`` (the images ``(48, w)`` uint8, row by row, one after the other), ``labels.jsonl`` (a
JSON string for each), ``teacher.bin`` (for each line with scores its class numbers ``(T, 8)`` uint16, then their
log-probabilities ``(T, 8)`` float16; little-endian), ``index.npy`` (a row for each line: width, bytes of its label,
steps of the teacher, all int32) and, written last, ``manifest.json``. A folder without a manifest is unfinished.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from pocai.errors import ConfigurationError, InputError
from pocai.models.ctc import CLASSES
from pocai.models.line_image import HEIGHT, line_image
from pocai.training.datasets import Line, Pixels

Scores = NDArray[np.float32]
Teacher = Callable[[Sequence[Pixels]], Sequence[Scores]]
"""Reads RGB crops ``(h, w, 3)``; for each one log-probabilities ``(T, len(CLASSES))``, natural logarithm."""
Progress = Callable[[int], None]
"""Is told how many lines are written."""
Drawn = TypeVar("Drawn", bound=Line)

KEPT = 8  # classes of each step whose scores are kept
FORMAT = 1
_CHUNK = 64  # lines that are written (and shown to the teacher) at a time
_DATA = ("pixels.bin", "labels.jsonl", "teacher.bin")
_ALPHABET = hashlib.sha256("\n".join(CLASSES).encode()).hexdigest()
_STEP_BYTES = KEPT * 4


@dataclass(frozen=True, slots=True)
class Draws(Sequence[Drawn]):
    """Lines that are made when they are asked for: ``draw(number)`` for each number of a range.

    Unlike a generator it can be taken up in the middle, so an interrupted `write_shards` repeats no work.
    """

    draw: Callable[[int], Drawn]
    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Drawn: ...
    @overload
    def __getitem__(self, index: slice) -> Draws[Drawn]: ...
    def __getitem__(self, index: int | slice) -> Drawn | Draws[Drawn]:
        if isinstance(index, slice):
            return Draws(self.draw, self.numbers[index])
        return self.draw(self.numbers[index])


def write_shards(
    folder: Path,
    samples: Iterable[Line],
    teacher: Teacher | None = None,
    progress: Progress | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Path:
    """Write one part to ``folder``; gives back its manifest. A finished part with these parameters is left as it is.

    An interrupted part is continued: ``samples`` are given from the first one again, and those that are written
    already are skipped (of a `Sequence`, such as `Draws`, without being made). ``parameters`` say how the samples
    came about (JSON); they go into the manifest. Raises ConfigurationError where the folder holds a part that was
    written with other parameters or another alphabet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    origin = _origin(parameters, scored=teacher is not None)
    _check_origin(folder, origin)
    manifest = folder / "manifest.json"
    if manifest.is_file():
        return manifest
    done = _recover(folder)
    with _Writer(folder) as writer:
        for chunk in _chunks(_from(samples, done)):
            writer.write(chunk, teacher([line.image for line in chunk]) if teacher else None)
            done += len(chunk)
            if progress is not None:
                progress(done)
    return _finish(folder, origin)


def written(folder: Path) -> int:
    """How many lines a part holds, finished or not; 0 where there is none."""
    file = folder / "index.npy"
    return len(_read_index(file)) if file.is_file() else len(_partial_index(folder))


class Shards:
    """Several parts as one: lines by number, mapped into memory. Pickles as its folders, so it goes to workers."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._parts = tuple(_Part(folder) for folder in self._folders)
        self._ends = np.cumsum([len(part) for part in self._parts])
        self._widths = np.concatenate([part.index[:, 0] for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __reduce__(self) -> tuple[type[Shards], tuple[tuple[Path, ...]]]:
        return Shards, (self._folders,)

    def image(self, index: int) -> Pixels:
        """Line image ``(48, w)`` uint8, a read-only view of the file."""
        part, row = self._place(index)
        return part.image(row)

    def text(self, index: int) -> str:
        """What is printed on the line."""
        part, row = self._place(index)
        return part.text(row)

    def teacher(self, index: int) -> tuple[NDArray[np.uint16], NDArray[np.float16]] | None:
        """The likeliest classes ``(T, 8)`` and their log-probabilities ``(T, 8)``, best first; None without scores."""
        part, row = self._place(index)
        return part.teacher(row)

    def width(self, index: int) -> int:
        """Width of the line image in pixels."""
        part, row = self._place(index)
        return int(part.index[row, 0])

    def widths(self) -> NDArray[np.int32]:
        """Widths of all line images in pixels, ``(N,)``: what batches of equal widths are made from."""
        return self._widths

    def content_hash(self) -> str:
        """SHA-256 over the parts' contents, whatever their order."""
        return hashlib.sha256("".join(sorted(part.content for part in self._parts)).encode()).hexdigest()

    def verify(self) -> None:
        """Read all files once; raises InputError where one is not what its manifest says."""
        for folder, part in zip(self._folders, self._parts, strict=True):
            if _content_hash(folder) != part.content:
                raise InputError(f"{folder} was altered since it was written", mend="Write this part again")

    def _place(self, index: int) -> tuple[_Part, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self._parts[number], index - int(self._ends[number]) + len(self._parts[number])


def open_shards(folders: Sequence[Path]) -> Shards:
    """The parts in ``folders`` as one. Raises InputError where one is unfinished, cut off or of another alphabet."""
    if not folders:
        raise InputError("No folder of line images was named", mend="Name at least one")
    return Shards(folders)


class _Part:
    """One folder, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        manifest = _read_manifest(folder)
        self.content: str = manifest["content_sha256"]
        self.index = _read_index(folder / "index.npy")
        sizes = _sizes(self.index)
        self._starts = np.concatenate((np.zeros((1, 3), np.int64), np.cumsum(sizes, axis=0)))
        expected = dict(zip(_DATA, self._starts[-1].tolist(), strict=True))
        if len(self.index) != manifest["lines"] or expected != {name: _size(folder / name) for name in _DATA}:
            raise InputError(f"{folder} does not hold what its manifest says", mend="Write this part again")
        self._pixels, self._labels, self._teacher = (_mapped(folder / name) for name in _DATA)

    def __len__(self) -> int:
        return len(self.index)

    def image(self, row: int) -> Pixels:
        return self._bytes(self._pixels, row, 0).reshape(HEIGHT, -1)

    def text(self, row: int) -> str:
        label: str = json.loads(self._bytes(self._labels, row, 1).tobytes())
        return label

    def teacher(self, row: int) -> tuple[NDArray[np.uint16], NDArray[np.float16]] | None:
        block = self._bytes(self._teacher, row, 2)
        if not block.size:
            return None
        half = block.size // 2
        classes, scores = block[:half].view("<u2"), block[half:].view("<f2")
        return classes.reshape(-1, KEPT), scores.reshape(-1, KEPT)

    def _bytes(self, data: Pixels, row: int, column: int) -> Pixels:
        start, end = self._starts[row : row + 2, column].tolist()
        return data[start:end]


class _Writer:
    """Appends lines to the files of a part; the index last, so that what it names is there."""

    def __init__(self, folder: Path) -> None:
        self._files = [(folder / name).open("ab") for name in (*_DATA, "index.part")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def write(self, lines: Sequence[Line], scores: Sequence[Scores] | None) -> None:
        """Append lines and their scores, and flush them."""
        pixels, labels, teacher, index = self._files
        for number, line in enumerate(lines):
            image = line_image(line.image)
            label = json.dumps(line.text, ensure_ascii=False).encode() + b"\n"
            kept = None if scores is None else _likeliest(scores[number])
            pixels.write(image.tobytes())
            labels.write(label)
            if kept is not None:
                teacher.write(kept[0].tobytes() + kept[1].tobytes())
            steps = 0 if kept is None else len(kept[0])
            index.write(np.array((image.shape[1], len(label), steps), "<i4").tobytes())
        for file in self._files:
            file.flush()


def _likeliest(scores: Scores) -> tuple[NDArray[np.uint16], NDArray[np.float16]]:
    """Classes ``(T, 8)`` and log-probabilities ``(T, 8)`` of the best of ``(T, classes)``, best first."""
    best = np.argpartition(scores, -KEPT, axis=1)[:, -KEPT:]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable"), 1)
    lowest = float(np.finfo(np.float16).min)
    return best.astype("<u2"), np.maximum(np.take_along_axis(scores, best, 1), lowest).astype("<f2")


def _from(samples: Iterable[Line], start: int) -> Iterator[Line]:
    """The samples without the first ``start``; those of a sequence are not made only to be left out."""
    if isinstance(samples, Sequence):
        return (samples[number] for number in range(start, len(samples)))
    return islice(samples, start, None)


def _chunks(samples: Iterator[Line]) -> Iterator[list[Line]]:
    while chunk := list(islice(samples, _CHUNK)):
        yield chunk


def _recover(folder: Path) -> int:
    """Cut the files of an interrupted part back to its last whole line; gives back the number of lines."""
    index = _partial_index(folder)
    sizes = np.cumsum(_sizes(index), axis=0)
    there = np.array([_size(folder / name) for name in _DATA])
    whole = int((sizes <= there).all(axis=1).sum())
    ends = sizes[whole - 1].tolist() if whole else [0, 0, 0]
    for name, end in zip((*_DATA, "index.part"), (*ends, whole * 12), strict=True):
        with (folder / name).open("ab") as file:
            file.truncate(end)
    return whole


def _partial_index(folder: Path) -> NDArray[np.int32]:
    file = folder / "index.part"
    data = file.read_bytes() if file.is_file() else b""
    return np.frombuffer(data[: len(data) // 12 * 12], "<i4").reshape(-1, 3).astype(np.int32)


def _sizes(index: NDArray[np.int32]) -> NDArray[np.int64]:
    """Bytes of each line in the data files, ``(N, 3)``."""
    return index.astype(np.int64) * (HEIGHT, 1, _STEP_BYTES)


def _finish(folder: Path, origin: Mapping[str, Any]) -> Path:
    """Write the index as an array, then the manifest in one move."""
    index = _partial_index(folder)
    np.save(folder / "index.npy", index)
    manifest = {
        **origin,
        "lines": len(index),
        "scored": int((index[:, 2] > 0).sum()),
        "content_sha256": _content_hash(folder),
        "versions": {name: version(name) for name in ("pocai", "numpy", "opencv-python-headless")},
    }
    fresh = folder / "manifest.json.part"
    fresh.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(folder / "manifest.json")
    (folder / "index.part").unlink()
    (folder / "origin.json").unlink()
    return folder / "manifest.json"


def _origin(parameters: Mapping[str, Any] | None, *, scored: bool) -> dict[str, Any]:
    """What must be the same when a part is continued."""
    origin: dict[str, Any] = json.loads(json.dumps({"parameters": parameters or {}}))
    return {"format": FORMAT, "alphabet_sha256": _ALPHABET, "teacher": scored, **origin}


def _check_origin(folder: Path, origin: Mapping[str, Any]) -> None:
    """Note the origin of a part, or compare it with what is there."""
    noted = next((file for file in (folder / "manifest.json", folder / "origin.json") if file.is_file()), None)
    if noted is None:
        fresh = folder / "origin.json.part"
        fresh.write_text(json.dumps(origin, ensure_ascii=False), encoding="utf-8")
        fresh.replace(folder / "origin.json")
        return
    there = _json(noted)
    other = [name for name, value in origin.items() if there.get(name) != value]
    if other:
        raise ConfigurationError(
            f"{folder} holds lines that were written in another way ({', '.join(other)} differ)",
            mend="Name another folder, or remove this one",
        )


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.json"
    if not file.is_file():
        what = "is unfinished" if (folder / "origin.json").is_file() else "holds no line images"
        raise InputError(f"{folder} {what}: it has no manifest.json", mend="Write this part (again, to finish it)")
    manifest = _json(file)
    if (manifest.get("format"), manifest.get("alphabet_sha256")) != (FORMAT, _ALPHABET):
        raise InputError(f"{folder} was written for another alphabet or format", mend="Write this part again")
    return manifest


def _read_index(file: Path) -> NDArray[np.int32]:
    try:
        index: NDArray[np.int32] = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} cannot be read as an array", mend="Write this part again") from error
    return index


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as JSON", mend="Write this part again") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} is no JSON object", mend="Write this part again")
    return content


def _content_hash(folder: Path) -> str:
    """SHA-256 over the digests of the data files and of the index."""
    whole = hashlib.sha256()
    for name in (*_DATA, "index.npy"):
        with (folder / name).open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _size(file: Path) -> int:
    return os.path.getsize(file) if file.is_file() else 0  # noqa: PTH202 (the same call, once)


def _mapped(file: Path) -> Pixels:
    """The bytes of a file, read-only. A plain array, whose slices are faster; an empty file cannot be mapped."""
    return np.memmap(file, np.uint8, "r").view(np.ndarray) if _size(file) else np.empty(0, np.uint8)
