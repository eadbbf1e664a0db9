"""Deployments in memory, as a test tells them, and tasks of documents for pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocai.errors import Conflict, PocaiError, RegistryError
from pocai.inference.rollout import (
    Deployed,
    Lineup,
    Mode,
    Observed,
    Order,
    Rollout,
    Slot,
    Trial,
    TrialPlan,
)
from pocai.server.workers import Task


def a_version(number: int) -> Deployed:
    return Deployed(number, Path(f"/models/{number}"))


def a_trial(number: int, mode: Mode = "canary", share: float = 1.0, name: str = "t1") -> Trial:
    return Trial(name, mode, a_version(number), share)


def a_rollout(revision: str, slot: Slot = "layout", champion: int | None = None, trial: Trial | None = None) -> Rollout:
    return Rollout(revision, {slot: Lineup(None if champion is None else a_version(champion), trial)}, (Path("/key"),))


def a_task(document: bytes = b"a document", unit: str = "school", **options: Any) -> Task:
    return Task("extract", {"engine": "cascade", "unit": unit, **options}, (document,), seconds=60.0)


def a_result(assemble: float = 0.1, failed: str | None = None, **more: Any) -> dict[str, Any]:
    models: dict[str, Any] = {"ocr": None, "document": "layout", "failed": failed, "versions": {}}
    return {"timetables": [], "findings": [], "models": models, "seconds": {"assemble": assemble}, **more}


@dataclass
class DeploymentsInMemory:
    """What a test sets as ``rollout``; ``away`` is what the registry says instead. Breaches are told once."""

    rollout: Rollout = field(default_factory=Rollout)
    away: PocaiError | None = None
    breached: list[str] = field(default_factory=list)
    observed: Sequence[Observed] = ()
    orders: list[tuple[str, str, int | None, Order]] = field(default_factory=list)

    def current(self) -> Rollout:
        if self.away is not None:
            raise self.away
        return self.rollout

    def judge(self, observed: Sequence[Observed]) -> Sequence[str]:
        self.observed = observed
        told, self.breached = self.breached, []
        return told

    def promote(self, name: str, version: int, order: Order) -> object:
        self.orders.append(("promote", name, version, order))
        self.rollout = a_rollout(f"champion {version}", "layout", version)
        return None

    def deploy(self, name: str, version: int, plan: TrialPlan, order: Order) -> Trial:
        self.orders.append(("deploy", name, version, order))
        trial = a_trial(version, plan.mode, plan.share)
        self.rollout = a_rollout(f"trial {version}", "layout", None, trial)
        return trial

    def stop(self, name: str, order: Order) -> None:
        self.rollback(name, order)

    def rollback(self, name: str, order: Order) -> object:
        if not self.rollout.slots:
            raise Conflict(f"{name} is read by what is shipped", mend="There is nothing to take back")
        self.orders.append(("rollback", name, None, order))
        self.rollout = Rollout("back")
        return None

    def status(self, name: str) -> Mapping[str, Any]:
        lineup = self.rollout.slots.get("layout", Lineup())
        trial = lineup.trial
        said = trial and {"id": trial.id, "mode": trial.mode, "version": trial.challenger.version, "share": trial.share}
        champion = lineup.champion and lineup.champion.version
        return {"name": name, "champion": champion, "previous": None, "trial": said, "journal": []}


REGISTRY_AWAY = RegistryError("the registry does not answer", mend="Is it up?")
