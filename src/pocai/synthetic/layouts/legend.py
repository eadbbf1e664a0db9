"""Legend: short forms in the cells, and a key below that says which subject, teacher or colour they stand for."""

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

NAME = "legend"


def accepts(made: Made) -> bool:
    """Weeks with a key of subjects, teachers or colours."""
    return any(entry.kind in ("subject", "teacher", "color") for entry in made.key)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with its key."""
    job, style = grid_job(made, faces, rng, down=happens(rng, 0.3))
    return job.run(NAME, one_grid(style))
