"""A line of those who wait for something of which there are only a few."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from typing import Generic, TypeVar

from pocai.errors import Unavailable

T = TypeVar("T")


class Line(Generic[T]):
    """Free things, and those who wait for one: the urgent first, then in the order in which they came."""

    def __init__(self) -> None:
        self._free: list[T] = []
        self._waiting: list[tuple[bool, int, asyncio.Future[T]]] = []
        self._numbers = itertools.count()
        self._closed = False

    @property
    def idle(self) -> bool:
        """Whether something is free, so that nobody waits."""
        return bool(self._free)

    async def take(self, *, urgent: bool) -> T:
        """A free thing. Raises Unavailable when the line is closed."""
        if self._closed:
            raise stopping()
        if self._free:
            return self._free.pop()
        turn: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not urgent, next(self._numbers), turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give(turn.result())
            raise

    def give(self, thing: T) -> None:
        """Hand a free thing to whoever is first."""
        while self._waiting:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                turn.set_result(thing)
                return
        self._free.append(thing)

    def forget(self, thing: T) -> None:
        """Offer a thing no longer."""
        with contextlib.suppress(ValueError):
            self._free.remove(thing)

    def close(self) -> None:
        """Send away all who wait or will come."""
        self._closed = True
        for *_, turn in self._waiting:
            if not turn.done():
                turn.set_exception(stopping())
        self._waiting.clear()


def stopping() -> Unavailable:
    """What is said to those who come when the service is about to end."""
    return Unavailable("the service is stopping", mend="Come again in a moment", retry_after=2)
