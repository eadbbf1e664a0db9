"""The OCR service: reads the picture of a page with an engine chosen by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from threading import Lock

from pocai.documents.page import Page
from pocai.errors import InputError, ModelError
from pocai.models import catalog
from pocai.models.protocols import OCREngine, OCRResult

_loading = Lock()


class OCRService:
    """Reads pages with one engine; any number of services with different engines live side by side.

    ``engine`` is a name of `pocai.models.catalog` (or an engine); its weights are loaded when the first page is
    read, once in a process for each number of ``threads`` (0: all usable cores). Raises UnknownModel at once for a
    name that is not in the catalogue, ModelError on the first page when the engine cannot run here.

    ``adapter`` is the folder of an adapter that the engine's student reads with: a service for each request, with an
    adapter of its own, costs next to nothing, as all share the engine. ModelError where it cannot be used.
    """

    def __init__(self, engine: str | OCREngine = "cascade", threads: int = 0, adapter: Path | None = None) -> None:
        if isinstance(engine, str):
            catalog.entry(engine)
        self._engine = engine
        self._threads = threads
        self._adapter = adapter

    @property
    def name(self) -> str:
        return self._engine if isinstance(self._engine, str) else self._engine.name

    def read(self, page: Page) -> OCRResult:
        """What is written on a page, in the page's coordinates. Raises InputError for a page without a picture."""
        return self._ready(page).read(page)

    def read_page(self, page: Page) -> tuple[Page, OCRResult]:
        """The page turned upright with its lines set, and the result in the turned page's coordinates.

        Raises InputError for a page without a picture.
        """
        return self._ready(page).read_upright(page)

    def _ready(self, page: Page) -> OCREngine:
        if page.image is None:
            raise InputError(f"page {page.number} has no picture to read", mend="Render the page first.")
        engine = self._engine
        if isinstance(engine, str):
            with _loading:
                engine = _engine(engine, self._threads)
        return engine if self._adapter is None else _adapted(engine, self._adapter)


def _adapted(engine: OCREngine, adapter: Path) -> OCREngine:
    from pocai.models.line_engine import LineEngine

    if not isinstance(engine, LineEngine):
        raise ModelError(f"the engine {engine.name} takes no adapters", mend="Use the engine student or cascade.")
    return engine.adapted(adapter)


@lru_cache(maxsize=8)
def _engine(name: str, threads: int) -> OCREngine:
    return catalog.engine(name, threads)
