"""Pages with what a model says of them."""

from __future__ import annotations

import numpy as np

from pocai.documents.page import Box, Line, Page, Quad
from pocai.timetable.grid import find_tables
from pocai.timetable.pointed import Pointed
from pocai.training.document_model.made_pages import MadePage


def truly_pointed(made: MadePage) -> Pointed:
    """What a model without fault would say of a made page."""
    related = np.array([[bool(one.blocks & other.blocks) for other in made.truths] for one in made.truths], np.bool_)
    roles = tuple(truth.role for truth in made.truths)
    return Pointed(made.page, find_tables(made.page), made.page.lines, roles, related)


def line(text: str, left: float, top: float) -> Line:
    return Line(text, Quad.of(Box(left, top, left + 8 * len(text), top + 12), 0), size=10, source="pdf")


def a_page() -> Pointed:
    """Two days across, two times down, an event each; the second event of Tuesday has a note and a time of its own."""
    lines = (
        *(line("Our week", 100, 0), line("Monday", 100, 40), line("Tuesday", 300, 40)),
        *(line("9.00-10.00", 0, 80), line("Maths", 100, 80), line("Art", 300, 80)),
        *(line("10.00-11.00", 0, 160), line("Music", 100, 160), line("Chess", 300, 160)),
        *(line("Room 4", 300, 175), line("10.15-10.45", 300, 190)),
    )
    roles = ("title", "day", "day", "time", "event", "event", "time", "event", "event", "note", "time")
    blocks = [set(), {0, 1}, {2, 3}, {0, 2}, {0}, {2}, {1, 3}, {1}, {3}, {3}, {3}]
    related = np.array([[bool(one & other) for other in blocks] for one in blocks], np.bool_)
    return Pointed(Page(0, 500, 300, lines, unit="pt"), (), lines, roles, related)


def pointed_at(*said: tuple[str, float, float, str, set[int]]) -> Pointed:
    """A page of lines: text, left, top, role, and the blocks that the line belongs to."""
    lines = tuple(line(text, left, top) for text, left, top, _, _ in said)
    blocks = [blocks for *_, blocks in said]
    related = np.array([[bool(one & other) for other in blocks] for one in blocks], np.bool_)
    return Pointed(Page(0, 800, 600, lines, unit="pt"), (), lines, tuple(role for *_, role, _ in said), related)
