"""Deploying from a real registry: who may become champion, trials, the way back, and what the journal says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from registered import Home, a_home, shipped_layout

from pocai.errors import Conflict, GateRefused, InputError, ModelError, RegistryError, UnknownModel, UntrustedModel
from pocai.inference.rollout import Lineup, Observed, Order, Tally, TrialPlan
from pocai.mlops.deployment import Deployments
from pocai.mlops.model_version import ModelVersion
from pocai.settings import MlopsSettings

ORDER = Order("key:ml", "better on the frozen set")


def tally(readings: int, *, failures: int = 0, seconds: float = 0.1) -> Tally:
    """So many readings that took as long, or failed."""
    counted = Tally()
    for number in range(readings):
        counted = counted.read(None if number < failures else seconds, failed=number < failures)
    return counted


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [shipped_layout(folder / str(number), str(number)) for number in range(3)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, models: list[Path]) -> Home:
    """Three versions, of which the third did not pass the gate."""
    made = a_home(tmp_path_factory.mktemp("home"))
    for model, gate in zip(models, (True, True, None), strict=True):
        made.version(model, gate=gate)
    return made


@pytest.fixture
def deployments(home: Home) -> Deployments:
    """As nothing was ever deployed; the journal goes on."""
    for alias in ("champion", "previous", "challenger", "shadow"):
        home.registry.set_alias("layout", alias, None)
    home.registry.write_state("layout", "")
    return Deployments(home.settings)


def champion_of(deployments: Deployments) -> int | None:
    champion = deployments.current().slots["layout"].champion
    return None if champion is None else champion.version


def test_nothing_deployed_is_what_is_shipped(deployments: Deployments) -> None:
    assert deployments.current().slots == {"layout": Lineup(), "student": Lineup()}


def test_a_version_is_promoted_and_taken_back(deployments: Deployments, home: Home) -> None:
    shipped = deployments.current().revision
    assert deployments.promote("layout", 1, ORDER).aliases == ("champion",)
    deployed = deployments.current()
    assert deployed.revision != shipped
    champion = deployed.slots["layout"].champion
    assert champion is not None
    assert (champion.version, (champion.folder / "layout.onnx").is_file()) == (1, True)
    assert deployed.trusted == home.registry.trusted
    deployments.promote("layout", 2, ORDER)
    assert home.registry.get("layout", "previous").version == 1
    back = deployments.rollback("layout", Order("key:ml", "slower"))
    assert back is not None
    assert back.version == champion_of(deployments) == 1
    assert deployments.rollback("layout", Order("key:ml", "slower")) is None
    assert champion_of(deployments) is None
    with pytest.raises(Conflict, match="shipped"):
        deployments.rollback("layout", ORDER)


def test_the_gate_is_not_passed_over_in_silence(deployments: Deployments) -> None:
    with pytest.raises(GateRefused, match="has not passed the gate"):
        deployments.promote("layout", 3, ORDER)
    with pytest.raises(GateRefused):
        deployments.deploy("layout", 3, TrialPlan("canary"), ORDER)
    with pytest.raises(InputError, match="needs a reason"):
        deployments.promote("layout", 3, Order("key:ml", "  ", force=True))
    assert champion_of(deployments) is None
    deployments.promote("layout", 3, Order("key:ml", "the school waits", force=True))
    last = deployments.journal.entries()[-1]
    assert (last.action, last.version, last.reason) == ("promote", 3, "the school waits")
    assert last.details["forced"] is True
    assert champion_of(deployments) == 3


def test_a_trial_runs_beside_the_champion(deployments: Deployments) -> None:
    deployments.promote("layout", 1, ORDER)
    trial = deployments.deploy("layout", 2, TrialPlan("canary", 0.25, {"latency": 2.0}), ORDER)
    seen = deployments.current().slots["layout"]
    assert seen.champion is not None
    assert seen.trial == trial
    assert (trial.mode, trial.share, trial.challenger.version) == ("canary", 0.25, 2)
    with pytest.raises(Conflict, match="is being tried"):
        deployments.deploy("layout", 3, TrialPlan(), ORDER)
    status = deployments.status("layout")
    assert (status["champion"], status["trial"]["version"]) == (1, 2)
    deployments.stop("layout", ORDER)
    assert deployments.current().slots["layout"].trial is None
    with pytest.raises(Conflict):
        deployments.stop("layout", ORDER)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (TrialPlan("canary", 0.0), "share"),
        (TrialPlan("canary", 1.5), "share"),
        (TrialPlan("canary", 0.5, {"beauty": 1.0}), "beauty"),
        (TrialPlan("canary", 0.5, {"latency": 0.5}), "guardrails"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(deployments: Deployments, plan: TrialPlan, told: str) -> None:
    with pytest.raises(InputError, match=told):
        deployments.deploy("layout", 2, plan, ORDER)


def test_promoting_the_challenger_ends_its_trial(deployments: Deployments) -> None:
    deployments.deploy("layout", 2, TrialPlan("canary", 0.5), ORDER)
    deployments.promote("layout", 2, ORDER)
    seen = deployments.current().slots["layout"]
    assert seen.trial is None
    assert champion_of(deployments) == 2
    with pytest.raises(Conflict, match="champion already"):
        deployments.promote("layout", 2, ORDER)


@pytest.mark.parametrize("name", ["rules", "", "../layout"])
def test_only_what_reads_is_deployed(deployments: Deployments, name: str) -> None:
    with pytest.raises(UnknownModel, match="layout"):
        deployments.promote(name, 1, ORDER)


def test_a_version_that_is_not_there_is_not_deployed(deployments: Deployments) -> None:
    with pytest.raises(UnknownModel):
        deployments.promote("layout", 99, ORDER)


def test_a_challenger_that_fails_is_taken_back(deployments: Deployments) -> None:
    deployments.promote("layout", 1, ORDER)
    deployments.deploy("layout", 2, TrialPlan("canary", 0.5), ORDER)
    deployments.current()
    fine = Observed("layout", "", champion=tally(60), challenger=tally(60))
    assert deployments.judge([fine]) == ()
    (told,) = deployments.judge([replace(fine, challenger=tally(30, failures=15))])
    assert "readings failed" in told
    assert deployments.current().slots["layout"].trial is None
    assert champion_of(deployments) == 1
    last = deployments.journal.entries()[-1]
    assert (last.action, last.actor, last.version) == ("rollback", "guardrail", 2)
    assert last.details["counted"]["challenger"]["failures"] == 15


def test_a_new_champion_that_is_slow_is_taken_back(deployments: Deployments) -> None:
    deployments.promote("layout", 1, ORDER)
    deployments.promote("layout", 2, ORDER)
    deployments.current()
    slow = Observed("layout", "", champion=tally(80, seconds=2.0), before=tally(200, seconds=0.1))
    (told,) = deployments.judge([slow])
    assert "times as long" in told
    assert champion_of(deployments) == 1
    assert deployments.judge([replace(slow, slot="student")]) == ()


def test_two_who_see_the_same_breach_take_back_once(deployments: Deployments, home: Home) -> None:
    deployments.promote("layout", 1, ORDER)
    other = Deployments(home.settings)
    failing = Observed("layout", "", champion=tally(40, failures=30))
    for each in (deployments, other):
        each.current()
    assert [len(each.judge([failing])) for each in (deployments, other)] == [1, 0]
    assert champion_of(deployments) is None


def test_while_the_registry_is_away_the_last_rollout_stays_even_after_a_restart(
    deployments: Deployments, home: Home
) -> None:
    deployments.promote("layout", 2, ORDER)
    seen = deployments.current()
    away = MlopsSettings(folder=home.folder, tracking="http://127.0.0.1:9")
    assert Deployments(away).current() == seen
    nothing = MlopsSettings(folder=home.folder / "new", tracking="http://127.0.0.1:9")
    with pytest.raises(RegistryError):
        Deployments(nothing).current()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"revision": 1, "slots": {"layout": {}}, "trusted": []}'])
def test_a_rollout_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "last-rollout.json").write_text(text)
    with pytest.raises(RegistryError):
        Deployments(MlopsSettings(folder=tmp_path, tracking="http://127.0.0.1:9")).current()


def altered(home: Home, version: ModelVersion) -> None:
    card = home.registry.pull(version) / "layout.json"
    card.chmod(0o600)
    card.write_text(card.read_text().replace("MIT", "GPL"))


def test_a_model_that_was_altered_on_the_disk_is_fetched_anew(deployments: Deployments, home: Home) -> None:
    deployments.promote("layout", 1, ORDER)
    altered(home, home.registry.get("layout", 1))
    champion = Deployments(home.settings).current().slots["layout"].champion
    assert champion is not None
    assert "GPL" not in (champion.folder / "layout.json").read_text()


def test_a_model_of_a_key_that_is_not_trusted_is_not_deployed(deployments: Deployments, home: Home) -> None:
    from pocai.models.signing import make_key

    _, stranger = make_key(home.folder / "stranger")
    strict = Deployments(home.settings.model_copy(update={"trusted_keys": (stranger,)}))
    with pytest.raises(UntrustedModel):
        strict.promote("layout", 1, ORDER)
    assert champion_of(deployments) is None


def test_the_journal_shows_all_of_it_and_a_changed_line(deployments: Deployments, home: Home) -> None:
    deployments.promote("layout", 1, ORDER)
    deployments.rollback("layout", ORDER)
    journal = deployments.journal
    count = journal.verify(home.registry.heads()["layout"])
    assert count == len(journal.entries())
    assert [entry.action for entry in journal.entries()[-2:]] == ["promote", "rollback"]
    text = journal.path.read_text()
    try:
        journal.path.write_text(text.replace('"promote"', '"demoted"', 1))
        with pytest.raises(ModelError, match="line 1 "):
            journal.verify()
        journal.path.write_text("".join(f"{line}\n" for line in text.splitlines()[:-1]))
        with pytest.raises(ModelError, match="cut off"):
            journal.verify(home.registry.heads()["layout"])
    finally:
        journal.path.write_text(text)
    assert json.loads(text.splitlines()[-1])["details"]["digest"] == home.registry.get("layout", 1).digest
