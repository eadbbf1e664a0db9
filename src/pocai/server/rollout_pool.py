"""Reading with what is deployed: a challenger for its schools, another in place of one that fails, and in the shadow.

No request fails because a model does: what a challenger cannot read, the champion reads, and in its place what is
shipped. Only a document that all of them fail on fails.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from pocai.errors import ConfigurationError, DeadlineExceeded, LimitExceeded, ModelError, PocaiError, WorkerLost
from pocai.server.frames import Frame
from pocai.server.rollouts import Attempt, Rollouts, model_failed, seconds_of
from pocai.server.shadow import Shadow
from pocai.server.workers import Progress, Task

LONGEST = 40.0  # seconds that a model may take while there is another one to read in its place
# A model may be at fault, or the document; a key that is gone keeps models from being loaded.
FAULTS = (ModelError, ConfigurationError, WorkerLost, DeadlineExceeded, LimitExceeded)

log = logging.getLogger(__name__)


class Pool(Protocol):
    """Reads documents; `pocai.server.workers.WorkerPool` is one."""

    @property
    def size(self) -> int: ...

    async def run(self, task: Task, progress: Progress | None = None) -> Frame: ...


class RolloutPool:
    """A pool whose documents are read by what is deployed; ``unit`` in a task's options says whose they are."""

    def __init__(self, pool: Pool, rollouts: Rollouts, shadow: Shadow | None = None) -> None:
        self._pool = pool
        self._rollouts = rollouts
        self._shadow = shadow

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self._pool.size

    async def run(self, task: Task, progress: Progress | None = None) -> Frame:
        """As `WorkerPool.run`."""
        options = dict(task.options)
        unit = str(options.pop("unit", ""))
        task = replace(task, options=options)
        if not self._rollouts.on or task.kind not in {"extract", "read"}:
            return await self._pool.run(task, progress)
        frame = await self._read(task, progress, self._rollouts.attempts(unit))
        if self._shadow is not None and task.kind == "extract":
            self._shadow.offer(task, frame)
        return frame

    async def _read(self, task: Task, progress: Progress | None, attempts: tuple[Attempt, ...]) -> Frame:
        """The first answer without a fault, or else the last answer; faults that another did not have are counted."""
        loop = asyncio.get_running_loop()
        end = loop.time() + task.seconds
        first = attempts[0]
        for attempt in attempts:
            last = attempt is attempts[-1]
            left = end - loop.time()
            asked = replace(
                self.with_models(task, attempt), seconds=left, working=math.inf if last else min(LONGEST, left / 2)
            )
            try:
                frame = await self._pool.run(asked, progress)
            except PocaiError as error:
                if last or end <= loop.time() or not _may_be_the_models(error):
                    raise
                log.warning("a model failed, another one reads", extra={"reason": error.code})
                continue
            if model_failed(frame.head) and not last:
                continue
            if attempt is first:
                self._count(first, frame.head)
            elif not model_failed(frame.head):
                self._blame(first, attempt)
            return Frame(with_versions(frame.head, attempt), frame.parts)
        raise AssertionError("the last attempt gives an answer or raises")

    def with_models(self, task: Task, attempt: Attempt) -> Task:
        """The task, to be read by the models of an attempt."""
        if not attempt.models:
            return task
        models = {slot: str(model.folder) for slot, model in attempt.models.items()}
        trusted = [str(key) for key in self._rollouts.rollout.trusted]
        return replace(task, options={**task.options, "models": models, "trusted": trusted})

    def _count(self, attempt: Attempt, head: Mapping[str, Any]) -> None:
        for slot, arm in attempt.arms.items():
            if (seconds := seconds_of(slot, head)) is not None:
                self._rollouts.read(slot, arm, seconds, violated=bool(head.get("findings")))

    def _blame(self, failed: Attempt, other: Attempt) -> None:
        """Those that are not the same in an attempt that failed and in one that did not."""
        for slot, arm in failed.arms.items():
            if failed.models.get(slot) != other.models.get(slot):
                self._rollouts.read(slot, arm, None, failed=True)


def _may_be_the_models(error: PocaiError) -> bool:
    """Also a fault that nobody raised on purpose."""
    return isinstance(error, FAULTS) or type(error) is PocaiError


def with_versions(head: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    """The result, with the versions of the registry that read it."""
    models = head.get("models")
    if not attempt.models or not isinstance(models, dict):
        return head
    return {**head, "models": {**models, "versions": {slot: model.version for slot, model in attempt.models.items()}}}
