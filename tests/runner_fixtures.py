"""Fixtures that the tests of the runner import: a real store, and a runner that does everything at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from job_places import opened

from pocai.server.sqlite_jobs import SQLiteJobs


@pytest.fixture(name="anyio_backend")
def only_asyncio() -> str:
    return "asyncio"


@pytest.fixture(name="store")
async def sqlite_store(tmp_path: Path) -> AsyncIterator[SQLiteJobs]:
    sqlite = SQLiteJobs(tmp_path / "state")
    async with opened(sqlite):
        yield sqlite


@pytest.fixture(name="brisk")
def brisk_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases and housekeeping at a hundred times their pace."""
    monkeypatch.setattr("pocai.server.runner.LEASE", 0.3)
    monkeypatch.setattr("pocai.server.runner.HOUSEKEEPING", 0.1)
    monkeypatch.setattr("pocai.server.runner.IDLE", 0.05)
