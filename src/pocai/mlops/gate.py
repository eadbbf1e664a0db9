"""The gate: a candidate is compared with the champion on the frozen set before anybody may promote it.

Both read the same documents in the same run. A candidate passes where all checks do (`gate_checks`), by the limits of a
policy (`gate_policy`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pocai.errors import InputError, ModelError
from pocai.evaluation.slices import Slice
from pocai.mlops.bootstrap import compared
from pocai.mlops.contestants import (
    LAYOUT,
    STUDENT,
    Contestant,
    Item,
    LayoutContestant,
    Posed,
    StudentContestant,
    contestant,
    items,
)
from pocai.mlops.footprint import Footprint, footprint
from pocai.mlops.frozen_set import FrozenSet, Tell
from pocai.mlops.gate_checks import Measured, checks_of, side_of, slices_of_race
from pocai.mlops.gate_policy import POLICIES, GatePolicy
from pocai.mlops.gate_report import write_report
from pocai.mlops.model_tests import Behaviour, layout_behaviours, student_behaviours
from pocai.mlops.race import race
from pocai.mlops.verdict import Check, Evidence, Side, Verdict
from pocai.models.adapter_package import portable
from pocai.models.package import MANIFEST, ModelKind, checked, pack

__all__ = ["POLICIES", "Check", "GatePolicy", "Verdict", "gate", "write_report"]

TESTED = 6  # documents of the frozen set that the tests of invariance are done on, beside the drawn ones
TESTED_LINES = 40
_WEIGHTS = {"layout": LAYOUT, "student": STUDENT}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model that is ready: what it takes of memory, and the bytes of its files (0 for the one that is shipped)."""

    contestant: Contestant
    footprint: Footprint
    size: int = 0


def gate(  # noqa: PLR0913 -- two models, what they are, the limits, and what they are measured on
    candidate: Path,
    champion: Path | None,
    kind: ModelKind,
    policy: GatePolicy,
    frozen: FrozenSet,
    *,
    base: Path | None = None,
    tell: Tell | None = None,
) -> Verdict:
    """Whether a ``candidate`` may take the place of the ``champion`` (folders; None: the one that is shipped).

    Of adapters the champion is the one that the school has (None: none), and ``base`` the network of both (None: the
    shipped one). A candidate that cannot be loaded is refused like any other. Raises InputError where the frozen set
    was altered, or holds nothing for this kind, and ModelError for a champion that cannot be loaded.
    """
    start, told = time.perf_counter(), tell or _untold
    frozen.verify()
    with ExitStack() as stack:
        theirs = _entered(stack, champion, kind, base, frozen)
        try:
            ours = _entered(stack, candidate, kind, base, frozen)
        except ModelError as error:
            return _unusable(error, kind, theirs.contestant.title, frozen)
        measured = _measured((ours, theirs), kind, policy, frozen, told)
    checks = checks_of(measured, policy)
    evidence = _evidence(measured, policy, (ours, theirs), frozen)
    passed = all(check.passed for check in checks)
    return Verdict(passed, checks, replace(evidence, seconds=time.perf_counter() - start))


def _entered(stack: ExitStack, folder: Path | None, kind: ModelKind, base: Path | None, frozen: FrozenSet) -> Entrant:
    """A model, after its files were checked and a process of its own has read with it. Raises ModelError."""
    if folder is None:
        light = footprint(None, kind, frozen, base)
        return Entrant(contestant(None, kind, base), light)
    package = folder
    if not (folder / MANIFEST).is_file():
        package = _packed(folder, kind, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pocai-gate-"))))
    size = sum(fact.bytes for fact in checked(package).files.values())
    light = footprint(package, kind, frozen, base)
    return Entrant(contestant(package, kind, base), light, size)


def _packed(folder: Path, kind: ModelKind, place: Path) -> Path:
    """A package of a model that is in none yet, so that only what a package may hold is ever loaded."""
    adapter = kind.endswith("-adapter")
    source = portable(folder, place / "portable") if adapter else folder / _WEIGHTS[kind]
    pack(source, place / "package", kind)
    return place / "package"


def _measured(
    pair: tuple[Entrant, Entrant], kind: ModelKind, policy: GatePolicy, frozen: FrozenSet, tell: Tell
) -> Measured:
    """Everything that the checks look at. Raises InputError where the frozen set holds nothing for this kind."""
    posed = list(items(frozen, kind))
    if not posed:
        raise InputError(f"the frozen set holds nothing that models of kind {kind} read", mend="Name another set")
    ours, theirs = pair
    found = race((ours.contestant, theirs.contestant), posed, policy.latency_ratio, tell)
    first = next(iter(found.candidate.outcomes[0].parts))
    parts = ([outcome.parts[first] for outcome in run.outcomes] for run in (found.candidate, found.champion))
    test = compared(*parts)
    tell("behaviour", 0.0)
    behaviours = _behaviours(ours.contestant, posed)
    tell("behaviour", 1.0)
    return Measured(kind, found, (ours.footprint, theirs.footprint), test, behaviours, ours.size)


def _behaviours(model: Contestant, posed: Sequence[Item]) -> tuple[Behaviour, ...]:
    """The behavioural tests of a model, some of the frozen documents or lines among what they change."""
    if isinstance(model, LayoutContestant):
        documents = [item.document.document for item in posed if isinstance(item, Posed)]
        return layout_behaviours(model.model, model.served, documents[:: max(1, len(documents) // TESTED)][:TESTED])
    assert isinstance(model, StudentContestant)
    lines = [line for item in posed if not isinstance(item, Posed) for line in item]
    plain = [line.image for line in lines if Slice("lines", "printed") in line.slices]
    return student_behaviours(model.recognizer, plain[:TESTED_LINES])


def _evidence(measured: Measured, policy: GatePolicy, pair: tuple[Entrant, Entrant], frozen: FrozenSet) -> Evidence:
    runs = (measured.race.candidate, measured.race.champion)
    ours, theirs = (side_of(each.contestant.title, run, each.footprint) for each, run in zip(pair, runs, strict=True))
    return Evidence(
        measured.kind,
        frozen.sha256,
        len(runs[0].outcomes),
        ours,
        theirs,
        slices_of_race(measured.race, measured.judged_by, policy),
        measured.bootstrap,
    )


def _unusable(error: ModelError, kind: ModelKind, champion: str, frozen: FrozenSet) -> Verdict:
    """The verdict on a candidate that cannot be loaded, or read with."""
    check = Check("loads", passed=False, measured=None, limit=None, text=error.what)
    return Verdict(False, (check,), Evidence(kind, frozen.sha256, 0, Side("not loaded"), Side(champion)))  # noqa: FBT003


def _untold(what: str, share: float) -> None:
    del what, share
