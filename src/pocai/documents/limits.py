"""Limits that are checked before the memory is spent: time, and what an Office file unpacks to."""

from __future__ import annotations

import io
import time
import zipfile
import zlib

from pocai.errors import EncryptedDocument, LimitExceeded, UnreadableDocument
from pocai.settings import Limits

_MAX_ENTRIES = 10_000  # a large workbook has a few hundred
_CHUNK = 1 << 16
_LOCAL_HEADER = 30  # bytes before the name, APPNOTE.TXT 4.3.7
_RAW_DEFLATE = -15
_ENCRYPTED_FLAG = 0x1
_DECLARATIONS = tuple(
    mark.encode(encoding) for mark in ("<!DOCTYPE", "<!ENTITY") for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
_LONGEST_DECLARATION = max(map(len, _DECLARATIONS))


class Deadline:
    """A moment that work must not pass, ``seconds`` from now.

    Readers call `check` between pages and in long loops: a limit that needs no thread and leaves nothing behind.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise LimitExceeded when the time is up."""
        if time.monotonic() > self._end:
            raise LimitExceeded(
                f"Reading takes longer than the limit of {self._seconds:g} seconds",
                mend="Send fewer pages, or raise limits.max_seconds",
            )


def check_size(size: int, limits: Limits) -> None:
    """Raise LimitExceeded when ``size`` in bytes is over the limit."""
    if size > limits.max_bytes:
        raise LimitExceeded(
            f"The file has {'at least ' if size == limits.max_bytes + 1 else ''}{size:,} bytes, "
            f"the limit is {limits.max_bytes:,}",
            mend="Send a smaller file, or raise limits.max_bytes",
        )


def check_archive(data: bytes, limits: Limits) -> None:
    """Check that an Office file (a zip archive) unpacks to no more than the limits allow.

    First what its directory declares, then what the entries really hold: each is inflated once, piece by piece,
    because a directory can lie, and readers unpack an entry in one go. Office files never declare XML entities
    (ECMA-376 part 2 forbids DTDs), so a part that does is refused before any XML parser sees it.

    Raises LimitExceeded, EncryptedDocument or UnreadableDocument.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableDocument("The Office file is damaged: its directory cannot be read") from error
    _check_directory(entries, len(data), limits)
    for entry in entries:
        _check_entry(data, entry)


def _check_directory(entries: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    if len(entries) > _MAX_ENTRIES:
        raise LimitExceeded(f"The Office file has {len(entries):,} parts, the limit is {_MAX_ENTRIES:,}")
    if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
        raise EncryptedDocument("The Office file is encrypted", mend="Save it without a password and send it again")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.max_unpacked_bytes:
        raise LimitExceeded(
            f"The Office file unpacks to {unpacked:,} bytes, the limit is {limits.max_unpacked_bytes:,}",
            mend="Remove pictures or sheets, or raise limits.max_unpacked_bytes",
        )
    if unpacked > packed * limits.max_zip_ratio:
        raise LimitExceeded(
            f"The Office file unpacks to {unpacked / packed:.0f} times its size, the limit is {limits.max_zip_ratio:g}",
            mend="Save it again with the Office program, or raise limits.max_zip_ratio",
        )


def _check_entry(data: bytes, entry: zipfile.ZipInfo) -> None:
    """Inflate one entry piece by piece; nothing of it is kept."""
    packed = _packed_bytes(data, entry)
    if entry.compress_type == zipfile.ZIP_STORED:
        _refuse_declarations(entry, packed)
        return
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        raise UnreadableDocument(f"The Office file packs with method {entry.compress_type}, which Office never uses")
    inflater, count, tail = zlib.decompressobj(_RAW_DEFLATE), 0, b""
    pending: bytes | memoryview = packed
    while not inflater.eof:
        try:
            piece = inflater.decompress(pending, _CHUNK)
        except zlib.error as error:
            raise UnreadableDocument("The Office file is damaged: a part of it cannot be unpacked") from error
        pending = inflater.unconsumed_tail
        count += len(piece)
        if count > entry.file_size:
            raise LimitExceeded("A part of the Office file unpacks to more than it declares")
        if not piece and not pending and not inflater.eof:
            raise UnreadableDocument("The Office file is cut off: a part of it ends too early")
        _refuse_declarations(entry, tail + piece)
        tail = piece[-_LONGEST_DECLARATION:]


def _packed_bytes(data: bytes, entry: zipfile.ZipInfo) -> memoryview:
    """The bytes of an entry as they lie in the archive."""
    header = data[entry.header_offset : entry.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
        raise UnreadableDocument("The Office file is damaged: a part is not where its directory says")
    name_length, extra_length = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    start = entry.header_offset + _LOCAL_HEADER + name_length + extra_length
    return memoryview(data)[start : start + entry.compress_size]


def _refuse_declarations(entry: zipfile.ZipInfo, piece: bytes | memoryview) -> None:
    if not entry.filename.lower().endswith((".xml", ".rels", ".vml")):
        return
    content = bytes(piece)
    if any(mark in content for mark in _DECLARATIONS):
        raise UnreadableDocument("The Office file declares XML entities, which Office files never do")
