"""How sure each field of a timetable is: a small boosted ensemble over figures that every document model leaves.

The figures are those of `pocai.models.evidence`. For each field a sum of symmetric trees gives log-odds, and a
logistic regression on other documents (Platt 1999) makes a probability of them. Each document model has a card of its
own; what was not calibrated for the document model or the recognizer at hand keeps no confidence, and a reason. The
confidence of a block is a logistic regression over those of its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pocai.documents.page import Document
from pocai.errors import ModelError
from pocai.settings import SchoolHours
from pocai.timetable.timetable import BlockField, Mark, TimeBlock, Timetable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Matrix = NDArray[np.float64]
    Flags = NDArray[np.bool_]

ASSETS = "assets/models/field_confidence"  # of the package: a card for each document model, by its name
ASKED: tuple[BlockField, ...] = ("day", "name", "startTime", "endTime")  # what makes a block right
BLOCK_FIGURES = ("product", "weakest", "week", "no day", "no start", "no end")
NOT_CALIBRATED = "not calibrated"
_LEAST = 1e-6  # probability
_DIGITS = 4

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ensemble(_Frozen):
    """Log-odds as ``bias`` and a sum of symmetric trees (as in Prokhorenkova et al. 2018, arXiv:1706.09516).

    Each tree asks at level k whether figure ``splits[k]`` exceeds ``thresholds[k]``; the answers, the first one lowest,
    are the number of its leaf. ``slope`` and ``offset`` make calibrated log-odds of them; ``values`` were calibrated
    on, of which the share ``right`` was right. No probability is nearer to 0 or 1 than so many values can show.
    """

    splits: tuple[tuple[int, ...], ...]
    thresholds: tuple[tuple[float, ...], ...]
    leaves: tuple[tuple[float, ...], ...]
    bias: float
    slope: float = Field(1.0, gt=0)
    offset: float = 0.0
    values: Count
    right: Share

    @model_validator(mode="after")
    def _fits(self) -> Self:
        depths = {len(row) for row in (*self.splits, *self.thresholds)}
        if len(depths) > 1 or not len(self.splits) == len(self.thresholds) == len(self.leaves):
            raise ValueError("trees must be equally deep, each with its splits, thresholds and leaves")
        if any(len(leaves) != 2 ** next(iter(depths)) for leaves in self.leaves):
            raise ValueError("a tree of depth d has 2 ** d leaves")
        return self

    def margins(self, figures: Matrix) -> Vector:
        """Log-odds before calibration: ``(N, figures)`` to ``(N,)``."""
        import numpy as np

        total = np.full(len(figures), self.bias)
        if not self.splits:
            return total
        splits, thresholds, leaves = np.array(self.splits), np.array(self.thresholds), np.array(self.leaves)
        over = figures[:, splits] > thresholds
        number = over @ (1 << np.arange(splits.shape[1]))
        total += leaves[np.arange(len(leaves)), number].sum(axis=1)
        return total

    def probabilities(self, figures: Matrix) -> Vector:
        """Calibrated probabilities: ``(N, figures)`` to ``(N,)``."""
        import numpy as np

        least = 1 / (self.values + 2)
        odds = self.slope * self.margins(figures) + self.offset
        found: Vector = np.clip(0.5 * (1 + np.tanh(odds / 2)), least, 1 - least)
        return found


class BlockModel(_Frozen):
    """A logistic regression over `BLOCK_FIGURES`; ``values`` were fitted on, the share ``right`` of which was right."""

    weights: tuple[float, ...] = Field(min_length=len(BLOCK_FIGURES), max_length=len(BLOCK_FIGURES))
    bias: float
    values: Count
    right: Share

    def probabilities(self, figures: Matrix) -> Vector:
        """``(N, len(BLOCK_FIGURES))`` to ``(N,)``."""
        import numpy as np

        least = 1 / (self.values + 2)
        odds = figures @ np.array(self.weights) + self.bias
        found: Vector = np.clip(0.5 * (1 + np.tanh(odds / 2)), least, 1 - least)
        return found


class FieldConfidenceCard(_Frozen):
    """The model and what must be known of it: for which document model and recognizers it speaks, and how it did.

    ``metrics`` are by slice, then by name; ``accept_block`` is the confidence from which blocks may be accepted at a
    risk of 1 %, chosen on the calibration documents, None where no threshold keeps it.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    features: tuple[str, ...]
    fields: Mapping[BlockField, Ensemble]
    block: BlockModel
    document_model: str = Field(min_length=1)
    readers: tuple[str, ...]
    accept_block: Share | None = None
    recipe: Mapping[str, Any] = {}
    data_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    trained_on: str = ""
    limits: tuple[str, ...] = ()
    metrics: Mapping[str, Mapping[str, float]] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """The card in a file. Raises ModelError where it is missing, no card, or over other figures than ours."""
        from pocai.models.evidence.features import NAMES

        try:
            card = cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise ModelError(f"{file.name} cannot be read", mend="Fit it again, or reinstall pocai") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            what = f"{file.name} is no card of field confidences: {where}: {first['msg']}"
            raise ModelError(what, mend="Fit it again") from None
        if card.features != NAMES or any(_widest(each) >= len(NAMES) for each in card.fields.values()):
            raise ModelError(f"{file.name} is over other figures than this version measures", mend="Fit it again")
        return card

    def write(self, file: Path) -> None:
        """Write the card as JSON; the same card gives the same bytes."""
        file.write_text(self.model_dump_json() + "\n", encoding="utf-8")

    def silent(self, document: Document, document_model: str) -> str | None:
        """Why the card says nothing of a document that was read so; None where it does."""
        if document_model != self.document_model:
            return _unknown(document_model)
        readers = {line.reader for page in document.pages for line in page.lines if line.reader}
        other = sorted(readers - set(self.readers))
        return f"{NOT_CALIBRATED} for the recognizer {other[0]}" if other else None


