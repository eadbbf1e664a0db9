"""Reading in the shadow: a challenger reads documents once more that users have had their answers to.

It reads only while a process has nothing else to do. Its answers are kept beside the figures of the comparison, in the
state folder, for as long as finished jobs are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pocai.errors import PocaiError
from pocai.evaluation.timetables import score
from pocai.inference.rollout import Slot, Trial
from pocai.server.frames import Frame
from pocai.server.rollouts import Rollouts, model_failed, seconds_of
from pocai.server.workers import Task

WAITING = 8  # readings that may wait; more are dropped
PATIENCE = 60.0  # seconds that one waits for a process with nothing to do
LOOK = 0.1  # seconds between two looks whether there is one
READING = 60.0  # seconds that a reading may take
_STEPS = 2**32

log = logging.getLogger(__name__)


class Idle(Protocol):
    """A pool of reading processes that says whether one has nothing to do."""

    @property
    def idle(self) -> bool: ...

    async def run(self, task: Task) -> Frame: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """How a challenger's answer agrees with the one that the user was given.

    ``agreement`` is the F1 of its blocks against those, ``edits`` the corrections that lead from one to the other.
    """

    document: str
    version: int
    agreement: float
    edits: int
    seconds: float
    users_seconds: float


@dataclass(frozen=True, slots=True)
class _Wish:
    """A reading that is wanted, of a task whose user was given ``answer``."""

    slot: Slot
    trial: Trial
    task: Task
    answer: Mapping[str, Any]


class Shadow:
    """Has challengers read in the shadow; their answers are kept for ``hours`` in the folder of the rollouts."""

    def __init__(self, pool: Idle, rollouts: Rollouts, hours: float = 24.0) -> None:
        self._pool = pool
        self._rollouts = rollouts
        self._folder = rollouts.shadow_folder
        self._seconds = 3600 * hours
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def offer(self, task: Task, users: Frame) -> None:
        """A document that was read, with the answer; never waits. Some are read once more, later."""
        for slot, lineup in self._rollouts.rollout.slots.items():
            trial = lineup.trial
            if trial is None or trial.mode != "shadow" or not sampled(trial, task.parts[0]):
                continue
            if len(self._tasks) >= WAITING:
                self._rollouts.metrics.shadowed(slot, "dropped")
                continue
            work = asyncio.create_task(self._read(_Wish(slot, trial, task, users.head)))
            self._tasks.add(work)
            work.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until nothing waits or is read."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Give up what waits."""
        for work in self._tasks:
            work.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, wish: _Wish) -> None:
        """Read when there is time, compare, and keep what came of it."""
        async with self._turn:
            if not await self._is_idle():
                self._rollouts.metrics.shadowed(wish.slot, "dropped")
                return
            try:
                answer = (await self._pool.run(self._task(wish))).head
            except PocaiError as error:
                log.warning("a reading in the shadow failed", extra={"reason": error.code})
                self._failed(wish.slot)
                return
        if model_failed(answer):
            self._failed(wish.slot)
            return
        found = await asyncio.to_thread(compared, wish, answer)
        self._rollouts.metrics.shadowed(wish.slot, "compared", found.agreement)
        seconds = seconds_of(wish.slot, answer)
        self._rollouts.read(wish.slot, "challenger", seconds, violated=bool(answer.get("findings")))
        await asyncio.to_thread(self._keep, wish.trial, found, answer)

    def _task(self, wish: _Wish) -> Task:
        """The task once more, read by the challenger in its slot and by the champions in the others."""
        rollout = self._rollouts.rollout
        models = {slot: lineup.champion for slot, lineup in rollout.slots.items() if lineup.champion is not None}
        folders = {slot: str(model.folder) for slot, model in {**models, wish.slot: wish.trial.challenger}.items()}
        options = {**wish.task.options, "models": folders, "trusted": [str(key) for key in rollout.trusted]}
        return replace(wish.task, options=options, seconds=READING, urgent=False)

    def _failed(self, slot: Slot) -> None:
        self._rollouts.metrics.shadowed(slot, "failed")
        self._rollouts.read(slot, "challenger", None, failed=True)

    async def _is_idle(self) -> bool:
        """Wait until a process has nothing to do; False where that takes too long."""
        end = time.monotonic() + PATIENCE
        while not self._pool.idle:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(LOOK)
        return True

    def _keep(self, trial: Trial, found: Compared, answer: Mapping[str, Any]) -> None:
        folder = self._folder / trial.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / f"{found.document}.json").write_text(json.dumps(answer), encoding="utf-8")
        line = {"at": time.time(), **{name: getattr(found, name) for name in Compared.__slots__}}
        with (folder / "figures.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        forget(self._folder, time.time() - self._seconds)


def forget(folder: Path, before: float) -> None:
    """Remove the answers that are older; the figures, which hold nothing of a document, stay."""
    for file in folder.glob("*/*.json"):
        if file.stat().st_mtime < before:
            file.unlink(missing_ok=True)


def figures(folder: Path, trial: str) -> dict[str, Any]:
    """The figures of a trial's readings so far: their number, the mean agreement, the share that is all the same."""
    try:
        lines = (folder / trial / "figures.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    if not rows:
        return {"readings": 0}
    count = len(rows)
    return {
        "readings": count,
        "agreement": round(sum(row["agreement"] for row in rows) / count, 4),
        "same": round(sum(row["edits"] == 0 for row in rows) / count, 4),
        "secondsRatio": round(
            sum(row["seconds"] for row in rows) / max(1e-9, sum(row["users_seconds"] for row in rows)), 3
        ),
    }


def sampled(trial: Trial, document: bytes) -> bool:
    """Whether a document is among the share that is read in the shadow; the same at every call."""
    digest = hashlib.blake2b(document, digest_size=4, key=trial.id.encode()[:64]).digest()
    return int.from_bytes(digest) < round(trial.share * _STEPS)


def compared(wish: _Wish, answer: Mapping[str, Any]) -> Compared:
    """Two results of one document; where neither has a block they agree."""
    counts = score(_timetables(wish.answer), _timetables(answer))
    agreement = counts.figures.block if counts.golds or counts.preds else 1.0
    document = hashlib.sha256(wish.task.parts[0]).hexdigest()
    seconds = (_seconds(answer), _seconds(wish.answer))
    return Compared(document, wish.trial.challenger.version, float(agreement), counts.edits, *seconds)


def _timetables(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"timetables": result.get("timetables", ())}


def _seconds(result: Mapping[str, Any]) -> float:
    seconds = result.get("seconds")
    return float(sum(seconds.values())) if isinstance(seconds, dict) else 0.0
