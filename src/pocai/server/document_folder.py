"""Documents as files named by their job, each on the disk before anybody is told that it is kept."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sqlite3
from pathlib import Path

from pocai.errors import Unavailable

JOB_ID = re.compile(r"[0-9a-f]{32}")


class DocumentFolder:
    """Documents as files named by their job. Raises Unavailable where the disk fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep_only(self, job_ids: set[str]) -> None:
        """Make the folder, and remove every document, whole or in part, whose job is not among these."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            if JOB_ID.fullmatch(path.stem) and path.name not in job_ids:
                path.unlink()

    def write(self, job_id: str, document: bytes) -> bool:
        """Keep a document, on the disk when this returns; False where there is one of this job already."""
        part = self._folder / f"{job_id}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, self._folder / job_id)  # which, unlike a rename, replaces nothing
            part.unlink()
            _sync_folder(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):  # what is left is removed at the next opening
                part.unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                return False
            raise unavailable(error) from error
        return True

    def read(self, job_id: str) -> bytes | None:
        """The document, or None where there is none."""
        if not JOB_ID.fullmatch(job_id):
            return None  # ids come from requests, too
        try:
            return (self._folder / job_id).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unavailable(error) from error

    def remove(self, *job_ids: str) -> None:
        """Remove the documents of these jobs, as far as there are any."""
        try:
            for job_id in filter(JOB_ID.fullmatch, job_ids):
                (self._folder / job_id).unlink(missing_ok=True)
        except OSError as error:
            raise unavailable(error) from error


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unavailable(error: sqlite3.Error | OSError) -> Unavailable:
    """The error for a database or a disk that fails."""
    name = error.strerror if isinstance(error, OSError) else getattr(error, "sqlite_errorname", type(error).__name__)
    return Unavailable(f"the job store cannot be used ({name})", mend="Is the disk full or broken?", retry_after=5)
