"""What the gate says of a candidate: each check with its number and its limit, and the evidence for the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pocai.errors import GateRefused
from pocai.evaluation.calibration import Bin
from pocai.mlops.bootstrap import Bootstrap
from pocai.mlops.footprint import Footprint
from pocai.mlops.model_tests import Behaviour
from pocai.mlops.race import Took
from pocai.models.package import ModelKind


@dataclass(frozen=True, slots=True)
class SliceFact:
    """A slice: how many documents (or lines) it has, both scores, and the fall that is tolerated, None for none."""

    name: str
    documents: int
    candidate: float
    champion: float
    tolerance: float | None = None

    @property
    def fall(self) -> float:
        """How much worse the candidate is."""
        return self.champion - self.candidate

    @property
    def passed(self) -> bool:
        return self.tolerance is None or self.fall <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was ``measured``, the ``limit`` of the policy, and both in words; None where there is no number.

    ``details`` are the slices, or the behavioural tests, that the check is made of.
    """

    name: str
    passed: bool
    measured: float | None
    limit: float | None
    text: str
    details: tuple[SliceFact | Behaviour, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What was measured of one model: micro scores by name, confidences, seconds and memory."""

    title: str
    scores: dict[str, float] = field(default_factory=dict)
    calibration: float | None = None
    reliability: tuple[Bin, ...] = ()
    took: tuple[Took, ...] = ()
    footprint: Footprint | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """On what the verdict stands; ``frozen`` is the SHA-256 of the frozen set, ``seconds`` what all of it took."""

    kind: ModelKind
    frozen: str
    documents: int
    candidate: Side
    champion: Side
    slices: tuple[SliceFact, ...] = ()
    bootstrap: Bootstrap | None = None
    seconds: float = 0.0
    when: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may be promoted."""

    passed: bool
    checks: tuple[Check, ...]
    evidence: Evidence

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that it did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def sentence(self) -> str:
        """What came out, in a sentence; of a refusal each check with what was measured and the limit."""
        if self.passed:
            return f"passed all {len(self.checks)} checks"
        said = "; ".join(f"{check.name}: {check.text}" for check in self.failed)
        return f"failed {len(self.failed)} of {len(self.checks)} checks: {said}"

    def raise_if_refused(self) -> None:
        """Raises GateRefused, with the checks that failed."""
        if not self.passed:
            mend = "Train a better one, or promote it by force and with a reason"
            raise GateRefused(f"the model {self.sentence}", mend=mend)

    def metrics(self) -> dict[str, float]:
        """What was measured, by the check."""
        return {check.name: round(check.measured, 6) for check in self.checks if check.measured is not None}

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, without the histograms."""
        checks = [
            {
                "name": each.name,
                "passed": each.passed,
                "measured": each.measured,
                "limit": each.limit,
                "text": each.text,
            }
            for each in self.checks
        ]
        facts = self.evidence
        slices = [asdict(each) | {"passed": each.passed} for each in facts.slices]
        return {
            "passed": self.passed,
            "checks": checks,
            "slices": slices,
            "kind": facts.kind,
            "frozen": facts.frozen,
            "candidate": facts.candidate.title,
            "champion": facts.champion.title,
            "when": facts.when.isoformat(timespec="seconds"),
        }
