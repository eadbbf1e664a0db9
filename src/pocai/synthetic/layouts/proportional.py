"""Proportional: boxes of colour as high as their events last, so that gaps show; no rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.job import Setup, job_of
from pocai.synthetic.layouts.scale import Scale, ScaleStyle, scalable, scale_style_of
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "proportional"


def accepts(made: Made) -> bool:
    """Weeks all of whose events have printed times."""
    return scalable(made)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week on a scale of time, the times in the boxes."""
    hours = made.times in ("ranges", "cells") and happens(rng, 0.4)
    return draw_scale(NAME, made, faces, rng, scale_style_of(rng, hours=hours))


def draw_scale(layout: str, made: Made, faces: Sequence[Face], rng: Generator, style: ScaleStyle) -> Drawing:
    """A drawing with one scale."""
    job = job_of((made,), faces, rng)
    look = job.look.turned(landscape=happens(rng, 0.55))
    if look.tint in ("none", "breaks") and happens(rng, 0.8):
        look = replace(look, tint="subject", break_fill=look.break_fill or look.palette.second)
    return replace(job, look=look).run(layout, partial(_sheet, style))


def _sheet(style: ScaleStyle, setup: Setup) -> Sequence[Sheet | None]:
    return (setup.sheet(Scale(setup.printer(), style)),)
