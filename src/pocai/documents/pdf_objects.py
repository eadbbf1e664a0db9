"""The objects of a PDF page in painting order, through form XObjects, with their matrices and clips."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pocai.documents.limits import Deadline
from pocai.documents.page import Box, Point

_MAX_DEPTH = 12  # of forms within forms
_SCENE_STEP = 256  # objects between two looks at the clock


class Affine(NamedTuple):
    """A PDF matrix: (x, y) goes to (a x + c y + e, b x + d y + f); ISO 32000-1, 8.3.3."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def then(self, outer: Affine) -> Affine:
        """This matrix first, ``outer`` second."""
        return Affine(
            self.a * outer.a + self.b * outer.c,
            self.a * outer.b + self.b * outer.d,
            self.c * outer.a + self.d * outer.c,
            self.c * outer.b + self.d * outer.d,
            self.e * outer.a + self.f * outer.c + outer.e,
            self.e * outer.b + self.f * outer.d + outer.f,
        )

    def apply(self, x: float, y: float) -> Point:
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """The upright box around a rectangle after the matrix."""
        corners = [self.apply(x, y) for x in (left, right) for y in (bottom, top)]
        xs, ys = zip(*corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))

    @property
    def scale(self) -> float:
        """By how much lengths grow, as the root of the area's growth."""
        return math.sqrt(abs(self.a * self.d - self.b * self.c))


@dataclass(frozen=True, slots=True)
class Frame:
    """The page as it is displayed: its size in points, and the matrix from PDF user space (y up) to it (y down)."""

    width: float
    height: float
    display: Affine

    @property
    def box(self) -> Box:
        return Box(0.0, 0.0, self.width, self.height)


@dataclass(frozen=True, slots=True)
class PageObject:
    """One painted object.

    ``kind`` is FPDF_PAGEOBJ_TEXT, _PATH, _IMAGE or _SHADING; ``raw`` the handle, valid while the page is open;
    ``matrix`` leads from the object's own space to the displayed page; ``clip`` is what of the page it may paint,
    taken as a box; ``order`` counts up as the page is painted.
    """

    kind: int
    raw: Any
    matrix: Affine
    clip: Box
    order: int

    @property
    def address(self) -> int:
        """Identifies the object among those of its page."""
        return ctypes.addressof(self.raw.contents)


def page_frame(page: Any) -> Frame:
    """Size and orientation of a page: its crop box, turned as its /Rotate says."""
    import pypdfium2.raw as pdfium

    rect = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, rect)
    left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
    width, height = max(right - left, 1.0), max(top - bottom, 1.0)
    turn = pdfium.FPDFPage_GetRotation(page) % 4
    display = (
        Affine(1, 0, 0, -1, -left, top),
        Affine(0, 1, 1, 0, -bottom, -left),
        Affine(-1, 0, 0, 1, right, -bottom),
        Affine(0, -1, -1, 0, top, right),
    )[turn]
    return Frame(*((height, width) if turn % 2 else (width, height)), display)


def walk(page: Any, frame: Frame, deadline: Deadline) -> tuple[PageObject, ...]:
    """All objects of a page but forms, whose own objects stand in their place.

    Raises LimitExceeded when the deadline passes.
    """
    import pypdfium2.raw as pdfium

    found: list[PageObject] = []
    count = pdfium.FPDFPage_CountObjects(page)
    raws = (pdfium.FPDFPage_GetObject(page, index) for index in range(count))
    for kind, raw, matrix, clip in _walk(raws, frame.display, frame.box, 0):
        if len(found) % _SCENE_STEP == 0:
            deadline.check()
        found.append(PageObject(kind, raw, matrix, clip, len(found)))
    return tuple(found)


def _walk(raws: Iterator[Any], to_page: Affine, clip: Box, depth: int) -> Iterator[tuple[int, Any, Affine, Box]]:
    import pypdfium2.raw as pdfium

    for raw in raws:
        if not raw:
            continue
        kind = pdfium.FPDFPageObj_GetType(raw)
        own_clip = _clip_box(raw, to_page, clip)
        matrix = _own_matrix(raw).then(to_page)
        if kind != pdfium.FPDF_PAGEOBJ_FORM:
            yield kind, raw, matrix, own_clip
        elif depth < _MAX_DEPTH:
            children = range(max(0, pdfium.FPDFFormObj_CountObjects(raw)))
            inner = (pdfium.FPDFFormObj_GetObject(raw, index) for index in children)
            yield from _walk(inner, matrix, own_clip, depth + 1)


def _own_matrix(raw: Any) -> Affine:
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(raw, matrix):
        return Affine()
    return Affine(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _clip_box(raw: Any, to_page: Affine, clip: Box) -> Box:
    """The clip of an object as a box on the page: exact for rectangles, generous for other shapes."""
    import pypdfium2.raw as pdfium

    path = pdfium.FPDFPageObj_GetClipPath(raw)
    for index in range(max(0, pdfium.FPDFClipPath_CountPaths(path))):
        count = pdfium.FPDFClipPath_CountPathSegments(path, index)
        points = [
            to_page.apply(*segment_point(pdfium.FPDFClipPath_GetPathSegment(path, index, at))) for at in range(count)
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            clip = clip.intersection(Box(min(xs), min(ys), max(xs), max(ys)))
    return clip


def segment_point(segment: Any) -> Point:
    """End point of a path segment, in the path's own space."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_float(), ctypes.c_float()
    pdfium.FPDFPathSegment_GetPoint(segment, x, y)
    return x.value, y.value


def fill_color(raw: Any) -> tuple[int, int, int, int] | None:
    """Fill colour of an object as red, green, blue, alpha (0 to 255); None where it is a pattern."""
    import pypdfium2.raw as pdfium

    return _color(pdfium.FPDFPageObj_GetFillColor, raw)


def stroke_color(raw: Any) -> tuple[int, int, int, int] | None:
    """Stroke colour of an object as red, green, blue, alpha (0 to 255); None where it is a pattern."""
    import pypdfium2.raw as pdfium

    return _color(pdfium.FPDFPageObj_GetStrokeColor, raw)


def _color(getter: Any, raw: Any) -> tuple[int, int, int, int] | None:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not getter(raw, red, green, blue, alpha):
        return None
    return red.value, green.value, blue.value, alpha.value
