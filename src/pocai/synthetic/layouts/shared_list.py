"""Shared lists: one list for several days ("Monday, Tuesday, Thursday"), another for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.agenda import draw_lists
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "shared_list"


def accepts(made: Made) -> bool:
    """Weeks whose columns stand for several days, or for none that is named."""
    shared = any(len(day.days) != 1 for day in made.days)
    return shared and any(entry.time or entry.period for entry in made.entries)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The lists of the week."""
    return draw_lists(NAME, made, faces, rng)
