"""Which registered versions read: champion, challenger, the way back, and a journal of all of it.

Aliases in the registry say who is ``champion``, ``challenger``, ``shadow`` and ``previous``; a tag there holds the
trial that runs. Every change is journalled before it is made, so that nothing happens that the journal does not know.
Services look at the registry and follow within seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pocai.errors import Conflict, GateRefused, InputError, RegistryError, UnknownModel
from pocai.inference.rollout import (
    SLOTS,
    Deployed,
    Lineup,
    Mode,
    Observed,
    Order,
    Rollout,
    Slot,
    Tally,
    Trial,
    TrialPlan,
)
from pocai.mlops.ab_testing import Guardrails, breach
from pocai.mlops.file_lock import locked
from pocai.mlops.journal import Entry, Journal
from pocai.mlops.last_rollout import keep_rollout, last_rollout
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.registry import Registry
from pocai.settings import MlopsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

GUARDIAN = "guardrail"  # the actor of a rollback that nobody ordered
LIMITS = {"failures", "latency", "violations", "corrections", "most_failures"}  # of `Guardrails`, that a trial may set
TRIAL_ALIASES: dict[Mode, str] = {"shadow": "shadow", "canary": "challenger"}


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial as it is kept in the registry."""

    id: str
    mode: Mode
    version: int
    share: float
    guardrails: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """The trial that a tag holds; None for a tag that is not there or empty."""
        return cls(**json.loads(text)) if text else None

    def write(self) -> str:
        """As the text of a tag."""
        return json.dumps(asdict(self), sort_keys=True)


