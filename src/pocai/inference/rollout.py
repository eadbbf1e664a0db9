"""Which versions of our models read: values that the service applies and `pocai.mlops` decides about.

A *slot* is a part of reading that a registered model can take: ``layout`` (the layout transformer) and ``student`` (the
OCR student). A slot without a champion is read by what is shipped.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

Slot = Literal["layout", "student"]
Mode = Literal["shadow", "canary"]
Arm = Literal["champion", "challenger"]
SLOTS: tuple[Slot, ...] = get_args(Slot)

FIRST, GROWTH, BUCKETS = 0.005, 1.1, 112  # upper edge of the first bucket in seconds, ratio of edges; up to 197 s
EDGES = tuple(FIRST * GROWTH**n for n in range(BUCKETS))
_STEPS = 2**32


@dataclass(frozen=True, slots=True)
class Deployed:
    """A version that may read: its number in the registry, and the folder of its files, which were verified."""

    version: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Trial:
    """A challenger beside the champion.

    ``shadow``: it reads a ``share`` (0 to 1) of the documents once more, and users see nothing of it. ``canary``: it
    reads for a ``share`` of the schools. ``id`` names the trial, and decides which schools these are.
    """

    id: str
    mode: Mode
    challenger: Deployed
    share: float


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """How a challenger is tried, as in `Trial`; ``guardrails`` are limits by their names in `mlops.ab_testing`."""

    mode: Mode = "shadow"
    share: float = 0.1
    guardrails: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lineup:
    """What reads in one slot; without a ``champion`` that is what is shipped."""

    champion: Deployed | None = None
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """All slots at one moment. ``revision`` changes with whatever changes what is read.

    ``trusted`` are the public keys, one of which must have signed a model before it is loaded.
    """

    revision: str = "shipped"
    slots: Mapping[Slot, Lineup] = field(default_factory=dict)
    trusted: tuple[Path, ...] = ()


def arm_of(trial: Trial, school: str) -> Arm:
    """Who reads for a school, the same at every call and in every process.

    Of many schools ``share`` get the challenger. The trial's id salts the hash, so that two trials do not meet the
    same schools.
    """
    digest = hashlib.blake2b(f"{trial.id}\0{school}".encode(), digest_size=4).digest()
    return "challenger" if int.from_bytes(digest) < round(trial.share * _STEPS) else "champion"


@dataclass(frozen=True, slots=True)
class Tally:
    """What an arm did: counts only, nothing of any document.

    Of ``readings``, ``failures`` raised a fault of the model (the reading was then done by another), ``violations`` had
    a finding of the checks (overlap, order, coverage …). ``seconds`` counts readings by the buckets of `EDGES`. Of
    ``fields`` that persons looked at, they changed ``changed``.
    """

    readings: int = 0
    failures: int = 0
    violations: int = 0
    fields: int = 0
    changed: int = 0
    seconds: tuple[int, ...] = (0,) * BUCKETS

    def read(self, seconds: float | None, *, failed: bool = False, violated: bool = False) -> Tally:
        """The tally with one more reading; without ``seconds`` where it did not come to an end."""
        counts = self.seconds
        if seconds is not None:
            where = min(bisect_left(EDGES, seconds), BUCKETS - 1)
            counts = (*counts[:where], counts[where] + 1, *counts[where + 1 :])
        return replace(
            self,
            readings=self.readings + 1,
            failures=self.failures + failed,
            violations=self.violations + violated,
            seconds=counts,
        )

    def corrected(self, fields: int, changed: int) -> Tally:
        """The tally with what a person changed of one document."""
        return replace(self, fields=self.fields + fields, changed=self.changed + changed)

    def quantile(self, share: float) -> float | None:
        """The seconds below which this share of the readings stayed, to one bucket (10 %); None without readings."""
        wanted, seen = share * sum(self.seconds), 0
        for edge, count in zip(EDGES, self.seconds, strict=True):
            seen += count
            if count and seen >= wanted:
                return edge
        return None


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a slot since its line-up last changed; ``before`` tells of the champion that was replaced."""

    slot: Slot
    revision: str
    champion: Tally = Tally()
    challenger: Tally = Tally()
    before: Tally = Tally()


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something deployed, and why. ``force`` passes over a gate that was not passed, and is journalled."""

    actor: str
    reason: str
    force: bool = False


class Deployments(Protocol):
    """Where rollouts come from; `pocai.mlops.deployment` is it. Its methods wait for disks and networks.

    All raise UnknownModel for a name or version that is not there, RegistryError where the registry is away.
    """

    def current(self) -> Rollout:
        """What is deployed now, its files fetched and verified. Raises PocaiError; the service keeps the last one."""
        ...

    def judge(self, observed: Sequence[Observed]) -> Sequence[str]:
        """Roll back where a guardrail was breached; one sentence for each slot that was."""
        ...

    def promote(self, name: str, version: int, order: Order) -> object:
        """Make a version champion. Raises GateRefused for one that did not pass the gate, unless it is forced."""
        ...

    def deploy(self, name: str, version: int, plan: TrialPlan, order: Order) -> Trial:
        """Try a version beside the champion. Raises GateRefused as `promote` does, Conflict while another is tried."""
        ...

    def stop(self, name: str, order: Order) -> None:
        """End a trial; the champion goes on. Raises Conflict where there is none."""
        ...

    def rollback(self, name: str, order: Order) -> object:
        """End a trial, or else make the champion before this one champion again. Raises Conflict without either."""
        ...

    def status(self, name: str) -> Mapping[str, Any]:
        """What is deployed under a name and tried, and the last entries of the journal, as JSON."""
        ...
