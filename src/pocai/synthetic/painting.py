"""A made document as a picture, with the truth about every printed line in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pocai.documents.page import Box, Color, Fill, Line, Page, Picture, Point, Quad, Rule, Word
from pocai.errors import InputError
from pocai.synthetic.document import Drawing, Logo, Panel, Role, Sheet, Text
from pocai.synthetic.emblem import emblem
from pocai.synthetic.setting import baseline, font, metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Coverage = NDArray[np.float32]

FINE = 3  # letters are drawn this much larger and averaged, so that they may begin between two pixels
FAINT = 24 / 255  # coverage from which a pixel counts as ink
POINTS = 72.0  # to an inch
LEVEL = 1.0  # pixels by which the baselines of a row may differ
NEAR = 0.7  # ems between lines of a row


@dataclass(frozen=True, slots=True)
class PaintedLine:
    """A printed line in the picture.

    ``quad`` holds all of its ink and is as high as a plain line of its face (from the baseline up to "d" and down to
    "p"); the boxes of ``words`` are those of their ink. ``size`` is the em in pixels; ``blocks`` are indices into the
    time blocks of the drawing's timetable number ``timetable``. Lines of one ``row`` stand behind each other on one
    baseline, no more than a blank apart: a reader takes them for one line. ``baseline`` is its y (of upright writing).
    """

    text: str
    quad: Quad
    words: tuple[Word, ...]
    role: Role
    angle: int = 0
    timetable: int = 0
    blocks: tuple[int, ...] = ()
    size: float = 0.0
    bold: bool = False
    color: Color = (0, 0, 0)
    row: int = 0
    baseline: float = 0.0

    @property
    def box(self) -> Box:
        return self.quad.box


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A sheet as a picture: RGB ``(height, width, 3)`` uint8; ``scale`` is pixels to a point."""

    image: Image
    lines: tuple[PaintedLine, ...]
    rules: tuple[Rule, ...]
    fills: tuple[Fill, ...]
    pictures: tuple[Picture, ...]
    scale: float

    def page(self, number: int = 0, *, joined: bool = False) -> Page:
        """The page that a reader without fault would make of the picture, its lines as of native text.

        ``joined`` makes one line of each row.
        """
        tall, wide = self.image.shape[:2]
        rows = groupby(self.lines, key=lambda line: line.row) if joined else ((0, (line,)) for line in self.lines)
        lines = tuple(_as_one(tuple(row)) for _, row in rows)
        return Page(number, wide, tall, lines, self.rules, self.fills, self.pictures, image=self.image)


def paint(drawing: Drawing, sheet: int = 0, dpi: float = 150.0) -> Painted:
    """A sheet of the drawing as a picture. Raises InputError for a sheet that it has not."""
    if not 0 <= sheet < len(drawing.sheets):
        raise InputError(f"the drawing has no sheet {sheet}", mend=f"Ask for 0 to {len(drawing.sheets) - 1}")
    return paint_sheet(drawing.sheets[sheet], dpi)


def paint_sheet(sheet: Sheet, dpi: float = 150.0) -> Painted:
    """A sheet as a picture: paper, fills, emblems, watermarks, rules and letters, in this order."""
    scale = dpi / POINTS
    canvas = np.empty((max(1, round(sheet.height * scale)), max(1, round(sheet.width * scale)), 3), np.uint8)
    canvas[:] = sheet.paper
    for panel in sheet.fills:
        _fill(canvas, panel, scale)
    for logo in sheet.logos:
        _paste(canvas, logo, scale)
    under = _written(canvas, sheet.under, scale)
    for stroke in sheet.rules:
        _cover(canvas, _body(stroke).scaled(scale), stroke.color)
    return Painted(
        image=canvas,
        lines=_in_rows((*_written(canvas, sheet.texts, scale), *under)),
        rules=tuple(_scaled(stroke, scale) for stroke in sheet.rules),
        fills=tuple(Fill(panel.box.scaled(scale), panel.color) for panel in sheet.fills),
        pictures=tuple(Picture(logo.box.scaled(scale)) for logo in sheet.logos),
        scale=scale,
    )


def _as_one(row: Sequence[PaintedLine]) -> Line:
    """The lines of a row as one, in the style of the first."""
    first = row[0]
    return Line(
        text=" ".join(line.text for line in row),
        quad=Quad.of(Box.around(line.box for line in row), first.angle),
        angle=float(first.angle),
        source="pdf",
        words=tuple(word for line in row for word in line.words),
        size=max(line.size for line in row),
        bold=first.bold,
        color=first.color,
    )


def _body(rule: Rule) -> Box:
    """The ink of a rule; it ends where its corner with another one of the same thickness does."""
    half = rule.thickness / 2
    xs, ys = sorted((rule.start[0], rule.end[0])), sorted((rule.start[1], rule.end[1]))
    return Box(xs[0] - half, ys[0] - half, xs[1] + half, ys[1] + half)


