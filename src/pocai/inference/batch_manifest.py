"""What became of each document of a batch, in the order in which it happened: JSON lines that are never rewritten.

The last line about a document counts. A line is on the disk before anything is built on it, and a result before the
line that names it: whatever is killed, what the manifest says is there, is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from threading import Lock
from typing import Any, Literal, Self

from pocai.errors import ConfigurationError, InputError, NoTimetable, by_code
from pocai.inference.batch_sources import Place

State = Literal["done", "error", "lost"]

NAME = "manifest.jsonl"
LOST, LATE = "worker_lost", "deadline_exceeded"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of a document.

    ``version`` is that of its file, ``sha256`` of its content ("" where it could not be read). ``state`` "lost" means
    that the process that read it died, and it will be tried again; ``attempts`` counts all tries. ``code`` and ``what``
    are of the error it ended in. ``result`` is the path of its result in the target. ``seconds`` are of reading alone.
    """

    path: str
    version: str
    sha256: str
    state: State
    attempts: int = 0
    code: str = ""
    what: str = ""
    seconds: float = 0.0
    pages: int = 0
    verdict: str = ""
    result: str = ""
    result_sha256: str = ""

    def settled(self, attempts: int) -> bool:
        """Whether there is nothing to do again: it was read, or another try, up to so many, would change nothing.

        A document is tried again where the error was not its own: a missing model, a fault of ours.
        """
        if self.state != "error" or not self.sha256:
            return self.state == "done"
        if self.code == LOST:
            return self.attempts >= attempts
        return self.code == LATE or isinstance(by_code(self.code, ""), InputError | NoTimetable)

    @property
    def exit_code(self) -> int:
        """That of the error that it ended in; a document that ends its process, or takes too long, cannot be used."""
        if self.state == "done":
            return 0
        return InputError.exit_code if self.code in {LOST, LATE} else by_code(self.code, "").exit_code

    def line(self) -> bytes:
        """As JSON, without what is empty."""
        told = {name: value for name, value in asdict(self).items() if value or name == "attempts"}
        return json.dumps(told).encode()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The record of a line; raises TypeError where it is none."""
        return cls(**{"version": "", "sha256": "", **told})


class Manifest:
    """The manifest of a target; safe to use from several threads."""

    def __init__(self, target: Place, settings: str, *, resume: bool) -> None:
        """``settings`` names what documents are read with.

        Raises ConfigurationError where there is a manifest already, unless to ``resume`` it with the same settings.
        """
        self._target = target
        self._lock = Lock()
        self._records: dict[str, Record] = {}
        begun = self._take_up(target.lines(NAME))
        if begun is None:
            self._append(json.dumps({"batch": 1, "settings": settings}).encode())
        elif not resume:
            raise ConfigurationError("the target holds a batch already", mend="Go on with --resume, or take another -o")
        elif begun != settings:
            what = "the batch in this target was begun with other settings or models"
            raise ConfigurationError(what, mend="Use the same, or take another target with -o")

    def get(self, path: str) -> Record | None:
        """What is known of a document."""
        with self._lock:
            return self._records.get(path)

    def add(self, record: Record) -> None:
        """Note what became of a document; it is kept when this returns."""
        self._append(record.line())
        with self._lock:
            self._records[record.path] = record

    def _append(self, line: bytes) -> None:
        with self._lock:
            self._target.append(NAME, line)

    def _take_up(self, lines: list[bytes]) -> str | None:
        """Read what was written before, and which settings it was begun with; None where nothing was."""
        known = {each.name for each in fields(Record)}
        begun: str | None = None
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:  # broken off when the process that wrote it was killed
                continue
            if "batch" in told:
                begun = begun or str(told["settings"])
            elif known.issuperset(told):
                record = Record.of(told)
                self._records[record.path] = record
        return begun
