"""The runner with a real store, and with a pool that does what each test tells it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fake_pool import ATTEMPTS, SOON, FakePool, Gate, Slow, ended, runner_of, running, submitted
from job_places import DOCUMENT, RESULT, a_job, added, opened
from runner_fixtures import brisk_runner, only_asyncio, sqlite_store  # noqa: F401 - fixtures

from pocai.errors import NoTimetable, Unavailable, WaitedTooLong, WorkerLost
from pocai.inference.answers import Status
from pocai.server.jobs import Job, QueueFull
from pocai.server.metrics import Metrics
from pocai.server.sqlite_jobs import SQLiteJobs
from pocai.server.workers import Progress, Task

pytestmark = pytest.mark.anyio


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks into the store again unless somebody says that there is something new."""
    monkeypatch.setattr("pocai.server.runner.IDLE", 60.0)


# --- from a job to its end ---------------------------------------------------------------------------------------


async def test_a_job_is_read_and_counted(store: SQLiteJobs) -> None:
    metrics, pool = Metrics(), FakePool()
    async with running(store, pool, metrics) as runner:
        job = await submitted(runner, a_job(options={"engine": "e"}))
        done = await ended(runner, job)
    assert (done.status, done.result, done.attempts) == (Status.SUCCEEDED, RESULT, 1)
    assert pool.begun == [DOCUMENT]
    assert b'status="succeeded"' in metrics.render()[0]


async def test_a_task_has_the_options_and_what_is_left_of_the_time(store: SQLiteJobs) -> None:
    tasks: list[Task] = []

    async def note(task: Task, _progress: Progress) -> dict[str, Any]:
        tasks.append(task)
        return RESULT

    async with running(store, FakePool(note)) as runner:
        await ended(runner, await submitted(runner, a_job(options={"engine": "e"}, deadline=time.time() + 40)))
    (task,) = tasks
    assert (task.kind, task.options, task.parts) == ("extract", {"engine": "e"}, (DOCUMENT,))
    assert 30 < task.seconds <= 40


@pytest.mark.parametrize(
    ("error", "code"),
    [(NoTimetable("none was found", mend="Is it the right page?"), "no_timetable"), (RuntimeError("text"), "error")],
)
async def test_an_error_ends_the_job_and_not_the_slot(store: SQLiteJobs, error: Exception, code: str) -> None:
    errors = [error]

    async def fail_once(_task: Task, _progress: Progress) -> dict[str, Any]:
        if errors:
            raise errors.pop()
        return RESULT

    async with running(store, FakePool(fail_once)) as runner:
        failed = await ended(runner, await submitted(runner))
        assert (failed.status, failed.attempts) == (Status.FAILED, 1)
        assert failed.fault is not None
        assert failed.fault.code == code
        assert "text" not in failed.fault.what
        assert (await ended(runner, await submitted(runner))).status is Status.SUCCEEDED


@pytest.mark.usefixtures("brisk")
async def test_a_result_that_cannot_be_kept_ends_the_job_and_not_the_slot(store: SQLiteJobs) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"deeper": deep}

    async def dig(task: Task, _progress: Progress) -> dict[str, Any]:
        return deep if task.parts == (b"deep",) else RESULT

    async with running(store, FakePool(dig)) as runner:
        job = await submitted(runner, document=b"deep")
        other = await submitted(runner)
        assert (await ended(runner, other)).status is Status.SUCCEEDED
        assert (await ended(runner, job)).status is Status.FAILED
    while deep:  # one after the other, for freeing a nested object may take more stack than there is
        deep = deep["deeper"]


