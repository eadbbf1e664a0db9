"""Agenda: a list for each day, the lists side by side or a few in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.job import Setup, job_of
from pocai.synthetic.layouts.listing import ListStyle, list_style_of, lists_body
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "agenda"
LONGEST = 36  # events of lists that stand below each other on one sheet


def accepts(made: Made) -> bool:
    """Weeks whose days are named and whose events are timed or numbered."""
    timed = made.times == "none" or all(entry.time for entry in made.entries)
    return timed and all(day.label for day in made.days) and any(e.time or e.period for e in made.entries)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week as lists."""
    return draw_lists(NAME, made, faces, rng)


def draw_lists(layout: str, made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The day columns of a made timetable as lists on one sheet."""
    job = job_of((made,), faces, rng)
    count = len(made.days)
    long = sum(len(entry.columns) for entry in made.entries) > LONGEST
    across = pick(rng, (count, -(-count // 2), 1), (0.6, 0.25, 0.0 if long else 0.15))
    style = list_style_of(made, rng, across=across)
    if across > 3 and style.notes == "columns":  # noqa: PLR2004 - narrow lists
        style = replace(style, notes="below")
    landscape = across > 2 and happens(rng, 0.85)  # noqa: PLR2004 - two lists stand side by side on upright paper
    look = job.look.turned(landscape=landscape)
    if look.tint == "subject" and look.rules.kind != "none" and happens(rng, 0.6):
        look = replace(look, tint="breaks")  # long lists are seldom gaudy
    if happens(rng, 0.25):  # as typed: nothing but text
        look = replace(look, rules=replace(look.rules, kind="none"), tint="none", head_fill=None, side_fill=None)
    job = replace(job, look=look)
    return job.run(layout, partial(_sheet, style))


def _sheet(style: ListStyle, setup: Setup) -> Sequence[Sheet | None]:
    printer = setup.printer()
    return (setup.sheet(lists_body(printer, style, range(len(printer.made.days)))),)
