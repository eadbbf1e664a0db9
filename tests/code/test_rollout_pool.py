"""Readings by what is deployed: nobody's request fails because a model does; and readings in the shadow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from deployed import DeploymentsInMemory, a_result, a_rollout, a_task, a_trial
from prometheus_client import CollectorRegistry, generate_latest

from pocai.errors import (
    ConfigurationError,
    DeadlineExceeded,
    LimitExceeded,
    ModelError,
    PocaiError,
    UnreadableDocument,
    WorkerLost,
)
from pocai.inference.rollout import Observed, Rollout
from pocai.server.frames import Frame
from pocai.server.rollout_metrics import RolloutMetrics
from pocai.server.rollout_pool import LONGEST, RolloutPool
from pocai.server.rollouts import Rollouts
from pocai.server.shadow import WAITING, Shadow, figures, forget
from pocai.server.workers import Progress, Task

pytestmark = pytest.mark.anyio

Reading = Callable[[Task], Awaitable[dict[str, Any]]]
BLOCK = {"day": "Monday", "name": "Maths", "startTime": "09:00", "endTime": "10:00"}


class PoolOfModels:
    """A pool that reads by the version of the layout that a task names, as a test tells it."""

    size = 1

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.tasks: list[Task] = []
        self.idle = True

    @property
    def versions(self) -> list[str]:
        return [Path(task.options.get("models", {}).get("layout", "/models/shipped")).name for task in self.tasks]

    async def run(self, task: Task, progress: Progress | None = None) -> Frame:  # noqa: ARG002
        self.tasks.append(task)
        return Frame(await self._reading(task))


def version_of(task: Task) -> str:
    return Path(task.options.get("models", {}).get("layout", "/models/shipped")).name


def failing(version: str, error: PocaiError) -> Reading:
    async def read(task: Task) -> dict[str, Any]:
        if version_of(task) == version:
            raise error
        return a_result()

    return read


@asynccontextmanager
async def rollouts_of(rollout: Rollout, folder: Path) -> AsyncIterator[tuple[Rollouts, CollectorRegistry]]:
    registry = CollectorRegistry()
    rollouts = Rollouts(DeploymentsInMemory(rollout), folder, RolloutMetrics(registry), refresh=60.0)
    await rollouts.start()
    yield rollouts, registry
    await rollouts.close()


def layout_of(rollouts: Rollouts) -> Observed:
    return next(seen for seen in rollouts.observed if seen.slot == "layout")


CANARY = a_rollout("1", champion=1, trial=a_trial(2))


async def test_the_challenger_reads_and_is_named_in_the_result(tmp_path: Path) -> None:
    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("nobody", ModelError("no")))
        frame = await RolloutPool(pool, rollouts).run(a_task())
        assert pool.versions == ["2"]
        assert pool.tasks[0].options["trusted"] == ["/key"]
        assert "unit" not in pool.tasks[0].options
        assert frame.head["models"]["versions"] == {"layout": 2}
        assert layout_of(rollouts).challenger.readings == 1


@pytest.mark.parametrize(
    "error",
    [
        ModelError("broken"),
        ConfigurationError("the key is gone"),
        WorkerLost("died"),
        DeadlineExceeded("late"),
        LimitExceeded("memory"),
        PocaiError("a fault"),
    ],
)
async def test_what_the_challenger_cannot_read_the_champion_reads(tmp_path: Path, error: PocaiError) -> None:
    async with rollouts_of(CANARY, tmp_path) as (rollouts, registry):
        pool = PoolOfModels(failing("2", error))
        frame = await RolloutPool(pool, rollouts).run(a_task())
        assert pool.versions == ["2", "1"]
        assert frame.head["models"]["versions"] == {"layout": 1}
        seen = layout_of(rollouts)
        assert (seen.challenger.failures, seen.challenger.readings, seen.champion.readings) == (1, 1, 0)
        line = 'pocai_model_readings_total{arm="challenger",outcome="failed",slot="layout"} 1.0'
        assert line in generate_latest(registry).decode()


async def test_what_the_champion_cannot_read_the_shipped_model_reads(tmp_path: Path) -> None:
    async with rollouts_of(a_rollout("1", champion=1), tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("1", ModelError("broken")))
        frame = await RolloutPool(pool, rollouts).run(a_task())
        assert pool.versions == ["1", "shipped"]
        assert frame.head["models"]["versions"] == {}
        assert layout_of(rollouts).champion.failures == 1


async def test_a_model_whose_fault_the_rules_covered_is_at_fault_all_the_same(tmp_path: Path) -> None:
    async def read(task: Task) -> dict[str, Any]:
        return a_result(failed="layout" if version_of(task) == "2" else None)

    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        pool = PoolOfModels(read)
        frame = await RolloutPool(pool, rollouts).run(a_task())
        assert pool.versions == ["2", "1"]
        assert frame.head["models"]["failed"] is None
        assert layout_of(rollouts).challenger.failures == 1


async def test_a_document_that_all_fail_on_is_nobodys_fault(tmp_path: Path) -> None:
    async def read(_task: Task) -> dict[str, Any]:
        raise WorkerLost("died")

    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        with pytest.raises(WorkerLost):
            await RolloutPool(PoolOfModels(read), rollouts).run(a_task())
        assert layout_of(rollouts).challenger.readings == 0


async def test_a_document_that_cannot_be_read_is_not_tried_again(tmp_path: Path) -> None:
    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("2", UnreadableDocument("damaged")))
        with pytest.raises(UnreadableDocument):
            await RolloutPool(pool, rollouts).run(a_task())
        assert pool.versions == ["2"]


async def test_a_model_gets_no_more_time_than_leaves_some_for_another(tmp_path: Path) -> None:
    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("2", DeadlineExceeded("late")))
        await RolloutPool(pool, rollouts).run(a_task())
        first, second = pool.tasks
        assert first.working <= min(LONGEST, first.seconds / 2)
        assert second.working <= LONGEST


async def test_other_tasks_pass_as_they_are(tmp_path: Path) -> None:
    async with rollouts_of(CANARY, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("nobody", ModelError("no")))
        await RolloutPool(pool, rollouts).run(Task("overlay", {"page": 0}, (b"",), seconds=9.0))
        assert pool.tasks[0].options == {"page": 0}


def with_blocks(*names: str) -> dict[str, Any]:
    return {"timetables": [{"timeblocks": [{**BLOCK, "name": name} for name in names]}]}


async def test_in_the_shadow_answers_are_kept_and_compared_and_the_users_stay(tmp_path: Path) -> None:
    async def read(task: Task) -> dict[str, Any]:
        names = ("Maths", "Art") if version_of(task) == "2" else ("Maths",)
        return a_result(**with_blocks(*names))

    rollout = a_rollout("1", champion=1, trial=a_trial(2, "shadow", share=1.0))
    async with rollouts_of(rollout, tmp_path) as (rollouts, registry):
        pool = PoolOfModels(read)
        shadow = Shadow(pool, rollouts)
        frame = await RolloutPool(pool, rollouts, shadow).run(a_task())
        await shadow.settle()
        assert len(frame.head["timetables"][0]["timeblocks"]) == 1
        assert frame.head["models"]["versions"] == {"layout": 1}
        assert pool.versions == ["1", "2"]
        found = figures(tmp_path / "shadow", "t1")
        assert (found["readings"], found["same"]) == (1, 0.0)
        assert found["agreement"] == pytest.approx(2 / 3, abs=1e-3)
        (answer,) = (tmp_path / "shadow" / "t1").glob("*.json")
        assert len(json.loads(answer.read_text())["timetables"][0]["timeblocks"]) == 2
        assert layout_of(rollouts).challenger.readings == 1
        assert (
            'pocai_model_shadow_readings_total{outcome="compared",slot="layout"} 1.0'
            in generate_latest(registry).decode()
        )
        forget(tmp_path / "shadow", before=answer.stat().st_mtime + 1)
        assert not answer.exists()
        assert figures(tmp_path / "shadow", "t1") == found


async def test_a_fault_in_the_shadow_is_counted_and_seen_by_nobody(tmp_path: Path) -> None:
    rollout = a_rollout("1", champion=1, trial=a_trial(2, "shadow", share=1.0))
    async with rollouts_of(rollout, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("2", WorkerLost("died")))
        shadow = Shadow(pool, rollouts)
        await RolloutPool(pool, rollouts, shadow).run(a_task())
        await shadow.settle()
        assert layout_of(rollouts).challenger.failures == 1
        assert figures(tmp_path / "shadow", "t1") == {"readings": 0}


async def test_readings_in_the_shadow_wait_for_idle_processes_and_too_many_are_dropped(tmp_path: Path) -> None:
    rollout = a_rollout("1", champion=1, trial=a_trial(2, "shadow", share=1.0))
    async with rollouts_of(rollout, tmp_path) as (rollouts, registry):
        pool = PoolOfModels(failing("nobody", ModelError("no")))
        pool.idle = False
        shadow = Shadow(pool, rollouts)
        reading = RolloutPool(pool, rollouts, shadow)
        for number in range(WAITING + 3):
            await reading.run(a_task(str(number).encode()))
        await asyncio.sleep(0.3)
        assert set(pool.versions) == {"1"}
        pool.idle = True
        await shadow.settle()
        assert pool.versions.count("2") == WAITING
        assert (
            'pocai_model_shadow_readings_total{outcome="dropped",slot="layout"} 3.0'
            in generate_latest(registry).decode()
        )


async def test_a_share_of_the_documents_is_read_in_the_shadow(tmp_path: Path) -> None:
    rollout = a_rollout("1", champion=1, trial=a_trial(2, "shadow", share=0.3))
    async with rollouts_of(rollout, tmp_path) as (rollouts, _):
        pool = PoolOfModels(failing("nobody", ModelError("no")))
        shadow = Shadow(pool, rollouts)
        reading = RolloutPool(pool, rollouts, shadow)
        for number in range(200):
            await reading.run(a_task(str(number).encode()))
            await shadow.settle()
        assert pool.versions.count("2") / 200 == pytest.approx(0.3, abs=0.12)
        await shadow.close()
