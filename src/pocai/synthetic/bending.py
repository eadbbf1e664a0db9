"""How a sheet lies before the camera: skewed, in perspective, curled; and where its points come to lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Self

from pocai.documents.page import IDENTITY, Matrix
from pocai.synthetic.chance import between

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bending:
    """First each column of the sheet moves down by a wave of its x, then a homography maps the sheet into the picture.

    ``matrix`` has its rows one after the other; ``height`` and ``phase`` of the wave are in pixels and radians,
    ``pace`` is in radians a pixel. Pixel centres lie at whole numbers, as in OpenCV.
    """

    matrix: Matrix = IDENTITY
    height: float = 0.0
    pace: float = 0.0
    phase: float = 0.0

    @classmethod
    def drawn(cls, rng: Generator, size: tuple[int, int], tilt: float, curl: float = 0.0) -> Self:
        """For a sheet of ``size`` (width, height): corners move by up to ``tilt`` of it, columns by ``curl`` pixels.

        Corners move inwards, so that nothing leaves the picture, which keeps the size of the sheet.
        """
        import cv2
        import numpy as np

        width, height = size
        corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
        inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        target = corners + inwards * rng.random((4, 2)) * (tilt * width, tilt * height)
        if curl:
            target += inwards * (0, curl * between(rng, 0.5, 1.0))
        homography = cv2.getPerspectiveTransform(corners, target.astype(np.float32))
        values = tuple(float(value) for value in homography.ravel())
        matrix: Matrix = values  # type: ignore[assignment]  # nine of them
        return cls(matrix, curl * between(rng, 0.5, 1.0), between(rng, 0.6, 1.6) * pi / width, between(rng, 0, 2 * pi))

    @classmethod
    def turned(cls, size: tuple[int, int], degrees: float) -> Self:
        """A sheet that lies askew: turned about its middle, clockwise."""
        import cv2

        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), -degrees, 1.0)
        first, second = ((float(a), float(b), float(c)) for a, b, c in turn)
        return cls((*first, *second, 0.0, 0.0, 1.0))

    def moved(self, points: Points) -> Points:
        """Where points ``(N, 2)`` of the sheet (x, y) come to lie in the picture."""
        import numpy as np

        waved = np.array(points, np.float64)
        waved[:, 1] += self._wave(waved[:, 0])
        return _projected(np.array(self.matrix).reshape(3, 3), waved)

    def of(self, image: Image, around: tuple[int, int, int] = (255, 255, 255)) -> Image:
        """The picture of the sheet, of the same size; beyond the sheet lies a table of the colour ``around``."""
        import cv2
        import numpy as np

        tall, wide = image.shape[:2]
        if not self.height:
            matrix = np.array(self.matrix).reshape(3, 3)
            flat = cv2.warpPerspective(
                image, matrix, (wide, tall), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=around
            )
            return np.asarray(flat, np.uint8)
        places = np.stack(np.meshgrid(np.arange(wide), np.arange(tall)), axis=2).reshape(-1, 2)
        sources = _projected(np.linalg.inv(np.array(self.matrix).reshape(3, 3)), places.astype(np.float64))
        sources[:, 1] -= self._wave(sources[:, 0])
        maps = sources.astype(np.float32).reshape(tall, wide, 2)
        bent = cv2.remap(image, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=around)
        return np.asarray(bent, np.uint8)

    def _wave(self, xs: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        return self.height * np.sin(self.pace * xs + self.phase)


def _projected(matrix: NDArray[np.float64], points: Points) -> Points:
    """Points ``(N, 2)`` through a homography ``(3, 3)``."""
    import numpy as np

    lifted = np.concatenate((points, np.ones((len(points), 1))), axis=1) @ matrix.T
    return lifted[:, :2] / lifted[:, 2:]
