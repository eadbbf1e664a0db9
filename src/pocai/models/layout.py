"""The layout transformer at work: it says what each line is and which belong together; the rest is computed."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from pocai.documents.page import Document, Page
from pocai.errors import ModelError
from pocai.models.adapter import Adapter, Adapters
from pocai.models.artefact import Artefact, open_session
from pocai.models.card import Card, card_file
from pocai.models.layout_decoding import consistent
from pocai.models.layout_tokens import MOST, ROLES, Tokens, tokens_of
from pocai.settings import SchoolHours
from pocai.timetable.assemble import over_pages
from pocai.timetable.grid import find_tables
from pocai.timetable.pointed import Pointed
from pocai.timetable.pointed_weeks import timetables_pointed
from pocai.timetable.timetable import Timetable

INPUTS = ("letters", "facts", "places", "cells", "filled")
OUTPUTS = ("roles", "related")
NAMES, NOTE = [ROLES.index("event"), ROLES.index("break")], ROLES.index("note")
SURE = 0.98  # probability from which a line of an event is a name or a note whatever the rules of naming say
SHIPPED_LAYOUT = Artefact("pocai", "assets/models/layout.onnx", "", "")


class LayoutCard(Card):
    """The card of a layout transformer: which ``roles`` it tells apart."""

    roles: tuple[str, ...] = ROLES

    @model_validator(mode="after")
    def _of_these_roles(self) -> Self:
        if self.roles != ROLES:
            raise ValueError("the model has other roles than this version")
        return self


@dataclass(frozen=True, slots=True)
class Judged:
    """What the network says of a page: ``roles`` ``(N, 13)`` and ``related`` ``(N, N)``, both probabilities."""

    roles: NDArray[np.float32]
    related: NDArray[np.float32]

    @classmethod
    def of(cls, roles: NDArray[np.float32], related: NDArray[np.float32]) -> Self:
        """From the network's scores (logits)."""
        scores = np.exp(roles - roles.max(axis=1, keepdims=True))
        return cls(scores / scores.sum(axis=1, keepdims=True), np.reciprocal(1 + np.exp(-related)))


class LayoutModel:
    """Reads layouts with the shipped transformer, or the one in ``weights`` (ONNX, its card beside it).

    Raises ModelError when weights or card are missing, altered, or do not fit each other.
    """

    name = "layout"

    def __init__(self, hours: SchoolHours, weights: Path | None = None, threads: int = 1) -> None:
        file = SHIPPED_LAYOUT.file if weights is None else weights
        self.card = LayoutCard.read(card_file(file))
        self._session = open_session(self.card.verified(file), threads)
        self._adapters = Adapters(self._session, self.name)
        self.hours = hours

    def within(self, hours: SchoolHours) -> Self:
        """This model for a school with other hours; both share the network."""
        other = copy(self)
        other.hours = hours
        return other

    def assemble(self, document: Document, adapter: Adapter | None = None) -> tuple[Timetable, ...]:
        """The timetables of a document; none where it holds none. Raises ModelError for a page with too many lines."""
        return over_pages(document, lambda page: self._page(page, adapter))

    def adapted(self, folder: Path) -> AdaptedLayout:
        """This model with the adapter in a folder, for the requests of one school; all share the network.

        Raises ModelError where the adapter is missing, altered, or of other weights.
        """
        return AdaptedLayout(self, self._adapters.adapter(folder))

    def judged(self, tokens: Tokens, adapter: Adapter | None = None) -> Judged:
        """Probabilities of roles and of common blocks. Raises ModelError for more than 600 tokens."""
        if len(tokens) > MOST:
            raise ModelError(f"a page has {len(tokens)} lines; at most {MOST} are read at once", mend="Use the rules")
        feed = {name: value[None] for name, value in zip(INPUTS, inputs_of(tokens), strict=True)}
        options = None if adapter is None else adapter.options()
        try:
            roles, related = self._session.run(list(OUTPUTS), feed, options)
        except Exception as error:  # ONNX Runtime raises bare C++ errors of many kinds
            raise ModelError(
                "the layout transformer fails on this page", mend="Use the document model rules"
            ) from error
        return Judged.of(roles[0], related[0])

    def pointed(self, page: Page, adapter: Adapter | None = None) -> Pointed:
        """What the network says of a page, made consistent. Raises ModelError for more than 600 lines."""
        return pointed_by(lambda tokens: self.judged(tokens, adapter), page)

    def _page(self, page: Page, adapter: Adapter | None) -> tuple[Timetable, ...]:
        return timetables_pointed(self.pointed(page, adapter), self.hours)


def inputs_of(tokens: Tokens) -> tuple[NDArray[Any], ...]:
    """What the network is given of a page, in the order of `INPUTS` and without their first axis (pages)."""
    cells, filled = np.array(tokens.cells, np.int64), np.ones(len(tokens), np.bool_)
    return tokens.letters.astype(np.int64), tokens.facts, tokens.places, cells, filled


def pointed_by(judge: Callable[[Tokens], Judged], page: Page) -> Pointed:
    """What a network says of a page's tokens (``judge``), made consistent; nothing of a page without text."""
    tables = find_tables(page)
    tokens = tokens_of(page, tables)
    if not len(tokens):
        return Pointed(page, (), (), (), np.zeros((0, 0), np.bool_))
    judged = judge(tokens)
    roles = tuple(ROLES[number] for number in judged.roles.argmax(axis=1))
    name, note = judged.roles[:, NAMES].sum(axis=1), judged.roles[:, NOTE]
    doubtful = np.flatnonzero(np.maximum(name, note) < SURE * (name + note))
    related = consistent(roles, judged.related)
    return Pointed(page, tables, tokens.lines, roles, related, frozenset(doubtful.tolist()))


class AdaptedLayout:
    """A layout transformer with an adapter: a thin document model, of which each request may have its own."""

    def __init__(self, model: LayoutModel, adapter: Adapter) -> None:
        self._model, self._adapter = model, adapter
        self.name = f"{model.name}+{adapter.card.name}"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """As `LayoutModel.assemble`, with the adapter."""
        return self._model.assemble(document, self._adapter)
