"""Distillation: the divergence from a teacher, and the CTC loss of labels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pocai.models.ctc import CLASSES
from pocai.training.distill import TeacherScores, classes_of, ctc_loss, teacher_loss

A, B, C = 2, 3, 4  # classes of letters
COUNT = 6  # classes in these tests


def scores(*steps: int, sure: float = 0.99) -> Tensor:
    """Log-probabilities ``(1, T, 6)`` that name one class at each step."""
    rest = (1 - sure) / (COUNT - 1)
    rows = torch.full((len(steps), COUNT), rest)
    rows[torch.arange(len(steps)), torch.tensor(steps)] = sure
    return rows.log()[None]


def teacher(*steps: int, sure: float = 0.99) -> TeacherScores:
    """The two likeliest classes of each step, the blank (or a letter beside it) second."""
    classes = torch.tensor([[step, 0 if step else A] for step in steps])[None]
    values = torch.tensor([[sure, 1 - sure]] * len(steps)).log()[None]
    return TeacherScores(classes, values, torch.ones(1, len(steps), dtype=torch.bool))


@pytest.mark.parametrize("student", [(A, 0), (0, A), (A, A)])
def test_a_letter_may_stand_in_either_of_two_steps(student: tuple[int, int]) -> None:
    agreed = teacher_loss(scores(*student), teacher(A), 1.0)
    assert agreed < 0.1 < teacher_loss(scores(0, 0), teacher(A), 1.0)
    assert teacher_loss(scores(B, 0), teacher(A), 1.0) > 20 * agreed


def test_a_blank_wants_both_steps_blank() -> None:
    agreed = teacher_loss(scores(0, 0), teacher(0), 1.0)
    assert agreed < 0.1
    assert teacher_loss(scores(0, B), teacher(0), 1.0) > 1


def test_a_letter_that_the_teacher_says_twice_in_a_row_is_one_letter() -> None:
    once, twice = scores(A, 0, 0, 0), scores(A, 0, A, 0)
    assert teacher_loss(once, teacher(A, A), 1.0) < 0.1
    assert teacher_loss(twice, teacher(A, A), 1.0) > 1
    doubled = scores(A, 0, 0, 0, A, 0)
    assert teacher_loss(doubled, teacher(A, 0, A), 1.0) < 0.1, "with a blank between they are two"


def test_where_the_teacher_is_in_doubt_the_letter_begins_once() -> None:
    unsure = TeacherScores(
        torch.tensor([[[A, 0], [A, 0]]]), torch.tensor([[[0.5, 0.5], [0.99, 0.01]]]).log(), torch.ones(1, 2).bool()
    )
    likelier = [
        teacher_loss(student, unsure, 1.0)
        for student in (scores(A, 0, 0, 0, sure=0.6), scores(A, 0, A, 0, sure=0.99), scores(0, 0, 0, 0, sure=0.99))
    ]
    assert likelier[0] < min(likelier[1:])


def test_steps_that_do_not_count_are_left_out() -> None:
    said = teacher(A, B)
    partly = TeacherScores(said.classes, said.log_probabilities, torch.tensor([[True, False]]))
    nothing = TeacherScores(said.classes, said.log_probabilities, torch.tensor([[False, False]]))
    right_then_wrong = scores(A, 0, C, 0)
    assert teacher_loss(right_then_wrong, partly, 1.0) < 0.1
    assert teacher_loss(right_then_wrong, said, 1.0) > 1
    assert teacher_loss(right_then_wrong, nothing, 1.0) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 4))
def test_the_divergence_is_finite_and_its_gradient_lowers_it(seed: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 6, COUNT, generator=generator, requires_grad=True)
    raw = torch.randn(2, 3, COUNT, generator=generator).log_softmax(-1)
    best, classes = raw.topk(3, dim=-1)
    said = TeacherScores(classes, best, torch.ones(2, 3, dtype=torch.bool))
    loss = teacher_loss(logits.log_softmax(-1), said, temperature)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own signature
    assert logits.grad is not None
    assert torch.isfinite(loss)
    lower = teacher_loss((logits - 0.01 * logits.grad).log_softmax(-1), said, temperature)
    assert lower <= loss + 1e-6


def test_ctc_is_low_for_the_label_and_lets_impossible_lines_be() -> None:
    label, length, steps = torch.tensor([A, B]), torch.tensor([2]), torch.tensor([3])
    assert ctc_loss(scores(A, 0, B), label, length, steps)[0] < 0.1
    assert ctc_loss(scores(B, 0, A), label, length, steps)[0] > 1
    assert ctc_loss(scores(A, B), torch.tensor([A, A]), length, torch.tensor([2]))[0] == 0  # no room for a blank


def test_labels_become_classes_and_back() -> None:
    text = "Größe 9:00–9.45 ½"
    assert "".join(CLASSES[number] for number in classes_of(text)) == text
    assert classes_of("日A") == [CLASSES.index("A")]
