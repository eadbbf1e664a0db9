"""A trained student as ONNX, checked against the network that it came from; and with 8-bit weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocai.errors import ModelError
from pocai.models.artefact import open_session
from pocai.models.line_image import HEIGHT, batch_of

INPUT, OUTPUT = "lines", "log_probabilities"
OPSET = 18
WARNINGS, ERRORS = 2, 3  # levels of ONNX Runtime's log; the first is what it starts with
SAME = 1e-4  # greatest difference of log-probabilities between torch and ONNX Runtime


def export(network: nn.Module, file: Path) -> Path:
    """Write a student to an ONNX file, all weights inside: ``lines (N, 1, 48, W)`` to ``log_probabilities``.

    Raises ModelError when ONNX Runtime does not compute what torch does.
    """
    network = network.eval()
    example = torch.full((2, 1, HEIGHT, 64), 255, dtype=torch.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            network,
            (example,),
            str(file),
            dynamo=False,  # the newer exporter writes its weights into a second file
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "lines", 3: "width"}, OUTPUT: {0: "lines", 1: "steps"}},
            opset_version=OPSET,
        )
    worst = difference(network, file)
    if worst > SAME:
        raise ModelError(f"{file.name} differs from the network by {worst:.2g}", mend=f"At most {SAME} is allowed.")
    return file


def difference(network: nn.Module, file: Path, seed: int = 0) -> float:
    """Greatest difference of log-probabilities between torch and ONNX Runtime on pictures of noise of some sizes."""
    random = np.random.default_rng(seed)
    session = open_session(file, 1)
    worst = 0.0
    with torch.inference_mode():
        for lines, width in ((1, 32), (3, 160), (2, 640)):
            noise = random.integers(0, 256, (lines, 1, HEIGHT, width), np.uint8)
            want = network(torch.from_numpy(noise)).numpy()
            worst = max(worst, float(np.abs(want - session.run(None, {INPUT: noise})[0]).max()))
    return worst


def quantise(file: Path, target: Path, examples: Iterable[NDArray[np.uint8]]) -> Path:
    """A copy of an ONNX student whose convolutions compute with 8 bits; its layers of products stay as they are.

    ``examples`` are line images ``(48, w)`` from which the ranges of the activations are measured. Weights use 7 of
    their bits: with all 8, sums overflow on processors without instructions for them (x86 without VNNI).
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Examples(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
        def __init__(self) -> None:
            self._batches = iter([{INPUT: batch_of([image])} for image in examples])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(self._batches, None)

    with _quiet():
        quantize_static(
            str(file),
            str(target),
            Examples(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            reduce_range=True,
        )
    return target


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice of the quantiser (to the root logger) and of ONNX Runtime (that adapters are inputs)."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(ERRORS)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(WARNINGS)
        logging.disable(before)
