"""What the service answers, as types: made from an `Extraction` by the server, read back by the client.

JSON is camelCase. Boxes are left, top, right, bottom in units of the uploaded page (pixels of a picture, points of a
PDF or Office file). The client reads them with ``extra="ignore"``, so that an older one understands a newer service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from pocai.documents.page import Document, Line, Page, Word, on_source
from pocai.feature_store.feature_table import SCHOOL, VIEWS
from pocai.models.protocols import OCRResult
from pocai.timetable.school import SchoolMemory, minutes
from pocai.timetable.timetable import Time, Timetable, clock

if TYPE_CHECKING:
    from pocai.feature_store.store import FeatureRow
    from pocai.inference.pipeline import Extraction

Box = tuple[float, float, float, float]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class ReadWord(Answer):
    """A word with its box; ``confidence`` is the recognizer's score, 0 to 1, null for text that needed no reading."""

    text: str
    box: Box
    confidence: float | None = Field(None, ge=0, le=1)


class ReadLine(Answer):
    """A line of text; ``angle`` is its reading direction in degrees, clockwise, as on the uploaded page set upright."""

    text: str
    box: Box
    angle: float = 0.0
    confidence: float | None = Field(None, ge=0, le=1)
    reader: str | None = Field(None, description="recognizer that read the line; null for text of the document itself")
    words: tuple[ReadWord, ...] = ()


class ReadPage(Answer):
    """What is written on one page; ``engine`` read it, or is null where the text came with the document."""

    number: int = Field(ge=0, description="index of the page, from 0")
    name: str = ""
    width: float = Field(gt=0)
    height: float = Field(gt=0)
    unit: Literal["px", "pt"]
    engine: str | None = None
    lines: tuple[ReadLine, ...] = ()

    @property
    def text(self) -> str:
        """All lines in reading order, one a row."""
        return "\n".join(line.text for line in self.lines)


class FindingAnswer(Answer):
    """Something to look at; ``blocks`` are indices into the timeblocks of timetable number ``timetable``."""

    code: str
    message: str
    severity: Literal["warning", "note"]
    timetable: int = 0
    blocks: tuple[int, ...] = ()


class VerdictAnswer(Answer):
    """What to do with the result, and why."""

    decision: Literal["accept", "review", "reject"]
    reasons: tuple[str, ...]


class ModelsUsed(Answer):
    """Which models made a result; ``ocr`` is null where no page had to be read.

    ``failed`` is the document model that could not read the document, so that another one had to. ``versions`` are
    those of the registry that read; a part that is not named was read by what is shipped.
    """

    ocr: str | None
    document: str
    failed: str | None = None
    versions: dict[str, int] = Field(default_factory=dict)


class ExtractionResult(Answer):
    """The timetables of a document, and how far they can be trusted. ``seconds`` is wall time by stage."""

    timetables: tuple[Timetable, ...]
    findings: tuple[FindingAnswer, ...] = ()
    verdict: VerdictAnswer
    warnings: tuple[str, ...] = ()
    models: ModelsUsed
    seconds: dict[str, float] = Field(default_factory=dict)
    pages: tuple[ReadPage, ...] = Field((), description="what was read, line by line; only with ?include=text")

    @classmethod
    def of(cls, extraction: Extraction) -> Self:
        """The answer to an extraction, with everything that was read."""
        return cls(
            timetables=extraction.timetables,
            findings=tuple(
                FindingAnswer(
                    code=finding.code,
                    message=finding.message,
                    severity=finding.severity,
                    timetable=finding.timetable,
                    blocks=finding.blocks,
                )
                for finding in extraction.findings
            ),
            verdict=VerdictAnswer(decision=extraction.verdict.decision, reasons=extraction.verdict.reasons),
            warnings=extraction.warnings,
            models=ModelsUsed(
                ocr=extraction.ocr[0].engine if extraction.ocr else None,
                document=extraction.document_model,
                failed=extraction.failed,
            ),
            seconds={stage: round(seconds, 4) for stage, seconds in extraction.seconds.items()},
            pages=read_pages(extraction.document, extraction.ocr, extraction.sizes),
        )


class ReadResult(Answer):
    """What is written in a document, page by page. ``seconds`` is wall time by stage."""

    pages: tuple[ReadPage, ...]
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)


