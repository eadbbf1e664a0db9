"""Ways in which a quad of a page may have to be read, and which of them reads best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocai.documents.page import Line, Quad
from pocai.models.lines import bands, crop, line_of, other_directions, tall, turned
from pocai.models.protocols import Reading, Recognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Way = tuple[Quad, int]  # an upright quad and the angle at which it is read (see `Line.angle`)

TYPICAL = 4.0  # length over height of a word that is long enough to tell how it must be read
SURE = 0.85  # merit from which a reading is not tried in other ways
SAMPLE = 6  # lines that are read both ways to decide how a page lies


@dataclass(frozen=True, slots=True)
class Look:
    """What a recognizer read in an upright quad at an angle."""

    reading: Reading
    quad: Quad
    angle: int

    @property
    def line(self) -> Line:
        """The reading as a line of the page."""
        return line_of(self.reading, turned(self.quad, self.angle), self.angle)


class Looker:
    """Looks at the quads of a picture with one recognizer."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    def read(self, image: Image, ways: Sequence[Way]) -> list[Look]:
        """One look for each way."""
        readings = self._recognizer.recognize([crop(image, turned(quad, angle)) for quad, angle in ways])
        return [Look(reading, *way) for reading, way in zip(readings, ways, strict=True)]

    def again(self, image: Image, quad: Quad, looks: Sequence[Look]) -> Sequence[Look]:
        """The best of: ``looks`` (at the quad or its rows), the quad in other directions, its rows of ink read apart.

        Rows are two lines in one quad or, down a tall quad, letters that stand one below the other.
        """
        angle = looks[0].angle
        whole = [[(quad, angle)]] if len(looks) > 1 else []
        others = [[(quad, other)] for other in other_directions(quad, angle)]
        apart = [[(turned(part, -way), way) for part in bands(image, turned(quad, way))] for way in {angle, 0}]
        tries = whole + others + [ways for ways in apart if len(ways) > 1]
        found = iter(self.read(image, [way for ways in tries for way in ways]))
        groups = [[next(found) for _ in ways] for ways in tries]
        return max([looks, *(group for group in groups if _plausible(quad, group))], key=merit)

    def sample(self, image: Image, quads: Sequence[Quad], angle: int) -> float:
        """Merit of some of the quads, neither very short nor costly to read, when they are read at ``angle``."""
        some = sorted(quads, key=lambda quad: abs(length(quad) - TYPICAL * min(quad.box.width, quad.box.height)))
        return merit(self.read(image, [(quad, angle) for quad in some[:SAMPLE]]))


def length(quad: Quad) -> float:
    """The longer side of an upright quad."""
    return max(quad.box.width, quad.box.height)


def merit(looks: Sequence[Look]) -> float:
    """Score by which ways of reading compete, 0 to 1: mean score of letters, less for marks and single letters."""
    readings = [look.reading for look in looks]
    letters = sum(len(reading.text) for reading in readings)
    if not letters:
        return 0.0
    mean = sum(reading.confidence * len(reading.text) for reading in readings) / letters
    if not any(character.isalnum() for reading in readings for character in reading.text):
        return 0.5 * mean
    return mean * min(1.0, 0.85 + 0.05 * letters)


def _plausible(quad: Quad, looks: Sequence[Look]) -> bool:
    """Whether rows that were read apart may be so: each is clear, and level rows down a tall quad are letters."""
    if len(looks) == 1:
        return True
    if any(look.reading.confidence < SURE for look in looks):
        return False
    level = tall(quad) and looks[0].angle == 0
    return not level or all(len(look.reading.text) == 1 and look.reading.text.isalpha() for look in looks)
