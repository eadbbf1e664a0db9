"""Where the service is, and with which credentials it is spoken to; none is shown, logged, or sent in clear."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypedDict

import httpx

from pocai import __version__
from pocai.errors import ConfigurationError

LOCAL = "http://127.0.0.1:8000"
CONNECT_SECONDS = 10.0

_CREDENTIAL = re.compile(r"[\x21-\x7e]+")  # what a header can hold, without spaces


class Options(TypedDict, total=False):
    """How a client speaks to the service.

    ``api_key`` (``pocai_…``) or ``token`` (a JWT, or a quick function that returns a fresh one), not both; None is
    none. ``timeout`` bounds each call as a whole, in seconds (300). ``retries`` is how often a call is repeated after a
    failure that may pass (3); waiting for what the service has accepted outlasts a restart of up to 90 s. ``insecure``
    sends credentials over plain HTTP to another machine, which is refused otherwise. ``tls`` trusts other certificates
    than the system's.
    """

    api_key: str | None
    token: str | Callable[[], str] | None
    timeout: float
    retries: int
    insecure: bool
    tls: ssl.SSLContext | None


class Bearer(httpx.Auth):
    """Credentials as a bearer token (RFC 6750, 2.1); httpx shows that header nowhere."""

    def __init__(self, credentials: str | Callable[[], str]) -> None:
        self._credentials = credentials
        if isinstance(credentials, str):
            self._header()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on a request."""
        request.headers["Authorization"] = self._header()
        yield request

    def _header(self) -> str:
        value = self._credentials if isinstance(self._credentials, str) else self._credentials()
        if not _CREDENTIAL.fullmatch(value):
            raise ConfigurationError(
                "the API key or token is empty or has characters that no key has", mend="Copy it without quotes"
            )
        return f"Bearer {value}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A checked address, and how calls to it behave; ``timeout`` is in seconds."""

    url: httpx.URL
    auth: Bearer | None
    timeout: float
    retries: int
    tls: ssl.SSLContext | None

    def arguments(self) -> dict[str, Any]:
        """What httpx's clients are made with. A proxy of the environment is never used to reach this machine itself."""
        return {
            "base_url": self.url,
            "auth": self.auth,
            "verify": self.tls or True,
            "trust_env": not is_loopback(self.url.host),
            "headers": {"User-Agent": f"pocai/{__version__}"},
        }


def connect(url: str, options: Options) -> Connection:
    """The connection that a caller asks for; raises ConfigurationError for one that cannot be used or is not safe."""
    address = _address(url)
    auth = _auth(options)
    if auth and address.scheme == "http" and not is_loopback(address.host) and not options.get("insecure"):
        raise ConfigurationError(
            f"credentials would travel in clear to {address.host}",
            mend="Use https, or insecure=True on a network that nobody else can read",
        )
    timeout, retries = options.get("timeout", 300.0), options.get("retries", 3)
    if timeout <= 0 or retries < 0:
        raise ConfigurationError(
            f"timeout={timeout} and retries={retries}", mend="Give seconds above 0, and no fewer than 0 retries"
        )
    return Connection(address, auth, timeout, retries, options.get("tls"))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, 6.3


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError("the address of the service is no URL", mend=f"Write it as in {LOCAL}") from error
    if address.userinfo:
        raise ConfigurationError("the address of the service holds credentials", mend="Pass them as api_key= or token=")
    if address.scheme not in {"http", "https"} or not address.host or address.query or address.fragment:
        raise ConfigurationError(f"{url!r} is no address of a service", mend=f"Write it as in {LOCAL}")
    return address


def _auth(options: Options) -> Bearer | None:
    given = [value for value in (options.get("api_key"), options.get("token")) if value is not None]
    if len(given) > 1:
        raise ConfigurationError("an API key and a token were given", mend="Give one of them")
    return Bearer(given[0]) if given else None