class Status(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether it stays so."""
        return self in {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}


class Failure(Answer):
    """Why something failed: ``code`` is stable and for programs, ``message`` for people, ``details`` for both."""

    code: str
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class ErrorAnswer(Answer):
    """The body of every error below ``/v1``."""

    error: Failure


class DocumentInfo(Answer):
    """The document that was handed in; ``name`` is the file's, as the caller gave it."""

    name: str = ""
    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Links(Answer):
    """Where the parts of an extraction are found."""

    self: str
    events: str
    overlay: str


class ExtractionJob(Answer):
    """One document on its way to a timetable. ``progress`` is the share that is done, 0 to 1."""

    id: str
    status: Status
    stage: str = ""
    progress: float = Field(0.0, ge=0, le=1)
    attempts: int = Field(0, ge=0, description="how often it was begun")
    document: DocumentInfo
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: ExtractionResult | None = None
    error: Failure | None = None
    links: Links


class UsualPeriod(Answer):
    """A period of a school's day, and how many blocks printed it; a corrected one counts several times."""

    start_time: Time
    end_time: Time
    count: int = Field(ge=1)


class SchoolAnswer(Answer):
    """What is remembered of a school; counts are of blocks, where those of corrected timetables weigh more.

    ``cycle`` is the most days that a timetable had, ``correction_rate`` the share of fields that persons changed.
    """

    documents: int = Field(0, ge=0)
    corrected: int = Field(0, ge=0, description="documents that a person corrected")
    periods: tuple[UsualPeriod, ...] = ()
    names: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    notes: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    cycle: int = Field(0, ge=0)
    fields: int = Field(0, ge=0, description="extracted fields that persons looked at")
    changed: int = Field(0, ge=0, description="of them changed")
    correction_rate: float | None = Field(None, ge=0, le=1)
    adapter: str | None = None
    updated_at: datetime | None = None

    @classmethod
    def of(cls, memory: SchoolMemory) -> Self:
        """The answer to a memory."""
        return cls(
            documents=memory.documents,
            corrected=memory.corrected,
            periods=tuple(
                UsualPeriod(start_time=clock(start), end_time=clock(end), count=count)
                for (start, end), count in memory.periods.items()
            ),
            names=dict(memory.names),
            notes=dict(memory.notes),
            cycle=memory.cycle,
            fields=memory.fields,
            changed=memory.changed,
            correction_rate=memory.correction_rate,
            adapter=memory.adapter,
            updated_at=memory.updated,
        )

    @property
    def memory(self) -> SchoolMemory:
        """The memory that this is the answer to."""
        return SchoolMemory(
            documents=self.documents,
            corrected=self.corrected,
            periods={(minutes(period.start_time), minutes(period.end_time)): period.count for period in self.periods},
            names=self.names,
            notes=self.notes,
            cycle=self.cycle,
            fields=self.fields,
            changed=self.changed,
            adapter=self.adapter,
            updated=self.updated_at,
        )


class DocumentFeatures(Answer):
    """The features of a document by view and name, as docs/FEATURE_STORE.md lists them; null: not measured."""

    views: dict[str, dict[str, Any]]
    updated_at: datetime

    @classmethod
    def of(cls, rows: Mapping[str, FeatureRow], school: str | None) -> Self:
        """The answer to a document's rows: without its text, and with the caller's own name for the ``school``."""
        views = {
            view: {
                feature.name: school if feature.name == SCHOOL else row.values[feature.name]
                for feature in VIEWS[view].features
                if feature.kind != "text"
            }
            for view, row in rows.items()
        }
        return cls(views=views, updated_at=max(row.at for row in rows.values()))


class Forgotten(Answer):
    """How many rows were erased, in the history too."""

    rows: int = Field(ge=0)


class ModelAnswer(Answer):
    """A model that can be asked for by name; ``files`` maps each file to its expected SHA-256."""

    name: str
    task: Literal["ocr", "document"]
    version: str
    licence: str
    installed: bool
    default: bool
    files: dict[str, str] = Field(default_factory=dict)


class ModelList(Answer):
    """All models of the catalogue."""

    models: tuple[ModelAnswer, ...]


class TallyAnswer(Answer):
    """What an arm did; ``p95`` are the seconds of its stage that 95 % of its readings stayed below, to 10 %."""

    readings: int = 0
    failures: int = 0
    violations: int = 0
    fields: int = 0
    changed: int = 0
    p95: float | None = None


class TrialAnswer(Answer):
    """An experiment; ``shadow`` sums up how a challenger in the shadow agrees with what users were given."""

    id: str
    mode: Literal["shadow", "canary"]
    version: int
    share: float
    shadow: dict[str, float] | None = None


class Deployment(Answer):
    """What reads in one part of reading; a champion of null is the model that is shipped."""

    name: str
    champion: int | None
    previous: int | None
    trial: TrialAnswer | None
    champion_tally: TallyAnswer = TallyAnswer()
    challenger_tally: TallyAnswer = TallyAnswer()


def read_pages(
    document: Document, ocr: Sequence[OCRResult], sizes: Sequence[tuple[float, float]]
) -> tuple[ReadPage, ...]:
    """What is written on each page of a document that was read.

    ``sizes`` are width and height of the pages as they were uploaded, and the boxes are in their units. Lines of table
    cells stand among the others.
    """
    engine = ocr[0].engine if ocr else None
    return tuple(
        ReadPage(
            number=page.number,
            name=page.name,
            width=width,
            height=height,
            unit=page.unit,
            engine=engine if any(line.source == "ocr" for line in page.lines) else None,
            lines=tuple(_line(line, page) for line in _lines(page)),
        )
        for page, (width, height) in zip(document.pages, sizes, strict=True)
    )


def _lines(page: Page) -> list[Line]:
    """Each line once: those of the page, then those that stand in native tables only."""
    cells = (line for table in page.tables for cell in table.cells for line in cell.lines)
    return list(dict.fromkeys((*page.lines, *cells)))


def _line(line: Line, page: Page) -> ReadLine:
    words = line.words or (Word(line.text, line.box, line.confidence),)
    return ReadLine(
        text=line.text,
        box=on_source(line.box, page.to_source),
        angle=line.angle,
        confidence=line.confidence,
        reader=line.reader or None,
        words=tuple(
            ReadWord(text=word.text, box=on_source(word.box, page.to_source), confidence=word.confidence)
            for word in words
        ),
    )
