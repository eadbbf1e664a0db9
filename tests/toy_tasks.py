"""Small training tasks for tests of the loop. Run as a program, this file trains one of them in its own process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional

from pocai.training.loop import Outcome, train
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.task import Share
from pocai.training.tracker import CsvTracker

Pair = tuple[Tensor, Tensor]
ROWS = 16  # of a step's batch, all processes together


def drawn(seed: int, rows: int = ROWS) -> Pair:
    """Numbers ``(rows, 4)`` and what a network is to make of them, ``(rows, 1)``."""
    numbers = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed))
    return numbers, numbers.abs().sum(dim=1, keepdim=True)


class Regression:
    """Learns the sum of absolute values. ``dropout`` makes its losses depend on torch's generator."""

    name = "toy-regression"

    def __init__(self, dropout: float = 0.0) -> None:
        self.dropout = dropout

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(16, 1))

    def batch(self, step: int, share: Share) -> Pair:
        numbers, wanted = drawn(step)
        return numbers[share.rank :: share.world], wanted[share.rank :: share.world]

    def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
        del step
        numbers, wanted = batch
        made = network(numbers)
        return {"total": functional.mse_loss(made, wanted), "absolute": functional.l1_loss(made.detach(), wanted)}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        numbers, wanted = drawn(10**6, 64)
        return {"score": float(functional.l1_loss(network(numbers), wanted))}


class Stripes:
    """Tells upright stripes from level ones with a convolution, dropout and batch norm, channels last."""

    name = "toy-stripes"

    def build(self) -> nn.Module:
        layers = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2))
        network = nn.Sequential(*layers, nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # untyped there

    def batch(self, step: int, share: Share) -> Pair:
        random = torch.Generator().manual_seed(step)
        kinds = torch.randint(0, 2, (ROWS,), generator=random)
        stripes = torch.arange(8).remainder(2).float().expand(ROWS, 1, 8, 8)
        turned = torch.where(kinds.view(-1, 1, 1, 1).bool(), stripes, stripes.transpose(2, 3))
        images = turned + torch.randn(ROWS, 1, 8, 8, generator=random)
        return images[share.rank :: share.world], kinds[share.rank :: share.world]

    def losses(self, network: nn.Module, batch: Pair, step: int) -> Mapping[str, Tensor]:
        del step
        return {"total": functional.cross_entropy(network(batch[0]), batch[1])}

    def evaluate(self, network: nn.Module) -> Mapping[str, float]:
        images, kinds = self.batch(10**6, Share())
        return {"score": float((network(images).argmax(dim=1) != kinds).float().mean())}


class Killed(Regression):
    """Kills its process, as a power cut would, when it is asked for a certain batch."""

    name = "toy-killed"

    def __init__(self, dropout: float, at: int) -> None:
        super().__init__(dropout)
        self.at = at

    def batch(self, step: int, share: Share) -> Pair:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step, share)


def recipe(task: str = Regression.name, model: dict[str, Any] | None = None, **loop: Any) -> Recipe:
    """A recipe of a toy with these settings of the loop."""
    return Recipe.model_validate({"task": task, "model": model or {}, "loop": {"learning_rate": 0.02, **loop}})


def losses_of(folder: Path) -> list[float]:
    """The losses in the log of a run."""
    rows = [row.split(",") for row in (folder / "log.csv").read_text().splitlines()]
    return [float(value) for _, name, value in rows if name == "loss/total"]


def toy(made: Recipe) -> Any:
    """The task that a recipe names."""
    if made.task == Killed.name:
        return Killed(**made.model)
    return Stripes() if made.task == Stripes.name else Regression(**made.model)


def trained(made: Recipe, folder: Path) -> Outcome:
    """Train a toy, with its figures written beside the weights."""
    return train(toy(made), made, folder, tracker=CsvTracker(folder))


if __name__ == "__main__":
    trained(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
    assert PartialState().num_processes == int(os.environ.get("WORLD_SIZE", "1"))
