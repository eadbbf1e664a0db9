"""What a running service consists of; every route gets it through `ServiceDep`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from pocai.server.audit import Audit
from pocai.server.features import Features
from pocai.server.jobs import JobStore
from pocai.server.keys import KeyStore
from pocai.server.metrics import Metrics
from pocai.server.rates import Rates
from pocai.server.rollouts import Rollouts, nothing_deployed
from pocai.server.runner import Runner
from pocai.server.workers import WorkerPool
from pocai.settings import FeatureSettings, Settings


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a running service, made in `pocai.server.app` and closed there."""

    settings: Settings
    store: JobStore
    pool: WorkerPool
    runner: Runner
    keys: KeyStore
    rates: Rates
    audit: Audit
    metrics: Metrics
    features: Features = field(default_factory=partial(Features, FeatureSettings()))
    rollouts: Rollouts = field(default_factory=nothing_deployed)


def service_of(connection: HTTPConnection) -> Service:
    """The service behind a request or a WebSocket."""
    return cast("Service", connection.app.state.service)


ServiceDep = Annotated[Service, Depends(service_of)]
