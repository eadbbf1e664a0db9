"""A moving average of the weights: what is evaluated and shipped in place of the last step's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of trained parameters and float buffers (Polyak & Juditsky 1992).

    The decay rises as ``(1 + step) / (10 + step)`` to its full value, so that the first weights are soon forgotten.
    With a decay of 0 the network itself is what is evaluated, and no copy is kept.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._live = averaged_tensors(network) if decay else {}
        self.tensors = {name: tensor.detach().clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after this step."""
        if self.tensors:
            decay = min(self._decay, (1 + step) / (10 + step))
            # torch has no public name for the many-tensors kernels that its own AveragedModel calls
            torch._foreach_lerp_(list(self.tensors.values()), list(self._live.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averaged weights into the network for a while."""
        kept = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        _copy(self.tensors, self._live)
        try:
            yield
        finally:
            _copy(kept, self._live)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Continue from averaged weights that were saved."""
        _copy(tensors, self.tensors)


def averaged_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a network that training changes by small steps, by name."""
    parameters = {name: tensor for name, tensor in network.named_parameters() if tensor.requires_grad}
    buffers = {name: tensor for name, tensor in network.named_buffers() if tensor.is_floating_point()}
    return {**parameters, **buffers}


@torch.no_grad()
def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])
