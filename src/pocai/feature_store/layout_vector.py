"""The layout of a page as a fixed number of figures, from geometry alone: where text stands, and what is ruled.

It depends on no word, no scale and no unit, so that two pages from one template are close. Nothing is learned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Box, Line, Page

BANDS = 8  # stripes that text is counted in, each way
SHAPES = (2.0, 5.0, 10.0)  # width over height of a line, between which shapes are counted
COLUMN = 3  # lines that make a column
MOST = 4000  # lines and rules that are looked at


def layout_vector(page: Page) -> tuple[float, ...]:
    """32 figures of about 0 to 1: text by column (8) and row (8), shapes (4), rules (4), fills (4), the whole (4)."""
    boxes = [_share(line.box, page) for line in lines_of(page)[:MOST]]
    figures = (
        *_profile(boxes, 0),
        *_profile(boxes, 1),
        *_shapes(boxes, page),
        *_rules(page),
        *_fills(page),
        *_whole(boxes, page),
    )
    return tuple(float(np.float32(figure)) for figure in figures)


def layout_score(page: Page) -> float | None:
    """The share of lines that begin, end or are centred above each other, three at least; None without lines."""
    lines = lines_of(page)[:MOST]
    if not lines:
        return None
    boxes = np.array([line.box for line in lines], dtype=np.float64)
    slack = max(1e-6, 0.5 * float(np.median(boxes[:, 3] - boxes[:, 1])))
    edges = (boxes[:, 0], boxes[:, 2], (boxes[:, 0] + boxes[:, 2]) / 2)
    return float(np.mean(np.any([_crowded(edge, slack) for edge in edges], axis=0)))


def lines_of(page: Page) -> list[Line]:
    """All lines of a page, those in its tables too."""
    return [*page.lines, *(line for table in page.tables for cell in table.cells for line in cell.lines)]


def _crowded(edge: NDArray[np.float64], slack: float) -> NDArray[np.bool_]:
    """Of which lines this edge is near that of enough others."""
    ordered = np.sort(edge)
    near = np.searchsorted(ordered, edge + slack, "right") - np.searchsorted(ordered, edge - slack, "left")
    crowded: NDArray[np.bool_] = near >= COLUMN
    return crowded


def _share(box: Box, page: Page) -> Box:
    """A box in shares of the page."""
    wide, high = max(page.width, 1e-6), max(page.height, 1e-6)
    edges = (box.left / wide, box.top / high, box.right / wide, box.bottom / high)
    return Box(*(min(1.0, max(0.0, edge)) for edge in edges))


def _profile(boxes: Sequence[Box], axis: int) -> list[float]:
    """The share of text in each stripe, across (0) or down (1)."""
    held = [0.0] * BANDS
    for box in boxes:
        begin, end = box[axis], box[axis + 2]
        for band in range(BANDS):
            common = min(end, (band + 1) / BANDS) - max(begin, band / BANDS)
            if common > 0 and end > begin:
                held[band] += box.area * common / (end - begin)
    whole = sum(held)
    return [each / whole for each in held] if whole else held


def _shapes(boxes: Sequence[Box], page: Page) -> list[float]:
    ratio = page.width / max(page.height, 1e-6)
    shapes = [sum(box.width * ratio / max(box.height, 1e-6) >= least for least in SHAPES) for box in boxes]
    return [shapes.count(kind) / max(1, len(shapes)) for kind in range(len(SHAPES) + 1)]


def _rules(page: Page) -> list[float]:
    across = [abs(rule.end[0] - rule.start[0]) for rule in page.rules[:MOST] if rule.horizontal]
    down = [abs(rule.end[1] - rule.start[1]) for rule in page.rules[:MOST] if not rule.horizontal]
    return [
        _log(len(across)),
        _log(len(down)),
        min(1.0, max(across, default=0.0) / max(page.width, 1e-6)),
        min(1.0, max(down, default=0.0) / max(page.height, 1e-6)),
    ]


def _fills(page: Page) -> list[float]:
    """The share of each quarter of the page that is filled."""
    boxes = [_share(fill.box, page) for fill in page.fills[:MOST]]
    quarters = [Box(x, y, x + 0.5, y + 0.5) for y in (0.0, 0.5) for x in (0.0, 0.5)]
    return [min(1.0, _common(quarter, boxes) / quarter.area) for quarter in quarters]


def _common(quarter: Box, boxes: Iterable[Box]) -> float:
    return sum(quarter.overlap(box) * quarter.area for box in boxes)


def _whole(boxes: Sequence[Box], page: Page) -> list[float]:
    ratio = page.width / max(page.height, 1e-6)
    return [
        ratio / (1 + ratio),
        min(1.0, sum(box.area for box in boxes)),
        float(np.median([box.height for box in boxes])) if boxes else 0.0,
        _log(len(boxes)),
    ]


def _log(count: int) -> float:
    """About 0 to 1 for 0 to 1000."""
    return math.log1p(count) / math.log(1000)
