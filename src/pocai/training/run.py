"""What a run consists of: the network, its optimiser, its averaged weights, and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.optim import AdamW

from pocai.errors import ConfigurationError, ModelError
from pocai.training import checkpoints
from pocai.training.average import Average
from pocai.training.checkpoints import Checkpoint, Checkpoints
from pocai.training.recipe import LoopSettings, Precision, Recipe
from pocai.training.task import Share, Task

_ACCELERATE = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(slots=True)
class State:
    """How far a run is. ``stale`` counts evaluations since the best one, ``bad`` steps in a row that were left out."""

    step: int = 0
    best_score: float | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    bad: int = 0
    stopped: bool = False
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Run:
    """The parts of a run, new or as the newest checkpoint in its folder left them."""

    def __init__(self, task: Task[Any], recipe: Recipe, folder: Path) -> None:
        self.task = task
        self.recipe = recipe
        self.weights = folder / "best.safetensors"
        self.accelerator = _accelerator(recipe.loop.precision)
        self.share = Share(self.accelerator.process_index, self.accelerator.num_processes)
        torch.manual_seed(recipe.seed)
        self._plain = task.build()
        if recipe.initial is not None:
            checkpoints.load_network(self._plain, checkpoints.read(recipe.initial).tensors, str(recipe.initial))
        self.network: nn.Module = self.accelerator.prepare(self._plain).train()
        self._names, self._adam = _adam(self._plain, recipe.loop)
        self._optimiser = self.accelerator.prepare(self._adam)
        self._average = Average(self._plain, recipe.loop.ema)
        self._checkpoints = Checkpoints(folder / "checkpoints", recipe.fingerprint, recipe.loop.keep)
        self.state = State()
        self._load()

    def update(self, rate: float) -> Tensor:
        """Move the weights along the gradient, unless it is not finite; gives its norm before clipping."""
        for group in self._adam.param_groups:
            group["lr"] = rate
        norm: Tensor = self.accelerator.clip_grad_norm_(self._plain.parameters(), self.recipe.loop.clip or float("inf"))
        if self.accelerator.scaler is None:
            # the door by which torch's GradScaler has a fused step left out, without waiting for the GPU
            self._adam.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._average.update(self.state.step)
        self.state.step += 1
        return norm

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Measure the averaged weights in the first process, and keep them where they are the best so far."""
        found: list[dict[str, float]] = [{}]
        main = self.accelerator.is_main_process
        with self._average.in_place():
            if main:
                self._plain.eval()
                found[0] = {name: float(value) for name, value in self.task.evaluate(self._plain).items()}
                self._plain.train()
            broadcast_object_list(found)
            if self._judge(found[0]) and main:
                self._keep_best(found[0])
        return found[0]

    def save(self) -> None:
        """Write a checkpoint, in the first process."""
        if not self.accelerator.is_main_process:
            return
        parts = {
            "network": checkpoints.network_tensors(self._plain),
            "average": self._average.tensors,
            "optimiser": checkpoints.optimiser_tensors(self._adam, self._names),
        }
        tensors = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler else {}
        state = {"run": asdict(self.state), "scaler": scaler, "recipe": self.recipe.model_dump(mode="json")}
        self._checkpoints.save(self.state.step, Checkpoint(tensors, state))

    def _load(self) -> None:
        checkpoint = self._checkpoints.newest()
        if checkpoint is None:
            return
        checkpoints.load_network(self._plain, checkpoint.part("network"), "the checkpoint")
        checkpoints.load_optimiser(self._adam, self._names, checkpoint.part("optimiser"))
        self._average.load(checkpoint.part("average"))
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(checkpoint.state["scaler"])
        self.state = State(**checkpoint.state["run"])

    def _keep_best(self, metrics: dict[str, float]) -> None:
        card = {
            "task": self.task.name,
            "step": self.state.step,
            "metrics": metrics,
            "recipe": self.recipe.model_dump(mode="json"),
        }
        checkpoints.write(self.weights, Checkpoint(checkpoints.network_tensors(self._plain), card))

    def _judge(self, metrics: dict[str, float]) -> bool:
        """Note an evaluation: whether it is the best so far, and if not, whether it was one too many."""
        state, score = self.state, metrics["score"]
        if isnan(score):
            what = f"the score of task {self.task.name} is not a number at step {state.step}"
            raise ModelError(what, mend="Lower loop.learning_rate, or check the data that it is measured on")
        state.history.append({"step": state.step, **metrics})
        best = state.best_score is None or score < state.best_score
        if best:
            state.best_score, state.best_metrics = score, metrics
        state.stale = 0 if best else state.stale + 1
        state.stopped = 0 < self.recipe.loop.patience <= state.stale
        return best


def _accelerator(precision: Precision) -> Accelerator:
    """The device, and the processes that ``torchrun`` started."""
    on_gpu = torch.cuda.is_available()
    if precision == "auto":
        best: Precision = (
            "bfloat16" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
        )
        precision = best if on_gpu else "float32"
    if precision == "float16" and not on_gpu:
        raise ConfigurationError("precision float16 needs a GPU", mend='Set loop.precision to "bfloat16" or "float32"')
    # Accelerate keeps the precision of the first run in a process for all later ones
    AcceleratorState._reset_state()  # noqa: SLF001
    # without `cpu` it takes the processes of torchrun for unrelated ones where there is no GPU
    return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=_ACCELERATE[precision])


def _adam(network: nn.Module, loop: LoopSettings) -> tuple[list[str], AdamW]:
    """The names of the trained parameters in the optimiser's order, and the optimiser (Loshchilov & Hutter 2019).

    Norms and biases, which have one dimension, do not decay.
    """
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    decayed = [(name, parameter) for name, parameter in named if parameter.dim() > 1]
    others = [(name, parameter) for name, parameter in named if parameter.dim() <= 1]
    groups = [
        {"params": [parameter for _, parameter in decayed], "weight_decay": loop.weight_decay},
        {"params": [parameter for _, parameter in others], "weight_decay": 0.0},
    ]
    adam = AdamW([group for group in groups if group["params"]], loop.learning_rate, betas=loop.betas, fused=True)
    return [name for name, _ in decayed + others], adam
