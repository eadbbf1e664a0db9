"""Letters misread as the student misreads them: confusions and their frequencies, counted on made lines."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from functools import cache
from itertools import accumulate

from numpy.random import Generator

# How often a letter of the truth was read as another ("" for not at all), on 2,000 printed lines of the held-out
# faces (bench/bench_held_out.py); pairs that came up at least four times.
CONFUSIONS: Mapping[tuple[str, str], int] = {
    (".", ""): 35, (" ", ""): 27, ("i", ""): 21, ("r", ""): 19, ("-", "–"): 18, (":", ""): 16, ("l", ""): 14,
    ("t", ""): 13, ("m", "n"): 12, ("3", "5"): 12, ("1", "I"): 12, ("o", "a"): 12, ("–", "-"): 11, ("1", ""): 11,
    ("n", ""): 10, ("í", "i"): 10, ("0", "o"): 10, ("—", "–"): 9, ("u", ""): 8, ("s", ""): 8, ("n", "r"): 8,
    ("o", ""): 7, ("m", ""): 7, ("a", ""): 7, (".", ","): 7, ("e", ""): 7, ("O", "0"): 7, ("0", ""): 6, ("a", "e"): 6,
    ("l", "i"): 6, ("s", "z"): 5, ("o", "e"): 5, ("I", ""): 5, ("O", "D"): 5, ("c", ""): 5, ("a", "o"): 5,
    ("M", "N"): 5, ("n", "m"): 4, (",", ""): 4, ("f", ""): 4, ("u", "w"): 4, ("i", "l"): 4, ("h", ""): 4, ("’", ""): 4,
    ("h", "t"): 4, ("l", "t"): 4, ("–", ""): 4, ("r", "n"): 4, ("m", "r"): 4, (":", "."): 4, ("p", "P"): 4,
    ("s", "r"): 4,
}  # fmt: skip


@cache
def _wrong(letter: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What a letter is read as, and the summed counts."""
    found = {read: count for (printed, read), count in CONFUSIONS.items() if printed == letter}
    return tuple(found) or ("",), tuple(accumulate(found.values())) or (1,)


def misread(text: str, rng: Generator, rate: float) -> str:
    """A text with about ``rate`` of its letters misread; never empty."""
    if rate <= 0:
        return text
    letters = []
    for letter in text:
        if rng.random() < rate:
            readings, sums = _wrong(letter)
            letters.append(readings[bisect(sums, rng.random() * sums[-1])])
        else:
            letters.append(letter)
    return " ".join("".join(letters).split()) or text
