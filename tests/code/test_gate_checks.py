"""Each check of the gate on made-up numbers: where the limit lies, and what the refusal says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pocai.evaluation.slices import Slice
from pocai.mlops.bootstrap import Part, compared
from pocai.mlops.contestants import Claim, Outcome
from pocai.mlops.footprint import Footprint
from pocai.mlops.gate_checks import Measured, checks_of, side_of, slices_of_race
from pocai.mlops.gate_policy import POLICIES, GatePolicy, Tolerance
from pocai.mlops.model_tests import Behaviour
from pocai.mlops.race import Race, Run, Took
from pocai.mlops.verdict import Check
from pocai.models.package import KINDS, ModelKind

MB = 2**20
POLICY = POLICIES["layout"]
MADE, OWN = Slice("set", "made"), Slice("set", "own")
GOOD = Behaviour("a larger page", "invariance", 10, 1.0, 0.99)


def outcome(right: float, slices: Sequence[Slice] = (MADE,), claims: Sequence[Claim] = (), **more: str) -> Outcome:
    parts = {"block": Part(20 * right, 20), "served": Part(20 * right, 20)}
    return Outcome("d", tuple(slices), parts, tuple(claims), more.get("failed"))


def run(outcomes: Sequence[Outcome], seconds: float = 0.1) -> Run:
    return Run(tuple(outcomes), (Took(seconds, seconds),) * 5)


def measured(candidate: Run, champion: Run | None = None, kind: ModelKind = "layout", **more: object) -> Measured:
    champion = champion or run([outcome(0.9)] * len(candidate.outcomes))
    test = compared(*([each.parts["block"] for each in side.outcomes] for side in (candidate, champion)), resamples=500)
    values: dict[str, object] = {
        "footprints": (Footprint(60 * MB, 110 * MB),) * 2,
        "behaviours": (GOOD,),
        "size": 5 * MB,
        **more,
    }
    return Measured(kind, Race(candidate, champion), bootstrap=test, **values)  # type: ignore[arg-type]


def checks(found: Measured, policy: GatePolicy = POLICY) -> dict[str, Check]:
    return {check.name: check for check in checks_of(found, policy)}


def failed(found: Measured, policy: GatePolicy = POLICY) -> set[str]:
    return {name for name, check in checks(found, policy).items() if not check.passed}


def test_equal_models_pass() -> None:
    assert failed(measured(run([outcome(0.9)] * 12))) == set()


@pytest.mark.parametrize(("right", "refused"), [(0.81, False), (0.79, True)])
def test_the_score_has_a_least(right: float, refused: bool) -> None:
    found = measured(run([outcome(right)] * 12), run([outcome(right)] * 12))
    assert ("score" in failed(found)) == refused
    assert f"{right:.4f}" in checks(found)["score"].text
    assert checks(found)["score"].limit == 0.8


def test_documents_of_ones_own_are_measured_by_the_champion_alone() -> None:
    own = [outcome(0.4, (OWN,))] * 12
    assert failed(measured(run(own), run(own))) == set()


@pytest.mark.parametrize(
    ("documents", "fall", "refused"),
    [(10, 0.019, False), (10, 0.021, True), (9, 0.021, False), (9, 0.11, True), (4, 0.11, True), (3, 0.5, False)],
)
def test_a_slice_may_fall_by_what_is_tolerated_for_its_size(documents: int, fall: float, refused: bool) -> None:
    part, rest = Slice("layout", "bars"), [outcome(0.9)] * 400
    champion = [outcome(0.9, (MADE, part))] * documents + rest
    candidate = [outcome(0.9 - fall, (MADE, part))] * documents + rest
    found = measured(run(candidate), run(champion))
    check = checks(found)["slices"]
    assert check.passed != refused
    assert ("layout: bars" in check.text) == refused or "nearest" in check.text
    facts = {fact.name: fact for fact in slices_of_race(found.race, "block", POLICY)}
    assert facts["layout: bars"].documents == documents
    assert facts["layout: bars"].fall == pytest.approx(fall)


def test_tolerances_are_those_of_the_policy() -> None:
    found = measured(run([outcome(0.85)] * 12))
    assert "slices" in failed(found)
    wide = GatePolicy(tolerances=(Tolerance(documents=2, fall=0.5),))
    assert checks(found, wide)["slices"].limit == 0.5
    assert "slices" not in failed(found, wide)


def test_a_significant_fall_is_refused_beyond_the_margin_only() -> None:
    champion = run([outcome(0.9)] * 40)
    for fall, refused in ((0.0015, False), (0.0025, True)):
        found = measured(run([outcome(0.9 - fall)] * 40), champion)
        assert found.bootstrap.worse < 0.05
        assert ("not worse" in failed(found)) == refused


def test_better_is_a_fact_unless_it_is_asked_for() -> None:
    same, better = (measured(run([outcome(right)] * 40)) for right in (0.9, 0.95))
    asked = POLICY.model_copy(update={"require_better": True})
    assert "no (chance" in checks(same)["better"].text
    assert failed(same, asked) == {"better"}
    assert "yes (chance" in checks(better)["better"].text
    assert failed(better, asked) == set()


def test_as_served_counts_of_layout_transformers() -> None:
    parts = {"block": Part(18, 20), "served": Part(17, 20)}
    candidate = run([Outcome("d", (MADE,), parts)] * 12)
    assert failed(measured(candidate)) == {"as served"}
    assert "as served" not in checks(measured(candidate, kind="layout-adapter"))


def test_an_adapter_needs_corrected_documents_and_must_not_harm_them() -> None:
    made = [outcome(0.9)] * 12
    assert failed(measured(run(made), kind="layout-adapter")) == {"corrected documents"}
    for right, refused in ((0.8, False), (0.79, True)):
        candidate, champion = (run([*made, *[outcome(each, (OWN,))] * 3]) for each in (right, 0.8))
        found = measured(candidate, champion, kind="layout-adapter")
        assert ("corrected documents" in failed(found)) == refused


@pytest.mark.parametrize(("slower", "refused"), [(1.2, set()), (1.3, {"latency"}), (11, {"latency", "latency budget"})])
def test_time_is_limited_by_ratio_and_budget(slower: float, refused: set[str]) -> None:
    found = measured(run([outcome(0.9)] * 12, 0.1 * slower))
    assert failed(found) == refused
    assert f"{slower:.2f} times the champion's, at most 1.25" in checks(found)["latency"].text


def test_other_work_on_the_machine_is_not_held_against_a_model() -> None:
    busy = Run((outcome(0.9),) * 12, (Took(0.3, 0.1),) * 5)
    assert failed(measured(busy)) == set()


@pytest.mark.parametrize(("peak", "refused"), [(120, set()), (125, {"memory"}), (600, {"memory", "memory budget"})])
def test_memory_is_limited_by_ratio_and_budget(peak: int, refused: set[str]) -> None:
    prints = (Footprint(60 * MB, peak * MB), Footprint(60 * MB, 110 * MB))
    assert failed(measured(run([outcome(0.9)] * 12), footprints=prints)) == refused


@pytest.mark.parametrize(("size", "refused"), [(20 * MB, False), (20 * MB + 1, True)])
def test_size_is_limited(size: int, refused: bool) -> None:
    assert failed(measured(run([outcome(0.9)] * 12), size=size)) == ({"size"} if refused else set())


@pytest.mark.parametrize(
    ("stated", "champion", "refused"), [(0.85, 0.85, False), (0.99, 0.85, True), (0.99, 0.98, False)]
)
def test_confidences_must_be_calibrated(stated: float, champion: float, refused: bool) -> None:
    sides = [run([outcome(0.9, claims=[(each, n < 8) for n in range(10)])] * 12) for each in (stated, champion)]
    found = measured(sides[0], sides[1])
    assert ("calibration" in failed(found)) == refused
    assert checks(found)["calibration"].measured == pytest.approx(stated - 0.8)
    assert side_of("m", sides[0], Footprint(0, 1)).calibration == pytest.approx(stated - 0.8)


def test_a_model_without_confidences_does_not_replace_one_with_them() -> None:
    champion = run([outcome(0.9, claims=[(0.9, True)])] * 12)
    assert failed(measured(run([outcome(0.9)] * 12), champion)) == {"calibration"}
    assert "calibration" not in checks(measured(run([outcome(0.9)] * 12)))


def test_what_cannot_be_read_is_counted_and_named() -> None:
    broken = [outcome(0.9)] * 11 + [outcome(0.9, failed="model_error")]
    assert failed(measured(run(broken))) == {"failures"}
    assert "(model_error)" in checks(measured(run(broken)))["failures"].text
    assert failed(measured(run(broken), run(broken))) == set()


def test_behaviour_is_checked_by_group() -> None:
    bad = Behaviour("capital letters", "invariance", 10, 0.7, 0.8)
    other = Behaviour("simple timetables", "minimum function", 5, 1.0, 1.0)
    found = measured(run([outcome(0.9)] * 12), behaviours=(GOOD, bad, other))
    assert failed(found) == {"invariance"}
    assert checks(found)["invariance"].text == "capital letters 0.700 (at least 0.8)"
    assert checks(found)["minimum function"].passed


def test_there_is_a_policy_for_every_kind() -> None:
    assert set(POLICIES) == set(KINDS)
    for policy in POLICIES.values():
        assert [each.documents for each in policy.tolerances] == sorted(
            (each.documents for each in policy.tolerances), reverse=True
        )
