"""Document understanding: the pages of a document become timetables, by the model that the catalogue names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pocai.documents.page import Document
from pocai.errors import ModelError, UnknownModel
from pocai.models.protocols import DocumentModel
from pocai.settings import SchoolHours
from pocai.timetable.assemble import assemble
from pocai.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True)
class RuleAssembler:
    """The rules of `pocai.timetable.assemble` as a document model."""

    hours: SchoolHours
    name: str = "rules"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """The timetables of a document; none where it holds none."""
        return assemble(document, self.hours)


DOCUMENT_MODELS: dict[str, Callable[[SchoolHours], DocumentModel]] = {"rules": RuleAssembler}
FALLBACK = "rules"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Timetables, the model that made them, and why it was not the one asked for (None when it was)."""

    timetables: tuple[Timetable, ...]
    model: str
    fallback_reason: str | None = None


class DocumentService:
    """Assembles timetables with the named model, and with the rules where that model fails or finds nothing."""

    def __init__(self, model: str | DocumentModel, hours: SchoolHours) -> None:
        """Raises UnknownModel for a name that is not in `DOCUMENT_MODELS`."""
        self._model = _made(model, hours) if isinstance(model, str) else model
        self._fallback = _made(FALLBACK, hours)

    def extract(self, document: Document) -> Assembly:
        """The timetables of a document; falls back to the rules and says why."""
        if self._model.name == self._fallback.name:
            return Assembly(self._model.assemble(document), self._model.name)
        try:
            timetables = self._model.assemble(document)
        except ModelError as error:
            return self._by_rules(document, f"{self._model.name} failed: {error.code}")
        if timetables:
            return Assembly(timetables, self._model.name)
        return self._by_rules(document, f"{self._model.name} found no timetable")

    def _by_rules(self, document: Document, reason: str) -> Assembly:
        return Assembly(self._fallback.assemble(document), self._fallback.name, reason)


def _made(name: str, hours: SchoolHours) -> DocumentModel:
    if name not in DOCUMENT_MODELS:
        known = ", ".join(sorted(DOCUMENT_MODELS))
        raise UnknownModel(f"there is no document model named {name!r}", mend=f"Choose one of: {known}")
    return DOCUMENT_MODELS[name](hours)
