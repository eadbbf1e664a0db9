"""A line crop as a TrOCR network sees it; training and serving both prepare their lines here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pocai.models.line_image import PAPER, line_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Pixels = NDArray[np.float32]

Fit = Literal["squeeze", "keep"]
_COLOURS = 3
Pixel = Annotated[int, Field(ge=1)]


class Preparation(BaseModel):
    """How crops become tensors; part of a model's card.

    ``squeeze`` is what TrOCR was pretrained with (Li et al. 2023, arXiv:2109.10282): the colour crop drawn out to
    ``height`` x ``width``, whatever its shape, bilinear. In a line ten times as wide as high a letter is then a
    tenth of its width, and every line costs as much as the longest.
    ``keep`` keeps the shape: `line_image` (dark on white, 48 high) scaled to ``height``, paper to its right up to a
    multiple of ``multiple`` pixels. A line wider than ``width`` is squeezed to it. Letters have the same size in
    every line, and a short line costs little.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: Fit
    height: Pixel
    width: Pixel
    multiple: Pixel
    channels: Literal[1, 3] = 3
    mean: float = 0.5
    deviation: Annotated[float, Field(gt=0)] = 0.5

    def picture(self, crop: Image) -> Image:
        """A crop (RGB ``(h, w, 3)`` uint8, not empty) as ``(height, w, channels)`` uint8, w at most ``width``."""
        return self._squeezed(crop) if self.fit == "squeeze" else self.scaled(line_image(crop))

    def scaled(self, line: Image) -> Image:
        """What `line_image` makes of a crop, ``(48, w)`` uint8, as `picture` gives it where shapes are kept."""
        import cv2
        import numpy as np

        wide = min(self.width, max(1, round(line.shape[1] * self.height / line.shape[0])))
        if (self.height, wide) != line.shape:
            way = cv2.INTER_AREA if wide < line.shape[1] else cv2.INTER_CUBIC
            line = cv2.resize(line, (wide, self.height), interpolation=way).astype(np.uint8, copy=False)
        return np.repeat(line[:, :, None], self.channels, axis=2)

    def padded(self, width: int) -> int:
        """The width in pixels to which a picture of that width is filled up with paper."""
        return min(self.width, -(-width // self.multiple) * self.multiple)

    def batch(self, pictures: Sequence[Image]) -> Pixels:
        """Pictures as one tensor ``(N, channels, height, W)``, W the width to which the widest is padded."""
        import numpy as np

        widest = self.padded(max(picture.shape[1] for picture in pictures))
        batch = np.full((len(pictures), self.height, widest, self.channels), PAPER, np.uint8)
        for row, picture in enumerate(pictures):
            batch[row, :, : picture.shape[1]] = picture
        scaled = (batch.astype(np.float32) / 255 - self.mean) / self.deviation
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)

    def _squeezed(self, crop: Image) -> Image:
        """As the image processor of the published checkpoints does it: Pillow, bilinear, antialiased."""
        import numpy as np
        from PIL import Image as Pillow

        drawn = Pillow.fromarray(crop).convert("RGB" if self.channels == _COLOURS else "L")
        squeezed = np.asarray(drawn.resize((self.width, self.height), Pillow.Resampling.BILINEAR), dtype=np.uint8)
        return squeezed.reshape(self.height, self.width, self.channels)
