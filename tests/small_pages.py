"""Small pages with their timetables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pocai.documents.page import Box, Document, Line, Page, Quad
from pocai.models.language_page import numbered
from pocai.timetable.timetable import Day, TimeBlock, Timetable
from pocai.training.document_model.language_examples import Example
from pocai.training.document_model.language_labelled import placed_example

NAMES = ("Maths", "Übung", "PE", "Art & Craft", "Music", "Science", "Story time")
DAYS: tuple[Day, ...] = ("Monday", "Tuesday")
SLOTS = (("09:00", "09:45", "9.00 – 9.45"), ("10:15", "11:00", "10.15 – 11.00"))


def line(text: str, left: float, top: float, wide: float = 80.0, high: float = 12.0) -> Line:
    """A line of native text."""
    return Line(text, Quad.of(Box(left, top, left + wide, top + high)), source="pdf", size=high)


def page_of(names: list[str], title: str = "Class 2B") -> Page:
    """A week of two days and two times without rules; the names in their cells, row by row."""
    lines = [line(title, 200, 10)]
    lines += [line(day, 150 + 150 * column, 50) for column, day in enumerate(DAYS)]
    for row, (_, _, printed) in enumerate(SLOTS):
        lines.append(line(printed, 10, 100 + 60 * row, 100))
        lines += [line(names[2 * row + column], 150 + 150 * column, 100 + 60 * row) for column in range(2)]
    return Page(0, 500, 300, tuple(lines), unit="pt")


def timetable_of(names: list[str], title: str = "Class 2B") -> Timetable:
    """What `page_of` prints."""
    blocks = [
        TimeBlock(day=day, name=names[2 * row + column], start_time=start, end_time=end)
        for column, day in enumerate(DAYS)
        for row, (start, end, _) in enumerate(SLOTS)
    ]
    return Timetable(title=title, timeblocks=tuple(blocks), pages=(0,))


def document_of(page: Page) -> Document:
    """A document of one page."""
    return Document((page,), "pdf", "0" * 64)


@dataclass(frozen=True)
class SmallExamples:
    """Small pages with random names, or with those that are given."""

    count: int
    seed: int
    given: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def names(self, number: int) -> list[str]:
        rng = np.random.default_rng((self.seed, number))
        return list(self.given) or [str(name) for name in rng.choice(list(NAMES), 4)]

    def example(self, number: int) -> Example | None:
        names = self.names(number)
        return placed_example(numbered(page_of(names)), [timetable_of(names)])
