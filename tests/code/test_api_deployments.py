"""What is deployed, over HTTP: who may change it, what is answered, and that it reads from then on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from deployed import DeploymentsInMemory, a_rollout, a_trial
from serving import Running, running_service, settings_for

from pocai.inference.rollout import Rollout


@dataclass
class Deploying:
    running: Running
    deployments: DeploymentsInMemory
    keys: dict[str, str]

    def post(self, path: str, body: object, key: str = "deployer") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        return httpx.post(f"{self.running.url}/v1/models/{path}", json=body, headers=headers, timeout=30)

    def get(self, path: str, key: str = "reader") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        return httpx.get(f"{self.running.url}{path}", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploying]:
    settings = settings_for(tmp_path_factory.mktemp("deploying"), access={"mode": "on"})
    deployments = DeploymentsInMemory()
    with running_service(settings, deployments) as running:
        create = running.service.keys.create
        scopes = {"reader": "models:read", "deployer": "models:deploy", "extractor": "extract", "admin": "admin"}
        keys = {name: create(name, "school", frozenset({scope}), None)[1] for name, scope in scopes.items()}
        yield Deploying(running, deployments, keys)


@pytest.fixture
def service(started: Deploying) -> Deploying:
    started.deployments.rollout, started.deployments.orders = Rollout(), []
    started.running.run(started.running.service.rollouts.refresh())
    return replace(started)


def test_a_version_is_deployed_by_whoever_may(service: Deploying) -> None:
    answer = service.post("layout/deploy", {"version": 5, "reason": "A/B"}, "admin")
    assert answer.status_code == 200
    assert (answer.json()["champion"], answer.json()["trial"]) == (5, None)
    ((action, name, version, order),) = service.deployments.orders
    assert (action, name, version, order.reason, order.force) == ("promote", "layout", 5, "A/B", False)
    assert order.actor.startswith("key:")
    assert service.running.service.rollouts.revision == "champion 5", "it reads at once"
    log = service.running.settings.server.state_dir / "audit.jsonl"
    assert json.loads(log.read_text().splitlines()[-1])["action"] == "models.deploy"


@pytest.mark.parametrize("path", ["layout/deploy", "layout/rollback", "layout/experiments"])
@pytest.mark.parametrize("key", ["reader", "extractor"])
def test_nobody_deploys_without_the_scope(service: Deploying, path: str, key: str) -> None:
    assert service.post(path, {"version": 5, "reason": "A/B"}, key).status_code == 403
    assert service.deployments.orders == []


def test_only_an_admin_passes_over_the_gate(service: Deploying) -> None:
    wish = {"version": 5, "reason": "urgent", "force": True}
    refused = service.post("layout/deploy", wish)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert service.post("layout/deploy", wish, "admin").status_code == 200
    assert service.deployments.orders[-1][-1].force


def test_an_experiment_runs_and_is_taken_back(service: Deploying) -> None:
    wish = {"version": 6, "mode": "canary", "share": 0.25, "reason": "A/B", "guardrails": {"error_rate": 0.02}}
    begun = service.post("layout/experiments", wish).json()
    assert (begun["trial"]["version"], begun["trial"]["mode"], begun["trial"]["share"]) == (6, "canary", 0.25)
    seen = service.get("/v1/models/layout/experiments").json()
    assert seen["trial"] == begun["trial"]
    assert seen["challengerTally"]["readings"] == 0
    back = service.post("layout/rollback", {"reason": "slower"})
    assert (back.status_code, back.json()["trial"]) == (200, None)
    again = service.post("layout/rollback", {"reason": "slower"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_an_experiment_in_the_shadow_tells_how_it_agrees(service: Deploying) -> None:
    service.deployments.rollout = a_rollout("shadow", trial=a_trial(7, "shadow", 0.5))
    service.running.run(service.running.service.rollouts.refresh())
    assert service.get("/v1/models/layout/experiments").json()["trial"]["shadow"] == {"readings": 0}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"version": 0, "reason": "no such number"},
        {"version": 5},
        {"version": 5, "reason": "x"},
        {"version": 5, "reason": "two\nlines"},
        {"version": 5, "reason": "fine", "unknown": 1},
        {"version": "five", "reason": "fine"},
    ],
)
def test_what_is_no_order_is_refused(service: Deploying, wish: dict[str, object]) -> None:
    assert service.post("layout/deploy", wish).status_code == 422
    assert service.post("layout/experiments", {**wish, "share": 2}).status_code == 422


def test_only_what_reads_can_be_deployed(service: Deploying) -> None:
    assert service.post("rules/deploy", {"version": 5, "reason": "A/B"}).status_code == 422


def test_a_service_without_deployments_says_so(tmp_path: Path) -> None:
    with running_service(settings_for(tmp_path)) as running:
        answer = httpx.get(f"{running.url}/v1/models/layout/experiments", timeout=30)
    assert answer.status_code == 404
    assert "POCAI_MLOPS__SERVE" in answer.json()["error"]["message"]
