"""What is wrong with training data, told so that it can be mended. It names files, and never shows their labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pocai.errors import InputError

SHOWN = 10  # places that are named for each problem
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of trouble: ``what`` it is, how to ``mend`` it, and all its ``places``. An error refuses the data."""

    severity: Severity
    what: str
    mend: str
    places: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{len(self.places)} × {self.what}" if self.places else self.what


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, middle and greatest of some figures."""

    least: int
    median: int
    greatest: int

    @classmethod
    def of(cls, figures: Iterable[int]) -> Spread:
        """The spread of some figures; all 0 where there is none."""
        ordered = sorted(figures) or [0]
        return cls(ordered[0], ordered[len(ordered) // 2], ordered[-1])

    def __str__(self) -> str:
        return f"{self.least} to {self.greatest}, middle {self.median}"


@dataclass(frozen=True, slots=True)
class DataReport:
    """Problems, errors first, and what the data are like.

    ``letters`` counts the letters of the labels to train on; ``unseen`` are those of the alphabet that none holds.
    ``widths`` (at a height of 48 pixels) and ``heights`` (as given) are in pixels, ``lengths`` in letters.
    """

    problems: tuple[Problem, ...]
    train: int
    validation: int
    letters: Mapping[str, int]
    unseen: str
    widths: Spread
    heights: Spread
    lengths: Spread

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What must be mended before anything is trained."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is worth a look."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    def __str__(self) -> str:
        """The report as text of several lines."""
        shown = [line for problem in self.problems for line in _lines_of(problem)]
        rare = sorted((letter for letter in self.letters if letter != " "), key=lambda letter: self.letters[letter])
        scarce = ", ".join(f"U+{ord(letter):04X} {self.letters[letter]} ×" for letter in rare[:SHOWN])
        return "\n".join(
            [
                *shown,
                f"{self.train} lines to train on, {self.validation} to validate on",
                f"widths {self.widths} pixels at a height of 48; heights {self.heights} pixels",
                f"labels {self.lengths} letters",
                f"{len(rare)} letters are seen, {len(self.unseen)} of the alphabet are not; rarest: {scarce}",
            ]
        )

    def raise_if_bad(self) -> None:
        """Raise InputError with the report where it holds an error."""
        if self.errors:
            count = len(self.errors)
            raise InputError(
                f"The lines cannot be trained on: {count} kind{'s' if count > 1 else ''} of error\n{self}",
                mend="Mend them and start again",
            )


def point(letter: str) -> str:
    """A character as its code point and name: ``U+00A0 NO-BREAK SPACE``."""
    return f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()


def _lines_of(problem: Problem) -> list[str]:
    more = len(problem.places) - SHOWN
    return [
        f"{problem.severity.upper()}: {problem.title}",
        *(f"    {place}" for place in problem.places[:SHOWN]),
        *([f"    and {more} more"] if more > 0 else []),
        f"    → {problem.mend}",
    ]
