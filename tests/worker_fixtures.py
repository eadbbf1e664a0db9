"""Fixtures that the tests of reading processes import: one pool for all tests of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from worker_pools import settings

from pocai.server.metrics import Metrics
from pocai.server.workers import WorkerPool


@pytest.fixture(scope="module", name="runner")
def shared_runner() -> Iterator[asyncio.Runner]:
    """One event loop for the tests that share a pool."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", name="metrics")
def shared_metrics() -> Metrics:
    """What is counted of the pool that tests share."""
    return Metrics()


@pytest.fixture(scope="module", name="pool")
def shared_pool(runner: asyncio.Runner, metrics: Metrics) -> Iterator[WorkerPool]:
    """Two processes; tests may kill them."""
    pool = WorkerPool(settings(processes=2), metrics)
    runner.run(pool.start())
    yield pool
    runner.run(pool.close())
