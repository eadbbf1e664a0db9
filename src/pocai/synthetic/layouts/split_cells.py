"""Split cells: groups side by side in one cell, slots cut in two, events over parts of slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.grid_sheet import grid_job, one_grid
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "split_cells"


def accepts(made: Made) -> bool:
    """Weeks with cells that hold several events."""
    return bool(made.features & {"split", "parallel", "weeks", "overlap"})


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week with its cells split by rules."""
    job, style = grid_job(made, faces, rng, down=happens(rng, 0.4))
    rules = job.look.rules
    if rules.kind in ("frame", "columns", "rows"):
        job = replace(job, look=replace(job.look, rules=replace(rules, kind="all")))
    return job.run(NAME, one_grid(replace(style, side=True)))
