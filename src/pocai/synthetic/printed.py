"""What a made file prints: its pages, and their lines with their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pocai.documents.page import Box, Quad
from pocai.synthetic.bending import Bending
from pocai.synthetic.document import Role, Sheet, Text
from pocai.synthetic.painting import Painted
from pocai.synthetic.setting import width
from pocai.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line (in Word a paragraph, in Excel a line of a cell) as a file prints it.

    ``quad`` and those of ``words`` are in the unit of the page, after damage; None in Word and Excel files, whose text
    has no place of its own.
    """

    text: str
    role: Role
    angle: int = 0
    timetable: int = 0
    blocks: tuple[int, ...] = ()
    quad: Quad | None = None
    words: tuple[tuple[str, Quad | None], ...] = ()

    @classmethod
    def of(cls, text: Text, angle: int = 0) -> PrintedLine:
        """A line whose place only the program knows that shows it."""
        words = tuple((word, None) for word in text.text.split())
        return cls(text.text, text.role, angle, text.timetable, text.blocks, None, words)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON values; coordinates with two decimals."""
        words = [{"text": word, "quad": _corners(quad)} for word, quad in self.words]
        facts = {"role": self.role, "angle": self.angle, "timetable": self.timetable, "blocks": list(self.blocks)}
        return {"text": self.text, "quad": _corners(self.quad), **facts, "words": words}


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """A page with its lines in reading order; width and height are None where the file has no pages of its own."""

    lines: tuple[PrintedLine, ...]
    unit: Literal["px", "pt"] = "pt"
    width: float | None = None
    height: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The page as JSON values."""
        lines = [line.to_json() for line in self.lines]
        return {"width": self.width, "height": self.height, "unit": self.unit, "lines": lines}


@dataclass(frozen=True, slots=True)
class PrintedFile:
    """The bytes of a made file, what they print, and the timetables that a perfect reader finds in it.

    ``stand_ins`` names the families that the format cannot hold, each with the one that it is printed in instead.
    """

    data: bytes = field(repr=False)
    pages: tuple[PrintedPage, ...]
    timetables: tuple[Timetable, ...]
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """All printed words in reading order."""
        return tuple(word for page in self.pages for line in page.lines for word, _ in line.words)


def set_page(sheet: Sheet) -> PrintedPage:
    """The lines of a sheet where their type stands, in points."""
    lines = tuple(_set_line(text) for text in (*sheet.texts, *sheet.under))
    return PrintedPage(lines, "pt", sheet.width, sheet.height)


def pictured_page(painted: Painted, bending: Bending) -> PrintedPage:
    """The lines of a painted sheet where they lie in its picture, in pixels, after it was bent."""
    tall, wide = painted.image.shape[:2]
    lines = []
    for line in painted.lines:
        words = tuple((word.text, _bent(Quad.of(word.box, line.angle), bending)) for word in line.words)
        quad = _bent(line.quad, bending)
        lines.append(PrintedLine(line.text, line.role, line.angle, line.timetable, line.blocks, quad, words))
    return PrintedPage(tuple(lines), "px", wide, tall)


def _set_line(text: Text) -> PrintedLine:
    words, at = [], 0
    for word in text.text.split(" "):
        begin, end = (width(text.text[:place], text.style) for place in (at, at + len(word)))
        at += len(word) + 1
        if word:
            words.append((word, Quad.of(_stretch(text, begin, end), text.angle)))
    quad = Quad.of(text.box, text.angle)
    return PrintedLine(text.text, text.role, text.angle, text.timetable, text.blocks, quad, tuple(words))


def _stretch(text: Text, begin: float, end: float) -> Box:
    """A part of a line, from and to points behind its start."""
    box = text.box
    match text.angle // 90 % 4:
        case 0:
            return box._replace(left=box.left + begin, right=box.left + end)
        case 1:
            return box._replace(top=box.top + begin, bottom=box.top + end)
        case 2:
            return box._replace(left=box.right - end, right=box.right - begin)
        case _:
            return box._replace(top=box.bottom - end, bottom=box.bottom - begin)


def _bent(quad: Quad, bending: Bending) -> Quad:
    import numpy as np

    corners = bending.moved(np.array(quad, np.float64) - 0.5) + 0.5  # there pixel centres are whole numbers
    return Quad(*((float(x), float(y)) for x, y in corners))


def _corners(quad: Quad | None) -> list[list[float]] | None:
    return None if quad is None else [[round(x, 2), round(y, 2)] for x, y in quad]
