"""How field confidence is fitted: made documents are read, what came out is judged, and an ensemble learns from it.

Three sets of documents, none of which shares a seed with another: the ensembles grow on ``fit``, are calibrated on
``calibrate``, and the figures in the card are of ``test``. The first is of layouts to train on; half of each of the
others is of layouts and type faces that are kept for tests, so that the confidence is that on documents of a kind that
no model was trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.evaluation.calibration import accepted_at, auroc, brier, expected_calibration_error, guaranteed
from pocai.evaluation.trust import RISK
from pocai.models.evidence.features import NAMES
from pocai.models.evidence.scene import FIELDS
from pocai.models.field_confidence import (
    ASKED,
    BLOCK_FIGURES,
    BlockModel,
    Ensemble,
    FieldConfidenceCard,
    block_figures_of,
    card_name,
)
from pocai.synthetic.dataset import write_documents
from pocai.synthetic.made_document import Amount, DocumentSet, Format
from pocai.timetable.timetable import BlockField
from pocai.training.document_model.boosting import Boosting, grow
from pocai.training.document_model.judged_documents import JudgedSet, Read, judge_documents, judged_set
from pocai.training.document_model.logistic import calibrated, logistic_regression

Part: TypeAlias = Literal["fit", "calibrate", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Vector: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told what is done (a set of documents), how much of it, and how much there is."""

MIXED: tuple[Format, ...] = ("png", "jpeg", "scan", "pdf", "jpeg", "png", "docx", "xlsx")  # most errors are in pictures
_APART = 1_000_000  # seeds between two sets
_RIDGE = 1.0  # of the block model
_LEVEL = 0.8  # with which the threshold keeps its risk
_RISING = BLOCK_FIGURES.index("no day")  # the figures before it may only make a block surer
_LICENCE = "MIT"


