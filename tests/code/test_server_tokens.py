"""Tokens of an issuer: what they say, what is refused, published keys; and what an attacker would try."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from guarded import SECRET, claims, guarded, signed
from hypothesis import given
from hypothesis import strategies as st
from redis_server import free_port

from pocai.errors import NotAuthenticated, Unavailable
from pocai.server import tokens
from pocai.server.keys import Scope
from pocai.server.tokens import Claims, claims_of
from pocai.settings import Access

# --- tokens ------------------------------------------------------------------------------------------------------


def verified(token: str, **access: Any) -> Claims:
    return asyncio.run(claims_of(token, Access.model_validate({"jwt_secret": SECRET, **access})))


def test_a_token_says_who_and_what() -> None:
    assert verified(signed(claims())) == Claims("client", "school", frozenset({Scope.EXTRACT, Scope.MODELS_READ}))


def test_scopes_may_be_a_list_and_unknown_ones_give_nothing() -> None:
    assert verified(signed(claims(scope=None, scopes=["admin", "root", 7, ["x"]]))).scopes == {Scope.ADMIN}
    assert verified(signed(claims(scope="EXTRACT extracts model:read"))).scopes == frozenset()
    assert verified(signed(claims(scope={"admin": True}))).scopes == frozenset()
    assert verified(signed(claims(scope=None, scopes="admin"))).scopes == frozenset()


def test_the_tenant_is_in_the_claim_that_the_settings_name() -> None:
    token = signed(claims(tenant="wrong", **{"https://school.example/tenant": "right"}))
    assert verified(token, tenant_claim="https://school.example/tenant").tenant == "right"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (lambda now: {"exp": now - 60}, "expired"),
        (lambda _: {"exp": None}, "missing"),
        (lambda _: {"sub": None}, "missing"),
        (lambda _: {"tenant": None}, "missing"),
        (lambda now: {"nbf": now + 90}, "not valid yet"),
        (lambda _: {"sub": ""}, "subject"),
        (lambda _: {"sub": "x" * 201}, "subject"),
        (lambda _: {"sub": "a\nb"}, "subject"),
        (lambda _: {"tenant": 7}, "tenant"),
        (lambda _: {"tenant": ["school"]}, "tenant"),
        (lambda _: {"tenant": "a:b"}, "tenant"),
        (lambda _: {"exp": "soon"}, "form"),
    ],
)
def test_tokens_that_are_refused_for_what_they_say(more: Callable[[float], dict[str, Any]], said: str) -> None:
    with pytest.raises(NotAuthenticated, match=said):
        verified(signed(claims(**more(time.time()))))


def test_audience_and_issuer_must_be_ours_where_they_are_set() -> None:
    access = {"jwt_audience": "pocai", "jwt_issuer": "https://id.example"}
    right = claims(aud=["other", "pocai"], iss="https://id.example")
    assert verified(signed(right), **access).tenant == "school"
    for name, value in (("aud", None), ("aud", "other"), ("iss", None), ("iss", "https://evil.example")):
        with pytest.raises(NotAuthenticated):
            verified(signed({key: kept for key, kept in {**right, name: value}.items() if kept is not None}), **access)
    assert verified(signed(claims(aud="whatever"))).tenant == "school"


def test_a_token_of_another_secret_or_algorithm_is_refused() -> None:
    with pytest.raises(NotAuthenticated, match="signature"):
        verified(signed(claims(), SECRET[::-1]))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        verified(signed(claims(), SECRET * 2, "HS512"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        verified(jwt.encode(claims(), "", "none"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        asyncio.run(claims_of(signed(claims()), Access()))


def raw(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    """A token that no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    "token",
    [
        "a.b.c",
        "..",
        "x" * 9000,
        raw({}, claims()),
        raw({"alg": None}, claims()),
        raw({"alg": ["HS256"]}, claims()),
        raw({"alg": "HS256", "crit": ["x"]}, claims()),
        raw({"alg": "HS256"}, claims(), b"x" * 32),
        raw({"alg": "HS256", "kid": {"a": 1}}, claims()),
        base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.",
        base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5000).decode() + ".e30.",
        base64.urlsafe_b64encode(b'["HS256"]').decode() + ".e30.",
        base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".e30.",
    ],
)
def test_malformed_tokens_are_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        verified(token)


@given(st.one_of(st.text(max_size=300), st.lists(st.binary(max_size=60), min_size=3, max_size=3)))
def test_no_text_whatever_is_a_token(parts: str | list[bytes]) -> None:
    token = parts if isinstance(parts, str) else ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
    with pytest.raises(NotAuthenticated):
        verified(token)


def test_a_signed_payload_that_is_no_object_is_refused() -> None:
    for payload in (b"[]", b'"x"', b"7", b"\xff", b"{" * 3000):
        with pytest.raises(NotAuthenticated):
            verified(jwt.api_jws.encode(payload, SECRET, "HS256"))


