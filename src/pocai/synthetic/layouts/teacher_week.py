"""A teacher's (or a room's) own week: the cells hold classes."""

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

NAME = "teacher_week"


def accepts(made: Made) -> bool:
    """Weeks of one teacher or room."""
    return bool(made.features & {"of_teacher", "of_room"})


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with its free periods empty."""
    job, style = grid_job(made, faces, rng, down=happens(rng, 0.3))
    return job.run(NAME, one_grid(style))
