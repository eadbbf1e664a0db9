"""Line images that are not on disk: made by the generator, or held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pocai.models.line_image import line_image
from pocai.synthetic.fonts import Split
from pocai.synthetic.lines import Damage, LineSource
from pocai.training.line_batches import Pixels, Scored


class HeldLines:
    """Line images in memory."""

    def __init__(self, images: Sequence[Pixels], texts: Sequence[str]) -> None:
        self._images = tuple(images)
        self._texts = tuple(texts)
        self._no_scores: dict[int, Scored] = {}

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> Pixels:
        """``(48, w)`` uint8."""
        return self._images[index]

    def text(self, index: int) -> str:
        """What is printed on it."""
        return self._texts[index]

    def teacher(self, index: int) -> Scored | None:
        """Nothing: no teacher was asked."""
        return self._no_scores.get(index)

    def widths(self) -> NDArray[np.int32]:
        """Widths in pixels ``(N,)``."""
        return np.array([image.shape[1] for image in self._images], np.int32)


class MadeLines:
    """The first ``count`` lines of the generator, made once, when they are first asked for. Pickles as its seed."""

    def __init__(self, seed: int, split: Split, damage: Damage, count: int, families: tuple[str, ...] = ()) -> None:
        self._arguments = (seed, split, damage, count, families)

    def __reduce__(self) -> tuple[type[MadeLines], tuple[object, ...]]:
        return MadeLines, self._arguments

    @cached_property
    def _held(self) -> HeldLines:
        seed, split, damage, count, families = self._arguments
        source = LineSource(seed, split, damage, families)
        samples = [source.line(number) for number in range(count)]
        return HeldLines([line_image(sample.image) for sample in samples], [sample.text for sample in samples])

    def __len__(self) -> int:
        return self._arguments[3]

    def image(self, index: int) -> Pixels:
        """``(48, w)`` uint8."""
        return self._held.image(index)

    def text(self, index: int) -> str:
        """What is printed on it."""
        return self._held.text(index)

    def teacher(self, index: int) -> Scored | None:
        """Nothing: no teacher was asked."""
        return self._held.teacher(index)

    def widths(self) -> NDArray[np.int32]:
        """Widths in pixels ``(N,)``."""
        return self._held.widths()