def test_a_token_opens_the_service(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"jwt_secret": SECRET, "rate_per_key": "2/minute"}) as service:
        answer = service.get(token=signed(claims()))
        assert answer.json() == {"tenant": "school", "subject": "jwt:client", "scopes": ["extract", "models:read"]}
        assert service.get("/metrics", signed(claims())).status_code == 403
        assert service.get(token=signed(claims(exp=1))).status_code == 401
        assert service.get(token=signed(claims())).status_code == 429
        sent = service.socket({}, "pocai", "pocai.bearer." + signed(claims(sub="browser")))
        assert json.loads(sent[1]["text"])["subject"] == "jwt:browser"


# --- published keys ----------------------------------------------------------------------------------------------


@dataclass
class Issuer:
    """An issuer that publishes its keys over HTTP on loopback."""

    url: str
    asked: int = 0
    answer: bytes = b""
    status: int = 200

    def publish(self, *keys: dict[str, Any]) -> None:
        self.answer = json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Issuer(f"http://127.0.0.1:{server.server_port}/jwks.json")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(**more: str) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "r", "use": "sig", **more}


def ec_jwk() -> dict[str, Any]:
    return {**jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "e", "use": "sig"}


def by_issuer(token: str, issuer: Issuer, **access: Any) -> Claims:
    return asyncio.run(claims_of(token, Access.model_validate({"jwks_url": issuer.url, **access})))


def test_published_keys_are_fetched_once_for_many_tokens(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk(alg="RS256"), ec_jwk())
    for _ in range(3):
        assert by_issuer(signed(claims(), RSA, "RS256", kid="r"), issuer).subject == "client"
        assert by_issuer(signed(claims(), EC, "ES256", kid="e"), issuer).subject == "client"
    assert issuer.asked == 1


def test_an_unknown_key_is_refused_and_does_not_flood_the_issuer(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    for number in range(5):
        with pytest.raises(NotAuthenticated, match="not published"):
            by_issuer(signed(claims(), RSA, "RS256", kid=f"unknown {number}"), issuer)
    with pytest.raises(NotAuthenticated, match="not published"):
        by_issuer(signed(claims(), RSA, "RS256"), issuer)
    assert issuer.asked == 1


def test_a_public_key_is_no_secret_of_hs256(issuer: Issuer) -> None:
    """The classic confusion: HS256 with what everybody can read (RFC 8725, 2.1)."""
    issuer.publish(
        rsa_jwk(), {"kty": "oct", "alg": "HS256", "kid": "o", "k": base64.urlsafe_b64encode(b"x" * 32).decode()}
    )
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = raw({"alg": "HS256", "kid": "r"}, claims()).split(".")
    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for token in (forged, signed(claims(), b"x" * 32, "HS256", kid="o")):
        with pytest.raises(NotAuthenticated, match="algorithm"):
            by_issuer(token, issuer)
        with pytest.raises(NotAuthenticated):
            by_issuer(token, issuer, jwt_secret=SECRET)


def test_a_token_must_use_the_algorithm_of_its_key(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk(), ec_jwk(), rsa_jwk(kid="r512", alg="RS512"))
    with pytest.raises(NotAuthenticated, match="algorithm"):
        by_issuer(signed(claims(), RSA, "RS256", kid="e"), issuer)
    with pytest.raises(NotAuthenticated, match="algorithm"):
        by_issuer(signed(claims(), RSA, "RS256", kid="r512"), issuer)
    with pytest.raises(NotAuthenticated, match="signature"):
        by_issuer(
            signed(claims(), rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", kid="r"), issuer
        )


def test_an_address_in_the_token_is_never_asked(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    with pytest.raises(NotAuthenticated):
        verified(signed(claims(), RSA, "RS256", kid="r", jku=issuer.url, x5u=issuer.url))
    assert issuer.asked == 0


@pytest.mark.parametrize(("status", "answer"), [(500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"keys": []}')])
def test_an_issuer_that_is_down_is_asked_once_and_then_left_alone(issuer: Issuer, status: int, answer: bytes) -> None:
    issuer.status, issuer.answer = status, answer
    for _ in range(3):
        with pytest.raises(Unavailable, match="keys") as caught:
            by_issuer(signed(claims(), RSA, "RS256", kid="r"), issuer)
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= tokens.PAUSE
    assert issuer.asked == 1


def test_an_issuer_that_fails_later_is_no_fault_of_ours(issuer: Issuer) -> None:
    issuer.publish(rsa_jwk())
    keys = tokens.PublishedKeys(issuer.url)
    keys._client.cooldown_duration = 0
    assert asyncio.run(keys.key("r")).key_id == "r"
    issuer.answer = b"<html>"
    with pytest.raises(Unavailable):
        asyncio.run(keys.key("rotated"))
    assert asyncio.run(keys.key("r")).key_id == "r"  # it is still believed
    assert issuer.asked == 2


def test_an_issuer_that_nobody_hears_makes_the_service_unavailable(tmp_path: Path) -> None:
    with guarded(tmp_path, access={"jwks_url": f"http://127.0.0.1:{free_port()}/"}) as service:
        answer = service.get(token=signed(claims(), RSA, "RS256", kid="r"))
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert service.get(token=service.key()).status_code == 200
