"""`Part`: printed things of a sheet that are put together to a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from itertools import chain

from pocai.documents.page import Box
from pocai.synthetic.document import Grid, Logo, Panel, Sheet, Stroke, Text


@dataclass(frozen=True, slots=True)
class Part:
    """Texts, rules, fills, pictures and tables with their places on the sheet."""

    texts: tuple[Text, ...] = ()
    rules: tuple[Stroke, ...] = ()
    fills: tuple[Panel, ...] = ()
    logos: tuple[Logo, ...] = ()
    grids: tuple[Grid, ...] = ()
    under: tuple[Text, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Part:
        """All parts as one, in their order."""
        several = tuple(parts)
        return cls(*(tuple(chain.from_iterable(getattr(part, each.name) for part in several)) for each in fields(cls)))

    def __add__(self, other: Part) -> Part:
        return Part.of((self, other))

    @property
    def box(self) -> Box:
        """What the part takes up; raises ValueError where it is empty."""
        rules = [Box(*map(min, *ends), *map(max, *ends)) for ends in ((rule.start, rule.end) for rule in self.rules)]
        boxes = (each.box for group in (self.texts, self.fills, self.logos) for each in group)
        return Box.around((*boxes, *rules))

    def moved(self, right: float, down: float) -> Part:
        """The part at another place."""

        def box(old: Box) -> Box:
            return Box(old.left + right, old.top + down, old.right + right, old.bottom + down)

        def text(old: Text) -> Text:
            return replace(old, box=box(old.box))

        def rule(old: Stroke) -> Stroke:
            start, end = ((point[0] + right, point[1] + down) for point in (old.start, old.end))
            return Stroke(start, end, old.thickness, old.color)

        def grid(old: Grid) -> Grid:
            cells = tuple(replace(cell, box=box(cell.box), texts=tuple(map(text, cell.texts))) for cell in old.cells)
            return replace(
                old,
                columns=tuple(x + right for x in old.columns),
                rows=tuple(y + down for y in old.rows),
                cells=cells,
            )

        return Part(
            tuple(map(text, self.texts)),
            tuple(map(rule, self.rules)),
            tuple(replace(fill, box=box(fill.box)) for fill in self.fills),
            tuple(replace(logo, box=box(logo.box)) for logo in self.logos),
            tuple(map(grid, self.grids)),
            tuple(map(text, self.under)),
        )

    def sheet(self, width: float, height: float, paper: tuple[int, int, int]) -> Sheet:
        """The part as a sheet of its own."""
        return Sheet(width, height, self.texts, self.rules, self.fills, self.logos, self.grids, self.under, paper)
