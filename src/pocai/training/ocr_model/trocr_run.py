"""The end of a TrOCR run: its best weights become a folder that can be read with, or tuned further."""

from __future__ import annotations

from pathlib import Path

from pocai.training import checkpoints
from pocai.training.ocr_model.trocr import TrOCRTask


def write_best(task: TrOCRTask, weights: Path, folder: Path) -> Path:
    """Write a run's ``best.safetensors`` as a model folder, or as an adapter folder; gives it back."""
    held = checkpoints.read(weights)
    network = task.build()
    checkpoints.load_network(network, held.tensors, str(weights))
    task.save(network, folder, {"recipe": held.state["recipe"], "metrics": held.state["metrics"]})
    return folder
