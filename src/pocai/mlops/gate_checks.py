"""The checks of the gate: from what was measured of candidate and champion to what passed, each with its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pocai.evaluation.calibration import expected_calibration_error, reliability
from pocai.evaluation.slices import Slice
from pocai.mlops.bootstrap import Bootstrap, total
from pocai.mlops.contestants import Outcome
from pocai.mlops.footprint import MEGABYTE, Footprint
from pocai.mlops.frozen_set import OURS, OWN
from pocai.mlops.gate_policy import GatePolicy
from pocai.mlops.model_tests import Behaviour
from pocai.mlops.race import Race, Run
from pocai.mlops.verdict import Check, Side, SliceFact
from pocai.models.package import ModelKind

MADE, CORRECTED = Slice("set", OURS), Slice("set", OWN)
SERVED = "served"
_ROOM = 1e-9  # within which two shares are the same
_NAMES = {"layout": "block F1", "student": "share of letters right"}


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured: the ``race``, memory of both, the test of the difference, behaviours and size in bytes."""

    kind: ModelKind
    race: Race
    footprints: tuple[Footprint, Footprint]
    bootstrap: Bootstrap
    behaviours: tuple[Behaviour, ...]
    size: int

    @property
    def judged_by(self) -> str:
        """The name of the part that counts most."""
        return next(iter(self.race.candidate.outcomes[0].parts))

    @property
    def named(self) -> str:
        """What the score is, in words."""
        return _NAMES[self.kind.removesuffix("-adapter")]


def side_of(title: str, run: Run, footprint: Footprint) -> Side:
    """What was measured of one model, for the report."""
    sure, right = _claims(run.outcomes)
    scores = {name: score_of(run.outcomes, name) for name in run.outcomes[0].parts}
    bins = tuple(reliability(sure, right, binning="mass")) if sure else ()
    return Side(title, scores, _error(run.outcomes), bins, run.took, footprint)


def score_of(outcomes: Iterable[Outcome], name: str) -> float:
    """The micro average of one of the parts; 1.0 of nothing."""
    return total(outcome.parts[name] for outcome in outcomes).share


def slices_of_race(race: Race, name: str, policy: GatePolicy) -> tuple[SliceFact, ...]:
    """Both scores on each slice of the frozen set, sorted by dimension and value."""
    pairs = list(zip(race.candidate.outcomes, race.champion.outcomes, strict=True))
    slices = sorted({each for outcome, _ in pairs for each in outcome.slices})
    found = []
    for each in slices:
        some = [pair for pair in pairs if each in pair[0].slices]
        ours, theirs = (score_of((pair[side] for pair in some), name) for side in range(2))
        falls = (limit.fall for limit in policy.tolerances if len(some) >= limit.documents)
        found.append(SliceFact(str(each), len(some), ours, theirs, next(falls, None)))
    return tuple(found)


def checks_of(measured: Measured, policy: GatePolicy) -> tuple[Check, ...]:
    """All checks of a candidate, in the order of the report."""
    kinds: list[Callable[[Measured, GatePolicy], Iterator[Check]]] = [_score, _served, _corrected, _slices, _difference]
    kinds += [_failures, _latency, _memory, _size, _calibration, _behaviours]
    return tuple(check for checks in kinds for check in checks(measured, policy))


