"""What is measured of the models that are deployed, for Prometheus; labels are from fixed lists."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pocai.inference.rollout import SLOTS, Arm, Rollout, Slot

Outcome = Literal["read", "failed"]
ShadowOutcome = Literal["compared", "failed", "dropped"]

ARMS: tuple[Arm, ...] = ("champion", "challenger")
AGREEING = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class RolloutMetrics:
    """Versions, readings by arm, shadow readings and rollbacks; one of each `Metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"model_{name}", text, labels, namespace="pocai", registry=registry)

        self._versions = Gauge(
            "model_deployed_version",
            "Version of the registry that reads; 0: what is shipped, or no challenger",
            ("slot", "arm"),
            namespace="pocai",
            registry=registry,
        )
        self._agreement = Histogram(
            "model_shadow_agreement_ratio",
            "F1 of the blocks of a challenger's answer against those that the user was given",
            ("slot",),
            namespace="pocai",
            buckets=AGREEING,
            registry=registry,
        )
        self._readings = counter("readings", "Readings by arm and outcome", "slot", "arm", "outcome")
        self._shadows = counter("shadow_readings", "Readings by a challenger that users do not see", "slot", "outcome")
        self._rollbacks = counter("rollbacks", "Rollbacks that a guardrail brought about", "slot")
        self._unreachable = counter("registry_failures", "Looks at what is deployed that failed")
        for slot in SLOTS:
            self._rollbacks.labels(slot)
        self.deployed(Rollout())

    def deployed(self, rollout: Rollout) -> None:
        """Other versions read from now on."""
        for slot in SLOTS:
            lineup = rollout.slots.get(slot)
            champion = None if lineup is None else lineup.champion
            trial = None if lineup is None else lineup.trial
            self._versions.labels(slot, "champion").set(0 if champion is None else champion.version)
            self._versions.labels(slot, "challenger").set(0 if trial is None else trial.challenger.version)

    def read(self, slot: Slot, arm: Arm, outcome: Outcome) -> None:
        """An arm read a document, or could not."""
        self._readings.labels(slot, arm, outcome).inc()

    def shadowed(self, slot: Slot, outcome: ShadowOutcome, agreement: float | None = None) -> None:
        """A challenger read in the shadow, or was to."""
        self._shadows.labels(slot, outcome).inc()
        if agreement is not None:
            self._agreement.labels(slot).observe(agreement)

    def rolled_back(self, slot: Slot) -> None:
        """A guardrail was breached."""
        self._rollbacks.labels(slot).inc()

    def unreachable(self) -> None:
        """The registry did not say what is deployed."""
        self._unreachable.inc()
