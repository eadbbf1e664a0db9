"""A page as a language model is shown it: lines with numbers, in the cells that they stand in, and roughly where.

The same page gives the same text, of bounded length, in training and in use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from pocai.documents.page import Box, Line, Page, Quad
from pocai.timetable.grid import find_tables
from pocai.timetable.naming import COLUMN, SPACED
from pocai.timetable.pieces import Piece, pieces_of

MOST_LINES = 600
MOST_LETTERS = 20_000  # of all lines of a page together
LONGEST = 160  # letters of a line; of a longer one its beginning is shown
_STEPS = 99  # the writing's width and height, in the steps that places are given in
_ATOM = re.compile(r"[^\W\d_]+|\d+|\S")
_LEVEL = 0.6  # heights of a piece's first line within which others stand in one row with it


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line as it is shown: ``text`` in one row, and which piece of the page (from 0) it is part of.

    ``line`` is the line on the page, or one around all ``sources`` where a word is set one letter a line.
    """

    number: int
    line: Line
    text: str
    piece: int
    sources: tuple[Line, ...]

    @property
    def atoms(self) -> tuple[tuple[str, bool], ...]:
        """Words, numbers and signs, each with whether a space stands before it."""
        found = _ATOM.finditer(self.text)
        return tuple((match.group(), match.start() > 0 and self.text[match.start() - 1] == " ") for match in found)


@dataclass(frozen=True)
class NumberedPage:
    """The lines of a page that a model is shown, numbered from 1 in reading order, and the text that shows them.

    Each cell, or piece of text outside of cells, is headed by its place: left, top, right and bottom in hundredths of
    the writing, in square brackets for a cell and in round ones for other text. ``left_out`` lines did not fit.
    """

    page: Page
    lines: tuple[NumberedLine, ...]
    text: str
    left_out: int = 0

    def shown(self, number: int) -> NumberedLine | None:
        """The line of a number, None where there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else None

    @cached_property
    def number_of(self) -> dict[int, int]:
        """The number of each line that is shown, by its identity."""
        return {id(line): shown.number for shown in self.lines for line in shown.sources}


def numbered(page: Page) -> NumberedPage:
    """A page as it is shown to a language model."""
    pieces = _in_order(pieces_of(page, find_tables(page)))
    boxes = [piece.page_box for piece in pieces]
    around = Box.around(boxes) if boxes else Box(0, 0, 1, 1)
    lines: list[NumberedLine] = []
    rows: list[str] = []
    left_out = letters = 0
    for index, piece in enumerate(pieces):
        shown = [(group, text) for group in _groups(piece) if (text := _shown("".join(line.text for line in group)))]
        letters += sum(len(text) for _, text in shown)
        if len(lines) + len(shown) > MOST_LINES or letters > MOST_LETTERS:
            left_out += len(shown)
            continue
        rows += [_heading(piece, around)] if shown else []
        for group, text in shown:
            lines.append(NumberedLine(len(lines) + 1, _one(group, text), text, index, group))
            rows.append(f"{len(lines)} {text}")
    return NumberedPage(page, tuple(lines), "\n".join(rows), left_out)


def _groups(piece: Piece) -> list[tuple[Line, ...]]:
    """The lines of a piece one by one, or all together where each holds a single letter of a word."""
    if len(piece.lines) >= COLUMN and all(len(line.text.strip()) == 1 for line in piece.lines):
        return [piece.lines]
    return [(line,) for line in piece.lines]


def _one(lines: tuple[Line, ...], text: str) -> Line:
    if len(lines) == 1:
        return lines[0]
    return replace(lines[0], text=text, quad=Quad.of(Box.around(line.box for line in lines)))


def _shown(text: str) -> str:
    """A text in one row: no control characters, spaced letters set together, cut at a space near `LONGEST` letters."""
    signs = (" " if unicodedata.category(sign)[0] == "Z" or sign.isspace() else sign for sign in text)
    plain = " ".join("".join(sign for sign in signs if unicodedata.category(sign)[0] != "C").split())
    plain = unicodedata.normalize("NFC", plain)
    if SPACED.match(plain):
        return plain.replace(" ", "")
    return plain if len(plain) <= LONGEST else plain[: LONGEST + 1].rsplit(" ", 1)[0][:LONGEST]


def _heading(piece: Piece, around: Box) -> str:
    box = piece.page_box
    places = (
        _step(box.left - around.left, around.width),
        _step(box.top - around.top, around.height),
        _step(box.right - around.left, around.width),
        _step(box.bottom - around.top, around.height),
    )
    said = " ".join(map(str, places))
    return f"[{said}]" if piece.ruled else f"({said})"


def _step(distance: float, whole: float) -> int:
    return round(_STEPS * min(1.0, max(0.0, distance / whole))) if whole > 0 else 0


def _in_order(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces row by row from the top, each row from left to right."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: (each.page_box.top, each.page_box.left)):
        if not rows or piece.page_box.top - rows[-1][0].page_box.top > _LEVEL * _height(rows[-1][0]):
            rows.append([])
        rows[-1].append(piece)
    return [piece for row in rows for piece in sorted(row, key=lambda each: (each.page_box.left, each.page_box.top))]


def _height(piece: Piece) -> float:
    """The height of the writing in a piece."""
    box = piece.lines[0].box
    return min(box.width, box.height)
