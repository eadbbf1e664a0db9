"""Documents with their corrected timetables, as pages whose lines are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pocai.documents.page import Document, Page
from pocai.errors import InputError
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.evaluation.timetables import Json
from pocai.timetable.timetable import Day
from pocai.training.document_model.label_page import LabelPage
from pocai.training.document_model.labelled_pages import LabelledPage, labelled_page

ENOUGH = 0.6  # share of a document's blocks that must be found on its pages

ReadText: TypeAlias = Callable[[Path], Document]
"""Reads the lines of a document, before anything is understood. Raises InputError."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A document whose lines are known, by the name of its file, with its ``timetables`` in the host's shape."""

    name: str
    pages: tuple[LabelledPage, ...]
    timetables: tuple[Json, ...]

    @property
    def found(self) -> float:
        """Share of its blocks that were found on its pages."""
        return sum(page.found for page in self.pages) / max(1, sum(page.wanted for page in self.pages))


def corrected_documents(
    folder: Path, read: ReadText, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Corrected], list[str]]:
    """The documents of a folder (as `read_dataset` takes it), and why others were left out, by name.

    Raises InputError for a folder without labels, and for labels with mistakes.
    """
    documents, left_out = [], []
    labelled = read_dataset(folder).documents
    for number, each in enumerate(labelled, start=1):
        try:
            document = corrected(each.name, read(each.path).pages, tables_of(each))
        except InputError as error:
            left_out.append(f"{each.name}: {error.what}")
            continue
        if document.found < ENOUGH:
            left_out.append(f"{each.name}: {document.found:.0%} of its blocks are found on its pages")
        else:
            documents.append(document)
        if progress is not None:
            progress(number, len(labelled))
    return documents, left_out


def corrected(name: str, pages: Sequence[Page], timetables: Sequence[Json]) -> Corrected:
    """A document as it was read, with its corrected timetables; pages without any are left out."""
    return Corrected(name, tuple(_labelled(pages, timetables)), tuple(timetables))


def tables_of(document: LabelledDocument) -> Sequence[Json]:
    """The timetables of a label."""
    tables: Sequence[Json] = document.truth.get("timetables", [document.truth])
    return tables


def _labelled(pages: Sequence[Page], timetables: Sequence[Json]) -> Iterator[LabelledPage]:
    """Each page with the timetables, or the days of a timetable, that are on it."""
    if len(pages) == 1:
        yield labelled_page(pages[0], timetables)
        return
    own: dict[int, list[Json]] = {page.number: [] for page in pages}
    days = {page.number: {day for spot in LabelPage.of(page).spots for day in spot.days} for page in pages}
    for table in timetables:
        named = [number for number in table.get("pages") or () if number in own]
        if len(named) == 1:
            own[named[0]].append(table)
        elif sum(map(len, days.values())) == len(set().union(*days.values())) > 1:  # a page for each day
            for number, part in _by_day(table, days).items():
                own[number].append(part)
        else:
            best = max(pages, key=lambda page: labelled_page(page, [table]).found)
            own[best.number].append(table)
    yield from (labelled_page(page, own[page.number]) for page in pages if own[page.number])


def _by_day(table: Json, days: Mapping[int, set[Day]]) -> dict[int, Json]:
    """A timetable in parts, by the pages that name its days."""
    blocks = {n: [each for each in table["timeblocks"] if each.get("day") in named] for n, named in days.items()}
    return {number: {**table, "timeblocks": found} for number, found in blocks.items() if found}
