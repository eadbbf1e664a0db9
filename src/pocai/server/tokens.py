"""JWT bearer tokens (RFC 7519, checked as RFC 8725 advises): who they name, and what they allow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from anyio import CapacityLimiter, to_thread

from pocai.errors import NotAuthenticated, Unavailable
from pocai.server.keys import TENANT, Scope
from pocai.settings import Access

LEEWAY = 30.0  # seconds that clocks may differ
LIFESPAN = 300.0  # seconds that published keys are believed
TIMEOUT = 5.0  # seconds that their address may take to answer
PAUSE = 10.0  # seconds without a new try after it did not
LONGEST = 8192  # characters of a token
LONGEST_SUBJECT = 200  # characters
FAULTS = (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError)  # of the address, not of the token
PUBLISHED = frozenset({"RS256", "ES256"})


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says."""

    subject: str
    tenant: str
    scopes: frozenset[Scope]


async def claims_of(token: str, access: Access) -> Claims:
    """The claims of a token that is valid now.

    HS256 is checked with the secret, RS256 and ES256 with published keys; nothing else is accepted. Raises
    NotAuthenticated, or Unavailable where the published keys cannot be had.
    """
    if len(token) > LONGEST:
        raise _refusal("it is too long")
    try:
        header = jwt.get_unverified_header(token)
        key, algorithm = await _key(header, access)
        return _claims(_decoded(token, key, algorithm, access), access)
    except jwt.PyJWTError as error:
        raise _refusal(_reason(error)) from error


async def _key(header: Mapping[str, Any], access: Access) -> tuple[jwt.PyJWK | str, str]:
    """The key that the token must be signed with; chosen by our settings, never by the token alone."""
    algorithm = str(header.get("alg"))
    if algorithm == "HS256" and access.jwt_secret is not None:
        return access.jwt_secret.get_secret_value(), algorithm
    if algorithm in PUBLISHED and access.jwks_url is not None:
        key = await published(access.jwks_url).key(header.get("kid"))
        if key.algorithm_name != algorithm:
            raise _refusal("its algorithm is not that of its key")
        return key, algorithm
    raise _refusal("its algorithm is not accepted here")


def _decoded(token: str, key: jwt.PyJWK | str, algorithm: str, access: Access) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=access.jwt_audience,
        issuer=access.jwt_issuer,
        leeway=LEEWAY,
        options={"require": ["exp", "sub", access.tenant_claim], "verify_aud": access.jwt_audience is not None},
    )
    return claims


def _claims(claims: Mapping[str, Any], access: Access) -> Claims:
    subject, tenant = claims["sub"], claims[access.tenant_claim]
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise _refusal("its subject cannot be used")
    if not isinstance(tenant, str) or TENANT.fullmatch(tenant) is None:
        raise _refusal("its tenant cannot be used")
    return Claims(subject, tenant, _scopes(claims))


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """Scopes that we know, from ``scope`` (RFC 8693, 4.2: a text with spaces) or ``scopes`` (a list)."""
    named, listed = claims.get("scope"), claims.get("scopes")
    words = named.split() if isinstance(named, str) else listed if isinstance(listed, list) else ()
    return frozenset(scope for scope in Scope if scope in words)


REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is meant for another audience"),
    (jwt.InvalidIssuerError, "another issuer made it"),
    (jwt.MissingRequiredClaimError, "a claim is missing that it must have"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
    (jwt.PyJWKClientError, "its key is not published"),
)


def _reason(error: jwt.PyJWTError) -> str:
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), "its form is wrong")


def _refusal(reason: str) -> NotAuthenticated:
    return NotAuthenticated(f"the token is not accepted: {reason}", mend="Ask its issuer for a new one")


class PublishedKeys:
    """Keys that an issuer publishes at a URL (RFC 7517), fetched when first needed and then every `LIFESPAN`.

    One thread at most waits for the URL, and after a failure nobody asks for `PAUSE` seconds: tokens that anybody can
    invent must not stop the service while the issuer is down. Keys that are still believed go on to open.
    """

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, lifespan=LIFESPAN, timeout=TIMEOUT)
        self._one = CapacityLimiter(1)
        self._silent_until = 0.0  # monotonic seconds

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """The key of an id. Raises `jwt.PyJWKClientError` for an unknown one, Unavailable where none can be had."""
        return await to_thread.run_sync(self._find, kid, limiter=self._one)

    def _find(self, kid: str | None) -> jwt.PyJWK:
        if time.monotonic() < self._silent_until and not self._remembers(kid):
            raise self._unavailable()
        try:
            self._client.get_jwk_set()
        except (*FAULTS, jwt.PyJWKClientError) as error:
            raise self._unavailable(PAUSE) from error
        try:
            return self._client.get_signing_key(kid or "")  # an unknown one makes it ask again, twice a minute at most
        except FAULTS as error:
            raise self._unavailable(PAUSE) from error

    def _remembers(self, kid: str | None) -> bool:
        cache = self._client.jwk_set_cache
        known = None if cache is None else cache.get()
        return known is not None and any(key.key_id == kid for key in known.keys)

    def _unavailable(self, pause: float = 0.0) -> Unavailable:
        """What to raise now, and for ``pause`` seconds to come."""
        self._silent_until = max(self._silent_until, time.monotonic() + pause)
        left = max(1.0, self._silent_until - time.monotonic())
        return Unavailable("the issuer's keys cannot be had", mend="Come again in a moment", retry_after=left)


@lru_cache(maxsize=8)
def published(url: str) -> PublishedKeys:
    """The keys of a URL, one object for the whole process."""
    return PublishedKeys(url)
