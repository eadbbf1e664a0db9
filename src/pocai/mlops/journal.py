"""The journal of what was done with models: an append-only file in which each line vouches for those before it.

A line is a JSON object that holds the hash of the line before. Its own hash is the SHA-256 of its canonical JSON
(keys in order, no spaces) without that hash. Whoever changes, takes out, adds or moves a line breaks the chain. Cutting
off the end, or adding to it, does not: so the last hash, the *head*, is also kept in the registry.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pocai.errors import ModelError
from pocai.models.card import Digest

GENESIS = "0" * 64  # what the first line has for the hash of the line before
MOST_LINE = 2**20  # bytes
_MEND = "Compare it with a copy; it is never written over by pocai."


class _Line(BaseModel):
    """A line as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: int
    at: str
    actor: str
    action: str
    name: str
    version: int | None
    reason: str
    details: dict[str, Any]
    previous: Digest
    hash: Digest


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done: who (``actor``) did what (``action``) with which version, when (``at``, UTC) and why.

    ``number`` counts from 1. ``previous`` is the ``hash`` of the entry before.
    """

    number: int
    at: datetime
    actor: str
    action: str
    name: str
    version: int | None
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    previous: str = GENESIS
    hash: str = ""


class Journal:
    """A journal in a file, which several processes may add to.

    A line that a crash left unfinished was never confirmed to anybody: the next one takes its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(  # noqa: PLR0913 - all of them stand in the line
        self,
        action: str,
        *,
        actor: str,
        name: str,
        version: int | None,
        reason: str,
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add a line, which is on the disk when this returns. What JSON does not have of ``details`` is kept as text.

        Raises ModelError where the last line is broken: nothing is added to a chain that does not hold.
        """
        said = _plain({"actor": actor, "action": action, "name": name, "version": version, "reason": reason})
        with self._locked() as handle:
            _drop_unfinished(handle)
            last = self._last(handle)
            number, previous = (last.number + 1, last.hash) if last else (1, GENESIS)
            at = datetime.now(UTC).isoformat(timespec="microseconds")
            line = {**said, "number": number, "at": at, "details": _plain(details or {}), "previous": previous}
            line["hash"] = _hash(line)
            _write(handle, _canonical(line) + b"\n")
        return _entry(_Line.model_validate(line))

    def entries(self) -> tuple[Entry, ...]:
        """All entries, the oldest first; whether the chain holds says `verify`."""
        return tuple(_entry(line) for line in self._lines())

    @property
    def head(self) -> str:
        """The hash of the last line; that before the first where there is none."""
        if not self.path.exists():
            return GENESIS
        with self._locked() as handle:
            last = self._last(handle)
        return last.hash if last else GENESIS

    def verify(self, head: str | None = None) -> int:
        """The number of entries, after the chain was checked to its end, which is ``head`` where one is given.

        Raises ModelError that names the first line that is broken.
        """
        previous, count = GENESIS, 0
        for count, line in enumerate(self._lines(), start=1):
            if line.number != count or line.previous != previous:
                what = (
                    f"line {count} of the journal does not follow the line before it: one was removed, added or moved"
                )
                raise ModelError(what, mend=_MEND)
            if line.hash != _hash(line.model_dump(mode="json")):
                raise ModelError(f"line {count} of the journal was changed", mend=_MEND)
            previous = line.hash
        if head is not None and head != previous:
            what = f"the journal ends with line {count} ({previous[:12]}…), and the registry knows another end"
            raise ModelError(f"{what} ({head[:12]}…): lines were cut off, or added by somebody else", mend=_MEND)
        return count

    def verify_heads(self, heads: Mapping[str, str]) -> int:
        """As `verify`; ``heads`` are the hashes of the newest lines about names, as the registry knows them."""
        count = self.verify()
        newest = {entry.name: entry for entry in self.entries()}
        for name, head in sorted(heads.items()):
            entry = newest.get(name)
            if entry is None or entry.hash != head:
                where = "no line" if entry is None else f"line {entry.number}"
                what = f"the journal's newest about {name} is {where}, and the registry knows another one"
                raise ModelError(f"{what}: lines were cut off, or added by somebody else", mend=_MEND)
        return count

    def _lines(self) -> Iterator[_Line]:
        """The lines as they stand there; none where there is no file yet."""
        if not self.path.exists():
            return
        with self._locked() as handle, os.fdopen(os.dup(handle), "rb") as stream:
            stream.seek(0)
            number = 0
            while content := stream.readline(MOST_LINE + 1):
                number += 1
                yield _parsed(content, number)

    def _last(self, handle: int) -> _Line | None:
        """The last line; None of an empty journal."""
        end = os.fstat(handle).st_size
        if not end:
            return None
        content = os.pread(handle, MOST_LINE + 1, max(0, end - MOST_LINE - 1))
        line = _parsed(content[content[:-1].rfind(b"\n") + 1 :], None)
        if line.hash != _hash(line.model_dump(mode="json")):
            raise ModelError("the last line of the journal was changed", mend=_MEND)
        return line

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, opened for adding at its end, which is ours alone meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ModelError(f"the journal {self.path} cannot be opened", mend="Check its folder.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def _write(handle: int, line: bytes) -> None:
    """Add a whole line, or nothing. Raises ModelError where the disk is full."""
    end = os.fstat(handle).st_size
    try:
        whole = len(line) <= MOST_LINE and os.write(handle, line) == len(line)
        os.fsync(handle)
    except OSError:
        whole = False
    if not whole:
        os.ftruncate(handle, end)
        raise ModelError("a line cannot be added to the journal", mend="Is the disk full, or the line very long?")


def _drop_unfinished(handle: int) -> None:
    """Take away what follows the last end of a line."""
    end = os.fstat(handle).st_size
    start = max(0, end - MOST_LINE - 1)
    whole = start + os.pread(handle, MOST_LINE + 1, start).rfind(b"\n") + 1
    if start < whole < end or whole == 0 < end:
        os.ftruncate(handle, whole)


def _parsed(content: bytes, number: int | None) -> _Line:
    where = "the last line" if number is None else f"line {number}"
    try:
        line = _Line.model_validate_json(content)
        datetime.fromisoformat(line.at)
    except (ValidationError, ValueError):
        line = None
    if line is None or _canonical(line.model_dump(mode="json")) + b"\n" != content:
        raise ModelError(f"{where} of the journal is broken: it is not as pocai writes it", mend=_MEND)
    return line


def _entry(line: _Line) -> Entry:
    return Entry(**{**line.model_dump(), "at": datetime.fromisoformat(line.at)})


def _plain(value: Any) -> Any:
    """A value as JSON has it: a rollback must not fail because a rate is no number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value).encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _hash(line: Mapping[str, Any]) -> str:
    """SHA-256 of a line without its own hash."""
    return hashlib.sha256(_canonical({key: value for key, value in line.items() if key != "hash"})).hexdigest()


def _canonical(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