@pytest.mark.parametrize(("deaths", "status"), [(2, Status.SUCCEEDED), (3, Status.FAILED)])
@pytest.mark.usefixtures("patient")
async def test_a_document_whose_process_dies_is_tried_anew(store: SQLiteJobs, deaths: int, status: Status) -> None:
    async def die(_task: Task, _progress: Progress) -> dict[str, Any]:
        if len(pool.begun) <= deaths:
            raise WorkerLost("the process that read the document died")
        return RESULT

    pool = FakePool(die)
    async with running(store, pool) as runner:
        done = await ended(runner, await submitted(runner))
    assert (done.status, done.attempts, len(pool.begun)) == (status, 3, 3)
    assert (done.fault is None) == (status is Status.SUCCEEDED)
    assert done.fault is None or done.fault.code == "worker_lost"


async def test_a_document_that_kills_the_whole_service_is_given_up(store: SQLiteJobs) -> None:
    job = await added(store, a_job(attempts=ATTEMPTS))  # as a service finds it that starts for the fourth time
    pool = FakePool()
    async with running(store, pool) as runner:
        done = await ended(runner, job)
    assert done.fault is not None
    assert done.fault.code == "worker_lost"
    assert not done.fault.lasting
    assert pool.begun == []


async def test_a_job_past_its_deadline_is_not_begun(store: SQLiteJobs) -> None:
    pool = FakePool()
    async with running(store, pool) as runner:
        done = await ended(runner, await submitted(runner, a_job(deadline=time.time() - 1)))
    assert done.fault is not None
    assert done.fault.code == WaitedTooLong.code
    assert not done.fault.lasting
    assert pool.begun == []


async def test_a_job_without_its_document_fails(store: SQLiteJobs, tmp_path: Path) -> None:
    job = await added(store)
    (tmp_path / "state/documents" / job.id).unlink()
    async with running(store, FakePool()) as runner:
        done = await ended(runner, job)
    assert done.fault is not None
    assert done.fault.code == "unavailable"


class Deaf(SQLiteJobs):
    """A store that cannot be reached each time progress is told."""

    async def advance(self, *_: object) -> None:
        raise Unavailable("the job store cannot be used")


async def test_progress_that_cannot_be_told_does_not_fail_the_job(tmp_path: Path) -> None:
    async def tell(_task: Task, progress: Progress) -> dict[str, Any]:
        await progress("text", 0.5)
        return RESULT

    async with opened(Deaf(tmp_path / "state")) as store, running(store, FakePool(tell)) as runner:
        assert (await ended(runner, await submitted(runner))).status is Status.SUCCEEDED


class Away(SQLiteJobs):
    """A store that cannot be reached for a while."""

    away = 3

    async def claim(self, owner: str, seconds: float) -> Job | None:
        self.away -= 1
        if self.away >= 0:
            raise Unavailable("the job store cannot be used")
        return await super().claim(owner, seconds)


@pytest.mark.usefixtures("brisk")
async def test_the_runner_goes_on_when_the_store_is_back(tmp_path: Path) -> None:
    async with opened(store := Away(tmp_path / "state")), running(store, FakePool()) as runner:
        assert (await ended(runner, await submitted(runner))).status is Status.SUCCEEDED
        assert store.away < 0


# --- cancelling, waiting, watching -------------------------------------------------------------------------------


async def test_a_cancelled_job_stops_and_the_next_one_begins(store: SQLiteJobs) -> None:
    gate = Gate()
    pool = FakePool(gate.read)
    async with running(store, pool) as runner:
        first, second, third = [await submitted(runner, a_job(3 - n), b"%d" % n) for n in range(3)]
        await gate.someone()
        assert await runner.cancel(second.id)
        assert await runner.cancel(first.id)
        await gate.someone()
        gate.opened.set()
        assert [(await ended(runner, job)).status for job in (first, second, third)] == [
            Status.CANCELLED,
            Status.CANCELLED,
            Status.SUCCEEDED,
        ]
        assert not await runner.cancel(third.id)
    assert (pool.begun, pool.stopped) == ([b"0", b"2"], [b"0"])


