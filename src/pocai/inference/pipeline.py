"""The straight line: bytes → document → text → timetables → checks → verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pocai.documents.ingest import load
from pocai.documents.ink import inked
from pocai.documents.limits import Deadline
from pocai.documents.page import Document, Page
from pocai.documents.ruling import find_rules
from pocai.documents.straighten import straighten
from pocai.inference.certainty import certainty
from pocai.inference.ocr_service import OCRService
from pocai.inference.quality import Verdict, gate
from pocai.inference.school_service import assembled
from pocai.models.protocols import OCRResult
from pocai.settings import SchoolHours, Settings
from pocai.timetable.checks import Finding, check
from pocai.timetable.school import SchoolMemory
from pocai.timetable.timetable import Timetable

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came out of a document.

    ``ocr`` is of the pages that had no text of their own, ``seconds`` by stage; ``sizes`` are width and height of each
    page as it was uploaded, in its own unit; ``document_model`` made the timetables. ``confidences`` are those of each
    timetable's blocks: the probability that day, times and name are right, None where it was not calibrated. ``failed``
    is the document model that could not read it, where another one had to.
    """

    document: Document
    timetables: tuple[Timetable, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    warnings: tuple[str, ...] = ()
    ocr: tuple[OCRResult, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    sizes: tuple[tuple[float, float], ...] = ()
    document_model: str = ""
    confidences: tuple[tuple[float | None, ...], ...] = ()
    failed: str | None = None


def extract(source: bytes | Path, *, settings: Settings | None = None) -> tuple[Timetable, ...]:
    """The timetables of a document; none where it holds none. Raises InputError for what cannot be read.

    Without ``settings`` the defaults hold; the environment is read by the command line only.
    """
    return read(source, settings=settings).timetables


def read(
    source: bytes | Path,
    *,
    name: str = "",
    settings: Settings | None = None,
    progress: Progress | None = None,
    memory: SchoolMemory | None = None,
) -> Extraction:
    """Read a document from end to end; ``progress`` is told each stage and the share that is done (0 to 1).

    ``memory`` is what earlier timetables of the document's school have shown: it decides where the page leaves open
    what it says (see `pocai.inference.school_service`).
    """
    settings = settings or Settings.model_construct()
    deadline = Deadline(settings.limits.max_seconds)
    watch = Stopwatch(progress)
    with watch.stage("ingest", 0.0):
        document = load(source, name=name, limits=settings.limits)
        sizes = tuple(page.source_size for page in document.pages)
    with watch.stage("text", 0.1):
        document, ocr = read_text(document, settings, deadline, watch)
    with watch.stage("assemble", 0.9):
        assembly, decided = assembled(document, settings, memory)
    with watch.stage("check", 0.95):
        hours, quality = settings.school_hours, settings.quality
        sure = certainty(assembly.timetables, decided, assembly.judge or assembly.model, hours, quality.accept_block)
        findings = (*_checked(sure.timetables, hours), *sure.findings())
        verdict = gate(sure.timetables, _as_one(ocr), findings, quality, sure)
    watch.tell("done", 1.0)
    reasons = [assembly.fallback_reason] if assembly.fallback_reason else []
    if assembly.by_school:
        reasons.append("earlier timetables of the school decided between two readings")
    warnings = (*document.warnings, *reasons, *assembly.left_out, *(finding.message for finding in findings))
    return Extraction(
        document,
        sure.timetables,
        findings,
        verdict,
        warnings,
        ocr,
        watch.seconds,
        sizes,
        assembly.model,
        sure.blocks,
        assembly.failed,
    )


def _checked(timetables: tuple[Timetable, ...], hours: SchoolHours) -> tuple[Finding, ...]:
    return tuple(
        replace(finding, timetable=number)
        for number, timetable in enumerate(timetables)
        for finding in check(timetable, hours)
    )


def read_text(
    document: Document, settings: Settings, deadline: Deadline, watch: Stopwatch
) -> tuple[Document, tuple[OCRResult, ...]]:
    """The document with text on every page: native text as it is, OCR only where a page has none."""
    if all(page.has_text or page.image is None for page in document.pages):
        return document, ()
    service = OCRService(settings.ocr_engine, settings.threads, settings.ocr_adapter)
    pages: list[Page] = []
    results: list[OCRResult] = []
    for page in document.pages:
        deadline.check()
        watch.tell("text", 0.1 + 0.8 * len(pages) / len(document.pages))
        if page.has_text or page.image is None:
            pages.append(page)
            continue
        upright, result = service.read_page(ruled(straighten(page)))
        pages.append(inked(upright))
        results.append(result)
    return replace(document, pages=tuple(pages)), tuple(results)


def _as_one(results: tuple[OCRResult, ...]) -> OCRResult | None:
    """All pages as one reading, each with the weight of its letters; None where nothing had to be read."""
    if not results:
        return None
    return OCRResult.of([line for result in results for line in result.lines], results[0].engine)


def ruled(page: Page) -> Page:
    """The page with the rules of its picture, so that no line of text runs on from one cell into the next."""
    return page if page.image is None or page.rules else replace(page, rules=find_rules(page.image))


class Stopwatch:
    """Wall seconds of each stage, told to ``progress`` as the stage begins."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    def tell(self, name: str, share: float) -> None:
        """Say how far the work is."""
        if self._progress is not None:
            self._progress(name, share)

    @contextmanager
    def stage(self, name: str, share: float) -> Iterator[None]:
        """Time one stage."""
        self.tell(name, share)
        begin = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begin
