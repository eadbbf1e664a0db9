"""Bars: lunch, breaks and assemblies run in colour over all days, and often over the times too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "bars"


def accepts(made: Made) -> bool:
    """Weeks with events that all days share."""
    return bool(made.features & {"bar", "in_axis"})


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with its bars in strong colours, their names sometimes spaced out."""
    job, style = grid_job(made, faces, rng)
    look, palette = job.look, job.look.palette
    fill = pick(rng, (palette.accent, palette.soft, (255, 255, 0), (0, 0, 0), palette.tints[0]))
    look = replace(look, break_fill=fill, tint="breaks" if look.tint == "none" else look.tint)
    style = replace(style, merged=True, whole=True, spaced=happens(rng, 0.25))
    return replace(job, look=look).run(NAME, one_grid(style))
