"""A circuit breaker: a service that fails is left alone for a while, so that nobody waits for it in vain.

After M. Nygard, "Release It!", 2nd edition, 2018, ch. 5.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class State(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one, to see whether the service is back


class Breaker:
    """Opens after ``failures`` in a row; ``pause`` seconds later lets one call through, whose success closes it.

    ``changed`` is told each new state, under the lock: it must be quick and not call back. Thread safe.
    """

    def __init__(
        self,
        changed: Callable[[State], None],
        *,
        failures: int = 3,
        pause: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = changed
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failed = 0
        self._next_try = 0.0

    @property
    def state(self) -> State:
        """Whether calls are let through now."""
        return self._state

    def admits(self) -> bool:
        """Whether a call may be made; whoever makes it says afterwards whether it `succeeded` or `failed`.

        A try that nobody reports on is replaced by another one after the pause.
        """
        with self._lock:
            if self._state is State.CLOSED:
                return True
            if self._clock() < self._next_try:
                return False
            self._next_try = self._clock() + self._pause
            self._become(State.HALF_OPEN)
            return True

    def succeeded(self) -> None:
        """A call was answered: the service is there."""
        with self._lock:
            self._failed = 0
            self._become(State.CLOSED)

    def failed(self) -> None:
        """A call was not answered. One that had begun before the breaker opened changes nothing."""
        with self._lock:
            self._failed += 1
            if self._state is State.HALF_OPEN or (self._state is State.CLOSED and self._failed >= self._most):
                self._next_try = self._clock() + self._pause
                self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._changed(state)
