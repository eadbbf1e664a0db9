"""A trained layout transformer as ONNX, checked against the network that it came from."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pocai.errors import ModelError
from pocai.models.artefact import open_session
from pocai.models.layout import INPUTS, OUTPUTS
from pocai.models.layout_tokens import FACTS, FIELDS, LETTERS
from pocai.training.adaptable import Adaptable, Signature, draw
from pocai.training.lora_network import digest_of

LAYERS = ("query_key_value", "out", "up", "down", "bias", "join", "role", "one", "other", "near", "lies.0", "lies.2")
SAME = 1e-3  # greatest difference of scores between torch and ONNX Runtime


def export_layout(network: nn.Module, file: Path) -> Path:
    """Write a layout transformer to an ONNX file that takes adapters beside `LAYERS`.

    Raises ModelError when ONNX Runtime computes something else.
    """
    network = network.eval()
    adaptable = Adaptable(deepcopy(network), LAYERS).eval()
    axes = {name: {0: "pages", 1: "tokens"} for name in (*INPUTS, *OUTPUTS)}
    axes[OUTPUTS[1]][2] = "tokens"
    draw(adaptable, file, Signature(example(7, 1), INPUTS, OUTPUTS, axes), digest_of(network))
    worst = difference(network, file)
    if worst > SAME:
        raise ModelError(f"{file.name} differs from the network by {worst:.2g}", mend=f"At most {SAME} is allowed.")
    return file


def example(tokens: int, seed: int) -> tuple[Tensor, ...]:
    """A page of noise with so many tokens."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.uniform(0, 80, (1, tokens, FIELDS)), axis=2)[:, :, [0, 2, 4, 6, 1, 3, 5, 7]]
    return (
        torch.from_numpy(rng.integers(0, 200, (1, tokens, LETTERS))),
        torch.from_numpy(rng.uniform(0, 1, (1, tokens, FACTS)).astype(np.float32)),
        torch.from_numpy(places.astype(np.float32)),
        torch.from_numpy(rng.integers(-1, 5, (1, tokens))),
        torch.ones((1, tokens), dtype=torch.bool),
    )


def difference(network: nn.Module, file: Path) -> float:
    """Greatest difference of scores between torch and ONNX Runtime on pages of noise of some sizes."""
    session = open_session(file, 1)
    worst = 0.0
    for tokens in (1, 40, 150):
        page = example(tokens, tokens)
        with torch.inference_mode():
            want = network(*page)
        given = session.run(None, {name: value.numpy() for name, value in zip(INPUTS, page, strict=True)})
        worst = max(worst, *(float(np.abs(a.numpy() - b).max()) for a, b in zip(want, given, strict=True)))
    return worst
