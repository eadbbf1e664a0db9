"""Period key: slots are numbers, and a key beside the table says when they are."""

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

NAME = "period_key"


def accepts(made: Made) -> bool:
    """Weeks whose times stand in a key."""
    return made.times == "key"


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week by periods, with the key of their times."""
    job, style = grid_job(made, faces, rng, down=happens(rng, 0.3))
    return job.run(NAME, one_grid(style))
