"""Any sequence of steps leaves a job store as it should be: each step is also done on a dictionary, and compared."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from job_places import DOCUMENT, FAULT, RESULT, a_job, empty
from redis_server import redis_server

from pocai.inference.answers import Status
from pocai.server.jobs import Job, JobStore, Priority, QueueFull
from pocai.server.redis_jobs import RedisJobs
from pocai.server.sqlite_jobs import SQLiteJobs

T = TypeVar("T")
WHOSE = st.sampled_from(["a", "b"])
WHICH = st.integers(0, 5)  # of the jobs that there are, the newest first
LEASES = st.sampled_from([-1.0, 60.0])  # the first has run out already


class Steps(RuleBasedStateMachine):
    """A store beside a dictionary that says what it must hold; they agree after every step."""

    def __init__(self, store: JobStore) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.store = store
        self.jobs: dict[str, Job] = {}

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(step)

    @initialize()
    def open(self) -> None:
        self.run(self.store.open())
        assert self.run(self.store.queued()) == dict.fromkeys(Priority, 0)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()

    def pick(self, which: int) -> Job:
        """One of the jobs; one that nobody has heard of where there are fewer."""
        newest = list(self.jobs.values())[::-1]
        return newest[which] if which < len(newest) else a_job()

    def mine(self, job: Job, owner: str) -> bool:
        return job.owner == owner

    def change(self, job: Job, **fields: Any) -> None:
        self.jobs[job.id] = replace(job, **fields)

    @rule(priority=st.sampled_from(Priority), age=st.integers(0, 3), fingerprint=st.sampled_from("xy"))
    def add(self, priority: Priority, age: int, fingerprint: str) -> None:
        job = a_job(0, priority, created=1e9 - age, fingerprint=fingerprint)
        if sum(one.status is Status.QUEUED and one.priority is priority for one in self.jobs.values()) < 3:
            self.run(self.store.add(job, DOCUMENT, limit=3))
            self.jobs[job.id] = job
        else:
            with pytest.raises(QueueFull):
                self.run(self.store.add(job, DOCUMENT, limit=3))

    @rule(owner=WHOSE, seconds=LEASES)
    def claim(self, owner: str, seconds: float) -> None:
        queued = [job for job in self.jobs.values() if job.status is Status.QUEUED]
        taken = self.run(self.store.claim(owner, seconds))
        if not queued:
            assert taken is None
            return
        first = min(queued, key=lambda job: (job.priority, job.created, job.id))
        assert taken is not None
        assert taken.id == first.id
        running = {"status": Status.RUNNING, "owner": owner, "attempts": first.attempts + 1}
        self.change(first, **running, lease=time.time() + seconds, started=0.0)

    @rule(which=WHICH, owner=WHOSE, seconds=LEASES)
    def renew(self, which: int, owner: str, seconds: float) -> None:
        job = self.pick(which)
        assert self.run(self.store.renew(job.id, owner, seconds)) == self.mine(job, owner)
        if self.mine(job, owner):
            self.change(job, lease=time.time() + seconds)

    @rule(which=WHICH, owner=WHOSE)
    def advance(self, which: int, owner: str) -> None:
        job = self.pick(which)
        self.run(self.store.advance(job.id, owner, "text", 0.5))
        if self.mine(job, owner):
            self.change(job, stage="text", progress=0.5)

    @rule(which=WHICH, owner=WHOSE)
    def succeed(self, which: int, owner: str) -> None:
        job = self.pick(which)
        assert self.run(self.store.finish(job.id, owner, RESULT)) == self.mine(job, owner)
        if self.mine(job, owner):
            self.change(job, status=Status.SUCCEEDED, progress=1.0, result=RESULT, owner="", lease=0.0, finished=0.0)

    @rule(which=WHICH, owner=WHOSE)
    def fail(self, which: int, owner: str) -> None:
        job = self.pick(which)
        assert self.run(self.store.finish(job.id, owner, FAULT)) == self.mine(job, owner)
        if self.mine(job, owner):
            self.change(job, status=Status.FAILED, fault=FAULT, owner="", lease=0.0, finished=0.0)

    @rule(which=WHICH, owner=WHOSE, counted=st.booleans())
    def hand_back(self, which: int, owner: str, counted: bool) -> None:
        job = self.pick(which)
        assert self.run(self.store.hand_back(job.id, owner, counted=counted)) == self.mine(job, owner)
        if self.mine(job, owner):
            self.requeue(job, job.attempts - (not counted))

    @rule()
    def reclaim(self) -> None:
        lost = [job for job in self.jobs.values() if job.owner and job.lease <= time.time()]
        assert self.run(self.store.reclaim()) == len(lost)
        for job in lost:
            self.requeue(job, job.attempts)

    def requeue(self, job: Job, attempts: int) -> None:
        fresh = {"owner": "", "lease": 0.0, "stage": "", "progress": 0.0, "started": None}
        self.change(job, status=Status.QUEUED, attempts=attempts, **fresh)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        job = self.pick(which)
        open_ = job.id in self.jobs and not job.status.final
        assert self.run(self.store.cancel(job.id)) == open_
        if open_:
            self.change(job, status=Status.CANCELLED, owner="", lease=0.0, finished=0.0)

    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        job = self.pick(which)
        self.run(self.store.delete(job.id))
        self.jobs.pop(job.id, None)

    @rule()
    def expire(self) -> None:
        final = [job for job in self.jobs.values() if job.status.final]
        assert self.run(self.store.expire(time.time() + 60)) == len(final)
        for job in final:
            del self.jobs[job.id]

    @rule(fingerprint=st.sampled_from("xy"))
    def find(self, fingerprint: str) -> None:
        same = [job for job in self.jobs.values() if job.fingerprint == fingerprint]
        newest = max(
            (j for j in same if j.status is not Status.CANCELLED), key=lambda j: (j.created, j.id), default=None
        )
        assert timeless(self.run(self.store.find("school", fingerprint))) == timeless(newest)

    @invariant()
    def counted(self) -> None:
        queued = [job.priority for job in self.jobs.values() if job.status is Status.QUEUED]
        assert self.run(self.store.queued()) == {priority: queued.count(priority) for priority in Priority}

    @invariant()
    def alike(self) -> None:
        for job in self.jobs.values():
            assert timeless(self.run(self.store.get(job.id))) == timeless(job)


def timeless(job: Job | None) -> Job | None:
    """The job with only as much of its times as two clocks agree on: whether there is one, whether it is over."""
    if job is None:
        return None
    started, finished = (None if moment is None else 0.0 for moment in (job.started, job.finished))
    return replace(job, started=started, finished=finished, lease=float(job.lease > time.time()))


QUICK = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def run(fresh: Callable[[], Steps]) -> None:
    run_state_machine_as_test(fresh, settings=QUICK)  # type: ignore[arg-type] # what makes one will do


def test_any_sequence_of_steps_in_sqlite(tmp_path: Path) -> None:
    run(lambda: Steps(SQLiteJobs(Path(tempfile.mkdtemp(dir=tmp_path)))))


def test_any_sequence_of_steps_in_redis() -> None:
    with redis_server() as url:

        def fresh() -> Steps:
            empty(url)
            return Steps(RedisJobs(url))

        run(fresh)
