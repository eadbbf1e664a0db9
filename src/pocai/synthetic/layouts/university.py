"""University week: hours down the side with fine lines, and boxes that begin and end where they like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.proportional import draw_scale
from pocai.synthetic.layouts.scale import scalable, scale_style_of
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "university"


def accepts(made: Made) -> bool:
    """Weeks of a university or college whose events all have times of their own."""
    return made.times in ("ranges", "cells") and scalable(made)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week on a scale of hours."""
    return draw_scale(NAME, made, faces, rng, scale_style_of(rng, hours=True, lines=happens(rng, 0.85)))
