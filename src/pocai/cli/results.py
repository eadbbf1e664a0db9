"""Results that `pocai extract` saved, read back to teach a feature store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pocai.errors import InputError, PocaiError
from pocai.feature_store.features import checked, school_row
from pocai.feature_store.store import FeatureRow, FeatureStore
from pocai.inference.lessons import Lesson, taught
from pocai.timetable.school import SchoolMemory
from pocai.timetable.timetable import Timetable

BATCH = 64  # rows that are written at once


@dataclass(frozen=True, slots=True)
class Result:
    """A saved result of a ``school``; ``when`` its file was written."""

    path: Path
    school: str
    when: datetime


@dataclass(slots=True)
class Done:
    """What became of a backfill."""

    documents: int = 0
    schools: int = 0
    failed: list[tuple[Path, PocaiError]] = field(default_factory=list)


def timetables_of(path: Path) -> tuple[Timetable, ...]:
    """The timetables of a saved result; raises InputError, which tells no text of it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", mend="Check the path") from None
    except (ValueError, RecursionError):
        raise InputError("the file is no JSON", mend="Take one that pocai extract -f json saved") from None
    try:
        return tuple(Timetable.model_validate(each) for each in _listed(content))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"the file holds no timetables (at {place!r}: {first['type']})", mend="Mend it") from None


def _listed(content: Any) -> list[Any]:
    """The timetables of a result, of a list of them, or one alone."""
    if isinstance(content, dict):
        content = content.get("timetables", [content])
    if not isinstance(content, list):
        raise InputError("the file holds no timetables", mend="Take one that pocai extract -f json saved")
    return content


def find_results(folder: Path, school: str | None) -> tuple[Result, ...]:
    """All JSON files below a folder, the oldest first; those of no ``school`` are of that whose folder they are in.

    Raises InputError where there are none, or one lies in no school's folder, FeatureStoreError where a name can be of
    no school.
    """
    found = []
    for path in sorted(folder.rglob("*.json")):
        place = path.relative_to(folder)
        if school is None and len(place.parts) == 1:
            raise InputError(f"{path} is in no folder of a school", mend="Name the school with --school")
        when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append(Result(path, checked(place.parts[0] if school is None else school), when))
    if not found:
        raise InputError(f"there are no results in {folder}", mend="Save some with pocai extract -o FOLDER -f json")
    return tuple(sorted(found, key=lambda result: result.when))


class Backfill:
    """Teaches a store saved results: every step of each school goes into its history."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._known: dict[str, SchoolMemory] = {}
        self._rows: list[FeatureRow] = []

    def run(self, results: Sequence[Result]) -> Done:
        """Teach them in this order, with a progress bar. Raises FeatureStoreError where the store fails."""
        from rich.console import Console
        from rich.progress import track

        done = Done()
        console = Console(stderr=True)
        bar = track(results, "Remembering", console=console, transient=True, disable=not console.is_terminal)
        for result in bar:
            try:
                self._learn(result)
            except InputError as error:
                done.failed.append((result.path, error))
            else:
                done.documents += 1
        self._write()
        done.schools = len(self._known)
        return done

    def _learn(self, result: Result) -> None:
        timetables = timetables_of(result.path)
        if not any(timetable.timeblocks for timetable in timetables):
            raise InputError("the file holds no lessons", mend="Leave it out")
        if result.school not in self._known:
            (held,) = self._store.schools((result.school,))
            self._known[result.school] = held or SchoolMemory()
        memory = taught(self._known[result.school], Lesson(result.school, timetables, when=result.when))
        self._known[result.school] = memory
        self._rows.append(school_row(result.school, memory))
        if len(self._rows) >= BATCH:
            self._write()

    def _write(self) -> None:
        if self._rows:
            self._store.write(self._rows)
        self._rows = []
