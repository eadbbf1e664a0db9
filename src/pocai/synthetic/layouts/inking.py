"""From a fitted table to what is printed: texts, fills, rules, and the grid for Office files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.documents.page import Box
from pocai.synthetic.document import Grid, GridCell, Panel, Stroke, Text
from pocai.synthetic.layouts.look import Look
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import Cell, Fitted
from pocai.synthetic.setting import placed

if TYPE_CHECKING:
    from pocai.documents.page import Point

TOUCH = 0.01  # points

Edges = dict[float, list[tuple[float, float]]]  # of rules at one x (or y): where they begin and end


def inked(fitted: Fitted, corner: Point, look: Look) -> Part:
    """The table printed with its top left at ``corner``."""
    boxed = look.rules.kind in ("none", "frame") and look.gap > 0
    cells, panels = [], []
    for cell, setting in zip(fitted.table.cells, fitted.settings, strict=True):
        texts = placed(setting, fitted.inside(cell))
        if cell.fill is not None:
            texts = tuple(replace(text, style=look.on(text.style, cell.fill)) for text in texts)
            panels.append(_panel(fitted.box(cell), cell, look.gap / 2 if boxed else 0.0, look.radius))
        cells.append(_grid_cell(fitted.box(cell), cell, texts))
    grid = Grid(fitted.xs, fitted.ys, tuple(cells), ruled=look.rules.kind == "all")
    texts = tuple(text for cell in cells for text in cell.texts)
    part = Part(texts, tuple(_rules(fitted, look)), tuple(panels), grids=(grid,))
    return part.moved(*corner)


def _panel(box: Box, cell: Cell, inset: float, radius: float) -> Panel:
    inner = Box(box.left + inset, box.top + inset, box.right - inset, box.bottom - inset)
    assert cell.fill is not None
    return Panel(inner, cell.fill, min(radius, inner.width / 2, inner.height / 2) if inset else 0.0)


def _grid_cell(box: Box, cell: Cell, texts: tuple[Text, ...]) -> GridCell:
    rows, columns = cell.rows, cell.columns
    spans = rows.end - rows.first, columns.end - columns.first
    return GridCell(box, rows.first, columns.first, *spans, texts, cell.fill)


def _rules(fitted: Fitted, look: Look) -> Iterator[Stroke]:
    """The rules of a look: borders of cells that meet are one rule, the outer ones as thick as the frame."""
    across: Edges = defaultdict(list)
    down: Edges = defaultdict(list)
    for cell in fitted.table.cells:
        box = fitted.box(cell)
        if look.rules.kind in ("all", "rows"):
            for y in (box.top, box.bottom):
                across[y].append((box.left, box.right))
        if look.rules.kind in ("all", "columns"):
            for x in (box.left, box.right):
                down[x].append((box.top, box.bottom))
    if look.rules.kind == "frame":
        across, down = _frame(fitted)
    for y, ends in across.items():
        thick = look.rules.frame if y in (0.0, fitted.height) else look.rules.width
        yield from (Stroke((a, y), (b, y), thick, look.rules.color) for a, b in _merged(ends))
    for x, ends in down.items():
        thick = look.rules.frame if x in (0.0, fitted.width) else look.rules.width
        yield from (Stroke((x, a), (x, b), thick, look.rules.color) for a, b in _merged(ends))


def _frame(fitted: Fitted) -> tuple[Edges, Edges]:
    """The outer border, and the borders between labels and events."""
    heads = [fitted.box(cell) for cell in fitted.table.cells if cell.head]
    below = {box.bottom for box in heads if box.top <= 0} | {0.0, fitted.height}
    beside = {box.right for box in heads if box.left <= 0 < box.top} | {0.0, fitted.width}
    across = {y: [(0.0, fitted.width)] for y in below}
    return across, {x: [(0.0, fitted.height)] for x in beside}


def _merged(ends: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches that touch or overlap, as one."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(ends):
        if merged and begin <= merged[-1][1] + TOUCH:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
