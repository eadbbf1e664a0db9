"""What reads, as the service follows it: assignment, counts, changes, a registry that is away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from deployed import REGISTRY_AWAY, DeploymentsInMemory, a_rollout, a_trial, a_version
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from pocai.errors import NotFound
from pocai.inference.rollout import BUCKETS, EDGES, Lineup, Rollout, Tally, Trial, arm_of
from pocai.server.rollout_metrics import RolloutMetrics
from pocai.server.rollouts import Rollouts, seconds_of

pytestmark = pytest.mark.anyio


def rollouts_in(folder: Path, deployments: DeploymentsInMemory | None) -> Rollouts:
    return Rollouts(deployments, folder, RolloutMetrics(CollectorRegistry()), refresh=60.0)


@given(share=st.floats(0.01, 1), name=st.text(max_size=20))
def test_an_arm_is_the_same_at_every_call(share: float, name: str) -> None:
    trial = a_trial(2, share=share)
    assert arm_of(trial, name) == arm_of(replace(trial), name)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9, 1.0])
def test_of_many_schools_the_share_gets_the_challenger(share: float) -> None:
    trial = a_trial(2, share=share)
    count = sum(arm_of(trial, f"school {number}") == "challenger" for number in range(4000))
    assert count / 4000 == pytest.approx(share, abs=0.03)


def test_two_trials_do_not_meet_the_same_schools() -> None:
    one, other = a_trial(2, share=0.5, name="a"), a_trial(2, share=0.5, name="b")
    schools = [f"school {number}" for number in range(2000)]
    both = sum(arm_of(one, school) == arm_of(other, school) for school in schools)
    assert both / 2000 == pytest.approx(0.5, abs=0.05)


@given(st.lists(st.floats(0.006, 190), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_right_to_a_bucket(seconds: list[float], share: float) -> None:
    tally = Tally()
    for each in seconds:
        tally = tally.read(each)
    exact = sorted(seconds)[max(0, -(-round(share * len(seconds) * 1e9) // 10**9) - 1)]
    found = tally.quantile(share)
    assert found is not None
    assert exact / 1.11 <= found <= exact * 1.11


def test_a_tally_counts_what_it_is_told() -> None:
    tally = Tally().read(0.1).read(0.2, violated=True).read(None, failed=True).corrected(20, 3)
    assert (tally.readings, tally.failures, tally.violations, tally.fields, tally.changed) == (3, 1, 1, 20, 3)
    assert sum(tally.seconds) == 2
    assert len(tally.seconds) == len(EDGES) == BUCKETS
    assert Tally().quantile(0.5) is None
    assert Tally().read(1e9).quantile(0.5) == EDGES[-1]


async def test_without_deployments_the_shipped_models_read(tmp_path: Path) -> None:
    rollouts = rollouts_in(tmp_path, None)
    await rollouts.start()
    assert not rollouts.on
    assert [attempt.models for attempt in rollouts.attempts("school")] == [{}]
    with pytest.raises(NotFound, match="POCAI_MLOPS__SERVE"):
        _ = rollouts.deployments
    await rollouts.close()


async def test_a_challenger_reads_before_the_champion_and_that_before_what_is_shipped(tmp_path: Path) -> None:
    deployments = DeploymentsInMemory(a_rollout("1", champion=1, trial=a_trial(2)))
    rollouts = rollouts_in(tmp_path, deployments)
    await rollouts.start()
    tried = rollouts.attempts("school")
    assert [attempt.models for attempt in tried] == [{"layout": a_version(2)}, {"layout": a_version(1)}, {}]
    assert tried[0].arms["layout"] == "challenger"
    await rollouts.close()


async def test_a_challenger_in_the_shadow_never_reads_for_a_user(tmp_path: Path) -> None:
    deployments = DeploymentsInMemory(a_rollout("1", champion=1, trial=a_trial(2, "shadow")))
    rollouts = rollouts_in(tmp_path, deployments)
    await rollouts.start()
    models = [attempt.models for attempt in rollouts.attempts("school")]
    assert models == [{"layout": a_version(1)}, {}]
    await rollouts.close()


async def test_counts_go_on_after_a_restart_and_begin_anew_with_another_line_up(tmp_path: Path) -> None:
    deployments = DeploymentsInMemory(a_rollout("1", champion=1))
    rollouts = rollouts_in(tmp_path, deployments)
    await rollouts.start()
    rollouts.read("layout", "champion", 0.2)
    await rollouts.close()
    again = rollouts_in(tmp_path, deployments)
    await again.start()
    again.read("layout", "champion", None, failed=True)
    layout = next(seen for seen in again.observed if seen.slot == "layout")
    assert (layout.champion.readings, layout.champion.failures) == (2, 1)
    deployments.rollout = a_rollout("2", champion=2)
    await again.refresh()
    layout = next(seen for seen in again.observed if seen.slot == "layout")
    assert (layout.champion.readings, layout.before.readings) == (0, 2)
    await again.close()


@pytest.mark.parametrize("saved", ["", "{", "[1]", '[{"slot": "layout"}]', "null", '[{"slot": "nobody"}]'])
async def test_counts_that_cannot_be_read_begin_anew(tmp_path: Path, saved: str) -> None:
    (tmp_path / "rollout.json").write_text(saved)
    rollouts = rollouts_in(tmp_path, DeploymentsInMemory(a_rollout("1", champion=1)))
    await rollouts.start()
    assert all(seen.champion == Tally() for seen in rollouts.observed)
    await rollouts.close()
    assert json.loads((tmp_path / "rollout.json").read_text())


async def test_while_the_registry_is_away_the_last_models_go_on(tmp_path: Path) -> None:
    deployments = DeploymentsInMemory(a_rollout("1", champion=1))
    registry = CollectorRegistry()
    rollouts = Rollouts(deployments, tmp_path, RolloutMetrics(registry), refresh=60.0)
    await rollouts.start()
    deployments.away, deployments.rollout = REGISTRY_AWAY, a_rollout("2", champion=2)
    await rollouts.refresh()
    assert rollouts.revision == "1"
    deployments.away = None
    await rollouts.refresh()
    assert rollouts.revision == "2"
    told = generate_latest(registry).decode()
    assert "pocai_model_registry_failures_total 1.0" in told
    assert 'pocai_model_deployed_version{arm="champion",slot="layout"} 2.0' in told
    await rollouts.close()


async def test_a_correction_counts_for_the_arm_of_its_school(tmp_path: Path) -> None:
    trial = a_trial(2, share=0.5)
    rollouts = rollouts_in(tmp_path, DeploymentsInMemory(a_rollout("1", champion=1, trial=trial)))
    await rollouts.start()
    schools = [f"school {number}" for number in range(40)]
    for school in schools:
        rollouts.corrected(school, 10, 1)
    layout = next(seen for seen in rollouts.observed if seen.slot == "layout")
    challengers = sum(arm_of(trial, school) == "challenger" for school in schools)
    assert layout.challenger.fields == 10 * challengers
    assert layout.champion.changed == 40 - challengers
    await rollouts.close()


async def test_breaches_are_judged_by_what_was_counted(tmp_path: Path) -> None:
    deployments = DeploymentsInMemory(a_rollout("1", champion=1, trial=a_trial(2)), breached=["it is slow"])
    rollouts = rollouts_in(tmp_path, deployments)
    await rollouts.start()
    rollouts.read("layout", "challenger", 3.0)
    await rollouts.refresh()
    assert next(seen for seen in deployments.observed if seen.slot == "layout").challenger.readings == 1
    await rollouts.close()


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        ({"seconds": {"assemble": 0.5}}, 0.5),
        ({"seconds": {"assemble": float("nan")}}, None),
        ({"seconds": {"assemble": -1}}, None),
        ({"seconds": {"assemble": "fast"}}, None),
        ({"seconds": None}, None),
        ({}, None),
    ],
)
def test_what_a_reading_process_says_of_its_time_is_checked(head: dict[str, object], seconds: float | None) -> None:
    assert seconds_of("layout", head) == seconds


def test_the_student_is_not_counted_where_nothing_was_read() -> None:
    read = {"seconds": {"text": 0.5}, "models": {"ocr": "cascade"}}
    assert seconds_of("student", read) == 0.5
    assert seconds_of("student", {**read, "models": {"ocr": None}}) is None


def test_a_rollout_of_nothing_is_what_is_shipped() -> None:
    assert Rollout().slots == {}
    assert Lineup().champion is None
    assert Trial("a", "shadow", a_version(1), 0.5).share == 0.5
