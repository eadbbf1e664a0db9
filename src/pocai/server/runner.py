"""The runner takes queued jobs, has them done by the pool, and tells whoever waits for them.

As many jobs run at once as the pool has processes. A job whose process dies is queued again and tried anew; a job whose
lease was lost (it was cancelled, or another service took it over) is stopped. At shutdown running jobs end within the
grace, or are handed back to the store, where the next service finds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Protocol

from pocai.errors import PocaiError, Unavailable, WaitedTooLong, WorkerLost
from pocai.server.frames import Frame
from pocai.server.jobs import Fault, Job, JobStore, new_id
from pocai.server.metrics import Metrics
from pocai.server.tracing import Tracing
from pocai.server.workers import Progress, Task
from pocai.settings import Settings

LEASE = 30.0  # seconds; renewed three times as often
IDLE = 0.5  # seconds between looks into the store when nobody says that something is new
HOUSEKEEPING = 10.0  # seconds between looks for lost leases and old jobs

log = logging.getLogger(__name__)


class Pool(Protocol):
    """Does tasks, ``size`` of them at once."""

    @property
    def size(self) -> int: ...

    async def run(self, task: Task, progress: Progress | None = None) -> Frame: ...


class Runner:
    """Runs the jobs of a store with the processes of a pool. `start` before use, `drain` and `close` at the end."""

    def __init__(
        self, store: JobStore, pool: Pool, settings: Settings, metrics: Metrics, tracing: Tracing | None = None
    ) -> None:
        self.owner = new_id()
        self._store = store
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._tracing = tracing or Tracing()
        self._news = asyncio.Event()
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._slots: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._draining = False
        self._over = False

    @property
    def draining(self) -> bool:
        """Whether the service is stopping: it takes no new work."""
        return self._draining

    async def start(self) -> None:
        """Begin to run jobs, those first that an earlier service left behind."""
        self._slots = [asyncio.create_task(self._serve(), name=f"slot-{n}") for n in range(self._pool.size)]
        self._keeper = asyncio.create_task(self._keep_house(), name="keeper")

    async def submit(self, job: Job, document: bytes, *, limit: int) -> None:
        """Accept a job. Raises QueueFull when ``limit`` of its priority wait already, Unavailable when stopping."""
        if self._draining:
            raise Unavailable("the service is stopping", mend="Come again in a moment", retry_after=2)
        await self._store.add(job, document, limit=limit)
        self._news.set()

    async def wait(self, job_id: str, seconds: float | None = None) -> Job | None:
        """The job when it is final, or as it is after ``seconds`` or when the service stops; None if it is gone."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._listening(job_id) as event:
            while True:
                event.clear()
                job = await self._store.get(job_id)
                left = IDLE if until is None else min(IDLE, until - time.monotonic())
                if job is None or job.status.final or self._over or left <= 0:
                    return job
                await _either(event, left)

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job each time it has changed, until it is final, gone, or the service stops."""
        last: Job | None = None
        with self._listening(job_id) as event:
            while True:
                event.clear()
                job = await self._store.get(job_id)
                if job is None:
                    return
                job = replace(job, lease=0.0)
                if job != last:
                    yield job
                if job.status.final or self._draining:
                    return
                last = job
                await _either(event, IDLE)

    async def cancel(self, job_id: str) -> bool:
        """Stop a job that is queued or running; False where it was final already."""
        cancelled = await self._store.cancel(job_id)
        if cancelled:
            if job_id in self._running:
                self._running[job_id].cancel()
            self._tell(job_id)
            job = await self._store.get(job_id)
            if job is not None:
                self._metrics.finished(job)
        return cancelled

    async def drain(self, seconds: float) -> None:
        """Take no new work, end what runs and what somebody waits for within ``seconds``, hand the rest back."""
        self._draining = True
        self._news.set()
        if self._slots:
            _, late = await asyncio.wait(self._slots, timeout=seconds)
            for slot in late:
                slot.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._over = True
        for job_id in list(self._waiting):
            self._tell(job_id)

    async def close(self) -> None:
        """Stop at once; what runs is handed back."""
        await self.drain(0.0)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    @contextlib.contextmanager
    def _listening(self, job_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _tell(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()

    async def _serve(self) -> None:
        """One slot: claim, run, again, whatever becomes of one job."""
        while not self._draining or self._waiting:
            self._news.clear()
            try:
                job = await self._claim()
                if job is not None and self._draining and job.id not in self._waiting:
                    await self._store.hand_back(job.id, self.owner, counted=False)
                    return
                if job is not None:
                    self._news.set()  # there may be more, and a slot whose claim came just too early
                    await self._run(job)
                elif self._draining:
                    return
                else:
                    await _either(self._news, IDLE)
            except Unavailable:
                log.warning("the job store cannot be reached")
                await asyncio.sleep(IDLE)
            except Exception as error:  # noqa: BLE001 - a fault of ours on one document must not stop the others
                # no traceback, which may hold text of the document
                log.error("a fault in pocai; the job is tried again", extra={"reason": type(error).__name__})  # noqa: TRY400
                await asyncio.sleep(IDLE)

    async def _claim(self) -> Job | None:
        """The next job. Where the slot is cancelled meanwhile, what the store had given already is handed back."""
        claim = asyncio.ensure_future(self._store.claim(self.owner, LEASE))
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            job = await claim
            if job is not None:
                await self._store.hand_back(job.id, self.owner, counted=False)
            raise

    async def _run(self, job: Job) -> None:
        """One job on lease, from claim to end. When the slot itself is cancelled, the service stops: hand it back."""
        work = asyncio.create_task(self._work(job), name=f"job-{job.id}")
        self._running[job.id] = work
        self._metrics.running(len(self._running))
        self._tell(job.id)
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._store.hand_back(job.id, self.owner, counted=False)
            raise
        finally:
            del self._running[job.id]
            self._metrics.running(len(self._running))
            self._tell(job.id)
        if not work.cancelled():
            work.result()

    async def _work(self, job: Job) -> None:
        outcome = await self._outcome(job)
        if outcome is None:
            log.info("a reading process died", extra={"job": job.id, "attempt": job.attempts})
            await self._store.hand_back(job.id, self.owner, counted=True)
            self._news.set()
        elif await self._store.finish(job.id, self.owner, outcome):
            ended = await self._store.get(job.id)
            if ended is not None:
                self._metrics.finished(ended)
                self._tracing.stage_spans(ended)

    async def _outcome(self, job: Job) -> dict[str, object] | Fault | None:
        """Result or fault of a job; None where it is to be tried again."""
        hopeless = self._hopeless(job)
        if hopeless is not None:
            return Fault.of(hopeless)
        document = await self._store.document(job.id)
        if document is None:
            return Fault.of(Unavailable("the document is no longer kept", mend="Send it again"))
        try:
            return await self._read(job, document)
        except WorkerLost as error:
            return None if job.attempts < self._settings.server.workers.attempts else Fault.of(error)
        except PocaiError as error:
            return Fault.of(error)
        except Exception as error:  # noqa: BLE001 - it would fail in the same way again
            return Fault.of(PocaiError(f"a fault in pocai ({type(error).__name__})", mend="Please report it"))

    def _hopeless(self, job: Job) -> PocaiError | None:
        """Why a job is not even begun, if so."""
        if job.expired:
            return WaitedTooLong("the document waited past its deadline", mend="Allow more time")
        most = self._settings.server.workers.attempts
        if job.attempts > most:  # the whole service died at it, or lost its lease, each time
            return WorkerLost(f"the document was not read in {most} attempts", mend="Send another one")
        return None

    async def _read(self, job: Job, document: bytes) -> dict[str, object]:
        """The result, while the lease is kept alive; a lost lease cancels the work."""

        async def advance(stage: str, share: float) -> None:
            with contextlib.suppress(Unavailable):  # progress that nobody sees must not cost the work
                await self._store.advance(job.id, self.owner, stage, share)
            self._tell(job.id)

        task = Task(job.kind.value, job.options, (document,), seconds=job.deadline - time.time())
        keeper = asyncio.create_task(self._keep_lease(job.id, asyncio.current_task()))
        try:
            return (await self._pool.run(task, advance)).head
        finally:
            keeper.cancel()

    async def _keep_lease(self, job_id: str, work: asyncio.Task[None] | None) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            with contextlib.suppress(Unavailable):
                if not await self._store.renew(job_id, self.owner, LEASE):
                    assert work is not None, "the lease is kept from within the work"
                    work.cancel()
                    return

    async def _keep_house(self) -> None:
        """Queue lost jobs again, forget old ones, and measure the queue."""
        while True:
            with contextlib.suppress(Unavailable):
                if await self._store.reclaim():
                    self._news.set()
                await self._store.expire(time.time() - 3600 * self._settings.server.retention_hours)
                self._metrics.queue(await self._store.queued())
            await asyncio.sleep(HOUSEKEEPING)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or the seconds are over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # on Python 3.11 wait_for may swallow a cancellation (gh-86296)
            await event.wait()
