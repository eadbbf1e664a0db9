"""How a photographed page is tilted: where its printed horizontals and verticals meet.

Straight edges of the picture (Grompone von Gioi et al. 2012, doi:10.5201/ipol.2012.gjmr-lsd) are split into level and
upright ones. Each family points to one vanishing point, found by reweighted least squares over its edges; the two
points together give the homography that makes the page rectangular up to its proportions (Hartley and Zisserman 2004,
section 8.8). A page without rules is judged by its rows of text, which tell the skew alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, degrees, radians, tan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Matrix = NDArray[np.float64]

WORKING_SIDE = 1000  # pixels of the longer side at which edges are looked for
SHORTEST = 30  # pixels of an edge there; strokes of letters are shorter
STEEPEST = 25.0  # degrees by which a level or upright edge may be off
SUPPORT = 1.0  # total length of the edges of a family, in longer sides, below which it proves nothing
LEVEL = 0.3  # degrees of tilt below which a page counts as straight
OUTLIER = 0.01  # radians of an edge from its family from which its weight falls
INK = 60  # least difference in tone (of 255) between writing and its surroundings
MOST_SKEW = 5.0  # degrees looked at for pages without rules
GAIN = 1.15  # rows must stand out this much more clearly when the skew is undone


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges of one family: middles ``(N, 2)``, unit directions ``(N, 2)``, lengths ``(N,)``.

    Coordinates have their origin in the middle of the picture, half its longer side is 1.
    """

    middles: Matrix
    directions: Matrix
    lengths: Matrix

    @property
    def total(self) -> float:
        """Length of all edges in longer sides of the picture."""
        return float(self.lengths.sum()) / 2


def rectification(image: Image) -> Matrix | None:
    """The homography ``(3, 3)`` that makes an RGB page straight, in pixels; None where it is straight already.

    It keeps the middle of the page where it is, and its size there.
    """
    import numpy as np

    height, width = image.shape[:2]
    grey = _working_copy(image)
    level, upright = _families(grey)
    half = max(width, height) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2 / half, height / 2 / half)
    if level.total < SUPPORT and upright.total < SUPPORT:
        straight = _rotation(_skew(grey))
    else:
        straight = _from_edges(level, upright, corners)
    if straight is None:
        return None
    normal = np.array([(1 / half, 0, -width / 2 / half), (0, 1 / half, -height / 2 / half), (0, 0, 1)])
    matrix: Matrix = np.linalg.inv(normal) @ straight @ normal
    return matrix


