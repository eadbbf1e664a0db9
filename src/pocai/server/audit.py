"""The audit log: who did what, when, and whether it was allowed. No document text, no file name, no secret."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pocai.errors import Unavailable

LARGEST = 64 * 2**20  # bytes of the file, from which it is put aside under the date
STRANGERS = 100  # lines a minute about callers that nobody knows; more are only counted


class Actor(Protocol):
    """Whoever did something; a `pocai.server.auth.Principal` is one."""

    @property
    def tenant(self) -> str: ...

    @property
    def subject(self) -> str: ...


class Audit:
    """Appends one JSON object a line to ``path``, which only its owner can read.

    Each line is one write to a file that is opened anew, so that service and command line share it and a log
    rotation from outside does no harm. A file of `LARGEST` bytes is renamed to ``audit-<time>.jsonl``; nothing is ever
    removed. What strangers cause is limited, so that they cannot fill the disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._minute = 0
        self._strangers = 0
        self._left_out = 0

    def record(
        self, action: str, principal: Actor | None, target: str = "", outcome: str = "ok", request_id: str = ""
    ) -> None:
        """Write one line: time, action, tenant, subject, target (an id), outcome, request_id.

        A principal without a tenant is a stranger; ``left_out`` is the number of lines about strangers that were not
        written before. Takes about 0.05 ms. Raises Unavailable where it cannot be written: nothing goes unrecorded.
        """
        known = principal is not None and principal.tenant
        line: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "action": action,
            "tenant": "" if principal is None else principal.tenant,
            "subject": "" if principal is None else principal.subject,
            "target": target,
            "outcome": outcome,
            "request_id": request_id,
        }
        with self._lock:
            if not known and not self._has_room():
                return
            if self._left_out:
                line["left_out"] = self._left_out
            self._write(json.dumps(line).encode() + b"\n")
            self._left_out = 0

    def _has_room(self) -> bool:
        """Whether a line about a stranger may be written in this minute."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        if self._strangers > STRANGERS:
            self._left_out += 1
            return False
        return True

    def _write(self, line: bytes) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                written = os.write(file, line)
                size = os.fstat(file).st_size
            finally:
                os.close(file)
        except OSError as error:
            raise self._unwritable(error.strerror or "") from error
        if written < len(line):
            raise self._unwritable("the disk is full")
        if size >= LARGEST:
            self._put_aside()

    def _put_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))

    def _unwritable(self, reason: str) -> Unavailable:
        return Unavailable(f"the audit log cannot be written ({reason})", mend="Make room in the state folder")
