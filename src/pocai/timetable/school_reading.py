"""Lines in doubt, read as a school's earlier timetables suggest: only between what the recognizer itself proposed.

A line's proposals are its alternatives, and its words replaced by the words that alternatives have in their places. A
proposal is taken for its times where these are periods of the school and the times that were read are not, and for its
words where the school has printed them and has not printed those that were read. Lines without alternatives stay as
they are, and so does all native text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Literal, Self

from pocai.documents.page import Document, Line, Page, Point, Word, on_source
from pocai.timetable.clock import TimeSpan
from pocai.timetable.school import SchoolMemory
from pocai.timetable.school_periods import LEAST, Periods
from pocai.timetable.times import find_times

KEPT = 0.5  # share of a document's lines with times that must be the school's, before it decides about times
MOST = 64  # combinations of words that are looked at in one line
SHORTEST = 3  # characters of a word that may be replaced
FEWEST = 3  # digits of a line without a time that may yet be one

Kind = Literal["time", "words"]


@dataclass(frozen=True, slots=True)
class Mended:
    """A line that the school decided: its page, its middle on the uploaded page, and what of it was decided."""

    page: int
    middle: Point
    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reader:
    """Chooses between the proposals for a line: ``words`` are those of the school's names and notes."""

    words: frozenset[str]
    periods: Periods

    @classmethod
    def of(cls, memory: SchoolMemory) -> Self:
        """From all names, notes and periods that were printed at least `LEAST` times."""
        texts = (text for counts in (memory.names, memory.notes) for text in _often(counts))
        return cls(frozenset(word for text in texts for word in text.split()), Periods.of(memory))

    def at(self, document: Document) -> Self:
        """This reader for a document; it leaves times alone in one whose printed times are mostly not the school's."""
        found = [times_of(line.text) for page in document.pages for line in page.lines]
        kept = [all(map(self.periods.fits, spans)) for spans in found if spans]
        return self if sum(kept) >= KEPT * len(kept) else replace(self, periods=Periods.of(SchoolMemory()))

    def chosen(self, text: str, alternatives: Sequence[str]) -> tuple[str, frozenset[Kind]]:
        """What a line that was read as ``text`` says, and in which respect the school decided it."""
        kinds: set[Kind] = set()
        by_time = self._by_times(text, alternatives)
        if by_time is not None:
            kinds.add("time")
            text = by_time
        by_words = self._by_words(text, alternatives)
        if by_words is not None:
            kinds.add("words")
            text = by_words
        return text, frozenset(kinds)

    def _by_times(self, text: str, alternatives: Sequence[str]) -> str | None:
        """The first proposal of which all times fit, where those of the text do not or lack an end."""
        own = times_of(text)
        fit = bool(own) and all(map(self.periods.fits, own))
        if not self.periods.pairs or (fit and all(span.end is not None for span in own)):
            return None
        if not own and sum(letter.isdigit() for letter in text) < FEWEST:
            return None
        for proposal in proposals(text, alternatives):
            spans = times_of(proposal)
            better = _ends(spans) > _ends(own) if fit else _ends(spans) >= _ends(own)
            if spans and len(spans) >= len(own) and all(map(self.periods.fits, spans)) and better:
                return proposal
        return None

    def _by_words(self, text: str, alternatives: Sequence[str]) -> str | None:
        """The text with words of the school in place of words that are not, or a proposal of nothing but such words."""
        words = text.split()
        if all(word in self.words for word in words):
            return None
        timed = [any(letter.isdigit() for letter in word) and bool(times_of(word)) for word in words]
        options = list(zip(*_alike(words, alternatives), strict=True)) or [()] * len(words)
        better = [
            word if word in self.words or fixed else self._known(word, option)
            for word, option, fixed in zip(words, options, timed, strict=True)
        ]
        if better != words:
            return " ".join(better)
        for proposal in alternatives:
            parts = proposal.split()
            if len(parts) != len(words) and self._all_known(parts) and _keeps_signs(proposal, text):
                return proposal
        return None

    def _known(self, word: str, options: Sequence[str]) -> str:
        if len(word) < SHORTEST:
            return word
        return next((each for each in options if each in self.words and _may_replace(each, word)), word)

    def _all_known(self, words: Sequence[str]) -> bool:
        return all(word in self.words for word in words) and any(len(word) >= SHORTEST for word in words)


