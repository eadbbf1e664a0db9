"""Document understanding: the pages of a document become timetables, by the model that the catalogue names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pocai.documents.page import Document
from pocai.errors import ModelError, UnknownModel
from pocai.models.protocols import DocumentModel
from pocai.settings import LanguageEndpoint, SchoolHours
from pocai.timetable.assemble import assemble
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_likeness import likeness
from pocai.timetable.support import Checked
from pocai.timetable.timetable import Timetable

if TYPE_CHECKING:
    from pocai.models.layout import LayoutModel


@dataclass(frozen=True, slots=True)
class RuleAssembler:
    """The rules of `pocai.timetable.assemble` as a document model."""

    hours: SchoolHours
    name: str = "rules"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """The timetables of a document; none where it holds none."""
        return assemble(document, self.hours)


@lru_cache(maxsize=4)
def _loaded_layout(folder: str) -> LayoutModel:
    from pocai.models.layout import LayoutModel

    return LayoutModel(SchoolHours(), Path(folder, "layout.onnx") if folder else None)


def _layout_of(folder: str, hours: SchoolHours) -> DocumentModel:
    """The layout transformer in a folder, or the one that is shipped; its weights are loaded once in a process."""
    return _loaded_layout(folder).within(hours)


def _layout(folder: str, hours: SchoolHours, _: LanguageEndpoint) -> DocumentModel:
    return _layout_of(folder, hours)


@dataclass(frozen=True, slots=True)
class Assembly:
    """Timetables, the model that made them, and why it was not the one asked for (None when it was).

    ``left_out`` tells what the model said and the pages do not. ``judge`` is the model that chose this one, if any;
    ``by_school`` says that it would have chosen another one without the school's memory. ``failed`` is the model that
    could not read the document, if one could not.
    """

    timetables: tuple[Timetable, ...]
    model: str
    fallback_reason: str | None = None
    left_out: tuple[str, ...] = ()
    judge: str | None = None
    by_school: bool = False
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class RulesAndLayout:
    """The layout transformer and the rules, of whose readings the critic takes the likelier one (`models.critic`).

    What is known of the school speaks for the reading that is more like its earlier timetables.
    """

    layout: DocumentModel
    rules: DocumentModel
    hours: SchoolHours
    name: str = "auto"

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """The timetables of the model that is preferred."""
        return self.choose(document).timetables

    def choose(self, document: Document, memory: SchoolMemory | None = None) -> Assembly:
        """The timetables, and the model that made them: the rules, with the reason, where the transformer fails."""
        from pocai.models.critic import shipped

        rules = self.rules.assemble(document)
        try:
            layout = self.layout.assemble(document)
            odds = shipped().odds(rules, layout, self.hours) if rules and layout else 0.0
        except ModelError as error:
            reason = f"{self.layout.name} failed: {error.code}"
            return Assembly(rules, self.rules.name, reason, failed=self.layout.name)
        if not layout:
            return Assembly(rules, self.rules.name, judge=self.name)
        if not rules:
            return Assembly(layout, self.layout.name, judge=self.name)
        leaning = 0.0 if memory is None else LIKENESS * (likeness(layout, memory) - likeness(rules, memory))
        by_school = (odds >= 0) != (odds + leaning >= 0)
        if odds + leaning >= 0:
            return Assembly(layout, self.layout.name, judge=self.name, by_school=by_school)
        return Assembly(rules, self.rules.name, judge=self.name, by_school=by_school)

    def adapted(self, folder: Path) -> DocumentModel:
        """A school's adapter is for the layout transformer, which then reads alone."""
        return _adapted(self.layout, folder)


def _rules_and_layout(hours: SchoolHours, folder: str = "") -> DocumentModel:
    return RulesAndLayout(_layout_of(folder, hours), RuleAssembler(hours), hours)


def _auto(folder: str, hours: SchoolHours, _: LanguageEndpoint) -> DocumentModel:
    return _rules_and_layout(hours, folder)


