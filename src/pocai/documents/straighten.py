"""Makes a page upright, straight, flat and evenly lit; each step looks first whether it is needed at all.

Every function is pure: it gives back a new page whose ``to_source`` still leads to the uploaded picture, or the
same page where nothing had to be done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pocai.documents.page import Box, Line, Matrix, Page, Point, Quad

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Transform = NDArray[np.float64]


MOST_GROWTH = 1.6  # sides of a flattened page over those of the picture; more comes of a misjudged page
GRID = 24  # patches along the longer side in which the light is measured
LEAST_GRID = 3  # patches along the shorter side below which no surface can be told
DIMMEST = 0.75  # darkest over brightest paper below which the light is evened out
ROUGHEST = 0.03  # median misfit of a smooth light from which the differences are print, not light


def straighten(page: Page) -> Page:
    """The page with skew, perspective and uneven light undone; turning it upright is left to who can read it.

    A page without a picture, or with text of its own, is given back as it is.
    """
    if page.image is None or page.has_text:
        return page
    return even_light(flatten(page))


def flatten(page: Page) -> Page:
    """The page rotated or, where it was photographed at an angle, warped so that its printed lines are axis-parallel.

    Pages off by less than 0.3 degrees stay as they are.
    """
    import cv2
    import numpy as np

    from pocai.documents.vanishing import rectification

    if page.image is None:
        return page
    forward = rectification(page.image)
    if forward is None:
        return page
    height, width = page.image.shape[:2]
    box = Box.around(
        Box(*spot, *spot) for spot in (_at(forward, corner) for corner in Quad.of(Box(0, 0, width, height)))
    )
    size = (round(box.width), round(box.height))
    if not (0 < size[0] <= MOST_GROWTH * width and 0 < size[1] <= MOST_GROWTH * height):
        return page
    forward = _shift(-box.left, -box.top) @ forward
    # OpenCV counts from the middle of the first pixel, a page from its corner.
    warp = _shift(-0.5, -0.5) @ forward @ _shift(0.5, 0.5)
    rim = np.concatenate((page.image[0], page.image[-1], page.image[:, 0], page.image[:, -1]))
    paper = tuple(float(value) for value in np.median(rim, axis=0))
    image = cv2.warpPerspective(page.image, warp, size, flags=cv2.INTER_CUBIC, borderValue=paper)
    return _moved(page, forward, image.astype(np.uint8, copy=False), (float(size[0]), float(size[1])))


def even_light(page: Page) -> Page:
    """The page as if lit evenly: divided by the light that a smooth surface through its brightest patches shows.

    Colours keep their hue. Coloured cells do not count as shade, because they do not lie on a smooth surface.
    """
    import cv2
    import numpy as np

    if page.image is None:
        return page
    light = _light(page.image)
    if light is None:
        return page
    gain = cv2.resize((light.max() / light).astype(np.float32), page.image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    image = cv2.multiply(page.image, cv2.merge((gain, gain, gain)), dtype=cv2.CV_8U)
    return replace(page, image=image.astype(np.uint8, copy=False))


def _light(image: Image) -> Transform | None:
    """Brightness of the paper on a coarse grid, from 0 to 1; None where it is even enough or not smooth."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    patch = max(1, max(height, width) // (GRID * 8))
    small = cv2.resize(image, (max(1, width // patch), max(1, height // patch)), interpolation=cv2.INTER_AREA)
    bright = cv2.dilate(small.max(axis=2), np.ones((9, 9), np.uint8))[4::8, 4::8].astype(np.float64) / 255
    if min(bright.shape) < LEAST_GRID or np.percentile(bright, 5) > DIMMEST * np.percentile(bright, 95):
        return None
    y, x = np.mgrid[-1 : 1 : bright.shape[0] * 1j, -1 : 1 : bright.shape[1] * 1j]
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=-1).reshape(-1, 6)
    values, weights = bright.ravel(), np.ones(bright.size)
    for _ in range(16):
        factors = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        off = terms @ factors - values
        weights = 1 / (1 + (off / ROUGHEST) ** 2)
    surface: Transform = (terms @ factors).reshape(bright.shape)
    uneven = surface.min() < DIMMEST * surface.max()
    return np.maximum(surface, 0.1) if uneven and np.median(np.abs(off)) < ROUGHEST else None


def turn(page: Page, quarter_turns: int) -> Page:
    """The page turned clockwise by ``quarter_turns`` times 90 degrees, with everything on it."""
    import numpy as np

    turns = quarter_turns % 4
    if turns == 0:
        return page
    width, height = page.width, page.height
    forward = np.array(
        {
            1: ((0, -1, height), (1, 0, 0), (0, 0, 1)),
            2: ((-1, 0, width), (0, -1, height), (0, 0, 1)),
            3: ((0, 1, 0), (-1, 0, width), (0, 0, 1)),
        }[turns],
        dtype=np.float64,
    )
    image = None if page.image is None else np.ascontiguousarray(np.rot90(page.image, -turns))
    size = (height, width) if turns % 2 else (width, height)
    moved = _moved(page, forward, image, size)
    return replace(moved, lines=tuple(replace(line, angle=(line.angle + 90 * turns) % 360) for line in moved.lines))


def _moved(page: Page, forward: Transform, image: Image | None, size: tuple[float, float]) -> Page:
    """The page with everything on it moved by the homography ``forward``, its picture replaced by ``image``."""
    import numpy as np

    to_source = np.array(page.to_source).reshape(3, 3) @ np.linalg.inv(forward)
    to_source /= to_source[2, 2]

    def point(old: Point) -> Point:
        return _at(forward, old)

    def box(old: Box) -> Box:
        return Quad(*(point(corner) for corner in Quad.of(old))).box

    def line(old: Line) -> Line:
        words = tuple(replace(word, box=box(word.box)) for word in old.words)
        return replace(old, quad=Quad(*(point(corner) for corner in old.quad)), words=words)

    return replace(
        page,
        width=size[0],
        height=size[1],
        image=image,
        to_source=_row_major(to_source),
        lines=tuple(line(old) for old in page.lines),
        rules=tuple(replace(rule, start=point(rule.start), end=point(rule.end)) for rule in page.rules),
        fills=tuple(replace(fill, box=box(fill.box)) for fill in page.fills),
        pictures=tuple(replace(picture, box=box(picture.box)) for picture in page.pictures),
    )


def _at(matrix: Transform, point: Point) -> Point:
    """Where a homography sends a point."""
    x, y, w = matrix @ (point[0], point[1], 1.0)
    return float(x / w), float(y / w)


def _shift(x: float, y: float) -> Transform:
    import numpy as np

    return np.array([(1, 0, x), (0, 1, y), (0, 0, 1)], dtype=np.float64)


def _row_major(matrix: Any) -> Matrix:
    a, b, c, d, e, f, g, h, i = (float(value) for value in matrix.ravel())
    return a, b, c, d, e, f, g, h, i
