"""What a teacher was asked and what that cost, line by line in a file: nothing is paid twice, no budget is passed.

A request is written down with the most that it may cost before it is made, and what it did cost after it. One whose end
is not there (the process was killed, the answer was cut off) counts with the most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO

from pocai.errors import ConfigurationError, InputError

KEPT, NOTHING, DROPPED, FAILED = "kept", "nothing", "dropped", "failed"  # what became of a document
_SETTLED = frozenset((KEPT, NOTHING, DROPPED))  # asking again would bring the same


class BudgetSpent(Exception):
    """The next request might cost more than is left. A reason to stop, no error."""


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in US dollars for a million of them."""

    read: float
    written: float

    def of(self, read: int, written: int) -> float:
        """The cost of tokens, in US dollars."""
        return (read * self.read + written * self.written) / 1e6


class Ledger:
    """The ledger of a folder, for one teacher; used in a ``with``, by one process at a time.

    ``spent`` is the cost of all requests so far, in US dollars, and ``settled`` the hashes of the documents that need
    not be asked about again. Raises ConfigurationError where another process writes in it, or it is another teacher's;
    InputError where it is damaged.
    """

    def __init__(self, file: Path, teacher: Mapping[str, str]) -> None:
        self._file = file
        self._teacher = dict(teacher)
        self._open: dict[int, float] = {}  # requests without an end: the most that they may cost
        self._asked = 0
        self._paid = 0.0
        self.settled: set[str] = set()

    def __enter__(self) -> Self:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._file.open("a+", encoding="utf-8")
        try:
            _lock(self._stream, self._file)
            self._read()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def spent(self) -> float:
        return self._paid + sum(self._open.values())

    def ask(self, most: float, budget: float | None) -> int:
        """Write a request down before it is made; its number. Raises BudgetSpent where it might pass the budget."""
        if budget is not None and self.spent + most > budget:
            raise BudgetSpent
        self._write({"asked": self._asked, "most": most})
        self._open[self._asked] = most
        self._asked += 1
        return self._asked - 1

    def answered(self, number: int, cost: float) -> None:
        """What a request did cost."""
        self._write({"answered": number, "cost": cost})
        del self._open[number]
        self._paid += cost

    def ended(self, sha256: str, outcome: str, told: Mapping[str, Any]) -> None:
        """What became of a document; ``told`` holds no text of it."""
        self._write({"document": sha256, "outcome": outcome, **told})
        if outcome in _SETTLED:
            self.settled.add(sha256)

    def _read(self) -> None:
        self._stream.seek(0)
        lines = self._stream.read().split("\n")
        torn = lines.pop()  # what follows the last line's end: nothing, or a line that was not written to its end
        if torn:
            self._stream.truncate(len("\n".join([*lines, ""]).encode()))
        for number, line in enumerate(lines):
            try:
                self._take(json.loads(line), first=number == 0)
            except (ValueError, LookupError, TypeError):
                what = f"line {number + 1} of {self._file} is damaged"
                raise InputError(what, mend="Restore it, or name another folder") from None
        if not lines:
            self._write({"teacher": self._teacher})

    def _take(self, entry: Mapping[str, Any], *, first: bool) -> None:
        if first:
            if entry["teacher"] != self._teacher:
                what = f"the answers in {self._file.parent} are those of another teacher, or to another prompt"
                raise ConfigurationError(what, mend="Name another folder with -o")
        elif "asked" in entry:
            self._open[entry["asked"]] = float(entry["most"])
            self._asked = entry["asked"] + 1
        elif "answered" in entry:
            del self._open[entry["answered"]]
            self._paid += float(entry["cost"])
        elif entry["outcome"] in _SETTLED:
            self.settled.add(str(entry["document"]))

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())


def _lock(stream: TextIO, file: Path) -> None:
    import fcntl  # not on Windows

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        what = f"another process collects answers in {file.parent}"
        raise ConfigurationError(what, mend="Wait for it, or name another folder with -o") from None
