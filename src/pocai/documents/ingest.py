"""From bytes to a `Document`: what format it is, whether it is within the limits, and which reader takes it."""

from __future__ import annotations

import codecs
import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.documents.limits import check_archive, check_size
from pocai.documents.page import Document, Format, Page
from pocai.errors import EncryptedDocument, PocaiError, UnreadableDocument, UnsupportedFormat

if TYPE_CHECKING:
    from pocai.settings import Limits

_HEAD = 1024  # a PDF may have this much before its header (PDF Reference 1.7, appendix H, note 13)
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_ASK_FOR = "Save it as PDF, DOCX, XLSX or PNG and send that"
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "an RTF text"),
    (b"%!PS", "a PostScript file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"8BPS", "a Photoshop picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"BEGIN:VCALENDAR", "a calendar"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS: tuple[tuple[str, str], ...] = (
    ("WordDocument", "a Word 97-2003 document (.doc). Open it in Word or LibreOffice and save it as .docx or PDF"),
    ("Workbook", "an Excel 97-2003 workbook (.xls). Open it in Excel or LibreOffice and save it as .xlsx or PDF"),
    ("Book", "an Excel 95 workbook (.xls). Open it in Excel or LibreOffice and save it as .xlsx or PDF"),
    ("PowerPoint Document", "a PowerPoint 97-2003 file (.ppt). Open it and export it as PDF"),
)
_MARKUP = re.compile(rb"<(!doctype html|html|head|body|table)\b", re.IGNORECASE)


def sniff(data: bytes) -> Format:
    """The format of ``data``, told by its content, never by a name.

    Raises UnsupportedFormat for what we recognise and do not read (with how to convert it), EncryptedDocument for an
    Office file behind a password, UnreadableDocument for what is empty or unknown.
    """
    if not data:
        raise UnreadableDocument("The file is empty", mend="Send it again; the upload may have been cut off")
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    if data[4:8] == b"ftyp":
        return _sniff_heif(data)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _sniff_archive(data)
    if data.startswith(_OLE):
        raise _legacy_office(data)
    if b"%PDF-" in data[:_HEAD]:
        return "pdf"
    raise _foreign(data)


def load(source: bytes | Path, *, name: str = "", limits: Limits) -> Document:
    """Read a document of any format that we know.

    ``source`` is the bytes or the path of a file, ``name`` what to call it (default: the file's name). Raises
    LimitExceeded, UnsupportedFormat, EncryptedDocument or UnreadableDocument.
    """
    data = source if isinstance(source, bytes) else _read_file(source, limits)
    check_size(len(data), limits)
    if not name and isinstance(source, Path):
        name = source.name
    kind = sniff(data)
    try:
        pages, warnings = _read(data, kind, limits)
    except (PocaiError, ImportError):  # a package that is missing is no fault of the document
        raise
    except Exception as error:  # foreign parsers raise anything on damaged input; the user gets one kind of answer
        raise UnreadableDocument(f"The {kind} file is damaged ({type(error).__name__})") from error
    return Document(pages, kind, hashlib.sha256(data).hexdigest(), name, warnings)


def _read_file(path: Path, limits: Limits) -> bytes:
    """The bytes of a file; one that is too large is not read."""
    try:
        check_size(path.stat().st_size, limits)
        with path.open("rb") as stream:  # one byte more than allowed: a device or a growing file has no true size
            return stream.read(limits.max_bytes + 1)
    except OSError as error:
        raise UnreadableDocument(f"The file cannot be opened ({error.strerror})") from error


def _read(data: bytes, kind: Format, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    if kind == "pdf":
        from pocai.documents.pdf import read_pdf

        return read_pdf(data, limits)
    if kind == "docx":
        from pocai.documents.docx import read_docx

        check_archive(data, limits)
        return read_docx(data, limits)
    if kind == "xlsx":
        from pocai.documents.xlsx import read_xlsx

        check_archive(data, limits)
        return read_xlsx(data, limits)
    from pocai.documents.image import read_image

    return read_image(data, kind, limits)


def _sniff_heif(data: bytes) -> Format:
    if data[8:12] in _HEIC_BRANDS:
        return "heic"
    if data[8:12] in {b"avif", b"avis"}:
        raise UnsupportedFormat("The file is an AVIF picture", mend="Save it as PNG or JPEG and send that")
    raise UnsupportedFormat("The file is a video or audio file", mend="Send a picture of the timetable")


def _sniff_archive(data: bytes) -> Format:
    """Which Office file a zip archive is; only its directory and its short ``mimetype`` are looked at."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableDocument("The file is a damaged Office file or zip archive", mend="Send it again") from error
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        raise UnsupportedFormat("The file is a binary Excel workbook (.xlsb)", mend="Save it as .xlsx and send that")
    if any(name.startswith("ppt/") for name in names):
        raise UnsupportedFormat("The file is a PowerPoint file (.pptx)", mend="Export it as PDF and send that")
    if b"application/vnd.oasis.opendocument" in data[:_HEAD]:
        raise UnsupportedFormat("The file is an OpenDocument file (.odt, .ods, .odp)", mend=_ASK_FOR)
    if any(name.startswith("[Content_Types]") for name in names):
        return _sniff_content_types(data)
    raise UnsupportedFormat("The file is a zip archive", mend="Unpack it and send the files in it")


def _sniff_content_types(data: bytes) -> Format:
    """Which Office file it is whose main part has an unusual name (the standard leaves the name open)."""
    try:
        with (
            zipfile.ZipFile(io.BytesIO(data)) as archive,
            archive.open("[Content_Types].xml") as stream,
        ):
            types = stream.read(1 << 20)
    except (KeyError, zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError) as error:
        raise UnreadableDocument("The file is a damaged Office file") from error
    if b"wordprocessingml.document.main" in types:
        return "docx"
    if b"spreadsheetml.sheet.main" in types:
        return "xlsx"
    raise UnsupportedFormat("The file is an Office file without a document or workbook in it", mend=_ASK_FOR)


def _legacy_office(data: bytes) -> PocaiError:
    """What an OLE container holds, told by the names of its streams ([MS-CFB] 2.6.1: UTF-16)."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return EncryptedDocument(
            "The Office file needs a password", mend="Save it without a password and send it again"
        )
    for stream, answer in _OLE_STREAMS:
        if stream.encode("utf-16-le") in data:
            what, mend = answer.split(". ", 1)
            return UnsupportedFormat(f"The file is {what}", mend=mend)
    return UnsupportedFormat("The file is an old Office or Windows container", mend=_ASK_FOR)


def _foreign(data: bytes) -> PocaiError:
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            return UnsupportedFormat(f"The file is {what}", mend=_ASK_FOR)
    if b"<svg" in head:
        return UnsupportedFormat("The file is an SVG drawing", mend=_ASK_FOR)
    if _MARKUP.search(head):
        return UnsupportedFormat("The file is an HTML page", mend="Print it to PDF and send that")
    if head and _is_text(data[:_HEAD]):
        return UnsupportedFormat("The file is plain text", mend=_ASK_FOR)
    return UnreadableDocument(
        "The file is no document that we know", mend="Send a PDF, DOCX, XLSX, PNG, JPEG, TIFF, WebP, BMP, GIF or HEIC"
    )


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    printable = sum(byte >= ord(" ") or byte in b"\t\r\n\f" for byte in head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # incremental: the cut may split the last character
    except UnicodeDecodeError:
        return False
    return printable == len(head)
