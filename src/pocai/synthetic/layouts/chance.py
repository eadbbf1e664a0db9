"""Choices of a seeded generator, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from numpy.random import Generator

T = TypeVar("T")


def pick(rng: Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of the options, each as likely as its weight (all alike without weights)."""
    if weights is None:
        return options[int(rng.integers(len(options)))]
    total = sum(weights)
    return options[int(rng.choice(len(options), p=[weight / total for weight in weights]))]


def happens(rng: Generator, chance: float) -> bool:
    """True with this chance, 0 to 1."""
    return bool(rng.random() < chance)


def between(rng: Generator, low: float, high: float) -> float:
    """A number between two others."""
    return float(rng.uniform(low, high))
