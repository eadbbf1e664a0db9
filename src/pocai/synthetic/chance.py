"""Choices of a seeded generator, quick enough for lines of text by the thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from numpy.random import Generator

Item = TypeVar("Item")


def pick(rng: Generator, items: Sequence[Item]) -> Item:
    """One of ``items``, each as likely as the others."""
    return items[int(rng.random() * len(items))]


def happens(rng: Generator, chance: float) -> bool:
    """True with this chance, 0 to 1."""
    return rng.random() < chance


def between(rng: Generator, low: float, high: float) -> float:
    """A number from ``low`` up to ``high``, all alike."""
    return low + (high - low) * rng.random()
