"""`Job`: one document on its way to paper: what all layouts choose, and the attempts to make it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from pocai.errors import ConfigurationError
from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.frame import Around, Body, Trim, framed, trim_of
from pocai.synthetic.layouts.key import KeyStyle, key_style_of, keyed
from pocai.synthetic.layouts.look import Case, Look, look_of
from pocai.synthetic.layouts.truth import truth
from pocai.synthetic.layouts.words import Printer, Wording, wording_of
from pocai.synthetic.made import Heading, Made, NoteKind

if TYPE_CHECKING:
    from numpy.random import Generator

FACTORS = (1.0, 0.93, 0.87, 0.81, 0.75)  # letters in the table are made smaller, step by step …
SMALLEST = 5.6  # … but names not smaller than this, in points
PAPERS = (1.0, 1.12, 1.26, 1.42, 1.6, 1.8, 2.1, 2.5, 3.0, 3.7, 4.6, 6.0, 8.0)  # then the paper larger, by length
DROPPABLE: tuple[NoteKind, ...] = ("remark", "room", "teacher", "group")  # weeks of a cycle are never left out


@dataclass(frozen=True, slots=True)
class Attempt:
    """Letters and paper by these factors, without the notes of some kinds."""

    letters: float
    paper: float
    dropped: frozenset[NoteKind]


@dataclass(frozen=True, slots=True)
class Setup:
    """What an attempt is made with."""

    mades: tuple[Made, ...]
    look: Look
    wording: Wording
    trim: Trim
    key: KeyStyle

    def printer(self, number: int = 0) -> Printer:
        """The printer of one of the timetables."""
        return Printer(self.mades[number], self.look, self.wording, number)

    def sheet(
        self, body: Body, number: int = 0, *, heading: Heading | None = None, page: tuple[int, int] = (1, 1)
    ) -> Sheet | None:
        """A sheet with a timetable's heading, key and footer around a body; None where it does not fit."""
        made = self.mades[number]
        key = partial(keyed, self.printer(number), self.key) if made.key else None
        around = Around(heading or made.heading, body, key, number, page, made.school.language)
        return framed(around, self.look, self.trim)


@dataclass(frozen=True, slots=True)
class Job:
    """All choices that are common to the layouts, drawn before anything is fitted."""

    mades: tuple[Made, ...]
    look: Look
    wording: Wording
    trim: Trim
    key: KeyStyle
    attempts: tuple[Attempt, ...]

    def run(self, layout: str, sheets: Callable[[Setup], Sequence[Sheet | None]]) -> Drawing:
        """The drawing of the first attempt all of whose sheets fit. Raises ConfigurationError where none does."""
        for attempt in self.attempts:
            setup = self._setup(attempt)
            made = tuple(sheets(setup))
            if made and all(sheet is not None for sheet in made):
                return self._drawing(layout, tuple(sheet for sheet in made if sheet), setup.wording)
        raise ConfigurationError(
            f"layout {layout!r} does not fit on any paper (seed {self.mades[0].seed})", mend="Choose another seed"
        )

    def _setup(self, attempt: Attempt) -> Setup:
        look = self.look.scaled(attempt.letters)
        look = replace(look, paper=(look.paper[0] * attempt.paper, look.paper[1] * attempt.paper))
        wording = replace(self.wording, dropped=self.wording.dropped | attempt.dropped)
        return Setup(self.mades, look, wording, self.trim, self.key)

    def _drawing(self, layout: str, sheets: tuple[Sheet, ...], wording: Wording) -> Drawing:
        timetables = tuple(truth(made, number, sheets, wording) for number, made in enumerate(self.mades))
        first = self.mades[0]
        return Drawing(sheets, timetables, layout, first.school.language, first.seed)


def job_of(mades: Sequence[Made], faces: Sequence[Face], rng: Generator) -> Job:
    """The common choices of a document with these timetables."""
    letters = frozenset("".join(chain.from_iterable(map(_letters, mades)))) - {" "}
    look = look_of(Case(faces, letters, mades[0].school.stage), rng)
    if any(entry.color for made in mades for entry in made.key):
        look = replace(look, tint="given", break_fill=look.break_fill or look.palette.second)
    wording = wording_of(rng)
    order = [DROPPABLE[i] for i in rng.permutation(len(DROPPABLE))]
    if happens(rng, 0.12):
        wording = replace(wording, dropped=frozenset(order[: int(rng.integers(1, len(order) + 1))]))
    attempts = tuple(_attempts(look, order, larger_first=happens(rng, 0.5)))
    return Job(tuple(mades), look, wording, trim_of(rng), key_style_of(rng), attempts)


def _attempts(look: Look, order: Sequence[NoteKind], *, larger_first: bool) -> Iterator[Attempt]:
    """Smaller letters first; then fewer notes or larger paper, as the author of the document would have it."""
    factors = [factor for factor in FACTORS if factor == 1 or factor * look.name.size >= SMALLEST]
    yield from (Attempt(factor, 1.0, frozenset()) for factor in factors)
    if not larger_first:
        for count in range(1, len(order) + 1):
            yield from (Attempt(factor, 1.0, frozenset(order[:count])) for factor in factors[-2:])
    for paper in PAPERS[1:]:
        yield from (Attempt(factor, paper, frozenset()) for factor in factors[-2:])


def _letters(made: Made) -> Iterator[str]:
    """Every letter that a layout may print of a timetable."""
    heading = made.heading
    yield "0123456789–/·"
    yield from (each.text for each in heading.lines)
    yield from (*heading.footer, heading.school, heading.corner, heading.times_head, heading.periods_head)
    yield from (heading.subject_head, made.key_head, made.filler, *(head for _, head in heading.note_heads))
    yield from (f"{each.text}{each.sign}" for each in made.key)
    for day in made.days:
        yield from (day.label, day.label.upper(), day.short, day.letter)
    for slot in made.axis:
        yield from (slot.label, slot.printed)
    for entry in made.entries:
        yield from (entry.name, entry.time, entry.period, *(note.text for note in entry.notes))
