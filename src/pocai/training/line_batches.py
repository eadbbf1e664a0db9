"""Batches of line images of about equal width: which lines make up a step, and the tensors that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocai.models.line_image import HEIGHT, PAPER
from pocai.models.student_network import MULTIPLE, STEP
from pocai.training.distill import TeacherScores, classes_of
from pocai.training.task import Share

Pixels = NDArray[np.uint8]
Scored = tuple[NDArray[np.uint16], NDArray[np.float16]]

POOL = 32  # batches whose lines are sorted by width together
TEACHER_STEP = 8  # pixels for which the teacher gives one vector of scores


class LineImages(Protocol):
    """Line images in the student's shape, by number."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> Pixels:
        """``(48, w)`` uint8, ink dark on white."""
        ...

    def text(self, index: int) -> str:
        """What is printed on it; empty where nobody knows."""
        ...

    def teacher(self, index: int) -> Scored | None:
        """The teacher's likeliest classes ``(T, K)`` and their log-probabilities, None where it was not asked."""
        ...

    def widths(self) -> NDArray[np.int32]:
        """Widths in pixels ``(N,)``."""
        ...


@dataclass(frozen=True, slots=True)
class LineBatch:
    """Line images ``(N, 1, 48, W)`` uint8, their labels (see `distill.ctc_loss`) and what the teacher says."""

    images: Tensor
    labels: Tensor
    lengths: Tensor
    steps: Tensor
    teacher: TeacherScores | None = None


def numbers_of_step(widths: NDArray[np.int32], step: int, batch: int, seed: int, share: Share) -> list[int]:
    """The lines of a step for one process: every epoch takes each line once, in a new order, widths together.

    A step takes ``batch * world`` lines of neighbouring widths, each process every ``world``-th of them.
    """
    size = batch * share.world
    steps = max(1, len(widths) // size)
    epoch, place = divmod(step, steps)
    order = _order(widths.tobytes(), size, seed, epoch)
    return [int(number) for number in order[place * size : (place + 1) * size][share.rank :: share.world]]


@lru_cache(maxsize=4)
def _order(widths: bytes, size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """All lines in the order of one epoch: shuffled, sorted by width within pools, the pools' batches shuffled."""
    sizes = np.frombuffer(widths, np.int32)
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(sizes))
    pool = POOL * size
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    order = np.concatenate([part[np.argsort(sizes[part], kind="stable")] for part in pools])
    whole = len(order) // size * size
    if not whole:
        return np.resize(order, size)
    batches = order[:whole].reshape(-1, size)
    shuffled: NDArray[np.int64] = batches[random.permutation(len(batches))].reshape(-1)
    return shuffled


def batch_of(images: Sequence[Pixels], texts: Sequence[str], scored: Sequence[Scored | None] = ()) -> LineBatch:
    """Tensors of some lines; W is the widest, rounded up to 16, with paper to the right of narrower lines.

    A line without text is labelled with what the teacher read, where there is a teacher (sequence-level distillation,
    Kim and Rush 2016, arXiv:1606.07947).
    """
    widest = -(-max(image.shape[1] for image in images) // MULTIPLE) * MULTIPLE
    pixels = np.full((len(images), 1, HEIGHT, widest), PAPER, np.uint8)
    for row, image in enumerate(images):
        pixels[row, 0, :, : image.shape[1]] = image
    teachers = list(scored) or [None] * len(images)
    classes = [_label(text, said) for text, said in zip(texts, teachers, strict=True)]
    return LineBatch(
        torch.from_numpy(pixels),
        torch.tensor([number for label in classes for number in label], dtype=torch.long),
        torch.tensor([len(label) for label in classes]),
        torch.tensor([-(-image.shape[1] // STEP) for image in images]),
        _teacher(teachers, widest // TEACHER_STEP) if any(said is not None for said in teachers) else None,
    )


def _label(text: str, said: Scored | None) -> list[int]:
    if text or said is None:
        return classes_of(text)
    best = said[0][:, 0].astype(int)
    changes = np.concatenate(([True], best[1:] != best[:-1]))
    return [int(number) for number in best[changes] if number]


def _teacher(scored: Sequence[Scored | None], steps: int) -> TeacherScores:
    kept = next(said[0].shape[1] for said in scored if said is not None)
    classes = np.zeros((len(scored), steps, kept), np.int64)
    scores = np.zeros((len(scored), steps, kept), np.float32)
    valid = np.zeros((len(scored), steps), bool)
    for row, said in enumerate(scored):
        if said is not None:
            count = min(steps, len(said[0]))
            classes[row, :count], scores[row, :count] = said[0][:count], said[1][:count]
            valid[row, :count] = True
    return TeacherScores(torch.from_numpy(classes), torch.from_numpy(scores), torch.from_numpy(valid))
