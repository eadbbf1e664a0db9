"""Figures of where a block stands: in its cell, beside its neighbours, under its day and beside its times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocai.models.evidence.scene import ABSENT, Flags, Matrix, PageText, Scene
from pocai.timetable.timetable import Evidence, Mark, minutes

NAMES = (
    "place.shared",
    "place.overlap",
    "place.gap",
    "place.width",
    "place.height",
    "place.rim",
    "place.fill",
    "place.off centre",
    "day.offset",
    "day.nearer",
    "day.shared",
    "start.offset",
    "start.nearer",
    "end.offset",
    "order.against",
)
_MOST = 30.0  # a larger figure counts as this


def figures(scene: Scene) -> Matrix:
    """``(blocks, len(NAMES))``; blocks whose name has no mark on a page of the document have `ABSENT` throughout.

    ``shared`` counts the blocks at one place, ``overlap`` is the share of the place that another covers, ``gap`` the
    way to the nearest one (heights of text), ``rim`` the way to the page's rim (share of its side); sizes are over the
    usual ones of the timetable. ``fill`` and ``off centre`` are of the text in its cell. An ``offset`` is the way from
    the block to its heading, ``nearer`` whether another heading is nearer; ``against`` is the share of the day's other
    blocks that stand in another order than their times.
    """
    rows = np.full((len(scene.blocks), len(NAMES)), ABSENT)
    for page in scene.pages:
        blocks = [n for n, block in enumerate(scene.blocks) if _on(block.fields.get("name"), page)]
        if blocks:
            rows[blocks] = _on_page(scene, page, blocks)
    return rows


def _on(mark: Mark | None, page: int) -> bool:
    return mark is not None and mark.page == page


@dataclass(frozen=True, slots=True)
class _Layout:
    """The blocks of one page: ``boxes`` ``(n, 4)`` of their names, ``axis`` along which the days change, if any."""

    scene: Scene
    page: PageText
    blocks: list[int]
    boxes: Matrix
    axis: int | None

    @property
    def centers(self) -> Matrix:
        found: Matrix = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        return found


def _on_page(scene: Scene, number: int, blocks: list[int]) -> Matrix:
    boxes = np.array([scene.blocks[n].fields["name"].box for n in blocks], np.float64)
    days = {mark.box for n in blocks if (mark := scene.blocks[n].fields.get("day")) is not None}
    layout = _Layout(scene, scene.pages[number], blocks, boxes, _axis(days))
    return np.column_stack([_neighbours(layout), _sizes(layout), _in_cell(layout), _headings(layout), _order(layout)])


def _axis(days: set[tuple[float, float, float, float]]) -> int | None:
    if len(days) < 2:  # noqa: PLR2004 -- one label has no direction
        return None
    boxes = np.array(sorted(days))
    spread = np.ptp((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
    return int(spread[1] > spread[0])


def _neighbours(layout: _Layout) -> Matrix:
    """How many share the place; the share that another covers; the gap to the nearest other."""
    boxes = layout.boxes
    sides = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    other = (boxes[:, None] != boxes[None]).any(axis=2)
    common = np.maximum(sides, 0).prod(axis=2)
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6).prod(axis=1)
    overlap = np.where(other, common / area[:, None], 0.0).max(axis=1)
    gaps = np.where(other, np.maximum(-sides.min(axis=2), 0.0), np.inf).min(axis=1) / layout.page.height
    return np.column_stack([(~other).sum(axis=1), overlap, np.minimum(gaps, _MOST)])


def _sizes(layout: _Layout) -> Matrix:
    sizes = np.maximum(layout.boxes[:, 2:] - layout.boxes[:, :2], 1e-6)
    width, height = layout.page.size
    rim = np.column_stack([layout.boxes[:, :2], (width, height) - layout.boxes[:, 2:]]) / (width, height, width, height)
    return np.column_stack([np.minimum(sizes / np.median(sizes, axis=0), _MOST), rim.min(axis=1)])


def _in_cell(layout: _Layout) -> Matrix:
    """Share of the cell that its text takes up, and how far its middle is from the cell's, as a share of its size."""
    rows = []
    for number, box in zip(layout.blocks, layout.boxes, strict=True):
        lines = layout.scene.lines_of(layout.scene.blocks[number].fields["name"])
        if not len(lines):
            rows.append((ABSENT, ABSENT))
            continue
        text = layout.page.boxes[lines]
        low, high = text[:, :2].min(axis=0), text[:, 2:].max(axis=0)
        size = np.maximum(box[2:] - box[:2], 1e-6)
        fill = float(np.minimum((high - low) / size, 2.0).prod())
        rows.append((fill, float(np.abs(((low + high) - (box[:2] + box[2:])) / 2 / size).max())))
    return np.array(rows)


