"""What part of the page each time label stands for: its cell, the row of cells or of text beside it, or a scale's step.

In axis coordinates, as `day_axis`: times run along y.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pocai.timetable.pieces import Piece
from pocai.timetable.times import find_times

LEAST_TICKS = 4  # labels that make a scale


def stretches_of(anchors: Sequence[Piece], body: Sequence[Piece]) -> list[tuple[float, float]]:
    """What part of the page each time label stands for: its cell, or the row of cells or of text beside it."""
    if all(p.ruled for p in anchors):
        return [(p.box.top, p.box.bottom) for p in anchors]
    edges = _supported_edges(body, min(p.box.height for p in anchors))
    if _on_edges(anchors, [at for at, _ in edges]):
        middles = [p.box.center[1] for p in anchors]
        return list(pairwise([*middles, 2 * middles[-1] - middles[-2]]))
    if len(edges) > len(anchors) // 2:
        borders = _borders(anchors, edges)
        free = list(pairwise(borders))
        return [(p.box.top, p.box.bottom) if p.ruled else free[i] for i, p in enumerate(anchors)]
    return _by_text(anchors, [p for p in body if not p.ruled])


def _on_edges(anchors: Sequence[Piece], edges: Sequence[float]) -> bool:
    """Whether labels are ticks: single times whose middles lie on the edges at which cells begin and end."""
    if len(anchors) < LEAST_TICKS or not edges or any(p.ruled for p in anchors):
        return False
    if any(span.end for p in anchors for span in find_times(p.text, bare=True)):
        return False
    middles = [p.box.center[1] for p in anchors]
    pitch = median(b - a for a, b in pairwise(middles))
    hits = sum(min(abs(edge - middle) for edge in edges) < 0.12 * pitch for middle in middles)
    return hits > 0.5 * len(middles)


def _supported_edges(body: Sequence[Piece], size: float) -> list[tuple[float, float]]:
    """Upper and lower edges of the body's cells, each with the width of the cells that end there."""
    edges: list[tuple[float, float]] = []
    for at, width in sorted((at, p.box.width) for p in body if p.ruled for at in (p.box.top, p.box.bottom)):
        if edges and at - edges[-1][0] < 0.5 * size:
            edges[-1] = (edges[-1][0], edges[-1][1] + width)
        else:
            edges.append((at, width))
    return edges


def _borders(anchors: Sequence[Piece], edges: Sequence[tuple[float, float]]) -> list[float]:
    """Where one row ends and the next begins: at the edge between two labels at which most cells end."""
    middles = [p.box.center[1] for p in anchors]
    pitch = median(b - a for a, b in pairwise(middles)) if len(middles) > 1 else 2 * anchors[0].box.height
    reach = [middles[0] - pitch, *middles, middles[-1] + 1.5 * pitch]
    borders = []
    for above, below in pairwise(reach):
        between = [edge for edge in edges if above < edge[0] < below]
        widest = max((width for _, width in between), default=0.0)
        candidates = [at for at, width in between if width > 0.9 * widest]
        borders.append(min(candidates, key=lambda at: abs(at - (above + below) / 2), default=(above + below) / 2))
    return borders


def _by_text(anchors: Sequence[Piece], body: Sequence[Piece]) -> list[tuple[float, float]]:
    """Rows without lines: labels stand beside a row's middle, or its first line; what cuts fewer texts is right."""
    labels = [_extent(p) for p in anchors]
    size = median(bottom - top for top, bottom in labels)
    middles = [(top + bottom) / 2 for top, bottom in labels]
    halves = [(a + b) / 2 for a, b in pairwise(middles)]
    tops = [top - 0.4 * size for top, _ in labels]
    end = max([_extent(p)[1] for p in (*anchors, *body)], default=0.0) + size
    from_top = list(pairwise([*tops, end]))
    around = list(pairwise([middles[0] - 1.5 * size, *halves, end]))
    return min((around, from_top), key=lambda stretches: _cuts(stretches, body, size))


def _cuts(stretches: Sequence[tuple[float, float]], body: Sequence[Piece], size: float) -> int:
    """How many texts of close lines are cut by the borders."""
    borders = [low for low, _ in stretches]
    placed = sorted((*_extent(p), p.box.left, p.box.right) for p in body)
    return sum(
        any(bottom - 0.3 * size <= border <= below + 0.3 * size for border in borders)
        for number, (_, bottom, left, right) in enumerate(placed)
        for below, _, other_left, other_right in placed[number + 1 :]
        if 0 <= below - bottom < 0.6 * size and min(right, other_right) > max(left, other_left)
    )


def _extent(piece: Piece) -> tuple[float, float]:
    """Where the writing of a piece begins and ends; the boxes of recognizers are higher than the writing in them."""
    top, bottom = piece.box.top, piece.box.bottom
    if piece.turned or len(piece.lines) > 1 or not piece.lines[0].size:
        return top, bottom
    half = min(bottom - top, 1.1 * piece.lines[0].size) / 2
    return (top + bottom) / 2 - half, (top + bottom) / 2 + half
