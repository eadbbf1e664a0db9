"""Where the figures of a run go: a tracker is told what runs, what was measured, and how it ended."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol

from pocai.training.recipe import Recipe

Status = Literal["finished", "stopped early", "failed"]
_PACKAGES = ("pocai", "torch", "accelerate", "numpy", "safetensors")
_HEADING = ("step", "name", "value")


def data_of(weights: Path) -> str | None:
    """The hash of what a run learned from, where the record of `CsvTracker` lies beside its weights."""
    record = weights.with_name("run.json")
    return json.loads(record.read_text(encoding="utf-8"))["data"] if record.is_file() else None


class Tracker(Protocol):
    """Is called in the main process of a run only. An error that it raises ends the run."""

    def start(self, recipe: Recipe, data: str) -> None:
        """A run begins or is continued; ``data`` is the SHA-256 of what it learns from."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures after ``step`` steps: ``loss/NAME``, ``evaluation/NAME``, ``learning_rate``, ``gradient_norm``."""
        ...

    def artefact(self, path: Path) -> None:
        """A file that the run made."""
        ...

    def finish(self, status: Status) -> None:
        """The run is over."""
        ...


class NoTracker:
    """Keeps nothing."""

    def start(self, recipe: Recipe, data: str) -> None: ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def artefact(self, path: Path) -> None: ...

    def finish(self, status: Status) -> None: ...


class CsvTracker:
    """Writes ``log.csv`` (step, name, value) and ``run.json`` (recipe, versions, data, machine, end) into a folder."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log.csv"
        self._card = folder / "run.json"
        self._run: dict[str, Any] = {}
        self._continued = False

    def start(self, recipe: Recipe, data: str) -> None:
        """Write ``run.json``; a log that is there already is continued."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._continued = self._log.exists()
        if not self._continued:
            self._write([_HEADING], "w")
        self._run = {
            "recipe": recipe.model_dump(mode="json"),
            "fingerprint": recipe.fingerprint,
            "data": data,
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
            "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
            "started": _now(),
            "status": "running",
            "files": [],
        }
        self._save()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row for each value. Rows that a killed run wrote after its last checkpoint are dropped first."""
        if self._continued:
            self._continued = False
            with self._log.open(newline="", encoding="utf-8") as stream:
                rows = [row for row in list(csv.reader(stream))[1:] if len(row) == len(_HEADING)]
            self._write([_HEADING, *(row for row in rows if int(row[0]) < step)], "w")
        self._write([(str(step), name, f"{value:.6g}") for name, value in values.items()], "a")

    def artefact(self, path: Path) -> None:
        """Name the file in ``run.json``."""
        self._run["files"].append(path.name)
        self._save()

    def finish(self, status: Status) -> None:
        """Note how the run ended, and when."""
        self._run |= {"status": status, "ended": _now()}
        self._save()

    def _write(self, rows: list[Any], mode: Literal["w", "a"]) -> None:
        with self._log.open(mode, newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)

    def _save(self) -> None:
        self._card.write_text(json.dumps(self._run, indent=2) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
