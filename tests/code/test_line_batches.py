"""Batches of lines: every line once an epoch, neighbouring widths together, shares that make up the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.models.ctc import CLASSES
from pocai.training.line_batches import batch_of, numbers_of_step
from pocai.training.task import Share

ALONE = Share()


def widths(count: int, seed: int = 0) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(20, 600, count).astype(np.int32)


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 400), st.integers(1, 8), st.integers(0, 5))
def test_an_epoch_takes_each_line_at_most_once_and_leaves_less_than_a_batch(count: int, batch: int, epoch: int) -> None:
    sizes = widths(count)
    steps = count // batch
    taken = [n for step in range(steps) for n in numbers_of_step(sizes, epoch * steps + step, batch, 1, ALONE)]
    assert len(taken) == len(set(taken)) == steps * batch
    assert count - len(taken) < batch


def test_two_processes_take_together_what_one_takes_with_the_doubled_batch() -> None:
    sizes = widths(300)
    for step in (0, 3, 40):
        whole = numbers_of_step(sizes, step, 16, 7, ALONE)
        halves = [numbers_of_step(sizes, step, 8, 7, Share(rank, 2)) for rank in (0, 1)]
        assert sorted(whole) == sorted(halves[0] + halves[1])


def test_lines_of_a_batch_are_of_about_one_width_and_epochs_differ() -> None:
    sizes = widths(4096)
    spread = [np.ptp(sizes[numbers_of_step(sizes, step, 16, 3, ALONE)]) for step in range(64)]
    assert np.mean(spread) < 60  # of 580
    first, second = (numbers_of_step(sizes, step, 16, 3, ALONE) for step in (0, 256))
    assert first != second


def test_fewer_lines_than_a_batch_are_repeated() -> None:
    assert len(numbers_of_step(widths(5), 9, 16, 0, ALONE)) == 16


def test_a_batch_is_padded_with_paper_and_labelled() -> None:
    images = [np.zeros((48, 20), np.uint8), np.zeros((48, 33), np.uint8)]
    batch = batch_of(images, ["Ab", ""])
    assert batch.images.shape == (2, 1, 48, 48)
    assert batch.images[0, 0, :, 20:].min() == 255
    assert batch.images[0, 0, :, :20].max() == 0
    assert batch.labels.tolist() == [CLASSES.index("A"), CLASSES.index("b")]
    assert batch.lengths.tolist() == [2, 0]
    assert batch.steps.tolist() == [5, 9]
    assert batch.teacher is None


@pytest.mark.parametrize(("text", "label"), [("", "ll"), ("No", "No")])
def test_an_unlabelled_line_gets_what_the_teacher_read(text: str, label: str) -> None:
    letter = CLASSES.index("l")
    path = np.array([[letter, 0], [letter, 0], [0, letter], [letter, 0]], np.uint16)
    said = path, np.full((4, 2), -0.5, np.float16)
    batch = batch_of([np.zeros((48, 32), np.uint8)], [text], [said])
    assert [CLASSES[number] for number in batch.labels.tolist()] == list(label)
    assert batch.teacher is not None
    assert batch.teacher.valid.tolist() == [[True] * 4]
    assert batch.teacher.classes[0].tolist() == path.tolist()
