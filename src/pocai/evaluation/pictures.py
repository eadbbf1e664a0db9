"""Page pictures for the report: small, encoded at once, with the way from marks to their pixels."""

from __future__ import annotations

from dataclasses import dataclass

from pocai.documents.page import Box, Matrix, Page

MAX_SIDE = 1400
_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as the report shows it, ``width`` by ``height`` units.

    ``jpeg`` is its picture; where a page has none (Office) the report draws ``cells``, boxes with their text.
    ``from_source`` is the homography from the units of marks (the uploaded page) to those of the picture.
    """

    number: int
    width: float
    height: float
    from_source: Matrix
    jpeg: bytes | None = None
    cells: tuple[tuple[Box, str], ...] = ()

    def place(self, box: tuple[float, float, float, float]) -> tuple[tuple[float, float], ...]:
        """The four corners of a mark's ``box`` in this picture, clockwise."""
        left, top, right, bottom = box
        return tuple(
            _moved(self.from_source, *corner) for corner in ((left, top), (right, top), (right, bottom), (left, bottom))
        )


def picture_of(page: Page, *, max_side: int = MAX_SIDE) -> PagePicture:
    """The picture of ``page``, its longer side at most ``max_side`` pixels."""
    import numpy as np

    from_source = np.linalg.inv(np.array(page.to_source, dtype=np.float64).reshape(3, 3))
    if page.image is None:
        return PagePicture(page.number, page.width, page.height, _matrix(from_source), cells=_cells(page))
    import cv2

    height, width = page.image.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(page.image, size, interpolation=cv2.INTER_AREA) if scale < 1 else page.image
    encoded = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    to_pixels = np.diag([size[0] / page.width, size[1] / page.height, 1.0])  # the page may be in points
    return PagePicture(page.number, *size, _matrix(to_pixels @ from_source), jpeg=encoded.tobytes())


def _cells(page: Page) -> tuple[tuple[Box, str], ...]:
    tabled = [(cell.box, cell.text) for table in page.tables for cell in table.cells]
    return (*tabled, *((line.box, line.text) for line in page.lines))


def _matrix(values: object) -> Matrix:
    import numpy as np

    a, b, c, d, e, f, g, h, i = (float(value) for value in np.asarray(values).ravel())
    return a, b, c, d, e, f, g, h, i


def _moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    depth = matrix[6] * x + matrix[7] * y + matrix[8] or 1.0
    return (
        (matrix[0] * x + matrix[1] * y + matrix[2]) / depth,
        (matrix[3] * x + matrix[4] * y + matrix[5]) / depth,
    )
