"""How far the confidences of an extraction can be trusted: each of them beside whether its value was right.

A field is right when its block stands for a block of the truth (see `pocai.evaluation.timetables`) and agrees with it
in that field; all fields of a surplus block are wrong. A block is right when its day, times and name are. Its
confidence is what the extraction says of the whole block, not the product of its fields: fields of one block are wrong
together, so that a product is too low.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from pocai.evaluation.calibration import (
    Accepted,
    Interval,
    accepted_at,
    auroc,
    bootstrap,
    brier,
    expected_calibration_error,
    risk_coverage,
)
from pocai.evaluation.evaluate import Evaluated
from pocai.evaluation.slices import Slice
from pocai.evaluation.text import fold, similarity
from pocai.evaluation.timetables import FIELDS, NAME_SIMILARITY, Comparison, Json, Scorable, blocks_of, compare
from pocai.timetable.timetable import BlockField, Timetable

Subject: TypeAlias = Literal["day", "name", "startTime", "endTime", "notes", "block"]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)

_WORD = re.compile(r"\w+")
RISK = 0.01  # share of wrong values among those accepted that is asked for


class Claim(NamedTuple):
    """Something that an extraction says, how sure it is of it, and whether it is right."""

    subject: Subject
    confidence: float
    right: bool
    document: str
    slices: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """Figures of many claims about one thing.

    ``confidence`` is their mean, ``right`` the share that is right; ``ece`` is over ten equally wide bins, ``ece_mass``
    over ten bins of equal mass; ``ranking`` is the AUROC and ``area`` that under the risk-coverage curve; ``accepted``
    is the most that can be accepted while at most 1 % of it is wrong. Intervals are of 95 % over documents.
    """

    claims: int
    documents: int
    confidence: float
    right: float
    ece: float
    ece_mass: float
    brier: float
    ranking: float | None
    area: float
    accepted: Accepted | None
    ece_interval: Interval | None = None
    ranking_interval: Interval | None = None


def right_fields(gold: Scorable, timetables: Sequence[Timetable]) -> tuple[frozenset[BlockField], ...]:
    """For each predicted block, those of several timetables one after the other, which of its fields are right."""
    return _right_fields(gold, timetables, compare(gold, timetables or None))


def right_block(fields: frozenset[BlockField]) -> bool:
    """Whether a block with these right fields is right: its notes are not asked for."""
    return fields >= set(FIELDS)


def claims_of(documents: Iterable[Evaluated]) -> tuple[Claim, ...]:
    """All claims that carry a confidence, in the order of the documents, their blocks and fields."""
    return tuple(claim for document in documents for claim in _claims(document))


def trust_of(claims: Sequence[Claim], *, seed: int | None = None) -> Trust:
    """The figures of claims, of which there must be some; with a ``seed`` the intervals are drawn as well."""
    sure, right = [claim.confidence for claim in claims], [claim.right for claim in claims]
    names = [claim.document for claim in claims]
    intervals: dict[str, Interval | None] = {}
    if seed is not None:
        intervals["ece_interval"] = bootstrap(expected_calibration_error, sure, right, names, seed)
        intervals["ranking_interval"] = bootstrap(auroc, sure, right, names, seed)
    return Trust(
        claims=len(claims),
        documents=len(set(names)),
        confidence=sum(sure) / len(sure),
        right=sum(right) / len(right),
        ece=expected_calibration_error(sure, right),
        ece_mass=expected_calibration_error(sure, right, binning="mass"),
        brier=brier(sure, right),
        ranking=auroc(sure, right),
        area=risk_coverage(sure, right).area,
        accepted=accepted_at(sure, right, RISK),
        **intervals,
    )


def by_subject(claims: Iterable[Claim]) -> dict[Subject, tuple[Claim, ...]]:
    """The claims about each thing, blocks last; what nothing is said about is left out."""
    every = tuple(claims)
    parted = {subject: tuple(claim for claim in every if claim.subject == subject) for subject in SUBJECTS}
    return {subject: some for subject, some in parted.items() if some}


def by_slice(claims: Iterable[Claim]) -> dict[Slice, tuple[Claim, ...]]:
    """The claims of each slice, sorted by dimension and value."""
    every = tuple(claims)
    slices = sorted({each for claim in every for each in claim.slices})
    return {each: tuple(claim for claim in every if each in claim.slices) for each in slices}


def _claims(document: Evaluated) -> Iterable[Claim]:
    blocks = [block for timetable in document.predicted for block in timetable.timeblocks]
    right = _right_fields(document.gold, document.predicted, document.comparison)
    sure = [each for some in document.confidences for each in some] or [None] * len(blocks)
    for block, fields, confidence in zip(blocks, right, sure, strict=True):
        for field, mark in block.fields.items():
            if mark.confidence is not None and mark.reason is None:
                yield Claim(field, mark.confidence, field in fields, document.name, document.slices)
        if confidence is not None:
            yield Claim("block", confidence, right_block(fields), document.name, document.slices)


def _right_fields(
    gold: Scorable, timetables: Sequence[Timetable], comparison: Comparison
) -> tuple[frozenset[BlockField], ...]:
    truth = blocks_of(gold)
    answers = [block for timetable in timetables for block in timetable.timeblocks]
    found: list[frozenset[BlockField]] = [frozenset()] * len(answers)
    for pair in comparison.pairs:
        fields: set[BlockField] = set(pair.right)
        if _notes_right(truth[pair.gold], answers[pair.predicted].notes):
            fields.add("notes")
        found[pair.predicted] = frozenset(fields)
    return tuple(found)


def _notes_right(gold: Json, notes: str | None) -> bool:
    """Whether notes are those of the truth, or of one of its accepted variants; what stands in its name may be there.

    As everywhere in the evaluation small slips of reading are forgiven.
    """
    readings: list[Mapping[str, object]] = [gold, *({**gold, **variant} for variant in gold.get("accept") or ())]
    return any(_same_notes(reading, notes) for reading in readings)


def _same_notes(gold: Mapping[str, object], notes: str | None) -> bool:
    expected, said = str(gold.get("notes") or ""), notes or ""
    if similarity(fold(expected), fold(said)) >= NAME_SIMILARITY:
        return True
    wanted, there = _words(expected), _words(said)
    return bool(wanted) and wanted <= there <= wanted | _words(str(gold.get("name") or ""))


def _words(text: str) -> set[str]:
    return {fold(word) for word in _WORD.findall(text)}
