"""From weights to a student that can be served: 8 bits only where they cost nothing, a card that tells the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tone_network
import torch
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.adapter import AdaptableStudent
from pocai.models.card import ModelCard, card_file
from pocai.models.protocols import Reading
from pocai.models.recognizer import StudentRecognizer
from pocai.models.student_network import StudentConfig, StudentNetwork
from pocai.training.datasets import Sample
from pocai.training.lora_network import digest_of
from pocai.training.ocr_model.calibrate import calibrated, judge
from pocai.training.ocr_model.shipping import Student, calibrate, error_rate, write_student

TINY = StudentConfig(channels=(4, 8, 16, 16), blocks=(0, 0, 1), mixer=32, layers=1, heads=2)
ABOUT = Student(version="7", recipe={"task": "ocr-student"}, data_sha256=None, metrics={}, trained_on="nothing")
LETTERS = tone_network.CLASSES[2:]


class Knowing:
    """A teacher that knows the labels of its lines by their pixels."""

    def __init__(self, lines: Sequence[Sample]) -> None:
        self._known = {line.image.tobytes(): line.text for line in lines}

    def recognize(self, crops: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        return [Reading(self._known[crop.tobytes()], 0.99) for crop in crops]


def lines(count: int, seed: int = 0) -> list[Sample]:
    """Clear lines that the tone network reads, and doubtful ones, of which it reads about a half."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        text = "".join(random.choice(LETTERS[:-1], int(random.integers(1, 5))))
        if random.random() < 0.5:
            made.append(Sample(tone_network.crop(text), text))
            continue
        other = LETTERS[LETTERS.index(text[0]) + 1] + text[1:]
        made.append(Sample(tone_network.doubtful(text), text if random.random() < 0.5 else other))
    return made


def test_an_exported_student_can_be_loaded_and_its_card_is_of_its_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    random = np.random.default_rng(0)
    noise = [Sample(random.integers(0, 256, (30, 90, 3), np.uint8), "Maths") for _ in range(12)]
    network = StudentNetwork(TINY)
    file = write_student(network, tmp_path, ABOUT, noise)
    student = AdaptableStudent(1, file)
    assert student.base_sha256 == digest_of(network), "it takes adapters that are trained on these weights"
    assert student.card.version == "7"
    assert student.card.calibration is None
    assert error_rate(student, noise) <= error_rate(StudentRecognizer(1, tmp_path / "student-float.onnx"), noise) + 0.01
    assert file.stat().st_size < (tmp_path / "student-float.onnx").stat().st_size


def test_calibration_tells_clear_lines_from_doubtful_ones(tmp_path: Path) -> None:
    file, made = tone_network.student(tmp_path), lines(1200)
    bare(file)
    card = calibrate(file, Knowing(made), made)
    assert card == ModelCard.read(card_file(file))
    assert card.calibration is not None
    assert card.threshold is not None
    assert card.threshold.cascade > card.threshold.student + 0.1
    assert 0.3 < card.threshold.sent < 0.7  # about the doubtful half
    clear, unclear = StudentRecognizer(1, file).recognize([tone_network.crop("BAD"), tone_network.doubtful("BAD")])
    assert clear.probability is not None
    assert unclear.probability is not None
    assert unclear.probability < card.threshold.value < clear.probability


def test_a_student_that_reads_everything_is_not_calibrated(tmp_path: Path) -> None:
    file = tone_network.student(tmp_path)
    bare(file)
    clear = [Sample(tone_network.crop(letter), letter) for letter in LETTERS] * 30
    assert calibrate(file, Knowing(clear), clear).calibration is None


def test_a_handful_of_lines_is_too_few(tmp_path: Path) -> None:
    student = StudentRecognizer(1, tone_network.student(tmp_path))
    few = lines(20)
    with pytest.raises(InputError, match="20 lines are too few"):
        calibrated(student.card, judge(few, student, Knowing(few)), 0.003)


def bare(file: Path) -> None:
    """Take calibration and threshold out of a card."""
    card = json.loads(card_file(file).read_text(encoding="utf-8"))
    card_file(file).write_text(json.dumps({**card, "calibration": None, "threshold": None}), encoding="utf-8")
