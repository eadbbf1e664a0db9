"""Poster: a nursery's day or week in coloured panels, in large friendly letters, with pictures between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pocai.documents.page import Box
from pocai.synthetic.document import Drawing, Logo, Panel, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import between, happens, pick
from pocai.synthetic.layouts.inking import inked
from pocai.synthetic.layouts.job import Job, Setup, job_of
from pocai.synthetic.layouts.listing import ListStyle, list_style_of, list_table
from pocai.synthetic.layouts.palette import faded
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import fit
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "poster"
FRIENDLY = ("hand", "display", "sans")
PICTURE = 2.6  # ems of a name


@dataclass(frozen=True, slots=True)
class PosterStyle:
    """How the panels look: ``across`` in a row, rounded by ``radius``, with ``pictures`` beside and below them."""

    lists: ListStyle
    across: int
    radius: float
    pictures: bool
    seed: int


def accepts(made: Made) -> bool:
    """Weeks of small children whose events are timed or named."""
    return made.school.stage in ("nursery", "primary") and bool(made.entries)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The poster."""
    friendly = [face for face in faces if face.kind in FRIENDLY]
    job = _coloured(job_of((made,), friendly, rng), rng)
    count = len(made.days)
    across = pick(rng, (count, -(-count // 2)), (0.65, 0.35))
    lists = replace(
        list_style_of(made, rng, across=1),
        heads=False,
        notes="below",
        stretch="tight",
        names=pick(rng, ("left", "center")),
    )
    style = PosterStyle(lists, across, between(rng, 4, 18), happens(rng, 0.8), int(rng.integers(1 << 30)))
    return job.run(NAME, partial(_sheet, style))


def _coloured(job: Job, rng: Generator) -> Job:
    look = job.look
    look = replace(
        look,
        rules=replace(look.rules, kind="none"),
        tint="none",
        break_fill=None,
        side_fill=None,
        ground=faded(look.palette.soft, between(rng, 0.2, 0.9)),
        head_fill=None,
        day=replace(look.day, size=look.name.size * between(rng, 1.3, 1.8)),
        title=replace(look.title, size=look.name.size * between(rng, 2.4, 4)),
        name=replace(look.name, size=look.name.size * between(rng, 1.0, 1.5)),
    )
    return replace(job, look=look.turned(landscape=happens(rng, 0.65)))


def _sheet(style: PosterStyle, setup: Setup) -> Sequence[Sheet | None]:
    return (setup.sheet(partial(_panels, style, setup)),)


def _panels(style: PosterStyle, setup: Setup, room: tuple[float, float]) -> Part | None:
    printer, look = setup.printer(), setup.look
    count = len(printer.made.days)
    gap, pad = 8.0, 3 + style.radius / 3
    across = min(style.across, count)
    wide = (room[0] - gap * (across - 1)) / across
    picture = PICTURE * look.name.size if style.pictures else 0.0
    parts: list[Part] = []
    top = 0.0
    for begin in range(0, count, across):
        days = range(begin, min(begin + across, count))
        fitted = [
            fit(list_table(printer, day, style.lists), (wide - 2 * pad, room[1] - top - 2 * pad - picture))
            for day in days
        ]
        high = max((each.height for each in fitted if each), default=0.0) + 2 * pad + picture
        for place, (day, each) in enumerate(zip(days, fitted, strict=True)):
            if each is None:
                return None
            left = place * (wide + gap)
            fill = look.palette.tints[day % len(look.palette.tints)]
            inner = inked(each, (left + pad, top + pad), look)
            texts = tuple(replace(text, style=look.on(text.style, fill)) for text in inner.texts)
            panel = Panel(Box(left, top, left + wide, top + high), fill, style.radius)
            parts.append(replace(inner, texts=texts, fills=(panel, *inner.fills), grids=()))
            if style.pictures:
                parts.append(_picture(left + wide / 2, top + high - pad - picture, picture, style.seed + day))
        top += high + gap
    return Part.of(parts)


def _picture(middle: float, top: float, side: float, seed: int) -> Part:
    box = Box(middle - side / 2, top + 0.1 * side, middle + side / 2, top + side)
    return Part(logos=(Logo(box, seed, "doodle"),))
