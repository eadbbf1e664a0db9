"""Traces by OpenTelemetry, only where an endpoint is set; without one its SDK is not imported.

A span for each request, and one for each job with its wait and its stages. The job carries the context of the request
that handed it in (W3C Trace Context) among its options, so that whichever replica ends the job continues the trace.

The spans are our own: those of FastAPI (0.150) hold paths and query strings, those of OpenTelemetry's instrumentations
for ASGI and FastAPI addresses of clients and messages of exceptions too. Ours hold method, route, status and request
id, and of a job its id, kind, priority, status, attempts and error code.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pocai import __version__
from pocai.errors import ConfigurationError
from pocai.server.jobs import Job
from pocai.server.logs import TRACEPARENT
from pocai.server.metrics import Measured
from pocai.server.requests import PROBES, Exchange
from pocai.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

SERVICE = "pocai"
OPTION = "traceparent"  # the option of a job that holds the context, as the header of that name does
EXPORT_SECONDS = 5.0  # for one batch of spans with all its attempts, and for all that is left when the service stops
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Tracing:
    """The traces of one application; does nothing where there is no ``provider``, which sends by the ``exporter``."""

    provider: TracerProvider | None = None
    exporter: SpanExporter | None = None

    def stage_spans(self, job: Job) -> None:
        """Record a final job: from its acceptance to its end, its wait, and its stages laid end to end.

        Stages have a length but no beginning; what the job takes beyond them (the way to its process and back, and
        earlier attempts) is left open after the last one.
        """
        if self.provider is None or job.finished is None:
            return
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        tracer = self.provider.get_tracer(SERVICE, __version__)
        parent = TraceContextTextMapPropagator().extract(job.options)
        span = tracer.start_span(f"job {job.kind}", parent, start_time=_nano(job.created), attributes=_facts(job))
        within = trace.set_span_in_context(span)
        if job.fault is not None:
            span.set_status(trace.StatusCode.ERROR, job.fault.code)
        if job.started is not None:
            _child(tracer, within, "waiting", job.created, job.started)
            begin = job.started
            for stage, seconds in Measured.of(job.result or {}).stages():
                _child(tracer, within, stage, begin, begin + seconds)
                begin += seconds
        span.end(_nano(job.finished))

    async def close(self) -> None:
        """Send what has not been sent; ends within twice `EXPORT_SECONDS` where nobody takes it."""
        if self.provider is None or self.exporter is None:
            return
        sending = asyncio.create_task(asyncio.to_thread(self.provider.shutdown))
        await asyncio.wait({sending}, timeout=EXPORT_SECONDS)
        if not sending.done():
            self.exporter.shutdown()  # no further batch, no further attempt
        await sending


def trace(app: FastAPI, settings: Settings) -> Tracing:
    """Trace an application that has not started yet; `Tracing.close` at its end.

    Raises ConfigurationError where traces are asked for and OpenTelemetry is not installed.
    """
    endpoint = settings.server.otlp_endpoint
    if endpoint is None:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"server.otlp_endpoint is set and {error.name} is not installed", mend="Run pip install 'pocai[tracing]'"
        ) from error

    resource = Resource.create({"service.name": SERVICE, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(_traces_url(endpoint), timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    app.add_middleware(RequestSpan, tracer=provider.get_tracer(SERVICE, __version__))
    return Tracing(provider, exporter)


def carrier() -> dict[str, str]:
    """What a job made by this request adds to its options, so that its spans are found under the request's."""
    found = TRACEPARENT.get()
    return {OPTION: found} if found else {}


class RequestSpan:
    """ASGI middleware: one span for each request or WebSocket, probes left out."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.app = app
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; whatever it raises is passed on, and not told to the span."""
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind, StatusCode

        exchange = Exchange(scope, receive, send)
        given = Headers(scope=scope).get(OPTION, "")  # not tracestate, in which anything may stand
        with self._tracer.start_as_current_span(
            exchange.method,
            self._propagator.extract({OPTION: given}),
            SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carried: dict[str, str] = {}
            self._propagator.inject(carried)
            TRACEPARENT.set(carried[OPTION])
            try:
                await self.app(scope, exchange.receive, exchange.send)
            finally:
                span.update_name(f"{exchange.method} {exchange.route}")
                span.set_attributes(_answer(exchange))
                if exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(StatusCode.ERROR)


def _answer(exchange: Exchange) -> dict[str, str | int]:
    """Attributes of a request (OpenTelemetry semantic conventions for HTTP)."""
    return {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "pocai.request.id": exchange.id,
    }


def _facts(job: Job) -> dict[str, str | int]:
    return {
        "pocai.job.id": job.id,
        "pocai.job.kind": job.kind.value,
        "pocai.job.priority": job.priority.name.lower(),
        "pocai.job.status": job.status.value,
        "pocai.job.attempts": job.attempts,
    }


def _child(tracer: Tracer, within: Context, name: str, start: float, end: float) -> None:
    tracer.start_span(name, within, start_time=_nano(start)).end(_nano(end))


def _nano(seconds: float) -> int:
    return round(seconds * NANO)


def _traces_url(endpoint: str) -> str:
    """Where spans are posted: below a bare collector at ``/v1/traces``, as OTLP has it; any other path as it is."""
    bare = urlsplit(endpoint).path in {"", "/"}
    return f"{endpoint.rstrip('/')}/v1/traces" if bare else endpoint
