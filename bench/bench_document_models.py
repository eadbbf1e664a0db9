"""Document models side by side on made documents: block F1, and how far the confidence of the default can be trusted.

Every document is made from a seed, printed, read by the shipped recognizers once, and assembled by each document model.
Sets are of layouts that the transformer was trained on and of layouts and type faces that it was not; as files with
text, as clean pictures, as pictures that something befell, and as photographs. Figures are means over documents; those
of confidence are over the blocks of all documents.

    python bench/bench_document_models.py [--documents 25] [--models rules layout auto] [--folder runs/bench-documents]

What is read is kept in the folder, so that a second run takes a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocai.cli.kept_reading import KeptReading
from pocai.documents.page import Document
from pocai.evaluation.calibration import auroc, expected_calibration_error
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.evaluation.timetables import score
from pocai.evaluation.trust import right_block, right_fields
from pocai.inference.certainty import certainty
from pocai.inference.document_service import DocumentService
from pocai.settings import Settings
from pocai.synthetic.dataset import write_documents
from pocai.synthetic.fonts import Split
from pocai.synthetic.made_document import Amount, DocumentSet, Format

SEED = 90_000_001  # of the first document; a set has a million seeds
APART = 1_000_000
TEXT: tuple[Format, ...] = ("docx", "xlsx", "pdf")
PICTURES: tuple[Format, ...] = ("png", "jpeg", "scan")
KINDS: dict[str, tuple[tuple[Format, ...], Amount]] = {
    "text": (TEXT, "clean"),
    "clean pictures": (PICTURES, "clean"),
    "damaged pictures": (PICTURES, "mixed"),
}
LAYOUTS = {"trained": "train", "held out": "test"}
PHOTOGRAPHED = {"photo", "screen"}  # damages
ROW = "| {:<10} | {:<18} | {:>9} |"


@dataclass(frozen=True, slots=True)
class Sure:
    """A block that the default gave: how sure it was, whether it was right, and whether it would be accepted."""

    confidence: float
    right: bool
    accepted: bool


def sets(count: int) -> Iterator[tuple[str, str, DocumentSet]]:
    """What is read: its layouts, its kind, its documents."""
    for number, (layouts, split) in enumerate(LAYOUTS.items()):
        for place, (kind, (formats, damage)) in enumerate(KINDS.items()):
            first = SEED + APART * (10 * number + place)
            chosen: Split = "train" if split == "train" else "test"
            yield layouts, kind, DocumentSet(first, count, formats, damage, split, chosen)


def kind_of(document: LabelledDocument, kind: str) -> str:
    """The kind under which a document is counted: photographs apart from other damage."""
    damages = {str(value) for name, value in dict(document.slices).items() if name == "damage"}
    return "photographs" if damages & PHOTOGRAPHED else kind


def sure_blocks(labelled: LabelledDocument, document: Document, settings: Settings, model: str) -> Iterator[Sure]:
    """How sure a model is of each block, beside whether it is right."""
    assembly = DocumentService(model, settings.school_hours).extract(document)
    found = certainty(assembly.timetables, document, assembly.judge or assembly.model, settings.school_hours)
    least = 2.0 if found.accept is None else found.accept
    confidences = [each for some in found.blocks for each in some]
    for confidence, fields in zip(confidences, right_fields(labelled.truth, found.timetables), strict=True):
        if confidence is not None:
            yield Sure(confidence, right_block(fields), confidence >= least)


def told(blocks: list[Sure]) -> str:
    """The figures of some blocks' confidences."""
    sure, right = [each.confidence for each in blocks], [each.right for each in blocks]
    accepted = [each for each in blocks if each.accepted]
    wrong = np.mean([not each.right for each in accepted]) if accepted else 0.0
    ranking = auroc(sure, right)
    return (
        f"{len(blocks)} blocks, {np.mean(right):.1%} right, {np.mean(sure):.1%} stated; "
        f"ECE {expected_calibration_error(sure, right):.3f}, AUROC {'-' if ranking is None else f'{ranking:.3f}'}; "
        f"{len(accepted) / len(blocks):.0%} accepted, {wrong:.1%} of them wrong"
    )


def main() -> None:
    """Make, read, assemble, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=25, help="of each set")
    parser.add_argument("--models", nargs="+", default=["rules", "layout", "auto"], help="the last one's confidence")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-documents"))
    asked = parser.parse_args()
    settings = Settings.model_construct(threads=1)
    models = {name: DocumentService(name, settings.school_hours) for name in asked.models}
    figures: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    sure: dict[str, list[Sure]] = defaultdict(list)
    for layouts, kind, made in sets(asked.documents):
        folder = asked.folder / f"{layouts} {kind} {asked.documents}".replace(" ", "-")
        write_documents(folder, made)
        read = KeptReading(asked.folder / "read", settings, "rules")
        for number, labelled in enumerate(read_dataset(folder).documents, 1):
            document = read.document(labelled.path)
            print(f"\r\033[K{layouts}, {kind}: {number} of {made.count}", end="", file=sys.stderr)
            found = [score(labelled.truth, each.extract(document).timetables) for each in models.values()]
            place = kind_of(labelled, kind)
            figures[layouts, place].append([each.figures.block for each in found])
            blocks = list(sure_blocks(labelled, document, settings, asked.models[-1]))
            sure["all"] += blocks
            sure[layouts] += blocks
            sure[place] += blocks
    print("\r\033[K", end="", file=sys.stderr)
    print(ROW.format("layouts", "documents", "number"), *(f"{name:>7} |" for name in models))
    for (layouts, kind), rows in figures.items():
        means = np.mean(rows, axis=0)
        print(ROW.format(layouts, kind, len(rows)), *(f"{mean:7.3f} |" for mean in means))
    every = np.mean([row for rows in figures.values() for row in rows], axis=0)
    print(ROW.format("all", "", sum(map(len, figures.values()))), *(f"{mean:7.3f} |" for mean in every))
    print(f"\nConfidence of {asked.models[-1]}")
    for name, blocks in sure.items():
        print(f"- {name}: {told(blocks)}")


if __name__ == "__main__":
    main()