def mended(document: Document, memory: SchoolMemory) -> tuple[Document, tuple[Mended, ...]]:
    """The document with the lines that the school decides, and which these are."""
    reader = Reader.of(memory).at(document)
    pages, changes = [], []
    for page in document.pages:
        lines = [_mended(line, reader) for line in page.lines]
        changes += [
            Mended(page.number, _middle(page, line), line.text, kind) for line, kinds in lines for kind in sorted(kinds)
        ]
        pages.append(page.with_lines([line for line, _ in lines]) if any(kinds for _, kinds in lines) else page)
    return (replace(document, pages=tuple(pages)) if changes else document), tuple(changes)


def times_of(text: str) -> tuple[TimeSpan, ...]:
    """The times of a line; of one that is nothing else, however little its notation says."""
    spans = find_times(text)
    if spans:
        return spans
    return tuple(span for span in find_times(text, bare=True) if span.start and span.end)


def proposals(text: str, alternatives: Sequence[str]) -> Iterator[str]:
    """The alternatives, and then combinations of the words of those that have as many words as the text."""
    yield from alternatives
    words = text.split()
    places = [tuple(dict.fromkeys(place)) for place in zip(words, *_alike(words, alternatives), strict=True)]
    if len(places) > 1:
        known = {text, *alternatives}
        for some in islice(product(*places), MOST):
            if (proposal := " ".join(some)) not in known:
                yield proposal


def _alike(words: Sequence[str], alternatives: Sequence[str]) -> list[list[str]]:
    """The words of the alternatives that have as many as were read."""
    return [parts for parts in (each.split() for each in alternatives) if len(parts) == len(words)]


def _ends(spans: Sequence[TimeSpan]) -> int:
    """How many of the times have an end: no proposal may lose one that was read."""
    return sum(span.end is not None for span in spans)


def _may_replace(word: str, read: str) -> bool:
    """Whether a word may stand for the one that was read: a digit never stands for another one, nor for none."""
    if not any(letter.isdigit() for letter in word + read):
        return True
    return len(word) == len(read) and all(
        one == other or (one.isdigit() and not other.isdigit()) for one, other in zip(word, read, strict=True)
    )


def _keeps_signs(proposal: str, text: str) -> bool:
    """Whether a proposal has the digits that were read, and says more than that other signs stand between the words."""
    if re.sub(r"\D", "", proposal) != re.sub(r"\D", "", text):
        return False
    squeezed, read = ("".join(each.split()) for each in (proposal, text))
    return squeezed == read or re.sub(r"[\W_]", "", squeezed) != re.sub(r"[\W_]", "", read)


def _often(counts: Mapping[str, int]) -> list[str]:
    return [text for text, count in counts.items() if count >= LEAST]


def _mended(line: Line, reader: Reader) -> tuple[Line, frozenset[Kind]]:
    if line.source != "ocr" or not line.alternatives:
        return line, frozenset()
    text, kinds = reader.chosen(line.text, line.alternatives)
    if not kinds:
        return line, kinds
    others = dict.fromkeys((line.text, *line.alternatives))
    others.pop(text, None)
    return replace(line, text=text, words=_reworded(line, text), alternatives=tuple(others)), kinds


def _reworded(line: Line, text: str) -> tuple[Word, ...]:
    """The words of another text in the places of those that were read; none where their number differs."""
    parts = text.split()
    if len(parts) != len(line.words):
        return ()
    return tuple(replace(word, text=part) for word, part in zip(line.words, parts, strict=True))


def _middle(page: Page, line: Line) -> Point:
    return on_source(line.box, page.to_source).center
