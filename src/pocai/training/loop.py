"""The training loop: one function for every task, on a CPU, a GPU, or several processes and hosts.

Started by ``torchrun``, each process takes its share of every step's data. The folder must then be one that all
hosts see; only the first process writes. Whatever is random in a step comes from (seed, step, process), which is why
a run that was interrupted goes on exactly as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocai.training.batches import Span, batches, moved
from pocai.training.progress import Reporter
from pocai.training.recipe import Recipe
from pocai.training.run import Run
from pocai.training.schedule import learning_rate
from pocai.training.task import Share, Task
from pocai.training.tracker import Tracker
from pocai.training.watch import Watch
from pocai.training.window import Window

LOG_EVERY = 20  # steps between two looks at the losses; each look waits for the device


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: ``metrics`` are those of the best evaluation; ``seconds`` count its earlier parts as well."""

    steps: int
    best_score: float
    metrics: dict[str, float]
    seconds: float
    folder: Path
    stopped_early: bool

    @property
    def weights(self) -> Path:
        """The best weights, as safetensors with the names of the network's state dict."""
        return self.folder / "best.safetensors"


def train(
    task: Task[Any],
    recipe: Recipe,
    folder: Path,
    *,
    tracker: Tracker | None = None,
    progress: Reporter | None = None,
) -> Outcome:
    """Train a task by a recipe, going on from the newest checkpoint in ``folder`` where there is one.

    Writes ``best.safetensors`` (averaged weights) and ``checkpoints/``. Raises ConfigurationError where the folder
    holds a run of another recipe, and ModelError where the loss is not a finite number for many steps.
    """
    with _threads(recipe.loop.threads):
        run = Run(task, recipe, folder)
        with Watch(run, tracker, progress) as watch:
            _steps(run, watch)
            run.accelerator.wait_for_everyone()
    state = run.state
    assert state.best_score is not None, "the last step is always evaluated"
    return Outcome(state.step, state.best_score, state.best_metrics, state.seconds, folder, state.stopped)


def _steps(run: Run, watch: Watch) -> None:
    """The loop itself."""
    loop, state, accelerator = run.recipe.loop, run.state, run.accelerator
    span = Span(state.step * loop.accumulate, loop.steps * loop.accumulate, run.share)
    source = batches(run.task, span, loop.workers)
    window = Window()
    while state.step < loop.steps and not state.stopped:
        rate = learning_rate(loop, state.step)
        for left in reversed(range(loop.accumulate)):
            batch = moved(next(source), accelerator.device)
            torch.manual_seed(_seed(run.recipe.seed, (state.step, left), run.share))
            with accelerator.no_sync(run.network) if left else nullcontext():
                losses = run.task.losses(run.network, batch, state.step)
                accelerator.backward(losses["total"] / loop.accumulate)
            window.add(losses)
        window.close_step(run.update(rate))
        last = state.step == loop.steps
        evaluating = last or _due(state.step, loop.evaluate_every)
        saving = last or _due(state.step, loop.checkpoint_every)
        if evaluating or saving or _due(state.step, LOG_EVERY):
            watch.look(window, rate)
        if evaluating:
            watch.evaluated(run.evaluate())
        if saving or state.stopped:
            run.save()
        if evaluating or saving:
            window.empty()  # its clock counts training alone


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _seed(seed: int, place: tuple[int, int], share: Share) -> int:
    return int(np.random.SeedSequence((seed, *place, share.rank)).generate_state(1, np.uint64)[0])


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Let torch use this many threads for a while; 0 leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
