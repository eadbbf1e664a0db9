"""How well a layout transformer in torch reads documents: the block F1 of what its pointing comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pocai.documents.page import Document, Page
from pocai.evaluation.timetables import Counts, Json, score, total
from pocai.models.layout_tokens import MOST, ROLES, tokens_of
from pocai.settings import SchoolHours
from pocai.timetable.assemble import over_pages
from pocai.timetable.grid import find_tables
from pocai.timetable.pointed import Pointed
from pocai.timetable.pointed_weeks import timetables_pointed
from pocai.timetable.timetable import Timetable

HALF = 0.0  # logit from which two lines are related


def block_f1(network: nn.Module, documents: Iterable[tuple[Sequence[Page], Sequence[Json]]]) -> float:
    """Share of blocks that are right in day, start, end and name (F1) over documents: their pages, and the truth."""
    return total(document_counts(network, pages, tables) for pages, tables in documents).figures.block


def document_counts(network: nn.Module, pages: Sequence[Page], timetables: Sequence[Json]) -> Counts:
    """What is right of a document's timetables."""
    document = Document(tuple(pages), "pdf", "")
    return score({"timetables": list(timetables)}, over_pages(document, lambda page: _read(network, page)))


def _read(network: nn.Module, page: Page) -> tuple[Timetable, ...]:
    """As `pocai.models.layout.LayoutModel` reads a page; nothing of one with too many lines."""
    tables = find_tables(page)
    tokens = tokens_of(page, tables)
    if not 0 < len(tokens) <= MOST:
        return ()
    given = (tokens.letters.astype("int64"), tokens.facts, tokens.places, list(tokens.cells))
    letters, facts, places, cells = (torch.as_tensor(values)[None] for values in given)
    filled = torch.ones((1, len(tokens)), dtype=torch.bool)
    with torch.inference_mode():
        roles, related = network.eval()(letters, facts, places, cells, filled)
    names = tuple(ROLES[number] for number in roles[0].argmax(dim=1))
    return timetables_pointed(Pointed(page, tables, tokens.lines, names, (related[0] > HALF).numpy()), SchoolHours())
