"""Toys whose training is tracked by MLflow. Run as a program, this file trains one of them in its own process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from toy_tasks import toy

from pocai.mlops.tracking import MlflowTracker, Trackers
from pocai.settings import MlopsSettings
from pocai.training.loop import train
from pocai.training.recipe import Recipe, read_recipe
from pocai.training.tracker import CsvTracker


def tracked(made: Recipe, folder: Path, settings: MlopsSettings, **more: Any) -> MlflowTracker:
    """Train a toy, with its figures written beside the weights and told to MLflow."""
    tracker = MlflowTracker(folder, settings, **more)
    train(toy(made), made, folder, tracker=Trackers(CsvTracker(folder), tracker))
    return tracker


if __name__ == "__main__":
    tracked(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), MlopsSettings.model_validate_json(sys.argv[3]))
