"""The runner at the end of a service and at the beginning of the next, and beside another one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_pool import SOON, FakePool, Gate, Slow, ended, runner_of, running, submitted
from job_places import DOCUMENT, RESULT, a_job, added, look, opened
from redis_server import redis_server
from runner_fixtures import brisk_runner, only_asyncio, sqlite_store  # noqa: F401 - fixtures

from pocai.errors import Unavailable
from pocai.inference.answers import Status
from pocai.server.jobs import Priority
from pocai.server.redis_jobs import RedisJobs
from pocai.server.sqlite_jobs import SQLiteJobs
from pocai.server.workers import Progress, Task

pytestmark = pytest.mark.anyio


# --- stopping and starting again ---------------------------------------------------------------------------------


async def test_running_work_is_finished_before_the_service_stops(store: SQLiteJobs) -> None:
    gate = Gate()
    async with running(store, FakePool(gate.read)) as runner:
        job = await submitted(runner)
        await gate.someone()
        draining = asyncio.create_task(runner.drain(SOON))
        await asyncio.sleep(0)
        assert runner.draining
        with pytest.raises(Unavailable) as caught:
            await runner.submit(a_job(), DOCUMENT, limit=1)
        assert caught.value.retry_after is not None
        gate.opened.set()
        await draining
        assert (await look(store, job)).status is Status.SUCCEEDED


async def test_what_does_not_end_in_time_is_handed_back_and_nobody_waits_on(store: SQLiteJobs) -> None:
    gate = Gate()
    pool = FakePool(gate.read)

    async def watch() -> list[Status]:
        return [job.status async for job in runner.watch(job.id)]

    async with running(store, pool) as runner:
        job = await submitted(runner)
        waiting, watching = asyncio.create_task(runner.wait(job.id)), asyncio.create_task(watch())
        await gate.someone()
        await runner.drain(0.05)
        async with asyncio.timeout(SOON):
            assert await waiting == job
            assert Status.SUCCEEDED not in await watching
    assert await look(store, job) == job
    assert pool.stopped == [DOCUMENT]


async def test_only_what_somebody_waits_for_is_begun_while_stopping(store: SQLiteJobs) -> None:
    gate = Gate()
    pool = FakePool(gate.read)
    async with running(store, pool) as runner:
        await submitted(runner, a_job(3), b"running")
        await gate.someone()
        awaited = await submitted(runner, a_job(2), b"awaited")
        left = await submitted(runner, a_job(1, Priority.BACKLOG), b"left")
        waiting = asyncio.create_task(runner.wait(awaited.id))
        draining = asyncio.create_task(runner.drain(SOON))
        await asyncio.sleep(0.01)
        gate.opened.set()
        await draining
        done = await waiting
        assert done is not None
        assert done.status is Status.SUCCEEDED
    assert await look(store, left) == left
    assert pool.begun == [b"running", b"awaited"]


async def test_a_claim_on_its_way_is_handed_back_when_the_service_stops(tmp_path: Path) -> None:
    async with opened(store := Slow(tmp_path / "state", 0.2)):
        job = await added(store)
        async with running(store, FakePool()) as runner:
            await store.claiming.wait()
            await runner.drain(0.0)
        assert await look(store, job) == job


async def test_the_next_service_finds_what_was_left(tmp_path: Path) -> None:
    async with opened(SQLiteJobs(tmp_path / "state")) as store, running(store, FakePool(Gate().read)) as runner:
        jobs = [await submitted(runner, a_job(age)) for age in (3, 2, 1)]
    async with opened(SQLiteJobs(tmp_path / "state")) as store, running(store, FakePool()) as runner:
        assert [(await ended(runner, job)).status for job in jobs] == [Status.SUCCEEDED] * 3


@pytest.mark.usefixtures("brisk")
async def test_old_jobs_are_forgotten(store: SQLiteJobs) -> None:
    job = await added(store)
    await store.cancel(job.id)
    runner = runner_of(store, FakePool(), hours=0.1 / 3600)
    await runner.start()
    async with asyncio.timeout(SOON):
        assert [seen.status async for seen in runner.watch(job.id)] == [Status.CANCELLED]
        while await runner.wait(job.id, 0.0):  # noqa: ASYNC110 - nobody is told when a job is forgotten
            await asyncio.sleep(0.01)
    await runner.close()


# --- several services --------------------------------------------------------------------------------------------


@pytest.fixture
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


async def test_two_services_never_run_a_job_twice(redis_url: str) -> None:
    most: list[int] = []

    async def take_turns(_task: Task, progress: Progress) -> dict[str, Any]:
        most.append(max((first.now + second.now).values()))
        await asyncio.sleep(0)
        await progress("text", 0.5)
        return RESULT

    first, second = FakePool(take_turns, size=2), FakePool(take_turns, size=2)
    async with (
        opened(RedisJobs(redis_url)) as one,
        opened(RedisJobs(redis_url)) as other,
        running(one, first) as here,
        running(other, second) as there,
    ):
        jobs = [await submitted((here, there)[n % 2], document=b"%d" % n) for n in range(40)]
        assert [(await ended((there, here)[n % 2], job)).attempts for n, job in enumerate(jobs)] == [1] * 40
    assert Counter(first.begun + second.begun) == {b"%d" % n: 1 for n in range(40)}
    assert set(most) == {1}
    assert first.begun
    assert second.begun


@pytest.mark.usefixtures("brisk")
async def test_the_job_of_a_dead_service_is_taken_over(redis_url: str) -> None:
    async with opened(RedisJobs(redis_url)) as store:
        job = await added(store)
        assert await store.claim("dead", 0.2)
        async with running(store, FakePool()) as runner:
            done = await ended(runner, job)
    assert (done.status, done.attempts) == (Status.SUCCEEDED, 2)


@pytest.mark.usefixtures("brisk")
async def test_a_service_that_was_thought_dead_does_not_spoil_the_result(redis_url: str) -> None:
    gate = Gate()
    async with opened(RedisJobs(redis_url)) as store, running(store, FakePool(gate.read)) as runner:
        job = await submitted(runner)
        await gate.someone()
        await store.hand_back(job.id, runner.owner, counted=True)  # as reclaiming does
        taken = await store.claim("other", 60)
        assert taken is not None
        assert await store.finish(job.id, "other", {"by": "other"})
        gate.opened.set()
        await asyncio.sleep(0.2)
        assert (await look(store, job)).result == {"by": "other"}
