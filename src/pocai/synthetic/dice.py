"""Choices that follow from a seed, cheap enough for thousands a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pocai.errors import ConfigurationError

_DRAWN = 256  # uniform numbers drawn at once; single draws cost as much

T = TypeVar("T")


class Dice:
    """A stream of choices; equal keys give equal streams.

    ``key`` holds numbers that are not negative. Raises ConfigurationError for others.
    """

    def __init__(self, *key: int) -> None:
        if any(part < 0 for part in key):
            raise ConfigurationError(f"the seed {min(key)} is negative", mend="Give 0 or more")
        self._generator = np.random.default_rng(key)
        self._drawn: list[float] = []

    def share(self) -> float:
        """A number from 0 up to 1, uniform."""
        if not self._drawn:
            self._drawn = self._generator.random(_DRAWN).tolist()
        return self._drawn.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.share() < probability

    def between(self, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``, both included."""
        return least + int(self.share() * (most - least + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self.share() * len(options))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """One of the options, likely by the weight that stands beside it; never one whose weight is not positive."""
        total = 0.0
        for _, weight in options:
            total += max(weight, 0.0)
        left = self.share() * total
        for option, weight in options:
            left -= max(weight, 0.0)
            if left < 0:
                return option
        return options[-1][0]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All options in a random order."""
        return self.sample(options, len(options))

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """``count`` different options (all of them, if there are fewer) in a random order."""
        left, drawn = list(options), []
        for _ in range(min(count, len(left))):
            at = int(self.share() * len(left))
            left[at], left[-1] = left[-1], left[at]
            drawn.append(left.pop())
        return drawn