@pytest.mark.usefixtures("brisk")
async def test_work_whose_lease_was_lost_is_stopped(store: SQLiteJobs) -> None:
    gate = Gate()
    pool = FakePool(gate.read)
    async with running(store, pool) as runner:
        job = await submitted(runner)
        await gate.someone()
        await store.cancel(job.id)  # as another service does
        other = await submitted(runner, document=b"other")
        await gate.someone()
        gate.opened.set()
        assert (await ended(runner, other)).status is Status.SUCCEEDED
        assert (await ended(runner, job)).status is Status.CANCELLED
    assert pool.stopped == [DOCUMENT]


@pytest.mark.usefixtures("brisk")
async def test_work_keeps_its_lease_as_long_as_it_takes(store: SQLiteJobs) -> None:
    async def take_long(_task: Task, _progress: Progress) -> dict[str, Any]:
        await asyncio.sleep(1.0)  # three leases, ten rounds of housekeeping
        return RESULT

    pool = FakePool(take_long)
    async with running(store, pool) as runner:
        done = await ended(runner, await submitted(runner))
    assert (done.status, done.attempts, pool.begun) == (Status.SUCCEEDED, 1, [DOCUMENT])


async def test_waiting_ends_with_its_time(store: SQLiteJobs) -> None:
    gate = Gate()
    async with running(store, FakePool(gate.read)) as runner:
        job = await submitted(runner)
        await gate.someone()
        for seconds in (0.0, 0.05):
            begin = time.monotonic()
            found = await runner.wait(job.id, seconds)
            assert found is not None
            assert found.status is Status.RUNNING
            assert seconds <= time.monotonic() - begin < SOON
        assert await runner.wait("0" * 32) is None
        gate.opened.set()
        assert (await ended(runner, job)).status is Status.SUCCEEDED


@pytest.mark.usefixtures("patient")
async def test_a_job_is_watched_from_step_to_step(store: SQLiteJobs) -> None:
    seen: asyncio.Queue[Job] = asyncio.Queue()
    stages = (("ingest", 0.0), ("text", 0.25), ("text", 0.5), ("check", 1.0))

    async def step(_task: Task, progress: Progress) -> dict[str, Any]:
        assert (await seen.get()).status is Status.RUNNING
        for stage, share in stages[1:]:
            await progress(stage, share)
            job = await seen.get()
            assert (job.stage, job.progress) == (stage, share)
        return RESULT

    async def watch(job_id: str) -> list[Job]:
        jobs = []
        async for job in runner.watch(job_id):
            jobs.append(job)
            seen.put_nowait(job)
        return jobs

    job = await added(store)
    runner = runner_of(store, FakePool(step))
    watching = asyncio.create_task(watch(job.id))
    assert (await seen.get()).status is Status.QUEUED
    await runner.start()
    async with asyncio.timeout(SOON):
        jobs = await watching
    await runner.close()
    assert [job.status for job in jobs] == [Status.QUEUED, *[Status.RUNNING] * 4, Status.SUCCEEDED]
    assert jobs[-1].result == RESULT
    assert all(job.lease == 0 for job in jobs)
    assert [job async for job in runner.watch("0" * 32)] == []


async def test_a_full_queue_refuses_but_what_runs_does_not_count(store: SQLiteJobs) -> None:
    gate = Gate()
    async with running(store, FakePool(gate.read)) as runner:
        await runner.submit(a_job(), DOCUMENT, limit=1)
        await gate.someone()
        await runner.submit(a_job(), DOCUMENT, limit=1)
        with pytest.raises(QueueFull):
            await runner.submit(a_job(), DOCUMENT, limit=1)


@pytest.mark.usefixtures("patient")
async def test_every_slot_is_used_when_jobs_come_together(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        opened(store := Slow(tmp_path / "state", 0.1, 0.3)),
        running(store, FakePool(gate.read, size=2)) as runner,
    ):
        await store.claiming.wait()
        await asyncio.sleep(0.05)  # both slots have found nothing, and do not know it yet
        await submitted(runner)
        await submitted(runner)
        await gate.someone(2)
