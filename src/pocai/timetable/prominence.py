"""What stands out among the lines of a cell, as a reader sees it at once: by size, weight, colour and place."""

from __future__ import annotations

from collections.abc import Sequence

from pocai.documents.page import Box, Line

SMALL_BOXED = 0.72  # writing below this share of the name's size is a note, where only boxes of a recognizer are known
SET_SMALLER, MEASURED_SMALLER = 0.96, 0.89  # what goes on in the same row in smaller type (PDF, picture) is a note
LIGHT = 0.74  # strokes below this share of the name's are a note's
PROMINENT = 0.83  # size times half of one plus weight, as shares of the name's: less is a note
FIRST = 0.87  # share of the greatest prominence at which an upper line still is the main one
PALE_STEP, PALE = 30, 0.94  # a step of colour (of 255) that a person sees, and what it counts
CENTERED, OFF_CENTER = 0.07, 0.14  # distance of a line's middle from the cell's, as shares of its width
OTHER_COLOR = 90  # a step from which ink is another colour


def most_prominent(lines: Sequence[Line]) -> Line | None:
    """The line that a reader sees first: the uppermost of those that are nearly as large and bold as any."""
    values = [size_of(line) * (1 + 2 * _weight(line)) for line in lines]
    return next((line for line, value in zip(lines, values, strict=True) if value >= FIRST * max(values)), None)


def less_prominent(line: Line, main: Line) -> bool:
    """Whether a line is clearly smaller, lighter or paler than the main line, or a little of each."""
    size = size_of(line) / max(size_of(main), 1e-9)
    set_smaller = {"pdf": SET_SMALLER, "ocr": MEASURED_SMALLER}.get(line.source, 0.0)
    if line.source == main.source and size < set_smaller and line.box.left >= main.box.right:
        return line.box.top < main.box.center[1] < line.box.bottom
    if line.source == "ocr" and not (line.weight and main.weight):
        return size < SMALL_BOXED
    weight = min(1.0, _weight(line) / _weight(main))
    step = _color_step(line, main)
    if line is main or (step > OTHER_COLOR and weight <= 1):
        return line is not main
    pale = PALE if step > PALE_STEP else 1.0
    return weight < LIGHT or size * (1 + weight) / 2 * pale < PROMINENT


def _weight(line: Line) -> float:
    """The measured weight of the strokes; of native text, what is usual for bold and for regular letters."""
    return line.weight or (0.18 if line.bold else 0.1)


def _color_step(line: Line, main: Line) -> int:
    if line.color is None or main.color is None:
        return 0
    return max(abs(a - b) for a, b in zip(line.color, main.color, strict=True))


def size_of(line: Line) -> float:
    """The em of a line's writing in page units; without one, the height of its box."""
    return line.size or min(line.box.width, line.box.height)


def in_corners(lines: Sequence[Line], cell: Box | None) -> list[bool]:
    """Lines that hug a side of the cell, where another stands in the middle of it."""
    if cell is None or len(lines) < 2 or any(round(line.angle) for line in lines):  # noqa: PLR2004 - a name and more
        return [False] * len(lines)
    off = [abs(line.box.center[0] - cell.center[0]) / cell.width for line in lines]
    middle = lines[off.index(min(off))].box
    if min(off) > CENTERED:
        return [False] * len(lines)
    return [
        value > OFF_CENTER and not (_flush(line.box, middle, cell.width) or _goes_on(line.box, middle))
        for value, line in zip(off, lines, strict=True)
    ]


def _goes_on(box: Box, other: Box) -> bool:
    """Whether two lines stand in one row with no more than a space between them."""
    gap = max(box.left, other.left) - min(box.right, other.right)
    return box.top < other.center[1] < box.bottom and gap < min(box.height, other.height)


def _flush(box: Box, other: Box, width: float) -> bool:
    """Whether two lines begin, or end, at the same place, as the lines of one text do."""
    return min(abs(box.left - other.left), abs(box.right - other.right)) < CENTERED * width
