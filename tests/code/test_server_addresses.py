"""Where a request comes from, and the host application, which is known by its address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from guarded import Guarded, basic, guarded
from starlette.requests import HTTPConnection

from pocai.server.auth import caller_of

# --- the host application ----------------------------------------------------------------------------------------


@pytest.fixture
def host_service(tmp_path: Path) -> Callable[..., Any]:
    """Calls the host's endpoint from an address; 10.1.0.0/16 may come without credentials, 10.9.0.1 is our proxy."""
    server = {"host_application": {"networks": ["10.1.0.0/16"], "tenant": "host"}}

    @contextmanager
    def called_from(peer: str) -> Iterator[Guarded]:
        with guarded(tmp_path, peer=peer, access={"trusted_proxies": ["10.9.0.1"]}, **server) as service:
            yield service

    return called_from


def test_the_host_is_known_by_its_address(host_service: Callable[..., Any]) -> None:
    with host_service("10.1.2.3") as service:
        answer = service.call("POST", "/ai/extract", {"Authorization": "Bearer nonsense"})
        assert answer.json() == {"tenant": "host", "subject": "host", "scopes": ["extract"]}
        assert service.get().status_code == 401  # its address opens nothing else


def test_elsewhere_the_host_needs_a_key_of_its_own_tenant(host_service: Callable[..., Any]) -> None:
    with host_service("10.2.0.1") as service:
        refused = service.call("POST", "/ai/extract")
        assert refused.status_code == 401
        assert isinstance(refused.json()["detail"], str)
        for key, status in (
            (service.key(tenant="host"), 200),
            (service.key("admin", tenant="host"), 200),
            (service.key("review", tenant="host"), 403),
            (service.key(tenant="school"), 403),
            (service.key("admin", tenant="school"), 403),
        ):
            answer = service.call("POST", "/ai/extract", {"Authorization": basic(key)})
            assert answer.status_code == status
        assert [line["outcome"] for line in service.audited()].count("not_allowed") == 3


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_an_unknown_proxy_beside_us_is_not_the_host(host_service: Callable[..., Any], header: str) -> None:
    with host_service("10.1.2.3") as service:
        assert service.call("POST", "/ai/extract", {header: "10.1.2.3"}).status_code == 401


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("10.1.2.3", 200),
        ("203.0.113.7, 10.1.2.3", 200),
        ("10.1.2.3, 203.0.113.7", 401),  # the caller wrote the first itself
        ("10.1.2.3, unknown", 401),
        ("10.1.2.3, 10.9.0.1", 200),
        ("203.0.113.7, 10.9.0.1", 401),
        ("", 401),
    ],
)
def test_behind_our_proxy_the_last_hop_counts(host_service: Callable[..., Any], forwarded: str, status: int) -> None:
    with host_service("10.9.0.1") as service:
        assert service.call("POST", "/ai/extract", {"X-Forwarded-For": forwarded}).status_code == status


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "vouched"),
    [
        ("192.0.2.1", [], "192.0.2.1", True),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1", False),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1", True),
        ("10.0.0.1", ["192.0.2.9, 198.51.100.1", "10.0.0.2"], "198.51.100.1", True),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1", True),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1", True),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3", True),
        ("10.0.0.1", ["192.0.2.9, nobody"], None, True),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1", True),
        ("::ffff:192.0.2.1", [], "192.0.2.1", True),
        ("fe80::1%eth0", [], "fe80::1", True),
        ("testclient", [], None, True),
        ("10.0.0.1", [], "10.0.0.1", True),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded: list[str], address: str | None, vouched: bool) -> None:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    caller = caller_of(HTTPConnection({"type": "http", "client": (peer, 1), "headers": headers}), NETWORK)
    assert (caller.address if address is None else str(caller.address), caller.vouched) == (address, vouched)
    assert caller.within([ip_network("0.0.0.0/0"), ip_network("::/0")]) == (vouched and address is not None)


NETWORK = [ip_network("10.0.0.0/24")]


def test_an_ipv6_site_is_one_caller() -> None:
    def bucket(peer: str) -> str:
        return caller_of(HTTPConnection({"type": "http", "client": (peer, 1), "headers": []}), []).bucket

    assert bucket("2001:db8::1") == bucket("2001:db8::ffff:1") == "2001:db8::/64"
    assert bucket("2001:db8:0:1::1") != bucket("2001:db8::1")
    assert bucket("192.0.2.1") == "192.0.2.1"
    assert bucket("nobody") == "unknown"
