"""App: the week as a program on a screen shows it: a bar on top, pale boxes with a stripe, hours and fine lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing, Sheet, Style
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import between, happens
from pocai.synthetic.layouts.job import Job, Setup, job_of
from pocai.synthetic.layouts.palette import WHITE, faded
from pocai.synthetic.layouts.scale import Scale, ScaleStyle, scalable, scale_style_of
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "app"


def accepts(made: Made) -> bool:
    """Weeks whose events all have times of their own."""
    return made.times in ("ranges", "cells") and scalable(made)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week on a screen."""
    sans = [face for face in faces if face.kind in ("sans", "condensed")]
    job = _on_screen(job_of((made,), sans, rng), rng)
    style = replace(scale_style_of(rng, hours=True, lines=True), stripe=happens(rng, 0.6), border=0.0)
    return job.run(NAME, partial(_sheet, style))


def _on_screen(job: Job, rng: Generator) -> Job:
    look = job.look
    tints = tuple(faded(tint, between(rng, 0.3, 0.75)) for tint in look.palette.tints)
    grey = int(rng.integers(200, 235))
    day: Style = replace(look.day, size=look.name.size * 1.05)
    look = replace(
        look,
        paper=(between(rng, 560, 960), between(rng, 420, 620)),
        palette=replace(look.palette, tints=tints),
        ground=WHITE,
        rules=replace(look.rules, kind="none", color=(grey, grey, grey)),
        tint="subject",
        break_fill=(240, 240, 240),
        align="left",
        valign="top",
        radius=between(rng, 1, 5),
        head_fill=None,
        day=day,
    )
    return replace(job, look=look, trim=replace(job.trim, head="band", crop=None, page_number=0))


def _sheet(style: ScaleStyle, setup: Setup) -> Sequence[Sheet | None]:
    return (setup.sheet(Scale(setup.printer(), style)),)
