"""What is measured of the feature store, for Prometheus; no label holds a name of a school."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pocai.inference.breaker import State
from pocai.inference.feature_store_client import OUTCOMES, Outcome

LOOKING = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1)  # seconds
LAGGING = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 600)  # seconds
AGES = tuple(3600 * hours for hours in (1, 6, 24, 72, 168, 720, 2160, 4380, 8760))  # seconds: an hour to a year
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class FeatureMetrics:
    """An observer of a `FeatureStoreClient` (`pocai.inference.feature_store_client.Observer`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"feature_{name}", text, labels, namespace="pocai", registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"feature_{name}", text, labels, namespace="pocai", registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"feature_{name}", text, (), namespace="pocai", buckets=buckets, registry=registry)

        self._lookups = counter("lookups", "Schools looked up, by what became of it", "outcome")
        self._seconds = histogram("lookup_duration_seconds", "Time of the store for a look-up", LOOKING)
        self._ages = histogram("age_seconds", "Time since a school that was found was last added to", AGES)
        self._empty = histogram("empty_ratio", "Share of a found school's features that hold nothing", SHARES)
        self._state = gauge("breaker_state", "1 for the state that the circuit breaker is in", "state")
        self._queued = gauge("writes_queued", "Writes that wait")
        self._written = counter("writes", "Writes done")
        self._failures = counter("write_failures", "Writes that the store did not take; they are tried again")
        self._dropped = counter("writes_dropped", "Writes that were lost")
        self._lag = histogram("write_lag_seconds", "From the end of a reading until it is remembered", LAGGING)
        for outcome in OUTCOMES:
            self._lookups.labels(outcome)
        self.breaker(State.CLOSED)

    def looked_up(self, outcome: Outcome, schools: int) -> None:
        """What became of looking up so many schools."""
        self._lookups.labels(outcome).inc(schools)

    def answered(self, seconds: float) -> None:
        """The store answered a look-up."""
        self._seconds.observe(seconds)

    def found(self, age: float | None, empty: float) -> None:
        """A school was found."""
        if age is not None:
            self._ages.observe(age)
        self._empty.observe(empty)

    def breaker(self, state: State) -> None:
        """The breaker is in another state."""
        for each in State:
            self._state.labels(each.value).set(each is state)

    def waiting(self, items: int) -> None:
        """So many writes wait."""
        self._queued.set(items)

    def written(self, items: int, lag: float) -> None:
        """Writes were done, the first of them that long after it was asked for."""
        self._written.inc(items)
        self._lag.observe(lag)

    def write_failed(self) -> None:
        """The store did not take a write."""
        self._failures.inc()

    def dropped(self, items: int) -> None:
        """Writes were lost."""
        self._dropped.inc(items)
