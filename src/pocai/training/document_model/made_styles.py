"""Other ways to set the cells of a made table: names that break over two lines, and notes in the corners of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from numpy.random import Generator

from pocai.documents.page import Box
from pocai.synthetic.document import GridCell, Sheet, Text
from pocai.synthetic.setting import width

LEADING = 1.2  # height of a line over that of its letters
PADDING = 0.3  # heights of a line between a corner and a note in it
BREAKS = 0.4  # share of the pages on which names break
CORNERS = 0.3  # share of the pages with notes in corners
_NAMES = ("event", "break")


def restyled(sheet: Sheet, rng: Generator) -> Sheet:
    """The sheet with the cells of its tables set in another way; most sheets, and cells without room, as they are."""
    breaks, corners = rng.random() < BREAKS, rng.random() < CORNERS
    if not (breaks or corners):
        return sheet
    places = tuple(int(place) for place in rng.permutation(4))
    changed: dict[Text, tuple[Text, ...]] = {}
    for cell in (cell for grid in sheet.grids for cell in grid.cells):
        lines = tuple(line for text in cell.texts for line in (_broken(text, rng) if breaks else (text,)))
        names = [line for line in lines if line.role in _NAMES]
        if not names or any(line.angle or line.role not in (*_NAMES, "note", "time") for line in lines):
            continue
        one = len({line.blocks for line in lines}) == 1
        fresh = _in_corners(cell, lines, places) if corners and one else _stacked(cell, lines)
        if fresh is not None:
            changed |= dict.fromkeys(cell.texts, ())
            changed[cell.texts[0]] = fresh
    return replace(sheet, texts=tuple(line for text in sheet.texts for line in changed.get(text, (text,))))


def _broken(text: Text, rng: Generator) -> tuple[Text, ...]:
    """A name or note of several words on two lines, now and then."""
    words = text.text.split()
    if len(words) < 2 or text.angle or text.role == "time" or rng.random() < 0.4:  # noqa: PLR2004 -- words to part
        return (text,)
    at = int(rng.integers(1, len(words)))
    return tuple(replace(text, text=" ".join(part)) for part in (words[:at], words[at:]))


def _stacked(cell: GridCell, lines: Sequence[Text]) -> tuple[Text, ...] | None:
    """Lines below each other in the middle of their cell; None where they have no room."""
    heights = [LEADING * line.style.size for line in lines]
    top = cell.box.center[1] - sum(heights) / 2
    if sum(heights) > cell.box.height or not _fit(cell, lines):
        return None
    set_lines = []
    for line, height in zip(lines, heights, strict=True):
        set_lines.append(_at(line, cell, 0.5, top + height / 2))
        top += height
    return tuple(set_lines)


def _in_corners(cell: GridCell, lines: Sequence[Text], places: Sequence[int]) -> tuple[Text, ...] | None:
    """Names in the middle, the notes in corners; None where they have no room."""
    middle = [line for line in lines if line.role != "note"]
    notes = [line for line in lines if line.role == "note"]
    high = LEADING * (sum(line.style.size for line in middle) + 2 * max((n.style.size for n in notes), default=0.0))
    if not notes or len(notes) > len(places) or high > cell.box.height or not _fit(cell, lines, 0.5):
        return None
    stacked = _stacked(cell, middle)
    if stacked is None:
        return None
    cornered = []
    for note, place in zip(notes, places, strict=False):
        size = LEADING * note.style.size
        y = cell.box.top + size * (0.5 + PADDING) if place < 2 else cell.box.bottom - size * (0.5 + PADDING)  # noqa: PLR2004 -- corners at the top
        cornered.append(_at(note, cell, float(place % 2), y))
    return (*stacked, *cornered)


def _fit(cell: GridCell, lines: Iterable[Text], share: float = 1.0) -> bool:
    """Whether no line is wider than a share of the cell; names may take all of it."""
    room = cell.box.width
    return all(width(line.text, line.style) <= room * (1.0 if line.role in _NAMES else share) for line in lines)


def _at(text: Text, cell: GridCell, side: float, middle: float) -> Text:
    """A line at the left (0) or right (1) of a cell or between, its middle at a height."""
    size = text.style.size
    long = width(text.text, text.style)
    left = cell.box.left + PADDING * size + side * max(0.0, cell.box.width - 2 * PADDING * size - long)
    return replace(text, box=Box(left, middle - size / 2, left + long, middle + size / 2))
