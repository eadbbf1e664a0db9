"""The layout transformer at work: it says what each line is and which belong together; the rest is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.documents.page import Document, Page
from pocai.errors import ModelError
from pocai.models.adapter import Adapter, Adapters
from pocai.models.artefact import Artefact, open_session
from pocai.models.card import Digest, card_file
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
SURE = 0.9  # probability from which a line of an event is a name or a note whatever the rules of naming say
SHIPPED = "assets/models/layout.onnx"


class LayoutCard(BaseModel):
    """What must be known of a layout transformer: its roles, how it was made, how well it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    sha256: Digest
    roles: tuple[str, ...] = ROLES
    recipe: Mapping[str, Any] = {}
    data_sha256: Digest | None = None
    trained_on: str = ""
    limits: tuple[str, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """The card in a file. Raises ModelError when it is missing, no card, or of another set of roles."""
        try:
            card = cls.model_validate_json(file.read_bytes())
        except OSError as error:
            what = f"the model card {file.name} cannot be read"
            raise ModelError(what, mend="Weights need their card (.json) beside them") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ModelError(f"{file.name} is no model card: {first['msg']}", mend="Export it again") from None
        if card.roles != ROLES:
            raise ModelError(f"{file.name} is of a model with other roles", mend="Export it with this version")
        return card


@dataclass(frozen=True, slots=True)
class Judged:
    """What the network says of a page: ``roles`` ``(N, 13)`` and ``related`` ``(N, N)``, both probabilities."""

    roles: NDArray[np.float32]
    related: NDArray[np.float32]


class LayoutModel:
    """Reads layouts with the shipped transformer, or the one in ``weights`` (ONNX, its card beside it).

    Raises ModelError when weights or card are missing, altered, or do not fit each other.
    """

    name = "layout"

    def __init__(self, hours: SchoolHours, weights: Path | None = None, threads: int = 1) -> None:
        file = Artefact("pocai", SHIPPED, "", "").file if weights is None else weights
        self.card = LayoutCard.read(card_file(file))
        if hashlib.sha256(file.read_bytes()).hexdigest() != self.card.sha256:
            raise ModelError(f"{file.name} is not what its card is of", mend="Keep weights and card of one export")
        self._session = open_session(file, threads)
        self._adapters = Adapters(self._session, self.name)
        self._hours = hours

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
        inputs = (tokens.letters.astype(np.int64), tokens.facts, tokens.places, np.array(tokens.cells, np.int64))
        filled = np.ones(len(tokens), np.bool_)
        feed = {name: value[None] for name, value in zip(INPUTS, (*inputs, filled), strict=True)}
        roles, related = self._session.run(list(OUTPUTS), feed, None if adapter is None else adapter.options())
        scores = np.exp(roles[0] - roles[0].max(axis=1, keepdims=True))
        return Judged(scores / scores.sum(axis=1, keepdims=True), 1 / (1 + np.exp(-related[0])))

    def pointed(self, page: Page, adapter: Adapter | None = None) -> Pointed:
        """What the network says of a page, made consistent. Raises ModelError for more than 600 lines."""
        tables = find_tables(page)
        tokens = tokens_of(page, tables)
        if not len(tokens):
            return Pointed(page, (), (), (), np.zeros((0, 0), np.bool_))
        judged = self.judged(tokens, adapter)
        roles = tuple(ROLES[number] for number in judged.roles.argmax(axis=1))
        name, note = judged.roles[:, NAMES].sum(axis=1), judged.roles[:, NOTE]
        doubtful = np.flatnonzero(np.maximum(name, note) < SURE * (name + note))
        related = consistent(roles, judged.related)
        return Pointed(page, tables, tokens.lines, roles, related, frozenset(doubtful.tolist()))

    def _page(self, page: Page, adapter: Adapter | None) -> tuple[Timetable, ...]:
        return timetables_pointed(self.pointed(page, adapter), self._hours)


class AdaptedLayout:
    """A layout transformer with an adapter: a thin document model, of which each request may have its own."""

    def __init__(self, model: LayoutModel, adapter: Adapter) -> None:
        self._model, self._adapter = model, adapter
        self.name = f"{model.name}+{adapter.card.name}"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """As `LayoutModel.assemble`, with the adapter."""
        return self._model.assemble(document, self._adapter)
