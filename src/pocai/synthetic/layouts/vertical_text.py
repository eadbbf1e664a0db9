"""Vertical text: days down, and what is long and narrow is written upwards, downwards, or one letter a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import pick
from pocai.synthetic.layouts.grid import Bars
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "vertical_text"


def accepts(made: Made) -> bool:
    """Weeks with bars over the days."""
    return bool(made.features & {"bar", "in_axis"}) and len(made.days) > 2  # noqa: PLR2004 - bars are long


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with vertical bars; times and days are turned as well at times."""
    job, style = grid_job(made, faces, rng, down=True)
    bars: Bars = pick(rng, ("up", "down", "stacked"), (0.5, 0.2, 0.3))
    slots = pick(rng, (0, 270, 90), (0.4, 0.5, 0.1))
    days = pick(rng, (0, 270, 90), (0.6, 0.3, 0.1))
    return job.run(NAME, one_grid(replace(style, merged=True, bars=bars, slot_angle=slots, day_angle=days)))
