"""A very small adapter of a school for tests, as training writes one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from made_packages import sha256, tensors
from numpy.typing import NDArray

from pocai.models.adapter import RUNTIME, TENSORS, write_runtime_adapter
from pocai.models.adapter_card import AdapterCard, sha256_of

Matrices = dict[str, NDArray[np.float32]]


def matrices() -> Matrices:
    """What it adds to the layers of a network."""
    random = np.random.default_rng(7)
    shapes = {"a.lora_A": (7, 3), "a.lora_B": (3, 5), "head.lora_A": (3, 4, 1, 1), "ü": (0, 2)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def adapter_folder(folder: Path) -> Path:
    """The adapter in a new folder."""
    folder.mkdir()
    (folder / TENSORS).write_bytes(tensors())
    write_runtime_adapter(matrices(), folder / RUNTIME)
    origin = {"base_sha256": "b" * 64, "rank": 3, "alpha": 3, "targets": ["head"], "lines": 9, "data_sha256": "d" * 64}
    own = {"name": "school", "licence": "own", "parameters": 9, "share": 0.1, "created": date(2026, 1, 2)}
    digests = {"sha256": sha256_of(folder / RUNTIME), "tensors_sha256": sha256(tensors())}
    results = {"before": {"slot": 0.5}, "after": {"slot": 0.75}}
    AdapterCard.model_validate({**origin, **own, **digests, **results}).write(folder)
    return folder
