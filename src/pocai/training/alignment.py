"""Which read line a corrected text is printed on: only where there is no doubt about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from rapidfuzz.distance import Levenshtein

ALIKE_IN_PLACE = 0.6  # share of letters that must agree where a box says which lines it can be
ALIKE_ANYWHERE = 0.75  # and where any line of the page can be
MARGIN = 0.1  # by which the likeliest place must be better than the next
MOST_LINES = 4  # lines that one text may be spread over
MOST_WORDS = 40

Doubt = Literal["no whole line reads like it", "several lines could be it"]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring lines, from ``first`` up to ``end``, and how much their text is like the wanted one (0 to 1)."""

    first: int
    end: int
    likeness: float


def in_place(text: str, readings: Sequence[str]) -> dict[int, str] | Doubt:
    """The part of ``text`` on each line, by its number, where some neighbouring ``readings`` say it from end to end.

    The best run of lines is taken, at least `ALIKE_IN_PLACE` like the text, unless another run apart from it is as
    good but for `MARGIN`. Each line must be covered (see `covers`).
    """
    runs = sorted(_runs(text, readings), key=lambda run: -run.likeness)
    if not runs or runs[0].likeness < ALIKE_IN_PLACE:
        return "no whole line reads like it"
    best = runs[0]
    apart = (run for run in runs if run.first >= best.end or run.end <= best.first)
    if any(run.likeness > best.likeness - MARGIN for run in apart):
        return "several lines could be it"
    parts = _shared_out(text.split(), readings[best.first : best.end])
    lines = range(best.first, best.end)
    if not all(_fits(readings[line], part, ALIKE_IN_PLACE) for line, part in zip(lines, parts, strict=True)):
        return "no whole line reads like it"
    return dict(zip(lines, parts, strict=True))


def anywhere(texts: Sequence[str], readings: Sequence[str]) -> Mapping[int, str]:
    """For the number of each reading the one of ``texts`` that it is, from end to end.

    A reading is left out where no text is `ALIKE_ANYWHERE` like it, or where two are, and nearly as much.
    """
    found = {}
    for number, reading in enumerate(readings):
        ranked = sorted(((_likeness(reading, text), text) for text in set(texts)), reverse=True)[:2]
        if not ranked or not _fits(reading, ranked[0][1], ALIKE_ANYWHERE):
            continue
        if len(ranked) == 1 or ranked[0][0] - ranked[1][0] >= MARGIN:
            found[number] = ranked[0][1]
    return found


def covers(reading: str, text: str) -> bool:
    """Whether two texts are of the same stretch of print: nothing left over at an end, at most one letter inside.

    A line that says more than the corrected text would otherwise teach the network to leave things out.
    """
    codes = list(Levenshtein.opcodes(reading, text))
    for number, code in enumerate(codes):
        if code.tag not in {"delete", "insert"}:
            continue
        left_over = reading[code.src_start : code.src_end] + text[code.dest_start : code.dest_end]
        at_end = number in {0, len(codes) - 1}
        if sum(letter.isalnum() for letter in left_over) > (0 if at_end else 1):
            return False
    return True


def _fits(reading: str, text: str, least: float) -> bool:
    return bool(text) and _likeness(reading, text) >= least and covers(reading, text)


def _likeness(one: str, other: str) -> float:
    """1 less the edits from one text to the other (Levenshtein 1966) over the letters of the longer one."""
    return float(Levenshtein.normalized_similarity(one, other))


def _runs(text: str, readings: Sequence[str]) -> Iterator[_Run]:
    for first in range(len(readings)):
        for end in range(first + 1, min(first + MOST_LINES, len(readings), first + len(text.split())) + 1):
            yield _Run(first, end, _likeness(" ".join(readings[first:end]), text))


def _shared_out(words: Sequence[str], readings: Sequence[str]) -> list[str]:
    """The words in as many parts as there are readings, in order, each as near to its reading as can be."""
    if len(words) > MOST_WORDS:
        return [""] * len(readings)
    places = ((0, *cuts, len(words)) for cuts in combinations(range(1, len(words)), len(readings) - 1))
    ways = ([" ".join(words[start:end]) for start, end in pairwise(cuts)] for cuts in places)
    return min(ways, key=lambda parts: sum(map(Levenshtein.distance, parts, readings)))