@dataclass(frozen=True, slots=True)
class ConfidencePlan:
    """What field confidence is fitted on, and how.

    ``fit``, ``calibrate`` and ``test`` are numbers of documents; ``document_model`` made the timetables. ``processes``
    read documents and change nothing else.
    """

    seed: int = 70_000_001
    fit: int = 300
    calibrate: int = 100
    test: int = 200
    formats: tuple[Format, ...] = MIXED
    damage: Amount = "mixed"
    document_model: str = "rules"
    version: str = "0"
    boosting: Boosting = field(default_factory=Boosting)
    processes: int = 1

    @classmethod
    def of(cls, documents: int, document_model: str, *, version: str = "0", processes: int = 1) -> Self:
        """A plan for a number of documents: half of them to fit on, a quarter each to calibrate and to test on."""
        quarter = max(2, documents // 4)
        return cls(
            fit=max(1, documents - 2 * quarter),
            calibrate=quarter,
            test=quarter,
            document_model=document_model,
            version=version,
            processes=processes,
        )

    def sets(self, part: Part) -> dict[str, DocumentSet]:
        """The sets of made documents of a part, by the name of their folder."""
        first = self.seed + _APART * (2 * PARTS.index(part))
        count: int = getattr(self, part)
        if part == "fit":
            return {part: DocumentSet(first, count, self.formats, self.damage, "train", "train")}
        held = count // 2
        return {
            f"{part}-known": DocumentSet(first, count - held, self.formats, self.damage, "train", "train"),
            f"{part}-held-out": DocumentSet(first + _APART, held, self.formats, self.damage, "test", "test"),
        }


def fit(
    folder: Path, output: Path, read: Read, plan: ConfidencePlan | None = None, progress: Progress | None = None
) -> FieldConfidenceCard:
    """Make and read the documents of a plan in ``folder``, fit, and write the card to the folder ``output``.

    ``read`` reads one document; with several processes it must be a function that can be pickled. What is in ``folder``
    from an interrupted call of the same plan is not done again, and plans that differ in the document model alone share
    the documents. The card has the name of the document model and is given back. Raises ConfigurationError where the
    folder holds something else, InputError where too little can be read to learn from.
    """
    plan = plan or ConfidencePlan()
    parts = {part: _part(folder, part, plan, read, progress) for part in PARTS}
    card = fitted(parts["fit"], parts["calibrate"], plan)
    card = card.model_copy(update={"metrics": measured(card, parts["test"])})
    output.mkdir(parents=True, exist_ok=True)
    card.write(output / card_name(plan.document_model))
    return card


def _part(folder: Path, part: Part, plan: ConfidencePlan, read: Read, progress: Progress | None) -> JudgedSet:
    """All documents of a part, judged."""
    files: list[Path] = []
    for name, made in plan.sets(part).items():
        if made.count:
            tell = None if progress is None else (lambda done, name=name, made=made: progress(name, done, made.count))
            write_documents(folder / "documents" / name, made, tell)
            told = None if progress is None else (lambda done, all_, name=name: progress(f"{name} read", done, all_))
            origin = {"document_model": plan.document_model, "pocai": version("pocai")}
            target = folder / "judged" / plan.document_model / name
            files += judge_documents(folder / "documents" / name, target, read, (plan.processes, origin), told)
    return judged_set(files)


def fitted(fit_on: JudgedSet, calibrate_on: JudgedSet, plan: ConfidencePlan) -> FieldConfidenceCard:
    """The card of ensembles grown on one set and calibrated on the other; without metrics.

    Raises InputError where a field that makes a block right occurs in neither.
    """
    fields: dict[BlockField, Ensemble] = {}
    for number, name in enumerate(FIELDS):
        grown_on, held = fit_on.of(name), calibrate_on.of(name)
        if not grown_on.any() or not held.any():
            if name in ASKED:
                raise InputError(f"no {name} was found in any document", mend="Read more documents")
            continue
        rows, right, documents = fit_on.figures[grown_on], fit_on.right(name)[grown_on], fit_on.documents[grown_on]
        ensemble = grow(rows, right, documents, plan.boosting, plan.seed + number)
        fields[name] = calibrated(ensemble, calibrate_on.figures[held], calibrate_on.right(name)[held])
    block = _block_model(fields, calibrate_on)
    sure = block.probabilities(figures_of_blocks(fields, calibrate_on))
    content = hashlib.sha256(f"{fit_on.sha256}{calibrate_on.sha256}".encode()).hexdigest()
    return FieldConfidenceCard(
        name="field-confidence",
        version=plan.version,
        licence=_LICENCE,
        features=NAMES,
        fields=fields,
        block=block,
        document_model=plan.document_model,
        readers=tuple(sorted({*fit_on.readers, *calibrate_on.readers})),
        accept_block=_threshold(sure, calibrate_on),
        recipe=_recipe(plan),
        data_sha256=content,
        trained_on=f"{fit_on.count} made documents, calibrated on {calibrate_on.count} others",
        limits=("made documents in six languages; how sure it is of other kinds of documents was not calibrated",),
    )


def _threshold(sure: Vector, judged: JudgedSet) -> float | None:
    """From which confidence at most 1 % of the blocks is wrong, of all documents and of photographs by themselves.

    Where there are too few documents to be certain of that, half as many are allowed on those that there are.
    """
    right, found = judged.right("block"), []
    for some in (np.ones(len(sure), np.bool_), judged.photographs):
        if some.any():
            chosen = guaranteed(sure[some], right[some], RISK, _LEVEL, judged.documents[some].tolist())
            chosen = chosen or accepted_at(sure[some], right[some], RISK / 2)
            if chosen is None:
                return None
            found.append(chosen.threshold)
    return round(max(found), 4)  # as the confidences of blocks are


def _recipe(plan: ConfidencePlan) -> dict[str, Any]:
    recipe: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    recipe.pop("processes")
    return recipe


def _block_model(fields: dict[BlockField, Ensemble], judged: JudgedSet) -> BlockModel:
    """Fitted on the calibration documents, in whose fields' confidences nothing was learned by heart."""
    rows, right = figures_of_blocks(fields, judged), judged.right("block")
    kept = list(range(rows.shape[1]))
    while True:
        *weights, bias = logistic_regression(rows[:, kept], right.astype(np.float64), _RIDGE).tolist()
        against = [place for place, weight in zip(kept, weights, strict=True) if place < _RISING and weight < 0]
        if not against:
            break
        kept.remove(against[0])  # a surer field must not make a block less sure
    whole = [0.0] * rows.shape[1]
    for place, weight in zip(kept, weights, strict=True):
        whole[place] = weight
    return BlockModel(weights=tuple(whole), bias=bias, values=len(right), right=float(right.mean()))


def figures_of_blocks(fields: dict[BlockField, Ensemble], judged: JudgedSet) -> Matrix:
    """`BLOCK_FIGURES` of every block of a set, from the confidences that the ensembles give its fields."""
    sure = np.column_stack(
        [np.where(judged.of(name), fields[name].probabilities(judged.figures), np.nan) for name in ASKED]
    )
    rows = np.empty((len(sure), len(BLOCK_FIGURES)))
    for timetable in np.unique(judged.timetables):
        inside = judged.timetables == timetable
        rows[inside] = block_figures_of(sure[inside], judged.missing[inside])
    return rows


def measured(card: FieldConfidenceCard, judged: JudgedSet) -> dict[str, dict[str, float]]:
    """How good the confidences are on judged documents: of each field and of blocks, over all and by slice.

    ``values``, ``right`` (share), ``ece``, ``brier``; ``auroc`` where both right and wrong ones occur; of blocks also
    ``coverage`` and ``risk`` at the card's threshold.
    """
    sure: dict[str, Matrix] = {name: ensemble.probabilities(judged.figures) for name, ensemble in card.fields.items()}
    sure["block"] = card.block.probabilities(figures_of_blocks(dict(card.fields), judged))
    found = {}
    for name, confidences in sure.items():
        there = judged.of(name)
        if there.any():
            found[name] = _figures(confidences[there], judged.right(name)[there], card, name)
    for slice_, inside in {"photographs": judged.photographs, **judged.by_slice()}.items():
        if not inside.any():
            continue
        found[f"block, {slice_}"] = _figures(sure["block"][inside], judged.right("block")[inside], card, "block")
    return found


def _figures(sure: Matrix, right: Flags, card: FieldConfidenceCard, name: str) -> dict[str, float]:
    figures = {
        "values": float(len(sure)),
        "right": float(right.mean()),
        "confidence": float(sure.mean()),
        "ece": expected_calibration_error(sure, right),
        "brier": brier(sure, right),
    }
    ranking = auroc(sure, right)
    if ranking is not None:
        figures["auroc"] = ranking
    if name == "block" and card.accept_block is not None:
        accepted = sure >= card.accept_block
        figures["coverage"] = float(accepted.mean())
        figures["risk"] = float((~right[accepted]).mean()) if accepted.any() else 0.0
    return {key: round(value, 4) for key, value in figures.items()}
