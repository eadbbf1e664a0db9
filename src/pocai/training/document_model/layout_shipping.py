"""From a finished run to a layout transformer that can be served: ONNX, and a card with what was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pocai.documents.page import Document
from pocai.evaluation.timetables import score, total
from pocai.models.card import card_file
from pocai.models.layout import LayoutCard, LayoutModel
from pocai.models.layout_network import LayoutConfig, LayoutNetwork
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.training import checkpoints
from pocai.training.document_model.layout_export import export_layout
from pocai.training.document_model.made_pages import made_pages
from pocai.training.tracker import data_of

HELD_OUT = 9_500_000  # first seed of the made documents on which the card's figures are measured
MEASURED = 100  # of them, of each set of layouts
MADE = "made pages (`pocai synth layouts`); no line of a real document"
TAUGHT = "made pages (`pocai synth layouts`), and what a teacher and the rules said of documents without labels"


def shipped_layout(weights: Path, folder: Path, version: str, measured: int = MEASURED, trained_on: str = MADE) -> Path:
    """Export a run's ``best.safetensors`` to ``folder/layout.onnx``, measure it on made documents, write its card.

    ``trained_on`` is what the card says of that.
    Raises ModelError where ONNX Runtime does not compute what the network does.
    """
    held = checkpoints.read(weights)
    network = LayoutNetwork(LayoutConfig.model_validate(held.state["recipe"]["model"]))
    checkpoints.load_network(network, held.tensors, str(weights))
    file = export_layout(network, folder / "layout.onnx")
    card = LayoutCard(
        name="layout",
        version=version,
        licence="MIT",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        recipe=held.state["recipe"],
        data_sha256=data_of(weights),
        trained_on=trained_on,
        metrics={"validation": {key: value for key, value in held.state["metrics"].items() if key != "score"}},
    )
    card.write(card_file(file))
    layouts = {"trained_layouts": "train", "held_out_layouts": "test"}
    figures = {name: figures_of(LayoutModel(SchoolHours(), file), each, measured) for name, each in layouts.items()}
    card.model_copy(update={"metrics": {**card.metrics, **figures}}).write(card_file(file))
    return file


def figures_of(model: LayoutModel, layouts: str, count: int) -> Mapping[str, float]:
    """F1 of blocks, slots, names and notes on made documents of which every letter is read."""
    counts = []
    for seed in range(HELD_OUT, HELD_OUT + count):
        drawing = compose(seed, layouts=layouts, split="test")
        pages = tuple(made.page for made in made_pages(drawing, np.random.default_rng(seed), plain=True))
        counts.append(score(drawing.timetables, model.assemble(Document(pages, "pdf", ""))))
    found = total(counts).figures
    named = {"block": found.block, "slot": found.slot, "name": found.name, "notes": found.notes}
    return {name: round(float(value), 4) for name, value in named.items() if value is not None}
