"""Who calls, and what they may do: API keys, JWT bearer tokens, and the host application by its address.

Credentials come as ``Authorization: Bearer`` (RFC 6750), as the password of ``Authorization: Basic`` (RFC 7617), as
``X-API-Key``, or, since browsers cannot set headers of a WebSocket, as its subprotocol ``pocai.bearer.<token>``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes
from fastapi.security.http import HTTPBase
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from pocai.errors import NotAllowed, NotAuthenticated, ServiceError
from pocai.server.failures import HOST_PATHS
from pocai.server.keys import PREFIX, Scope
from pocai.server.service import Service, service_of
from pocai.server.tokens import claims_of
from pocai.settings import Settings

__all__ = [
    "ANYONE",
    "PROTOCOL",
    "Admin",
    "Caller",
    "Extractor",
    "FeaturesUser",
    "HostCaller",
    "MetricsReader",
    "ModelsDeployer",
    "ModelsReader",
    "Principal",
    "Scope",
    "access_on",
    "admit",
    "authenticate",
    "authenticate_host",
    "caller_of",
    "is_loopback",
    "spoken_protocol",
]

PROTOCOL = "pocai"  # subprotocol that a WebSocket is accepted with; the one with the token must not be sent back
WITH_TOKEN = f"{PROTOCOL}.bearer."
FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")  # headers by which a proxy shows itself
IPV6_SITE = 64  # bits that name a site; one caller has all addresses below

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

BEARER = HTTPBearer(scheme_name="bearer", description="An API key, or a JWT.", auto_error=False)
BASIC = HTTPBase(scheme="basic", scheme_name="basic", description="An API key as password.", auto_error=False)
HEADER = APIKeyHeader(name="X-API-Key", scheme_name="apiKey", description="An API key.", auto_error=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever calls. ``subject`` is ``key:<id>`` of an API key or ``jwt:<sub>`` of a token."""

    tenant: str
    subject: str
    scopes: frozenset[Scope]

    def may(self, scope: str) -> bool:
        """Whether it has the scope, or ``admin``, which implies all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYONE = Principal("local", "anonymous", frozenset(Scope))  # where access is off


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from: ``address`` is None where nobody says it, ``vouched`` whether it can be believed."""

    address: Address | None
    vouched: bool

    @property
    def bucket(self) -> str:
        """What its requests are counted under: an IPv4 address, or an IPv6 site."""
        if isinstance(self.address, IPv6Address):
            return str(ip_network((self.address, IPV6_SITE), strict=False))
        return "unknown" if self.address is None else str(self.address)

    def within(self, networks: Networks) -> bool:
        """Whether it surely comes from one of the networks."""
        return self.vouched and self.address is not None and any(self.address in network for network in networks)


def access_on(settings: Settings) -> bool:
    """Whether credentials are needed: as set, or else everywhere but on loopback."""
    mode = settings.server.access.mode
    return mode == "on" or (mode == "auto" and not is_loopback(settings.server.host))


def is_loopback(host: str) -> bool:
    """Whether a host name or address, an IPv6 one with or without brackets, is this machine only."""
    address = _address(host)
    return host.casefold() == "localhost" or (address is not None and address.is_loopback)


