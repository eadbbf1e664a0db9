"""Setting text: how wide a string is, how it breaks into lines, and where its lines stand in a box.

Sizes and places are points. Widths are measured once per face at a large size, without hinting to a pixel grid, and
scale with the size, as type does on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from pocai.documents.page import Box, Point
from pocai.synthetic import fonts
from pocai.synthetic.document import Align, Role, Style, Text

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Valign = Literal["top", "middle", "bottom"]

EM = 200  # pixels of an em at which faces are measured
TALLEST, DEEPEST = "bdfhklÅÉÖŠ|(", "gjpqyQÇ,;|("
CAP, TAIL = "dHk", "pgy"
LEADING = 1.06  # distance of lines as a share of their height, ascenders and accents included


class Metrics(NamedTuple):
    """Reach of a face above and below its baseline in ems: of all letters, and of plain ones (no accents)."""

    ascent: float
    descent: float
    plain_ascent: float
    plain_descent: float

    @property
    def height(self) -> float:
        return self.ascent + self.descent


@dataclass(frozen=True, slots=True)
class Phrase:
    """A paragraph to be set: ``text`` breaks into lines at its spaces where the space is narrow.

    ``stacked`` sets one letter a line. ``joined`` sets it on the line of the phrase before it where both fit there,
    behind ``joint``, which is printed nowhere else.
    ``above`` is free room above its first line, in ems. ``whole`` keeps it on one line.
    """

    text: str
    style: Style
    role: Role
    blocks: tuple[int, ...] = ()
    timetable: int = 0
    stacked: bool = False
    joined: bool = False
    joint: str = ""
    above: float = 0.0
    whole: bool = False

    def sized(self, factor: float) -> Phrase:
        """The same phrase in letters of another size."""
        return replace(self, style=replace(self.style, size=self.style.size * factor))


class Run(NamedTuple):
    """A printed line of a phrase, ``x`` points behind the start of its row."""

    text: str
    phrase: Phrase
    x: float
    width: float


class Row(NamedTuple):
    """Runs on one baseline; ``height`` holds their tallest letters, ``ascent`` is the part above the baseline.

    ``above`` is free room above them.
    """

    runs: tuple[Run, ...]
    width: float
    height: float
    ascent: float
    above: float = 0.0


@dataclass(frozen=True, slots=True)
class Paragraphs:
    """Rows set one below the other; width and height in points."""

    rows: tuple[Row, ...]

    @property
    def width(self) -> float:
        return max((row.width for row in self.rows), default=0.0)

    @property
    def height(self) -> float:
        if not self.rows:
            return 0.0
        leading = sum(row.height * LEADING + row.above for row in self.rows)
        return leading - self.rows[-1].height * (LEADING - 1) - self.rows[0].above


def font(style: Style, pixels: float) -> FreeTypeFont:
    """The face of a style at ``pixels`` an em. Raises ConfigurationError for a family that is not installed."""
    return _font(style.face, style.bold, pixels)


@lru_cache(maxsize=4096)
def _font(family: str, bold: bool, pixels: float) -> FreeTypeFont:
    return fonts.font(fonts.face(family).cut(bold=bold), pixels)


@lru_cache(maxsize=200_000)
def _ems(text: str, family: str, bold: bool) -> float:
    return _font(family, bold, EM).getlength(text) / EM


@lru_cache(maxsize=512)
def _metrics(family: str, bold: bool) -> Metrics:
    face = _font(family, bold, EM)
    reach = [face.getbbox(letters, anchor="ls") for letters in (TALLEST, DEEPEST, CAP, TAIL)]
    return Metrics(-reach[0][1] / EM, reach[1][3] / EM, -reach[2][1] / EM, reach[3][3] / EM)


def metrics(style: Style) -> Metrics:
    """The reach of a style's face, in ems."""
    return _metrics(style.face, style.bold)


def width(text: str, style: Style) -> float:
    """How far a string advances, in points."""
    return _ems(text, style.face, style.bold) * style.size


def height(style: Style) -> float:
    """Height of a line with ascenders, accents and descenders, in points."""
    return metrics(style).height * style.size


def baseline(text: Text) -> Point:
    """Where the baseline of a printed line begins, in points of its sheet: its pen starts there at `Text.angle`."""
    down = metrics(text.style).descent * text.style.size
    box = text.box
    match text.angle // 90 % 4:
        case 0:
            return box.left, box.bottom - down
        case 1:
            return box.left + down, box.top
        case 2:
            return box.right, box.top + down
        case _:
            return box.right - down, box.bottom


def breaks(text: str, style: Style, room: float) -> tuple[str, ...] | None:
    """The lines of a string broken at spaces so that none is wider than ``room``; None where a word is wider."""
    words = text.split(" ")
    space = width(" ", style)
    lines: list[str] = []
    filled = 0.0
    for word in words:
        wide = width(word, style)
        if wide > room:
            return None
        if lines and filled + space + wide <= room:
            lines[-1] += f" {word}"
            filled += space + wide
        else:
            lines.append(word)
            filled = wide
    if any(width(line, style) > room for line in lines):  # kerning across a space
        return breaks(text, style, room - 0.02 * style.size) if room > style.size else None
    return tuple(lines)


