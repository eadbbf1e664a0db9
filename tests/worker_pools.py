"""Pools of reading processes for tests: documents to read, small pools, and what becomes of their processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from painted import painted
from rendering import as_docx, as_pdf

from pocai.server.frames import Frame
from pocai.server.metrics import Metrics
from pocai.server.workers import Task, WorkerPool
from pocai.settings import SchoolHours, ServerSettings, Settings, WorkerLimits
from pocai.timetable.timetable import TimeBlock, Timetable

DEMO = (files("pocai") / "assets/demo/demo.png").read_bytes()
WEEK = Timetable(
    timeblocks=(
        TimeBlock(day="Monday", name="Maths", start_time="01:15", end_time="02:15"),
        TimeBlock(day="Monday", name="Art", start_time="02:15", end_time="03:15"),
        TimeBlock(day="Tuesday", name="History", start_time="01:15", end_time="02:15"),
        TimeBlock(day="Tuesday", name="Music", start_time="02:15", end_time="03:15", notes="Room 7"),
    )
)
WORD = as_docx(WEEK, days_across=True, notation=lambda start, end: f"{start[1:]}-{end[1:]}")
PDF = as_pdf(WEEK, days_across=True)
PICTURE = painted(WEEK, days_across=True)


def settings(*, hours: SchoolHours | None = None, engine: str = "cascade", **limits: Any) -> Settings:
    """Settings of a small pool; ``limits`` are those of its processes."""
    server = ServerSettings(workers=WorkerLimits(**{"processes": 1, **limits}))
    return Settings(threads=1, school_hours=hours or SchoolHours(), ocr_engine=engine, server=server)


@contextlib.asynccontextmanager
async def opened(wanted: Settings, metrics: Metrics | None = None) -> AsyncIterator[WorkerPool]:
    """A pool of its own, closed at the end."""
    pool = WorkerPool(wanted, metrics or Metrics())
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def do(pool: WorkerPool, kind: str, *parts: bytes, seconds: float = 60.0, **options: Any) -> Frame:
    return await pool.run(Task(kind, options, parts, seconds))


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until ``true()``; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


def events(metrics: Metrics) -> dict[str, float]:
    """How often each thing happened to a process."""
    lines = [
        line for line in metrics.render()[0].decode().splitlines() if line.startswith("pocai_worker_events_total{")
    ]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    await until(lambda: not alive(pid), 10.0)
