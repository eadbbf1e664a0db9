"""Finds text lines with a differentiable-binarization network (Liao et al. 2020, arXiv:1911.08947)."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist
from typing import TYPE_CHECKING, Any

from pocai.documents.page import Quad
from pocai.models.artefact import Artefact, open_session, usable_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Map = NDArray[np.float32]

WEIGHTS = Artefact(
    package="rapidocr",
    path="models/PP-OCRv6_det_small.onnx",
    sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    licence="Apache-2.0",
)
STRIDE = 32
INK = 0.3  # probability from which a pixel of the map counts as text
BOX = 0.5  # mean probability from which a region counts as a line
UNCLIP = 1.6  # the network paints shrunken lines; they are grown by this times area over circumference
SMALLEST = 3.0  # side of a region in pixels of the map below which it is noise
FINE = 12.0  # height of a line in pixels of the map; where a tenth of them is lower, the picture is looked at again …
FINE_GOAL = 15.0  # … at a size where that tenth is this high
FINEST = 1920  # longest side in pixels of such a second look
ENLARGED = 2.0  # at most this many times the picture's own size


class PPOCRDetector:
    """The detector of PP-OCRv6 (small). Safe to call from several threads.

    ``longest`` is the longest side in pixels at which a picture is looked at; smaller pictures keep their size.
    Raises ModelError when its weights are missing or altered.
    """

    def __init__(self, threads: int = 0, longest: int = 960) -> None:
        self._session = open_session(WEIGHTS.verified(), usable_threads(threads))
        self._longest = longest

    def detect(self, image: Image) -> tuple[Quad, ...]:
        """Text lines of an RGB picture ``(H, W, 3)`` uint8 as quads in its pixels, from top to bottom.

        Each starts at its upper left corner, a vertical one too, as its reading direction is not known yet.
        """
        longest = max(image.shape[:2])
        looked_at = min(self._longest, longest)
        quads = self._look(image, looked_at)
        closer = min(FINEST, ENLARGED * longest, looked_at * FINE_GOAL / _fine(quads, looked_at / longest))
        return self._look(image, round(closer)) if closer > looked_at * FINE_GOAL / FINE else quads

    def _look(self, image: Image, longest: int) -> tuple[Quad, ...]:
        """The lines that are seen when the picture is scaled so that its longer side has ``longest`` pixels."""
        probability: Map = self._session.run(None, {"x": _tensor(image, longest)})[0][0, 0]
        return _quads(probability, image.shape[1], image.shape[0])


def _fine(quads: Sequence[Quad], scale: float) -> float:
    """Height of the fine print (a tenth of the lines is lower) in a picture scaled by ``scale``, in its pixels."""
    import numpy as np

    heights = [min(dist(quad[0], quad[1]), dist(quad[0], quad[3])) for quad in quads]
    return max(1.0, scale * float(np.percentile(heights, 10))) if heights else FINE_GOAL


def _tensor(image: Image, longest: int) -> Map:
    """The picture as the network was trained on: BGR, -1 to 1, sides a multiple of its stride, ``(1, 3, h, w)``."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    ratio = longest / max(height, width)
    size = tuple(max(STRIDE, round(side * ratio / STRIDE) * STRIDE) for side in (width, height))
    shrinks = size[0] < width
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    tensor = scaled[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    tensor *= 2 / 255
    tensor -= 1
    return np.ascontiguousarray(tensor)


def _quads(probability: Map, width: int, height: int) -> tuple[Quad, ...]:
    """The regions of text in a probability map as quads of a picture of ``width`` by ``height`` pixels."""
    import cv2
    import numpy as np

    mask = (probability > INK).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / probability.shape[1], height / probability.shape[0]])
    quads = []
    for contour in contours:
        center, sides, angle = cv2.minAreaRect(contour)
        if min(sides) < SMALLEST or _mean(probability, contour) < BOX:
            continue
        grow = 2 * UNCLIP * sides[0] * sides[1] / (2 * (sides[0] + sides[1]))
        corners = cv2.boxPoints((center, (sides[0] + grow, sides[1] + grow), angle)) * scale
        quads.append(_ordered(np.clip(corners, 0, (width, height))))
    return tuple(sorted((quad for quad in quads if min(quad.box.width, quad.box.height) >= SMALLEST), key=_from_top))


def _mean(probability: Map, contour: Any) -> float:
    """Mean probability inside the smallest turned rectangle around a contour."""
    import cv2
    import numpy as np

    corners = cv2.boxPoints(cv2.minAreaRect(contour))
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners - (left, top)).astype(np.int32), 1)
    return float(cv2.mean(probability[top : top + height, left : left + width], mask)[0])


def _ordered(corners: Any) -> Quad:
    """Four corners clockwise from the upper left one."""
    import numpy as np

    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    top_left, bottom_left = sorted(by_x[:2].tolist(), key=lambda point: point[1])
    top_right, bottom_right = sorted(by_x[2:].tolist(), key=lambda point: point[1])
    return Quad(tuple(top_left), tuple(top_right), tuple(bottom_right), tuple(bottom_left))


def _from_top(quad: Quad) -> tuple[float, float]:
    return quad.box.top, quad.box.left
