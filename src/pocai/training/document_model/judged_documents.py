"""Documents that were read and judged: the figures of every block, and which of its fields are right, kept in files."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Document
from pocai.errors import ConfigurationError, InputError, PocaiError
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.evaluation.slices import slices_of
from pocai.evaluation.trust import right_block, right_fields
from pocai.models.evidence.features import NAMES, figures_of
from pocai.models.evidence.scene import FIELDS
from pocai.settings import SchoolHours
from pocai.timetable.timetable import BlockField, TimeBlock, Timetable

Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.int64]
_ORIGIN = "origin.json"
_COLUMNS = (*FIELDS, "block")
_PHOTOGRAPHED = frozenset(("damage: photo", "damage: screen", "photo: yes"))
_NOT_THERE, _WRONG, _RIGHT = -1, 0, 1
FORMAT = 1


@dataclass(frozen=True, slots=True)
class WasRead:
    """What reading a document gave: timetables whose marks are not calibrated, and the document with its lines."""

    timetables: tuple[Timetable, ...]
    document: Document


Read: TypeAlias = Callable[[Path], WasRead]


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """The blocks of many documents, ``N`` in all.

    ``figures`` ``(N, F)``; ``verdicts`` ``(N, 6)``: of each field and of the block whether it is right (1), wrong (0)
    or not there (-1); ``missing`` ``(N, 3)``: no day, no start, no end; ``documents`` and ``timetables`` ``(N,)`` say
    whose each block is. ``slices`` are those of each document, ``readers`` all recognizers, ``count`` the documents
    that were read, ``sha256`` of all content.
    """

    figures: Matrix
    verdicts: NDArray[np.int8]
    missing: Flags
    documents: Numbers
    timetables: Numbers
    slices: tuple[tuple[str, ...], ...]
    readers: tuple[str, ...]
    count: int
    sha256: str

    def of(self, name: str) -> Flags:
        """Which blocks have this field; all have "block"."""
        there: Flags = self.verdicts[:, _COLUMNS.index(name)] != _NOT_THERE
        return there

    def right(self, name: str) -> Flags:
        """Whether it is right, for every block."""
        good: Flags = self.verdicts[:, _COLUMNS.index(name)] == _RIGHT
        return good

    @property
    def photographs(self) -> Flags:
        """The blocks of documents that were photographed: from paper, from a screen, or by the look of the page."""
        photographed: Flags = np.array([bool(_PHOTOGRAPHED & set(slices)) for slices in self.slices])[self.documents]
        return photographed

    def by_slice(self) -> dict[str, Flags]:
        """The blocks of each slice of the documents."""
        names = sorted({each for slices in self.slices for each in slices})
        inside = {name: np.array([name in slices for slices in self.slices], np.bool_) for name in names}
        return {name: flags[self.documents] for name, flags in inside.items() if flags[self.documents].any()}


def judge_documents(
    documents: Path,
    folder: Path,
    read: Read,
    how: tuple[int, Mapping[str, Any]] = (1, {}),
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Read the labelled documents of a folder, judge them, and write a file for each; gives back the files by name.

    ``how`` are the number of processes and what must be the same when the work is continued (JSON). Documents that have
    a file already are not read again; one that cannot be read gets a file without blocks. Raises ConfigurationError for
    a folder that was written in another way.
    """
    processes, origin = how
    folder.mkdir(parents=True, exist_ok=True)
    _check_origin(folder, {"format": FORMAT, "figures": list(NAMES), **origin})
    labelled = read_dataset(documents).documents
    files = [folder / f"{each.name}.npz" for each in labelled]
    open_ = [(each, file) for each, file in zip(labelled, files, strict=True) if not file.is_file()]
    done = len(files) - len(open_)
    for _ in _all_done(open_, read, processes):
        done += 1
        if progress is not None:
            progress(done, len(files))
    return files


