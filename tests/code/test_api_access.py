"""Nobody gets in who should not: every endpoint without credentials, with another tenant's, with too small a scope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from serving import Running, running_service, settings_for

DEMO = Path(__file__).parents[2] / "src/pocai/assets/demo/demo.png"
OPEN = {"/", "/health", "/health/live", "/health/ready"}  # what a load balancer asks; says nothing but "up"
UNKNOWN = "0" * 32


@dataclass(frozen=True)
class Guarded:
    """A service that asks for credentials, keys of two tenants, and a job of the first."""

    running: Running
    keys: dict[str, str]
    job: str

    def call(self, method: str, path: str, key: str | None) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {self.keys[key]}"}
        files = {"file": ("week.png", b"not a picture")} if method == "POST" and "upload" in path else None
        return httpx.request(method, f"{self.running.url}{path}", headers=headers, files=files, timeout=60)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    settings = settings_for(
        folder,
        access={"mode": "on", "rate_per_key": "100000/minute", "rate_per_ip": "100000/minute"},
        host_application={"roots": [folder / "uploads"], "networks": ["10.255.255.0/24"]},
    )
    with running_service(settings) as running:
        create = running.service.keys.create
        keys = {
            "school": create("school", "school", frozenset({"extract"}), None)[1],
            "other": create("other", "other", frozenset({"extract"}), None)[1],
            "reader": create("reader", "school", frozenset({"models:read"}), None)[1],
            "reviewer": create("reviewer", "school", frozenset({"review"}), None)[1],
            "admin": create("admin", "school", frozenset({"admin"}), None)[1],
        }
        answer = httpx.post(
            f"{running.url}/v1/extractions",
            files={"file": ("week.png", DEMO.read_bytes())},
            headers={"Authorization": f"Bearer {keys['school']}"},
            timeout=60,
        )
        assert answer.status_code == httpx.codes.OK
        yield Guarded(running, keys, answer.json()["id"])


def operations(guarded: Guarded) -> list[tuple[str, str]]:
    """Every method and path of the service, with the school's own job in it."""
    paths = httpx.get(f"{guarded.running.url}/openapi.json", timeout=60).json()["paths"]
    filled = {path.replace("{extraction_id}", guarded.job).replace("{job_id}", guarded.job): path for path in paths}
    return [(method.upper(), filled_path) for filled_path, path in filled.items() for method in paths[path]]


def test_every_endpoint_refuses_a_stranger(guarded: Guarded) -> None:
    tried = 0
    for method, path in operations(guarded):
        answer = guarded.call(method, path, None)
        if path in OPEN:
            assert answer.status_code == httpx.codes.OK
            continue
        tried += 1
        assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path, answer.text)
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert tried > 15


def test_every_endpoint_refuses_a_key_that_is_none(guarded: Guarded) -> None:
    guarded.keys["invented"] = "pocai_00000000_" + "x" * 43
    for method, path in operations(guarded):
        if path not in OPEN:
            assert guarded.call(method, path, "invented").status_code == httpx.codes.UNAUTHORIZED, (method, path)


def test_a_revoked_key_is_refused(guarded: Guarded) -> None:
    key, token = guarded.running.service.keys.create("short", "school", frozenset({"extract"}), None)
    guarded.keys["revoked"] = token
    assert guarded.running.service.keys.revoke(key.id)
    assert guarded.call("GET", f"/v1/extractions/{guarded.job}", "revoked").status_code == httpx.codes.UNAUTHORIZED


def test_every_endpoint_refuses_a_scope_that_is_too_small(guarded: Guarded) -> None:
    for method, path in operations(guarded):
        if path in OPEN:
            continue
        refused = guarded.call(method, path, "reviewer")
        assert refused.status_code == httpx.codes.FORBIDDEN, (method, path, refused.text)
    assert guarded.call("GET", "/v1/models", "school").status_code == httpx.codes.FORBIDDEN
    assert guarded.call("GET", "/v1/models", "reader").status_code == httpx.codes.OK
    assert guarded.call("GET", "/metrics", "reader").status_code == httpx.codes.FORBIDDEN
    assert guarded.call("GET", "/metrics", "admin").status_code == httpx.codes.OK


def test_another_tenant_finds_nothing(guarded: Guarded) -> None:
    """Another tenant's job and one that never was give the same answer, so that ids cannot be probed."""
    about_jobs = [(method, path) for method, path in operations(guarded) if guarded.job in path]
    assert len(about_jobs) > 4
    for method, path in about_jobs:
        answer = guarded.call(method, path, "other")
        unknown = guarded.call(method, path.replace(guarded.job, UNKNOWN), "other")
        assert answer.status_code == unknown.status_code == httpx.codes.NOT_FOUND, (method, path)
        assert answer.text.replace(guarded.job, "") == unknown.text.replace(UNKNOWN, "")
    assert guarded.call("GET", f"/v1/extractions/{guarded.job}", "school").status_code == httpx.codes.OK


def test_paths_of_the_host_are_not_for_other_tenants(guarded: Guarded) -> None:
    folder = guarded.running.settings.server.host_application.roots[0]
    (folder / "week.png").write_bytes(DEMO.read_bytes())
    for path in ("/v1/extractions", "/v1/ocr", "/infer/document", "/infer/ocr"):
        answer = httpx.post(
            f"{guarded.running.url}{path}",
            json={"path": str(folder / "week.png")},
            headers={"Authorization": f"Bearer {guarded.keys['school']}"},
            timeout=60,
        )
        assert answer.status_code == httpx.codes.FORBIDDEN, path


def test_documentation_is_no_way_in(guarded: Guarded) -> None:
    for path in ("/docs", "/openapi.json"):
        text = httpx.get(f"{guarded.running.url}{path}", timeout=60).text
        assert guarded.job not in text
        assert not any(key in text for key in guarded.keys.values())
