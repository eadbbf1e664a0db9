"""How a line is written, measured on its picture: height, weight and colour of the ink.

A recognizer's boxes are too loose to tell a heading from the small print below it. What a person sees at once, bold
or light, large or small, black or grey, is measured here on the pixels of the line itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from pocai.documents.page import Box, Line, Page, Quad
from pocai.documents.type_runs import Ink, parted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

# Shares of the em that letters reach, in most Latin typefaces.
ABOVE, BODY, BELOW, OF_T = 0.72, 0.52, 0.21, 0.64
TALL_LETTERS = frozenset("bdfhkl()[]{}/|\\!?&%$€£#@0123456789")
HANGING_LETTERS = frozenset("gjpqyçQ()[]{}|,;")
NEAR_MIDDLE = 0.28  # share of a line's height within which its own letters have their middle
FULL = 0.8  # share from which a pixel is all ink, and shows its colour
INK = 0.5  # share of the strongest contrast from which a pixel is ink
FEWEST = 3  # pixels in each direction on which something can be measured
FAINTEST = 24  # least contrast (of 255) between ink and ground


def inked(page: Page) -> Page:
    """The page with the size, weight and colour of its lines measured on its picture; without one, as it is.

    Lines in which the type changes are parted there (`type_runs`).
    """
    if page.image is None:
        return page
    lines = []
    for line in page.lines:
        lines += [_measured(each, page.image) for each in parted(line, _words_of(line, page.image))]
    return page.with_lines(lines)


def _measured(line: Line, image: Image) -> Line:
    written = _Writing.of(line, image)
    ink = written and written.ink(line.text)
    return replace(line, size=ink.size, weight=ink.weight, color=ink.color) if ink else line


def _words_of(line: Line, image: Image) -> list[Ink | None]:
    """How each word of an upright line is written; none where its words are not known."""
    if len(line.words) < 2 or round(line.angle):  # noqa: PLR2004 - one word has no change of type
        return []
    _, top, _, bottom = line.box
    places = [Quad.of(Box(word.box.left, top, word.box.right, bottom)) for word in line.words]
    inks: list[Ink | None] = []
    for word, place in zip(line.words, places, strict=True):
        written = _Writing.of(replace(line, quad=place), image)
        inks.append(written.ink(word.text) if written else None)
    return inks


@dataclass(frozen=True, slots=True)
class _Writing:
    """The picture of a line, turned upright: ``crop`` of colours, ``contrast`` to the ground, and ``ink``, 0 to 1."""

    crop: NDArray[np.int16]
    contrast: NDArray[np.float32]
    strokes: NDArray[np.float32]
    strongest: float

    @classmethod
    def of(cls, line: Line, image: Image) -> Self | None:
        """The writing of a line; None where there is too little to measure."""
        import numpy as np

        box = line.box
        height, width = image.shape[:2]
        left, right = max(0, round(box.left)), min(width, round(box.right))
        top, bottom = max(0, round(box.top)), min(height, round(box.bottom))
        if min(right - left, bottom - top) < FEWEST:
            return None
        crop = np.rot90(image[top:bottom, left:right], round(line.angle / 90) % 4).astype(np.int16)
        ground = np.median(crop, axis=(0, 1))  # of all, not of the rim, along which a thick rule may run
        contrast = np.abs(crop - ground).max(axis=2).astype(np.float32)
        strongest = float(np.percentile(contrast, 98))
        if strongest < FAINTEST:
            return None
        strokes = np.clip(contrast / strongest, 0, 1) * _own_strokes(contrast > INK * strongest)
        return cls(crop, contrast, strokes, strongest)

    def ink(self, text: str) -> Ink | None:
        """The ink of a text that is written here; None where there is none."""
        import numpy as np

        ink, contrast, crop = self.strokes, self.contrast, self.crop
        low, high = _band(ink > INK)
        size = (high - low) / _share_of_em(text)
        strokes = int(((ink[low:high, 1:] > INK) & (ink[low:high, :-1] <= INK)).sum())
        weight = float(ink[low:high].sum()) / strokes / size if strokes else 0.0
        full = crop[ink > FULL]
        full = full if len(full) else crop[contrast > FULL * self.strongest]
        if not len(full) or not size:
            return None
        color = np.median(full, axis=0)
        stem = _stem(ink[low:high])
        return Ink(float(size), weight, stem, (int(color[0]), int(color[1]), int(color[2])))


def _stem(ink: NDArray[np.float32]) -> float:
    """The usual thickness of upright strokes, in pixels: the median over all runs of ink along the rows."""
    import numpy as np

    rows = np.pad(ink, ((0, 0), (1, 1)))
    steps = np.diff((rows > INK).astype(np.int8).ravel())
    begins, ends = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1
    if not len(begins):
        return 0.0
    covered = np.concatenate(([0.0], np.cumsum(rows.ravel(), dtype=np.float64)))
    fringe = rows.ravel()[begins - 1] + rows.ravel()[ends]  # of a stroke's edges, paler than half
    return float(np.median(covered[ends] - covered[begins] + fringe))


def _own_strokes(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of the line's own letters: without walls, rules, and what hangs in from the lines above and below."""
    import cv2
    import numpy as np

    height, width = ink.shape
    count, labels, stats, middles = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    own = np.ones(count, np.bool_)
    for number in range(1, count):
        left, top, across, down, area = stats[number]
        at_rim = top == 0 or top + down == height
        at_side = left == 0 or left + across == width
        outside = abs(middles[number][1] - height / 2) > NEAR_MIDDLE * height
        wall = down >= 0.9 * height and across <= 0.15 * height
        rule = across >= 0.6 * width and down <= 0.15 * height
        corner = (at_rim or at_side) and (across > 0.8 * width or down > 0.8 * height) and area < 0.35 * across * down
        own[number] = not ((at_rim and outside) or wall or rule or corner)
    kept: NDArray[np.bool_] = own[labels]
    return kept


def _band(ink: NDArray[np.bool_]) -> tuple[int, int]:
    """First and last-plus-one row of the writing: the run of inked rows with most ink in it."""
    import numpy as np

    rows = ink.sum(axis=1)
    filled = np.concatenate(([0], (rows > 0).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(filled))
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    if not runs:
        return 0, ink.shape[0]
    low, high = max(runs, key=lambda run: int(rows[run[0] : run[1]].sum()))
    for begin, end in runs:  # dots and accents stand apart from their letters
        if (end <= low and low - end <= 0.25 * (high - low)) or (begin >= high and begin - high <= 0.1 * (high - low)):
            low, high = min(low, begin), max(high, end)
    return int(low), int(high)


def _share_of_em(text: str) -> float:
    """The share of the em that the letters of a text reach, from the lowest to the highest."""
    above = any(c.isupper() or c in TALL_LETTERS for c in text)
    below = any(c in HANGING_LETTERS for c in text)
    accented = any(c in "ÀÁÂÃÄÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜ" for c in text)
    body = OF_T if "t" in text else BODY
    return (ABOVE if above else body) + (BELOW if below else 0.0) + (0.18 if accented else 0.0)
