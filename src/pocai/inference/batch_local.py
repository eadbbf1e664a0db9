"""Processes of this machine that read the documents of a batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from pydantic import ValidationError

from pocai.errors import WorkerLost
from pocai.inference.batch_worker import Answer, Told, few_threads, too_late

COMMAND = (sys.executable, "-P", "-m", "pocai.inference.batch_worker")
PASSED_ON = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"}  # holds no secret
PASSED_ON |= {"PYTHONHOME", "PYTHONPATH"}
STARTING = 180.0  # seconds that loading the models may take
ENDING = 5.0  # seconds that the kernel may take to clear a killed process away


class LocalWorker:
    """A reading process of this machine. `start` gives one that has loaded its models."""

    def __init__(self, process: subprocess.Popen[bytes], line: Connection) -> None:
        self._process, self._line = process, line

    @classmethod
    def start(cls, configured: Mapping[str, Any], threads: int, command: Sequence[str] = COMMAND) -> LocalWorker:
        """A new process, in a session of its own, so that a Ctrl-C reaches only us.

        Raises WorkerLost where it dies, and the error that it reports, as of a model that is missing.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, str(theirs.fileno())],
                env=environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        worker = cls(process, Connection(ours.detach()))
        try:
            worker._begin(configured)
        except BaseException:
            worker.close()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, content: bytes, seconds: float) -> Answer:
        """What it makes of a document. Raises WorkerLost and DeadlineExceeded, after which it is of no more use."""
        with _alive():
            self._line.send_bytes(content)
            if self._line.poll(seconds):
                return self._told(), self._line.recv_bytes()
        raise too_late(seconds)

    def close(self) -> None:
        """Kill it with all that it started. Whoever waits for its answer is told that it is lost."""
        if self._process.poll() is None:  # otherwise its number may be another's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING)

    def _begin(self, configured: Mapping[str, Any]) -> None:
        with _alive():
            self._line.send_bytes(json.dumps(configured).encode())
            if not self._line.poll(STARTING):
                raise EOFError
            told = self._told()
        told.check()

    def _told(self) -> Told:
        return Told.model_validate_json(self._line.recv_bytes())


@contextmanager
def _alive() -> Iterator[None]:
    """Whatever goes wrong on the line to a process, or is said on it that none of ours says, means that it is lost."""
    try:
        yield
    except (EOFError, OSError, ValidationError) as error:
        raise WorkerLost("the process that read the document died", mend="See its attempts in the manifest") from error


def environment(threads: int) -> dict[str, str]:
    """The environment of a reading process: nothing of ours but what Python and its libraries need."""
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    return {
        **kept,
        **few_threads(threads),
        "MALLOC_ARENA_MAX": "2",
    }  # each arena of glibc takes 64 MiB of address space
