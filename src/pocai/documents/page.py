"""What a page holds, whatever file it came from: text lines, rules, fills, pictures, tables.

Coordinates are in the page's own unit (pixels for pictures, points for PDF and Office), the origin at the
top left, y down. All types are frozen: a stage returns a new page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Source = Literal["ocr", "pdf", "docx", "xlsx"]
Format = Literal["png", "jpeg", "webp", "tiff", "bmp", "gif", "heic", "pdf", "docx", "xlsx"]
Color = tuple[int, int, int]
Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class Box(NamedTuple):
    """An upright rectangle: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def center(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def intersection(self, other: Box) -> Box:
        """The common rectangle; its area is 0 where the two do not meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def overlap(self, other: Box) -> float:
        """Share of this box's area that lies in ``other``, 0 to 1."""
        common = self.intersection(other)
        if self.area <= 0 or common.width <= 0 or common.height <= 0:
            return 0.0
        return common.area / self.area

    def contains(self, point: Point) -> bool:
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom

    def scaled(self, factor: float) -> Box:
        return Box(*(value * factor for value in self))

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """The smallest box around all ``boxes``; raises ValueError when there are none."""
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return cls(min(lefts), min(tops), max(rights), max(bottoms))


class Quad(NamedTuple):
    """Four corners of a text line, clockwise as read: the first is where its first letter begins, above it."""

    top_left: Point
    top_right: Point
    bottom_right: Point
    bottom_left: Point

    @property
    def box(self) -> Box:
        """The upright box around the four corners."""
        xs, ys = zip(*self, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))

    @classmethod
    def of(cls, box: Box, angle: int = 0) -> Quad:
        """The quad of a line read at ``angle`` (0, 90, 180 or 270 degrees, see `Line.angle`) that fills ``box``."""
        corners = (
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        )
        turn = angle // 90 % 4
        return cls(*corners[turn:], *corners[:turn])


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line; ``confidence`` is the recognizer's score from 0 to 1, None for native text."""

    text: str
    box: Box
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text that is read in one go.

    ``angle`` is the reading direction in degrees, clockwise: 0 left to right, 90 top to bottom, 270 bottom to top.
    ``confidence`` is the recognizer's own score from 0 to 1 (not a calibrated probability), None for native text.
    ``size`` is the em of the writing in page units; ``weight`` the thickness of its strokes as a share of the em (0.0:
    not measured); ``color`` the ink, where it is known; ``reader`` names the recognizer that read it ("" for native
    text), ``alternatives`` are other readings of a line in doubt, the likeliest first.
    """

    text: str
    quad: Quad
    angle: float = 0.0
    confidence: float | None = None
    source: Source = "ocr"
    words: tuple[Word, ...] = ()
    size: float = 0.0
    bold: bool = False
    color: Color | None = None
    weight: float = 0.0
    reader: str = ""
    alternatives: tuple[str, ...] = ()

    @property
    def box(self) -> Box:
        return self.quad.box


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight, axis-parallel printed line from ``start`` to ``end`` with its thickness, in page units."""

    start: Point
    end: Point
    thickness: float = 1.0

    @property
    def horizontal(self) -> bool:
        return abs(self.end[0] - self.start[0]) >= abs(self.end[1] - self.start[1])


@dataclass(frozen=True, slots=True)
class Fill:
    """A region of one colour that differs from the paper."""

    box: Box
    color: Color


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded image (a logo, a scan); the page's text does not come from it."""

    box: Box


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: where it is, which grid rows and columns it spans, and the lines in it."""

    box: Box
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    lines: tuple[Line, ...] = ()
    fill: Color | None = None

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in reading order (rows, then columns). Cells do not overlap; they need not fill the grid."""

    cells: tuple[Cell, ...]
    name: str = ""

    @property
    def box(self) -> Box:
        return Box.around(cell.box for cell in self.cells)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One page (or sheet) as it is read.

    ``image`` is RGB, ``(height, width, 3)`` uint8, of the upright and straightened page; None for native Office
    pages. ``to_source`` is the row-major 3x3 homography from page coordinates to those of the uploaded picture.
    ``tables`` are native tables (DOCX, XLSX); those of pictures and PDFs are found by `pocai.timetable.grid`.
    """

    number: int
    width: float
    height: float
    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()
    fills: tuple[Fill, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    to_source: Matrix = IDENTITY
    unit: Literal["px", "pt"] = "px"
    name: str = ""

    @property
    def has_text(self) -> bool:
        return bool(self.lines) or any(cell.lines for table in self.tables for cell in table.cells)

    @property
    def source_size(self) -> tuple[float, float]:
        """Width and height in the uploaded picture, of a page that was at most scaled since."""
        box = on_source(Box(0, 0, self.width, self.height), self.to_source)
        return box.width, box.height

    def with_lines(self, lines: Sequence[Line]) -> Self:
        """The same page with these text lines."""
        return replace(self, lines=tuple(lines))


@dataclass(frozen=True, slots=True)
class Document:
    """A document as pages; ``warnings`` say what was left out or scaled down; ``sha256`` is of the bytes."""

    pages: tuple[Page, ...]
    format: Format
    sha256: str
    name: str = ""
    warnings: tuple[str, ...] = ()


def on_source(box: Box, matrix: Matrix) -> Box:
    """A box of the page as the upright rectangle around it in the uploaded picture."""
    a, b, c, d, e, f, g, h, i = matrix
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    points = []
    for x, y in corners:
        w = g * x + h * y + i
        points.append(((a * x + b * y + c) / w, (d * x + e * y + f) / w))
    xs, ys = zip(*points, strict=True)
    return Box(min(xs), min(ys), max(xs), max(ys))
