"""Who reads for a school, the evidence of counts, guardrails, and the decision of an experiment."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from scipy.stats import binom

from pocai.errors import InputError
from pocai.inference.rollout import Deployed, Tally, Trial, arm_of
from pocai.mlops.ab_testing import Breach, Guardrails, Plan, breach, decide
from pocai.mlops.clusters import Clusters
from pocai.mlops.power import Question
from pocai.mlops.sequential import Counted, log_evidence, log_evidence_over

SCHOOLS = [f"school {number}" for number in range(20_000)]
SOON = 30  # readings


def trial(share: float, name: str = "t1") -> Trial:
    return Trial(name, "canary", Deployed(2, Path()), share)


def played(
    random: np.random.Generator,
    readings: int,
    *,
    failures: float = 0.0,
    violations: float = 0.1,
    seconds: float = 1.0,
) -> list[Tally]:
    """The tally of an arm after each reading."""
    tallies = [Tally()]
    for _ in range(readings):
        took = seconds * float(random.lognormal(0, 0.3))
        last = tallies[-1].read(took, failed=random.random() < failures, violated=random.random() < violations)
        tallies.append(last.corrected(40, int(random.binomial(40, 0.05))))
    return tallies[1:]


def first(champion: list[Tally], challenger: list[Tally]) -> tuple[int, Breach] | None:
    """The reading at which a guardrail speaks, asked after each."""
    for number, arms in enumerate(zip(champion, challenger, strict=True), start=1):
        if (found := breach(Guardrails(), *arms)) is not None:
            return number, found
    return None


# --- assignment ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_any_share_of_the_schools_gets_the_challenger(share: float) -> None:
    given = sum(arm_of(trial(share), school) == "challenger" for school in SCHOOLS)
    error = (len(SCHOOLS) * share * (1 - share)) ** 0.5
    assert abs(given - share * len(SCHOOLS)) <= 4 * error


def test_a_school_keeps_its_arm_and_a_growing_share_takes_nobody_back() -> None:
    shares = [0.05, 0.1, 0.3, 0.8]
    given = [{school for school in SCHOOLS if arm_of(trial(share), school) == "challenger"} for share in shares]
    assert given == [{school for school in SCHOOLS if arm_of(trial(share), school) == "challenger"} for share in shares]
    assert all(less < more for less, more in pairwise(given))


def test_another_trial_meets_other_schools() -> None:
    one, two = (
        {school for school in SCHOOLS if arm_of(trial(0.2, name), school) == "challenger"} for name in ("t1", "t2")
    )
    assert len(one & two) == pytest.approx(0.04 * len(SCHOOLS), rel=0.15)


# --- evidence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.65])
def test_no_evidence_is_expected_without_a_difference(share: float, margin: float) -> None:
    """The expectation over all that can be counted is 1 at most, on the boundary of the null and within it."""
    n, m = 14, 9
    a, b = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    evidence = np.exp(log_evidence(Counted(a, np.full(a.shape, n)), Counted(b, np.full(b.shape, m)), margin))
    for second in (share, share + margin / 2, share + margin):
        chance = binom.pmf(a, n, share) * binom.pmf(b, m, second)
        assert float((chance * evidence).sum()) <= 1 + 1e-9
    hits = np.arange(n + 1)
    alone = np.exp(log_evidence_over(Counted(hits, np.full(n + 1, n)), share + 0.01))
    assert float((binom.pmf(hits, n, share) * alone).sum()) <= 1 + 1e-9


def test_evidence_grows_with_the_difference_and_with_the_counts() -> None:
    found = [float(log_evidence(Counted(2, 40), Counted(hits, 40), 0.05)) for hits in (2, 6, 12, 30)]
    assert found == sorted(found)
    assert found[0] < 0 < log(400) < found[-1]
    few = float(log_evidence(Counted(1, 10), Counted(5, 10)))
    assert few < float(log_evidence(Counted(10, 100), Counted(50, 100)))
    assert float(log_evidence(Counted(10, 100).over(10), Counted(50, 100).over(10))) == pytest.approx(few)


def test_looking_all_the_time_is_wrong_no_more_often_than_stated() -> None:
    random, runs, looks, share = np.random.default_rng(4), 2000, np.arange(1, 301), 0.1
    hits = [(random.random((runs, len(looks))) < share).cumsum(axis=1) for _ in range(2)]
    evidence = log_evidence(Counted(hits[0], looks), Counted(hits[1], looks))
    assert float((evidence >= log(20)).any(axis=1).mean()) <= 0.05


# --- guardrails ------------------------------------------------------------------------------------------------------


def test_without_a_difference_no_guardrail_speaks() -> None:
    for run in range(40):
        random = np.random.default_rng(run)
        assert first(played(random, 80), played(random, 80)) is None


@pytest.mark.parametrize(("failures", "within"), [(1.0, 8), (0.5, SOON)])
def test_planted_errors_are_found_soon(failures: float, within: int) -> None:
    found = []
    for run in range(15):
        random = np.random.default_rng((1, run))
        seen = first(played(random, 80), played(random, 80, failures=failures))
        assert seen is not None
        assert seen[1].what == "failures"
        found.append(seen[0])
    assert median(found) <= within


def test_failures_are_found_where_no_champion_reads() -> None:
    always = played(np.random.default_rng(0), 10, failures=1.0)
    found = breach(Guardrails(), Tally(), always[-1])
    assert found is not None
    assert (found.what, found.measured, found.limit) == ("failures", 1.0, 0.2)
    assert breach(Guardrails(), Tally(), played(np.random.default_rng(0), 200)[-1]) is None


def test_planted_slowness_is_found_soon_and_a_little_is_allowed() -> None:
    random = np.random.default_rng(3)
    seen = first(played(random, 60), played(random, 60, seconds=8.0))
    assert seen is not None
    assert seen[0] <= SOON
    assert seen[1].what == "latency"
    assert seen[1].measured > 4
    assert first(played(random, 80), played(random, 80, seconds=1.3)) is None


def test_broken_rules_and_corrections_are_found() -> None:
    random = np.random.default_rng(5)
    seen = first(played(random, 80), played(random, 80, violations=1.0))
    assert seen is not None
    assert seen[1].what == "violations"
    champion, challenger = played(random, 60)[-1], played(random, 60)[-1]
    wrong = replace(challenger, changed=challenger.fields // 2)
    found = breach(Guardrails(), replace(champion, fields=8000, changed=400), replace(wrong, fields=8000, changed=4000))
    assert found is not None
    assert found.what == "corrections"
    assert found.measured == pytest.approx(0.45)
    assert re.fullmatch(
        r"50.0% of 8000 fields were corrected, with the champion 5.0% of 8000; at most 5 points more are allowed",
        found.sentence,
    )


def test_fields_that_are_less_alike_say_more() -> None:
    champion, challenger = Tally(readings=40, fields=2000, changed=100), Tally(readings=40, fields=2000, changed=400)
    assert breach(Guardrails(), champion, challenger) is None
    assert breach(Guardrails(fields=Clusters(10, 0.1)), champion, challenger) is not None


def test_few_readings_say_nothing() -> None:
    champion = Tally(readings=1000, violations=10)
    bad = Tally(readings=19, violations=19)
    assert breach(Guardrails(), champion, bad) is None
    assert breach(Guardrails(least_readings=10), champion, bad) is not None
    assert breach(Guardrails(), Tally(), Tally()) is None


def test_guardrails_that_cannot_be_kept_are_refused() -> None:
    for failures, violations, latency, alpha in ((1, 0.1, 2, 0.1), (0, -0.1, 2, 0.1), (0, 0, 0.9, 0.1), (0, 0, 2, 0)):
        with pytest.raises(InputError, match="guardrails"):
            Guardrails(failures=failures, violations=violations, latency=latency, alpha=alpha)


# --- experiments -----------------------------------------------------------------------------------------------------


def test_an_experiment_is_decided_when_it_is_clear_or_spent() -> None:
    plan = Plan(Question(0.1, 0.04))
    size = plan.size.counts
    usual = Tally(fields=size // 2, changed=size // 20)
    assert decide(plan, Tally(), Tally()) == "open"
    assert decide(plan, Tally(fields=20, changed=2), Tally(fields=20)) == "open"
    assert decide(plan, usual, usual) == "open"
    assert decide(plan, usual, replace(usual, changed=size // 80)) == "challenger"
    assert decide(plan, usual, replace(usual, changed=size // 8)) == "champion"
    assert decide(plan, replace(usual, fields=2 * size), replace(usual, fields=2 * size)) == "champion"


def test_an_experiment_looks_at_its_metric_and_at_whole_schools() -> None:
    better = (Tally(readings=2000, violations=400), Tally(readings=2000, violations=200))
    assert decide(Plan(Question(0.2, 0.1), "violations"), *better) == "challenger"
    assert decide(Plan(Question(0.2, 0.1), "failures"), *better) != "challenger"
    alike = Plan(Question(0.2, 0.1), "violations", Clusters(100, 0.5))
    assert decide(alike, *better) == "open"
