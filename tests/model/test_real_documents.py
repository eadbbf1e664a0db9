"""How right the pipeline is on real documents: floors that no change may fall through."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocai.evaluation.dataset import read_dataset
from pocai.evaluation.evaluate import EvaluationResult, Extraction, evaluate
from pocai.inference.pipeline import read

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
BLOCK_FLOOR, SLOT_FLOOR = 0.80, 0.85  # F1 over all documents
WORST_FLOOR = 0.40  # block F1 of every single document
KNOWN, KNOWN_FLOOR = "ly", 0.92  # documents whose names begin so were given as examples

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason="the labelled real documents (../shared/data/real) hold personal data and are not here"
)


@pytest.fixture(scope="module")
def result() -> EvaluationResult:
    return evaluate(read_dataset(REAL), lambda path: Extraction(read(path).timetables), pictures=False)


def test_every_document_is_read(result: EvaluationResult) -> None:
    assert result.documents
    assert [document.error for document in result.documents if document.error] == []


def test_over_all_documents_blocks_and_slots_are_right(result: EvaluationResult) -> None:
    figures = result.counts.figures
    assert figures.block >= BLOCK_FLOOR
    assert figures.slot >= SLOT_FLOOR


def test_no_document_is_lost(result: EvaluationResult) -> None:
    scores = {document.name: document.counts.figures.block for document in result.documents}
    assert {name: score for name, score in scores.items() if score < WORST_FLOOR} == {}


def test_the_known_documents_are_nearly_right(result: EvaluationResult) -> None:
    known = {doc.name: doc.counts.figures.block for doc in result.documents if doc.name.startswith(KNOWN)}
    assert len(known) == 2
    assert {name: score for name, score in known.items() if score < KNOWN_FLOOR} == {}
