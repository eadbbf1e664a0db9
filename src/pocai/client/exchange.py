"""What a call says and hears, apart from how it is sent; both clients play the same flows.

A flow is a generator, as `httpx.Auth.auth_flow` is one: it yields steps and is sent what came of each. It never waits,
reads or sends itself, so that one flow serves the blocking client and the asynchronous one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import httpx

from pocai.client.connection import CONNECT_SECONDS
from pocai.client.documents import Document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request below the service's address; ``fields`` go into the form beside the document."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    document: Document | None = None

    def arguments(self, seconds: float) -> dict[str, Any]:
        """What httpx builds the request from; nothing on the way may take longer than ``seconds``."""
        timeout = httpx.Timeout(max(seconds, 0.001), connect=min(max(seconds, 0.001), CONNECT_SECONDS))
        arguments = {"method": self.method, "url": self.path, "params": dict(self.params), "timeout": timeout}
        arguments["headers"] = dict(self.headers)
        if self.document is not None:
            arguments["data"] = dict(self.fields)
            arguments["files"] = {"file": (self.document.name, self.document.content)}
        return arguments


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered; ``content`` is empty where a stream was opened."""

    status: int
    headers: httpx.Headers
    content: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The reply of a response that has been read."""
        return cls(response.status_code, response.headers, response.content)

    @property
    def ok(self) -> bool:
        """Whether the service did what was asked."""
        return httpx.codes.is_success(self.status)


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; comes back as a Reply, or raises httpx.RequestError."""

    request: Request
    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Open a stream; comes back as a Reply, or raises httpx.RequestError. An earlier stream is closed."""

    request: Request
    seconds: float


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for the next bytes of the stream; None at its end. Raises httpx.RequestError."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Read a document from the disk."""

    read: Callable[[], Document]


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to the caller."""

    news: Any


Act = Send | Listen | Next | Pause | Load
Flow = Generator[Act | Tell, Any, T]


class Play(Generic[T]):
    """A flow being played: take its `step`, say by `go_on` what came of it; without a step its `result` stands."""

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.result: T
        self.step: Act | Tell | None = None
        self.go_on(None)

    def go_on(self, outcome: object) -> None:
        """Tell what came of the step: a value, or the error of the connection. Raises what the flow raises."""
        try:
            if isinstance(outcome, httpx.RequestError):
                self.step = self._flow.throw(outcome)
            else:
                self.step = self._flow.send(outcome)
        except StopIteration as end:
            self.step, self.result = None, end.value
