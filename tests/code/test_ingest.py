"""What a file is, is told by its content; what we do not read is refused with the way out."""

from __future__ import annotations

import hashlib
import io
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest
from damaged import docx, valid_files, xlsx
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.ingest import load, sniff
from pocai.documents.limits import Deadline, check_archive
from pocai.documents.page import Format
from pocai.errors import EncryptedDocument, InputError, LimitExceeded, UnreadableDocument, UnsupportedFormat
from pocai.settings import Limits

LIMITS = Limits()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def zipped(**parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


class TestSniff:
    @pytest.mark.parametrize(("kind", "data"), valid_files().items())
    def test_known_formats(self, kind: str, data: bytes) -> None:
        assert sniff(data) == kind.split(maxsplit=1)[0].lower()

    def test_heic(self) -> None:
        assert sniff(b"\x00\x00\x00\x18ftypheic" + bytes(20)) == "heic"

    def test_pdf_after_a_preamble(self) -> None:
        assert sniff(b"\r\nsent by a scanner\r\n" + valid_files()["PDF"]) == "pdf"

    @pytest.mark.parametrize(
        ("data", "what", "mend"),
        [
            (OLE + "WordDocument".encode("utf-16-le"), r"\.doc\b", ".docx"),
            (OLE + "Workbook".encode("utf-16-le"), r"\.xls\b", ".xlsx"),
            (OLE + "PowerPoint Document".encode("utf-16-le"), r"\.ppt\b", "PDF"),
            (b"{\\rtf1 Monday}", "RTF", "PDF"),
            (b"\xef\xbb\xbf\n<!DOCTYPE HTML><title>x</title>", "HTML", "PDF"),
            (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", "PDF"),
            ("Montag 8:15 Französisch".encode(), "plain text", "PDF"),
            ("é".encode() * 3000, "plain text", "PDF"),
            (zipped(mimetype="application/vnd.oasis.opendocument.text"), "OpenDocument", "DOCX"),
            (zipped(**{"ppt/presentation.xml": "x"}), r"\.pptx", "PDF"),
            (zipped(**{"xl/workbook.bin": "x"}), r"\.xlsb", ".xlsx"),
            (zipped(**{"a.txt": "x"}), "zip archive", "Unpack"),
            (b"\x00\x00\x00\x18ftypavif" + bytes(20), "AVIF", "PNG"),
            (b"\x00\x00\x00\x18ftypmp42" + bytes(20), "video", "picture"),
        ],
    )
    def test_known_but_not_read(self, data: bytes, what: str, mend: str) -> None:
        with pytest.raises(UnsupportedFormat, match=what) as caught:
            sniff(data)
        assert mend in caught.value.mend

    def test_encrypted_office_file(self) -> None:
        with pytest.raises(EncryptedDocument, match="password"):
            sniff(OLE + "EncryptedPackage".encode("utf-16-le"))

    @pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"PK\x03\x04" + bytes(50), b"\x9c\xff\x00\x17" * 40])
    def test_unreadable(self, data: bytes) -> None:
        with pytest.raises(UnreadableDocument):
            sniff(data)

    @given(st.binary(max_size=200))
    def test_any_bytes_have_a_format_or_a_typed_error(self, data: bytes) -> None:
        with suppress(InputError):
            assert sniff(data) in get_args(Format)


class TestLoad:
    def test_document_knows_its_bytes_format_and_name(self) -> None:
        data = valid_files()["PNG picture"]
        document = load(data, name="week", limits=LIMITS)
        assert (document.format, document.name, len(document.pages)) == ("png", "week", 1)
        assert document.sha256 == hashlib.sha256(data).hexdigest()

    def test_content_counts_not_the_name(self, tmp_path: Path) -> None:
        path = tmp_path / "timetable.docx"
        path.write_bytes(valid_files()["PDF"])
        document = load(path, limits=LIMITS)
        assert (document.format, document.name) == ("pdf", "timetable.docx")
        assert document.pages[0].lines[0].text == "Monday Maths 8:15"

    @pytest.mark.parametrize("kind", ["DOCX", "XLSX"])
    def test_office_files(self, kind: str) -> None:
        document = load(valid_files()[kind], limits=LIMITS)
        texts = [cell.text for table in document.pages[0].tables for cell in table.cells]
        assert "Monday" in texts

    def test_size_is_checked_for_bytes_and_files(self, tmp_path: Path) -> None:
        path = tmp_path / "large"
        path.write_bytes(bytes(2000))
        for source in (path, bytes(2000)):
            with pytest.raises(LimitExceeded, match="max_bytes"):
                load(source, limits=Limits(max_bytes=1999))

    def test_a_device_without_end_is_not_read_to_its_end(self) -> None:
        with pytest.raises(LimitExceeded, match="at least"):
            load(Path("/dev/zero"), limits=Limits(max_bytes=1000))

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.pdf", tmp_path):
            with pytest.raises(UnreadableDocument, match="cannot be opened"):
                load(path, limits=LIMITS)


class TestArchive:
    def test_usual_files_pass(self) -> None:
        check_archive(docx(), LIMITS)
        check_archive(xlsx(), LIMITS)

    def test_ratio(self) -> None:
        with pytest.raises(LimitExceeded, match="max_zip_ratio"):
            check_archive(docx(body="<w:p/>" * 100_000), Limits(max_zip_ratio=50))

    def test_unpacked_size(self) -> None:
        with pytest.raises(LimitExceeded, match="max_unpacked_bytes"):
            check_archive(docx(), Limits(max_unpacked_bytes=500))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
    def test_entities_are_found_across_pieces_and_encodings(self, encoding: str) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "word/document.xml", b" " * (2**16 - 5) + '<!DOCTYPE a [<!ENTITY b "c">]>'.encode(encoding)
            )
        with pytest.raises(UnreadableDocument, match="entities"):
            check_archive(out.getvalue(), Limits(max_zip_ratio=1e6))

    def test_other_parts_may_hold_any_bytes(self) -> None:
        check_archive(docx(extra={"word/media/page.html": "<!DOCTYPE html>"}), LIMITS)


class TestDeadline:
    def test_passes_in_time_and_raises_after(self) -> None:
        Deadline(60).check()
        deadline = Deadline(0.001)
        time.sleep(0.005)
        with pytest.raises(LimitExceeded, match=r"0\.001 seconds"):
            deadline.check()


def test_a_missing_package_is_not_called_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    for name in [name for name in sys.modules if name.startswith("pocai.documents.pdf")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError):
        load(b"%PDF-1.7\n%%EOF", limits=Limits())
