"""PDFs written byte by byte, so that a test decides what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Times-Roman"}


def make_pdf(
    *contents: str,
    media: Sequence[float] = (0, 0, 300, 200),
    page: str = "",
    objects: Mapping[str, tuple[str, bytes]] | None = None,
    catalog: str = "",
) -> bytes:
    """A PDF with a page for each of ``contents`` (content streams).

    ``page`` is added to each page's dictionary, ``catalog`` to the catalog; ``objects`` are XObjects and graphics
    states by name: their dictionary without the length, and their data (a state has none).
    """
    bodies: list[bytes] = [b"", b""]
    fonts = "".join(f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{base} >> " for name, base in _FONTS.items())
    forms, states = "", ""
    for name, (dictionary, data) in (objects or {}).items():
        if name.startswith("G"):
            states += f"/{name} << {dictionary} >> "
        else:
            bodies.append(_stream(dictionary, data))
            forms += f"/{name} {len(bodies)} 0 R "
    resources = f"<< /Font << {fonts}>> /XObject << {forms}>> /ExtGState << {states}>> >>"
    kids = []
    for content in contents:
        bodies.append(_stream("", content.encode("latin-1")))
        box = " ".join(f"{value:g}" for value in media)
        described = f"/MediaBox [{box}] /Resources {resources} /Contents {len(bodies)} 0 R {page}"
        bodies.append(f"<< /Type /Page /Parent 2 0 R {described} >>".encode())
        kids.append(f"{len(bodies)} 0 R")
    bodies[0] = f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode()
    bodies[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    return _file(bodies)


def _stream(dictionary: str, data: bytes) -> bytes:
    return f"<< {dictionary} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _file(bodies: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(out)


def text(x: float, y: float, words: str, *, size: float = 10, extra: str = "") -> str:
    """Content that shows ``words`` with their baseline at (x, y), y up; ``extra`` are operators before it."""
    return f"BT /F1 {size} Tf {extra} 1 0 0 1 {x} {y} Tm ({words}) Tj ET\n"
