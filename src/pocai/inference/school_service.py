"""Assembly with what earlier timetables of a school have shown, and without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pocai.documents.page import Document
from pocai.errors import ModelError
from pocai.inference.document_service import Assembly, DocumentService
from pocai.settings import SchoolHours, Settings
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_reading import mended
from pocai.timetable.school_use import halves_told, misses_half_a_day, settled, usual_hours


def assembled(document: Document, settings: Settings, memory: SchoolMemory | None) -> tuple[Assembly, Document]:
    """The timetables of a document that was read, and the document with those readings that they were made from.

    With a ``memory`` lines in doubt are read as the school's words and periods suggest, its hours say what a time
    without am or pm means, of two readings the one more like its earlier ones is taken, and its periods settle edges
    that are not printed; each field that was so decided has `Evidence.SCHOOL`. The document model reads with the
    memory's adapter, unless the settings name one.
    """
    if memory is None:
        return _service(settings, settings.school_hours, settings.document_adapter).extract(document), document
    decided, changes = mended(document, memory)
    assembly = _of_school(decided, settings, memory)
    return replace(assembly, timetables=settled(assembly.timetables, memory, changes)), decided


def _of_school(document: Document, settings: Settings, memory: SchoolMemory) -> Assembly:
    """With all hours of the settings; once more with the school's usual ones where times may be half a day away."""
    assembly = _extracted(document, settings, settings.school_hours, memory)
    if not misses_half_a_day(assembly.timetables, memory):
        return assembly
    again = _extracted(document, settings, usual_hours(memory, settings.school_hours), memory)
    return replace(again, timetables=halves_told(again.timetables, assembly.timetables))


def _extracted(document: Document, settings: Settings, hours: SchoolHours, memory: SchoolMemory) -> Assembly:
    """By the model with the school's adapter; without it, and with the reason, where the model does not take it."""
    if settings.document_adapter is not None or memory.adapter is None:
        return _service(settings, hours, settings.document_adapter).extract(document, memory)
    try:
        service = _service(settings, hours, Path(memory.adapter))
    except ModelError as error:
        assembly = _service(settings, hours, None).extract(document, memory)
        reasons = (f"the school's adapter was not used: {error.code}", assembly.fallback_reason)
        return replace(assembly, fallback_reason="; ".join(each for each in reasons if each))
    return service.extract(document, memory)


def _service(settings: Settings, hours: SchoolHours, adapter: Path | None) -> DocumentService:
    return DocumentService(settings.document_model, hours, settings.language, adapter)
