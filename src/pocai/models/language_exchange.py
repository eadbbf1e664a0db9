"""A request to a language model behind HTTP, and what comes back.

Only this machine is spoken to unless the caller allows more. Proxies and credentials of the environment are not used,
redirects are not followed, and what comes back is read up to a limit.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from pocai.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    import httpx

    from pocai.models.language_page import NumberedPage

_CONNECT_SECONDS = 10.0
_OK = 200
_KEY = re.compile(r"[\x21-\x7e]+")  # what a header can hold, without spaces
_SHOWN = 40  # characters of a name that a message shows


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is, and how long it may take.

    ``url`` is what stands before the path of the protocol ("http://127.0.0.1:11434/v1"), ``model`` the name by which
    the endpoint knows it. ``seconds`` bound a request as a whole, ``most_tokens`` and ``most_bytes`` its answer.
    """

    url: str
    model: str
    key: SecretStr | None = None
    seconds: float = 300.0
    most_tokens: int = 8000
    most_bytes: int = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, whether it came to an end, and the tokens that it read and wrote; None: not told."""

    text: str
    finished: bool
    read: int | None
    written: int | None

    def whole(self, endpoint: Endpoint) -> str:
        """The text. Raises ModelError where it was cut off, or there is none."""
        if not self.finished:
            raise failed(f"did not finish within {endpoint.most_tokens} tokens", "Allow more of them")
        if not self.text.strip():
            raise failed("answered nothing", "Use another model")
        return self.text


class AskingWriter(ABC):
    """Writes answers about pages by asking an endpoint in its protocol.

    Raises ConfigurationError or ModelError for an endpoint that may not or cannot be used, as `check` does.
    """

    def __init__(self, endpoint: Endpoint, *, egress: bool = False) -> None:
        check(endpoint, egress=egress)
        self.endpoint = endpoint

    def write(self, page: NumberedPage) -> str:
        """The answer about a page, as the model wrote it.

        Raises ModelError where the endpoint cannot be reached, takes too long, refuses, or answers too much or nothing.
        """
        return self.ask(page).whole(self.endpoint)

    @abstractmethod
    def ask(self, page: NumberedPage) -> Reply:
        """What comes back for a page, cut off or not. Raises ModelError where that is not what the protocol has."""


class Refused(ModelError):
    """The endpoint was not reached or did not take the request: it has not worked, and nothing is owed to it."""


def post(endpoint: Endpoint, path: str, headers: Mapping[str, str], body: bytes) -> Any:
    """The JSON that an endpoint answers to a JSON body.

    Raises Refused, or ModelError where it takes too long or answers too much or no JSON object.
    """
    import httpx

    timeout = httpx.Timeout(endpoint.seconds, connect=min(_CONNECT_SECONDS, endpoint.seconds))
    # nothing packed, so that no answer unpacks to more than it is
    sent = {"Accept-Encoding": "identity", "Content-Type": "application/json", **headers}
    until = time.monotonic() + endpoint.seconds
    try:
        with (
            httpx.Client(timeout=timeout, headers=sent, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", f"{endpoint.url.rstrip('/')}{path}", content=body) as reply,
        ):
            if reply.status_code != _OK:
                raise _refused(f"answered with status {reply.status_code}", "Check its log, the model and the key")
            return _json(_read(reply, endpoint, until))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise _refused(f"cannot be spoken to ({type(error).__name__})", "Check that it runs") from None
    except httpx.TimeoutException:
        raise _too_slow(endpoint) from None
    except httpx.HTTPError as error:
        raise failed(f"cannot be spoken to ({type(error).__name__})", "Check that it runs") from None


def check(endpoint: Endpoint, *, egress: bool) -> None:
    """That an endpoint may be used, and can be.

    Raises ConfigurationError for an address that is none, that holds credentials, or that is not this machine where
    ``egress`` is not allowed; and for a key that would travel in clear. Raises ModelError without the package httpx.
    """
    host, scheme = _parts(endpoint.url)
    if endpoint.key is not None and not _KEY.fullmatch(endpoint.key.get_secret_value()):
        what = "the endpoint's key is empty or has characters that no key has"
        raise ConfigurationError(what, mend="Copy it without quotes")
    if not is_loopback(host):
        if not egress:
            what = f"the endpoint {host} is not this machine, and documents may not leave it"
            raise ConfigurationError(what, mend="Use an endpoint on loopback, or set POCAI_LANGUAGE__EGRESS=true")
        if endpoint.key is not None and scheme == "http":
            raise ConfigurationError(f"the key would travel in clear to {host}", mend="Use https")
    try:
        import httpx  # noqa: F401 -- whether it is there
    except ModuleNotFoundError as error:
        raise ModelError("an endpoint needs the package httpx", mend="pip install 'pocai[client]'") from error


def host_of(endpoint: Endpoint) -> str:
    """The host of an endpoint. Raises ConfigurationError for an address that is none."""
    return _parts(endpoint.url)[0]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine for certain; names below "localhost" may be asked of a DNS."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def failed(what: str, mend: str) -> ModelError:
    """The error of an endpoint that took the request and did not do well."""
    return ModelError(f"the endpoint of the language model {what}", mend=mend)


def _parts(url: str) -> tuple[str, str]:
    """Host and scheme of an address."""
    try:
        address = urlsplit(url)
        host, scheme = address.hostname or "", address.scheme
        odd = scheme not in ("http", "https") or not host or bool(address.query or address.fragment)
        odd = odd or address.port == 0
    except ValueError:
        odd, host, scheme = True, "", ""
    if odd:
        what = f"the endpoint {url[:_SHOWN]!r} is no address"
        raise ConfigurationError(what, mend="Write it as in http://127.0.0.1:11434/v1")
    if address.username or address.password:
        raise ConfigurationError("the endpoint's address holds credentials", mend="Give them as its key")
    return host, scheme


def _read(reply: httpx.Response, endpoint: Endpoint, until: float) -> bytes:
    """The body, as far as limit and time allow."""
    body = bytearray()
    for chunk in reply.iter_raw():
        body += chunk
        if len(body) > endpoint.most_bytes:
            raise failed(f"answered more than {endpoint.most_bytes} bytes", "Use another model")
        if time.monotonic() > until:
            raise _too_slow(endpoint)
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise failed("answered no JSON", "Check its address and its protocol") from None


def _too_slow(endpoint: Endpoint) -> ModelError:
    return failed(f"did not answer within {endpoint.seconds:g} seconds", "Allow more time, or a smaller model")


def _refused(what: str, mend: str) -> Refused:
    return Refused(f"the endpoint of the language model {what}", mend=mend)
