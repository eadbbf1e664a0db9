"""Letters that look like digits: "1O" in a column of periods is 10."""

from __future__ import annotations

import re
from dataclasses import replace

from pocai.models.protocols import Reading

_NUMBER = re.compile(r"\d[\dO]*(?:[.:]?[\dO]+)*[.:]?")  # a word that is a number, but for an O or two
_DIGITS = str.maketrans("O", "0")


def digits_in_numbers(reading: Reading) -> Reading:
    """The reading with each O as 0 in words that begin with a digit and hold nothing but digits, O, "." and ":".

    No type face tells the two apart for certain, and of such words hardly one is a name.
    """
    if reading.alternatives:
        others = dict.fromkeys(_in_numbers(text) for text in reading.alternatives)
        others.pop(_in_numbers(reading.text), None)
        reading = replace(reading, alternatives=tuple(others))
    if "O" not in reading.text:
        return reading
    words = tuple((_as_number(word), *rest) for word, *rest in reading.words)
    return replace(reading, text=_in_numbers(reading.text), words=words)  # type: ignore[arg-type]  # mypy: a tuple unpacked


def _in_numbers(text: str) -> str:
    return re.sub(r"\S+", lambda word: _as_number(word[0]), text)


def _as_number(word: str) -> str:
    return word.translate(_DIGITS) if _NUMBER.fullmatch(word) else word
