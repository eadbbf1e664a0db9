"""How far a run is, told while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps done of ``total``, the mean loss of the last ones, steps a second, and seconds that are left."""

    step: int
    total: int
    loss: float
    rate: float
    seconds_left: float
    score: float | None = None


Reporter = Callable[[Progress], None]


class PrintedProgress:
    """Plain lines on a stream, at most one in ``every`` seconds, and one for the last step."""

    def __init__(self, every: float = 10.0, stream: TextIO | None = None) -> None:
        self._every = every
        self._stream = stream
        self._last = -float("inf")

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < self._every and progress.step < progress.total:
            return
        self._last = now
        stream = self._stream or sys.stderr
        stream.write(f"{line(progress)}\n")
        stream.flush()


def line(progress: Progress) -> str:
    """One line of text: step, loss, best score, rate, time left."""
    score = "" if progress.score is None else f"  best {progress.score:.4f}"
    left = timedelta(seconds=round(progress.seconds_left))
    return (
        f"step {progress.step}/{progress.total}  loss {progress.loss:.4f}{score}  "
        f"{progress.rate:.2f} steps/s  {left} left"
    )
