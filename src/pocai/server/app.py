"""The application: parts made, routes mounted, errors answered. `pocai.server.serve` runs it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from pocai import __version__
from pocai.errors import PocaiError
from pocai.inference.document_service import DocumentService
from pocai.inference.feature_store_client import check_store
from pocai.inference.rollout import Deployments
from pocai.models import catalog
from pocai.server.audit import Audit
from pocai.server.failures import install_handlers
from pocai.server.features import Features, RememberingPool
from pocai.server.janitor import Janitor
from pocai.server.jobs import JobStore
from pocai.server.keys import key_store
from pocai.server.metrics import Metrics
from pocai.server.openapi import describe
from pocai.server.rates import Rates
from pocai.server.redis_jobs import RedisJobs
from pocai.server.requests import RequestLog
from pocai.server.rollout_pool import RolloutPool
from pocai.server.rollouts import Rollouts
from pocai.server.routes import aliases, extractions, features, host, models, ocr, operations
from pocai.server.routes import deployments as deployments_routes
from pocai.server.runner import Runner
from pocai.server.security import check_safe, protect
from pocai.server.service import Service
from pocai.server.shadow import Shadow
from pocai.server.sqlite_jobs import SQLiteJobs
from pocai.server.state import state_folder
from pocai.server.tracing import Tracing, trace
from pocai.server.workers import WorkerPool
from pocai.settings import Settings

log = logging.getLogger(__name__)

TITLE = "pocai"
# FastAPI's own telemetry exports paths, queries and messages of exceptions; ours does not (`pocai.server.tracing`).
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
SUMMARY = "A school's timetable goes in, a correct week comes out, on your own machine."


def create_app(settings: Settings, deployments: Deployments | None = None) -> FastAPI:
    """The service as an ASGI application; with ``deployments`` it reads with what is deployed there.

    Raises ConfigurationError or UnknownModel for settings that will not do.
    """
    check_safe(settings)
    catalog.entry(settings.ocr_engine)
    check_store(settings.features)
    DocumentService(settings.document_model, settings.school_hours, settings.language, settings.document_adapter)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running(settings, metrics, tracing, deployments) as service:
                app.state.service = service
                yield
        except PocaiError as error:
            log.error("the service cannot run: %s", error)  # noqa: TRY400 - what a person can mend needs no traceback
            raise

    # FastAPI's own pages load scripts from a foreign host; `describe` puts one without scripts in their place.
    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    for routes in (host, extractions, ocr, models, deployments_routes, features, aliases, operations):
        app.include_router(routes.router)
    install_handlers(app)
    protect(app, settings)
    app.add_middleware(RequestLog, metrics=metrics)
    tracing = trace(app, settings)
    describe(app, settings)
    return app


@asynccontextmanager
async def running(
    settings: Settings, metrics: Metrics, tracing: Tracing, deployments: Deployments | None = None
) -> AsyncIterator[Service]:
    """All parts of a service, started; stopped in the opposite order when it ends."""
    folder = state_folder(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tracing.close)
        store = job_store(settings, folder)
        await store.open()
        stack.push_async_callback(store.close)
        memory = Features(settings.features, metrics.features)
        await memory.start()
        stack.push_async_callback(memory.close)
        pool = WorkerPool(settings, metrics)
        await pool.start()
        stack.push_async_callback(pool.close)
        rollouts = Rollouts(deployments, folder, metrics.rollout, settings.mlops.refresh_seconds)
        await rollouts.start()
        stack.push_async_callback(rollouts.close)
        shadow = Shadow(RememberingPool(pool, memory, learning=False), rollouts, settings.server.retention_hours)
        stack.push_async_callback(shadow.close)
        reading = RolloutPool(RememberingPool(pool, memory), rollouts, shadow)
        runner = Runner(store, reading, settings, metrics, tracing)
        await runner.start()
        stack.push_async_callback(runner.close)
        janitor = Janitor(store, settings.server.host_application)
        await janitor.start()
        stack.push_async_callback(janitor.close)
        rates = Rates(settings)
        stack.push_async_callback(rates.close)
        keys = key_store(settings)
        stack.callback(keys.close)
        audit = Audit(folder / "audit.jsonl")
        yield Service(settings, store, pool, runner, keys, rates, audit, metrics, memory, rollouts)


def job_store(settings: Settings, folder: Path) -> JobStore:
    """Redis where it is configured, so that replicas share jobs; else SQLite in the state folder."""
    url = settings.server.redis_url
    return SQLiteJobs(folder) if url is None else RedisJobs(url.get_secret_value())
