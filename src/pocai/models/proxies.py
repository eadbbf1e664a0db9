"""Stand-ins for a recognizer: one that is made when it is needed, and one that reads for one thread at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from pocai.models.protocols import Reading, Recognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


class LateRecognizer:
    """A recognizer that is made when the first line has to be read; it is made once, whoever asks first."""

    def __init__(self, make: Callable[[], Recognizer]) -> None:
        self._make = make
        self._made: Recognizer | None = None
        self._making = Lock()

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop; without crops nothing is made."""
        if not crops:
            return []
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made.recognize(crops)


class InTurn:
    """A recognizer that may not be called from several threads, as one that may: they wait for each other."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._reading = Lock()

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop."""
        with self._reading:
            return self._recognizer.recognize(crops)
