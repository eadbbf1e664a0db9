"""A line crop as our own recognizer sees it; training and serving both prepare their lines here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

HEIGHT = 48  # pixels
WIDEST = 2400  # pixels; a longer line is squeezed
NARROWEST = 8  # pixels
PAPER = 255  # tone of paper, and of what stands to the right of a line in a batch
RULE = 0.85  # share of a column, or a row, that a rule fills
LEAST_CONTRAST = 24  # tones between ink and paper below which a crop is not stretched any further


def line_image(crop: Image) -> Image:
    """A crop (RGB ``(h, w, 3)`` or grey ``(h, w)``, uint8) as dark ink on white paper, ``(48, w)`` uint8.

    Of the three colours the one with the greatest contrast is taken, paper is the commoner of its tones, and the
    tones are stretched: whether a line is black on white or yellow on blue, the network sees the same.
    """
    import cv2
    import numpy as np

    height, width = crop.shape[:2]
    wide = max(NARROWEST, min(WIDEST, round(width * HEIGHT / max(1, height))))
    if not crop.size:
        return np.full((HEIGHT, NARROWEST), PAPER, np.uint8)
    shrinks = height > HEIGHT
    scaled = cv2.resize(crop, (wide, HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if scaled.ndim == 3:  # noqa: PLR2004 (RGB)
        scaled = scaled[:, :, int(cv2.meanStdDev(scaled)[1].argmax())]
    low, middle, high = _tones(_print(scaled), (0.01, 0.5, 0.99))
    if middle < (low + high) / 2:
        scaled, low, high = 255 - scaled, 255 - high, 255 - low
    scale = 255 / max(LEAST_CONTRAST, high - low)
    ink: Image = cv2.convertScaleAbs(cv2.subtract(float(high), scaled), alpha=scale).astype(np.uint8, copy=False)
    return PAPER - ink


def _tones(picture: Image, shares: tuple[float, ...]) -> list[int]:
    """The tones below which the shares of the pixels lie."""
    import numpy as np

    summed = np.cumsum(np.bincount(picture.ravel(), minlength=256))
    return [int(tone) for tone in np.searchsorted(summed, np.array(shares) * summed[-1])]


def _print(tones: Image) -> Image:
    """The columns and rows ``(h, w)`` in which text may stand: rules from edge to edge would pass for ink or paper."""
    import cv2
    import numpy as np

    (middle,) = _tones(tones, (0.5,))
    free = [np.ones(size, bool) for size in tones.shape]
    for apart in (cv2.subtract(float(middle), tones), cv2.subtract(tones, float(middle))):
        marked = cv2.threshold(apart, LEAST_CONTRAST, 1, cv2.THRESH_BINARY)[1]
        for axis in (0, 1):
            filled = cv2.reduce(marked, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
            free[1 - axis] &= filled < RULE * tones.shape[axis]
    rows, columns = free
    if columns.sum() < len(columns) / 2 or rows.sum() < len(rows) / 2:
        return tones
    return tones if rows.all() and columns.all() else tones[rows][:, columns]


def batch_of(lines: list[Image], multiple: int = 16) -> Image:
    """Line images ``(48, w)`` of any widths as one batch ``(N, 1, 48, W)``; W a multiple, paper on the right."""
    import numpy as np

    widest = max(line.shape[1] for line in lines)
    batch = np.full((len(lines), 1, HEIGHT, -(-widest // multiple) * multiple), PAPER, np.uint8)
    for row, line in enumerate(lines):
        batch[row, 0, :, : line.shape[1]] = line
    return batch
