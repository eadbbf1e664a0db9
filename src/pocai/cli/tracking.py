"""Where the figures of a training go: always beside its weights, and to MLflow where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.cli.environment import settings_with

if TYPE_CHECKING:
    from pocai.settings import MlopsSettings
    from pocai.training.recipe import Recipe
    from pocai.training.tracker import Tracker

TrialTrackers = Callable[[Path], "Tracker"]


def tracker_of(folder: Path, wanted: bool | None) -> Tracker:
    """The tracker of the run in a folder; by MLflow too where that is ``wanted``, or None and the settings say so."""
    from pocai.training.tracker import CsvTracker

    written, settings = CsvTracker(folder), _settings(wanted)
    if settings is None:
        return written
    from pocai.mlops.tracking import Trackers, open_tracker

    return Trackers(written, open_tracker(folder, settings))


@contextmanager
def tracked_study(
    folder: Path, wanted: bool | None, recipe: Recipe, space: str
) -> Iterator[tuple[TrialTrackers | None, Tracker]]:
    """What gives trials their trackers, and the tracker of the study around them; ``space`` is its fingerprint."""
    from pocai.training.tracker import NoTracker

    settings = _settings(wanted)
    if settings is None:
        yield None, NoTracker()
        return
    from pocai.mlops.tracking import TrackedTrials, open_tracker

    tracker = open_tracker(folder, settings)
    tracker.start(recipe, space)
    try:
        yield TrackedTrials(settings, tracker.key), tracker
    except BaseException:
        tracker.finish("failed")
        raise
    tracker.finish("finished")


def _settings(wanted: bool | None) -> MlopsSettings | None:
    """The settings to track by; None where nothing is to be tracked."""
    settings = settings_with().mlops
    return settings if wanted or (wanted is None and settings.tracking is not None) else None