def widest_word(phrase: Phrase) -> float:
    """The least width in which a phrase can be set, in points."""
    if phrase.stacked:
        return max(width(letter, phrase.style) for letter in phrase.text)
    return max(width(piece, phrase.style) for piece in ([phrase.text] if phrase.whole else phrase.text.split(" ")))


def set_in(phrases: Sequence[Phrase], room: float) -> Paragraphs | None:
    """The phrases set below each other in lines no wider than ``room``; None where a word is wider."""
    rows: list[Row] = []
    for phrase in phrases:
        if phrase.joined and rows and (row := _joined(rows[-1], phrase, room)):
            rows[-1] = row
            continue
        lines = _lines(phrase, room)
        if lines is None:
            return None
        new = [_row(Run(line, phrase, 0.0, width(line, phrase.style))) for line in lines]
        rows += [new[0]._replace(above=phrase.above * phrase.style.size), *new[1:]]
    return Paragraphs(tuple(rows))


def _lines(phrase: Phrase, room: float) -> tuple[str, ...] | None:
    if phrase.stacked:
        return tuple(phrase.text.replace(" ", ""))
    if phrase.whole:
        return (phrase.text,) if width(phrase.text, phrase.style) <= room else None
    return breaks(phrase.text, phrase.style, room)


def _row(*runs: Run) -> Row:
    reach = [metrics(run.phrase.style) for run in runs]
    above = max(reach[i].ascent * run.phrase.style.size for i, run in enumerate(runs))
    below = max(reach[i].descent * run.phrase.style.size for i, run in enumerate(runs))
    return Row(runs, runs[-1].x + runs[-1].width, above + below, above)


def _joined(row: Row, phrase: Phrase, room: float) -> Row | None:
    """The row with a phrase behind its last run, where there is room."""
    gap = width(" ", phrase.style) * 1.2
    text = f"{phrase.joint}{phrase.text}"
    wide = width(text, phrase.style)
    if row.width + gap + wide > room:
        return None
    return _row(*row.runs, Run(text, phrase, row.width + gap, wide))._replace(above=row.above)


@dataclass(frozen=True, slots=True)
class Place:
    """Where set rows stand: in ``box`` (its inside; padding is taken off before), read at ``angle``."""

    box: Box
    align: Align = "left"
    valign: Valign = "top"
    angle: int = 0


def room(box: Box, angle: int) -> tuple[float, float]:
    """Width and height of a box for text that is read at an angle."""
    return (box.height, box.width) if angle % 180 else (box.width, box.height)


def placed(rows: Paragraphs, place: Place) -> tuple[Text, ...]:
    """The rows as printed lines of a sheet."""
    wide, high = room(place.box, place.angle)
    down = {"top": 0.0, "middle": (high - rows.height) / 2, "bottom": high - rows.height}[place.valign]
    texts: list[Text] = []
    for number, row in enumerate(rows.rows):
        down += row.above if number else 0.0
        along = {"left": 0.0, "center": (wide - row.width) / 2, "right": wide - row.width}[place.align]
        texts += [_text(run, along, down, row, place) for run in row.runs]
        down += row.height * LEADING
    return tuple(texts)


def _text(run: Run, along: float, down: float, row: Row, place: Place) -> Text:
    phrase = run.phrase
    reach, size = metrics(phrase.style), phrase.style.size
    base = down + row.ascent
    flat = Box(along + run.x, base - reach.ascent * size, along + run.x + run.width, base + reach.descent * size)
    return Text(
        text=run.text,
        box=_turned(flat, place.box, place.angle),
        style=phrase.style,
        role=phrase.role,
        align=place.align,
        angle=place.angle,
        timetable=phrase.timetable,
        blocks=phrase.blocks,
    )


def _turned(flat: Box, outer: Box, angle: int) -> Box:
    """A box in reading coordinates (along, down) of ``outer`` as a box of the sheet."""
    match angle // 90 % 4:
        case 0:
            return Box(outer.left + flat.left, outer.top + flat.top, outer.left + flat.right, outer.top + flat.bottom)
        case 1:
            return Box(outer.right - flat.bottom, outer.top + flat.left, outer.right - flat.top, outer.top + flat.right)
        case 2:
            return Box(
                outer.right - flat.right,
                outer.bottom - flat.bottom,
                outer.right - flat.left,
                outer.bottom - flat.top,
            )
        case _:
            return Box(
                outer.left + flat.top, outer.bottom - flat.right, outer.left + flat.bottom, outer.bottom - flat.left
            )


def line(phrase: Phrase, at: Point, align: Align = "left") -> Text:
    """One phrase on one line; ``at`` is its top left, top middle or top right, as it is aligned."""
    wide = width(phrase.text, phrase.style)
    left = at[0] - {"left": 0.0, "center": wide / 2, "right": wide}[align]
    box = Box(left, at[1], left + wide, at[1] + height(phrase.style))
    rows = Paragraphs((_row(Run(phrase.text, phrase, 0.0, wide)),))
    return placed(rows, Place(box, "left"))[0] if align == "left" else replace(placed(rows, Place(box))[0], align=align)
