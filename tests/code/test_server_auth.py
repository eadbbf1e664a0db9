"""Who gets in: API keys, their scopes and tenants; and what is told about those who do not."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from guarded import SECRET, STRANGER, Guarded, basic, claims, guarded, signed

from pocai.server.keys import Scope


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as found:
        yield found


# --- credentials -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        lambda token: {"Authorization": f"Bearer {token}"},
        lambda token: {"Authorization": f"bearer   {token}"},
        lambda token: {"Authorization": basic(token)},
        lambda token: {"Authorization": basic(token, "")},
        lambda token: {"X-API-Key": token},
    ],
)
def test_a_key_opens_in_every_place_it_may_stand(service: Guarded, headers: Callable[[str], dict[str, str]]) -> None:
    token = service.key()
    answer = service.call("GET", "/v1/extract", headers(token))
    assert answer.status_code == 200
    key_id = token.split("_")[1]
    assert answer.json() == {"tenant": "school", "subject": f"key:{key_id}", "scopes": ["extract"]}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer pocai_",
        "Bearer pocai_00000000_" + "x" * 43,
        "Bearer pocai_00000000_" + "x" * 4000,
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Digest username=x",
        "Bearer é",
    ],
)
def test_what_is_no_key_is_refused(service: Guarded, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = service.call("GET", "/v1/extract", headers)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_a_wrong_secret_of_a_known_key_is_refused(service: Guarded) -> None:
    token = service.key()
    for wrong in (
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token[:-1],
        token + "a",
        token.upper(),
        f" {token} x",
    ):
        assert service.get(token=wrong).status_code == 401
    assert service.get(token=token).status_code == 200


def test_the_secret_of_another_key_is_refused(service: Guarded) -> None:
    first, second = service.key(), service.key()
    mixed = "_".join([*first.split("_")[:2], second.split("_", 2)[2]])
    assert service.get(token=mixed).status_code == 401


def test_where_access_is_off_everybody_may_do_everything(tmp_path: Path) -> None:
    with guarded(tmp_path, peer="127.0.0.1", access={"mode": "auto", "rate_per_ip": "1/hour"}) as service:
        for path in ("/v1/extract", "/v1/models", "/metrics", "/v1/extract"):
            answer = service.get(path)
            assert answer.json() == {"tenant": "local", "subject": "anonymous", "scopes": sorted(Scope)}
        assert service.call("POST", "/ai/extract").json()["tenant"] == "host"
        assert service.get(token="pocai_nonsense").status_code == 200


def test_auto_is_on_everywhere_but_on_loopback(tmp_path: Path) -> None:
    for host, status in (("127.0.0.1", 200), ("localhost", 200), ("::1", 200), ("0.0.0.0", 401), ("10.0.0.5", 401)):
        with guarded(tmp_path, host=host, access={"mode": "auto"}) as service:
            assert service.get().status_code == status, host


# --- scopes and tenants ------------------------------------------------------------------------------------------


def test_a_missing_scope_is_named(service: Guarded) -> None:
    answer = service.get("/v1/models", service.key("extract", "review"))
    assert answer.status_code == 403
    assert "'models:read'" in answer.json()["error"]["message"]


def test_every_scope_opens_its_own_routes_only(service: Guarded) -> None:
    opened = {
        scope: {path for path in ("/v1/extract", "/v1/models", "/metrics") if service.get(path, key).status_code == 200}
        for scope in Scope
        for key in [service.key(scope)]
    }
    assert opened == {
        Scope.EXTRACT: {"/v1/extract"},
        Scope.MODELS_READ: {"/v1/models"},
        Scope.ADMIN: {"/v1/extract", "/v1/models", "/metrics"},
        Scope.REVIEW: set(),
        Scope.FEATURES: set(),
        Scope.MODELS_DEPLOY: set(),
    }


def test_a_principal_is_of_the_tenant_of_its_key(service: Guarded) -> None:
    for tenant in ("north", "south"):
        assert service.get(token=service.key(tenant=tenant)).json()["tenant"] == tenant


# --- revocation and expiry ---------------------------------------------------------------------------------------


def test_a_revoked_key_is_refused_at_once(service: Guarded) -> None:
    token = service.key()
    assert service.get(token=token).status_code == 200
    assert service.service.keys.revoke(token.split("_")[1])
    assert service.get(token=token).status_code == 401
    assert service.get(token=token).status_code == 401


def test_a_key_expires_though_it_was_just_used(service: Guarded) -> None:
    token = service.key(expires=datetime.now(UTC) + timedelta(seconds=1))
    assert service.get(token=token).status_code == 200
    time.sleep(1.1)
    assert service.get(token=token).status_code == 401


# --- WebSockets --------------------------------------------------------------------------------------------------


def test_a_websocket_takes_the_header_or_a_subprotocol_that_is_not_sent_back(service: Guarded) -> None:
    token = service.key()
    by_header = service.socket({"Authorization": f"Bearer {token}"})
    by_protocol = service.socket({}, "pocai", f"pocai.bearer.{token}")
    assert [message["type"] for message in by_header] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert json.loads(by_protocol[1]["text"])["tenant"] == "school"
    assert by_header[1] == by_protocol[1]
    assert (by_header[0]["subprotocol"], by_protocol[0]["subprotocol"]) == (None, "pocai")
    assert token not in str(by_protocol)


@pytest.mark.parametrize("offered", [[], ["pocai"], ["pocai", "pocai.bearer."], ["pocai.bearer.x.y.z"]])
def test_a_websocket_without_a_key_stays_closed(service: Guarded, offered: list[str]) -> None:
    assert "websocket.accept" not in [message["type"] for message in service.socket({}, *offered)]
    assert service.audited()[-1]["target"] == "WebSocket /v1/ws"


# --- what is told ------------------------------------------------------------------------------------------------


def test_refusals_are_audited_without_what_was_sent(service: Guarded) -> None:
    token = service.key("review")
    service.get("/v1/both/private-name", token="pocai_00000000_" + "s" * 43)
    service.get("/v1/both/private-name", token=token)
    stranger, known = service.audited()
    assert {name: stranger[name] for name in ("action", "tenant", "subject", "target", "outcome")} == {
        "action": "auth.refused",
        "tenant": "",
        "subject": f"address:{STRANGER}",
        "target": "GET /v1/both/{name}",
        "outcome": "not_authenticated",
    }
    assert (known["tenant"], known["outcome"]) == ("school", "not_allowed")
    assert "sss" not in json.dumps(service.audited())


def test_no_secret_is_ever_logged_or_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with guarded(tmp_path, access={"jwt_secret": SECRET}) as service:
        token = service.key()
        shown = [repr(service.service), repr(service.service.settings), repr(service.service.keys.list())]
        bearer = signed(claims())
        for sent in (token, token + "x", bearer, bearer + "x"):
            shown.append(service.get(token=sent).text)
            shown.append(service.get(**{"X-API-Key": sent}).text)
        secrets = [SECRET, token.split("_", 2)[2], bearer.rpartition(".")[2]]
    shown += [caplog.text, (tmp_path / "audit.jsonl").read_text()]
    for secret in secrets:
        assert not any(secret in text for text in shown)


def test_openapi_names_the_ways_in_and_the_scopes(service: Guarded) -> None:
    document = service.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["basic"]["scheme"] == "basic"
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    security = document["paths"]["/v1/models"]["get"]["security"]
    assert security == [{"bearer": ["models:read"]}, {"basic": ["models:read"]}, {"apiKey": ["models:read"]}]
    assert "parameters" not in document["paths"]["/v1/models"]["get"]


def test_importing_the_modules_does_nothing(tmp_path: Path) -> None:
    code = "import pocai.server.auth, pocai.server.security, pocai.server.keys, threading, os; print(os.listdir('.'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
