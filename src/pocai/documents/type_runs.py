"""Lines in which the type changes: a name in bold and the small print behind it are two lines.

A recognizer reads all that stands in one row as one line. What a person tells apart at once, large and small, bold and
light, black and grey, is told apart here, from how each word is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from typing import Self

from pocai.documents.page import Color, Line, Point, Quad, Word

SMALLER, THINNER = 0.88, 0.82  # shares of size and of stroke below which words are in smaller type, if both hold
LIGHTER, AS_LARGE = 0.72, 1.08  # share of the stroke below which words no larger than that are in lighter type
NONSENSE = 0.5  # share of size below which a word was not measured rightly
OTHER_COLOR = 90  # difference (of 255) in a channel from which ink is of another colour
FEWEST, SHORTEST = 2, 3  # letters and digits of a word that tells of its type, and of a run
TINY = 1e-3
BEFORE = re.compile(r"\w\.|\W")  # an initial or a dash belongs to what follows
NUMERIC = re.compile(r"[\d\W_hH]+")
ODD = frozenset("/\\|")  # reach above and below the letters, so that words with them measure too large


@dataclass(frozen=True, slots=True)
class Ink:
    """How letters are written.

    ``size`` is their em in pixels, ``weight`` the mean thickness of their strokes as a share of it, ``stem`` the usual
    thickness of their upright strokes in pixels, which does not depend on which letters they are.
    """

    size: float
    weight: float
    stem: float
    color: Color


def parted(line: Line, inks: Sequence[Ink | None]) -> tuple[Line, ...]:
    """The line cut where its type changes, or as it is; ``inks`` are of its words, None of those without a measure."""
    words = line.words
    if len(inks) != len(words) or " ".join(word.text for word in words) != line.text:
        return (line,)
    runs = [_Run.of(number, words[number].text, ink) for number, ink in enumerate(inks) if ink]
    cuts = [_begin(run.first, words) for run in _joined([run for run in runs if run.tells])[1:]]
    return tuple(_part(line, low, high) for low, high in pairwise([0, *cuts, len(words)])) if cuts else (line,)


@dataclass(frozen=True, slots=True)
class _Run:
    """Words of one type: the number of the ``first``, how many ``letters``, and the logarithms of their measures."""

    first: int
    letters: int
    size: float
    stroke: float
    color: Color
    tells: bool = True
    numeric: bool = False

    @classmethod
    def of(cls, number: int, text: str, ink: Ink) -> Self:
        letters = sum(letter.isalnum() for letter in text)
        tells = letters >= FEWEST and not ODD.intersection(text) and min(ink.size, ink.stem) > 0
        return cls(
            number,
            letters,
            log(max(ink.size, TINY)),
            log(max(ink.stem, TINY)),
            ink.color,
            tells,
            bool(NUMERIC.fullmatch(text)),
        )

    def with_next(self, other: _Run) -> _Run:
        """This run and the one behind it as one; the colour is that of the longer one."""
        letters = self.letters + other.letters
        size = (self.letters * self.size + other.letters * other.size) / letters
        stroke = (self.letters * self.stroke + other.letters * other.stroke) / letters
        color = self.color if self.letters >= other.letters else other.color
        return _Run(self.first, letters, size, stroke, color, numeric=self.numeric and other.numeric)

    def step_to(self, other: _Run) -> float:
        """How much the type changes: 0.0 where it does not, not enough to be sure, or within a time or number."""
        if self.numeric and other.numeric:
            return 0.0
        small, large = sorted((self, other), key=lambda run: run.size + run.stroke)
        size, stroke = small.size - large.size, small.stroke - large.stroke
        if size < log(NONSENSE):
            return 0.0
        smaller = size < log(SMALLER) and stroke < log(THINNER)
        lighter = stroke < log(LIGHTER) and size < log(AS_LARGE)
        colored = self._color_step(other) > OTHER_COLOR
        return TINY + abs(size + stroke) if smaller or lighter or colored else 0.0

    def distance(self, other: _Run) -> float:
        """How unlike two runs are, whether the type changes or not."""
        return abs(self.size - other.size) + abs(self.stroke - other.stroke) + self._color_step(other) / OTHER_COLOR

    def _color_step(self, other: _Run) -> int:
        return max(abs(a - b) for a, b in zip(self.color, other.color, strict=True))


def _joined(runs: list[_Run]) -> list[_Run]:
    """Runs of one type, each long enough to be sure of: the most alike are joined first."""
    while len(runs) > 1:
        steps = [(one.step_to(other), one.distance(other)) for one, other in pairwise(runs)]
        short = [number for number, run in enumerate(runs) if run.letters < SHORTEST]
        place = min(range(len(steps)), key=steps.__getitem__)
        changes = steps[place][0] > 0
        if changes and not short:
            break
        if changes:
            place = min({max(0, short[0] - 1), min(short[0], len(steps) - 1)}, key=steps.__getitem__)
        runs = [*runs[:place], runs[place].with_next(runs[place + 1]), *runs[place + 2 :]]
    return runs


def _begin(first: int, words: Sequence[Word]) -> int:
    """The first word of a run: what stands before it and belongs to what follows is its own."""
    while first > 1 and BEFORE.fullmatch(words[first - 1].text):
        first -= 1
    return first


def _part(line: Line, begin: int, end: int) -> Line:
    """Some words of a line as one of their own."""
    words, box = line.words[begin:end], line.box
    low = 0.0 if begin == 0 else (words[0].box.left - box.left) / box.width
    high = 1.0 if end == len(line.words) else (words[-1].box.right - box.left) / box.width
    top_left, top_right, bottom_right, bottom_left = line.quad
    quad = Quad(
        _between(top_left, top_right, low),
        _between(top_left, top_right, high),
        _between(bottom_left, bottom_right, high),
        _between(bottom_left, bottom_right, low),
    )
    text = " ".join(word.text for word in words)
    readings = (each.split() for each in line.alternatives)
    others = (" ".join(each[begin:end]) for each in readings if len(each) == len(line.words))
    alternatives = tuple(dict.fromkeys(each for each in others if each != text))
    return replace(line, text=text, quad=quad, words=words, alternatives=alternatives)


def _between(one: Point, other: Point, share: float) -> Point:
    return one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])