def _scaled(rule: Rule, scale: float) -> Rule:
    start, end = rule.start, rule.end
    return Rule((start[0] * scale, start[1] * scale), (end[0] * scale, end[1] * scale), rule.thickness * scale)


def _cover(canvas: Image, box: Box, color: Color) -> None:
    """Colour a rectangle, its edges by the share of each pixel that it covers."""
    tall, wide = canvas.shape[:2]
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(wide, int(np.ceil(box.right))), min(tall, int(np.ceil(box.bottom)))
    if right <= left or bottom <= top:
        return
    across, down = _shares(left, right, box.left, box.right), _shares(top, bottom, box.top, box.bottom)
    inner_x, inner_y = np.flatnonzero(across >= 1), np.flatnonzero(down >= 1)
    if len(inner_x) and len(inner_y):  # the bulk needs no blending
        edges = (left + inner_x[0], top + inner_y[0], left + inner_x[-1] + 1, top + inner_y[-1] + 1)
        rim = {
            (left, top, right, edges[1]),
            (left, edges[3], right, bottom),
            (left, edges[1], edges[0], edges[3]),
            (edges[2], edges[1], right, edges[3]),
        }
        canvas[edges[1] : edges[3], edges[0] : edges[2]] = color
    else:
        rim = {(left, top, right, bottom)}
    for x0, y0, x1, y1 in rim:
        if x1 > x0 and y1 > y0:
            share = down[y0 - top : y1 - top, None] * across[None, x0 - left : x1 - left]
            _blend(canvas[y0:y1, x0:x1], share, color)


def _shares(first: int, last: int, low: float, high: float) -> Coverage:
    """The share of each pixel from ``first`` to ``last`` that lies between ``low`` and ``high``."""
    pixel = np.arange(first, last, dtype=np.float32)
    shares: Coverage = np.clip(np.minimum(pixel + 1, high) - np.maximum(pixel, low), 0, 1).astype(np.float32)
    return shares


def _blend(patch: Image, share: Coverage, color: Color) -> None:
    """Lay ink over a part of the canvas, in place."""
    before = patch.astype(np.float32)
    patch[:] = np.rint(before + share[..., None] * (np.asarray(color, np.float32) - before)).astype(np.uint8)


def _fill(canvas: Image, panel: Panel, scale: float) -> None:
    box, radius = panel.box.scaled(scale), panel.radius * scale
    if radius < 1:
        _cover(canvas, box, panel.color)
        return
    from PIL import Image as Pictures
    from PIL import ImageDraw

    left, top = int(box.left), int(box.top)
    size = (int(np.ceil(box.right)) - left, int(np.ceil(box.bottom)) - top)
    mask = Pictures.new("L", (size[0] * FINE, size[1] * FINE))
    edges = [(value - first) * FINE for value, first in zip(box, (left, top, left, top), strict=True)]
    ImageDraw.Draw(mask).rounded_rectangle((*edges[:2], edges[2] - 1, edges[3] - 1), radius * FINE, fill=255)
    _lay(canvas, np.asarray(mask.reduce(FINE), np.float32) / np.float32(255), (left, top), panel.color)


def _paste(canvas: Image, logo: Logo, scale: float) -> None:
    box = logo.box.scaled(scale)
    picture = emblem(logo.seed, logo.kind, (max(1, round(box.width)), max(1, round(box.height))))
    left, top = round(box.left), round(box.top)
    patch = canvas[max(0, top) : top + picture.shape[0], max(0, left) : left + picture.shape[1]]
    own = picture[max(0, -top) :, max(0, -left) :][: patch.shape[0], : patch.shape[1]].astype(np.float32)
    share = own[..., 3:] / 255
    patch[:] = np.rint(patch * (1 - share) + own[..., :3] * share).astype(np.uint8)


def _lay(canvas: Image, share: Coverage, corner: tuple[int, int], color: Color) -> None:
    """Blend ink whose mask begins at ``corner`` (x, y); what is off the canvas is cut off."""
    x, y = corner
    own = share[max(0, -y) :, max(0, -x) :]
    patch = canvas[max(0, y) :, max(0, x) :][: own.shape[0], : own.shape[1]]
    if patch.size:
        _blend(patch, own[: patch.shape[0], : patch.shape[1]], color)


def _in_rows(lines: Sequence[PaintedLine]) -> tuple[PaintedLine, ...]:
    """The lines with their rows numbered."""
    numbered: list[PaintedLine] = []
    for line in lines:
        last = numbered[-1] if numbered else None
        follows = last is not None and _follows(line, last)
        numbered.append(replace(line, row=(last.row + (not follows)) if last else 0))
    return tuple(numbered)


def _follows(line: PaintedLine, before: PaintedLine) -> bool:
    """Whether a line stands behind another on its baseline, not far from it."""
    if line.angle or before.angle or line.timetable != before.timetable:
        return False
    level = abs(line.baseline - before.baseline) < LEVEL
    return level and 0 <= line.box.left - before.box.right + LEVEL < NEAR * max(line.size, before.size)


