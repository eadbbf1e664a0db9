"""Two weeks: weeks A and B of a cycle, each with a table of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.several import draw_several
from pocai.synthetic.made import Made
from pocai.synthetic.timetables import family

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "two_weeks"


def accepts(made: Made) -> bool:
    """Any week of a school that is not a nursery; its cycle is made from its seed."""
    return made.school.stage in ("primary", "secondary")


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """Both weeks of the school."""
    return draw_several(NAME, family(made.seed, "weeks", school=made.school), faces, rng)
