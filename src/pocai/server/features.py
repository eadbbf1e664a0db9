"""What the service remembers of schools: opened in the background, used around each reading, closed at the end.

A document belongs to the school that its request names, below the caller's tenant, or else to the tenant itself. Its
school's memory is fetched before it is read and handed to the reading process; what it teaches is written afterwards,
outside of its time. Whatever is wrong with the store, documents are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pocai.errors import NotFound, PocaiError, Unavailable
from pocai.feature_store.feature_table import DOCUMENT, SCHOOL, VIEWS
from pocai.feature_store.store import FeatureRow
from pocai.inference.answers import SchoolAnswer
from pocai.inference.feature_store_client import FeatureStoreClient, Observer, open_client
from pocai.inference.lessons import REJECTED, Lesson, document_key
from pocai.server.frames import Frame
from pocai.server.workers import Progress, Task, WorkerPool
from pocai.settings import FeatureSettings

RETRY = 10.0  # seconds before it is tried again to open a store
OF_DOCUMENTS = tuple(view for view in VIEWS.values() if view.entity == DOCUMENT)
RECALLING, VISITING = 8, 4  # threads that may wait for the store at once: for documents, and for whoever looks into it

T = TypeVar("T")

log = logging.getLogger(__name__)


def school_of(tenant: str, school: str | None) -> str:
    """The key of a school of a tenant: its own, or one that it names, which no other tenant can have."""
    return tenant if school in {None, tenant} else f"{tenant}/{school}"


class Features:
    """The feature store of a service; without one, nothing is remembered. `start` before use, `close` at the end."""

    def __init__(self, settings: FeatureSettings, observer: Observer | None = None) -> None:
        self._settings = settings
        self._observer = observer
        self._client: FeatureStoreClient | None = None
        self._opening: asyncio.Task[None] | None = None
        # Threads of their own: who waits long for a store in trouble must hold up neither documents nor the service.
        self._recalling = ThreadPoolExecutor(RECALLING, "features-recall")
        self._visiting = ThreadPoolExecutor(VISITING, "features-visit")

    @property
    def on(self) -> bool:
        """Whether there is a store, be it open or not."""
        return self._settings.kind != "none"

    @property
    def client(self) -> FeatureStoreClient:
        """The open store. Raises NotFound where there is none, Unavailable while it is being opened."""
        if not self.on:
            raise NotFound("this service remembers no schools", mend="Set POCAI_FEATURES__KIND")
        if self._client is None:
            raise Unavailable("the feature store is not open yet", mend="Come again in a moment", retry_after=5)
        return self._client

    async def start(self) -> None:
        """Begin to open the store, which takes seconds; documents are read meanwhile."""
        if self.on:
            self._opening = asyncio.create_task(self._open(), name="feature-store")

    async def close(self) -> None:
        """Write what waits, and let the store go."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        self._recalling.shutdown(wait=False, cancel_futures=True)
        self._visiting.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def visit(self, work: Callable[[FeatureStoreClient], T]) -> T:
        """What ``work`` gives, which may wait for the store. Raises as `client` does, and what the work raises."""
        return await asyncio.get_running_loop().run_in_executor(self._visiting, work, self.client)

    async def recall(self, school: str) -> dict[str, Any] | None:
        """What is known of a school, as JSON; None where nothing is, in time, or where it is not to be used."""
        if self._client is None or not self._settings.in_extraction:
            return None
        memory = await asyncio.get_running_loop().run_in_executor(self._recalling, self._client.school, school)
        return None if memory is None else SchoolAnswer.of(memory).model_dump(mode="json")

    def learn(self, school: str, result: Mapping[str, Any]) -> None:
        """Have remembered what a result teaches, unless it was rejected; never waits."""
        if self._client is not None and _decision(result) != REJECTED:
            self._client.remember(Lesson(school, result.get("timetables", ())))

    def write(self, school: str, document: str, features: Mapping[str, Any]) -> None:
        """Have the features of a document written, by view as a reading process tells them; never waits."""
        if self._client is None:
            return
        at = datetime.now(UTC)
        key = {DOCUMENT: document_key(school, document)}
        rows = [
            FeatureRow(view.name, key, told | {SCHOOL: school} if SCHOOL in view.names else told, at)
            for view in OF_DOCUMENTS
            if isinstance(told := features.get(view.name), dict) and told.keys() == set(view.names)
        ]
        if rows:
            self._client.write(rows)

    async def _open(self) -> None:
        said: str | None = None
        while self._client is None:
            opening = asyncio.ensure_future(asyncio.to_thread(open_client, self._settings, self._observer))
            try:
                self._client = await asyncio.shield(opening)
            except asyncio.CancelledError:
                with contextlib.suppress(Exception):
                    (await opening).close()
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, documents are read without it
                reason = error.code if isinstance(error, PocaiError) else type(error).__name__
                if reason != said:
                    log.warning("the feature store cannot be opened", extra={"reason": reason})
                said = reason
                await asyncio.sleep(RETRY)
        log.info("the feature store is open")


def _decision(result: Mapping[str, Any]) -> object:
    verdict = result.get("verdict")
    return verdict.get("decision") if isinstance(verdict, dict) else None


class RememberingPool:
    """A pool of reading processes whose tasks may name a school in their options: it is remembered around them.

    Where it is not ``learning``, schools are looked up, and nothing is learned.
    """

    def __init__(self, pool: WorkerPool, features: Features, *, learning: bool = True) -> None:
        self._pool = pool
        self._features = features
        self._learning = learning

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self._pool.size

    @property
    def idle(self) -> bool:
        """Whether a process has nothing to do."""
        return self._pool.idle

    async def run(self, task: Task, progress: Progress | None = None) -> Frame:
        """As `WorkerPool.run`; the name of the school stays here."""
        options = dict(task.options)
        school, document = options.pop("school", None), options.pop("document", "")
        if school is None or task.kind != "extract" or not self._features.on:
            return await self._pool.run(replace(task, options=options), progress)
        memory = await self._features.recall(school)
        task = replace(task, options={**options, "memory": memory, "features": self._learning})
        if not self._learning:
            return await self._pool.run(task, progress)
        frame = await self._pool.run(task, progress, lambda more: self._features.write(school, document, more))
        self._features.learn(school, frame.head)
        return frame
