"""A page each: one sheet for each class of a school, or one for each day of a week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.body import table_body
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.grid import GridStyle, grid_style_of, grid_table
from pocai.synthetic.layouts.job import Setup, job_of
from pocai.synthetic.layouts.listing import ListStyle, list_style_of, lists_body
from pocai.synthetic.made import Made
from pocai.synthetic.timetables import family

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "page_each"


def accepts(made: Made) -> bool:
    """Weeks whose days are named and whose events are timed or numbered."""
    named = len(made.days) > 1 and all(day.label for day in made.days)
    return named and all(entry.time or entry.period for entry in made.entries)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The sheets: a list for each day, or a grid for each of some classes."""
    if made.school.stage in ("primary", "secondary") and happens(rng, 0.5):
        mades = family(made.seed, "classes", count=pick(rng, (2, 3, 4)), school=made.school)
        down = happens(rng, 0.3)
        job = job_of(mades, faces, rng)
        job = replace(job, look=job.look.turned(landscape=happens(rng, 0.75)))
        return job.run(NAME, partial(_classes, grid_style_of(mades[0], rng, down=down)))
    job = job_of((made,), faces, rng)
    style = list_style_of(made, rng, across=1)
    job = replace(job, look=job.look.turned(landscape=happens(rng, 0.25)))
    return job.run(NAME, partial(_days, style))


def _days(style: ListStyle, setup: Setup) -> Sequence[Sheet | None]:
    count = len(setup.mades[0].days)
    return [setup.sheet(lists_body(setup.printer(), style, (day,)), page=(day + 1, count)) for day in range(count)]


def _classes(style: GridStyle, setup: Setup) -> Sequence[Sheet | None]:
    count = len(setup.mades)
    return [
        setup.sheet(partial(table_body, grid_table(setup.printer(n), style), setup.look), n, page=(n + 1, count))
        for n in range(count)
    ]
