"""The figures of the steps since the last look. They stay on the device: every look at one waits for the GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

import torch
from torch import Tensor

Reduce = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the steps by name, and for each step whether its loss and gradient were finite."""

    means: dict[str, float]
    good: tuple[bool, ...]


class Window:
    """Collects losses and gradient norms of the steps since it was last emptied."""

    def __init__(self) -> None:
        self._losses: dict[str, list[Tensor]]
        self._norms: list[Tensor]
        self.empty()

    def empty(self) -> None:
        """Forget all, and start the clock."""
        self._losses = {}
        self._norms = []
        self._begun = time.perf_counter()

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """The losses of one batch."""
        for name, loss in losses.items():
            self._losses.setdefault(name, []).append(loss.detach().float())

    def close_step(self, norm: Tensor) -> None:
        """The gradient's norm ends a step."""
        self._norms.append(norm.detach())

    def take(self, reduce: Reduce) -> Figures:
        """The figures so far, after which the window is empty; ``reduce`` averages a tensor over the processes."""
        steps = len(self._norms)
        reduced = reduce(torch.cat([torch.stack(values) for values in self._losses.values()]))
        norms = torch.stack(self._norms).tolist()
        seconds = time.perf_counter() - self._begun
        parts = torch.split(reduced, [len(values) for values in self._losses.values()])
        losses = {name: part.tolist() for name, part in zip(self._losses, parts, strict=True)}
        totals = torch.tensor(losses["total"]).reshape(steps, -1).sum(dim=1).tolist()
        means = {f"loss/{name}": _mean(values) for name, values in losses.items()}
        means |= {"gradient_norm": _mean(norms), "steps_per_second": steps / seconds}
        self.empty()
        return Figures(means, tuple(isfinite(a) and isfinite(b) for a, b in zip(totals, norms, strict=True)))


def _mean(values: list[float]) -> float:
    """Mean of those that are finite; the steps of the others were left out."""
    finite = [value for value in values if isfinite(value)]
    return fmean(finite) if finite else nan
