"""Checkpoints: all that a run needs to go on exactly where it stood, each in one safetensors file.

A file appears whole or not at all. No generator's state is in it, as the loop seeds torch anew for each step.
Frozen parameters are left out: `Task.build` brings them along.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from pocai.errors import ConfigurationError, ModelError

_STATE = "pocai"  # key of the header under which the state stands as JSON
Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name, and whatever JSON can hold."""

    tensors: Tensors
    state: Mapping[str, Any]

    def part(self, name: str) -> Tensors:
        """The tensors below ``name/``, without this prefix."""
        prefix = f"{name}/"
        return {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of a run in a folder, of which the newest ``keep`` stay."""

    folder: Path
    fingerprint: str
    keep: int

    def newest(self) -> Checkpoint | None:
        """The last one, or None. Raises ConfigurationError where it is of another recipe."""
        files = self._files()
        if not files:
            return None
        checkpoint = read(files[-1])
        if checkpoint.state.get("fingerprint") != self.fingerprint:
            what = f"{files[-1]} was written by a run of another recipe"
            mend = "Take another folder, or name the weights to begin from as `initial` in the recipe"
            raise ConfigurationError(what, mend=mend)
        return checkpoint

    def save(self, step: int, checkpoint: Checkpoint) -> Path:
        """Write the checkpoint of a step, then delete those that are too old."""
        path = self.folder / f"{step:08}.safetensors"
        write(path, Checkpoint(checkpoint.tensors, {**checkpoint.state, "fingerprint": self.fingerprint}))
        for old in self._files()[: -self.keep]:
            old.unlink()
        return path

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.safetensors"))


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file that is there whole or not at all, even if the machine stops at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, draft, metadata={_STATE: json.dumps(checkpoint.state)})
    draft.chmod(0o644)  # safetensors makes files that only their owner may read
    with draft.open("rb+") as stream:
        os.fsync(stream.fileno())
    draft.replace(path)


def read(path: Path) -> Checkpoint:
    """A checkpoint, or weights alone, on the CPU. Raises ModelError for a file that is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {}).get(_STATE, "{}"))
            return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, state)  # noqa: SIM118 (no dict)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        what = f"weights {path} cannot be read ({type(error).__name__})"
        raise ModelError(what, mend="Give another file, or delete it to go on from the one before") from error


def network_tensors(network: nn.Module) -> Tensors:
    """What training changes in a network, by the names of its state dict; tensors with two names under the first."""
    seen: set[int] = set()
    tensors: Tensors = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        frozen = isinstance(tensor, nn.Parameter) and not tensor.requires_grad
        if not frozen and id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor.detach()
    return tensors


@torch.no_grad()
def load_network(network: nn.Module, tensors: Tensors, source: str) -> None:
    """Copy weights into a network. Raises ModelError where names or shapes differ from the network's own."""
    own = network_tensors(network)
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != given:
        odd = sorted(name for name in shapes | given if shapes.get(name) != given.get(name))
        what = f"{source} does not fit the network: {odd[0]} is {given.get(odd[0])}, not {shapes.get(odd[0])}"
        raise ModelError(f"{what} ({len(odd)} tensors differ)", mend="Check the recipe's model table")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def optimiser_tensors(optimiser: Optimizer, names: list[str]) -> Tensors:
    """The state of an optimiser as ``PARAMETER/KEY``; ``names`` are those of its parameters, in its own order."""
    state = optimiser.state_dict()["state"]
    return {f"{names[number]}/{key}": value for number, values in state.items() for key, value in values.items()}


def load_optimiser(optimiser: Optimizer, names: list[str], tensors: Tensors) -> None:
    """Copy the state back. Moments take the memory format of their parameter, which fused kernels rely on."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter_name, key = name.rsplit("/", 1)
        number = names.index(parameter_name)
        like = parameters[number]
        same = tensor.shape == like.shape and key != "step"
        state.setdefault(number, {})[key] = torch.empty_like(like).copy_(tensor) if same else tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
