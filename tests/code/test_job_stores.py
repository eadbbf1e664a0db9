"""Both job stores against one contract: SQLite in a folder, and a real Redis."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from job_places import DOCUMENT, FAULT, PLENTY, RESULT, Place, a_job, added, claimed, empty, look, opened
from redis_server import redis_server

from pocai.errors import Conflict
from pocai.inference.answers import Status
from pocai.server.jobs import JobStore, Kind, Priority, QueueFull

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(str(tmp_path / "state"))
    url = request.getfixturevalue("redis_url")
    empty(url)
    return Place(url)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[JobStore]:
    async with opened(place.store()) as store:
        yield store


async def test_a_job_comes_back_as_it_was_handed_in(store: JobStore) -> None:
    names = ("", "Stundenplan \u00fc\u4e00.pdf", "half a pair \ud83d", 'quo"te\\\n\0')
    for name in names:
        job = a_job(name=name, kind=Kind.READ, created=1753261200.1234567, options={"engine": "e", "more": [1, None]})
        await store.add(job, DOCUMENT + name.encode(errors="replace"), limit=PLENTY)
        assert await store.get(job.id) == job
        assert await store.document(job.id) == DOCUMENT + name.encode(errors="replace")


@pytest.mark.parametrize("job_id", ["0" * 32, "", "../jobs.sqlite", "../lock", "a/../../lock"])
async def test_what_is_not_there_is_none(store: JobStore, job_id: str) -> None:
    assert await store.get(job_id) is None
    assert await store.document(job_id) is None
    assert await store.find("school", "f" * 64) is None
    assert await store.claim("me", 60) is None
    assert not await store.cancel(job_id)
    await store.delete(job_id)


async def test_jobs_are_claimed_by_priority_then_by_age(store: JobStore) -> None:
    order = [(Priority.HOST, 1.0), (Priority.WAITING, 30.0), (Priority.WAITING, 20.0), (Priority.BACKLOG, 99.0)]
    jobs = [a_job(age, priority) for priority, age in order]
    for job in reversed(jobs):
        await added(store, job)
    assert await store.queued() == {Priority.HOST: 1, Priority.WAITING: 2, Priority.BACKLOG: 1}
    assert [(await claimed(store)).id for _ in jobs] == [job.id for job in jobs]
    assert await store.claim("me", 60) is None
    assert await store.queued() == dict.fromkeys(Priority, 0)


async def test_a_claimed_job_is_on_lease(store: JobStore) -> None:
    job = await added(store)
    before = time.time()
    taken = await claimed(store, "me", 60)
    assert taken == await store.get(job.id)
    assert (taken.status, taken.owner, taken.attempts) == (Status.RUNNING, "me", 1)
    assert taken.lease == pytest.approx(before + 60, abs=5)
    assert taken.started == pytest.approx(before, abs=5)


async def test_a_full_queue_takes_no_more_of_its_priority(store: JobStore) -> None:
    await store.add(a_job(), DOCUMENT, limit=1)
    refused = a_job()
    with pytest.raises(QueueFull) as caught:
        await store.add(refused, DOCUMENT, limit=1)
    assert caught.value.retry_after is not None
    assert await store.get(refused.id) is None
    assert await store.document(refused.id) is None
    await store.add(a_job(priority=Priority.HOST), DOCUMENT, limit=1)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_job_never_takes_the_place_of_another(store: JobStore, cancelled: bool) -> None:
    first = await added(store)
    if cancelled:
        assert await store.cancel(first.id)
    before = await store.get(first.id)
    with pytest.raises(Conflict, match="of this id already"):
        await store.add(replace(a_job(5.0), id=first.id, tenant="other"), b"another document", limit=PLENTY)
    assert await store.get(first.id) == before
    assert await store.document(first.id) == (None if cancelled else DOCUMENT)


async def test_the_limit_holds_for_requests_that_come_together(store: JobStore) -> None:
    jobs = [a_job() for _ in range(20)]
    told = await asyncio.gather(*(store.add(job, DOCUMENT, limit=5) for job in jobs), return_exceptions=True)
    assert sum(isinstance(one, QueueFull) for one in told) == 15
    assert sum(one is None for one in told) == 5
    assert [await store.document(job.id) is not None for job in jobs] == [one is None for one in told]


async def test_a_job_is_claimed_once_by_owners_that_come_together(store: JobStore) -> None:
    jobs = [await added(store) for _ in range(15)]
    taken = await asyncio.gather(*(store.claim(f"owner {n}", 60) for n in range(25)))
    assert sorted(job.id for job in taken if job) == sorted(job.id for job in jobs)


async def test_only_its_owner_moves_a_running_job(store: JobStore) -> None:
    job = await added(store)
    assert not await store.renew(job.id, "me", 60)  # it is not running
    taken = await claimed(store, "me")
    await store.advance(job.id, "other", "text", 0.5)
    assert not await store.renew(job.id, "other", 60)
    assert not await store.finish(job.id, "other", RESULT)
    assert not await store.finish(job.id, "other", FAULT)
    assert not await store.hand_back(job.id, "other", counted=True)
    assert await store.get(job.id) == taken


async def test_progress_and_a_longer_lease_are_seen(store: JobStore) -> None:
    await added(store)
    taken = await claimed(store, "me", 10)
    await store.advance(taken.id, "me", "text", 0.375)
    assert await store.renew(taken.id, "me", 100)
    seen = await look(store, taken)
    assert (seen.stage, seen.progress) == ("text", 0.375)
    assert seen.lease == pytest.approx(taken.lease + 90, abs=5)


async def test_a_job_succeeds_once(store: JobStore) -> None:
    await added(store)
    taken = await claimed(store)
    assert await store.finish(taken.id, "me", RESULT)
    done = await look(store, taken)
    assert (done.status, done.result, done.fault, done.progress) == (Status.SUCCEEDED, RESULT, None, 1.0)
    assert (done.owner, done.lease, done.started, done.attempts) == ("", 0.0, taken.started, 1)
    assert done.finished == pytest.approx(time.time(), abs=5)
    assert not await store.finish(taken.id, "me", FAULT)
    assert not await store.cancel(taken.id)
    assert await look(store, taken) == done
    assert await store.document(taken.id) == DOCUMENT


async def test_a_job_fails_with_its_fault(store: JobStore) -> None:
    await added(store)
    taken = await claimed(store)
    await store.advance(taken.id, "me", "text", 0.25)
    assert await store.finish(taken.id, "me", FAULT)
    done = await look(store, taken)
    assert (done.status, done.result, done.fault, done.progress) == (Status.FAILED, None, FAULT, 0.25)
    assert not await store.finish(taken.id, "me", RESULT)


@pytest.mark.parametrize(("counted", "attempts"), [(True, 1), (False, 0)])
async def test_a_job_that_is_handed_back_keeps_its_place(store: JobStore, counted: bool, attempts: int) -> None:
    job = await added(store, a_job(age=30))
    await added(store, a_job(age=20))
    await claimed(store)
    await store.advance(job.id, "me", "text", 0.25)
    assert await store.hand_back(job.id, "me", counted=counted)
    assert await look(store, job) == replace(job, attempts=attempts)
    again = await claimed(store, "other")
    assert (again.id, again.attempts) == (job.id, attempts + 1)
    assert not await store.hand_back(job.id, "me", counted=True)


async def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(store: JobStore) -> None:
    running = await added(store, a_job(age=2))
    queued = await added(store, a_job(age=1))
    await claimed(store)
    for job in (queued, running):
        assert await store.cancel(job.id)
        assert not await store.cancel(job.id)
        seen = await look(store, job)
        assert (seen.status, seen.owner) == (Status.CANCELLED, "")
        assert seen.finished == pytest.approx(time.time(), abs=5)
        assert await store.document(job.id) is None
    assert not await store.renew(running.id, "me", 60)
    assert not await store.finish(running.id, "me", RESULT)
    assert await store.claim("me", 60) is None
    assert await store.reclaim() == 0


async def test_a_lease_that_ran_out_is_taken_back(store: JobStore) -> None:
    lost = await added(store, a_job(age=3))
    kept = await added(store, a_job(age=2))
    await claimed(store, "dead", 0.0)
    await claimed(store, "alive", 0.0)
    assert await store.renew(kept.id, "alive", 60)
    assert await store.reclaim() == 1
    assert await store.reclaim() == 0
    assert await look(store, lost) == replace(lost, attempts=1)
    assert not await store.finish(lost.id, "dead", RESULT)
    assert (await claimed(store, "alive")).attempts == 2


async def test_the_newest_job_of_a_document_is_found(store: JobStore) -> None:
    old, new, cancelled = [await added(store, a_job(age)) for age in (30, 20, 10)]
    await added(store, a_job(tenant="other"))
    await added(store, a_job(fingerprint="e" * 64))
    await store.cancel(cancelled.id)
    assert await store.find("school", "f" * 64) == new
    await claimed(store)
    await store.finish(old.id, "me", RESULT)
    await store.delete(new.id)
    found = await store.find("school", "f" * 64)
    assert found == await store.get(old.id)
    assert found is not None
    assert found.result == RESULT
    assert await store.find("nobody", "f" * 64) is None


async def test_a_deleted_job_is_gone_whatever_its_state(store: JobStore) -> None:
    done, running, queued = [await added(store, a_job(age)) for age in (3, 2, 1)]
    await claimed(store)
    await claimed(store)
    await store.finish(done.id, "me", RESULT)
    for job in (done, running, queued):
        await store.delete(job.id)
        assert await store.get(job.id) is None
        assert await store.document(job.id) is None
    assert not await store.renew(running.id, "me", 60)
    assert await store.claim("me", 60) is None
    assert await store.reclaim() == 0
    assert await store.expire(time.time() + 60) == 0
    assert await store.queued() == dict.fromkeys(Priority, 0)


async def test_old_final_jobs_are_forgotten_and_no_others(store: JobStore) -> None:
    jobs = [await added(store, a_job(age)) for age in (5, 4, 3, 2)]
    succeeded, failed, running, queued = jobs
    for _ in (succeeded, failed, running):
        await claimed(store)
    await store.finish(succeeded.id, "me", RESULT)
    await store.finish(failed.id, "me", FAULT)
    assert await store.expire(time.time() - 60) == 0
    assert await store.expire(time.time() + 60) == 2
    assert [await store.get(job.id) is None for job in jobs] == [True, True, False, False]
    assert [await store.document(job.id) is None for job in jobs] == [True, True, False, False]
    assert await store.cancel(queued.id)


async def test_more_jobs_than_fit_in_one_step_are_forgotten(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{type(store).__module__}.BATCH", 2)
    for _ in range(5):
        await store.cancel((await added(store)).id)
    assert await store.expire(time.time() + 60) == 5


async def test_files_are_noted_until_they_are_forgotten(store: JobStore) -> None:
    strange = os.fsdecode(b"/data/caf\xe9\n.png")
    for path, due in (("/data/late", 300.0), (strange, 200.0), ("/data/early", 400.0), ("/data/early", 100.0)):
        await store.note_file(path, due)
    assert await store.due_files(99.0) == []
    assert await store.due_files(200.0) == ["/data/early", strange]
    await store.forget_file(strange)
    await store.forget_file(strange)
    assert await store.due_files(1000.0) == ["/data/early", "/data/late"]


async def test_large_documents_and_results_are_kept_whole(store: JobStore) -> None:
    document = os.urandom(8 * 2**20)
    await store.add(job := a_job(), document, limit=1)
    await claimed(store)
    result = {"pages": ["\u00e4" * 100] * 10_000}
    assert await store.finish(job.id, "me", result)
    assert await store.document(job.id) == document
    assert (await look(store, job)).result == result


async def test_jobs_are_there_when_the_place_is_opened_again(place: Place) -> None:
    async with opened(place.store()) as store:
        done, queued = await added(store, a_job(age=2)), await added(store, a_job(age=1))
        await claimed(store)
        await store.finish(done.id, "me", RESULT)
        await store.note_file("/data/x", 1.0)
    async with opened(place.store()) as store:
        assert await look(store, queued) == queued
        assert (await look(store, done)).result == RESULT
        assert await store.document(queued.id) == DOCUMENT
        assert await store.due_files(2.0) == ["/data/x"]


async def test_a_caller_that_gives_up_leaves_a_whole_job_or_none(place: Place) -> None:
    document = os.urandom(2**20)
    jobs = [a_job() for _ in range(20)]
    async with opened(place.store()) as store:
        for number, job in enumerate(jobs):
            adding = asyncio.create_task(store.add(job, document, limit=PLENTY))
            await asyncio.sleep(number * 0.0005)
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
    async with opened(place.store()) as store:
        for job in jobs:
            kept = await store.get(job.id)
            assert kept is None or await store.document(job.id) == document


async def test_a_caller_that_is_cancelled_stops(store: JobStore) -> None:
    async def never_stop() -> None:
        while True:
            await store.reclaim()

    for ticks in range(100):
        calling = asyncio.create_task(never_stop())
        for _ in range(ticks % 20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0001 * (ticks % 7))
        calling.cancel()
        stopped, _ = await asyncio.wait({calling}, timeout=10)
        assert stopped, "the cancellation was swallowed"


ADDING = """
import asyncio, sys
sys.path[:0] = sys.argv[2:]
from job_places import a_job, store_of

async def run():
    store = store_of(sys.argv[1])
    await store.open()
    while True:
        job = a_job()
        await store.add(job, job.id.encode() * 5000, limit=100_000)
        print(job.id, flush=True)

asyncio.run(run())
"""


async def test_what_was_accepted_survives_a_kill(place: Place) -> None:
    command = [sys.executable, "-c", ADDING, place.spec, str(Path(__file__).parents[1])]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(25)]
    process.kill()
    told += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    accepted = [line.decode().strip() for line in told if line.endswith(b"\n")]
    assert len(accepted) >= 25
    async with opened(place.store()) as store:
        for job_id in accepted:
            assert await store.document(job_id) == job_id.encode() * 5000
            job = await store.get(job_id)
            assert job is not None
            assert job.status is Status.QUEUED
        assert (await store.queued())[Priority.WAITING] - len(accepted) in {0, 1}  # one may have been on its way