def _written(canvas: Image, texts: Iterable[Text], scale: float) -> tuple[PaintedLine, ...]:
    return tuple(line for text in texts if (line := _letters(canvas, text, scale)))


class _Frame(NamedTuple):
    """Where the canvas holds a line that is read at an angle: its reading coordinates are whole pixels from here."""

    origin: tuple[int, int]  # the pixel corner at which the baseline begins
    angle: int

    def box(self, flat: Box) -> Box:
        """A box in reading coordinates (along, down from the baseline) as one of the canvas."""
        x, y = self.origin
        match self.angle // 90 % 4:
            case 0:
                return Box(x + flat.left, y + flat.top, x + flat.right, y + flat.bottom)
            case 1:
                return Box(x - flat.bottom, y + flat.left, x - flat.top, y + flat.right)
            case 2:
                return Box(x - flat.right, y - flat.bottom, x - flat.left, y - flat.top)
            case _:
                return Box(x + flat.top, y - flat.right, x + flat.bottom, y - flat.left)


def _letters(canvas: Image, text: Text, scale: float) -> PaintedLine | None:
    """Print a line and say where its ink is; None for a line without ink."""
    size, bold = text.style.size * scale, text.style.bold
    start = baseline(text)
    frame = _Frame((round(start[0] * scale), round(start[1] * scale)), text.angle)
    offset = _offset(start, scale, frame)
    share, corner = _mask(text, size, offset)
    words = tuple(_words(text, share, corner, (size, offset[0])))
    if not words:
        return None
    turned = np.rot90(share, -(text.angle // 90))
    tall, wide = share.shape
    whole = frame.box(Box(corner[0], corner[1], corner[0] + wide, corner[1] + tall))
    _lay(canvas, turned, (round(whole.left), round(whole.top)), text.style.color)
    reach = metrics(text.style)
    ink = Box.around(box for _, box in words)
    plain = Box(ink.left, offset[1] - reach.plain_ascent * size, ink.right, offset[1] + reach.plain_descent * size)
    return PaintedLine(
        text=text.text,
        quad=Quad.of(frame.box(Box.around((ink, plain))), text.angle),
        words=tuple(Word(word, frame.box(box)) for word, box in words),
        role=text.role,
        angle=text.angle,
        timetable=text.timetable,
        blocks=text.blocks,
        size=size,
        bold=bold,
        color=text.style.color,
        baseline=start[1] * scale,
    )


def _offset(start: Point, scale: float, frame: _Frame) -> Point:
    """The part of a pixel by which the baseline begins after the frame's origin: along, and down, as read."""
    x, y = start[0] * scale - frame.origin[0], start[1] * scale - frame.origin[1]
    return ((x, y), (y, -x), (-x, -y), (-y, x))[frame.angle // 90 % 4]


def _mask(text: Text, size: float, offset: Point) -> tuple[Coverage, tuple[int, int]]:
    """Coverage ``(h, w)`` of a line read from left to right, and the pixel of its corner from the frame's origin."""
    face = font(text.style, round(size * FINE, 2))
    mask, (left, top) = face.getmask2(text.text, mode="L", anchor="ls")
    wide, tall = mask.size
    left, top = left + round(offset[0] * FINE), top + round(offset[1] * FINE)
    corner = (left // FINE, top // FINE)
    before = (left - corner[0] * FINE, top - corner[1] * FINE)
    fine = np.zeros((-(-(before[1] + tall) // FINE) * FINE, -(-(before[0] + wide) // FINE) * FINE), np.uint8)
    fine[before[1] : before[1] + tall, before[0] : before[0] + wide] = np.frombuffer(bytes(mask), np.uint8).reshape(
        tall, wide
    )
    parts = fine.reshape(fine.shape[0] // FINE, FINE, fine.shape[1] // FINE, FINE)
    return parts.sum(axis=(1, 3), dtype=np.uint16).astype(np.float32) / (255.0 * FINE * FINE), corner


def _words(
    text: Text, share: Coverage, corner: tuple[int, int], scale: tuple[float, float]
) -> Iterator[tuple[str, Box]]:
    """Each word with the box of its ink, in reading coordinates; ``scale`` is the size and the start in pixels."""
    inked = share >= FAINT
    size, begin = scale
    face = font(text.style, round(size * FINE, 2))
    spaces = face.getlength(" ") / FINE / 2
    at = 0
    for word in text.text.split(" "):
        ends = [begin + face.getlength(text.text[:i]) / FINE for i in (at, at + len(word))]
        first = 0 if at == 0 else max(0, round(ends[0] - spaces) - corner[0])
        last = share.shape[1] if at + len(word) == len(text.text) else max(0, round(ends[1] + spaces) - corner[0])
        at += len(word) + 1
        part = inked[:, first:last]
        columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
        if len(columns):
            x, y = corner[0] + first, corner[1]
            yield word, Box(*map(float, (x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1)))
