"""Whatever comes in, what goes out is a document within its limits or one of our own errors."""

from __future__ import annotations

import socket
import time
from typing import NoReturn

import pytest
from damaged import COUNT, damaged_inputs, valid_files

from pocai.documents.page import Document
from pocai.errors import EncryptedDocument, LimitExceeded, PocaiError, UnreadableDocument, UnsupportedFormat
from pocai.inference.pipeline import read
from pocai.settings import Limits, Settings

LIMITS = Limits(max_pixels=200_000, max_source_pixels=10_000_000, max_pages=5, max_unpacked_bytes=10 * 2**20)
SETTINGS = Settings(limits=LIMITS)
INPUTS = dict(damaged_inputs())
EXPECTED: dict[str, type[PocaiError]] = {
    "empty": UnreadableDocument,
    "random bytes": UnreadableDocument,
    "text called PDF": UnsupportedFormat,
    "HTML": UnsupportedFormat,
    "old Word": UnsupportedFormat,
    "encrypted Office": EncryptedDocument,
    "encrypted PDF": EncryptedDocument,
    "claims 60,000 x 60,000": LimitExceeded,
    "claims 0 x 0": UnreadableDocument,
    "zip bomb as DOCX": LimitExceeded,
    "zip bomb as XLSX": LimitExceeded,
    "DOCX with a lying directory": LimitExceeded,
    "DOCX with many parts": LimitExceeded,
    "DOCX with entities": UnreadableDocument,
    "XLSX with entities": UnreadableDocument,
    "zip of a text": UnsupportedFormat,
    "OpenDocument": UnsupportedFormat,
}
READABLE = (
    "1 x 1",
    "30,000 px wide",
    "500-page PDF",
    "PDF with JavaScript",
    "PDF that opens an address",
    "PDF form within itself",
    "DOCX with external links",
    "XLSX with a huge area",
)


class NetworkUsedError(BaseException):
    """Not an Exception, so that nothing catches it on the way."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise NetworkUsedError

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def outcome(data: bytes) -> Document | PocaiError:
    """What becomes of bytes on their way from end to end: text recognition and assembly included."""
    try:
        return read(data, settings=SETTINGS).document
    except PocaiError as error:
        return error


def assert_within_limits(document: Document) -> None:
    assert 1 <= len(document.pages) <= LIMITS.max_pages
    for page in document.pages:
        assert page.width > 0
        assert page.height > 0
        assert sum(len(table.cells) for table in page.tables) <= LIMITS.max_cells
        if page.image is not None:
            # Straightening may widen the picture that was within the limit by its margins.
            assert page.image.shape[0] * page.image.shape[1] <= 1.25 * LIMITS.max_pixels


def test_there_are_300_and_a_seed_fixes_them() -> None:
    assert len(INPUTS) == COUNT
    assert dict(damaged_inputs(seed=0)) == INPUTS
    assert dict(damaged_inputs(seed=1)) != INPUTS


@pytest.mark.parametrize("kind", valid_files())
def test_undamaged_files_are_read(kind: str) -> None:
    document = outcome(valid_files()[kind])
    assert isinstance(document, Document)
    assert_within_limits(document)


@pytest.mark.parametrize("name", INPUTS)
def test_ends_in_a_document_or_a_typed_error(name: str) -> None:
    start = time.monotonic()
    result = outcome(INPUTS[name])
    assert time.monotonic() - start < 5
    if isinstance(result, Document):
        assert_within_limits(result)
    else:
        assert result.what


@pytest.mark.parametrize(("name", "error"), EXPECTED.items())
def test_says_what_is_wrong(name: str, error: type[PocaiError]) -> None:
    assert type(outcome(INPUTS[name])) is error


@pytest.mark.parametrize("name", READABLE)
def test_odd_but_harmless_is_read(name: str) -> None:
    assert isinstance(outcome(INPUTS[name]), Document)
