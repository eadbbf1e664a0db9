"""Days down: one row a day, the slots along the top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "days_down"


def accepts(made: Made) -> bool:
    """Any week."""
    return bool(made.axis)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with its days below each other."""
    job, style = grid_job(made, faces, rng, down=True)
    return job.run(NAME, one_grid(style))
