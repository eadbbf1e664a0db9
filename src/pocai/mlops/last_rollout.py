"""What was deployed last, as a file: a service that starts while the registry is away goes on with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pocai.inference.rollout import SLOTS, Deployed, Lineup, Rollout, Trial

FILE = "last-rollout.json"


def keep_rollout(folder: Path, rollout: Rollout) -> None:
    """Write the rollout; its models lie in the cache, and are verified before they are loaded, as ever."""
    fresh = folder / f"{FILE}.part"
    fresh.write_text(json.dumps(asdict(rollout), default=str), encoding="utf-8")
    fresh.replace(folder / FILE)


def last_rollout(folder: Path) -> Rollout | None:
    """The rollout that was kept; None where there is none, or none that can be used."""
    try:
        said = json.loads((folder / FILE).read_text(encoding="utf-8"))
        slots = {slot: _lineup(said["slots"][slot]) for slot in SLOTS if slot in said["slots"]}
        return Rollout(str(said["revision"]), slots, tuple(map(Path, said["trusted"])))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _lineup(said: Any) -> Lineup:
    champion, trial = said["champion"], said["trial"]
    return Lineup(
        None if champion is None else _deployed(champion),
        None if trial is None else Trial(**{**trial, "challenger": _deployed(trial["challenger"])}),
    )


def _deployed(said: Any) -> Deployed:
    return Deployed(int(said["version"]), Path(said["folder"]))
