"""What one kind of training brings along: its network, its data, its loss and its score. The loop does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor, nn

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the data a process takes: the ``rank``-th of ``world`` equal parts of every step."""

    rank: int = 0
    world: int = 1


class Task(Protocol[Batch]):
    """A training task. ``batch`` is a pure function of the step, which makes an interrupted run resume exactly."""

    @property
    def name(self) -> str:
        """Kind of the task, as recipes name it: ``ocr-student``."""
        ...

    def build(self) -> nn.Module:
        """A new network, its weights drawn from torch's global generator (the loop seeds it)."""
        ...

    def batch(self, step: int, share: Share) -> Batch:
        """The data of one step for one process. Called in other processes too: the task must be picklable."""
        ...

    def losses(self, network: nn.Module, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """Scalar losses by name; ``total`` is minimised, the others are reported."""
        ...

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        """Metrics on held-out data by name; ``score`` decides which checkpoint is best: lower is better."""
        ...
