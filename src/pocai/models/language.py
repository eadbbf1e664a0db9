"""The document model ``language``: a language model reads a page's text, and that text decides what of it counts.

`language_page` shows a page as numbered lines; a writer (a local network, or an endpoint) answers with copied texts and
the numbers of their lines; `language_answer` keeps what the lines say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal, Protocol

from pocai.documents.page import Document, Page
from pocai.errors import ConfigurationError, ModelError
from pocai.models.language_answer import read_answer, timetables_of
from pocai.models.language_endpoint import EndpointWriter
from pocai.models.language_exchange import Endpoint
from pocai.models.language_page import NumberedPage, numbered
from pocai.settings import LanguageEndpoint, SchoolHours
from pocai.timetable.assemble import over_pages
from pocai.timetable.support import Checked, Unsupported
from pocai.timetable.timetable import Timetable

NAME = "language"
_loading = Lock()


class Writer(Protocol):
    """Answers about pages with JSON, as `language_answer.Answer` has it. Raises ModelError where it cannot."""

    def write(self, page: NumberedPage) -> str: ...


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A causal language model to be loaded: a folder, or a published name; with adapters of `pocai train document-llm`.

    ``tokens`` and ``seconds`` bound the answer about one page.
    """

    base: str
    adapter: Path | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    tokens: int = 6000
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language model as a document model; ``name`` is what results say made them."""

    writer: Writer
    name: str = NAME

    def assemble(self, document: Document) -> tuple[Timetable, ...]:
        """The timetables of a document; none where it holds none. Raises ModelError where the writer fails."""
        return self.read(document).timetables

    def read(self, document: Document) -> Checked:
        """The timetables, and what of the answers the pages do not support: timetables numbered over all pages.

        Raises ModelError where the writer fails, and for a page with more text than a model is shown.
        """
        lacking: list[Unsupported] = []
        answered = 0

        def of_page(page: Page) -> Sequence[Timetable]:
            nonlocal answered
            shown = numbered(page)
            if not shown.lines:
                return ()
            if shown.left_out:
                what = f"page {page.number + 1} has {shown.left_out} lines more than a language model is shown"
                raise ModelError(what, mend="Read it with another document model")
            answer = read_answer(self.writer.write(shown))
            result = timetables_of(answer, shown)
            lacking.extend(replace(each, timetable=each.timetable + answered) for each in result.unsupported)
            answered += len(answer.timetables)
            return result.timetables

        return Checked(over_pages(document, of_page), tuple(lacking))


def language_model(source: LocalModel | Endpoint, hours: SchoolHours, *, egress: bool = False) -> LanguageModel:
    """The document model with a writer of this source.

    Without ``egress`` an endpoint has to be on this machine, and a published name in the hub's cache. Raises
    ConfigurationError for an endpoint that may not be used, ModelError for a model that cannot run here.
    """
    if isinstance(source, Endpoint):
        return LanguageModel(EndpointWriter(source, egress=egress))
    return LanguageModel(_loaded(source, hours, fetch=egress))


def named(folder: str, hours: SchoolHours, endpoint: LanguageEndpoint) -> LanguageModel:
    """The document model that is called ``language``, or ``language:FOLDER``, with this folder.

    Without a folder it is behind the endpoint of the settings. A folder is one of `pocai train document-llm`, or in the
    layout of ``save_pretrained``; ``BASE+ADAPTER`` names two. It is loaded when the first page is read, once in a
    process. Raises ConfigurationError for an endpoint that is not named or may not be used, ModelError where there is
    no such folder.
    """
    if not folder:
        return language_model(_endpoint(endpoint), hours, egress=endpoint.egress)
    base, plus, adapter = (folder, "", "") if Path(folder).is_dir() else folder.partition("+")
    source = LocalModel(base, Path(adapter) if plus else None)
    for place in filter(None, (Path(base), source.adapter)):
        if not place.is_dir():
            raise ModelError(f"there is no folder {place} with a language model", mend="Name it as language:FOLDER")
    return LanguageModel(_LateWriter(source, hours))


@dataclass(frozen=True, slots=True)
class _LateWriter:
    """A local model that is loaded when it is first needed; all that name the same one share it."""

    source: LocalModel
    hours: SchoolHours

    def write(self, page: NumberedPage) -> str:
        with _loading:
            writer = _kept(self.source, self.hours)
        return writer.write(page)


def _endpoint(settings: LanguageEndpoint) -> Endpoint:
    if not settings.url or not settings.model:
        mend = "Set POCAI_LANGUAGE__URL and POCAI_LANGUAGE__MODEL, or name language:FOLDER"
        raise ConfigurationError(f"the document model {NAME} has no endpoint", mend=mend)
    return Endpoint(settings.url, settings.model, settings.key, settings.seconds)


@lru_cache(maxsize=2)
def _kept(source: LocalModel, hours: SchoolHours) -> Writer:
    return _loaded(source, hours, fetch=False)


def _loaded(source: LocalModel, hours: SchoolHours, *, fetch: bool) -> Writer:
    try:
        from pocai.models.language_network import folder_of, load
        from pocai.models.language_writer import Limit, LocalWriter
    except ModuleNotFoundError as error:
        what = f"a local language model needs the package {error.name}"
        raise ModelError(what, mend="pip install 'pocai[train]'") from error
    model = load(folder_of(source.base, fetch=fetch), source.adapter, source.precision)
    model.network.to(source.device)
    return LocalWriter(model, hours, Limit(source.tokens, source.seconds))