def _working_copy(image: Image) -> Image:
    import cv2

    scale = min(1.0, WORKING_SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    grey: Image = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey


def _families(grey: Image) -> tuple[_Edges, _Edges]:
    """Level and upright edges of a grey picture; directions point to the right and down."""
    import cv2
    import numpy as np

    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(grey)[0]
    segments = np.zeros((0, 4)) if found is None else found.reshape(-1, 4).astype(np.float64)
    height, width = grey.shape
    points = (segments.reshape(-1, 2, 2) + 0.5 - (width / 2, height / 2)) / (max(width, height) / 2)
    steps = points[:, 1] - points[:, 0]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    long = lengths > 2 * SHORTEST / max(width, height)
    steep = tan(radians(STEEPEST))
    families = []
    for along, across in ((0, 1), (1, 0)):
        mine = long & (np.abs(steps[:, across]) < steep * np.abs(steps[:, along]))
        directions = steps[mine] / lengths[mine, None]
        directions *= np.sign(directions[:, along : along + 1])
        families.append(_Edges(points[mine].mean(axis=1), directions, lengths[mine]))
    return families[0], families[1]


def _from_edges(level: _Edges, upright: _Edges, corners: Matrix) -> Matrix | None:
    """The homography that makes both families parallel to the axes, or the rotation that does, or None."""
    if level.total < SUPPORT or upright.total < SUPPORT:
        return _rotation(_slope(level) if level.total >= SUPPORT else -_slope(upright))
    across, down = _meeting_point(level, along=0), _meeting_point(upright, along=1)
    tilts = _tilts(across, corners, along=0), _tilts(down, corners, along=1)
    if max(abs(tilt) for family in tilts for tilt in family) < LEVEL:
        return None
    every = (*tilts[0], *(-tilt for tilt in tilts[1]))
    if max(every) - min(every) < LEVEL:
        return _rotation(_slope(level))
    return _homography(across, down)


def _slope(edges: _Edges) -> float:
    """Median angle of the edges in degrees, weighted by length: clockwise for level, anticlockwise for upright ones."""
    import numpy as np

    along = int(abs(edges.directions[:, 1]).sum() > abs(edges.directions[:, 0]).sum())
    angles = np.arctan(edges.directions[:, 1 - along] / edges.directions[:, along])
    order = np.argsort(angles)
    weights = np.cumsum(edges.lengths[order])
    return degrees(float(angles[order][np.searchsorted(weights, weights[-1] / 2)]))


def _meeting_point(edges: _Edges, *, along: int) -> Matrix:
    """The point ``(3,)``, homogeneous and often at infinity, that the edges lead to; outliers lose their weight."""
    import numpy as np

    slope = tan(radians(_slope(edges)))
    point = np.array((1.0, slope, 0.0) if along == 0 else (slope, 1.0, 0.0))
    (mx, my), (dx, dy) = edges.middles.T, edges.directions.T
    lines = np.stack((-dy, dx, dy * mx - dx * my), axis=1)
    for _ in range(12):
        reach = np.hypot(point[0] - point[2] * mx, point[1] - point[2] * my)
        off = np.abs(lines @ point) / reach
        weights = edges.lengths / (1 + (off / OUTLIER) ** 2) ** 2 / reach**2
        normal = (lines * weights[:, None]).T @ lines
        normal[2, 2] += 1e-4 * weights.sum()  # few edges close together: rather parallel than a wild guess
        point = np.linalg.eigh(normal)[1][:, 0]
        point /= point[along]
    meeting: Matrix = point
    return meeting


def _tilts(point: Matrix, corners: Matrix, *, along: int) -> list[float]:
    """Degrees between the axis and the direction to a vanishing point, at each corner of the page."""
    steps = point[:2] - point[2] * corners
    return [degrees(atan(step[1 - along] / step[along])) for step in steps]


def _rotation(angle: float) -> Matrix | None:
    """The rotation that undoes a skew of ``angle`` degrees clockwise; None for one too small to matter."""
    import numpy as np

    if abs(angle) < LEVEL:
        return None
    cosine, sine = np.cos(radians(angle)), np.sin(radians(angle))
    return np.array([(cosine, sine, 0), (-sine, cosine, 0), (0, 0, 1)])


def _homography(across: Matrix, down: Matrix) -> Matrix | None:
    """Sends the vanishing points to infinity along the axes; None when the horizon crosses the page's middle."""
    import numpy as np

    horizon = np.cross(across, down)
    if abs(horizon[2]) < np.hypot(horizon[0], horizon[1]):
        return None
    projective = np.array([(1, 0, 0), (0, 1, 0), horizon / horizon[2]])
    right, below = ((projective @ point)[:2] for point in (across, down))
    affine = np.eye(3)
    affine[:2, :2] = np.linalg.inv(np.stack((right, below), axis=1))
    affine[:2, :2] /= np.sqrt(np.linalg.det(affine[:2, :2]))
    straight: Matrix = affine @ projective
    return straight


def _skew(grey: Image) -> float:
    """Degrees clockwise by which rows of text are off, 0.0 where no angle makes the rows stand out more clearly."""
    import cv2
    import numpy as np

    contrast = cv2.absdiff(grey, cv2.blur(grey, (31, 31)))
    rows, columns = np.nonzero(contrast > INK)
    if len(rows) < SHORTEST:
        return 0.0

    def clarity(angle: float) -> float:
        shifted = np.round(rows - (columns - grey.shape[1] / 2) * tan(radians(angle))).astype(int)
        counts = np.bincount(shifted - shifted.min()).astype(np.float64)
        return float(np.square(np.diff(counts)).sum())

    coarse = max(np.arange(-MOST_SKEW, MOST_SKEW + 0.1, 0.5), key=clarity)
    best = float(max(np.arange(coarse - 0.4, coarse + 0.41, 0.1), key=clarity))
    return best if clarity(best) > GAIN * clarity(0.0) else 0.0
