"""The letters of a text as they are compared: without case, spaces and dashes, and where words may be cut."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_SAME_SIGN = str.maketrans({**dict.fromkeys("‘’`´ʼ", "'"), **dict.fromkeys("“”„«»", '"')})
_LETTER, _DIGIT, _SIGN = range(3)


@dataclass(frozen=True, slots=True)
class Letters:
    """A text without case, spaces and dashes; ``cuts`` are the places in it, both ends among them, where words meet.

    Words meet at spaces and dashes, where letters stand beside figures or signs, and where a capital follows a small
    letter (a space that was not read).
    """

    text: str
    cuts: frozenset[int]


@lru_cache(maxsize=16384)
def letters_of(text: str) -> Letters:
    """The letters of a text after Unicode's NFKC."""
    written: list[str] = []
    cuts, length = {0}, 0
    before: tuple[int, bool] | None = None  # kind of the sign before this one, and whether it is a small letter
    for sign in unicodedata.normalize("NFKC", text).translate(_SAME_SIGN):
        category = unicodedata.category(sign)
        if category == "Cf":
            continue  # a soft hyphen or a mark of direction is no print
        if sign.isspace() or category == "Pd" or sign == "−":
            before = None
            cuts.add(length)
            continue
        kind = _kind(category)
        if before is None or kind == _SIGN or kind != before[0] or (before[1] and sign.isupper()):
            cuts.add(length)
        folded = sign.casefold()
        written.append(folded)
        length += len(folded)
        before = (kind, sign.islower())
    cuts.add(length)
    return Letters("".join(written), frozenset(cuts))


def _kind(category: str) -> int:
    if category[0] in "LM":
        return _LETTER
    return _DIGIT if category[0] == "N" else _SIGN
