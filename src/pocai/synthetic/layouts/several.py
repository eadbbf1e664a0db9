"""Several timetables on one sheet: side by side, below each other, or two in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pocai.documents.page import Box
from pocai.synthetic.document import Align, Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.grid import GridStyle, grid_style_of, grid_table
from pocai.synthetic.layouts.inking import inked
from pocai.synthetic.layouts.job import Setup, job_of
from pocai.synthetic.layouts.key import keyed
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import fit
from pocai.synthetic.made import Heading, HeadingLine, Made
from pocai.synthetic.setting import Phrase, Place, placed, set_in

if TYPE_CHECKING:
    from numpy.random import Generator

Arrangement = Literal["beside", "below", "pairs"]

SMALL_TITLE = 0.8  # of the title's size where each timetable has its own
GAP = 14.0  # points between timetables


@dataclass(frozen=True, slots=True)
class SeveralStyle:
    """How several timetables share a sheet: ``across`` of them in a row, their own headings aligned."""

    grid: GridStyle
    across: int
    heads: Align


def draw_several(layout: str, mades: Sequence[Made], faces: Sequence[Face], rng: Generator) -> Drawing:
    """A drawing of one sheet with all these timetables; what their headings have in common stands above them all."""
    job = job_of(mades, faces, rng)
    count = len(mades)
    weights = {2: (0.35, 0.65, 0.0), 3: (0.1, 0.5, 0.4)}.get(count, (0.0, 0.4, 0.6))
    arrangement: Arrangement = pick(rng, ("beside", "below", "pairs"), weights)
    across = {"beside": count, "below": 1, "pairs": 2}[arrangement]
    down = happens(rng, 0.3)
    style = SeveralStyle(grid_style_of(mades[0], rng, down=down), across, pick(rng, ("left", "center"), (0.5, 0.5)))
    landscape = across > 1 or happens(rng, 0.2)
    job = replace(job, look=job.look.turned(landscape=landscape))

    def sheets(setup: Setup) -> Sequence[Sheet | None]:
        return (setup.sheet(_Body(setup, style), heading=_common(setup.mades)),)

    return job.run(layout, sheets)


def _shared(mades: Sequence[Made]) -> tuple[HeadingLine, ...]:
    """The lines that all headings have."""
    return tuple(line for line in mades[0].heading.lines if all(line in made.heading.lines for made in mades))


def _common(mades: Sequence[Made]) -> Heading:
    return replace(mades[0].heading, lines=_shared(mades))


@dataclass(frozen=True, slots=True)
class _Body:
    """Draws the timetables, each under its own heading."""

    setup: Setup
    style: SeveralStyle

    def __call__(self, room: tuple[float, float]) -> Part | None:
        count, across = len(self.setup.mades), self.style.across
        wide = (room[0] - GAP * (across - 1)) / across
        rows = -(-count // across)
        parts: list[Part] = []
        top = 0.0
        for begin in range(0, count, across):
            row = [
                self._one(number, (wide, room[1] / rows - GAP)) for number in range(begin, min(begin + across, count))
            ]
            drawn = [part for part in row if part is not None]
            if len(drawn) < len(row):
                return None
            parts += [part.moved(i * (wide + GAP), top) for i, part in enumerate(drawn)]
            top += max(part.box.bottom for part in drawn) + GAP
        return Part.of(parts)

    def _one(self, number: int, room: tuple[float, float]) -> Part | None:
        setup = self.setup
        look, made = setup.look, setup.mades[number]
        head = _head(setup, number, room[0], self.style.heads)
        top = head.box.bottom + 0.4 * look.plain.size if head.texts else 0.0
        key = None
        if number and made.key and made.key != setup.mades[0].key:
            key = keyed(setup.printer(number), setup.key, room)
            if key is None:
                return None
        below = key.box.bottom + look.plain.size if key else 0.0
        fitted = fit(grid_table(setup.printer(number), self.style.grid), (room[0], room[1] - top - below))
        if fitted is None:
            return None
        part = head + inked(fitted, (0.0, top), look)
        return part + key.moved(0.0, top + fitted.height + 0.5 * look.plain.size) if key else part


def _head(setup: Setup, number: int, wide: float, align: Align) -> Part:
    """The lines of a heading that the others do not have."""
    look = setup.look
    shared = _shared(setup.mades)
    title = replace(look.title, size=look.title.size * SMALL_TITLE)
    phrases = [
        Phrase(line.text, title if line.role == "title" else look.plain, line.role, timetable=number)
        for line in setup.mades[number].heading.lines
        if line not in shared
    ]
    rows = next((rows for f in (1, 0.85, 0.7, 0.6) if (rows := set_in([p.sized(f) for p in phrases], wide))), None)
    return Part(placed(rows, Place(Box(0, 0, wide, rows.height), align))) if rows and phrases else Part()
