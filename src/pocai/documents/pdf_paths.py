"""What a PDF page draws besides text: rules, filled regions, pictures, and what covers earlier text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pocai.documents.page import Box, Color, Fill, Picture, Point, Rule
from pocai.documents.pdf_objects import Frame, PageObject, fill_color, segment_point, stroke_color

_THIN = 2.5  # points; a filled rectangle up to this thick is a rule
_BAR = 5.0  # points; a stroke from this thick on is a filled bar
_SLENDER = 3.0  # length over thickness from which a thin rectangle is a rule
_SHORTEST = 2.0  # points; shorter strokes are dots and decoration
_SLANT = 0.01  # of its length that an axis-parallel stroke may rise
_RECTANGULAR = 0.8  # share of its box that a shape must fill to count as a rectangle
_WHOLE_PAGE = 0.95
_WHITE = 250  # colours from this on, in all channels, are paper
_FAINT = 12  # alpha below which nothing is seen
_OPAQUE = 255
_PAPER: Color = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Cover:
    """An opaque shape and its place in the painting order: what was painted under it before is not seen."""

    box: Box
    order: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything on a page that is not text, in points; see `pocai.documents.page` for the parts."""

    rules: tuple[Rule, ...]
    fills: tuple[Fill, ...]
    pictures: tuple[Picture, ...]
    covers: tuple[Cover, ...]


@dataclass(frozen=True, slots=True)
class _Subpath:
    """A part of a path on the page: all points (control points of curves too) and its straight sides."""

    points: tuple[Point, ...]
    sides: tuple[tuple[Point, Point], ...]

    @property
    def box(self) -> Box:
        xs, ys = zip(*self.points, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))

    @property
    def area(self) -> float:
        """Area by the shoelace formula."""
        pairs = zip(self.points, (*self.points[1:], self.points[0]), strict=True)
        return abs(sum(p[0] * q[1] - q[0] * p[1] for p, q in pairs)) / 2

    @property
    def rectangular(self) -> bool:
        box = self.box
        return box.area > 0 and self.area >= _RECTANGULAR * box.area


def read_drawing(objects: Sequence[PageObject], frame: Frame) -> Drawing:
    """Rules, fills, pictures and covers among ``objects``, which are in painting order.

    Left out are strokes that slant, white on paper, and fills of the whole page.
    """
    import pypdfium2.raw as pdfium

    rules: list[Rule] = []
    fills: list[Fill] = []
    pictures: list[Picture] = []
    covers: list[Cover] = []
    for item in objects:
        if item.kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            box = item.matrix.box(0, 0, 1, 1).intersection(item.clip)
            if box.area > 0 and min(box.width, box.height) > _THIN:
                pictures.append(Picture(box))
                covers.append(Cover(box, item.order))
        elif item.kind == pdfium.FPDF_PAGEOBJ_PATH:
            filled, stroked = _draw_mode(item.raw)
            subpaths = _subpaths(item) if filled or stroked else ()
            if filled:
                found_rules, found_fills = _filled(item, subpaths, fills)
                rules.extend(found_rules)
                fills.extend(found_fills)
                if _opaque(item.raw):
                    covers.extend(Cover(fill.box, item.order) for fill in _regions(item, subpaths, _PAPER))
            if stroked:
                _add_strokes(item, subpaths, rules, fills)
    page_area = frame.box.area
    kept = tuple(fill for fill in fills if fill.box.area < _WHOLE_PAGE * page_area)
    return Drawing(tuple(rules), kept, tuple(pictures), tuple(covers))


def _draw_mode(raw: Any) -> tuple[bool, bool]:
    import pypdfium2.raw as pdfium

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(raw, fill, stroke)
    return fill.value != pdfium.FPDF_FILLMODE_NONE, bool(stroke.value)


def _opaque(raw: Any) -> bool:
    import pypdfium2.raw as pdfium

    color = fill_color(raw)
    return color is not None and color[3] == _OPAQUE and not pdfium.FPDFPageObj_HasTransparency(raw)


