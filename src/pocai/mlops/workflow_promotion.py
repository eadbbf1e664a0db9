"""Steps of a workflow from a model to a version that reads: registration, gate, shadow.

Each takes and gives plain values that JSON can hold, and may be done again: the registry knows a package by its digest.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pocai.errors import UnknownModel
from pocai.inference.rollout import Order, TrialPlan
from pocai.mlops.connection import own_folder
from pocai.mlops.deployment import Deployments
from pocai.mlops.frozen_made import default_set
from pocai.mlops.gated import gate_version
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.registry import Registry
from pocai.mlops.workflow import TrainAndPromote
from pocai.mlops.workflow_place import Place, settings_here
from pocai.mlops.workflow_training import Result

REASON = "the workflow train_and_promote"
log = logging.getLogger(__name__)


def champion_of(name: str) -> ModelVersion | None:
    """The version that reads; None where what is shipped does."""
    with Registry.open(settings_here().mlops) as registry:
        try:
            return registry.get(name, "champion")
        except UnknownModel:
            return None


def digest_of(version: ModelVersion | None) -> str:
    """What names the package of a version; nothing where what is shipped reads."""
    return "" if version is None else version.digest


def folder_of(version: ModelVersion) -> Path:
    """The files of a version, verified."""
    with Registry.open(settings_here().mlops) as registry:
        return registry.pull(version)


def register_model(place: Place, made: Result) -> Result:
    """Register a model, signed, as of the run that made it; one that is registered already stays that version."""
    kind = made["kind"]
    with Registry.open(settings_here().mlops) as registry:
        version = _known(registry, kind, made["digest"])
        if version is None:
            said = f"By a workflow, from recipe, data and code {place.key[:12]}…"
            folder = Path(made["folder"])
            version = registry.register(folder, kind, kind=kind, run_id=made["run_id"], description=said)
    log.info("registered %s", version)
    return {"name": kind, "version": version.version, "digest": version.digest, "run_id": version.run_id}


def pass_gate(plan: TrainAndPromote, registered: Result) -> Result:
    """Have the gate compare a version with the champion; the report is kept with it. Raises GateRefused."""
    settings = settings_here().mlops
    frozen = default_set(own_folder(settings), small=plan.frozen == "small", tell=_tell)
    with Registry.open(settings) as registry:
        version = registry.get(registered["name"], int(registered["version"]))
        verdict = gate_version(registry, version, frozen, Order(plan.actor, REASON), tell=_tell)
    log.info("gate: %s", verdict.sentence)
    verdict.raise_if_refused()
    return {"sentence": verdict.sentence}


def deploy_shadow(registered: Result, plan: TrainAndPromote) -> Result:
    """Let a version read in the shadow, unless it reads already. Raises Conflict where another one is being tried."""
    name, version = registered["name"], int(registered["version"])
    deployments = Deployments(settings_here().mlops)
    status = deployments.status(name)
    trial: dict[str, Any] | None = status["trial"]
    if status["champion"] == version or (trial is not None and trial["version"] == version):
        return {"mode": "champion" if trial is None else trial["mode"], "version": version}
    order = Order(plan.actor, REASON)
    if trial is not None and plan.replace:
        deployments.stop(name, Order(plan.actor, f"version {version} takes its place"))
    made = deployments.deploy(name, version, TrialPlan("shadow", plan.share), order)
    log.info("%s@%d reads in the shadow (%s)", name, version, made.id)
    return {"mode": made.mode, "version": version, "trial": made.id, "share": made.share}


def _known(registry: Registry, name: str, digest: str) -> ModelVersion | None:
    try:
        versions = registry.versions(name)
    except UnknownModel:
        return None
    return next((each for each in reversed(versions) if each.digest == digest), None)


def _tell(what: str, share: float) -> None:
    if share in {0.0, 1.0}:
        log.info("%s: %.0f %%", what, 100 * share)
