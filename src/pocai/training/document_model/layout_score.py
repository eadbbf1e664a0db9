"""How well a layout transformer in torch reads documents: the block F1 of what its pointing comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pocai.documents.page import Document, Page
from pocai.evaluation.timetables import Counts, Json, score, total
from pocai.models.layout import Judged, inputs_of, pointed_by
from pocai.models.layout_tokens import MOST, Tokens, lines_of
from pocai.settings import SchoolHours
from pocai.timetable.assemble import over_pages
from pocai.timetable.pointed_weeks import timetables_pointed
from pocai.timetable.timetable import Timetable


def block_f1(network: nn.Module, documents: Iterable[tuple[Sequence[Page], Sequence[Json]]]) -> float:
    """Share of blocks that are right in day, start, end and name (F1) over documents: their pages, and the truth."""
    return total(document_counts(network, pages, tables) for pages, tables in documents).figures.block


def document_counts(network: nn.Module, pages: Sequence[Page], timetables: Sequence[Json]) -> Counts:
    """What is right of a document's timetables."""
    document = Document(tuple(pages), "pdf", "")
    return score({"timetables": list(timetables)}, over_pages(document, lambda page: _read(network, page)))


def _read(network: nn.Module, page: Page) -> tuple[Timetable, ...]:
    """As `pocai.models.layout.LayoutModel` reads a page; nothing of one with too many lines."""
    if len(lines_of(page)) > MOST:
        return ()
    return timetables_pointed(pointed_by(lambda tokens: _judged(network, tokens), page), SchoolHours())


def _judged(network: nn.Module, tokens: Tokens) -> Judged:
    with torch.inference_mode():
        roles, related = network.eval()(*(torch.as_tensor(values)[None] for values in inputs_of(tokens)))
    return Judged.of(roles[0].numpy(), related[0].numpy())