def _subpaths(item: PageObject) -> tuple[_Subpath, ...]:
    import pypdfium2.raw as pdfium

    found: list[_Subpath] = []
    points: list[Point] = []
    sides: list[tuple[Point, Point]] = []
    for index in range(pdfium.FPDFPath_CountSegments(item.raw)):
        segment = pdfium.FPDFPath_GetPathSegment(item.raw, index)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        point = item.matrix.apply(*segment_point(segment))
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            if len(points) > 1:
                found.append(_Subpath(tuple(points), tuple(sides)))
            points, sides = [], []
        elif kind == pdfium.FPDF_SEGMENT_LINETO and points:
            sides.append((points[-1], point))
        points.append(point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            sides.append((point, points[0]))
    if len(points) > 1:
        found.append(_Subpath(tuple(points), tuple(sides)))
    return tuple(found)


def _filled(
    item: PageObject, subpaths: Sequence[_Subpath], below: Sequence[Fill]
) -> tuple[tuple[Rule, ...], tuple[Fill, ...]]:
    """What a filled path paints: thin rectangles and frames as rules, others as fills."""
    rgba = fill_color(item.raw)
    if rgba is None or rgba[3] < _FAINT:
        return (), ()
    color = _on_paper(rgba)
    if len(subpaths) == 2 and (frame := _frame_rules(subpaths[0].box, subpaths[1].box)):  # noqa: PLR2004 - in and out
        return tuple(rule for rule in frame if _seen(rule.start, rule.end, color, below)), ()
    rules = tuple(
        rule
        for subpath in subpaths
        if (rule := _thin_rule(subpath.box.intersection(item.clip))) and _seen(rule.start, rule.end, color, below)
    )
    return rules, tuple(fill for fill in _regions(item, subpaths, color) if _seen(*_diagonal(fill.box), color, below))


def _regions(item: PageObject, subpaths: Sequence[_Subpath], color: Color) -> Iterator[Fill]:
    for subpath in subpaths:
        box = subpath.box.intersection(item.clip)
        if min(box.width, box.height) > _THIN and subpath.rectangular:
            yield Fill(box, color)


def _thin_rule(box: Box) -> Rule | None:
    """A thin rectangle as the rule that it looks like."""
    thickness, length = sorted((box.width, box.height))
    if thickness < 0 or thickness > _THIN or length < max(_SHORTEST, _SLENDER * thickness):
        return None
    x, y = box.center
    if box.width >= box.height:
        return Rule((box.left, y), (box.right, y), thickness)
    return Rule((x, box.top), (x, box.bottom), thickness)


def _frame_rules(first: Box, second: Box) -> tuple[Rule, ...]:
    """The four sides of a frame that is painted as one rectangle within another; none where it is not thin."""
    outer, inner = (first, second) if first.area >= second.area else (second, first)
    insets = (
        inner.left - outer.left,
        inner.top - outer.top,
        outer.right - inner.right,
        outer.bottom - inner.bottom,
    )
    if min(insets) < 0 or max(insets) > _THIN:
        return ()
    sides = (
        Box(outer.left, outer.top, inner.left, outer.bottom),
        Box(outer.left, outer.top, outer.right, inner.top),
        Box(inner.right, outer.top, outer.right, outer.bottom),
        Box(outer.left, inner.bottom, outer.right, outer.bottom),
    )
    return tuple(rule for side in sides if (rule := _thin_rule(side)))


def _add_strokes(item: PageObject, subpaths: Sequence[_Subpath], rules: list[Rule], fills: list[Fill]) -> None:
    """Append what a stroked path paints: rules, and bars where the stroke is thick."""
    import pypdfium2.raw as pdfium

    rgba = stroke_color(item.raw)
    if rgba is None or rgba[3] < _FAINT:
        return
    color = _on_paper(rgba)
    width = ctypes.c_float()
    pdfium.FPDFPageObj_GetStrokeWidth(item.raw, width)
    thickness = width.value * item.matrix.scale
    for subpath in subpaths:
        for start, end in subpath.sides:
            rule = _clipped(start, end, thickness, item.clip)
            if rule is None or not _seen(rule.start, rule.end, color, fills):
                continue
            if thickness < _BAR:
                rules.append(rule)
            else:
                fills.append(Fill(_swept(rule).intersection(item.clip), color))


def _clipped(start: Point, end: Point, thickness: float, clip: Box) -> Rule | None:
    """An axis-parallel stroke cut to the clip; None where it slants, is too short, or lies outside."""
    across, down = abs(end[0] - start[0]), abs(end[1] - start[1])
    if max(across, down) < _SHORTEST or min(across, down) > max(0.3, _SLANT * max(across, down)):
        return None
    half = thickness / 2
    box = Box(min(start[0], end[0]), min(start[1], end[1]), max(start[0], end[0]), max(start[1], end[1]))
    box = box.intersection(Box(clip.left - half, clip.top - half, clip.right + half, clip.bottom + half))
    if box.width < 0 or box.height < 0 or max(box.width, box.height) < _SHORTEST:
        return None
    x, y = box.center
    if across >= down:
        return Rule((box.left, y), (box.right, y), thickness)
    return Rule((x, box.top), (x, box.bottom), thickness)


def _swept(rule: Rule) -> Box:
    half = rule.thickness / 2
    if rule.horizontal:
        return Box(rule.start[0], rule.start[1] - half, rule.end[0], rule.end[1] + half)
    return Box(rule.start[0] - half, rule.start[1], rule.end[0] + half, rule.end[1])


def _on_paper(rgba: tuple[int, int, int, int]) -> Color:
    """The colour as it looks on white paper."""
    red, green, blue = (round(255 + (channel - 255) * rgba[3] / 255) for channel in rgba[:3])
    return red, green, blue


def _seen(start: Point, end: Point, color: Color, below: Sequence[Fill]) -> bool:
    """Whether a shape differs from what it is painted on: white is seen on colour only."""
    if min(color) < _WHITE:
        return True
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return any(fill.box.contains(middle) and min(fill.color) < _WHITE for fill in below)


def _diagonal(box: Box) -> tuple[Point, Point]:
    return (box.left, box.top), (box.right, box.bottom)