def caller_of(connection: HTTPConnection, proxies: Networks) -> Caller:
    """Where a request comes from: its peer, or the last hop before our own proxies in ``X-Forwarded-For``.

    A peer that is none of our proxies and yet forwards for others cannot be believed to be who it speaks for.
    """
    headers, peer = connection.headers, _address(connection.client.host if connection.client else "")
    hops = [hop for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
    if not hops or peer is None or not _in(peer, proxies):
        return Caller(peer, vouched=not any(name in headers for name in FORWARDED))
    for hop in reversed(hops):
        peer = _address(hop)
        if peer is None or not _in(peer, proxies):
            break
    return Caller(peer, vouched=True)


async def authenticate(
    connection: HTTPConnection,
    needed: SecurityScopes,
    _bearer: Annotated[object, Security(BEARER)] = None,  # these three only show in the OpenAPI document
    _basic: Annotated[object, Security(BASIC)] = None,
    _header: Annotated[object, Security(HEADER)] = None,
) -> Principal:
    """Who calls, with every scope that is needed.

    Raises NotAuthenticated, NotAllowed for a missing scope, Busy for too many requests.
    """
    principal = await _identify(connection)
    for scope in needed.scopes:
        if not principal.may(scope):
            error = NotAllowed(f"this needs the scope {str(scope)!r}", mend="Use a key that was made with it")
            _note(connection, principal, error)
            raise error
    return principal


async def authenticate_host(
    connection: HTTPConnection,
    _bearer: Annotated[object, Security(BEARER)] = None,
    _basic: Annotated[object, Security(BASIC)] = None,
    _header: Annotated[object, Security(HEADER)] = None,
) -> Principal:
    """The host application: known by its address, or by credentials of its own tenant with the scope ``extract``.

    Raises NotAuthenticated, NotAllowed for another scope or tenant, Busy for too many requests with credentials.
    """
    settings = service_of(connection).settings
    host = settings.server.host_application
    caller = caller_of(connection, settings.server.access.trusted_proxies)
    if not access_on(settings) or caller.within(host.networks):
        return Principal(host.tenant, "host", frozenset({Scope.EXTRACT}))
    principal = await authenticate(connection, SecurityScopes([Scope.EXTRACT]))
    if principal.tenant != host.tenant:
        mend = f"Use a key of the tenant {host.tenant!r}"
        error = NotAllowed("this is for the host application only", mend=mend)
        _note(connection, principal, error)
        raise error
    return principal


Extractor = Annotated[Principal, Security(authenticate, scopes=[Scope.EXTRACT])]
ModelsReader = Annotated[Principal, Security(authenticate, scopes=[Scope.MODELS_READ])]
ModelsDeployer = Annotated[Principal, Security(authenticate, scopes=[Scope.MODELS_DEPLOY])]
MetricsReader = Annotated[Principal, Security(authenticate, scopes=[Scope.ADMIN])]
FeaturesUser = Annotated[Principal, Security(authenticate, scopes=[Scope.FEATURES])]
Admin = Annotated[Principal, Security(authenticate, scopes=[Scope.ADMIN])]
HostCaller = Annotated[Principal, Depends(authenticate_host)]


async def admit(connection: HTTPConnection) -> None:
    """Refuse a stranger before anything of the body is read; scopes are for the route to check."""
    if connection.url.path.startswith(HOST_PATHS):
        await authenticate_host(connection)
    else:
        await _identify(connection)


def spoken_protocol(connection: HTTPConnection) -> str | None:
    """The subprotocol to accept a WebSocket with: `PROTOCOL` where it is offered (RFC 6455, 4.2.2), never the token."""
    return PROTOCOL if PROTOCOL in connection.scope.get("subprotocols", ()) else None


async def _identify(connection: HTTPConnection) -> Principal:
    """Who calls, found out and counted once for each request."""
    known = getattr(connection.state, "principal", None)
    if isinstance(known, Principal):
        return known
    service = service_of(connection)
    principal = await _login(connection, service) if access_on(service.settings) else ANYONE
    connection.state.principal = principal
    return principal


async def _login(connection: HTTPConnection, service: Service) -> Principal:
    caller = caller_of(connection, service.settings.server.access.trusted_proxies)
    await service.rates.hit("ip", caller.bucket)
    try:
        principal = await _proven(_credentials(connection), service)
    except NotAuthenticated as error:
        stranger = Principal("", f"address:{caller.address or 'unknown'}", frozenset())
        _note(connection, stranger, error)
        await service.rates.hit("ip", caller.bucket)  # a failed login counts twice
        raise
    await service.rates.hit("key", principal.subject)
    return principal


async def _proven(token: str | None, service: Service) -> Principal:
    """Whom a token proves. Raises NotAuthenticated."""
    if token is None:
        mend = "Send an API key or a token: Authorization: Bearer …"
        raise NotAuthenticated("this needs credentials", mend=mend)
    if token.startswith(PREFIX):
        key = await run_in_threadpool(service.keys.find, token)
        if key is None:
            raise NotAuthenticated("the API key is unknown, expired or revoked", mend="Ask for a new one")
        return Principal(key.tenant, f"key:{key.id}", frozenset(scope for scope in Scope if scope in key.scopes))
    access = service.settings.server.access
    if access.jwt_secret is None and access.jwks_url is None:
        raise NotAuthenticated("that is no API key", mend=f"It begins with {PREFIX}")
    claims = await claims_of(token, access)
    return Principal(claims.tenant, f"jwt:{claims.subject}", claims.scopes)


def _credentials(connection: HTTPConnection) -> str | None:
    """The token that came with a request or a WebSocket, wherever it stands. Raises NotAuthenticated for a bad form."""
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, value = header.partition(" ")
        match scheme.casefold():
            case "bearer":
                return value.strip()
            case "basic":
                return _password(value.strip())
        raise NotAuthenticated("that way to authenticate is unknown", mend="Use Bearer or Basic")
    key = connection.headers.get("x-api-key")
    if key is not None:
        return key.strip()
    offered: Sequence[str] = connection.scope.get("subprotocols", ())
    return next((name.removeprefix(WITH_TOKEN) for name in offered if name.startswith(WITH_TOKEN)), None)


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError) as error:
        mend = "Encode user:password in Base64"
        raise NotAuthenticated("the Basic credentials cannot be decoded", mend=mend) from error


def _note(connection: HTTPConnection, principal: Principal, error: ServiceError) -> None:
    """Put a refusal into the audit log; its target is the route, never the path, which may hold anything."""
    route = getattr(connection.scope.get("route"), "path", "")
    method = connection.scope.get("method", "WebSocket")
    request_id = getattr(connection.state, "request_id", "")
    service_of(connection).audit.record("auth.refused", principal, f"{method} {route}", error.code, request_id)


def _in(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """An IP address, with or without port, brackets and zone; IPv4 inside IPv6 as IPv4; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