class Deployments:
    """What `pocai.inference.rollout.Deployments` asks for, on a registry and a journal."""

    def __init__(self, settings: MlopsSettings) -> None:
        """Opens nothing: a registry that is away does not keep a service from starting."""
        self._settings = settings
        self._folder = settings.folder.expanduser()
        self._journal = Journal(self._folder / "journal.jsonl")
        self._known: tuple[str, Rollout] | None = None
        self._guardrails: dict[Slot, Guardrails] = {}

    @cached_property
    def _registry(self) -> Registry:
        return Registry.open(self._settings)

    @property
    def journal(self) -> Journal:
        """All that was ever deployed or taken back."""
        return self._journal

    # --- what reads ----------------------------------------------------------------------------------------------

    def current(self) -> Rollout:
        """What is deployed now; files are fetched and verified where anything changed. Raises as the registry does.

        While the registry is away, what was deployed last stays, also after a restart.
        """
        try:
            states = {slot: self._state(slot) for slot in SLOTS}
        except RegistryError:
            if self._known is not None or (last := last_rollout(self._folder)) is None:
                raise
            self._known = (last.revision, last)
            return last
        revision = hashlib.sha256(repr(states).encode()).hexdigest()[:16]
        if self._known is None or self._known[0] != revision:
            slots = {slot: self._lineup(slot, *state) for slot, state in states.items()}
            self._known = (revision, Rollout(revision, slots, self._registry.trusted))
            keep_rollout(self._folder, self._known[1])
        return self._known[1]

    def status(self, name: str) -> Mapping[str, Any]:
        """Versions and trial under a name, and the last ten entries of the journal about it."""
        aliases, trial = self._state(_slot(name))
        return {
            "name": name,
            "champion": aliases.get("champion"),
            "previous": aliases.get("previous"),
            "trial": None if trial is None else asdict(trial),
            "journal": [asdict(entry) for entry in self._journal.entries() if entry.name == name][-10:],
        }

    # --- what is ordered -----------------------------------------------------------------------------------------

    def promote(self, name: str, version: int, order: Order) -> ModelVersion:
        """Make a version champion; what was champion is ``previous`` then.

        Raises UnknownModel, GateRefused for a version that did not pass the gate unless it is forced, UntrustedModel
        for one that is not signed, Conflict where it is champion already.
        """
        slot, found = _slot(name), self._registry.get(name, version)
        with self._changing():
            aliases, trial = self._state(slot)
            champion = aliases.get("champion")
            if champion == version:
                raise Conflict(f"version {version} of {name} is champion already", mend="There is nothing to do")
            self._check(found, order)
            self._note(
                "promote", order, found, {"before": champion, "gate": found.gate, "forced": self._forced(found, order)}
            )
            if trial is not None:
                self._end(name, trial)
            self._registry.set_alias(name, "previous", champion)
            self._registry.set_alias(name, "champion", version)
        return self._registry.get(name, version)

    def deploy(self, name: str, version: int, plan: TrialPlan, order: Order) -> Trial:
        """Try a version beside the champion. Raises as `promote` does, Conflict while another one is tried."""
        slot, found = _slot(name), self._registry.get(name, version)
        _guardrails_of(plan.guardrails)
        if not 0 < plan.share <= 1:
            raise InputError(f"a share of {plan.share} cannot be tried", mend="Take a share above 0, at most 1")
        with self._changing():
            aliases, running = self._state(slot)
            if running is not None:
                what = f"version {running.version} of {name} is being tried"
                raise Conflict(what, mend="Stop that trial first: pocai models stop")
            if aliases.get("champion") == version:
                raise Conflict(f"version {version} of {name} is champion", mend="Try another one")
            self._check(found, order)
            trial = RunningTrial(_new_id(name, version), plan.mode, version, plan.share, dict(plan.guardrails))
            self._note("try", order, found, {**asdict(trial), "gate": found.gate, "forced": self._forced(found, order)})
            self._registry.set_alias(name, TRIAL_ALIASES[plan.mode], version)
            self._registry.write_state(name, trial.write())
        return Trial(trial.id, trial.mode, Deployed(version, self._registry.pull(found)), trial.share)

    def stop(self, name: str, order: Order) -> None:
        """End the trial. Raises Conflict where there is none."""
        with self._changing():
            _, trial = self._state(_slot(name))
            if trial is None:
                raise Conflict(f"no version of {name} is being tried", mend="See pocai models show")
            self._note("stop", order, self._registry.get(name, trial.version), asdict(trial))
            self._end(name, trial)

    def rollback(self, name: str, order: Order) -> ModelVersion | None:
        """End the trial that runs; without one, make the previous champion champion again.

        Gives the champion then, None for what is shipped. Raises Conflict where there is nothing to take back.
        """
        return self._back(_slot(name), order, {})

    # --- what is decided without a person ------------------------------------------------------------------------

    def judge(self, observed: Sequence[Observed]) -> tuple[str, ...]:
        """Roll back each slot whose challenger, or new champion, broke a limit; one sentence for each."""
        return tuple(filter(None, map(self._judged, observed)))

    def _judged(self, seen: Observed) -> str | None:
        if self._known is None:
            return None
        lineup = self._known[1].slots.get(seen.slot, Lineup())
        limits = self._guardrails.get(seen.slot, Guardrails())
        if lineup.trial is not None:
            found = breach(limits, seen.champion, seen.challenger)
        elif lineup.champion is not None:
            found = breach(limits, seen.before, seen.champion)
        else:
            return None
        if found is None:
            return None
        counted = {arm: _summary(getattr(seen, arm)) for arm in ("champion", "challenger", "before")}
        try:
            self._back(seen.slot, Order(GUARDIAN, found.sentence), {"breach": asdict(found), "counted": counted})
        except Conflict:  # another replica, or a person, was faster
            return None
        return f"{seen.slot}: {found.sentence}"

    # -------------------------------------------------------------------------------------------------------------

    def _back(self, name: Slot, order: Order, details: Mapping[str, Any]) -> ModelVersion | None:
        with self._changing():
            aliases, trial = self._state(name)
            champion, previous = aliases.get("champion"), aliases.get("previous")
            if trial is not None:
                self._note(
                    "rollback", order, self._registry.get(name, trial.version), {**details, "trial": asdict(trial)}
                )
                self._end(name, trial)
                return None if champion is None else self._registry.get(name, champion)
            if champion is None:
                raise Conflict(f"{name} is read by what is shipped", mend="There is nothing to take back")
            self._note("rollback", order, self._registry.get(name, champion), {**details, "to": previous})
            self._registry.set_alias(name, "champion", previous)
            self._registry.set_alias(name, "previous", None)
        return None if previous is None else self._registry.get(name, previous)

    def _state(self, slot: Slot) -> tuple[Mapping[str, int], RunningTrial | None]:
        """Aliases and trial of a slot; nothing where no version was ever registered."""
        try:
            aliases, trial = self._registry.deployed(slot)
        except UnknownModel:
            return {}, None
        return aliases, RunningTrial.read(trial)

    def _lineup(self, slot: Slot, aliases: Mapping[str, int], running: RunningTrial | None) -> Lineup:
        champion = aliases.get("champion")
        lineup = Lineup(None if champion is None else self._fetched(slot, champion))
        self._guardrails[slot] = _guardrails_of({} if running is None else running.guardrails)
        if running is None:
            return lineup
        return replace(
            lineup, trial=Trial(running.id, running.mode, self._fetched(slot, running.version), running.share)
        )

    def _fetched(self, slot: Slot, version: int) -> Deployed:
        return Deployed(version, self._registry.pull(self._registry.get(slot, version)))

    def _check(self, version: ModelVersion, order: Order) -> None:
        """Raise where a version may not be deployed: not gated, not of this slot, not signed."""
        if version.kind != version.name:
            what = f"version {version.version} of {version.name} is a {version.kind}"
            raise GateRefused(what, mend=f"Register it as {version.kind}")
        if order.force and not order.reason.strip():
            raise InputError("passing over the gate needs a reason", mend="Give one: --reason")
        if version.gate != "passed" and not order.force:
            what = f"version {version.version} of {version.name} has not passed the gate (it is {version.gate!r})"
            raise GateRefused(what, mend=f"Run pocai models gate {version.name}@{version.version}")
        self._registry.pull(version)

    @staticmethod
    def _forced(version: ModelVersion, order: Order) -> bool:
        return order.force and version.gate != "passed"

    def _end(self, name: str, trial: RunningTrial) -> None:
        self._registry.write_state(name, "")
        self._registry.set_alias(name, TRIAL_ALIASES[trial.mode], None)

    def _note(self, action: str, order: Order, version: ModelVersion, details: Mapping[str, Any]) -> Entry:
        """Journal a change that is about to be made, with the hash of what it is about."""
        told = {**details, "digest": version.digest, "metrics": dict(version.metrics)}
        entry = self._journal.append(
            action, actor=order.actor, name=version.name, version=version.version, reason=order.reason, details=told
        )
        self._registry.write_head(version.name, entry.hash)
        return entry

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time, over all processes that share the folder."""
        with locked(self._folder / "deployment.lock"):
            yield


def _slot(name: str) -> Slot:
    """The slot of a registered model. Raises UnknownModel for a name that nothing is read by."""
    for slot in SLOTS:
        if slot == name:
            return slot
    raise UnknownModel(
        f"nothing is read by a model named {name!r}", mend=f"Those that can be deployed: {', '.join(SLOTS)}"
    )


def _guardrails_of(limits: Mapping[str, float]) -> Guardrails:
    """Raises InputError for a limit that is not known, or cannot be kept."""
    if unknown := limits.keys() - LIMITS:
        raise InputError(f"there is no guardrail {min(unknown)!r}", mend=f"Known: {', '.join(sorted(LIMITS))}")
    values: dict[str, Any] = dict(limits)
    return Guardrails(**values)


def _summary(tally: Tally) -> dict[str, Any]:
    """A tally for the journal."""
    counts = {name: value for name, value in asdict(tally).items() if name != "seconds"}
    return {**counts, "p95": tally.quantile(0.95)}


def _new_id(name: str, version: int) -> str:
    return f"{name}-{version}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
