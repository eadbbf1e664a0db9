"""Tells trackers and people how a run goes, and ends one that has stopped learning anything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from pocai.errors import ModelError
from pocai.training.progress import Progress, Reporter
from pocai.training.recipe import digest
from pocai.training.run import Run
from pocai.training.tracker import NoTracker, Status, Tracker
from pocai.training.window import Window

BAD_STEPS = 20  # steps in a row without a finite loss and gradient, after which a run has failed


@runtime_checkable
class KnowsItsData(Protocol):
    """A task that knows the SHA-256 of its data; of others, the recipe's data table and seed are taken."""

    @property
    def data_hash(self) -> str: ...


@runtime_checkable
class MakesSamples(Protocol):
    """A task that shows what its trained network, of these ``weights``, does; gives the files that it wrote."""

    def samples(self, weights: Path, folder: Path) -> Sequence[Path]: ...


class Watch:
    """Accompanies a run from its start to its end, whichever it is. Only the first process tells anything."""

    def __init__(self, run: Run, tracker: Tracker | None, report: Reporter | None) -> None:
        main = run.accelerator.is_main_process
        self._run = run
        self._tracker = tracker if tracker is not None and main else NoTracker()
        self._report = report if main else None
        self._begun = time.monotonic()
        self._first = run.state.step
        self._before = run.state.seconds

    def __enter__(self) -> Self:
        recipe = self._run.recipe
        task: object = self._run.task
        made = {"data": recipe.data, "seed": recipe.seed}
        self._tracker.start(recipe, task.data_hash if isinstance(task, KnowsItsData) else digest(made))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._run.weights.exists():
            for path in (self._run.weights, *self._samples()):
                self._tracker.artefact(path)
        ended: Status = "stopped early" if self._run.state.stopped else "finished"
        self._tracker.finish(ended if kind is None else "failed")

    def look(self, window: Window, rate: float) -> None:
        """Empty the window and tell what was in it. Raises ModelError after too many steps that could not be used."""
        run, state = self._run, self._run.state
        figures = window.take(self._mean)
        for good in figures.good:
            state.bad = 0 if good else state.bad + 1
            if state.bad >= BAD_STEPS:
                what = f"loss or gradient was not finite in {BAD_STEPS} steps in a row, up to step {state.step}"
                mend = f"Lower loop.learning_rate ({run.recipe.loop.learning_rate:g}), or set loop.precision to float32"
                raise ModelError(what, mend=mend)
        elapsed = time.monotonic() - self._begun
        state.seconds = self._before + elapsed
        self._tracker.metrics(state.step, {**figures.means, "learning_rate": rate})
        if self._report is not None:
            total = run.recipe.loop.steps
            left = (total - state.step) * elapsed / (state.step - self._first)
            loss, speed = figures.means["loss/total"], figures.means["steps_per_second"]
            self._report(Progress(state.step, total, loss, speed, left, state.best_score))

    def evaluated(self, metrics: dict[str, float]) -> None:
        """Tell what an evaluation found."""
        self._tracker.metrics(self._run.state.step, {f"evaluation/{name}": value for name, value in metrics.items()})

    def _samples(self) -> Sequence[Path]:
        """What the task shows, where somebody keeps it."""
        task: object = self._run.task
        if isinstance(self._tracker, NoTracker) or not isinstance(task, MakesSamples):
            return ()
        return task.samples(self._run.weights, self._run.weights.parent / "samples")

    def _mean(self, values: Tensor) -> Tensor:
        reduced: Tensor = self._run.accelerator.reduce(values, "mean")
        return reduced
