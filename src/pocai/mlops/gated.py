"""The gate before a registered version: it is judged against the champion, and the verdict is kept and journalled."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pocai.errors import UnknownModel
from pocai.inference.rollout import Order
from pocai.mlops.file_lock import locked
from pocai.mlops.frozen_set import FrozenSet, Tell
from pocai.mlops.gate import POLICIES, GatePolicy, Verdict, gate, write_report
from pocai.mlops.model_version import ModelVersion
from pocai.mlops.registry import Registry


def gate_version(  # noqa: PLR0913 -- a version, whom it is compared with and on what, and who asks
    registry: Registry,
    version: ModelVersion,
    frozen: FrozenSet,
    order: Order,
    *,
    champion: Path | None = None,
    policy: GatePolicy | None = None,
    tell: Tell | None = None,
) -> Verdict:
    """The verdict on a version, which the registry keeps with the report, and the journal with its numbers.

    Without a folder of a ``champion`` it is the registry's, or, where there is none, what is shipped; without a
    ``policy`` that of the kind. Raises UntrustedModel where the version's files are not to be trusted.
    """
    folder = registry.pull(version)
    rival = champion or champion_of(registry, version)
    verdict = gate(folder, rival, version.kind, policy or POLICIES[version.kind], frozen, tell=tell)
    with locked(registry.journal.path.parent / "deployment.lock"):
        _note(registry, version, verdict, order)
        with tempfile.TemporaryDirectory(prefix="pocai-gate-") as place:
            write_report(verdict, Path(place))
            registry.set_gate(version.name, version.version, verdict, Path(place))
    return verdict


def champion_of(registry: Registry, version: ModelVersion) -> Path | None:
    """The files of the champion under a version's name; None where there is none, or it is the version itself."""
    try:
        champion = registry.get(version.name, "champion")
    except UnknownModel:
        return None
    return None if champion.version == version.version else registry.pull(champion)


def _note(registry: Registry, version: ModelVersion, verdict: Verdict, order: Order) -> None:
    """Journal a verdict before it is kept, and tell the registry where the journal ends."""
    facts = verdict.evidence
    told = {
        "passed": verdict.passed,
        "failed": [check.name for check in verdict.failed],
        "measured": verdict.metrics(),
        "champion": facts.champion.title,
        "frozen": facts.frozen,
        "digest": version.digest,
    }
    entry = registry.journal.append(
        "gate", actor=order.actor, name=version.name, version=version.version, reason=order.reason, details=told
    )
    registry.write_head(version.name, entry.hash)
