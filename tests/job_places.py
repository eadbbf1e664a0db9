"""Where jobs are kept, for tests of stores and of the runner: a folder or a Redis, and jobs to put there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from pocai.errors import NoTimetable
from pocai.server.jobs import Fault, Job, JobStore, Kind, Priority, new_id
from pocai.server.redis_jobs import RedisJobs
from pocai.server.sqlite_jobs import SQLiteJobs

PLENTY = 1000  # a limit that no test comes near
DOCUMENT = b"%PDF-1.7 week"
RESULT = {"timetables": [{"title": "Year 3 \u2013 \u7b2c3\u5b66\u5e74"}], "seconds": {"text": 0.1}}
FAULT = Fault.of(NoTimetable("no timetable was found", mend="Is it the right page?"))


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, or the URL of a Redis; every store that is made here sees the same jobs."""

    spec: str

    def store(self) -> JobStore:
        """A new store, to be opened."""
        return store_of(self.spec)


def store_of(spec: str) -> JobStore:
    """A store for the folder or the URL."""
    return RedisJobs(spec) if spec.startswith("redis") else SQLiteJobs(Path(spec))


def empty(url: str) -> None:
    """Forget everything that a Redis keeps."""
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        client.flushall()


@contextlib.asynccontextmanager
async def opened(store: JobStore) -> AsyncIterator[JobStore]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def a_job(age: float = 0.0, priority: Priority = Priority.WAITING, **fields: Any) -> Job:
    """A queued job that was made ``age`` seconds ago."""
    now = time.time()
    job = Job(
        id=new_id(),
        tenant="school",
        kind=Kind.EXTRACT,
        priority=priority,
        fingerprint="f" * 64,
        sha256="a" * 64,
        size=len(DOCUMENT),
        created=now - age,
        deadline=now + 60,
    )
    return replace(job, **fields)


async def added(store: JobStore, job: Job | None = None) -> Job:
    job = job or a_job()
    await store.add(job, DOCUMENT, limit=PLENTY)
    return job


async def claimed(store: JobStore, owner: str = "me", seconds: float = 60.0) -> Job:
    job = await store.claim(owner, seconds)
    assert job is not None
    return job


async def look(store: JobStore, job: Job) -> Job:
    found = await store.get(job.id)
    assert found is not None
    return found
