"""Candidates for the gate: the shipped models as they are, and with one thing made worse."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from pocai.models.adapter_card import AdapterOrigin
from pocai.models.artefact import Artefact
from pocai.models.card import Card, ModelCard, card_file
from pocai.models.layout import SHIPPED_LAYOUT, LayoutCard
from pocai.models.recognizer import SHIPPED
from pocai.training.document_model.layout_export import LAYERS, export_layout
from pocai.training.document_model.layout_lora import SHIPPED as LAYOUT_WEIGHTS
from pocai.training.document_model.layout_lora import load_layout
from pocai.training.lora import SHIPPED as STUDENT_WEIGHTS
from pocai.training.lora_files import write_adapter
from pocai.training.lora_network import LAYERS as STUDENT_LAYERS
from pocai.training.lora_network import NAME, LoraTable, digest_of, load_student, lora_layers, with_lora

STUDENT = Artefact("pocai", SHIPPED, "", "").file


def shipped_copy(folder: Path, weights: Path) -> Path:
    """A shipped model with its card, in a folder of its own."""
    folder.mkdir(parents=True)
    for file in (weights, card_file(weights)):
        shutil.copyfile(file, folder / file.name)
    return folder


def worse_layout(folder: Path, noise: float) -> Path:
    """The shipped layout transformer with noise on its weights, in shares of their spread."""
    network = load_layout(LAYOUT_WEIGHTS.file)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.add_(torch.randn(weight.shape, generator=generator) * weight.std() * noise)
    file = export_layout(network, folder / "layout.onnx")
    return _with_card(file, LayoutCard.read(card_file(SHIPPED_LAYOUT.file)))


def burdened_student(folder: Path) -> Path:
    """The shipped student, which multiplies large matrices, wastes memory, and has a large file beside it.

    What it says is the same.
    """
    shipped_copy(folder, STUDENT)
    model = onnx.load(str(STUDENT))
    _burden(model.graph)
    onnx.save(model, str(folder / "student.onnx"))
    _write_tensors(folder / "student.safetensors", 16 * 2**20)
    return _with_card(folder / "student.onnx", ModelCard.read(folder / "student.json"))


def miscalibrated_student(folder: Path) -> Path:
    """The shipped student, which is surer of each line than it may be."""
    shipped_copy(folder, STUDENT)
    card = ModelCard.read(folder / "student.json")
    assert card.calibration is not None
    bold = card.calibration.model_copy(update={"bias": card.calibration.bias + 6})
    card.model_copy(update={"calibration": bold}).write(folder / "student.json")
    return folder


def layout_adapter(folder: Path, noise: float) -> Path:
    """An adapter of the shipped layout transformer that was never trained; without noise it changes nothing."""
    return _adapter(load_layout(LAYOUT_WEIGHTS.file), LAYERS, folder, noise)


def student_adapter(folder: Path, noise: float) -> Path:
    """The same of the shipped student."""
    return _adapter(load_student(STUDENT_WEIGHTS.file), STUDENT_LAYERS, folder, noise)


def _adapter(base: nn.Module, targets: tuple[str, ...], folder: Path, noise: float) -> Path:
    network = with_lora(base, LoraTable(rank=2, alpha=4, targets=targets))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in lora_layers(network).values():
            weight = layer.lora_B[NAME].weight
            weight.add_(torch.randn(weight.shape, generator=generator) * noise)
    folder.mkdir(parents=True)
    data = {"lines": 1, "data_sha256": "0" * 64, "licence": "not stated"}
    origin = AdapterOrigin(base_sha256=digest_of(base), rank=2, alpha=4, targets=targets, **data)
    write_adapter(network, folder, origin)
    return folder


def _with_card(file: Path, card: Card) -> Path:
    """The card of a shipped model, for other weights."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    card.model_copy(update={"sha256": digest, "version": "test"}).write(card_file(file))
    return file.parent


def _burden(graph: Any) -> None:
    """Add products of large matrices and a large vector; both come to nothing, but not before the lines are known."""
    side, times, numbers = 512, 2, 8_000_000
    matrix = np.random.default_rng(1).normal(0, side**-0.5, (side, side)).astype(np.float32)
    constants = {"big": matrix, "none": np.zeros((), np.float32), "many": np.array([numbers], np.int64)}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    said = graph.output[0].name
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == said:
                node.output[place] = "said_before"
    nodes = [
        helper.make_node("Cast", [graph.input[0].name], ["tones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["tones"], ["seen"], keepdims=0),
        helper.make_node("Mul", ["seen", "none"], ["nothing"]),
        helper.make_node("Add", ["big", "nothing"], ["product0"]),
        *(helper.make_node("MatMul", [f"product{n}", "big"], [f"product{n + 1}"]) for n in range(times)),
        helper.make_node("ReduceSum", [f"product{times}"], ["worked"], keepdims=0),
        helper.make_node("Expand", ["nothing", "many"], ["spread"]),
        helper.make_node("ReduceSum", ["spread"], ["wasted"], keepdims=0),
        helper.make_node("Add", ["worked", "wasted"], ["both"]),
        helper.make_node("Mul", ["both", "none"], ["vain"]),
        helper.make_node("Add", ["said_before", "vain"], [said]),
    ]
    graph.node.extend(nodes)


def _write_tensors(file: Path, size: int) -> None:
    """Safetensors of zeros."""
    header = b'{"zeros":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    header += b" " * (-len(header) % 8)
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
