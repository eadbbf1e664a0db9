"""Knowledge distillation of CTC recognizers (Hinton et al. 2015, arXiv:1503.02531): one network learns from another.

The student gives two vectors of scores where the teacher gives one. Of both together the chance is taken that either
of them emits a letter, and that neither does: that is what the teacher's vector says about the same pixels. A letter
that the teacher says at two steps in a row is one letter to CTC. The student, with more steps, would have room for a
blank between the two and read the letter twice; hence it is told only where letters begin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pocai.models.ctc import CLASSES

BLANK = 0


@dataclass(frozen=True, slots=True)
class TeacherScores:
    """The likeliest classes of each teacher's step ``(N, S, K)`` int64, their log-probabilities, and which steps count.

    ``valid`` ``(N, S)`` is false where a line is shorter than its batch or was not read by the teacher.
    """

    classes: Tensor
    log_probabilities: Tensor
    valid: Tensor


def teacher_loss(log_probabilities: Tensor, teacher: TeacherScores, temperature: float) -> Tensor:
    """Mean divergence (Kullback and Leibler, nats) of the student from the teacher over the steps that count.

    ``log_probabilities`` ``(N, F * S, C)`` are the student's, F vectors for one of the teacher's. Both are softened
    by ``temperature``, by whose square the loss is scaled so that its gradients keep their size. 0 without a step.
    """
    lines, steps, _ = teacher.classes.shape
    softened = torch.log_softmax(log_probabilities / temperature, dim=-1).exp()
    emitted = _emitted(softened.reshape(lines, steps, -1, softened.shape[-1]))
    wanted = _begun(teacher, temperature)
    given = torch.log(emitted.gather(2, teacher.classes).clamp_min(1e-9))
    divergence = torch.special.xlogy(wanted, wanted).sum(dim=-1) - (wanted * given).sum(dim=-1)
    loss: Tensor = (divergence * teacher.valid).sum() / teacher.valid.sum().clamp_min(1) * temperature**2
    return loss


def _begun(teacher: TeacherScores, temperature: float) -> Tensor:
    """Chances ``(N, S, K)`` that a letter begins at a step; what only goes on there counts as blank."""
    softened = torch.softmax(teacher.log_probabilities / temperature, dim=-1)
    same = teacher.classes[:, 1:, :, None] == teacher.classes[:, :-1, None, :]
    said = torch.softmax(teacher.log_probabilities, dim=-1)[:, :-1, None, :]
    before = torch.nn.functional.pad((said * same).sum(dim=-1), (0, 0, 1, 0))
    blank = teacher.classes == BLANK
    going_on = torch.where(blank, 0.0, softened * before)
    begun = softened - going_on + blank * going_on.sum(dim=-1, keepdim=True)
    chances: Tensor = begun / begun.sum(dim=-1, keepdim=True)
    return chances


def _emitted(probabilities: Tensor) -> Tensor:
    """From ``(N, S, F, C)`` the chances ``(N, S, C)``, which sum to 1, that at least one of F vectors emits a class."""
    emitted = 1 - torch.prod(1 - probabilities, dim=2)
    nothing = probabilities[..., BLANK].prod(dim=2, keepdim=True)
    chances = torch.cat((nothing, emitted[..., 1:]), dim=-1)
    return chances / chances.sum(dim=-1, keepdim=True)


def ctc_loss(log_probabilities: Tensor, labels: Tensor, lengths: Tensor, steps: Tensor) -> Tensor:
    """CTC loss of each line ``(N,)`` in nats a letter; 0 for a line with more letters than its steps can hold.

    ``labels`` are all lines' classes one after the other, ``lengths`` ``(N,)`` their numbers, ``steps`` ``(N,)`` the
    vectors that each line fills.
    """
    losses = torch.nn.functional.ctc_loss(
        log_probabilities.transpose(0, 1), labels, steps, lengths, blank=BLANK, reduction="none", zero_infinity=True
    )
    return losses / lengths.clamp_min(1)


def classes_of(text: str) -> list[int]:
    """The classes of a label; letters outside the alphabet are left out (`pocai.training.checks` refuses them)."""
    return [_NUMBERS[letter] for letter in text if letter in _NUMBERS]


_NUMBERS = {letter: number for number, letter in enumerate(CLASSES) if letter}
