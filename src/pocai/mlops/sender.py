"""The thread that sends the spool of a run while the run goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from pocai.mlops.connection import connect
from pocai.mlops.delivery import Delivery, NoParent
from pocai.mlops.replay import note_sent, replay
from pocai.mlops.spool import Spool
from pocai.settings import MlopsSettings

EVERY = 2.0  # seconds over which records are gathered
LONGEST_PAUSE = 60.0  # seconds between two tries where the server is away

log = logging.getLogger(__name__)


class Sender(threading.Thread):
    """Sends a spool; at the end also what other runs have left. ``first`` is done before anything is sent."""

    def __init__(self, spool: Spool, settings: MlopsSettings, first: Callable[[], None]) -> None:
        super().__init__(name="tracking", daemon=True)
        self._spool, self._settings, self._first = spool, settings, first
        self._woken, self._closing = threading.Event(), threading.Event()
        self._delivery: Delivery | None = None
        self._failed = 0

    def wake(self) -> None:
        """There is something to be sent."""
        self._woken.set()

    def close(self, seconds: float) -> None:
        """Try once more to send what is left, in so many seconds at most, and end."""
        self._closing.set()
        self._woken.set()
        self.join(seconds)

    def run(self) -> None:
        """Until it is closed."""
        with suppress(OSError, ValueError):
            self._first()
        done = False
        while not self._closing.is_set():
            self._woken.clear()
            done = self._try()
            if done:
                self._woken.wait()
            self._closing.wait(EVERY if done else min(LONGEST_PAUSE, EVERY * 2**self._failed))
        if self._try():
            with suppress(Exception):  # of other runs, which are not lost by it
                replay(self._settings)

    def _try(self) -> bool:
        """Send what there is; whether that could be done."""
        try:
            with self._spool.alone() as mine:
                if mine:
                    self._delivery = self._delivery or Delivery(connect(self._settings), self._settings)
                    self._delivery.send(self._spool)
                    note_sent(self._settings, self._spool)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the server, the training goes on
            if not self._failed and not isinstance(error, NoParent):
                log.warning("the run cannot be tracked now (%s); it is kept, and sent later", type(error).__name__)
            self._failed = min(self._failed + 1, 10)
            return False
        self._failed = 0
        return mine