def card_name(document_model: str) -> str:
    """The name of the file in which a document model's card is."""
    return f"{document_model}.json"


@lru_cache(maxsize=8)
def shipped(document_model: str) -> FieldConfidenceCard | None:
    """The card of the package for a document model, None where there is none. Raises ModelError for a damaged one."""
    for file in resources.files("pocai").joinpath(ASSETS).iterdir():
        if file.name == card_name(document_model):
            with resources.as_file(file) as path:
                return FieldConfidenceCard.read(path)
    return None


def confident(
    timetables: Sequence[Timetable],
    document: Document,
    document_model: str,
    hours: SchoolHours | None = None,
    card: FieldConfidenceCard | None = None,
) -> tuple[Timetable, ...]:
    """The timetables with the calibrated probability in each mark of a block that its field is right.

    ``document`` is the one that was read, with its lines. A mark that comes with a confidence and a reason carries the
    document model's own, which is one of the figures; one with a confidence and no reason is calibrated, and stays.
    Where ``card`` was not calibrated for what is at hand, or is None, marks say so and have no confidence.
    """
    from pocai.models.evidence.features import figures_of

    reason = _unknown(document_model) if card is None else card.silent(document, document_model)
    if card is None or reason is not None:
        return tuple(_with_marks(each, [_excused(block, reason) for block in each.timeblocks]) for each in timetables)
    figures = figures_of(timetables, document, hours or SchoolHours())
    return tuple(_judged(each, rows, card) for each, rows in zip(timetables, figures, strict=True))


def block_confidences(timetable: Timetable, card: FieldConfidenceCard | None) -> tuple[float | None, ...]:
    """The probability of each block that its day, times and name are right, from the confidences of its fields.

    None without a card, and for all blocks where a field of one is there without a confidence.
    """
    found = None if card is None else block_figures(timetable)
    if card is None or found is None:
        return (None,) * len(timetable.timeblocks)
    return tuple(round(each, _DIGITS) for each in card.block.probabilities(found).tolist())


def block_figures(timetable: Timetable) -> Matrix | None:
    """`BLOCK_FIGURES` of each block ``(N, figures)``; None where a field that makes a block right has no confidence."""
    import numpy as np

    sure, missing = [], []
    for block in timetable.timeblocks:
        marks = [block.fields.get(field) for field in ASKED]
        found = [None if mark is None else mark.confidence for mark in marks]
        if any(mark is not None and each is None for mark, each in zip(marks, found, strict=True)) or not any(marks):
            return None
        sure.append([np.nan if each is None else each for each in found])
        missing.append((block.day is None, block.start_time is None, block.end_time is None))
    return block_figures_of(
        np.array(sure, np.float64).reshape(-1, len(ASKED)), np.array(missing, np.bool_).reshape(-1, 3)
    )


def block_figures_of(sure: Matrix, missing: Flags) -> Matrix:
    """`BLOCK_FIGURES` ``(N, figures)`` of the blocks of one timetable.

    ``sure`` ``(N, 4)`` are the confidences of `ASKED`, NaN where there is no such field; ``missing`` ``(N, 3)`` says
    whether day, start and end are not known. The figures are the logarithm of the product, the log-odds of the weakest,
    the log-odds of the timetable's mean product, and what is missing.
    """
    import numpy as np

    held = np.clip(np.where(np.isnan(sure), 1.0, sure), _LEAST, 1 - _LEAST)
    product = np.log(held).sum(axis=1)
    week = np.clip(np.exp(product).mean() if len(product) else 0.5, _LEAST, 1 - _LEAST)
    weakest = held.min(axis=1, initial=1 - _LEAST)
    columns = [product, _log_odds(weakest), np.full(len(product), _log_odds(week)), missing]
    figures: Matrix = np.column_stack(columns).astype(np.float64)
    return figures


def _judged(timetable: Timetable, figures: Matrix, card: FieldConfidenceCard) -> Timetable:
    sure = {field: ensemble.probabilities(figures).tolist() for field, ensemble in card.fields.items()}
    blocks = []
    for number, block in enumerate(timetable.timeblocks):
        marks = {
            field: _sure(mark, sure[field][number]) if field in sure else _silent(mark, NOT_CALIBRATED)
            for field, mark in block.fields.items()
        }
        blocks.append(block.model_copy(update={"fields": marks}))
    return _with_marks(timetable, blocks)


def _unknown(document_model: str) -> str:
    return f"{NOT_CALIBRATED} for the document model {document_model}"


def _excused(block: TimeBlock, reason: str | None) -> TimeBlock:
    return block.model_copy(update={"fields": {field: _silent(mark, reason) for field, mark in block.fields.items()}})


def _with_marks(timetable: Timetable, blocks: Sequence[TimeBlock]) -> Timetable:
    return timetable.model_copy(update={"timeblocks": tuple(blocks)})


def _sure(mark: Mark, confidence: float) -> Mark:
    if calibrated(mark):
        return mark
    return mark.model_copy(update={"confidence": round(confidence, _DIGITS), "reason": None})


def _silent(mark: Mark, reason: str | None) -> Mark:
    return mark if calibrated(mark) else mark.model_copy(update={"confidence": None, "reason": reason})


def calibrated(mark: Mark) -> bool:
    """Whether a mark carries a calibrated confidence: one without a reason why it should not count."""
    return mark.confidence is not None and mark.reason is None


def _widest(ensemble: Ensemble) -> int:
    return max((split for tree in ensemble.splits for split in tree), default=0)


def _log_odds(probabilities: Any) -> Any:
    import numpy as np

    return np.log(probabilities) - np.log1p(-probabilities)
