"""How right a timetable is: blocks paired with the truth, counted, and turned into figures.

A gold block may carry ``accept``: overrides that are right as well (an unprinted split, a sub-title that may be part
of the name). Names are compared folded (see `pocai.evaluation.text.fold`) and are equal from a similarity of 0.85;
times are compared as minutes. Gold and prediction may be JSON in the host's shape, ``{"timetables": [...]}``,
one `Timetable` or several: several are scored as one, with the header of the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, TypeAlias

from pocai.evaluation.text import fold, similarity
from pocai.timetable.timetable import Timetable

NAME_SIMILARITY = 0.85

ScoredField: TypeAlias = Literal["day", "name", "startTime", "endTime"]
FIELDS: tuple[ScoredField, ...] = ("day", "name", "startTime", "endTime")
SLOT: frozenset[ScoredField] = frozenset(("day", "startTime", "endTime"))
NAMED: frozenset[ScoredField] = frozenset(("day", "name"))
HEADER = ("teacher", "className", "term", "year")

Json: TypeAlias = Mapping[str, Any]
Scorable: TypeAlias = Timetable | Sequence[Timetable] | Json | None

_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted; counts add up over documents, so that figures of a sum are micro averages."""

    golds: int = 0
    preds: int = 0
    block_hits: int = 0
    slot_hits: int = 0
    name_hits: int = 0
    note_words: int = 0
    note_found: int = 0
    header_asked: int = 0
    header_right: int = 0
    edits: int = 0
    exact: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def figures(self) -> Figures:
        """The figures of these counts."""
        return Figures(
            block=_f1(self.block_hits, self.golds, self.preds),
            slot=_f1(self.slot_hits, self.golds, self.preds),
            name=_f1(self.name_hits, self.golds, self.preds),
            notes=_share(self.note_found, self.note_words),
            header=_share(self.header_right, self.header_asked),
            edits=self.edits,
            exact=self.exact,
        )


class Figures(NamedTuple):
    """The figures of one document or of many.

    ``block``: F1 of blocks whose day, start, end and name are right (the headline); ``slot``: day, start and end;
    ``name``: day and name; ``notes``: share of the words of gold notes that are in the paired block; ``header``: share
    of the gold header fields that are right; all 0 to 1. ``edits``: field corrections that a person must still make
    (a wrong field 1, a surplus block 1, a missing block 4); ``exact``: documents without any.
    """

    block: float
    slot: float
    name: float
    notes: float
    header: float
    edits: int
    exact: int


class Pair(NamedTuple):
    """A gold block and the predicted block that stands for it, by index, with the fields that are right."""

    gold: int
    predicted: int
    right: frozenset[ScoredField]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of every block: paired, missing (gold indices) or surplus (predicted indices)."""

    pairs: tuple[Pair, ...]
    missing: tuple[int, ...]
    surplus: tuple[int, ...]
    header_wrong: tuple[str, ...]
    counts: Counts


class _Reading(NamedTuple):
    """One acceptable way to read a block, folded for comparison."""

    day: str
    name: str
    start: int | None
    end: int | None


class _Block(NamedTuple):
    readings: tuple[_Reading, ...]  # as given, then the acceptable variants
    notes: tuple[str, ...]
    name_words: tuple[str, ...]


def score(gold: Scorable, predicted: Scorable) -> Counts:
    """Count what is right in ``predicted``; None (no prediction) scores zero."""
    return compare(gold, predicted).counts


def compare(gold: Scorable, predicted: Scorable) -> Comparison:
    """Pair the blocks of both sides and count; indices are those of `blocks_of`."""
    truth, answer = _as_one(gold), _as_one(predicted)
    golds = [_parse(block) for block in _timeblocks(truth)]
    preds = [_parse(block) for block in _timeblocks(answer)]
    pairs = _pair(golds, preds)
    partner = {pair.gold: preds[pair.predicted] for pair in pairs}
    missing = tuple(sorted(set(range(len(golds))) - partner.keys()))
    surplus = tuple(sorted(set(range(len(preds))) - {pair.predicted for pair in pairs}))
    asked = [name for name in HEADER if truth.get(name) is not None]
    wrong = tuple(name for name in asked if not _header_right(name, truth[name], answer.get(name)))
    edits = (
        sum(len(FIELDS) - len(pair.right) for pair in pairs) + len(FIELDS) * len(missing) + len(surplus) + len(wrong)
    )
    counts = Counts(
        golds=len(golds),
        preds=len(preds),
        block_hits=sum(len(pair.right) == len(FIELDS) for pair in pairs),
        slot_hits=sum(pair.right >= SLOT for pair in pairs),
        name_hits=sum(pair.right >= NAMED for pair in pairs),
        note_words=sum(len(block.notes) for block in golds),
        note_found=sum(_notes_found(block, partner.get(index)) for index, block in enumerate(golds)),
        header_asked=len(asked),
        header_right=len(asked) - len(wrong),
        edits=edits,
        exact=int(edits == 0),
    )
    return Comparison(pairs, missing, surplus, wrong, counts)


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of many counts."""
    return sum(counts, Counts())


