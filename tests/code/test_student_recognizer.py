"""The student on ONNX Runtime: reads what its network sees, the same in any company, and refuses what does not fit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tone_network import CLASSES, card, crop, doubtful, network, student

from pocai.errors import ModelError
from pocai.models.card import ModelCard, card_file
from pocai.models.recognizer import BATCH_LINES, StudentRecognizer, padded_width

words = st.text("".join(CLASSES[2:]), min_size=1, max_size=12)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> StudentRecognizer:
    return StudentRecognizer(2, student(tmp_path_factory.mktemp("student")))


@settings(deadline=None)
@given(st.lists(texts, max_size=40))
def test_every_line_is_read_in_its_place(recognizer: StudentRecognizer, lines: list[str]) -> None:
    readings = recognizer.recognize([crop(text) for text in lines])
    assert [reading.text for reading in readings] == lines
    assert all(reading.reader == "student" for reading in readings)


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=3 * BATCH_LINES), st.integers(0, 1000))
def test_a_line_reads_the_same_in_any_company(recognizer: StudentRecognizer, lines: list[str], chosen: int) -> None:
    crops = [crop(text) for text in lines]
    number = chosen % len(lines)
    assert recognizer.recognize(crops)[number] == recognizer.recognize([crops[number]])[0]


def test_words_know_their_place_along_the_line(recognizer: StudentRecognizer) -> None:
    ((text, _, start, end), (other, _, begin, stop)) = recognizer.recognize([crop("ABC DE")])[0].words
    assert (text, other) == ("ABC", "DE")
    assert (start, end) == pytest.approx((0.0, 3 / 6), abs=0.1)
    assert (begin, stop) == pytest.approx((4 / 6, 1.0), abs=0.1)


def test_a_doubtful_line_is_less_probable_than_a_clear_one(recognizer: StudentRecognizer) -> None:
    clear, unclear = recognizer.recognize([crop("BAD"), doubtful("BAD")])
    assert clear.probability is not None
    assert unclear.probability is not None
    assert unclear.probability < 0.6
    assert 0.99 < clear.probability < 1
    assert unclear.confidence < clear.confidence


@pytest.mark.parametrize("size", [(0, 0, 3), (0, 40, 3), (30, 0, 3), (1, 1, 3), (3, 2000, 3)])
def test_a_crop_without_writing_reads_as_nothing(recognizer: StudentRecognizer, size: tuple[int, ...]) -> None:
    (reading,) = recognizer.recognize([np.full(size, 255, np.uint8)])
    assert (reading.text, reading.words, reading.confidence, reading.probability) == ("", (), 0.0, 0.0)


def test_nothing_is_read_as_nothing(recognizer: StudentRecognizer) -> None:
    assert recognizer.recognize([]) == []


def test_several_threads_may_read_at_once(recognizer: StudentRecognizer) -> None:
    crops = [crop(text) for text in ("ABC", "DEF GH", "A", "HHH")]
    want = recognizer.recognize(crops)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == want for found in pool.map(recognizer.recognize, [crops] * 12))


def test_log_probabilities_are_of_the_steps_that_a_line_fills(recognizer: StudentRecognizer) -> None:
    (scores,) = recognizer.log_probabilities([crop("ABCDE")])
    assert scores.shape == (15, len(CLASSES))
    assert np.exp(scores).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert [CLASSES[number] for number in scores.argmax(axis=1)[::3]] == list("ABCDE")


def test_run_options_hold_for_one_call(recognizer: StudentRecognizer) -> None:
    options = onnxruntime.RunOptions()
    options.terminate = True  # ends the run that they reach
    with pytest.raises(Exception, match="terminate"):
        recognizer.recognize([crop("AB")], run_options=options)
    assert recognizer.recognize([crop("AB")])[0].text == "AB"


def test_without_a_calibration_there_is_no_probability(tmp_path: Path) -> None:
    (reading,) = StudentRecognizer(1, student(tmp_path, calibration=None)).recognize([crop("AB")])
    assert (reading.text, reading.probability) == ("AB", None)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    file = student(tmp_path)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"student\.onnx is not what its card is of"):
        StudentRecognizer(1, file)


def test_missing_files_are_refused(tmp_path: Path) -> None:
    file = student(tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match=r"the weights student\.onnx cannot be read"):
        StudentRecognizer(1, file)
    card_file(file).unlink()
    with pytest.raises(ModelError, match=r"model card student\.json cannot be read"):
        StudentRecognizer(1, file)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (network(classes=7), r"scores of shape \(1, 8, 7\) where its card says \(1, 8, 10\)"),
        (network(name="images"), r"does not take lines"),
        (b"not a network", "cannot be loaded"),
    ],
    ids=["other classes", "other input", "no network"],
)
def test_a_network_that_its_card_does_not_fit_is_refused(tmp_path: Path, weights: bytes, said: str) -> None:
    file = tmp_path / "student.onnx"
    file.write_bytes(weights)
    card(weights).write(card_file(file))
    with pytest.raises(ModelError, match=said):
        StudentRecognizer(1, file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": []}, "the blank"),
        ({"classes": ["", " "]}, "and letters"),
        ({"classes": [" ", "", "A"]}, "the blank"),
        ({"classes": ["", " ", "A", "A"]}, "stand there once"),
        ({"classes": ["", " ", "AB"]}, "one character"),
        ({"step": 0}, "step"),
        ({"step": 5}, "whole steps of 5"),
        ({"sha256": "abc"}, "sha256"),
        ({"colour": "red"}, "colour"),
        (
            {
                "calibration": {
                    "means": [0],
                    "scales": [0],
                    "weights": [0],
                    "bias": 0,
                    "lines": 1,
                    "right": 1,
                }
            },
            "6 each",
        ),
        ({"threshold": {"value": 2}}, r"threshold\.value"),
    ],
)
def test_a_card_that_cannot_be_used_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    file = card_file(student(tmp_path))
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    with pytest.raises(ModelError, match=rf"student\.json is no model card: .*{said}"):
        ModelCard.read(file)


def test_a_file_that_is_not_json_is_no_card(tmp_path: Path) -> None:
    file = tmp_path / "student.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="is no model card: the whole"):
        ModelCard.read(file)


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "student.json"
    made = card(b"weights", recipe={"steps": 3}, metrics={"clean": {"cer": 0.01}}, limits=("no vertical text",))
    made.write(file)
    first = file.read_bytes()
    assert ModelCard.read(file) == made
    made.write(file)
    assert file.read_bytes() == first


@settings(deadline=None)
@given(st.integers(1, 2400), st.sampled_from([8, 16, 32]))
def test_padding_is_small_and_grows_with_the_line(width: int, multiple: int) -> None:
    padded = padded_width(width, multiple)
    assert padded >= width
    assert padded % multiple == 0
    assert padded - width < max(multiple, width / 8 + multiple)
    assert padded_width(width + 1, multiple) >= padded
    assert padded_width(padded, multiple) == padded


def test_few_widths_serve_all_lines() -> None:
    assert len({padded_width(width, 16) for width in range(8, 2401)}) <= 45