DOCUMENT_MODELS: dict[str, Callable[[SchoolHours], DocumentModel]] = {
    "rules": RuleAssembler,
    "layout": partial(_layout_of, ""),
    "auto": _rules_and_layout,
}
FALLBACK = "rules"
LIKENESS = 32.0  # log odds for a reading that is all like the school's earlier ones, over one that is not at all


def _language(folder: str, hours: SchoolHours, endpoint: LanguageEndpoint) -> DocumentModel:
    from pocai.models.language import named

    return named(folder, hours, endpoint)


# Models of one's own, from the folder that their name ends with ("language:FOLDER"; without one an endpoint is asked).
FAMILIES: dict[str, Callable[[str, SchoolHours, LanguageEndpoint], DocumentModel]] = {
    "auto": _auto,
    "layout": _layout,
    "language": _language,
}


@runtime_checkable
class Choosing(Protocol):
    """A document model that asks others, and names the one whose answer it gives."""

    def choose(self, document: Document, memory: SchoolMemory | None = None) -> Assembly: ...


@runtime_checkable
class Telling(Protocol):
    """A document model that tells what it has left out because the pages do not say it."""

    def read(self, document: Document) -> Checked: ...


@runtime_checkable
class Adaptable(Protocol):
    """A document model that takes adapters, by their folders."""

    def adapted(self, folder: Path) -> DocumentModel: ...


class DocumentService:
    """Assembles timetables with the named model, and with the rules where that model fails or finds nothing."""

    def __init__(
        self,
        model: str | DocumentModel,
        hours: SchoolHours,
        endpoint: LanguageEndpoint | None = None,
        adapter: Path | None = None,
    ) -> None:
        """Raises UnknownModel for a name that is in neither `DOCUMENT_MODELS` nor, before its colon, `FAMILIES`.

        ``endpoint`` is asked by the model "language". Raises ConfigurationError where that may not be used, ModelError
        for a folder that is not there. ``adapter`` is the folder of an adapter that the model reads with; ModelError
        where it takes none, or not this one: a school's own style is never left out in silence.
        """
        plain = _made(model, hours, endpoint) if isinstance(model, str) else model
        self._model = plain if adapter is None else _adapted(plain, adapter)
        self._fallback = _made(FALLBACK, hours)

    def extract(self, document: Document, memory: SchoolMemory | None = None) -> Assembly:
        """The timetables of a document; falls back to the rules and says why.

        ``memory`` is of the document's school; a model that chooses between readings looks at it.
        """
        if self._model.name == self._fallback.name:
            return Assembly(self._model.assemble(document), self._model.name)
        if isinstance(self._model, Choosing):
            return self._model.choose(document, memory)
        try:
            asked = self._asked(document)
        except ModelError as error:
            assembly = self._by_rules(document, f"{self._model.name} failed: {error.code}")
            return replace(assembly, failed=self._model.name)
        if asked.timetables:
            return Assembly(asked.timetables, self._model.name, left_out=tuple(map(str, asked.unsupported)))
        return self._by_rules(document, f"{self._model.name} found no timetable")

    def _asked(self, document: Document) -> Checked:
        model = self._model
        return model.read(document) if isinstance(model, Telling) else Checked(model.assemble(document), ())

    def _by_rules(self, document: Document, reason: str) -> Assembly:
        return Assembly(self._fallback.assemble(document), self._fallback.name, reason)


def _made(name: str, hours: SchoolHours, endpoint: LanguageEndpoint | None = None) -> DocumentModel:
    family, _, folder = name.partition(":")
    if name not in DOCUMENT_MODELS and family in FAMILIES:
        return FAMILIES[family](folder, hours, endpoint or LanguageEndpoint())
    if name not in DOCUMENT_MODELS:
        known = ", ".join(sorted((*DOCUMENT_MODELS, *FAMILIES, *(f"{each}:FOLDER" for each in FAMILIES))))
        raise UnknownModel(f"there is no document model named {name!r}", mend=f"Choose one of: {known}")
    return DOCUMENT_MODELS[name](hours)


def _adapted(model: DocumentModel, adapter: Path) -> DocumentModel:
    if not isinstance(model, Adaptable):
        raise ModelError(f"the document model {model.name} takes no adapters", mend="Use the document model layout.")
    return model.adapted(adapter)
