"""One request of a caller: who asks, for what the service that answers is needed, and what the audit log is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Depends
from starlette.requests import Request

from pocai.server.auth import Extractor, Principal
from pocai.server.service import Service, ServiceDep


@dataclass(frozen=True, slots=True)
class Desk:
    """What the requests of one service share: who may draw, and who may use an Idempotency-Key, one at a time.

    Drawing takes at most half of the reading processes, so that pictures never hold up the documents for long.
    """

    drawing: asyncio.Semaphore
    keys: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def turn(self, key: str) -> asyncio.Lock:
        """The lock of a key; it lives as long as somebody holds or awaits it."""
        return self.keys.setdefault(key, asyncio.Lock())


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the service behind it, and who makes it."""

    request: Request
    service: Service
    principal: Principal

    @property
    def desk(self) -> Desk:
        """What this service's requests share."""
        state = self.request.app.state
        if not hasattr(state, "desk"):
            state.desk = Desk(asyncio.Semaphore(max(1, self.service.pool.size // 2)))
        desk = state.desk
        assert isinstance(desk, Desk)
        return desk

    def record(self, action: str, target: str, outcome: str = "ok") -> None:
        """Write into the audit log; ``target`` is an id, never a name."""
        request_id = getattr(self.request.state, "request_id", "")
        self.service.audit.record(action, self.principal, target, outcome, request_id)


def _call_of(request: Request, service: ServiceDep, principal: Extractor) -> Call:
    return Call(request, service, principal)


CallDep = Annotated[Call, Depends(_call_of)]
