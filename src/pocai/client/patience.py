"""How long and how often one call goes on after failures that may pass."""

from __future__ import annotations

import random
import time

from pocai.errors import DeadlineExceeded, PocaiError

FIRST, LONGEST = 1.0, 10.0  # seconds between two attempts, doubled each time


class Patience:
    """The time and the attempts that one call has left; ``seconds`` is None where there is no end.

    Attempts go on beyond ``retries``, unless these are 0, until the failures have lasted ``outage`` seconds.
    """

    def __init__(self, seconds: float | None, retries: int, *, outage: float = 0.0) -> None:
        self._seconds = seconds
        self._until = float("inf") if seconds is None else time.monotonic() + seconds
        self._retries = retries
        self._outage = outage
        self._failures = 0
        self._since = 0.0

    @property
    def left(self) -> float:
        """Seconds; infinite where there is no end."""
        return self._until - time.monotonic()

    def check(self, going_on: str = "") -> None:
        """Raise DeadlineExceeded when the time is up; ``going_on`` says how to come back to what goes on."""
        if self.left <= 0:
            mend = going_on or "Allow more with timeout="
            raise DeadlineExceeded(f"the service took longer than {self._seconds:g} s", mend=mend)

    def renew(self) -> None:
        """Something was achieved: count failures from the beginning."""
        self._failures = 0

    def pause_after(self, failure: PocaiError) -> float:
        """Seconds until the next attempt: exponential with jitter, or what the service asks for where that is longer.

        Raises the failure when there is no attempt or not enough time left.
        """
        if self._failures == 0:
            self._since = time.monotonic()
        if self._failures >= self._retries and not (self._retries and time.monotonic() < self._since + self._outage):
            raise failure
        self._failures += 1
        longest = min(LONGEST, FIRST * 2.0 ** min(self._failures - 1, 16))
        jittered = random.uniform(longest / 2, longest)  # noqa: S311 - spreads clients over time, hides nothing
        pause = max(jittered, getattr(failure, "retry_after", None) or 0.0)
        if pause >= self.left:
            raise failure
        return pause
