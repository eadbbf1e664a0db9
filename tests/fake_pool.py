"""A pool that does what a test tells it, in place of reading processes, and a runner that uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from job_places import DOCUMENT, PLENTY, RESULT, a_job

from pocai.server.frames import Frame
from pocai.server.jobs import Job, JobStore
from pocai.server.metrics import Metrics
from pocai.server.runner import Runner
from pocai.server.sqlite_jobs import SQLiteJobs
from pocai.server.workers import Progress, Task, WorkerPool
from pocai.settings import ServerSettings, Settings, WorkerLimits

Reading = Callable[[Task, Progress], Awaitable[dict[str, Any]]]
SOON = 10.0  # seconds that anything may take on a busy machine
ATTEMPTS = 3


async def read(_task: Task, _progress: Progress) -> dict[str, Any]:
    """A document that is read at once."""
    return RESULT


class FakePool:
    """A pool without processes; ``begun`` and ``stopped`` are the documents of its tasks, ``now`` those that run."""

    def __init__(self, reading: Reading = read, size: int = 1) -> None:
        self.size = size
        self.begun: list[bytes] = []
        self.stopped: list[bytes] = []
        self.now: Counter[bytes] = Counter()
        self._reading = reading

    async def run(self, task: Task, progress: Progress | None = None) -> Frame:
        assert progress is not None
        assert task.seconds > 0
        (document,) = task.parts
        self.begun.append(document)
        self.now[document] += 1
        try:
            return Frame(await self._reading(task, progress))
        except asyncio.CancelledError:
            self.stopped.append(document)
            raise
        finally:
            self.now[document] -= 1


class Gate:
    """Readings that wait until they are let through; each tells when it has come."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.arrived = asyncio.Semaphore(0)

    async def read(self, _task: Task, _progress: Progress) -> dict[str, Any]:
        self.arrived.release()
        await self.opened.wait()
        return RESULT

    async def someone(self, count: int = 1) -> None:
        """Until as many readings have come."""
        async with asyncio.timeout(SOON):
            for _ in range(count):
                await self.arrived.acquire()


def runner_of(store: JobStore, pool: FakePool, metrics: Metrics | None = None, hours: float = 1.0) -> Runner:
    server = ServerSettings(workers=WorkerLimits(attempts=ATTEMPTS), retention_hours=hours)
    settings = Settings.model_construct(server=server)
    return Runner(store, cast("WorkerPool", pool), settings, metrics or Metrics())


@contextlib.asynccontextmanager
async def running(store: JobStore, pool: FakePool, metrics: Metrics | None = None) -> AsyncIterator[Runner]:
    runner = runner_of(store, pool, metrics)
    await runner.start()
    try:
        yield runner
    finally:
        await runner.close()


async def submitted(runner: Runner, job: Job | None = None, document: bytes = DOCUMENT) -> Job:
    job = job or a_job()
    await runner.submit(job, document, limit=PLENTY)
    return job


async def ended(runner: Runner, job: Job) -> Job:
    found = await runner.wait(job.id, SOON)
    assert found is not None
    assert found.status.final, found
    return found


class Slow(SQLiteJobs):
    """A store whose answers to `claim` are each as long on their way as ``delays`` say."""

    def __init__(self, folder: Path, *delays: float) -> None:
        super().__init__(folder)
        self._delays = list(delays)
        self.claiming = asyncio.Event()

    async def claim(self, owner: str, seconds: float) -> Job | None:
        job = await super().claim(owner, seconds)
        self.claiming.set()
        await asyncio.sleep(self._delays.pop(0) if self._delays else 0.0)
        return job
