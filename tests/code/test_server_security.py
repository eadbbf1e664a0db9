"""The guards around every request: headers, names of the service, pages of other sites."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from guarded import served, settings_for

from pocai.server import security
from pocai.server.security import HEADERS


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Access is off; one web page may call."""
    folder = tmp_path_factory.mktemp("open")
    with served(settings_for(folder, access={"cors_origins": ["https://school.example"]})) as found:
        yield found


def test_every_answer_has_the_security_headers(url: str) -> None:
    for answer in (
        httpx.get(f"{url}/v1/mine"),
        httpx.get(f"{url}/nowhere"),
        httpx.get(f"{url}/v1/upload"),
        httpx.post(f"{url}/v1/upload"),
        httpx.get(f"{url}/v1/mine", headers={"Origin": "https://evil.example"}),
        httpx.post(f"{url}/v1/count", content=b"x" * (security.JSON_BYTES + 1)),
        httpx.get(f"{url}/v1/fault"),
    ):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.status_code


def test_a_fault_is_answered_once_and_without_its_text(url: str) -> None:
    answer = httpx.get(f"{url}/v1/fault")
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "a fault in pocai (ZeroDivisionError). Please report it"


def test_a_route_may_say_otherwise(url: str) -> None:
    headers = httpx.get(f"{url}/v1/styled").headers
    assert headers.get_list("Cache-Control") == ["max-age=60"]
    assert headers.get_list("Content-Security-Policy") == ["default-src 'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8000", 200),
        ("pocai:8000", 200),
        ("host.docker.internal:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.1.5", 403),
        ("localhost.evil.example.", 403),
        ("[::1.evil.example", 403),
        ("", 200),  # HTTP/1.0; every browser names its host
    ],
)
def test_without_credentials_only_local_names_are_answered(url: str, host: str, status: int) -> None:
    assert httpx.get(f"{url}/v1/mine", headers={"Host": host}).status_code == status


def test_with_credentials_any_name_is_answered(tmp_path: Path) -> None:
    with served(settings_for(tmp_path, access={"mode": "on"})) as found:
        assert httpx.get(f"{found}/v1/styled", headers={"Host": "pocai.school.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("https://school.example", 200),
        ("same", 200),
        ("https://evil.example", 403),
        ("https://school.example.evil.example", 403),
        ("http://school.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_origins_may_not_call(url: str, origin: str | None, status: int) -> None:
    headers = {} if origin is None else {"Origin": url if origin == "same" else origin}
    answer = httpx.post(f"{url}/v1/count", content=b"x", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "not_allowed"
        assert isinstance(httpx.post(f"{url}/ai/count", headers=headers).json()["detail"], str)


def test_a_foreign_page_opens_no_websocket(url: str) -> None:
    def upgraded(**headers: str) -> int:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        connection.request("GET", "/v1/ws", headers={**handshake, "Sec-WebSocket-Key": "A" * 22 + "==", **headers})
        status = connection.getresponse().status
        connection.close()
        return status

    assert upgraded(Origin="https://evil.example") == 403
    assert upgraded(Host="evil.example") == 403
    assert upgraded(Origin="https://school.example") == 101
    assert upgraded() == 101


def test_cors_is_for_named_origins_and_v1_only(url: str) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, prefer"}
    page = {"Origin": "https://school.example"}
    allowed = httpx.options(f"{url}/v1/count", headers={**ask, **page})
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://school.example"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    answer = httpx.post(f"{url}/v1/count", headers=page)
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    for refused in (
        httpx.options(f"{url}/v1/count", headers={**ask, "Origin": "https://evil.example"}),
        httpx.options(f"{url}/ai/count", headers={**ask, **page}),
        httpx.post(f"{url}/ai/count", headers=page),
    ):
        assert "Access-Control-Allow-Origin" not in refused.headers
