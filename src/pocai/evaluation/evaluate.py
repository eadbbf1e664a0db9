"""`evaluate`: run an extractor over a labelled folder and count what is right, over all and by slice."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pocai.documents.page import Document
from pocai.errors import PocaiError
from pocai.evaluation.dataset import Dataset, LabelledDocument
from pocai.evaluation.pictures import PagePicture, picture_of
from pocai.evaluation.slices import Slice, slices_of
from pocai.evaluation.text import Recall, word_recall
from pocai.evaluation.timetables import Comparison, Counts, Json, compare, total
from pocai.timetable.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extractor hands over: timetables; for more figures the ``words`` it read and the ``document``.

    ``confidences`` are those of each timetable's blocks, None where a block has none; empty where nothing has any.
    """

    timetables: tuple[Timetable, ...]
    words: tuple[str, ...] | None = None
    document: Document | None = None
    confidences: tuple[tuple[float | None, ...], ...] = ()


Extractor: TypeAlias = Callable[[Path], Extraction]
Progress: TypeAlias = Callable[["Evaluated"], None]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One document: what is true, what was extracted, and how the two compare.

    ``seconds`` is the extractor's wall time; ``error`` says why there is no prediction; ``recall`` is of printed words,
    None where label or extractor name none; ``confidences`` are those of the extraction's blocks.
    """

    name: str
    gold: Json
    predicted: tuple[Timetable, ...]
    comparison: Comparison
    seconds: float
    error: str | None = None
    slices: tuple[Slice, ...] = ()
    recall: Recall | None = None
    pictures: tuple[PagePicture, ...] = ()
    confidences: tuple[tuple[float | None, ...], ...] = ()

    @property
    def counts(self) -> Counts:
        return self.comparison.counts


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """All documents, in the order of the dataset, and the names of those left out because they have no label."""

    documents: tuple[Evaluated, ...]
    unlabelled: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """The counts over all documents; ``.figures`` are the micro averages."""
        return total(document.counts for document in self.documents)

    @property
    def recall(self) -> Recall | None:
        """Word recall over the documents that have one; a failed document counts as unread."""
        recalls = [document.recall for document in self.documents if document.recall is not None]
        read = any(document.error is None and document.recall is not None for document in self.documents)
        return sum(recalls, Recall()) if read else None

    def by_slice(self) -> dict[Slice, tuple[Evaluated, ...]]:
        """The documents of each slice, sorted by dimension and value."""
        slices = sorted({each for document in self.documents for each in document.slices})
        return {each: tuple(doc for doc in self.documents if each in doc.slices) for each in slices}

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values: ``all``, ``slices`` and ``documents``; no document text."""
        return {
            "all": _row(self.counts, self.recall) | {"documents": len(self.documents)},
            "slices": {
                str(each): _row(total(doc.counts for doc in documents), None) | {"documents": len(documents)}
                for each, documents in self.by_slice().items()
            },
            "documents": {
                doc.name: _row(doc.counts, doc.recall) | {"seconds": round(doc.seconds, 3), "error": doc.error}
                for doc in self.documents
            },
            "unlabelled": list(self.unlabelled),
        }


def evaluate(
    dataset: Dataset, extract: Extractor, progress: Progress | None = None, *, pictures: bool = True
) -> EvaluationResult:
    """Extract every labelled document and compare; ``progress`` is called after each.

    A document whose extraction fails scores zero and carries its error; nothing is raised for it. ``pictures`` keeps
    a picture of each page for the report.
    """
    evaluated = []
    for labelled in dataset.documents:
        evaluated.append(_evaluated(labelled, extract, pictures=pictures))
        if progress is not None:
            progress(evaluated[-1])
    return EvaluationResult(tuple(evaluated), dataset.unlabelled)


def _evaluated(labelled: LabelledDocument, extract: Extractor, *, pictures: bool) -> Evaluated:
    start, error = time.perf_counter(), None
    try:
        extraction = extract(labelled.path)
    except PocaiError as failure:
        extraction, error = Extraction((), words=()), str(failure)
    except Exception as failure:  # noqa: BLE001 -- one crash must not lose the measurement of all other documents
        extraction, error = Extraction((), words=()), _crash(failure)
    seconds = time.perf_counter() - start
    document = extraction.document
    words = None if labelled.words is None or extraction.words is None else (labelled.words, extraction.words)
    return Evaluated(
        name=labelled.name,
        gold=labelled.truth,
        predicted=extraction.timetables,
        comparison=compare(labelled.truth, extraction.timetables or None),
        seconds=seconds,
        error=error,
        slices=slices_of(labelled.slices, document, extraction.timetables),
        recall=None if words is None else word_recall(*words),
        pictures=tuple(map(picture_of, document.pages)) if pictures and document is not None else (),
        confidences=extraction.confidences,
    )


def _crash(failure: Exception) -> str:
    """Type and place of a bug, without its message, which may hold text of the document."""
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"crashed: {type(failure).__name__} at {Path(last.filename).name}:{last.lineno}"


def _row(counts: Counts, recall: Recall | None) -> dict[str, Any]:
    words = {} if recall is None else {"words": round(recall.share, 6)}
    return {**counts.figures._asdict(), "golds": counts.golds, "preds": counts.preds, **words}
