"""A student with the signature of the real one that needs no training: it reads writing in which a letter is a tone.

A letter is a block 8 pixels wide whose number of black rows, counted from below, says which it is; white paper stands
between letters. Upside down nothing can be read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pocai.models.card import ModelCard, Threshold, card_file
from pocai.models.cascade import RULE
from pocai.models.confidence import FEATURES, Calibration

Picture = NDArray[np.uint8]
CLASSES = ("", " ", *"ABCDEFGH")
STEP, HEIGHT = 8, 48
ROWS = 2  # black rows that one class has more than the class before it
BLANK_STEPS = 2  # steps of paper after a letter: paper is then the commonest tone
# Only the first figure counts: the log-odds of the weakest letter are those of the line.
CALIBRATION = Calibration(
    means=(0.0,) * len(FEATURES),
    scales=(1.0,) * len(FEATURES),
    weights=(2.0, *(0.0,) * (len(FEATURES) - 1)),
    bias=0.0,
    lines=1000,
    right=0.9,
)
THRESHOLD = Threshold(
    value=0.9, rule=RULE, tolerance=0.003, lines=1000, sent=0.1, student=0.9, teacher=0.95, cascade=0.95
)


def crop(text: str) -> Picture:
    """A line crop RGB ``(48, w, 3)`` that the network reads as ``text``."""
    picture = np.full((HEIGHT, STEP * (1 + BLANK_STEPS) * max(1, len(text)), 3), 255, np.uint8)
    for place, letter in enumerate(text):
        left = STEP * (1 + BLANK_STEPS) * place
        picture[HEIGHT - ROWS * CLASSES.index(letter) :, left : left + STEP] = 0
    return picture


def doubtful(text: str) -> Picture:
    """A crop whose first letter may as well be the next one in the alphabet."""
    picture = crop(text)
    top = HEIGHT - ROWS * CLASSES.index(text[0])
    picture[top - ROWS // 2 : top, :STEP] = 0
    return picture


def network(classes: int = len(CLASSES), name: str = "lines") -> bytes:
    """The ONNX file: how much darker each step is below than above, and how near that is to each class."""
    half = np.full((1, 1, HEIGHT // 2, STEP), 1 / (HEIGHT * STEP), np.float32)
    constants = {
        "halves": np.concatenate([half, -half], axis=2),
        "tones": 255 * ROWS / HEIGHT * np.arange(classes, dtype=np.float32),
        "sharp": np.float32(-0.5),
        "shape": np.array([0, -1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["float", "halves"], ["compared"], strides=[HEIGHT, STEP]),
        helper.make_node("Reshape", ["compared", "shape"], ["column"]),
        helper.make_node("Sub", ["column", "tones"], ["apart"]),
        helper.make_node("Mul", ["apart", "apart"], ["square"]),
        helper.make_node("Mul", ["square", "sharp"], ["likeness"]),
        helper.make_node("LogSoftmax", ["likeness"], ["log_probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", 1, HEIGHT, "W"])],
        [helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, ["N", "T", classes])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def card(weights: bytes, **changes: Any) -> ModelCard:
    """The card of these weights."""
    known = {
        "name": "tones",
        "version": "0.1",
        "licence": "MIT",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "classes": CLASSES,
        "step": STEP,
        "calibration": CALIBRATION,
        "threshold": THRESHOLD,
    }
    return ModelCard.model_validate({**known, **changes})


def student(folder: Path, **changes: Any) -> Path:
    """Weights and card in a folder, as a training run leaves them; the path of the weights."""
    file = folder / "student.onnx"
    weights = network()
    file.write_bytes(weights)
    card(weights, **changes).write(card_file(file))
    return file
