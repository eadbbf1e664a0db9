"""Where the names of corrected events are printed: on a line, on a part of one, or over several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import Levenshtein

from pocai.documents.page import Box
from pocai.training.document_model.label_page import LabelPage, Spot, letters_of

ALIKE = 0.8  # share of letters that must agree
BEGINS = 0.7  # and of the first line of several
MOST_LINES = 14  # of a name that is set one letter a line
CLOSE = 0.15  # by which a line's second best name may be worse
PART = 0.75  # what a name counts that is only a part of its line, and the rest is unexplained
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where a name may be printed: its lines, how well they say it (0 to 1), and the room that it has."""

    lines: tuple[int, ...]
    quality: float
    room: Box
    box: Box
    cell: int


def occurrences(page: LabelPage, names: dict[str, str]) -> dict[str, list[Occurrence]]:
    """The places of each name; ``names`` gives the letters of what may stand on a line beside it, its notes."""
    found = {name: list(_places(page, name, beside)) for name, beside in names.items()}
    best: dict[int, float] = {}
    for places in found.values():
        for place in places:
            for line in place.lines:
                best[line] = max(best.get(line, 0.0), place.quality)
    return {
        name: [place for place in places if all(place.quality >= best[line] - CLOSE for line in place.lines)]
        for name, places in found.items()
    }


def _places(page: LabelPage, name: str, beside: str) -> Iterator[Occurrence]:
    wanted = letters_of(name)
    if not wanted:
        return
    for spot in page.spots:
        quality = _on_line(spot, name, wanted, beside)
        lines: tuple[Spot, ...] = (spot,) if quality else ()
        for run, alike in _runs(page, spot, wanted):
            if alike > quality:
                lines, quality = run, alike
        if lines:
            boxes, rooms = [each.box for each in lines], [each.room for each in lines]
            yield Occurrence(
                tuple(each.number for each in lines), quality, Box.around(rooms), Box.around(boxes), lines[0].cell
            )


def _on_line(spot: Spot, name: str, wanted: str, beside: str) -> float:
    """How well a line says a name, alone or among other words; 0 where it does not."""
    whole = alike(spot.rest or spot.letters, wanted)
    if whole >= ALIKE:
        return whole
    words = tuple(letters_of(word) for word in _WORDS.findall(spot.line.text))
    count = len(_WORDS.findall(name))
    part = max((alike("".join(words[i : i + count]), wanted) for i in range(len(words) - count + 1)), default=0.0)
    if part < ALIKE or len(words) <= count:
        return 0.0
    others = [word for word in words if word not in wanted and not word.isdigit()]
    told = sum(len(word) for word in others if word in beside)
    all_of_them = sum(map(len, others))
    return part * (PART + (1 - PART) * 0.9 * (told / all_of_them if all_of_them else 1.0))


def _runs(page: LabelPage, spot: Spot, wanted: str) -> Iterator[tuple[tuple[Spot, ...], float]]:
    """Lines from one on that say a name together."""
    run, text = [spot], spot.rest or spot.letters
    if not text or alike(text, wanted[: len(text)]) < BEGINS or len(text) >= len(wanted):
        return
    while len(run) < MOST_LINES and len(text) < len(wanted):
        after = page.next[run[-1].number]
        if after < 0 or any(each.number == after for each in run):
            return
        run.append(page.spots[after])
        text += run[-1].rest
        likeness = alike(text, wanted)
        if likeness >= ALIKE:
            yield tuple(run), likeness


@lru_cache(maxsize=65536)
def alike(one: str, other: str) -> float:
    """Share of letters that agree; two or three letters must agree exactly."""
    if min(len(one), len(other)) <= 3:  # noqa: PLR2004 -- one letter is a third of them
        return float(one == other)
    return float(Levenshtein.normalized_similarity(one, other))


def numbers_of(places: Sequence[Occurrence]) -> set[int]:
    """The lines of some places."""
    return {line for place in places for line in place.lines}
