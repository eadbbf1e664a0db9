"""Removes the enhanced pictures that the host application was given, when their time is over."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
import time
from pathlib import Path

from pocai.errors import Unavailable
from pocai.server.jobs import JobStore
from pocai.settings import HostApplication

INTERVAL = 60.0  # seconds between sweeps
HEX = "[0-9a-f]"
OURS = re.compile(rf"preprocessed_{HEX}{{8}}-{HEX}{{4}}-4{HEX}{{3}}-[89ab]{HEX}{{3}}-{HEX}{{12}}\.png")  # a UUID 4

log = logging.getLogger(__name__)


class NotOurs(Exception):
    """A noted path names no file that we made."""


class Janitor:
    """Sweeps once a minute from `start` to `close`; removes only what this service made, and only inside the roots."""

    def __init__(self, store: JobStore, host: HostApplication) -> None:
        self._store = store
        self._host = host
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Sweep now, and again every minute."""
        self._sweeping = asyncio.create_task(self._sweep_always(), name="janitor")

    async def close(self) -> None:
        """Stop sweeping."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def sweep(self) -> None:
        """Remove the noted files that are due; one that cannot be removed stays noted. Raises Unavailable."""
        kept = foreign = 0
        for path in await self._store.due_files(time.time()):
            try:
                await asyncio.to_thread(remove, path, self._host.roots)
            except NotOurs:
                foreign += 1
            except OSError:
                kept += 1
                continue
            await self._store.forget_file(path)
        if kept:
            log.warning("%d enhanced pictures cannot be removed: is their folder writable, and in the roots?", kept)
        if foreign:
            log.warning("%d noted files are none that we make: they are left alone", foreign)

    async def _sweep_always(self) -> None:
        while True:
            try:
                await self.sweep()
            except Unavailable:
                log.warning("the job store cannot be reached: enhanced pictures are removed later")
            await asyncio.sleep(INTERVAL)


def remove(path: str, roots: tuple[Path, ...]) -> None:
    """Remove an enhanced picture; nothing happens where it is gone.

    Raises NotOurs for what has another name or is not a regular file; OSError for what cannot be removed, or lies
    outside the roots when links are followed.
    """
    folder, name = os.path.split(path)
    if not OURS.fullmatch(name) or "\0" in folder:
        raise NotOurs
    place = Path(os.path.realpath(folder))  # of the folder only: a link in place of the file is none of ours
    if not any(place.is_relative_to(os.path.realpath(root)) for root in roots):
        raise PermissionError
    try:
        if not stat.S_ISREG((place / name).lstat().st_mode):
            raise NotOurs
        (place / name).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