def _headings(layout: _Layout) -> Matrix:
    """Offset and nearer of the day, how many blocks its label serves, the same of the start, offset of the end."""
    days = _labels(layout, "day")
    starts, ends = _labels(layout, "startTime"), _labels(layout, "endTime")
    if layout.axis is None:
        nothing = np.full((len(layout.blocks), 1), ABSENT)
        return np.hstack([nothing, nothing, _served(days), nothing, nothing, nothing])
    across = 1 - layout.axis
    by_day, by_start = _offsets(layout, days, layout.axis), _offsets(layout, starts, across)
    return np.hstack([by_day, _served(days), by_start, _offsets(layout, ends, across)[:, :1]])


def _labels(layout: _Layout, field: str) -> Matrix:
    """The label that each block's field is taken from, ``(n, 4)``; NaN where it stands in no heading of this page."""
    found = np.full((len(layout.blocks), 4), np.nan)
    for row, number in enumerate(layout.blocks):
        fields = layout.scene.blocks[number].fields
        mark = next((mark for name, mark in fields.items() if name == field), None)
        if mark is not None and mark.evidence is Evidence.HEADER and mark.page == fields["name"].page:
            found[row] = mark.box
    return found


def _served(labels: Matrix) -> Matrix:
    counted = Counter(map(tuple, labels[~np.isnan(labels[:, 0])].tolist()))
    return np.array([[float(counted[tuple(label)]) if label[0] == label[0] else ABSENT] for label in labels.tolist()])


def _offsets(layout: _Layout, labels: Matrix, axis: int) -> Matrix:
    """From each label's middle to the block's extent along an axis, in heights of text; whether another is nearer."""
    rows = np.full((len(labels), 2), ABSENT)
    known = ~np.isnan(labels[:, 0])
    if not known.any():
        return rows
    middles = (labels[known, axis] + labels[known, axis + 2]) / 2
    low, high = layout.boxes[known, axis], layout.boxes[known, axis + 2]
    own = np.maximum(np.maximum(low - middles, middles - high), 0)
    every = np.unique(middles)
    ways = np.maximum(np.maximum(low[:, None] - every, every - high[:, None]), 0)
    rows[known, 0] = np.minimum(own / layout.page.height, _MOST)
    rows[known, 1] = ways.min(axis=1) < own - 0.1 * layout.page.height
    return rows


def _order(layout: _Layout) -> Matrix:
    """The share of a day's blocks that stand before a block and begin after it, or the other way round."""
    starts = np.array([minutes(layout.scene.blocks[n].start_time) for n in layout.blocks], np.float64)  # None: NaN
    days = np.array([layout.scene.blocks[n].day or "" for n in layout.blocks])
    if layout.axis is None:
        return np.full((len(starts), 1), ABSENT)
    along = layout.centers[:, 1 - layout.axis]
    beside: Flags = days[:, None] == days[None]
    placed = _sign(along[:, None] - along[None], 0.5 * layout.page.height)
    timed = _sign(starts[:, None] - starts[None], 0.0)
    both = beside & (placed != 0) & (timed != 0)
    against = (both & (placed != timed)).sum(axis=1)
    shares = against / np.maximum(both.sum(axis=1), 1)
    return np.where(np.isnan(starts), ABSENT, shares)[:, None]


def _sign(differences: Matrix, slack: float) -> NDArray[np.int64]:
    """-1, 0 or 1; 0 for what is within the slack, or unknown (NaN)."""
    found: NDArray[np.int64] = (differences > slack).astype(np.int64) - (differences < -slack)
    return found
