"""Sets of pages to learn layouts from, written to files by several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pocai.documents.page import Document
from pocai.errors import InputError
from pocai.synthetic.fonts import Split
from pocai.synthetic.made_document import Amount, DocumentSet, Format, MadeDocument, made_document
from pocai.training.document_model.layout_pages import LayoutPage, layout_page, pages_of_seed, write_pages
from pocai.training.document_model.read_files import read_pages
from pocai.training.made_shards import PartJob, write_parts

DOCUMENTS = 100  # of a file

ReadText: TypeAlias = Callable[[MadeDocument], tuple[Document, Sequence[float]]]
"""Reads the lines of a made file, before anything is understood; with the widths of its pages before they were
straightened. Raises InputError."""


@dataclass(frozen=True, slots=True)
class LayoutSet:
    """Which pages are made: those of ``count`` documents from a seed on.

    Without ``formats`` what a reader does to a page is imitated, ``variants`` times for each document; with formats, in
    turn, files are made and really read (``damage`` is that of pictures).
    """

    seed: int
    count: int
    layouts: str = "train"
    split: Split = "train"
    variants: int = 1
    formats: tuple[Format, ...] = ()
    damage: Amount = "mixed"


def write_layouts(
    folder: Path,
    pages: LayoutSet,
    read: ReadText | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Write a set as files of 100 documents each; files that are there are left as they are.

    ``read`` is wanted where formats are. ``progress`` is told documents done, and all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(pages.seed, pages.seed + pages.count, DOCUMENTS)
    kind = "read" if pages.formats else "made"
    jobs = []
    for start in starts:
        seeds = range(start, min(start + DOCUMENTS, pages.seed + pages.count))
        jobs.append(PartJob(folder / f"{kind}-{start:08d}.npz", _write, (seeds, pages, read), len(seeds)))
    return write_parts(jobs, processes, progress)


def _write(file: Path, seeds: range, pages: LayoutSet, read: ReadText | None) -> None:
    if not file.is_file():
        found = _made(seeds, pages) if read is None or not pages.formats else _read(seeds, pages, read)
        if kept := list(found):
            write_pages(file, kept)


def _made(seeds: range, pages: LayoutSet) -> Iterator[LayoutPage]:
    for seed in seeds:
        yield from pages_of_seed(seed, layouts=pages.layouts, split=pages.split, variants=pages.variants)


def _read(seeds: range, pages: LayoutSet, read: ReadText) -> Iterator[LayoutPage]:
    """Pages of files that were read; a file that is damaged beyond reading gives none."""
    documents = DocumentSet(pages.seed, pages.count, pages.formats, pages.damage, pages.layouts, pages.split)
    for seed in seeds:
        made = made_document(documents, seed - pages.seed)
        try:
            document, widths = read(made)
        except InputError:
            continue
        yield from filter(None, map(layout_page, read_pages(made.printed, document, widths)))
