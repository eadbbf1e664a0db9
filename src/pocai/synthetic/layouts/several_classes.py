"""Several classes: the timetables of two to four classes (or teachers) of a school on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import pick
from pocai.synthetic.layouts.several import draw_several
from pocai.synthetic.made import Made
from pocai.synthetic.timetables import Family, family

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "several_classes"


def accepts(made: Made) -> bool:
    """Any week; the others come from the same school."""
    return made.school.stage in ("primary", "secondary")


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """Some timetables of the school."""
    kind: Family = pick(rng, ("classes", "teachers"), (0.8, 0.2))
    count = pick(rng, (2, 3, 4), (0.6, 0.25, 0.15))
    return draw_several(NAME, family(made.seed, kind, count=count, school=made.school), faces, rng)
