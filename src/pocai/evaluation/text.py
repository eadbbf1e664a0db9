"""How close a text is to the one that is printed: folding, similarity, error rates, word recall."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_APOSTROPHES = dict.fromkeys(map(ord, "‘’`´"), "'")
_SAME_SIGN = str.maketrans(_DASHES | _APOSTROPHES)
_WHITE = re.compile(r"\s+")
_BREAKS = re.compile(r"[\s\-]+")


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Edits (insertions, deletions, substitutions) against a reference of ``length`` characters or words.

    Counts add up, so that ``sum`` over documents gives the micro average.
    """

    edits: int = 0
    length: int = 0

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(self.edits + other.edits, self.length + other.length)

    @property
    def rate(self) -> float:
        """Edits a reference unit: 0.0 is perfect, above 1.0 is possible; an empty reference counts as one unit."""
        return self.edits / max(1, self.length)


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the ``total`` printed words were ``found``; recalls add up over documents."""

    found: int = 0
    total: int = 0

    def __add__(self, other: Recall) -> Recall:
        return Recall(self.found + other.found, self.total + other.total)

    @property
    def share(self) -> float:
        """Found over total, 0 to 1; 1.0 where there was nothing to find."""
        return 1.0 if self.total == 0 else self.found / self.total


def unify(text: str) -> str:
    """Text as it is compared, white space kept: Unicode NFKC, one dash, one apostrophe, case folded."""
    return unicodedata.normalize("NFKC", text).translate(_SAME_SIGN).casefold()


def fold(text: str) -> str:
    """Text as it is compared: `unify` and no white space at all."""
    return _WHITE.sub("", unify(text))


def similarity(left: str, right: str) -> float:
    """1 - edit distance over the longer length, 0 to 1, of two texts that are already folded."""
    longest = max(len(left), len(right))
    return 1.0 if longest == 0 else 1 - Levenshtein.distance(left, right) / longest


def character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Character edits (CER is ``.rate``): both texts unified, runs of white space counting as one blank."""
    expected, read = (_WHITE.sub(" ", unify(text)).strip() for text in (reference, hypothesis))
    return ErrorCount(Levenshtein.distance(expected, read), len(expected))


def word_errors(reference: str | Sequence[str], hypothesis: str | Sequence[str]) -> ErrorCount:
    """Word edits (WER is ``.rate``) between two texts, or two lists of words, in reading order."""
    expected, read = words_of(reference), words_of(hypothesis)
    return ErrorCount(Levenshtein.distance(expected, read), len(expected))


def word_recall(reference: str | Sequence[str], hypothesis: str | Sequence[str]) -> Recall:
    """How many of the printed words were read, in whatever order; each read word serves once (multisets)."""
    expected, read = Counter(words_of(reference)), Counter(words_of(hypothesis))
    return Recall((expected & read).total(), expected.total())


def words_of(text: str | Iterable[str]) -> list[str]:
    """The words as they are measured: unified, cut at blanks and dashes, tokens of pure punctuation dropped.

    Dashes cut because "9:00 – 9:45" and "9:00–9:45" print the same; both sides are cut alike.
    """
    whole = text if isinstance(text, str) else " ".join(text)
    return [token for token in _BREAKS.split(unify(whole)) if any(sign.isalnum() for sign in token)]
