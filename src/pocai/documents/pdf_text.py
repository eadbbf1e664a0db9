"""The visible text of a PDF page as glyphs: what is written where, in which direction, size, weight and ink."""

from __future__ import annotations

import ctypes
import math
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pocai.documents.limits import Deadline
from pocai.documents.page import Box, Color, Point
from pocai.documents.pdf_objects import Frame, PageObject, fill_color, stroke_color
from pocai.documents.pdf_paths import Cover

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UPRIGHT = 12.0  # degrees from a multiple of 90 that still count as that
_BOLD_WEIGHTS = range(600, 1001)  # PDFium estimates it from the stem; estimates beyond mean a senseless stem
_FORCE_BOLD = 1 << 18  # font descriptor flag, ISO 32000-1, table 123
_BOLD_NAMES = ("bold", "black", "heavy")
_NAME_BYTES = 128
_SMALLEST = 0.5  # points; smaller writing is not meant to be read
_FAINT = 12  # alpha below which nothing is seen
_LIGATURES = range(0xFB00, 0xFB07)
_REPLACEMENT = 0xFFFD
_SOFT_HYPHEN = 0xAD
_HYPHENS = {0x02, _SOFT_HYPHEN}  # PDFium gives U+0002 for a hyphen at the end of a line
_SPACES = {0x09, 0x20, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000, *range(0x2000, 0x200B)}
_SLANTED_WIDTH = 0.6  # of the em, at most
_CLOCK_STEP = 512  # glyphs between two looks at the clock


class Direction(NamedTuple):
    """A reading direction: its angle, clockwise in degrees, and the unit vector that points along it.

    `turned` gives coordinates along and down the writing, `on_page` leads back.
    """

    angle: float
    cos: float
    sin: float

    @classmethod
    def of(cls, angle: float) -> Direction:
        """The direction of ``angle`` degrees."""
        radians = math.radians(angle)
        return cls(angle, round(math.cos(radians), 9), round(math.sin(radians), 9))

    def turned(self, point: Point) -> Point:
        """(along, down) of a point on the page."""
        return point[0] * self.cos + point[1] * self.sin, point[1] * self.cos - point[0] * self.sin

    def on_page(self, along: float, down: float) -> Point:
        """The point on the page with these turned coordinates."""
        return along * self.cos - down * self.sin, along * self.sin + down * self.cos

    def reach(self, box: Box) -> tuple[float, float]:
        """From where to where a page box reaches along the writing."""
        first, second = sorted((box.left * self.cos, box.right * self.cos))
        third, fourth = sorted((box.top * self.sin, box.bottom * self.sin))
        return first + third, second + fourth


@dataclass(frozen=True, slots=True)
class Style:
    """What all glyphs of a text object share; ``size`` is the em in points on the page."""

    direction: Direction
    size: float
    bold: bool
    color: Color | None


class Glyph(NamedTuple):
    """One visible character: its extent along the reading direction, and its baseline across it.

    ``spaced`` says that a space character stands before it.
    """

    text: str
    start: float
    end: float
    baseline: float
    spaced: bool


