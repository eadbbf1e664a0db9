"""Starts only: the axis says when events begin; they end where the next one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made
from pocai.synthetic.setting import Valign

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "start_axis"


def accepts(made: Made) -> bool:
    """Weeks of which only starts are printed."""
    return made.times == "starts"


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week beside (or, seldom, below) its starts; the starts often stand at the top of their rows."""
    down, top = happens(rng, 0.15), happens(rng, 0.5)
    job, style = grid_job(made, faces, rng, down=down)
    valign: Valign = "top" if top and not down else "middle"
    return job.run(NAME, one_grid(replace(style, label_valign=valign, by_minutes=top)))
