"""What lines print: their letters, days, times and years, each with the lines that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pocai.documents.page import Line
from pocai.timetable.day_words import day_words
from pocai.timetable.days import day_label, find_days, resolve_labels
from pocai.timetable.letters import Letters, letters_of
from pocai.timetable.times import find_times
from pocai.timetable.timetable import WEEK, Day

JOINTS = frozenset(",;·•|/")  # signs that may stand between two texts of one value though none is printed there
_LONGEST_LABEL = 4  # words of a line in which a short day name counts ("KW 12 Mo")
_CLOSE = 0.8  # heights between letters of one word that are set below each other, at most
_LEAST_LETTERS = 3  # lines of one letter from which they may be days
_LETTER_LABEL = re.compile(r"\s*[^\W\d_]\.?(?:\s+\d{1,2}\b[\d./]*)?\s*")  # "M", "M 12."
_LETTERS = re.compile(r"\W*[^\W\d_](?:\W+[^\W\d_]){2,}\W*")  # "M T W T F"
_TO_NEXT = re.compile(r"[-‐‑–—−~→]\s*$")  # a line that goes on in the one below it
_FROM_LAST = re.compile(r"^\s*[-‐‑–—−~→]")
_YEAR = re.compile(r"(?<!\d)(?:(?:19|20|21)\d\d|(?<=[/\-–’'])\d\d)(?!\d)")


class Printed:
    """What some lines print: their letters, days, times and years, each with the lines that say so."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)

    def text(self, value: str) -> tuple[Line, ...] | None:
        """The lines that a text is made of, in its order, as few as possible; None where they do not hold it.

        A text is made of stretches of lines. They begin and end where words do, or figures beside letters. Case,
        spaces, dashes and compatibility forms (Unicode NFKC) do not count, and a comma or the like may stand between
        stretches.
        Inside a word one line may go on in the next only from its end to the other's beginning, beside or below it: a
        word broken at a hyphen, or set one letter a line.
        """
        wanted = letters_of(value)
        length = len(wanted.text)
        reached: list[dict[int | None, _Way]] = [{} for _ in range(length + 1)]
        reached[0][None] = _Way(0, None, None)
        for at in range(length):
            for inside, way in list(reached[at].items()):
                for end, open_line, line in self._onward(wanted, at, inside):
                    pieces = way.pieces + (line is not None)
                    known = reached[end].get(open_line)
                    if known is None or pieces < known.pieces:
                        reached[end][open_line] = _Way(pieces, way, line)
        found = reached[length].get(None) if length else None
        return None if found is None else tuple(self.lines[number] for number in found.lines())

    def year(self, year: int) -> tuple[Line, ...] | None:
        """The first line that prints a year, in four figures or, as the second of two, in two."""
        for line in self.lines:
            if any(int(found) in (year, year % 100) for found in _YEAR.findall(line.text)):
                return (line,)
        return None

    @cached_property
    def minutes(self) -> Mapping[int, tuple[Line, ...]]:
        """Every time that is printed, in minutes after midnight; of "1.15" both readings."""
        found: dict[int, tuple[Line, ...]] = {}
        for text, lines in self._texts:
            for span in (*find_times(text), *find_times(text, bare=True)):
                for clock in filter(None, (span.start, span.end)):
                    for minute in clock.readings():
                        found.setdefault(minute % 1440, lines)
        return found

    @cached_property
    def days(self) -> Mapping[Day, tuple[Line, ...]]:
        """Every day that is printed; of a word that means several days in several languages all of them."""
        found: dict[Day, tuple[Line, ...]] = {}
        for text, lines in self._texts:
            for day in self.days_in(text):
                found.setdefault(day, lines)
        return found

    def days_in(self, text: str) -> tuple[Day, ...]:
        """The days that one of these lines may name; a single letter counts among others of its kind."""
        named = _days_of(text, letters=text in self._letter_labels)
        return tuple(day for day in WEEK if day in named)

    @cached_property
    def _letter_labels(self) -> frozenset[str]:
        """Lines of one letter that may be days: several, and none of them a letter of a word set downwards."""
        labels = [line for line in self.lines if _LETTER_LABEL.fullmatch(line.text)]
        alone = [line for line in labels if not any(_touch(line, other) for other in labels if other is not line)]
        return frozenset(line.text for line in alone) if len(alone) >= _LEAST_LETTERS else frozenset()

    @cached_property
    def _texts(self) -> list[tuple[str, tuple[Line, ...]]]:
        """What can be read as one: each line, each with the next where it goes on there, and letters set in a row."""
        texts: list[tuple[str, tuple[Line, ...]]] = [(line.text, (line,)) for line in self.lines]
        ending = [line for line in self.lines if _TO_NEXT.search(line.text)]
        beginning = [line for line in self.lines if _FROM_LAST.search(line.text)]
        pairs = [(line, other) for line in ending for other in self.lines]
        pairs += [(line, other) for line in self.lines for other in beginning]
        for line, other in pairs:
            if line is not other and aligned(line, other):
                broken = line.text[-2:-1].isalpha() and other.text[:1].islower()
                text = f"{line.text[:-1]}{other.text}" if broken else f"{line.text}\n{other.text}"
                texts.append((text, (line, other)))
        return texts + _stacks(self.lines)

    @cached_property
    def _letters(self) -> list[Letters]:
        return [letters_of(line.text) for line in self.lines]

    @cached_property
    def _starts(self) -> Mapping[str, list[tuple[int, int]]]:
        """By letter: the lines, and the places in them, where a stretch may begin with it."""
        starts: dict[str, list[tuple[int, int]]] = {}
        for number, letters in enumerate(self._letters):
            for cut in sorted(letters.cuts - {len(letters.text)}):
                starts.setdefault(letters.text[cut], []).append((number, cut))
        return starts

    def _onward(self, wanted: Letters, at: int, inside: int | None) -> list[_Step]:
        """How far the text goes on from a place by one stretch; ``inside``: the line that stopped there in a word."""
        steps: list[_Step] = []
        if inside is None and at > 0 and wanted.text[at] in JOINTS:
            steps.append((at + 1, None, None))
        for number, cut in self._starts.get(wanted.text[at], ()):
            line = self._letters[number]
            if inside is not None and (cut or not aligned(self.lines[inside], self.lines[number])):
                continue
            for length in range(1, _common(wanted.text, at, line.text, cut) + 1):
                if cut + length in line.cuts and at + length in wanted.cuts:
                    steps.append((at + length, None, number))
                elif cut + length == len(line.text):
                    steps.append((at + length, number, number))
        return steps


