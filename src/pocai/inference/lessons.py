"""What documents teach of their schools, and the features that are kept of a document itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pocai.feature_store.features import Subject, document_rows
from pocai.timetable.school import SchoolMemory, remember
from pocai.timetable.timetable import Timetable

if TYPE_CHECKING:
    from pocai.feature_store.store import FeatureRow
    from pocai.inference.pipeline import Extraction

Taught = Timetable | Mapping[str, Any]
"""A timetable, or its JSON, which is looked at when it is learned."""

DIGITS = 32  # hexadecimal, of a document's key
REJECTED = "reject"  # the verdict on results that teach nothing
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one document teaches of a ``school``.

    ``corrected`` timetables come from a person; ``read`` are the same as they were before, where that is known.
    ``adapter`` is the folder of the adapter to use from now on; None keeps what there is, "" takes it away. ``when`` is
    the event time, now without one; it is later where the school has been added to since. ``rows`` are written along.
    """

    school: str
    timetables: Sequence[Taught] = ()
    corrected: bool = False
    read: Sequence[Taught] = ()
    adapter: str | None = None
    when: datetime | None = None
    rows: tuple[FeatureRow, ...] = ()


def taught(memory: SchoolMemory, lesson: Lesson) -> SchoolMemory:
    """The memory after a lesson; the same one where the lesson teaches nothing. Raises ValueError for a damaged one."""
    when = lesson.when or datetime.now(UTC)
    if memory.updated is not None:
        when = max(when, memory.updated + TICK)
    timetables = [Timetable.model_validate(timetable) for timetable in lesson.timetables]
    if lesson.corrected:
        timetables = [_as_a_person_says(timetable) for timetable in timetables]
    learned = remember(memory, timetables, when, corrected=lesson.corrected)
    if lesson.corrected and lesson.read:
        fields, changed = changes([Timetable.model_validate(timetable) for timetable in lesson.read], timetables)
        learned = replace(learned, fields=memory.fields + fields, changed=memory.changed + changed, updated=when)
    if lesson.adapter is None or lesson.adapter == (memory.adapter or ""):
        return learned
    return replace(learned, adapter=lesson.adapter or None, updated=when)


def changes(read: Sequence[Timetable], corrected: Sequence[Timetable]) -> tuple[int, int]:
    """How many fields (day, name, start, end) were read, and how many of them a person has changed or removed."""
    from pocai.evaluation.timetables import FIELDS, blocks_of, compare

    before, after = blocks_of(read), blocks_of(corrected)
    compared = compare(corrected, read)
    changed = sum(
        after[pair.gold].get(name) != before[pair.predicted].get(name) for pair in compared.pairs for name in FIELDS
    )
    return len(FIELDS) * len(before), changed + len(FIELDS) * len(compared.surplus)


def _as_a_person_says(timetable: Timetable) -> Timetable:
    """The timetable without marks of a reading: all of it is right, whatever it was inferred from."""
    blocks = tuple(block.model_copy(update={"fields": {}}) for block in timetable.timeblocks)
    return timetable.model_copy(update={"timeblocks": blocks, "fields": {}})


def document_key(school: str, sha256: str) -> str:
    """The key of a school's document in a feature store; the same file of another school has another one."""
    return hashlib.sha256(f"{school}\n{sha256}".encode()).hexdigest()[:DIGITS]


def rows_of(extraction: Extraction, subject: Subject) -> Sequence[FeatureRow]:
    """The rows of a document, a view each."""
    sure = [value for values in extraction.confidences for value in values if value is not None]
    confidence = sum(sure) / len(sure) if sure else None
    return document_rows(subject, extraction.document, extraction.ocr, confidence)


def lesson_of(extraction: Extraction, subject: Subject) -> Lesson:
    """What a document teaches of the school that its subject names: of a rejected one no more than its own features."""
    timetables = () if extraction.verdict.decision == REJECTED else extraction.timetables
    return Lesson(subject.school or "", timetables, when=subject.at, rows=tuple(rows_of(extraction, subject)))