def judged_set(files: Sequence[Path]) -> JudgedSet:
    """All blocks in files of `judge_documents`. Raises InputError where there is none, or a file is damaged."""
    parts = [_loaded(file) for file in files]
    sizes = [len(part["figures"]) for part in parts]
    if not sum(sizes):
        raise InputError("no block was found in any document", mend="Read more documents")
    tables, first = [], 0
    for part in parts:
        tables.append(part["timetables"].astype(np.int64) + first)
        first += int(part["timetables"].max(initial=-1)) + 1
    return JudgedSet(
        figures=np.concatenate([part["figures"] for part in parts]).astype(np.float64),
        verdicts=np.concatenate([part["verdicts"] for part in parts]),
        missing=np.concatenate([part["missing"] for part in parts]).astype(np.bool_),
        documents=np.repeat(np.arange(len(parts)), sizes),
        timetables=np.concatenate(tables),
        slices=tuple(tuple(part["slices"].tolist()) for part in parts),
        readers=tuple(sorted({reader for part in parts for reader in part["readers"].tolist()})),
        count=sum(not part["error"] for part in parts),
        sha256=hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest(),
    )


def judged(read: WasRead, labelled: LabelledDocument) -> dict[str, NDArray[Any]]:
    """The arrays of one document, as they are kept."""
    blocks = [(n, block) for n, each in enumerate(read.timetables) for block in each.timeblocks]
    figures = figures_of(read.timetables, read.document, SchoolHours())
    right = right_fields(labelled.truth, read.timetables)
    verdicts = [_verdicts(block, fields) for (_, block), fields in zip(blocks, right, strict=True)]
    slices = slices_of(labelled.slices, read.document, read.timetables)
    readers = sorted({line.reader for page in read.document.pages for line in page.lines if line.reader})
    return {
        "figures": np.concatenate([*figures, np.empty((0, len(NAMES)))]).astype(np.float32),
        "verdicts": np.array(verdicts, np.int8).reshape(-1, len(_COLUMNS)),
        "missing": np.array([_missing(block) for _, block in blocks], np.bool_).reshape(-1, 3),
        "timetables": np.array([n for n, _ in blocks], np.int32),
        "slices": np.array([str(each) for each in slices], np.str_),
        "readers": np.array(readers, np.str_),
        "error": np.array("", np.str_),
    }


def _verdicts(block: TimeBlock, right: frozenset[BlockField]) -> list[int]:
    fields = [(_RIGHT if name in right else _WRONG) if name in block.fields else _NOT_THERE for name in FIELDS]
    return [*fields, _RIGHT if right_block(right) else _WRONG]


def _missing(block: TimeBlock) -> tuple[bool, bool, bool]:
    return block.day is None, block.start_time is None, block.end_time is None


def _all_done(open_: Sequence[tuple[LabelledDocument, Path]], read: Read, processes: int) -> Iterator[None]:
    if processes <= 1:
        for labelled, file in open_:
            _judge(labelled, file, read)
            yield
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running: list[Future[None]] = [pool.submit(_judge, labelled, file, read) for labelled, file in open_]
        for future in as_completed(running):
            future.result()
            yield


def _judge(labelled: LabelledDocument, file: Path, read: Read) -> None:
    """Read and judge one document; its file is written whole or not at all."""
    try:
        arrays = judged(read(labelled.path), labelled)
    except PocaiError as error:
        arrays = judged(WasRead((), Document((), "png", "")), labelled) | {"error": np.array(error.code, np.str_)}
    fresh = file.with_name(f".{file.name}.part")
    with fresh.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    fresh.replace(file)


def _loaded(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file.name} cannot be read", mend="Delete it, and it is made again") from error


def _check_origin(folder: Path, origin: Mapping[str, Any]) -> None:
    """Note how a folder is written, or compare it with what is there."""
    file = folder / _ORIGIN
    if not file.is_file():
        file.write_text(json.dumps(origin, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    there = json.loads(file.read_text(encoding="utf-8"))
    other = sorted(name for name in {*there, *origin} if there.get(name) != origin.get(name))
    if other:
        what = f"{folder} holds documents that were judged in another way ({', '.join(other)} differ)"
        raise ConfigurationError(what, mend="Name another folder, or remove this one")
