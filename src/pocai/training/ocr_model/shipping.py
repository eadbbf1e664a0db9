"""From a finished run to a student that can be served: ONNX, 8 bits where they cost nothing, calibration, card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfuzz.distance import Levenshtein

from pocai.models.card import ModelCard, card_file
from pocai.models.ctc import CLASSES
from pocai.models.line_image import HEIGHT, line_image
from pocai.models.protocols import Recognizer
from pocai.models.recognizer import StudentRecognizer
from pocai.models.student_network import MULTIPLE, STEP, StudentConfig, StudentNetwork
from pocai.training import checkpoints
from pocai.training.adaptable import export_adaptable
from pocai.training.ocr_model.calibrate import calibrated, judge
from pocai.training.ocr_model.export import quantise
from pocai.training.tracker import data_of

if TYPE_CHECKING:
    from pocai.training.datasets import Line

ALLOWED_LOSS = 0.001  # of the character error rate, for the variant with 8 bits to be taken
EXAMPLES = 200  # lines from which the ranges of the 8 bits are measured
TOLERANCE = 0.003  # share of lines by which the cascade may be worse than at its best on made pages, so that
RISK = 0.02  # of the lines that stay with the student at most this share is wrong: schools print what is not made
HELD_OUT = 9_100_000  # first seed of the made pages whose lines calibrate
CALIBRATED = 60  # of them
TRIED = 6  # of them, on which a student must read something before the others are made
FEWEST = 40  # right lines, and wrong ones, that a calibration needs
TAKEN = 512  # lines that are read at once when accuracy is measured


@dataclass(frozen=True, slots=True)
class Student:
    """What is known of a student beside its weights: the version it gets, its data, its recipe and its metrics."""

    version: str
    recipe: Mapping[str, Any]
    data_sha256: str | None
    metrics: Mapping[str, Mapping[str, float]]
    trained_on: str
    limits: tuple[str, ...] = ()


def shipped(weights: Path, folder: Path, version: str) -> Path:
    """Everything at once for a run's ``best.safetensors``: export, 8 bits, calibration, threshold, card.

    The lines for it are cut from made pages in the layouts and type faces that are never trained on: of lines like
    those that it has learnt, a student is surer than it will be of a school's.
    """
    from pocai.models.ppocr_recognizer import PPOCRRecognizer

    held = checkpoints.read(weights)
    few = _cut(range(HELD_OUT, HELD_OUT + TRIED))
    about = Student(
        version=version,
        recipe=held.state["recipe"],
        data_sha256=data_of(weights),
        metrics={"validation": {key: value for key, value in held.state["metrics"].items() if key != "score"}},
        trained_on="made lines (`pocai synth lines`, `pocai synth pages`); no line of a real document",
    )
    network = trained_network(weights)
    file = write_student(network, folder, about, few)
    if _right(StudentRecognizer(weights=file), few):
        lines = few + _cut(range(HELD_OUT + TRIED, HELD_OUT + CALIBRATED))
        file = write_student(network, folder, about, lines)
        calibrate(file, PPOCRRecognizer(), lines)
    return file


def _cut(seeds: range) -> list[Line]:
    """The lines of the made pages of these seeds, as the detector cuts them out."""
    from pocai.models.detector import PPOCRDetector
    from pocai.training.page_lines import page_lines

    detector = PPOCRDetector()
    return [line for seed in seeds for line in page_lines(seed, detector, "test")]


def trained_network(weights: Path) -> StudentNetwork:
    """The network of a run's ``best.safetensors``, whose card says how it is built. Raises ModelError."""
    held = checkpoints.read(weights)
    network = StudentNetwork(StudentConfig.model_validate(held.state["recipe"]["model"]))
    checkpoints.load_network(network, held.tensors, str(weights))
    return network.eval()


def write_student(network: StudentNetwork, folder: Path, about: Student, lines: Sequence[Line]) -> Path:
    """Export a network to ``folder/student.onnx`` with its card; the 8-bit variant where it reads ``lines`` as well.

    The graph takes adapters. ``lines`` are ones that the network was not trained on; half of them give the ranges of
    the 8 bits.
    """
    whole = export_adaptable(network, folder / "student-float.onnx")
    small = quantise(whole, folder / "student.onnx", [line_image(line.image) for line in lines[::2][:EXAMPLES]])
    for file in (whole, small):
        _card(file, about).write(card_file(file))
    rates = [error_rate(StudentRecognizer(weights=file), lines[1::2]) for file in (whole, small)]
    if rates[1] > rates[0] + ALLOWED_LOSS:
        whole.replace(small)
        _card(small, about).write(card_file(small))
    return small


def calibrate(file: Path, teacher: Recognizer, lines: Sequence[Line], tolerance: float = TOLERANCE) -> ModelCard:
    """Fit the probability that a line is right, choose the cascade's threshold, and write both into the card.

    The even lines fit the calibration, the odd ones choose the threshold. A student that reads next to nothing, or
    everything, gets neither: there is nothing to tell apart.
    """
    student = StudentRecognizer(weights=file)
    right = _right(student, lines)
    if min(right, len(lines) - right) < FEWEST:
        return student.card
    card = calibrated(student.card, judge(lines, student, teacher), tolerance, RISK)
    card.write(card_file(file))
    return card


def error_rate(recognizer: Recognizer, lines: Sequence[Line]) -> float:
    """Character error rate: edits (Levenshtein) over the letters of the truth."""
    edits = letters = 0
    for start in range(0, len(lines), TAKEN):
        some = lines[start : start + TAKEN]
        for line, reading in zip(some, recognizer.recognize([line.image for line in some]), strict=True):
            edits += Levenshtein.distance(reading.text, line.text)
            letters += len(line.text)
    return edits / max(1, letters)


def _right(recognizer: Recognizer, lines: Sequence[Line]) -> int:
    """How many lines are read without a fault."""
    readings = recognizer.recognize([line.image for line in lines])
    return sum(reading.text == line.text for reading, line in zip(readings, lines, strict=True))


def _card(file: Path, about: Student) -> ModelCard:
    return ModelCard(
        name="student",
        version=about.version,
        licence="MIT",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        classes=CLASSES,
        step=STEP,
        height=HEIGHT,
        multiple=MULTIPLE,
        recipe=about.recipe,
        data_sha256=about.data_sha256,
        trained_on=about.trained_on,
        limits=about.limits,
        metrics=about.metrics,
    )
