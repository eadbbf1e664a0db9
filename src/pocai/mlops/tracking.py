"""Experiment tracking: training's `Tracker` on MLflow, in a local database or on a server.

Whatever it is told goes to a spool in the run's folder first; a thread sends it. A training neither waits for a server
that is away nor ends because of one: what was not sent is sent by `replay`, or when the next run begins.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from pocai.errors import ConfigurationError
from pocai.mlops.provenance import data_manifest, environment, revision
from pocai.mlops.replay import note_unsent
from pocai.mlops.sender import Sender
from pocai.mlops.spool import Kind, Spool
from pocai.settings import MlopsSettings
from pocai.training.recipe import Recipe
from pocai.training.tracker import Status, Tracker

MANIFEST = "data-manifest.json"
PATIENCE = 15.0  # seconds that the end of a run waits for its last records to be sent

log = logging.getLogger(__name__)


class Trackers:
    """Tells several trackers, in this order."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = trackers

    def start(self, recipe: Recipe, data: str) -> None:
        """A run begins or is continued."""
        for tracker in self._trackers:
            tracker.start(recipe, data)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures after ``step`` steps."""
        for tracker in self._trackers:
            tracker.metrics(step, values)

    def artefact(self, path: Path) -> None:
        """A file that the run made."""
        for tracker in self._trackers:
            tracker.artefact(path)

    def finish(self, status: Status) -> None:
        """The run is over."""
        for tracker in self._trackers:
            tracker.finish(status)


class MlflowTracker:
    """Tracks the run in a ``folder`` by MLflow; never raises an error of disk, network or server.

    A run that goes on in the same folder, by the same recipe, is the same run for MLflow; a figure of a step that was
    told before is not told again. ``parent`` is the `key` of the run (a study) that this one is part of. ``patience``
    (seconds) is how long `finish` waits for a server that answers.
    """

    def __init__(
        self, folder: Path, settings: MlopsSettings, *, parent: str | None = None, patience: float = PATIENCE
    ) -> None:
        self._spool = Spool(folder)
        self._settings = settings
        self._parent = parent
        self._patience = patience
        self._told: set[tuple[int, str]] = set()
        self._sender: Sender | None = None
        self._warned = False
        self.key = ""

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None while it could not be told to MLflow."""
        sent = self._spool.sent()
        return sent.run_id if sent.run_id and sent.key == self.key else None

    def start(self, recipe: Recipe, data: str) -> None:
        """Begin a run, or go on with that of the folder."""
        self.key = self._key_of(recipe) or uuid4().hex
        content = {
            "key": self.key,
            "name": self._spool.folder.resolve().name,
            "experiment": recipe.task,
            "parent": self._parent,
            "recipe": recipe.model_dump(mode="json"),
            "fingerprint": recipe.fingerprint,
            "data": data,
            "revision": asdict(revision()),
            "environment": environment(),
        }
        self._tell("start", content)
        with suppress(OSError):
            note_unsent(self._settings, self.key, self._spool.folder)
        self._sender = Sender(self._spool, self._settings, lambda: self._manifest(recipe, data))
        self._sender.start()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Tell figures that were not told of this step before."""
        new = {name: float(value) for name, value in values.items() if (step, name) not in self._told}
        if new:
            self._told.update((step, name) for name in new)
            self._tell("metrics", {"step": step, "values": new})

    def artefact(self, path: Path, under: str | None = None) -> None:
        """Have a file kept with the run, in its folder ``under``; it must stay where it is until it is sent."""
        self._tell("artefact", {"path": str(path.resolve()), "under": under})

    def finish(self, status: Status) -> None:
        """Tell the end, and wait a little until all is sent."""
        self._tell("finish", {"status": status})
        if self._sender is not None:
            self._sender.close(self._patience)
        self._spool.close()

    def _tell(self, kind: Kind, content: Mapping[str, Any]) -> None:
        try:
            self._spool.append(kind, content)
        except OSError as error:
            if not self._warned:
                log.warning("what a run says is not tracked: %s", error.strerror)
            self._warned = True
            return
        if self._sender is not None:
            self._sender.wake()

    def _key_of(self, recipe: Recipe) -> str | None:
        """The key of the folder's run, if it is of this recipe; what it told is then known."""
        key = None
        with suppress(OSError):
            for record in self._spool.records():
                if record.kind == "start":
                    same = record.content["fingerprint"] == recipe.fingerprint
                    key = str(record.content["key"]) if same else None
                    self._told = self._told if same else set()
                elif record.kind == "metrics":
                    self._told.update((int(record.content["step"]), name) for name in record.content["values"])
        return key

    def _manifest(self, recipe: Recipe, data: str) -> None:
        """Write which content the data has, and have it kept; it may take as long as reading all of it does."""
        file = self._spool.folder / MANIFEST
        held = {"data": data, "seed": recipe.seed, "table": recipe.data, "files": data_manifest(recipe)}
        text = json.dumps(held, indent=1, default=str) + "\n"
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return
        file.write_text(text, encoding="utf-8")
        self.artefact(file)


@dataclass(frozen=True, slots=True)
class TrackedTrials:
    """Gives each trial of a study its tracker, in other processes too; ``parent`` is the key of the study's run."""

    settings: MlopsSettings
    parent: str

    def __call__(self, folder: Path) -> MlflowTracker:
        """The tracker of the trial in a folder."""
        return MlflowTracker(folder, self.settings, parent=self.parent)


def open_tracker(folder: Path, settings: MlopsSettings) -> MlflowTracker:
    """The tracker of the run in a folder. Raises ConfigurationError where MLflow is not installed."""
    if find_spec("mlflow") is None:
        raise ConfigurationError("the package mlflow is not installed", mend="pip install 'pocai[mlops]'")
    return MlflowTracker(folder, settings)
