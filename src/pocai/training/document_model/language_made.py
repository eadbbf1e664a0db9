"""Made pages as a language model is shown them, with the answers that are right; drawn when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pocai.models.language_page import NumberedLine, NumberedPage, numbered
from pocai.synthetic.compose import compose
from pocai.synthetic.document import Drawing, Role
from pocai.training.document_model.language_examples import Cues, Example, Told, example_of, nearest
from pocai.training.document_model.made_pages import MadePage, Truth, made_pages

_NAMES: tuple[Role, ...] = ("event", "break")
_TEXTS: tuple[Role, ...] = (*_NAMES, "note", "time", "period", "other")
_HEADING: tuple[Role, ...] = ("title", "class", "teacher", "term", "year", "other")
_STREAM = crc32(b"language")


@dataclass(frozen=True, slots=True)
class MadeExamples:
    """The pages of ``count`` made documents, one of each, from a seed on: a pure function of the number.

    ``layouts`` as in `compose`; ``plain`` pages are read without a mistake.
    """

    seed: int
    count: int
    layouts: str = "train"
    plain: bool = False

    def __len__(self) -> int:
        return self.count

    def example(self, number: int) -> Example | None:
        """The example of a number; None where nothing on the page can be told."""
        seed = self.seed + number
        drawing = compose(seed, layouts=self.layouts)
        rng = np.random.default_rng((seed, _STREAM))
        pages = made_pages(drawing, rng, plain=self.plain)
        return made_example(drawing, pages[int(rng.integers(len(pages)))])


def made_example(drawing: Drawing, made: MadePage) -> Example | None:
    """A page of a drawing with its answer; None where nothing on it can be told."""
    page = numbered(made.page)
    shown = {id(line): each for each in page.lines for line in each.sources}
    pairs = [
        (shown[id(line)], truth) for line, truth in zip(made.page.lines, made.truths, strict=True) if id(line) in shown
    ]
    lines = _Lines(page, tuple({each.number: (each, truth) for each, truth in pairs}.values()))
    told = []
    for number, timetable in enumerate(drawing.timetables):
        cues = ((at, lines.cues((number, at))) for at in range(len(timetable.timeblocks)))
        told.append(Told(timetable, {at: each for at, each in cues if each is not None}))
    return example_of(page, told, lines.in_roles(_HEADING))


@dataclass(frozen=True, slots=True)
class _Lines:
    """The shown lines of a page with the truth about each, in reading order."""

    page: NumberedPage
    known: tuple[tuple[NumberedLine, Truth], ...]

    def in_roles(self, roles: tuple[Role, ...], block: tuple[int, int] | None = None) -> tuple[NumberedLine, ...]:
        """The lines in any of these roles, role by role; of a (timetable, block), or all."""
        return tuple(
            shown
            for role in roles
            for shown, truth in self.known
            if truth.role == role and (block is None or block in truth.blocks)
        )

    def cues(self, place: tuple[int, int]) -> Cues | None:
        """The lines that a block is read from; None where its name is not on this page."""
        own = self.in_roles(_TEXTS, place)
        names = self.in_roles(_NAMES, place)
        if not names:
            return None
        notes = (*self.in_roles(("note",), place), *names)
        times = (*self.in_roles(("time", "period"), place), *own)
        key = self.in_roles(("key",))
        others = nearest(self.in_roles(("time", "period", *_TEXTS)), names[0])  # an end is often the next one's start
        # a time that ends one line and begins the next one is the start of what is beside the latter
        return Cues(
            name=names,
            notes=notes,
            day=self.in_roles(("day",), place) or own,
            start=(*times[::-1], *key[::-1], *others),
            end=(*times, *key, *others),
        )
