"""What is measured, for Prometheus.

Labels hold names from fixed lists only: methods, route templates, stages, models, error codes. A result comes from a
process that its document may have taken over; what does not look as it should is counted, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai import __version__
from pocai.inference.document_service import DOCUMENT_MODELS
from pocai.models.catalog import ENGINES
from pocai.server.feature_metrics import FeatureMetrics
from pocai.server.jobs import Job, Priority
from pocai.server.rollout_metrics import RolloutMetrics

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
WorkerEvent = Literal["started", "lost", "stopped", "recycled"]

STAGES = ("ingest", "text", "assemble", "check")
DECISIONS = ("accept", "review", "reject")
GATE_ROUTES = ("ai", "validation")
WORKER_EVENTS: tuple[WorkerEvent, ...] = ("started", "lost", "stopped", "recycled")
OTHER = "other"  # stands for every name that is in no list

ANSWERING = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)  # seconds
WORKING = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)  # seconds
WAITING = (0.01, 0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)  # seconds; the backlog is patient
SCORES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)


class Metrics:
    """The measurements of one application; each has its own registry, so that several live in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("http_requests", "Requests answered", "method", "route", "status")
        self._request_seconds = self._histogram(
            "http_request_duration_seconds", "Time to the end of an answer", ANSWERING, "method", "route", "status"
        )
        self._jobs = self._counter("jobs", "Jobs ended; error is the code of a failed one", "kind", "status", "error")
        self._job_seconds = self._histogram(
            "job_duration_seconds", "From the acceptance of a job to its end", WAITING, "kind", "status"
        )
        self._waiting_seconds = self._histogram(
            "job_waiting_seconds", "From the acceptance of a job to its last beginning", WAITING, "priority"
        )
        self._stage_seconds = self._histogram("stage_duration_seconds", "Time of a stage of reading", WORKING, "stage")
        self._queued = self._gauge("jobs_queued", "Jobs that wait in the store, for all replicas", "priority")
        self._running = self._gauge("jobs_running", "Jobs that run here")
        self._workers = self._counter("worker_events", "What happened to reading processes", "event")
        self._reading = self._histogram(
            "reading_confidence_ratio", "Mean recognizer score of the words of a document that was read by OCR", SCORES
        )
        self._verdicts = self._counter("verdicts", "Results by the decision of the quality gate", "decision")
        self._gate_routes = self._counter("host_gate_routes", "Answers of the host's quality gate", "route")
        self._results = self._counter("results", "Results by what made them", "task", "model", "model_version")
        self.features = FeatureMetrics(self._registry)
        self.rollout = RolloutMetrics(self._registry)
        self._gauge("build_info", "The version that runs", "version").labels(__version__).set(1)
        ProcessCollector(registry=self._registry)
        self._begin_at_zero()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer ended; ``method`` is one that HTTP knows, ``route`` the template of a route, never a path."""
        labels = (method, route, str(status))
        self._requests.labels(*labels).inc()
        self._request_seconds.labels(*labels).observe(seconds)

    def finished(self, job: Job) -> None:
        """A job is final."""
        self._jobs.labels(job.kind, job.status, "" if job.fault is None else job.fault.code).inc()
        if job.started is not None:
            self._waiting_seconds.labels(job.priority.name.lower()).observe(max(0.0, job.started - job.created))
        if job.finished is not None:
            self._job_seconds.labels(job.kind, job.status).observe(max(0.0, job.finished - job.created))
        if job.result is not None:
            self._measure(Measured.of(job.result), list(scores(job.result)))

    def queue(self, depths: Mapping[Priority, int]) -> None:
        """How many jobs are queued, for every priority."""
        for priority, depth in depths.items():
            self._queued.labels(priority.name.lower()).set(depth)

    def running(self, count: int) -> None:
        """How many jobs run now."""
        self._running.set(count)

    def worker(self, event: WorkerEvent) -> None:
        """A reading process was started, died, was stopped by a limit, or made room for a fresh one."""
        self._workers.labels(event).inc()

    def host_gate(self, route: str) -> None:
        """The host's quality gate answered with this route."""
        self._gate_routes.labels(route).inc()

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _measure(self, result: Measured, read: list[float]) -> None:
        for stage, seconds in result.stages():
            self._stage_seconds.labels(stage).observe(seconds)
        if read:
            self._reading.observe(sum(read) / len(read))
        if result.verdict is not None:
            self._verdicts.labels(result.verdict.decision).inc()
        for task, model, version in result.made_by():
            self._results.labels(task, model, version).inc()

    def _begin_at_zero(self) -> None:
        """Show what has not happened yet, so that the first time is seen as an increase."""
        for priority in Priority:
            self._queued.labels(priority.name.lower())
        for counter, names in (
            (self._workers, WORKER_EVENTS),
            (self._verdicts, DECISIONS),
            (self._gate_routes, GATE_ROUTES),
        ):
            for name in names:
                counter.labels(name)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="pocai", registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace="pocai", registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace="pocai", buckets=buckets, registry=self._registry)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Verdict(_Part):
    decision: Literal["accept", "review", "reject"]


class _Models(_Part):
    ocr: str | None = None
    document: str


class Measured(_Part):
    """What is measured of a result beside its words; `pocai.inference.answers` has the whole of it."""

    seconds: dict[str, Seconds] = Field({}, max_length=32)
    verdict: _Verdict | None = None
    models: _Models | None = None

    @classmethod
    def of(cls, result: dict[str, Any]) -> Self:
        """The measurements of a result; none where it does not look like one."""
        try:
            return cls.model_validate(result)
        except ValidationError:
            return cls()

    def stages(self) -> Iterator[tuple[str, float]]:
        """The stages in their order with their wall time in seconds; unknown names become ``other``."""
        for name, seconds in self.seconds.items():
            yield name if name in STAGES else OTHER, seconds

    def made_by(self) -> Iterator[tuple[str, str, str]]:
        """Task, name and version of each model that made it; document models come with pocai and have its version."""
        if self.models is None:
            return
        ocr, document = self.models.ocr, self.models.document
        if ocr is not None:
            yield ("ocr", ocr, ENGINES[ocr].version) if ocr in ENGINES else ("ocr", OTHER, "")
        yield ("document", document, __version__) if document in DOCUMENT_MODELS else ("document", OTHER, "")


def scores(result: dict[str, Any]) -> Iterator[float]:
    """The recognizer's score of every word that has one, 0 to 1.

    Looked at one by one and not by a model: fifty pages have 30 000 words, and the event loop waits.
    """
    for page in _objects(result, "pages"):
        for line in _objects(page, "lines"):
            for word in _objects(line, "words"):
                score = word.get("confidence")
                if isinstance(score, int | float) and 0 <= score <= 1:
                    yield score


def _objects(parent: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    children = parent.get(name)
    return (child for child in children if isinstance(child, dict)) if isinstance(children, list) else iter(())
