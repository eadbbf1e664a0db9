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
    size = (width, height) if turns == 2 else (height, width)
    moved = _moved(page, forward, image, size)
    return replace(moved, lines=tuple(replace(line, angle=(line.angle + 90 * turns) % 360) for line in moved.lines))


def _moved(page: Page, forward: Transform, image: Image | None, size: tuple[float, float]) -> Page:
    """The page with everything on it moved by the homography ``forward``, its picture replaced by ``image``."""
    import numpy as np

    to_source = np.array(page.to_source).reshape(3, 3) @ np.linalg.inv(forward)
    to_source /= to_source[2, 2]

    def point(old: Point) -> Point:
        x, y, w = forward @ (old[0], old[1], 1.0)
        return float(x / w), float(y / w)

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


def _row_major(matrix: Any) -> Matrix:
    a, b, c, d, e, f, g, h, i = (float(value) for value in matrix.ravel())
    return a, b, c, d, e, f, g, h, i
