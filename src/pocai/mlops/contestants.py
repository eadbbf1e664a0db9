"""Candidate and champion of the gate: the folder of a model as something that reads the frozen set and is counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rapidfuzz.distance import Levenshtein

from pocai.documents.page import Document
from pocai.errors import PocaiError
from pocai.evaluation.slices import Slice
from pocai.evaluation.timetables import Counts, Json, score
from pocai.evaluation.trust import right_block, right_fields
from pocai.inference.certainty import certainty
from pocai.inference.document_service import RuleAssembler, RulesAndLayout
from pocai.mlops.bootstrap import Part
from pocai.mlops.frozen_set import FrozenDocument, FrozenLine, FrozenSet
from pocai.models.adapter import RUNTIME
from pocai.models.adapter_card import AdapterCard
from pocai.models.adapter_package import usable
from pocai.models.card import Card
from pocai.models.cascade import letters_of
from pocai.models.package import ModelKind
from pocai.models.protocols import DocumentModel, Reading, Recognizer
from pocai.settings import SchoolHours
from pocai.timetable.timetable import Timetable

BATCH = 8  # lines that a student is given at a time
LAYOUT, STUDENT = "layout.onnx", "student.onnx"
HOURS = SchoolHours()

Week: TypeAlias = tuple[Timetable, ...]
Claim: TypeAlias = tuple[float, bool]
"""A calibrated probability, and whether what it was stated of is right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a model did on one document or line: fractions by name, of which the first is what it is judged by.

    ``failed`` names the error where the model could not read it; then nothing of it counts as right.
    """

    name: str
    slices: tuple[Slice, ...]
    parts: Mapping[str, Part]
    claims: tuple[Claim, ...] = ()
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Posed:
    """A frozen document, and what the rules read on it: that is the same for every layout transformer."""

    document: FrozenDocument
    rules: Week


Item: TypeAlias = Posed | tuple[FrozenLine, ...]


class Contestant(Protocol):
    """A model that can be judged. ``title`` says in a few words which it is."""

    @property
    def title(self) -> str: ...

    def outcomes(self, item: Any) -> tuple[Outcome, ...]:
        """How it does on a document, or on some lines."""
        ...

    def again(self, item: Any) -> None:
        """Read it once more, to be timed; nothing is counted, and no failure raised."""
        ...


def items(frozen: FrozenSet, kind: ModelKind) -> Iterator[Item]:
    """What models of a kind are asked: documents, or lines in batches. Raises InputError for an altered set."""
    if kind.startswith("layout"):
        rules = RuleAssembler(HOURS)
        for document in frozen.documents():
            yield Posed(document, rules.assemble(document.document))
        return
    batch: list[FrozenLine] = []
    for line in frozen.lines():
        batch.append(line)
        if len(batch) == BATCH:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def contestant(folder: Path | None, kind: ModelKind, base: Path | None = None) -> Contestant:
    """The model in a folder, or the shipped one; of adapters the one in a folder on its ``base``, or that base alone.

    Raises ModelError where it cannot be loaded, or does not fit its base.
    """
    if kind.startswith("layout"):
        return _layout(folder, kind, base)
    return _student(folder, kind, base)


@dataclass(frozen=True, slots=True)
class LayoutContestant:
    """A layout transformer: alone, and (unless it has an adapter) beside the rules, as it is served by default."""

    title: str
    model: DocumentModel
    with_rules: bool = True

    @property
    def served(self) -> DocumentModel | None:
        """As it is served with the rules; None where it is served alone."""
        return RulesAndLayout(self.model, RuleAssembler(HOURS), HOURS) if self.with_rules else None

    def outcomes(self, item: Posed) -> tuple[Outcome, ...]:
        """One outcome: of blocks, slots and names, and of blocks as served."""
        truth, document = item.document.truth, item.document.document
        failed, judge = None, "rules"
        alone: Week = ()
        served = item.rules
        try:
            alone = self.model.assemble(document)
            served, judge = self._served(document, alone, item.rules)
        except PocaiError as error:
            failed = error.code
        except Exception as error:  # noqa: BLE001 -- a candidate that crashes is refused, it does not end the gate
            failed = type(error).__name__
        counts, together = score(truth, alone or None), score(truth, served or None)
        parts = {"block": _f1(counts, counts.block_hits), "slot": _f1(counts, counts.slot_hits)}
        parts |= {"name": _f1(counts, counts.name_hits), "served": _f1(together, together.block_hits)}
        claims = _claims(truth, served, document, judge)
        return (Outcome(item.document.name, item.document.slices, parts, claims, failed),)

    def again(self, item: Posed) -> None:
        """With the transformer alone: what the rules take is the same for all."""
        with suppress(Exception):  # failures are counted where outcomes are
            self.model.assemble(item.document.document)

    def _served(self, document: Document, alone: Week, rules: Week) -> tuple[Week, str]:
        """The timetables as served, and the document model whose confidence card speaks for them."""
        if not self.with_rules:
            return (alone, self.model.name) if alone else (rules, "rules")
        both = RulesAndLayout(_Said(self.model.name, alone), _Said("rules", rules), HOURS)
        return both.choose(document).timetables, both.name


@dataclass(frozen=True, slots=True)
class StudentContestant:
    """A student, which reads lines without its teacher; with an adapter or without."""

    title: str
    recognizer: Recognizer

    def outcomes(self, item: Sequence[FrozenLine]) -> tuple[Outcome, ...]:
        """One outcome for each line: of letters (1 - edits over letters) and of whole lines."""
        try:
            readings = self.recognizer.recognize([line.image for line in item])
        except Exception as error:  # noqa: BLE001 -- a candidate that crashes is refused, it does not end the gate
            code = error.code if isinstance(error, PocaiError) else type(error).__name__
            return tuple(_line_outcome(line, Reading("", 0.0), code) for line in item)
        return tuple(_line_outcome(*pair) for pair in zip(item, readings, strict=True))

    def again(self, item: Sequence[FrozenLine]) -> None:
        """All the lines together."""
        with suppress(Exception):  # failures are counted where outcomes are
            self.recognizer.recognize([line.image for line in item])


@dataclass(frozen=True, slots=True)
class _Said:
    """A document model whose answer is known already."""

    name: str
    answer: Week = field(repr=False)

    def assemble(self, document: Document) -> Week:
        del document
        return self.answer


def _layout(folder: Path | None, kind: ModelKind, base: Path | None) -> LayoutContestant:
    from pocai.models.layout import LayoutModel

    if kind == "layout":
        model = LayoutModel(HOURS, folder / LAYOUT if folder else None)
        return LayoutContestant(_title("layout", model.card), model)
    model = LayoutModel(HOURS, base / LAYOUT if base else None)
    if folder is None:
        return LayoutContestant(f"{_title('layout', model.card)}, no adapter", model, with_rules=False)
    with _usable(folder) as ready:
        return LayoutContestant(_adapter_title(ready), model.adapted(ready), with_rules=False)


def _student(folder: Path | None, kind: ModelKind, base: Path | None) -> StudentContestant:
    from pocai.models.adapter import AdaptableStudent, AdaptedRecognizer
    from pocai.models.recognizer import StudentRecognizer

    if kind == "student":
        plain = StudentRecognizer(1, folder / STUDENT if folder else None)
        return StudentContestant(_title("student", plain.card), plain)
    student = AdaptableStudent(1, base / STUDENT if base else None)
    if folder is None:
        return StudentContestant(f"{_title('student', student.card)}, no adapter", student)
    with _usable(folder) as ready:
        return StudentContestant(_adapter_title(ready), AdaptedRecognizer(student, ready))


@contextmanager
def _usable(folder: Path) -> Iterator[Path]:
    """An adapter as ONNX Runtime takes it; one of a package is written anew, until it is loaded."""
    if (folder / RUNTIME).is_file():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pocai-adapter-") as place:
        yield usable(folder, Path(place) / "adapter")


def _title(name: str, card: Card) -> str:
    return f"{name} {card.version} ({card.sha256[:12]})"


def _adapter_title(folder: Path) -> str:
    """Without its name, which may be a school's."""
    return f"adapter ({AdapterCard.read(folder).tensors_sha256[:12]})"


def _f1(counts: Counts, hits: int) -> Part:
    return Part(2 * hits, counts.golds + counts.preds)


def _claims(truth: Json, timetables: Week, document: Document, judge: str) -> tuple[Claim, ...]:
    """The calibrated confidences of blocks, each with whether the block is right."""
    sure = [each for some in certainty(timetables, document, judge, HOURS).blocks for each in some]
    right = [right_block(fields) for fields in right_fields(truth, timetables)]
    return tuple((each, good) for each, good in zip(sure, right, strict=True) if each is not None)


def _line_outcome(line: FrozenLine, reading: Reading, failed: str | None = None) -> Outcome:
    wanted, said = letters_of(line.text), letters_of(reading.text)
    edits = min(len(wanted), Levenshtein.distance(wanted, said))
    parts = {"letters": Part(len(wanted) - edits, len(wanted)), "lines": Part(wanted == said, 1)}
    claims = () if reading.probability is None else ((reading.probability, wanted == said),)
    return Outcome(line.name, line.slices, parts, claims, failed)
