"""Faces in PDF files: those with TrueType outlines are embedded, others are replaced by one of nearly their metrics.

ReportLab embeds no PostScript outlines (CFF), which half of the free faces have.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import ascii_letters, digits

from pocai.errors import ConfigurationError
from pocai.synthetic.document import Style
from pocai.synthetic.fonts import Face, face, faces, printable
from pocai.synthetic.setting import width

_POSTSCRIPT = b"OTTO"  # at the start of a file with CFF outlines (OpenType 1.9, table directory)
_SAMPLE = ascii_letters + digits


@cache
def embeddable(file: Path) -> bool:
    """Whether a font file has TrueType outlines."""
    with file.open("rb") as stream:
        return stream.read(4) != _POSTSCRIPT


def embedded(family: str, letters: frozenset[str]) -> Face:
    """The family itself, or the face that stands in for it: of its split, mostly of its kind, with these letters.

    Raises ConfigurationError where no installed face has TrueType outlines and all the letters.
    """
    own = face(family)
    if embeddable(own.file) and (own.bold is None or embeddable(own.bold)):
        return own
    for other in _likest(own):
        if letters <= printable(other.file) and (own.bold is None or letters <= printable(other.cut(bold=True))):
            return other
    raise ConfigurationError(
        f"no installed face can stand in for {family!r} in a PDF", mend="Install the packages of tools/fonts.txt"
    )


@cache
def _likest(own: Face) -> tuple[Face, ...]:
    """The faces that can be embedded, those that differ least from ``own`` first."""
    able = [each for each in faces(own.split) if embeddable(each.file) and embeddable(each.cut(bold=True))]
    advances = _advances(own)

    def distance(other: Face) -> tuple[bool, bool, float]:
        apart = sum(abs(a - b) for a, b in zip(advances, _advances(other), strict=True))
        return own.bold is not None and other.bold is None, other.kind != own.kind, apart

    return tuple(sorted(able, key=distance))


@cache
def _advances(one: Face) -> tuple[float, ...]:
    """How far each letter of a sample advances, in ems."""
    return tuple(width(letter, Style(one.family, 1.0)) for letter in _SAMPLE)


@cache
def registered(file: Path) -> str:
    """The name by which ReportLab knows a font file from now on."""
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    registerFont(TTFont(file.stem, str(file)))
    return file.stem