def _score(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    """Of made documents: those of one's own may be harder, and the champion is the measure there."""
    made = [outcome for outcome in measured.race.candidate.outcomes if MADE in outcome.slices]
    if not made:
        return
    found = score_of(made, measured.judged_by)
    text = f"{measured.named} {found:.4f} on made documents, at least {policy.least:g}"
    yield Check("score", found >= policy.least, found, policy.least, text)


def _served(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    """Of layout transformers as they are served by default; with an adapter they are served alone."""
    if measured.kind != "layout":
        return
    ours, theirs = (score_of(run.outcomes, SERVED) for run in (measured.race.candidate, measured.race.champion))
    limit = theirs - policy.served_fall
    text = f"block F1 {ours:.4f} with the rules beside it, as served; at least {limit:.4f} (champion {theirs:.4f})"
    yield Check("as served", ours >= limit - _ROOM, ours, limit, text)


def _corrected(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    """Of adapters: the corrected documents that were held back tell whether it helps."""
    if not measured.kind.endswith("-adapter"):
        return
    sides = [
        [outcome for outcome in run.outcomes if CORRECTED in outcome.slices]
        for run in (measured.race.candidate, measured.race.champion)
    ]
    if not sides[0]:
        yield Check("corrected documents", False, None, None, "none were held back: nothing shows that it helps")  # noqa: FBT003
        return
    ours, theirs = (score_of(some, measured.judged_by) for some in sides)
    limit = theirs - policy.corrected_fall
    text = f"{measured.named} {ours:.4f} on {len(sides[0])} held back, at least {limit:.4f} (without it {theirs:.4f})"
    yield Check("corrected documents", ours >= limit - _ROOM, ours, limit, text)


def _slices(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    facts = slices_of_race(measured.race, measured.judged_by, policy)
    judged = [fact for fact in facts if fact.tolerance is not None]
    if not judged:
        yield Check("slices", True, None, None, "no slice is large enough to be judged", facts)  # noqa: FBT003
        return
    worst = max(judged, key=lambda fact: fact.fall - (fact.tolerance or 0.0))
    bad = [fact for fact in judged if not fact.passed]
    said = ", ".join(f"{fact.name} by {fact.fall:.4f} (at most {fact.tolerance:g})" for fact in bad)
    text = f"worse: {said}" if bad else f"{len(judged)} slices are within their tolerance; nearest: {worst.name}"
    yield Check("slices", not bad, worst.fall, worst.tolerance, text, facts)


def _difference(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    test, limit = measured.bootstrap, policy.significance
    small = -test.difference <= policy.margin
    seen = f"difference {test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}) over {test.documents}"
    asked = f"at least {limit:g} beyond a fall of {policy.margin:g}"
    text = f"{seen}; without a difference the chance of one so low is {test.worse:.4f}, {asked}"
    yield Check("not worse", small or test.worse >= limit, test.worse, limit, text)
    better = test.better < limit
    asked = "is asked for" if policy.require_better else "is not asked for"
    text = (
        f"significantly better: {'yes' if better else 'no'} (chance {test.better:.4f}, below {limit:g}), which {asked}"
    )
    yield Check("better", better or not policy.require_better, test.better, limit, text)


def _failures(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    ours, theirs = (
        sum(outcome.failed is not None for outcome in run.outcomes) / len(run.outcomes)
        for run in (measured.race.candidate, measured.race.champion)
    )
    limit = theirs + policy.failures
    kinds = sorted({outcome.failed for outcome in measured.race.candidate.outcomes if outcome.failed is not None})
    named = f" ({', '.join(kinds)})" if kinds else ""
    text = f"{ours:.1%} cannot be read{named}, at most {limit:.1%}"
    yield Check("failures", ours <= limit + _ROOM, ours, limit, text)


def _latency(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    ratio, (wall, processor) = measured.race.ratio, measured.race.candidate.p95
    text = (
        f"p95 {processor:.3f} s of processor time, {ratio:.2f} times the champion's, at most {policy.latency_ratio:g}"
    )
    yield Check("latency", ratio <= policy.latency_ratio, ratio, policy.latency_ratio, text)
    text = f"p95 {wall:.3f} s, at most {policy.latency_seconds:g} s"
    yield Check("latency budget", wall <= policy.latency_seconds, wall, policy.latency_seconds, text)


def _memory(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    ours, theirs = measured.footprints
    own, other = (max(MEGABYTE, each.peak - each.before) for each in (ours, theirs))
    ratio = own / other
    text = f"{own / MEGABYTE:.0f} MB for the model, {ratio:.2f} times the champion's, at most {policy.memory_ratio:g}"
    yield Check("memory", ratio <= policy.memory_ratio, ratio, policy.memory_ratio, text)
    most = policy.memory_megabytes
    text = f"{ours.megabytes:.0f} MB of the process that reads with it, at most {most:g} MB"
    yield Check("memory budget", ours.megabytes <= most, ours.megabytes, most, text)


def _size(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    size, most = measured.size / MEGABYTE, policy.size_megabytes
    yield Check("size", size <= most, size, most, f"{size:.1f} MB of files, at most {most:g} MB")


def _calibration(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    ours, theirs = (_error(run.outcomes) for run in (measured.race.candidate, measured.race.champion))
    if ours is None:
        if theirs is not None:
            text = "it states no calibrated probability, and the champion does"
            yield Check("calibration", False, None, policy.calibration, text)  # noqa: FBT003
        return
    limit = max(policy.calibration, (theirs or 0.0) + policy.calibration_fall)
    text = f"expected calibration error {ours:.4f}, at most {limit:.4g}"
    yield Check("calibration", ours <= limit, ours, limit, text)


def _behaviours(measured: Measured, policy: GatePolicy) -> Iterator[Check]:
    """One check for each group of behavioural tests; its number is that of the test that is nearest to failing."""
    del policy
    for group in dict.fromkeys(each.group for each in measured.behaviours):
        some = [each for each in measured.behaviours if each.group == group]
        worst = min(some, key=lambda each: each.measured - each.least)
        bad = [each for each in some if not each.passed]
        said = ", ".join(f"{each.name} {each.measured:.3f} (at least {each.least:g})" for each in bad or [worst])
        text = f"{said}" if bad else f"{len(some)} tests pass; nearest: {said}"
        yield Check(group, not bad, worst.measured, worst.least, text, tuple(some))


def _error(outcomes: Sequence[Outcome]) -> float | None:
    sure, right = _claims(outcomes)
    return expected_calibration_error(sure, right) if sure else None


def _claims(outcomes: Iterable[Outcome]) -> tuple[list[float], list[bool]]:
    """All confidences, and whether what each is of is right."""
    claims = [claim for outcome in outcomes for claim in outcome.claims]
    return [sure for sure, _ in claims], [right for _, right in claims]
