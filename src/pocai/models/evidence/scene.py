"""A timetable together with the text of its pages, in the units of its marks: what all figures are taken from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Box, Document, Line, Page, on_source
from pocai.settings import SchoolHours
from pocai.timetable.checks import Finding, check
from pocai.timetable.timetable import BlockField, Mark, TimeBlock, Timetable

Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Place: TypeAlias = tuple[int, tuple[float, float, float, float]]

ABSENT = -1.0  # in place of a figure that is 0 or more, where there is nothing to measure
FIELDS: tuple[BlockField, ...] = get_args(BlockField)


@dataclass(frozen=True)
class PageText:
    """The lines of a page; ``boxes`` ``(N, 4)``, ``size`` and ``height`` (of the usual text) in units of marks.

    ``scores`` ``(N,)`` are the recognizer's own, NaN for native text.
    """

    lines: tuple[Line, ...]
    boxes: Matrix
    scores: Matrix
    size: tuple[float, float]
    height: float
    tilt: float
    rules: int

    @property
    def native(self) -> bool:
        """Whether nothing had to be recognized."""
        return bool(np.isnan(self.scores).all())

    @cached_property
    def letters(self) -> Matrix:
        """How many letters each line has, ``(N,)``."""
        return np.array([len(line.text) for line in self.lines], np.float64)

    @cached_property
    def centers(self) -> Matrix:
        """The middles of the lines, ``(N, 2)``."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @cached_property
    def unusual(self) -> Matrix:
        """1.0 for each line that another recognizer read than most of the page: one that the usual one doubted."""
        readers = [line.reader for line in self.lines]
        usual = max(sorted(set(readers)), key=readers.count) if readers else ""
        return np.array([float(reader != usual) for reader in readers])

    def inside(self, box: Sequence[float]) -> NDArray[np.intp]:
        """Numbers of the lines whose middle lies in a box."""
        x, y = self.centers[:, 0], self.centers[:, 1]
        left, top, right, bottom = box
        slack = 0.1 * self.height
        held = (x >= left - slack) & (x <= right + slack) & (y >= top - slack) & (y <= bottom + slack)
        return np.flatnonzero(held)


@dataclass(frozen=True)
class Scene:
    """A timetable, what the checks found in it, and the text of the pages of its document by number."""

    timetable: Timetable
    findings: tuple[Finding, ...]
    pages: Mapping[int, PageText]
    timetables: int

    @property
    def blocks(self) -> tuple[TimeBlock, ...]:
        return self.timetable.timeblocks

    @cached_property
    def under(self) -> Mapping[Place, NDArray[np.intp]]:
        """For each place that is marked, the numbers of the lines in it."""
        places = {place_of(mark) for mark in self.marks()}
        return {(page, box): self.pages[page].inside(box) for page, box in places if page in self.pages}

    def marks(self) -> Iterator[Mark]:
        """All marks of the timetable, its header's among them."""
        yield from self.timetable.fields.values()
        yield from chain.from_iterable(block.fields.values() for block in self.blocks)

    def page_of(self, mark: Mark | None) -> PageText | None:
        """The page of a mark, None where the document has no such page."""
        return None if mark is None else self.pages.get(mark.page)

    def lines_of(self, mark: Mark) -> NDArray[np.intp]:
        """Numbers of the lines under a mark, on its page."""
        return self.under.get(place_of(mark), np.empty(0, np.intp))


def place_of(mark: Mark) -> Place:
    """Where a mark is: page and box."""
    return mark.page, mark.box


def scenes(timetables: Sequence[Timetable], document: Document, hours: SchoolHours) -> tuple[Scene, ...]:
    """One scene for each timetable of a document."""
    pages = {page.number: _text(page) for page in document.pages}
    return tuple(Scene(each, check(each, hours), pages, len(timetables)) for each in timetables)


def _text(page: Page) -> PageText:
    lines = (*page.lines, *(line for table in page.tables for cell in table.cells for line in cell.lines))
    boxes = [on_source(line.box, page.to_source) for line in lines]
    heights = [min(box.width, box.height) for box in boxes]
    whole = on_source(Box(0, 0, page.width, page.height), page.to_source)
    matrix = page.to_source
    return PageText(
        lines=lines,
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        scores=np.array([np.nan if line.confidence is None else line.confidence for line in lines], np.float64),
        size=(max(whole.width, 1.0), max(whole.height, 1.0)),
        height=max(float(np.median(heights)), 1e-6) if heights else 1.0,
        tilt=(abs(matrix[6]) * page.width + abs(matrix[7]) * page.height) / (abs(matrix[8]) or 1.0),
        rules=len(page.rules) + sum(len(table.cells) for table in page.tables),
    )
