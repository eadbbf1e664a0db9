"""Geometry of text lines: the directions they may be read in, cuts at table borders, crops, word boxes, order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import dist
from typing import TYPE_CHECKING

from pocai.documents.page import Box, Line, Point, Quad, Rule, Word
from pocai.models.protocols import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

TALL = 1.5  # a quad this much higher than wide holds vertical text …
SINGLE = 3.0  # … or, up to this ratio, one narrow upright letter or digit
LEVEL = 1.5  # pixels by which the corners of a quad may leave its upright box to be cropped without warping
INK = 40  # least difference in tone (of 255) between ink and paper
LEAST_ROW = 4  # pixels; a lower row of ink is an accent, a dot or dirt
SLIVER = 0.35  # of the line's height: a piece beside a rule that is narrower holds no letter


def tall(quad: Quad) -> bool:
    """Whether the quad is too high for a line that is read from left to right."""
    return _height(quad) > TALL * _width(quad)


def other_directions(quad: Quad, tried: int) -> tuple[int, ...]:
    """The angles (see `Line.angle`) beside ``tried`` at which the writing in an upright quad may have to be read."""
    if not tall(quad):
        return ()
    upright = (0,) if _height(quad) <= SINGLE * _width(quad) else ()
    return tuple(angle for angle in (90, 270, *upright) if angle != tried)


def turned(quad: Quad, angle: int) -> Quad:
    """An upright quad with its corners counted from where reading begins at ``angle`` (0, 90, 180, 270)."""
    first = angle // 90 % 4
    return Quad(*quad[first:], *quad[:first])


def crop(image: Image, quad: Quad) -> Image:
    """The writing inside a quad, upright: ``(h, w, 3)`` of the quad's height and width in pixels, at least 1."""
    import cv2
    import numpy as np

    box = quad.box
    corners = Quad.of(box)
    for turns in range(4):
        level = Quad(*corners[turns:], *corners[:turns])
        if all(max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= LEVEL for a, b in zip(quad, level, strict=True)):
            left, top = max(0, int(box.left)), max(0, int(box.top))
            patch = image[top : max(top + 1, round(box.bottom)), left : max(left + 1, round(box.right))]
            return np.ascontiguousarray(np.rot90(patch, turns))
    width, height = max(1, round(_width(quad))), max(1, round(_height(quad)))
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    warp = cv2.getPerspectiveTransform(np.array(quad, np.float32), target)
    warped = cv2.warpPerspective(image, warp, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    upright: Image = warped.astype(np.uint8, copy=False)
    return upright


def bands(image: Image, quad: Quad) -> tuple[Quad, ...]:
    """The quad in pieces, one for each row of ink with paper above and below; the quad itself where it has one row.

    Rows are counted as read: give the quad `turned`. Paper is the commonest tone, ink what differs clearly from it.
    """
    import cv2
    import numpy as np

    grey = cv2.cvtColor(crop(image, quad), cv2.COLOR_RGB2GRAY).astype(np.int16)
    contrast = np.abs(grey - np.median(grey))
    inked = (contrast > max(INK, 0.4 * float(contrast.max()))).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], inked, [0]))))
    rows = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= LEAST_ROW]
    if not rows:
        return (quad,)
    middles = [(above[1] + below[0]) / 2 for above, below in pairwise(rows)]
    shares = [place / len(inked) for place in (0, *middles, len(inked))]
    return tuple(_slice(quad, start, end) for start, end in pairwise(shares))


def line_of(reading: Reading, quad: Quad, angle: int) -> Line:
    """A reading as a line of the page, each word with the upright box around its part of the quad."""
    words = tuple(Word(text, _part(quad, start, end).box, score) for text, score, start, end in reading.words)
    return Line(
        reading.text,
        quad,
        float(angle),
        reading.confidence,
        words=words,
        size=_height(quad),
        reader=reading.reader,
        alternatives=reading.alternatives,
    )


def cut(quad: Quad, rules: Iterable[Rule]) -> tuple[Quad, ...]:
    """The quad in pieces where rules cross it from side to side: a line does not run on into the next cell."""
    upright = tall(quad)
    box = quad.box
    low, high = (box.top, box.bottom) if upright else (box.left, box.right)
    thick = min(_width(quad), _height(quad))
    places = sorted(_crossings(box, rules, upright=upright))
    edges = [low, *(place for place in places if low + SLIVER * thick < place < high - SLIVER * thick), high]
    pieces = []
    for begin, end in pairwise(edges):
        if end - begin >= SLIVER * thick:
            start, stop = (begin - low) / (high - low), (end - low) / (high - low)
            pieces.append(_slice(quad, start, stop) if upright else _part(quad, start, stop))
    return tuple(pieces) or (quad,)


def _crossings(box: Box, rules: Iterable[Rule], *, upright: bool) -> Iterator[float]:
    """Where rules across the writing run through the whole of a box: x of vertical ones, y of horizontal ones."""
    for rule in rules:
        if rule.horizontal != upright:
            continue
        along = 0 if upright else 1
        begin, end = sorted((rule.start[along], rule.end[along]))
        low, high = (box.left, box.right) if upright else (box.top, box.bottom)
        margin = (high - low) * 0.25
        if begin <= low + margin and end >= high - margin and end - begin >= 1.5 * (high - low):
            yield (rule.start[1 - along] + rule.end[1 - along]) / 2


def in_reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Rows from top to bottom, each from left to right; a line joins a row when their middles are close."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.center[1]):
        middle = line.box.center[1]
        if rows and abs(middle - rows[-1][0].box.center[1]) < 0.5 * min(line.size, rows[-1][0].size):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda line: line.box.left))


def _part(quad: Quad, start: float, end: float) -> Quad:
    """The part of a quad between two shares of its reading direction."""
    a, b, c, d = quad
    return Quad(_between(a, b, start), _between(a, b, end), _between(d, c, end), _between(d, c, start))


def _slice(quad: Quad, start: float, end: float) -> Quad:
    """The part of a quad between two shares of its height."""
    a, b, c, d = quad
    return Quad(_between(a, d, start), _between(b, c, start), _between(b, c, end), _between(a, d, end))


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _width(quad: Quad) -> float:
    return max(dist(quad[0], quad[1]), dist(quad[3], quad[2]))


def _height(quad: Quad) -> float:
    return max(dist(quad[0], quad[3]), dist(quad[1], quad[2]))
