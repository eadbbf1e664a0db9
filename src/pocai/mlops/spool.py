"""The spool of a run: what its tracker was told, as JSON lines in the run's folder, and how far of it was sent.

Appending is all that a training waits for. A line that a killed process did not end is left out. Who sends holds one
lock, so that nothing is sent by two; who writes holds another, by which a run whose process is gone is told.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TextIO

Kind = Literal["start", "metrics", "artefact", "finish"]
LINES, STATE, LOCK = "tracking.jsonl", "tracking.json", "tracking.lock"


@dataclass(frozen=True, slots=True)
class Record:
    """What a tracker was told. ``at`` is when, in milliseconds since 1970; ``end`` the byte after its line."""

    kind: Kind
    at: int
    content: Mapping[str, Any]
    end: int


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a spool was sent: bytes, the ``key`` of the run that they are of, and the server's id of that run.

    ``ended``: the last thing that was sent is the end of the run.
    """

    bytes: int = 0
    key: str = ""
    run_id: str = ""
    ended: bool = False


class Spool:
    """The spool in the folder of a run; its methods may be called by any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writing = threading.Lock()
        self._stream: TextIO | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever told."""
        return (self.folder / LINES).is_file()

    @property
    def is_written(self) -> bool:
        """Whether a process, this one too, has the spool open to write."""
        if not self.exists:
            return False
        with (self.folder / LINES).open("rb") as stream:
            return not _locked(stream, fcntl.LOCK_EX)

    def append(self, kind: Kind, content: Mapping[str, Any]) -> None:
        """Add a record. Raises OSError where the disk does not take it."""
        line = json.dumps({"kind": kind, "at": time.time_ns() // 1_000_000, **content})
        with self._writing:
            stream = self._stream or self._opened()
            stream.write(f"{line}\n")
            stream.flush()

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        with self._writing:
            if self._stream is not None:
                self._stream.close()
            self._stream = None

    def records(self, begin: int = 0) -> Iterator[Record]:
        """The records from a byte on, in their order."""
        if not self.exists:
            return
        with (self.folder / LINES).open("rb") as stream:
            stream.seek(begin)
            end = begin
            for line in stream:
                end += len(line)
                if line.endswith(b"\n") and (record := _record(line, end)) is not None:
                    yield record

    def sent(self) -> Sent:
        """How far it was sent; nothing where that is not known."""
        try:
            held = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
            return Sent(int(held["bytes"]), str(held["key"]), str(held["run_id"]), bool(held["ended"]))
        except (OSError, ValueError, KeyError):
            return Sent()

    def note(self, sent: Sent) -> None:
        """Remember how far it was sent; the file is there whole or as it was before."""
        draft = self.folder / f"{STATE}.draft"
        held = {"run_id": sent.run_id, "key": sent.key, "bytes": sent.bytes, "ended": sent.ended}
        draft.write_text(json.dumps(held) + "\n", encoding="utf-8")
        draft.replace(self.folder / STATE)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the spool's lock; false where another thread or process has it."""
        with (self.folder / LOCK).open("ab") as stream:
            yield _locked(stream, fcntl.LOCK_EX)

    def _opened(self) -> TextIO:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / LINES
        torn = file.is_file() and file.stat().st_size and not _ends_a_line(file)
        self._stream = stream = file.open("a", encoding="utf-8")
        _locked(stream, fcntl.LOCK_SH)
        if torn:
            stream.write("\n")
        return stream


def _locked(stream: IO[Any], kind: int) -> bool:
    """Lock an open file until it is closed; false where that cannot be had at once."""
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _record(line: bytes, end: int) -> Record | None:
    try:
        held = json.loads(line)
        return Record(held.pop("kind"), int(held.pop("at")), held, end)
    except (ValueError, KeyError, AttributeError):
        return None


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"
