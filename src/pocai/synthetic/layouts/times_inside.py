"""Times inside: every cell says when its event is; the axis numbers the lessons at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "times_inside"


def accepts(made: Made) -> bool:
    """Weeks whose times stand in the cells."""
    return made.times == "cells"


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with times in its cells."""
    job, style = grid_job(made, faces, rng, down=happens(rng, 0.25))
    return job.run(NAME, one_grid(style))
