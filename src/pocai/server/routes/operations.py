"""What those ask who run the service: is it alive, is it ready, what does it measure."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Response, status

from pocai.errors import Unavailable
from pocai.inference.answers import Answer
from pocai.server.auth import MetricsReader
from pocai.server.jobs import JobStore
from pocai.server.service import ServiceDep

STORE_SECONDS = 1.0  # within which the store must answer

router = APIRouter(tags=["operations"])


class Liveness(Answer):
    """The process answers."""

    status: Literal["live"] = "live"


class Checks(Answer):
    """What a service needs to take work."""

    accepting: bool
    store: bool
    workers: bool


class Readiness(Answer):
    """Whether work can be sent here, and what is missing where it cannot."""

    status: Literal["ready", "unready"]
    checks: Checks


class Exposition(Response):
    """Prometheus' text format, version 0.0.4."""

    media_type = "text/plain; version=0.0.4"


@router.get("/metrics", response_class=Exposition, operation_id="metrics", summary="Measurements")
def metrics(service: ServiceDep, _caller: MetricsReader) -> Response:
    """Measurements in Prometheus' text format."""
    body, content_type = service.metrics.render()
    return Response(body, headers={"Content-Type": content_type})


@router.get("/health/live", operation_id="live", summary="Whether the process lives")
async def live() -> Liveness:
    """Whether the process answers at all; a service that does not should be started anew."""
    return Liveness()


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Whether it can take work",
    responses={status.HTTP_503_SERVICE_UNAVAILABLE: {"model": Readiness, "description": "Send work elsewhere."}},
)
async def ready(service: ServiceDep, response: Response) -> Readiness:
    """Whether work can be sent here: it is not stopping, its store answers, and a reading process is up."""
    checks = Checks(
        accepting=not service.runner.draining, store=await _answers(service.store), workers=service.pool.ready
    )
    if checks.accepting and checks.store and checks.workers:
        return Readiness(status="ready", checks=checks)
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Readiness(status="unready", checks=checks)


async def _answers(store: JobStore) -> bool:
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await store.queued()
    except (Unavailable, TimeoutError):
        return False
    return True
