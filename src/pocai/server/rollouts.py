"""Which versions read, and how they do: looked at all the time, counted by arm, rolled back where a limit is broken.

The registry is asked in a thread; while it is away the last rollout stays. Counts are kept in the state folder, so that
a restart does not begin a trial again. Each replica judges by what it has seen itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from pocai.errors import NotFound, PocaiError
from pocai.inference.rollout import (
    BUCKETS,
    SLOTS,
    Arm,
    Deployed,
    Deployments,
    Lineup,
    Observed,
    Rollout,
    Slot,
    Tally,
    arm_of,
)
from pocai.server.rollout_metrics import RolloutMetrics

SAVING = 5.0  # seconds between two times that counts are saved
FILE = "rollout.json"
STAGE: Mapping[Slot, str] = {"layout": "assemble", "student": "text"}  # where the time of a slot is spent

Lineups = Mapping[Slot, Deployed]  # a slot that is not there is read by what is shipped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who reads: ``models`` by slot, and which ``arms`` they count for."""

    models: Lineups
    arms: Mapping[Slot, Arm]


class Rollouts:
    """What reads now; without ``deployments`` that is what is shipped. `start` before use, `close` at the end."""

    def __init__(
        self, deployments: Deployments | None, folder: Path, metrics: RolloutMetrics, refresh: float = 1.0
    ) -> None:
        self._deployments = deployments
        self._file = folder / FILE
        self.shadow_folder = folder / "shadow"
        self.metrics = metrics
        self._refresh = refresh
        self._rollout = Rollout()
        self._seen: dict[Slot, Observed] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._unsaved = False

    @property
    def on(self) -> bool:
        """Whether models of the registry read."""
        return self._deployments is not None

    @property
    def deployments(self) -> Deployments:
        """Where models are deployed. Raises NotFound where this service has none."""
        if self._deployments is None:
            raise NotFound("this service reads with the shipped models only", mend="Set POCAI_MLOPS__SERVE=true")
        return self._deployments

    @property
    def rollout(self) -> Rollout:
        """What reads now."""
        return self._rollout

    @property
    def revision(self) -> str:
        """A name for all that reads now; empty where nothing is ever deployed."""
        return self._rollout.revision if self.on else ""

    @property
    def observed(self) -> tuple[Observed, ...]:
        """What was counted since each slot's line-up last changed."""
        return tuple(self._seen.values())

    async def start(self) -> None:
        """Look once, and from then on in the background. A registry that is away does not keep the service from it."""
        if self._deployments is not None:
            self._seen = await asyncio.to_thread(_kept, self._file)
            await self._look()
            self._keeper = asyncio.create_task(self._keep(), name="rollouts")

    async def close(self) -> None:
        """Stop looking, and save what was counted."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            await self._save()

    async def refresh(self) -> None:
        """Look now, because something was deployed through this service."""
        if self._deployments is not None:
            await self._look()

    def attempts(self, unit: str) -> tuple[Attempt, ...]:
        """Who is to read a document of a school (``unit``), and who in its place where that fails, in this order."""
        wanted = [
            self._attempt({slot: _assigned(lineup, unit) for slot, lineup in self._rollout.slots.items()}),
            self._attempt({slot: (lineup.champion, "champion") for slot, lineup in self._rollout.slots.items()}),
            Attempt({}, {}),
        ]
        return tuple(
            each for at, each in enumerate(wanted) if all(each.models != earlier.models for earlier in wanted[:at])
        )

    def read(
        self, slot: Slot, arm: Arm, seconds: float | None, *, failed: bool = False, violated: bool = False
    ) -> None:
        """An arm read a document, or could not (``seconds`` is None then)."""
        self._count(slot, arm, lambda tally: tally.read(seconds, failed=failed, violated=violated))
        self.metrics.read(slot, arm, "failed" if failed else "read")

    def corrected(self, unit: str, fields: int, changed: int) -> None:
        """A person corrected a document of a school."""
        for slot, lineup in self._rollout.slots.items():
            self._count(slot, _assigned(lineup, unit)[1], lambda tally: tally.corrected(fields, changed))

    def _count(self, slot: Slot, arm: Arm, count: Any) -> None:
        seen = self._seen.get(slot)
        if seen is not None:
            self._seen[slot] = replace(seen, **{arm: count(getattr(seen, arm))})
            self._unsaved = True

    @staticmethod
    def _attempt(chosen: Mapping[Slot, tuple[Deployed | None, Arm]]) -> Attempt:
        models = {slot: model for slot, (model, _) in chosen.items() if model is not None}
        return Attempt(models, {slot: arm for slot, (_, arm) in chosen.items()})

    async def _keep(self) -> None:
        saved = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(self._refresh)
            await self._look()
            if self._unsaved and asyncio.get_running_loop().time() - saved > SAVING:
                await self._save()
                saved = asyncio.get_running_loop().time()

    async def _look(self) -> None:
        """Have what was counted judged, then take over what is deployed now."""
        assert self._deployments is not None, "there is something to look at"
        try:
            for sentence in await asyncio.to_thread(self._deployments.judge, self.observed):
                log.warning("rolled back: %s", sentence)
            self._take(await asyncio.to_thread(self._deployments.current))
        except PocaiError as error:
            self._troubled(error.code)
        except Exception as error:  # noqa: BLE001 - whatever it is, documents are read by what read them before
            self._troubled(type(error).__name__)

    def _troubled(self, reason: str) -> None:
        self.metrics.unreachable()
        log.warning("what is deployed cannot be looked up; the last models go on", extra={"reason": reason})

    def _take(self, rollout: Rollout) -> None:
        if rollout.revision == self._rollout.revision:
            return
        earlier, self._rollout = self._rollout, rollout
        for slot in SLOTS:
            lineup = rollout.slots.get(slot, Lineup())
            seen = self._seen.get(slot)
            if seen is None or seen.revision != _name(lineup):
                self._seen[slot] = _begun(slot, lineup, earlier.slots.get(slot, Lineup()), seen)
        self._unsaved = True
        self.metrics.deployed(rollout)
        log.info("other models read from now on", extra={"revision": rollout.revision})

    async def _save(self) -> None:
        text = json.dumps([asdict(each) for each in self.observed])
        self._unsaved = False
        await asyncio.to_thread(_written, self._file, text)


def model_failed(head: Mapping[str, Any]) -> bool:
    """Whether a model failed and another one answered in its place, in the same process."""
    models = head.get("models")
    return isinstance(models, dict) and models.get("failed") is not None


def seconds_of(slot: Slot, head: Mapping[str, Any]) -> float | None:
    """What a slot's stage took, as the reading process says; None where the slot's model was not needed."""
    models, seconds = head.get("models"), head.get("seconds")
    if slot == "student" and isinstance(models, dict) and models.get("ocr") is None:
        return None
    found = seconds.get(STAGE[slot]) if isinstance(seconds, dict) else None
    return float(found) if isinstance(found, int | float) and math.isfinite(found) and found >= 0 else None


def nothing_deployed() -> Rollouts:
    """What is shipped reads, and nothing is kept."""
    return Rollouts(None, Path(), RolloutMetrics(CollectorRegistry()))


def _assigned(lineup: Lineup, unit: str) -> tuple[Deployed | None, Arm]:
    """Who reads for a school in one slot, and for which arm that counts."""
    trial = lineup.trial
    if trial is not None and trial.mode == "canary" and arm_of(trial, unit) == "challenger":
        return trial.challenger, "challenger"
    return lineup.champion, "champion"


def _name(lineup: Lineup) -> str:
    """A name for a line-up: counts go on for as long as it stays."""
    champion = 0 if lineup.champion is None else lineup.champion.version
    return f"{champion}/{'' if lineup.trial is None else lineup.trial.id}"


def _begun(slot: Slot, lineup: Lineup, earlier: Lineup, seen: Observed | None) -> Observed:
    """Counts of a new line-up; a champion that was replaced is remembered, to compare its successor with."""
    if seen is None:
        return Observed(slot, _name(lineup))
    if lineup.champion == earlier.champion:
        return Observed(slot, _name(lineup), champion=Tally() if lineup.trial else seen.champion, before=seen.before)
    return Observed(slot, _name(lineup), before=seen.champion)


def _kept(file: Path) -> dict[Slot, Observed]:
    """The counts that were saved; none where there are none, or none that can be used."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        found = [
            Observed(**{**row, **{arm: _tally(row[arm]) for arm in ("champion", "challenger", "before")}})
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return {each.slot: each for each in found if each.slot in SLOTS}


def _tally(saved: Mapping[str, Any]) -> Tally:
    tally = Tally(**{**saved, "seconds": tuple(saved["seconds"])})
    if len(tally.seconds) != BUCKETS:
        raise ValueError("other buckets")
    return tally


def _written(file: Path, text: str) -> None:
    fresh = file.with_suffix(".part")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        log.warning("the counts of the arms cannot be saved", extra={"reason": error.strerror})
