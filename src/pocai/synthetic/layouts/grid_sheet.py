"""A document of one sheet with one grid on it: what the families of grids have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.synthetic.document import Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.body import table_body
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.grid import GridStyle, grid_style_of, grid_table
from pocai.synthetic.layouts.job import Job, Setup, job_of
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

LANDSCAPE = 0.72  # of sheets with a grid


def grid_job(made: Made, faces: Sequence[Face], rng: Generator, *, down: bool = False) -> tuple[Job, GridStyle]:
    """The choices for a document with one grid, which a family may still change."""
    job = job_of((made,), faces, rng)
    style = grid_style_of(made, rng, down=down)
    return replace(job, look=job.look.turned(landscape=happens(rng, LANDSCAPE))), style


def one_grid(style: GridStyle) -> Callable[[Setup], Sequence[Sheet | None]]:
    """Makes the one sheet with the grid."""
    return partial(_sheets, style)


def _sheets(style: GridStyle, setup: Setup) -> Sequence[Sheet | None]:
    return (setup.sheet(partial(table_body, grid_table(setup.printer(), style), setup.look)),)