_Step = tuple[int, int | None, int | None]  # where a stretch ends, the line if that is inside a word, and its line


@dataclass(frozen=True, slots=True)
class _Way:
    """How a place in a text was reached: in how many stretches, from where, and by which line."""

    pieces: int
    before: _Way | None
    line: int | None

    def lines(self) -> list[int]:
        """The numbers of the lines on the way, in order."""
        numbers: list[int] = []
        way: _Way | None = self
        while way is not None:
            if way.line is not None:
                numbers.append(way.line)
            way = way.before
        return numbers[::-1]


def aligned(line: Line, other: Line) -> bool:
    """Whether a line stands below or above another, or beside it: they share half of the smaller one's extent."""
    a, b = line.box, other.box
    across = min(a.right, b.right) - max(a.left, b.left) >= min(a.width, b.width) / 2
    return across or min(a.bottom, b.bottom) - max(a.top, b.top) >= min(a.height, b.height) / 2


def _touch(line: Line, other: Line) -> bool:
    """Whether two lines stand so close above each other as the letters of a word that is set downwards."""
    a, b = line.box, other.box
    gap = max(a.top, b.top) - min(a.bottom, b.bottom)
    return gap < _CLOSE * min(a.height, b.height) and min(a.right, b.right) > max(a.left, b.left)


def _days_of(text: str, *, letters: bool) -> set[Day]:
    """The days that a text may name: as running text, as a label, and by each short form in a label of few words."""
    words = text.split()
    days = {mention.day for mention in find_days(text)} | set(day_label(text))
    if len(words) > _LONGEST_LABEL:
        return days
    if _LETTERS.fullmatch(text):
        days.update(*resolve_labels([text]))
    for word in day_words(text, letters=letters):
        days.update(WEEK[day] for several in word.days.values() for day in several)
    return days


def _stacks(lines: Sequence[Line]) -> list[tuple[str, tuple[Line, ...]]]:
    """Words that are set one letter a line, below each other or side by side."""
    letters = [line for line in lines if len(line.text.strip()) == 1]
    stacks: list[list[Line]] = []
    for line in sorted(letters, key=lambda line: (line.box.top, line.box.left)):
        stack = next((stack for stack in stacks if aligned(stack[-1], line)), None)
        if stack is None:
            stacks.append([line])
        else:
            stack.append(line)
    return [("".join(line.text.strip() for line in stack), tuple(stack)) for stack in stacks if len(stack) > 1]


def _common(text: str, at: int, other: str, start: int) -> int:
    """How many characters two texts have in common from two places on."""
    longest = min(len(text) - at, len(other) - start)
    return next((count for count in range(longest) if text[at + count] != other[start + count]), longest)
