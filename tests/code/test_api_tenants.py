"""A service with access control and little room: tenants apart, and a full queue."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator

import pytest
from calling import UNKNOWN, Caller, code, eventually, received, slow, websocket, week
from serving import running_service, settings_for
from websockets.typing import Subprotocol


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Caller]]:
    """Callers of a service with access control and room for one waiting and one queued document."""
    access = {"mode": "on", "rate_per_key": "100000/minute", "rate_per_ip": "100000/minute"}
    folder = tmp_path_factory.mktemp("guarded")
    with running_service(settings_for(folder, access=access, queue={"waiting": 1, "backlog": 1})) as running:

        def caller(tenant: str, scope: str) -> Caller:
            _, token = running.service.keys.create(tenant, tenant, frozenset({scope}), None)
            return Caller(running, {"Authorization": f"Bearer {token}"})

        yield {
            "school": caller("school", "extract"),
            "other": caller("other", "extract"),
            "host": caller("host", "extract"),
            "reader": caller("school", "models:read"),
            "stranger": Caller(running, {}),
        }


def test_only_the_tenant_of_the_host_names_files(callers: dict[str, Caller]) -> None:
    folder = callers["host"].running.settings.server.host_application.roots[0]
    (folder / "plan.docx").write_bytes(week("of the host"))
    body = {"path": str(folder / "plan.docx")}
    assert callers["host"]("POST", "/v1/extractions", json=body).status_code == 200
    refused = callers["school"]("POST", "/v1/extractions", json=body)
    assert (refused.status_code, code(refused)) == (403, "not_allowed")


def test_a_full_queue_says_when_to_come_again(callers: dict[str, Caller]) -> None:
    school = callers["school"]
    running = school.submit(slow("full"))
    school.until(running, "running")
    queued = school.submit(slow("full 2"))
    full = school.send(slow("full 3"), headers={"Prefer": "respond-async"})
    assert (full.status_code, code(full)) == (429, "queue_full")
    assert int(full.headers["Retry-After"]) >= 1
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(school.send, week("full 4"))
        store = school.running.service.store
        eventually(lambda: sum(school.running.run(store.queued()).values()), lambda count: count == 2)
        assert school.send(week("full 5")).status_code == 429
        assert waiting.result().status_code == 200  # before the one that is queued for longer, which nobody waits for
    assert school.status(queued) in {"queued", "running"}
    for job in (running, queued):
        school("DELETE", f"/v1/extractions/{job}")


def test_the_websocket_is_refused_with_a_code_of_its_own(callers: dict[str, Caller]) -> None:
    job = callers["school"].send(week("websocket")).json()["id"]
    for name, wanted in (("stranger", 4401), ("reader", 4403), ("other", 4404)):
        with websocket(callers[name], job) as socket:
            assert received(socket) == ([], wanted)
    with websocket(callers["school"], UNKNOWN) as socket:
        assert received(socket) == ([], 4404)


def test_a_browser_sends_its_token_as_a_subprotocol(callers: dict[str, Caller]) -> None:
    job = callers["school"].send(week("browser")).json()["id"]
    token = callers["school"].headers["Authorization"].removeprefix("Bearer ")
    offered = [Subprotocol("pocai"), Subprotocol(f"pocai.bearer.{token}")]
    with websocket(callers["stranger"], job, subprotocols=offered) as socket:
        assert socket.subprotocol == "pocai"
        messages, closed = received(socket)
    assert ([each["status"] for each in messages], closed) == (["succeeded"], 1000)


def test_tenants_do_not_see_each_other(callers: dict[str, Caller]) -> None:
    key, document = {"Idempotency-Key": "shared"}, week("tenants")
    job = callers["school"].send(document, headers=key).json()["id"]
    own = callers["other"].send(document, headers=key).json()["id"]
    assert own != job
    for ending in ("", ".json", ".csv", ".xlsx", ".ics", "/events", "/overlay.png"):
        refused = callers["other"]("GET", f"/v1/extractions/{job}{ending}")
        unknown = callers["other"]("GET", f"/v1/extractions/{UNKNOWN}{ending}")
        assert refused.status_code == unknown.status_code == 404
        assert refused.json() == unknown.json()
    assert callers["other"]("DELETE", f"/v1/extractions/{job}").status_code == 404
    assert callers["school"].status(job) == "succeeded"
