"""Documents read once for every document model: what stands on their pages is kept, and the model is asked anew."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.documents.ingest import load
from pocai.documents.limits import Deadline
from pocai.documents.stored import from_json, to_json
from pocai.errors import InputError
from pocai.inference.document_service import DocumentService
from pocai.inference.pipeline import Stopwatch, read_text
from pocai.settings import Settings

if TYPE_CHECKING:
    from pocai.documents.page import Document
    from pocai.training.document_model.judged_documents import WasRead


@dataclass(frozen=True, slots=True)
class KeptReading:
    """Reads documents as they are read in use, by ``document_model``; their text is kept in ``folder`` by content.

    Timetables that the rules made, because the model failed or found none, are left out: they carry the confidence of
    the rules.
    """

    folder: Path
    settings: Settings
    document_model: str

    def __post_init__(self) -> None:
        """Raises UnknownModel for a model that is not there."""
        _service(self.document_model, self.settings)

    def __call__(self, path: Path) -> WasRead:
        """The timetables and the document, without the pictures of its pages. Raises InputError for a damaged file."""
        from pocai.training.document_model.judged_documents import WasRead

        document = self.document(path)
        assembly = _service(self.document_model, self.settings).extract(document)
        return WasRead(assembly.timetables if assembly.fallback_reason is None else (), document)

    def document(self, path: Path) -> Document:
        """What stands on the pages. Raises InputError for a damaged file."""
        content = path.read_bytes()
        file = self.folder / f"{hashlib.sha256(content).hexdigest()}.json"
        return _kept(file) if file.is_file() else self._read(content, path.name, file)

    def _read(self, content: bytes, name: str, file: Path) -> Document:
        document = load(content, name=name, limits=self.settings.limits)
        watch, deadline = Stopwatch(None), Deadline(self.settings.limits.max_seconds)
        document, _ = read_text(document, self.settings, deadline, watch)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".part")
        fresh.write_bytes(to_json(document))
        fresh.replace(file)
        return replace(document, pages=tuple(replace(page, image=None) for page in document.pages))


def _kept(file: Path) -> Document:
    try:
        return from_json(file.read_bytes())
    except InputError as error:
        raise InputError(f"{file.name} is no document that was kept", mend="Delete it, and it is read again") from error


@lru_cache(maxsize=1)
def _service(document_model: str, settings: Settings) -> DocumentService:
    """Made once in each process: weights take their time to load."""
    return DocumentService(document_model, settings.school_hours, settings.language)
