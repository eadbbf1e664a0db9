"""Saves what was read in each format that was asked for; no result lands on a document or on another result."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pocai.cli.sources import SUFFIXES, Source
from pocai.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from pocai.inference.pipeline import Extraction
    from pocai.timetable.export import TermDates


class Format(StrEnum):
    """What ``--format`` takes."""

    TABLE = "table"  # on the terminal, not in a file
    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    ICS = "ics"
    OVERLAY = "overlay"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Between which dates a calendar repeats the week, and in which zone its clock runs."""

    timezone: str
    start: date
    end: date

    def term(self) -> TermDates:
        """The dates as the export takes them; raises `ConfigurationError` where they cannot be used."""
        from pocai.timetable.export import TermDates

        try:
            return TermDates(self.start, self.end, timezone=self.timezone)
        except ValueError as error:
            raise ConfigurationError(str(error), mend="See --term-start, --term-end and --timezone") from error


@dataclass(frozen=True, slots=True)
class Artefact:
    """A result in one format: its bytes, and what follows the document's name in the file's."""

    ending: str
    content: bytes


class Saved(NamedTuple):
    """A file that was written; ``replaced`` where there was one of that name before."""

    path: Path
    replaced: bool


def render(extraction: Extraction, form: Format, calendar: Calendar) -> list[Artefact]:
    """The files of one format; several only for the overlay of several pages, none for the terminal's table."""
    writers: dict[Format, Callable[[Extraction, Calendar], list[Artefact]]] = {
        Format.TABLE: lambda _extraction, _calendar: [],
        Format.JSON: _json,
        Format.CSV: _csv,
        Format.XLSX: _xlsx,
        Format.ICS: _ics,
        Format.OVERLAY: _overlay,
    }
    return writers[form](extraction, calendar)


@dataclass(frozen=True, slots=True)
class Saver:
    """Writes below ``folder``; ``inputs`` are the documents of this run, ``written`` grows with every file."""

    folder: Path
    inputs: frozenset[Path]
    written: set[Path] = field(default_factory=set)

    def save(self, source: Source, artefact: Artefact) -> Saved:
        """Write one file, whole or not at all.

        Raises `InputError` where it would replace a document or another document's result of this run, and
        `ConfigurationError` where the folder cannot be written.
        """
        path = self.folder / f"{source.output}{artefact.ending}"
        if path.resolve() in self.inputs | self.written or _may_be_a_document(path, source):
            raise InputError(f"{path} would be overwritten", mend="Choose another folder with -o")
        replaced = path.exists()
        try:
            _write(path, artefact.content)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written ({error.strerror})", mend="Choose another -o"
            ) from error
        self.written.add(path.resolve())
        return Saved(path, replaced=replaced)


def _may_be_a_document(path: Path, source: Source) -> bool:
    """Whether a picture or workbook of this name lies beside the document: more likely the school's than ours."""
    return path.suffix in SUFFIXES and path.exists() and path.parent.resolve() == source.path.parent.resolve()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".pocai-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _json(extraction: Extraction, _: Calendar) -> list[Artefact]:
    timetables = [timetable.model_dump(mode="json", by_alias=True) for timetable in extraction.timetables]
    content = {"timetables": timetables, "warnings": list(extraction.warnings)}
    return [Artefact(".json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())]


def _csv(extraction: Extraction, _: Calendar) -> list[Artefact]:
    from pocai.timetable.export import to_csv

    return [Artefact(".csv", to_csv(extraction.timetables).encode())]


def _xlsx(extraction: Extraction, _: Calendar) -> list[Artefact]:
    from pocai.timetable.export import to_xlsx

    return [Artefact(".xlsx", to_xlsx(extraction.timetables))]


def _ics(extraction: Extraction, calendar: Calendar) -> list[Artefact]:
    from pocai.timetable.export import to_ics

    return [Artefact(".ics", to_ics(extraction.timetables, calendar.term()))]


def _overlay(extraction: Extraction, _: Calendar) -> list[Artefact]:
    import io

    from PIL import Image

    from pocai.timetable.overlay import draw

    artefacts = []
    for page in extraction.document.pages:
        packed = io.BytesIO()
        Image.fromarray(draw(page, extraction.timetables)).save(packed, "PNG")
        ending = ".png" if len(extraction.document.pages) == 1 else f"-{page.number + 1}.png"
        artefacts.append(Artefact(ending, packed.getvalue()))
    return artefacts
