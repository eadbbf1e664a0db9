"""Ruling lines of a picture: where a straight, axis-parallel edge runs, printed as a line or as the rim of a fill.

Works on colour differences, so that a table drawn by coloured fills alone has rules too. A printed line has two
edges, an edge on either side; both are merged into one rule down its middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocai.documents.page import Rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORKING_SIDE = 2000  # pixels of the longer side at which edges are looked for
CONTRAST = 14  # least step of a colour channel (of 255) between the two sides of an edge
SHARE_OF_SIDE = 0.02  # shortest run of an edge, as a share of the longer side: longer than the strokes of letters
LEAST_RUN = 20  # shortest run in pixels, for small pictures
BRIDGE = 0.012  # a gap in a rule up to this share of the longer side is bridged (writing across a line)
THICKEST = 0.006  # two edges closer than this share of the longer side are the two sides of one line


def find_rules(image: NDArray[np.uint8]) -> tuple[Rule, ...]:
    """The rules of an RGB picture ``(H, W, 3)``, in its pixels; horizontal ones first, each sorted by position."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    if min(height, width) < LEAST_RUN:
        return ()
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    small = np.ascontiguousarray(small)
    side = max(small.shape[:2])
    horizontal = _merge(_all_runs(small, side), side)
    vertical = _merge(_all_runs(np.ascontiguousarray(small.transpose(1, 0, 2)), side), side)
    return tuple(
        [Rule((a / scale, at / scale), (b / scale, at / scale), thick / scale) for at, a, b, thick in horizontal]
        + [Rule((at / scale, a / scale), (at / scale, b / scale), thick / scale) for at, a, b, thick in vertical]
    )


def _all_runs(image: NDArray[np.uint8], side: int) -> list[Run]:
    """Horizontal runs of edges, dark-to-light and light-to-dark apart: letters in a row alternate, rules do not."""
    import cv2

    above, below = image[:-2], image[2:]
    rising, falling = _strongest(cv2.subtract(below, above)), _strongest(cv2.subtract(above, below))
    return [
        run
        for strong, weak in ((rising, falling), (falling, rising))
        for run in _runs(cv2.compare(strong, cv2.max(weak, CONTRAST - 1.0), cv2.CMP_GT), side)
    ]


def _strongest(step: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest step of the three channels."""
    import cv2

    red, green, blue = cv2.split(step)
    strongest: NDArray[np.uint8] = cv2.max(cv2.max(red, green), blue)
    return strongest


Run = tuple[float, float, float, float]  # position across, begin, end, thickness


def _runs(mask: NDArray[np.uint8], side: int) -> list[Run]:
    """Straight runs of edge pixels at least as long as `SHARE_OF_SIDE` of the page."""
    import cv2
    import numpy as np

    least = max(LEAST_RUN, round(SHARE_OF_SIDE * side))
    # A rule of a hand-held scan climbs a pixel now and then: close such steps before short runs are opened away.
    mask = cv2.dilate(mask, np.ones((2, 1), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    runs: list[Run] = []
    for left, top, width, height, _ in stats[1:count]:
        if width < 3 * height:
            runs.extend(_thin(mask[top : top + height, left : left + width], left, top))
        else:
            runs.append((float(top + 1 + (height - 1) / 2), float(left), float(left + width), float(height)))
    return runs


def _thin(patch: NDArray[np.uint8], left: int, top: int) -> list[Run]:
    """Runs of a component that is no thin line (lines grown together): row by row."""
    import numpy as np

    runs: list[Run] = []
    for offset in range(0, patch.shape[0], 2):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], patch[offset] > 0, [0])).astype(np.int8)))
        runs.extend(
            (float(top + 1 + offset), float(left + a), float(left + b), 1.0)
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
    return runs


def _merge(runs: list[Run], side: int) -> list[Run]:
    """Both sides of a line become one rule, and pieces of one line are joined over small gaps."""
    thickest, bridge = max(3.0, THICKEST * side), max(6.0, BRIDGE * side)
    merged: list[Run] = []
    for run in sorted(runs):
        near = (i for i, other in enumerate(merged) if _same_rule(run, other, thickest, bridge))
        index = next(near, None)
        if index is None:
            merged.append(run)
        else:
            merged[index] = _joined(run, merged[index])
    return merged


def _same_rule(run: Run, other: Run, thickest: float, bridge: float) -> bool:
    return abs(run[0] - other[0]) <= thickest and run[1] <= other[2] + bridge and other[1] <= run[2] + bridge


def _joined(run: Run, other: Run) -> Run:
    low = min(run[0] - run[3] / 2, other[0] - other[3] / 2)
    high = max(run[0] + run[3] / 2, other[0] + other[3] / 2)
    length, other_length = run[2] - run[1], other[2] - other[1]
    at = (run[0] * length + other[0] * other_length) / (length + other_length)
    return at, min(run[1], other[1]), max(run[2], other[2]), high - low