@dataclass(frozen=True, slots=True)
class Run:
    """The visible glyphs of one text object, in the order in which they are shown.

    ``space_after`` says that a space character ends the object.
    """

    glyphs: tuple[Glyph, ...]
    style: Style
    space_after: bool


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The text of a page in painting order; ``garbage`` is the share of visible characters without a meaning."""

    runs: tuple[Run, ...]
    garbage: float


class _Char(NamedTuple):
    code: int
    box: Box
    origin: Point
    unmapped: bool


def read_text(
    textpage: Any, objects: Sequence[PageObject], covers: Sequence[Cover], frame: Frame, deadline: Deadline
) -> TextLayer:
    """The text that can be seen on a page.

    Not seen are: render modes 3 and 7, no ink, less than half a point, clipped away, outside the crop box, and
    what is painted over later by an opaque rectangle or a picture.
    """
    chars = _chars(textpage, frame, deadline)
    hidden = _Covered(covers)
    fonts: dict[int, bool] = {}
    runs: list[Run] = []
    odd = total = 0
    for item in objects:
        own = chars.get(item.address)
        style = _style(item, fonts) if own else None
        if not own or style is None:
            continue
        own = hidden.visible(own, item)
        total += len(own)
        odd += sum(_is_garbage(char) for char in own)
        run = _run(own, style)
        if run.glyphs or run.space_after:
            runs.append(run)
    return TextLayer(tuple(runs), odd / total if total else 0.0)


def _chars(textpage: Any, frame: Frame, deadline: Deadline) -> dict[int, list[_Char]]:
    """The characters of each text object, by its address; those that PDFium made up are left out."""
    import pypdfium2.raw as pdfium

    found: dict[int, list[_Char]] = {}
    rect, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    for index in range(max(0, pdfium.FPDFText_CountChars(textpage))):
        if index % _CLOCK_STEP == 0:
            deadline.check()
        owner = pdfium.FPDFText_GetTextObject(textpage, index)
        if not owner or pdfium.FPDFText_IsGenerated(textpage, index) == 1:
            continue
        pdfium.FPDFText_GetLooseCharBox(textpage, index, rect)
        pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
        char = _Char(
            pdfium.FPDFText_GetUnicode(textpage, index),
            frame.display.box(rect.left, rect.bottom, rect.right, rect.top),
            frame.display.apply(x.value, y.value),
            pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1,
        )
        found.setdefault(ctypes.addressof(owner.contents), []).append(char)
    return found


def _style(item: PageObject, fonts: dict[int, bool]) -> Style | None:
    """The style of a text object; None where it cannot be seen."""
    import pypdfium2.raw as pdfium

    mode = pdfium.FPDFTextObj_GetTextRenderMode(item.raw)
    if mode in {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}:
        return None
    stroked = mode in {pdfium.FPDF_TEXTRENDERMODE_STROKE, pdfium.FPDF_TEXTRENDERMODE_STROKE_CLIP}
    rgba = (stroke_color if stroked else fill_color)(item.raw)
    if rgba is not None and rgba[3] < _FAINT:
        return None
    size = ctypes.c_float()
    pdfium.FPDFTextObj_GetFontSize(item.raw, size)
    # Across the writing: condensed type is narrow, not small.
    height = abs(size.value) * math.hypot(item.matrix.c, item.matrix.d)
    if height < _SMALLEST:
        return None
    sign = 1 if size.value >= 0 else -1
    angle = math.degrees(math.atan2(sign * item.matrix.b, sign * item.matrix.a)) % 360
    nearest = round(angle / 90) * 90
    direction = Direction.of(float(nearest % 360) if abs(angle - nearest) <= _UPRIGHT else angle)
    thickened = mode in {pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE, pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE_CLIP}
    bold = thickened or _is_bold(pdfium.FPDFTextObj_GetFont(item.raw), fonts)
    return Style(direction, height, bold, None if rgba is None else (rgba[0], rgba[1], rgba[2]))


def _is_bold(font: Any, fonts: dict[int, bool]) -> bool:
    import pypdfium2.raw as pdfium

    if not font:
        return False
    address = ctypes.addressof(font.contents)
    if address not in fonts:
        name = ctypes.create_string_buffer(_NAME_BYTES)
        pdfium.FPDFFont_GetBaseFontName(font, name, _NAME_BYTES)
        lower = name.value.decode("utf-8", errors="replace").lower()
        fonts[address] = (
            any(part in lower for part in _BOLD_NAMES)
            or pdfium.FPDFFont_GetWeight(font) in _BOLD_WEIGHTS
            or bool(max(0, pdfium.FPDFFont_GetFlags(font)) & _FORCE_BOLD)
        )
    return fonts[address]


class _Covered:
    """Which characters are hidden by their clip or by what was painted later."""

    def __init__(self, covers: Sequence[Cover]) -> None:
        import numpy as np

        self._orders: NDArray[np.int64] = np.array([cover.order for cover in covers], dtype=np.int64)
        self._boxes: NDArray[np.float64] = np.array([cover.box for cover in covers], dtype=np.float64).reshape(-1, 4)

    def visible(self, chars: Sequence[_Char], item: PageObject) -> list[_Char]:
        """Those of an object's characters whose middle can be seen."""
        later = self._later(Box.around(char.box for char in chars), item.order)
        return [
            char
            for char in chars
            if item.clip.contains(char.box.center) and not any(box.contains(char.box.center) for box in later)
        ]

    def _later(self, area: Box, order: int) -> list[Box]:
        boxes = self._boxes[self._orders.searchsorted(order, side="right") :]
        if not len(boxes):
            return []
        meets = (
            (boxes[:, 0] < area.right)
            & (boxes[:, 2] > area.left)
            & (boxes[:, 1] < area.bottom)
            & (boxes[:, 3] > area.top)
        )
        return [Box(*map(float, box)) for box in boxes[meets]]


def _is_garbage(char: _Char) -> bool:
    """Whether a character has no meaning: unmapped, private use, control, replacement."""
    if char.code in _SPACES or char.code in _HYPHENS or char.code in {0x0A, 0x0D}:
        return False
    if char.unmapped or char.code == _REPLACEMENT:
        return True
    return unicodedata.category(_character(char.code)) in {"Co", "Cc", "Cn", "Cs"}


def _character(code: int) -> str:
    return chr(code if 0 <= code <= sys.maxunicode else _REPLACEMENT)


def _written(code: int) -> str:
    """The text of a character code: ligatures as letters, controls and private symbols as nothing."""
    if code in _HYPHENS:
        return "-"
    character = _character(code)
    if code in _LIGATURES:
        return unicodedata.normalize("NFKC", character)
    return "" if unicodedata.category(character)[0] == "C" or code == _REPLACEMENT else character


def _run(chars: Sequence[_Char], style: Style) -> Run:
    glyphs: list[Glyph] = []
    spaced = False
    for position, char in enumerate(chars):
        if char.code in _SPACES:
            spaced = True
            continue
        text = _written(char.code)
        if char.code == _SOFT_HYPHEN and position + 1 < len(chars):  # within a line it is not printed
            text = ""
        if text:
            start, end, baseline = _extent(char, style)
            glyphs.append(Glyph(text, start, end, baseline, spaced))
            spaced = False
    return Run(tuple(glyphs), style, spaced)


def _extent(char: _Char, style: Style) -> tuple[float, float, float]:
    """Start, end and baseline of a character in the coordinates of its direction."""
    origin, baseline = style.direction.turned(char.origin)
    start, end = style.direction.reach(char.box)
    if style.direction.angle % 90:  # the box of slanted writing is too wide
        return origin, origin + min(end - start, _SLANTED_WIDTH * style.size), baseline
    return start, end, baseline
