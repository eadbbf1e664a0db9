"""Figures of what a block says, without a word of any language: kinds of characters, lengths, repetition, support."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from rapidfuzz.fuzz import partial_ratio

from pocai.models.evidence.scene import ABSENT, Matrix, Scene
from pocai.timetable.days import day_label
from pocai.timetable.timetable import Mark, TimeBlock

NAMES = (
    "name.length",
    "name.words",
    "name.letters",
    "name.digits",
    "name.signs",
    "name.clock",
    "name.day",
    "name.single",
    "name.mixed",
    "name.small",
    "name.alike",
    "name.shared words",
    "name.near",
    "name.support",
    "notes.length",
    "notes.digits",
    "notes.clock",
    "notes.support",
    "text.left over",
)
_CLOCK = re.compile(r"\d\s?[.:h]\s?\d|\d\s?[-–—]\s?\d|\d{3}")
_MIXED = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_LONGEST = 80  # letters; a longer text counts as this long
_MOST = 40  # blocks of one name


def figures(scene: Scene) -> Matrix:
    """``(blocks, len(NAMES))``.

    ``letters``, ``digits`` and ``signs`` are shares of the characters; ``single`` is the share of words of one
    character, ``mixed`` whether letters and digits touch; ``alike`` counts the blocks of the same name, ``near`` is how
    alike the nearest other name is (a misread one), ``support`` how much of the text stands under the mark, and
    ``left over`` how many of the characters there are in no field.
    """
    names = [_plain(block.name) for block in scene.blocks]
    counted = Counter(names)
    words = Counter(word for name in counted for word in set(name.split()))
    nearest = {name: _nearest(name, counted) for name in counted}
    rows = []
    for block, name in zip(scene.blocks, names, strict=True):
        own = set(name.split())
        shared = sum(words[word] > 1 for word in own) / len(own) if own else 0.0
        alike = float(min(counted[name], _MOST))
        rows.append([*_of_name(block.name), alike, shared, nearest[name], *_of_marks(block, scene)])
    return np.array(rows, np.float64).reshape(-1, len(NAMES))


def _of_name(name: str) -> list[float]:
    words = name.split()
    kinds = Counter(_kind(sign) for sign in name if not sign.isspace())
    whole = max(1, kinds.total())
    return [
        float(min(len(name), _LONGEST)),
        float(len(words)),
        kinds["letter"] / whole,
        kinds["digit"] / whole,
        kinds["sign"] / whole,
        float(bool(_CLOCK.search(name))),
        float(day_label(name) is not None),
        sum(len(word) == 1 for word in words) / max(1, len(words)),
        float(bool(_MIXED.search(name))),
        float(name[:1].islower()),
    ]


def _of_marks(block: TimeBlock, scene: Scene) -> list[float]:
    """Support of the name; length, digits, clock and support of the notes; what is left over under the name's mark."""
    mark = block.fields.get("name")
    below = _below(mark, scene)
    notes = block.notes or ""
    said = sum(len(_plain(text)) for text in (block.name, notes))
    left_over = max(0, len(below) - said) / max(1, len(below)) if below else ABSENT
    if not notes:
        return [_support(block.name, below), ABSENT, ABSENT, ABSENT, ABSENT, left_over]
    return [
        _support(block.name, below),
        float(min(len(notes), _LONGEST)),
        sum(sign.isdigit() for sign in notes) / len(notes),
        float(bool(_CLOCK.search(notes))),
        _support(notes, _below(block.fields.get("notes"), scene)),
        left_over,
    ]


def _below(mark: Mark | None, scene: Scene) -> str:
    page = scene.page_of(mark)
    if mark is None or page is None:
        return ""
    return _plain(" ".join(page.lines[number].text for number in scene.lines_of(mark)))


def _support(text: str, below: str) -> float:
    plain = _plain(text)
    return partial_ratio(plain, below) / 100 if plain and below else ABSENT


def _nearest(name: str, names: Sequence[str] | Counter[str]) -> float:
    """How alike the most similar other name of about the same length is, 0 to 1."""
    near = [other for other in names if other != name and abs(len(other) - len(name)) <= 2]  # noqa: PLR2004 -- two slips
    return max((_alike(name, other) for other in near), default=0.0)


def _alike(name: str, other: str) -> float:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_similarity(name, other)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _kind(sign: str) -> str:
    if sign.isalpha() or unicodedata.combining(sign):
        return "letter"
    return "digit" if sign.isdigit() else "sign"
