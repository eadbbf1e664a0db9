"""Slices: the kinds of documents that figures are looked at apart.

What a label states wins. The rest is derived from the document as it was read: ``format``, ``ruled`` (yes, partly, no),
``rotated``, ``photo``, and ``layout`` (where the day names stand that the extraction found: columns, rows, lists).
A dimension that nothing speaks for is left out rather than guessed. Derived slices follow the reading, so a failed
extraction has no layout; state it in the label where a figure must not move with the extractor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pocai.documents.page import Box, Document, Matrix, Page
from pocai.timetable.timetable import Timetable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONG_RULE = 0.15  # of the page's side: shorter ones underline words
_GRID_RULES = 3  # a grid has at least this many long rules in a direction
_PICTURES = frozenset(("png", "jpeg", "webp", "tiff", "bmp", "gif", "heic"))
_PERSPECTIVE = 0.02  # change of scale over the page from which a page was photographed at an angle
_FLAT_SHARE = 0.35  # neighbouring pixels of exactly one value; sensor noise leaves fewer
_UNEVEN_PAPER = 0.08  # spread of the paper's brightness over the page, of 255


class Slice(NamedTuple):
    """One value of one dimension, such as ("layout", "rows")."""

    dimension: str
    value: str

    def __str__(self) -> str:
        return f"{self.dimension}: {self.value}"


def slices_of(
    stated: Mapping[str, str | bool], document: Document | None = None, timetables: Iterable[Timetable] = ()
) -> tuple[Slice, ...]:
    """The slices of a document, sorted: those that its label states, then what can be derived."""
    known = {name: _word(value) for name, value in stated.items()}
    derived = _derived(document) if document is not None else {}
    layout = layout_of(timetables)
    if layout is not None:
        derived["layout"] = layout
    return tuple(sorted(Slice(name, value) for name, value in (derived | known).items()))


def layout_of(timetables: Iterable[Timetable]) -> str | None:
    """Where the days are printed: "columns", "rows", "lists" (days that share one heading), None if not to be told."""
    spots: dict[str, Box] = {}
    for timetable in timetables:
        for block in timetable.timeblocks:
            if block.day is not None and "day" in block.fields:
                spots.setdefault(block.day, Box(*block.fields["day"].box))
    if len(spots) < 2:  # noqa: PLR2004 -- one day has no direction
        return None
    if len(set(spots.values())) < len(spots):
        return "lists"
    across, down = zip(*(box.center for box in spots.values()), strict=True)
    return "columns" if max(across) - min(across) >= max(down) - min(down) else "rows"


def ruled(page: Page) -> str:
    """How far printed lines make a grid: "yes" both ways, "partly" one way, "no"; native tables are ruled."""
    if page.tables:
        return "yes"
    along = [rule for rule in page.rules if _length(rule.start, rule.end) >= _LONG_RULE * _side(page, rule.horizontal)]
    horizontal = sum(rule.horizontal for rule in along)
    directions = (horizontal >= _GRID_RULES) + (len(along) - horizontal >= _GRID_RULES)
    return ("no", "partly", "yes")[directions]


def quarter_turns(to_source: Matrix) -> int:
    """By how many quarter turns, 0 to 3, the page had to be turned to stand upright."""
    return round(math.degrees(math.atan2(to_source[3], to_source[0])) / 90) % 4


def photographed(page: Page) -> bool:
    """Whether the page looks like a photo: taken at an angle, or with sensor noise on unevenly lit paper."""
    m = page.to_source
    if abs(m[6]) * page.width + abs(m[7]) * page.height > _PERSPECTIVE * abs(m[8] or 1.0):
        return True
    return page.image is not None and _noisy_and_uneven(page.image)


def _derived(document: Document) -> dict[str, str]:
    derived = {"format": str(document.format)}
    if not document.pages:
        return derived
    first = document.pages[0]
    derived["ruled"] = ruled(first)
    if document.format in _PICTURES:
        derived["rotated"] = _word(quarter_turns(first.to_source) != 0)
        derived["photo"] = _word(photographed(first))
    return derived


def _noisy_and_uneven(image: NDArray[np.uint8]) -> bool:
    import numpy as np

    step = max(1, max(image.shape[:2]) // 1600)
    grey = image[:: step * 2].mean(axis=2).astype(np.int16)  # whole rows: neighbours must stay neighbours
    flat = float((grey[:, 1:] == grey[:, :-1]).mean()) if grey.shape[1] > 1 else 1.0
    if flat >= _FLAT_SHARE:
        return False
    tiles = [tile for band in np.array_split(grey, 6) for tile in np.array_split(band, 6, axis=1) if tile.size]
    paper = np.array([np.percentile(tile, 90) for tile in tiles])
    return float(np.std(paper)) > _UNEVEN_PAPER * 255


def _length(start: Sequence[float], end: Sequence[float]) -> float:
    return math.hypot(end[0] - start[0], end[1] - start[1])


def _side(page: Page, horizontal: bool) -> float:
    return page.width if horizontal else page.height


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else ("yes" if value else "no")
