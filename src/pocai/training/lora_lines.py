"""Lines to train an adapter on: a few of the new style, and old ones beside them so that the old skill is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.line_image import line_image
from pocai.training.datasets import LineFolder, Lines, hash_of, hash_of_pixels, split_by_hash
from pocai.training.line_batches import LineImages, Pixels, Scored
from pocai.training.ocr_model.line_sources import HeldLines

MOST_OLD = 2000  # old lines that are taken, evenly from all


class ChosenLines:
    """Some of the lines of a source, by their numbers there."""

    def __init__(self, source: LineImages, numbers: Sequence[int]) -> None:
        self._source = source
        self._numbers = tuple(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def image(self, index: int) -> Pixels:
        """``(48, w)`` uint8."""
        return self._source.image(self._numbers[index])

    def text(self, index: int) -> str:
        """What is printed on it."""
        return self._source.text(self._numbers[index])

    def teacher(self, index: int) -> Scored | None:
        """What the source's teacher says."""
        return self._source.teacher(self._numbers[index])

    def widths(self) -> NDArray[np.int32]:
        """Widths in pixels ``(N,)``."""
        return self._source.widths()[list(self._numbers)]


@dataclass(frozen=True, slots=True)
class Halves:
    """Lines to train on, and lines of the same kind to validate on."""

    train: LineImages
    validation: LineImages

    @classmethod
    def of(cls, lines: LineImages, most: int | None = None) -> Self:
        """One line in ten, told by the hash of its pixels, is for validation; at most ``most`` lines are taken."""
        count = len(lines) if most is None else min(most, len(lines))
        numbers = [number * len(lines) // count for number in range(count)]
        held_out = split_by_hash([hash_of_pixels(lines.image(number)) for number in numbers])
        sides = (
            [number for number, held in zip(numbers, held_out, strict=True) if held is side] for side in (False, True)
        )
        train, validation = (ChosenLines(lines, side) for side in sides)
        return cls(train, validation)

    @classmethod
    def of_folder(cls, folder: LineFolder) -> Self:
        """The lines that `pocai.training.datasets.read_line_folder` found, split as they are there."""
        return cls(held(folder.train), held(folder.validation))

    def check(self, what: str) -> None:
        """Raises InputError where one side is empty."""
        if not len(self.train) or not len(self.validation):
            counts = f"{len(self.train)} to train on, {len(self.validation)} to validate on"
            raise InputError(f"too few {what}: {counts}", mend="Give at least two different lines, better 200")

    @property
    def data_hash(self) -> str:
        """SHA-256 over pixels and texts of both sides, whatever the order."""
        sides = (self.train, self.validation)
        return hash_of((hash_of_pixels(side.image(n)), side.text(n)) for side in sides for n in range(len(side)))


def held(lines: Lines) -> HeldLines:
    """Lines with their pictures in the student's shape, in memory."""
    each = [lines.line(number) for number in range(len(lines))]
    return HeldLines([line_image(line.image) for line in each], [line.text for line in each])
