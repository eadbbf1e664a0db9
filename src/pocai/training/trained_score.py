"""The objective of a study of trainings: train by the loop, and give the best score that an evaluation found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocai.training.loop import train
from pocai.training.recipe import Recipe
from pocai.training.task import Task
from pocai.training.tasks import task_of
from pocai.training.tracker import NoTracker, Status, Tracker
from pocai.training.tune import Pruned, Report


@dataclass(frozen=True, slots=True)
class TrainedScore:
    """Trains each recipe in a folder of its own below ``folder``, by the recipe's fingerprint.

    A trial that was interrupted goes on from its checkpoint when it is tried again. ``make`` gives the task of a
    recipe, ``trackers`` the tracker of a folder's run; with several workers both must be picklable. Use a folder for
    one study only.
    """

    folder: Path
    make: Callable[[Recipe], Task[Any]] = task_of
    trackers: Callable[[Path], Tracker] | None = None

    def __call__(self, recipe: Recipe, report: Report) -> float:
        """The best score; raises Pruned where ``report`` says that the trial should end."""
        folder = self.folder / recipe.fingerprint[:16]
        tracker = NoTracker() if self.trackers is None else self.trackers(folder)
        return train(self.make(recipe), recipe, folder, tracker=_Reporting(recipe, report, tracker)).best_score


class _Reporting:
    """Hands on the score of each evaluation by its number, and ends the run of a trial that is to be pruned.

    All that it is told it tells a ``tracker``.
    """

    def __init__(self, recipe: Recipe, report: Report, tracker: Tracker) -> None:
        self._every = max(1, recipe.loop.evaluate_every)
        self._last = recipe.loop.steps
        self._report = report
        self._tracker = tracker
        self._pruned = False

    def start(self, recipe: Recipe, data: str) -> None:
        self._tracker.start(recipe, data)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Report a score; the last one is the result itself."""
        self._tracker.metrics(step, values)
        score = values.get("evaluation/score")
        if score is not None and step < self._last and self._report(step // self._every, score):
            self._pruned = True
            raise Pruned

    def artefact(self, path: Path) -> None:
        self._tracker.artefact(path)

    def finish(self, status: Status) -> None:
        self._tracker.finish("stopped early" if self._pruned else status)
