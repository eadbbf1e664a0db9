"""What an ensemble says of pages without labels: a layout transformer and the rules, as probabilities to learn from.

Knowledge distillation (Hinton et al. 2015, arXiv:1503.02531): a small network learns from the probabilities of a large
one more than from its answers. Here they are averaged with what the rules say, which err elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Document, Page
from pocai.errors import ConfigurationError, InputError
from pocai.models.layout import LayoutModel
from pocai.models.layout_tokens import FACTS, FIELDS, LETTERS, MOST, ROLES, lines_of, tokens_of
from pocai.settings import SchoolHours
from pocai.timetable.assemble import assemble_page
from pocai.training.document_model.labelled_documents import ReadText
from pocai.training.document_model.labelled_pages import labelled_page
from pocai.training.document_model.layout_pages import LayoutPage, known_of
from pocai.training.document_model.page_variants import plain

ORIGIN = "taught.json"  # beside the pages: which ensemble taught them
STEPS = 255  # a probability of a pair is kept in so many steps


@dataclass(frozen=True, slots=True)
class TaughtPage:
    """A page to learn from: ``letters``, ``facts``, ``places`` and ``cells`` as in `LayoutPage`, and probabilities.

    ``role_scores`` ``(N, 13)`` float32, those of each token's role; ``pair_scores`` ``(N, N)`` float32, whether two
    tokens share a block.
    """

    letters: NDArray[np.uint8]
    facts: NDArray[np.float32]
    places: NDArray[np.float32]
    cells: NDArray[np.int32]
    role_scores: NDArray[np.float32]
    pair_scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.role_scores)

    @property
    def likeliest(self) -> LayoutPage:
        """The page with the likeliest role of each token, and without blocks: what augmentation works on."""
        roles = self.role_scores.argmax(axis=1).astype(np.uint8)
        return LayoutPage(self.letters, self.facts, self.places, self.cells, roles, np.zeros((0, 2), np.int32))


def taught_page(page: Page, teacher: LayoutModel, rules: LayoutPage | None, share: float) -> TaughtPage:
    """The mean of what the teacher and, with weight ``share`` (0 to 1), the rules say.

    Of a token or a pair of which the rules say nothing it is what the teacher says. Raises ModelError for more than
    600 lines, ConfigurationError for another share.
    """
    if not 0 <= share <= 1:
        raise ConfigurationError(f"the share of the rules is {share}", mend="Choose a number from 0 to 1")
    tokens = tokens_of(page)
    judged = teacher.judged(tokens)
    roles, related = judged.roles, judged.related
    if rules is not None:
        told, placed = known_of(rules).T
        weight = np.float32(share) * told[:, None]
        roles = (1 - weight) * roles + weight * np.eye(len(ROLES), dtype=np.float32)[rules.roles]
        weight = np.float32(share) * (placed[:, None] & placed)
        related = (1 - weight) * related + weight * rules.related()
    cells = np.array(tokens.cells, np.int32)
    return TaughtPage(tokens.letters, tokens.facts, tokens.places, cells, _float32(roles), _float32(related))


def rules_page(page: Page, hours: SchoolHours) -> LayoutPage | None:
    """What the rules say of a page: each line's role and blocks by the timetables that they find on it.

    ``known`` says of which lines they say something. None where they find no timetable.
    """
    timetables = [timetable.model_dump(by_alias=True, mode="json") for timetable in assemble_page(page, hours)]
    return plain(labelled_page(page, timetables)) if timetables else None


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A layout transformer and the rules, the latter with weight ``share``, for the ``hours`` of a school."""

    teacher: LayoutModel
    hours: SchoolHours
    share: float

    def pages(self, document: Document) -> list[TaughtPage]:
        """The pages of a document with what is said of them, but those without text, or with more than 600 lines."""
        pages = [page for page in document.pages if 0 < len(lines_of(page)) <= MOST]
        return [taught_page(page, self.teacher, rules_page(page, self.hours), self.share) for page in pages]

    @property
    def origin(self) -> dict[str, Any]:
        """Which one it is, as JSON holds it."""
        return {"teacher": self.teacher.card.name, "sha256": self.teacher.card.sha256, "rules": self.share}


@dataclass(frozen=True, slots=True)
class Taught:
    """What became of documents: how many have files now, and why others were left out, by name."""

    documents: int
    left_out: tuple[str, ...]


def teach(
    paths: Sequence[Path],
    read: ReadText,
    ensemble: Ensemble,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Taught:
    """Write what an ensemble says of documents, a file for each, named by its content; what is there is not done again.

    ``progress`` is told documents done, and all. Raises ConfigurationError where another ensemble wrote to the folder.
    """
    _claim(folder, ensemble.origin)
    left_out = []
    for number, path in enumerate(paths, start=1):
        file = folder / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}.npz"
        try:
            if not file.is_file():
                write_taught(file, ensemble.pages(read(path)))
        except InputError as error:
            left_out.append(f"{path.name}: {error.what}")
        if progress is not None:
            progress(number, len(paths))
    return Taught(len(paths) - len(left_out), tuple(left_out))


def _claim(folder: Path, origin: dict[str, Any]) -> None:
    """Note down which ensemble fills a folder. Raises ConfigurationError where it was another one."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ORIGIN
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != origin:
        what = f"{folder} holds what another teacher said, or with another share of the rules"
        raise ConfigurationError(what, mend="Name another folder")
    part = file.with_name(f".{file.name}.part")
    part.write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def write_taught(file: Path, pages: Sequence[TaughtPage]) -> None:
    """Pages in one compressed file, whole or not at all; probabilities of pairs in steps of 1/255."""
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(page, name) for page in (_EMPTY, *pages)])
        for name in ("letters", "facts", "places", "cells", "role_scores")
    }
    columns["facts"] = columns["facts"].astype(np.float16)
    pairs = np.concatenate([page.pair_scores.ravel() for page in (_EMPTY, *pages)])
    columns["pair_scores"] = np.round(pairs * STEPS).astype(np.uint8)
    columns["counts"] = np.array([len(page) for page in pages], np.int32)
    part = file.with_name(f".{file.name}.part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **columns)
    part.replace(file)


def read_taught(file: Path) -> list[TaughtPage]:
    """What `write_taught` wrote. Raises InputError for a file that is missing or something else."""
    try:
        with np.load(file, allow_pickle=False) as columns:
            held = {name: columns[name] for name in (*TaughtPage.__slots__, "counts")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        mend = "Name files, or folders, that `pocai distill ensemble` wrote"
        raise InputError(f"{file} cannot be read as taught pages ({type(error).__name__})", mend=mend) from error
    ends, pair_ends = np.cumsum(held["counts"]), np.cumsum(held["counts"].astype(np.int64) ** 2)
    pages = []
    for end, pair_end, count in zip(ends, pair_ends, held["counts"], strict=True):
        own = slice(end - count, end)
        pairs = held["pair_scores"][pair_end - int(count) ** 2 : pair_end].reshape(count, count)
        pages.append(
            TaughtPage(
                held["letters"][own],
                _float32(held["facts"][own]),
                held["places"][own],
                held["cells"][own],
                held["role_scores"][own],
                _float32(pairs) / np.float32(STEPS),
            )
        )
    return pages


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)


_EMPTY = TaughtPage(
    np.zeros((0, LETTERS), np.uint8),
    np.zeros((0, FACTS), np.float32),
    np.zeros((0, FIELDS), np.float32),
    np.zeros(0, np.int32),
    np.zeros((0, len(ROLES)), np.float32),
    np.zeros((0, 0), np.float32),
)