def blocks_of(timetable: Scorable) -> list[Json]:
    """The blocks as JSON objects in the host's camelCase, those of several timetables one after the other."""
    return list(_timeblocks(_as_one(timetable)))


def header_of(timetable: Scorable) -> dict[str, Any]:
    """The header fields that are scored; of several timetables those of the first."""
    whole = _as_one(timetable)
    return {name: whole.get(name) for name in HEADER}


def _as_one(timetable: Scorable) -> Json:
    if timetable is None:
        return {}
    if isinstance(timetable, Timetable):
        return timetable.model_dump(by_alias=True, mode="json")
    if isinstance(timetable, Mapping):
        several = timetable.get("timetables")
        return timetable if several is None else _joined(several)
    return _joined([each.model_dump(by_alias=True, mode="json") for each in timetable])


def _joined(several: Sequence[Json]) -> Json:
    first = dict(several[0]) if several else {}
    return first | {"timeblocks": [block for each in several for block in _timeblocks(each)]}


def _timeblocks(timetable: Json) -> Sequence[Json]:
    return timetable.get("timeblocks") or []


def _parse(block: Json) -> _Block:
    variants: list[Json] = block.get("accept") or []
    ways = [block, *({**block, **variant} for variant in variants)]
    if len(variants) > 1:
        merged = {name: value for variant in variants for name, value in variant.items()}
        ways.append({**block, **merged})
    return _Block(tuple(map(_reading, ways)), _folded_words(block.get("notes")), _folded_words(block.get("name")))


def _reading(block: Json) -> _Reading:
    return _Reading(
        fold(_text(block.get("day"))),
        fold(_text(block.get("name"))),
        _minutes(block.get("startTime")),
        _minutes(block.get("endTime")),
    )


def _text(value: object) -> str:
    return str(value or "")


def _minutes(time: object) -> int | None:
    match = _TIME.fullmatch(_text(time).strip())
    return int(match[1]) * 60 + int(match[2]) if match else None


def _folded_words(text: object) -> tuple[str, ...]:
    return tuple(fold(word) for word in _WORD.findall(_text(text)))


def _right_fields(gold: _Block, predicted: _Block) -> frozenset[ScoredField]:
    answer = predicted.readings[0]
    return max((_agreeing(reading, answer) for reading in gold.readings), key=len)


def _agreeing(gold: _Reading, answer: _Reading) -> frozenset[ScoredField]:
    agrees = (
        gold.day == answer.day,
        similarity(gold.name, answer.name) >= NAME_SIMILARITY,
        gold.start == answer.start,
        gold.end == answer.end,
    )
    return frozenset(name for name, right in zip(FIELDS, agrees, strict=True) if right)


def _pair(golds: Sequence[_Block], preds: Sequence[_Block]) -> tuple[Pair, ...]:
    """Greedy one-to-one pairing, best pairs first; a pair needs its day and one more field."""
    candidates = [
        (len(right), similarity(gold.readings[0].name, pred.readings[0].name), -i, -j, right)
        for i, gold in enumerate(golds)
        for j, pred in enumerate(preds)
        if "day" in (right := _right_fields(gold, pred)) and len(right) > 1
    ]
    pairs: list[Pair] = []
    used_golds: set[int] = set()
    used_preds: set[int] = set()
    for *_, minus_i, minus_j, right in sorted(candidates, key=lambda each: each[:4], reverse=True):
        if minus_i not in used_golds and minus_j not in used_preds:
            used_golds.add(minus_i)
            used_preds.add(minus_j)
            pairs.append(Pair(-minus_i, -minus_j, right))
    return tuple(pairs)


def _notes_found(gold: _Block, partner: _Block | None) -> int:
    if partner is None:
        return 0
    there = {*partner.notes, *partner.name_words}
    return sum(word in there for word in gold.notes)


def _header_right(name: str, gold: object, answer: object) -> bool:
    if name == "year":
        return gold == answer
    return similarity(fold(_text(gold)), fold(_text(answer))) >= NAME_SIMILARITY


def _f1(hits: int, golds: int, preds: int) -> float:
    return 1.0 if golds + preds == 0 else 2 * hits / (golds + preds)


def _share(part: int, whole: int) -> float:
    return 1.0 if whole == 0 else part / whole
