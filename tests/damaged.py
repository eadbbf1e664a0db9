"""300 damaged, hostile or odd inputs, the same for the same seed; each file is small, what it claims may be not."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from made_pdf import make_pdf, text

COUNT = 300
_CONTENT_TYPE = "application/vnd.openxmlformats-officedocument"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def damaged_inputs(seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Pairs of a name (what was done to which kind of file) and the bytes."""
    random = Random(seed)
    special = list(_special())
    yield from special
    bases = list(valid_files().items())
    damages = list(_DAMAGES.items())
    for index in range(COUNT - len(special)):
        kind, data = bases[index % len(bases)]
        how, damage = damages[index // len(bases) % len(damages)]
        yield f"{index:03d} {how} {kind}", damage(random, data)


@cache
def valid_files() -> dict[str, bytes]:
    """A small valid file of each kind."""
    scan = ("/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8", bytes(4))
    files = {f"{kind} picture": _picture(kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")}
    return files | {
        "PDF": make_pdf(text(20, 100, "Monday Maths 8:15") + "10 10 m 200 10 l S"),
        "PDF scan": make_pdf("q 30 0 0 20 0 0 cm /X0 Do Q", media=(0, 0, 30, 20), objects={"X0": scan}),
        "DOCX": docx(),
        "XLSX": xlsx(),
    }


def _picture(kind: str, size: tuple[int, int] = (64, 48)) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((5, 5, 50, 30), outline="black", fill="orange")
    out = io.BytesIO()
    pages = {"save_all": True, "append_images": [image.rotate(180)]} if kind == "TIFF" else {}
    image.save(out, kind, **pages)
    return out.getvalue()


def _truncated(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(1, len(data))]


def _flipped(random: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 4, 32))):
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def _scrambled(random: Random, data: bytes) -> bytes:
    """The first bytes stay, so that the format is still recognised."""
    return data[:32] + random.randbytes(len(data) - 32)


def _doubled(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data


def _hollowed(random: Random, data: bytes) -> bytes:
    start = random.randrange(len(data))
    end = min(len(data), start + random.randrange(1, 200))
    return data[:start] + bytes(end - start) + data[end:]


def _grown(random: Random, data: bytes) -> bytes:
    """A number somewhere in it becomes huge."""
    at = random.randrange(8, len(data) - 4)
    return data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :]


_DAMAGES: dict[str, Callable[[Random, bytes], bytes]] = {
    "truncated": _truncated,
    "bits flipped in": _flipped,
    "scrambled": _scrambled,
    "doubled": _doubled,
    "hole in": _hollowed,
    "huge number in": _grown,
}


def _special() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "one byte", b"P"
    yield "random bytes", Random(1).randbytes(5000)
    yield "text called PDF", b"Monday 8:15 Maths\n" * 20
    yield "HTML", b"<!DOCTYPE html><html><body><table></table></body></html>"
    yield "old Word", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "WordDocument".encode("utf-16-le")
    yield "encrypted Office", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le")
    yield "1 x 1", _picture("PNG", (1, 1))
    yield "30,000 px wide", _picture("PNG", (30_000, 40))
    yield "claims 60,000 x 60,000", _claimed_png(60_000, 60_000)
    yield "claims 0 x 0", _claimed_png(0, 0)
    yield "TIFF that points to itself", b"II*\x00\x08\x00\x00\x00" + bytes(2) + b"\x08\x00\x00\x00" * 4
    yield "500-page PDF", make_pdf(*[text(20, 100, "Maths")] * 500)
    yield "PDF with JavaScript", make_pdf("", catalog="/OpenAction << /S /JavaScript /JS (app.alert(1)) >>")
    yield "PDF that opens an address", make_pdf("", catalog="/OpenAction << /S /URI /URI (http://example.org/) >>")
    yield "encrypted PDF", _encrypted_pdf()
    yield "PDF page of a mile", make_pdf(text(20, 100, "Maths"), media=(0, 0, 1e7, 1e7))
    yield "PDF page of nothing", make_pdf("1 0 0 rg 0 0 9 9 re f", media=(0, 0, 0, 0))
    yield "PDF form within itself", _recursive_pdf()
    yield "PDF without end of its graphics states", make_pdf("q " * 5000 + text(20, 100, "Maths"))
    yield "zip bomb as DOCX", docx(body="<w:p/>" * 3_000_000)
    yield "zip bomb as XLSX", xlsx(rows="<row/>" * 3_000_000)
    yield "DOCX with a lying directory", _lying(docx(body="<w:p/>" * 3_000_000))
    yield "DOCX with many parts", docx(extra={f"word/media/{index}.bin": "" for index in range(10_500)})
    yield "DOCX with entities", docx(prolog=_BILLION_LAUGHS, body="<w:p><w:r><w:t>&i;</w:t></w:r></w:p>")
    yield (
        "DOCX with external links",
        docx(
            links=f'<Relationship Id="rId9" Type="{_OFFICE}/image" Target="http://example.org/picture.png" '
            'TargetMode="External"/>',
        ),
    )
    yield "DOCX with deep tables", docx(body=_nested_tables(60))
    yield "DOCX with an absurd span", docx(body=_wide_table())
    yield "XLSX with a huge area", xlsx(area="A1:XFD1048576")
    yield "XLSX with a cell far out", xlsx(rows='<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    yield "XLSX with a merge over all", xlsx(tail='<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>')
    yield "XLSX with entities", xlsx(prolog=_BILLION_LAUGHS)
    yield "zip of nothing", _zip({})
    yield "zip of a text", _zip({"timetable.txt": "Monday"})
    yield "OpenDocument", _zip({"mimetype": "application/vnd.oasis.opendocument.text"})


_BILLION_LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a 'haha'>"
    + "".join(
        f"<!ENTITY {name} '{('&' + before + ';') * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


def _claimed_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _encrypted_pdf() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("secret", strength=128), invariant=1)
    canvas.drawString(100, 700, "Maths")
    canvas.save()
    return out.getvalue()


def _recursive_pdf() -> bytes:
    # The form is object 3 and names itself in its own resources.
    form = "/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /X0 3 0 R >> >>"
    return make_pdf("/X0 Do", objects={"X0": (form, b"/X0 Do 0 0 m 50 0 l S")})


def _zip(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def docx(*, body: str = "", prolog: str = "", links: str = "", extra: dict[str, str] | None = None) -> bytes:
    """A Word document with one table of two cells, or with ``body``."""
    cells = "".join(f"<w:tc><w:p><w:r><w:t>{word}</w:t></w:r></w:p></w:tc>" for word in ("Monday", "Maths"))
    body = body or f"<w:tbl><w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid><w:tr>{cells}</w:tr></w:tbl>"
    main = f"{_CONTENT_TYPE}.wordprocessingml.document.main+xml"
    parts = {
        "[Content_Types].xml": _types("word/document.xml", main),
        "_rels/.rels": _links(f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>'),
        "word/_rels/document.xml.rels": _links(links),
        "word/document.xml": f'{prolog}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
    }
    return _zip(parts | (extra or {}))


def xlsx(*, rows: str = "", area: str = "A1:B2", tail: str = "", prolog: str = "") -> bytes:
    """A workbook with one sheet of two cells, or with ``rows``."""
    rows = rows or '<row r="1"><c r="A1" t="inlineStr"><is><t>Monday</t></is></c><c r="B1"><v>1</v></c></row>'
    sheet = f'<dimension ref="{area}"/><sheetData>{rows}</sheetData>{tail}'
    book = f'<sheets><sheet name="Week" sheetId="1" r:id="rId1" xmlns:r="{_OFFICE}"/></sheets>'
    main = f"{_CONTENT_TYPE}.spreadsheetml.sheet.main+xml"
    worksheet = ("xl/worksheets/sheet1.xml", f"{_CONTENT_TYPE}.spreadsheetml.worksheet+xml")
    return _zip(
        {
            "[Content_Types].xml": _types("xl/workbook.xml", main, worksheet),
            "_rels/.rels": _links(
                f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            ),
            "xl/_rels/workbook.xml.rels": _links(
                f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            ),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}">{book}</workbook>',
            "xl/worksheets/sheet1.xml": f'{prolog}<worksheet xmlns="{_SHEET}">{sheet}</worksheet>',
        }
    )


def _types(part: str, kind: str, *more: tuple[str, str]) -> str:
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{type_}"/>' for name, type_ in ((part, kind), *more)
    )
    defaults = "".join(
        f'<Default Extension="{extension}" ContentType="{type_}"/>'
        for extension, type_ in (
            ("rels", "application/vnd.openxmlformats-package.relationships+xml"),
            ("xml", "application/xml"),
            ("bin", "application/octet-stream"),
        )
    )
    space = "http://schemas.openxmlformats.org/package/2006/content-types"
    return f'<Types xmlns="{space}">{defaults}{overrides}</Types>'


def _links(relationships: str) -> str:
    return f'<Relationships xmlns="{_RELATIONS}">{relationships}</Relationships>'


def _lying(archive: bytes) -> bytes:
    """The same archive, its directory claiming that the main part unpacks to 100 bytes."""
    out = bytearray(archive)
    at = out.rindex(b"word/document.xml")  # the last mention is in the central directory
    out[at - 46 + 24 : at - 46 + 28] = struct.pack("<I", 100)
    return bytes(out)


def _nested_tables(depth: int) -> str:
    opening = "<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr><w:tc>"
    return opening * depth + "<w:p><w:r><w:t>Maths</w:t></w:r></w:p>" + "<w:p/></w:tc></w:tr></w:tbl>" * depth


def _wide_table() -> str:
    span = '<w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>'
    cell = f"<w:tc>{span}<w:p><w:r><w:t>Maths</w:t></w:r></w:p></w:tc>"
    return f"<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr>{cell}</w:tr></w:tbl>"
