"""The OCR engine of PP-OCRv6: finds lines, reads each in the directions it may have, keeps the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pocai.documents.page import Line, Page, Quad
from pocai.documents.straighten import turn
from pocai.models.detector import PPOCRDetector
from pocai.models.lines import bands, crop, cut, in_reading_order, line_of, other_directions, tall, turned
from pocai.models.protocols import Detector, OCRResult, Recognizer
from pocai.models.recognizer import PPOCRRecognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

FAINT = 0.5  # mean score below which a line is not text
DOUBTFUL = 0.93  # merit of some lines of a page below which it may stand on its head
TYPICAL = 4.0  # length over height of a word that is long enough to tell how it must be read
SURE = 0.85  # merit from which a reading is not tried in other ways
SAMPLE = 6  # lines that are read both ways to decide how a page lies


class PPOCREngine:
    """PP-OCRv6 (small) on ONNX Runtime. Safe to call from several threads.

    ``threads`` is the number of cores it may keep busy, 0 for all usable ones. Other networks can be handed in.
    """

    name = "ppocr"

    def __init__(
        self, threads: int = 0, detector: Detector | None = None, recognizer: Recognizer | None = None
    ) -> None:
        self._detector = detector or PPOCRDetector(threads)
        self._recognizer = recognizer or PPOCRRecognizer(threads)

    def read(self, page: Page) -> OCRResult:
        """What is written on the page, in its coordinates; vertical lines both ways."""
        image = _picture(page)
        return OCRResult.of(self._lines(image, self._quads(image, page)), self.name)

    def read_upright(self, page: Page) -> tuple[Page, OCRResult]:
        """The page turned so that most of its text is upright, and what is written on it."""
        image = _picture(page)
        quads = self._quads(image, page)
        turns = self._turns(image, quads)
        if turns:
            page = turn(page, turns)
            image = _picture(page)
            quads = self._quads(image, page)
        lines = self._lines(image, quads)
        return page.with_lines(lines), OCRResult.of(lines, self.name)

    def _quads(self, image: Image, page: Page) -> tuple[Quad, ...]:
        return tuple(part for quad in self._detector.detect(image) for part in cut(quad, page.rules))

    def _lines(self, image: Image, quads: Sequence[Quad]) -> tuple[Line, ...]:
        """What the quads hold: all read one way first, the doubtful ones in other directions and in pieces too."""
        vertical = self._vertical_angle(image, [quad for quad in quads if tall(quad)])
        ways = [(quad, vertical if tall(quad) else 0) for quad in quads]
        lines: list[Line] = []
        for quad, line in zip(quads, self._read(image, ways), strict=True):
            lines.extend((line,) if _merit([line]) >= SURE else self._second_look(image, quad, line))
        return in_reading_order([line for line in lines if line.text and (line.confidence or 0.0) >= FAINT])

    def _second_look(self, image: Image, quad: Quad, line: Line) -> Sequence[Line]:
        """The best of: the line as it was read, its quad read in other directions, its rows of ink read apart.

        Rows are two lines in one quad or, down a tall quad, letters that stand one below the other.
        """
        angle = int(line.angle)
        others = [[(quad, other)] for other in other_directions(quad, angle)]
        apart = [[(turned(part, -way), way) for part in bands(image, turned(quad, way))] for way in {angle, 0}]
        tries = others + [ways for ways in apart if len(ways) > 1]
        readings = iter(self._read(image, [way for ways in tries for way in ways]))
        found = [[next(readings) for _ in ways] for ways in tries]
        return max([[line], *(lines for lines in found if _plausible(quad, lines))], key=_merit)

    def _read(self, image: Image, ways: Sequence[tuple[Quad, int]]) -> list[Line]:
        """One line for each upright quad and the angle at which it is read."""
        quads = [turned(quad, angle) for quad, angle in ways]
        readings = self._recognizer.recognize([crop(image, quad) for quad in quads])
        return [line_of(*read) for read in zip(readings, quads, (angle for _, angle in ways), strict=True)]

    def _vertical_angle(self, image: Image, quads: Sequence[Quad]) -> int:
        """The angle at which most vertical lines are read: 90 or 270."""
        return max((270, 90), key=lambda angle: self._sample(image, quads, angle))

    def _turns(self, image: Image, quads: Sequence[Quad]) -> int:
        """Quarter turns clockwise that put the page upright; a few lines read both ways decide."""
        vertical, level = ([quad for quad in quads if tall(quad) is wanted] for wanted in (True, False))
        if sum(map(_length, vertical)) > sum(map(_length, level)):
            return (360 - self._vertical_angle(image, vertical)) // 90
        score = self._sample(image, level, 0)
        return 2 if score < DOUBTFUL and self._sample(image, level, 180) > score else 0

    def _sample(self, image: Image, quads: Sequence[Quad], angle: int) -> float:
        """Merit of some of the quads, neither very short nor costly to read, when they are read at ``angle``."""
        some = sorted(quads, key=lambda quad: abs(_length(quad) - TYPICAL * min(quad.box.width, quad.box.height)))
        return _merit(self._read(image, [(quad, angle) for quad in some[:SAMPLE]]))


def _length(quad: Quad) -> float:
    return max(quad.box.width, quad.box.height)


def _picture(page: Page) -> Image:
    assert page.image is not None, "the service reads only pages with a picture"
    return page.image


def _plausible(quad: Quad, lines: Sequence[Line]) -> bool:
    """Whether rows that were read apart may be so: each is clear, and level rows down a tall quad are letters."""
    if len(lines) == 1:
        return True
    if any((line.confidence or 0.0) < SURE for line in lines):
        return False
    level = tall(quad) and lines[0].angle == 0
    return not level or all(len(line.text) == 1 and line.text.isalpha() for line in lines)


def _merit(lines: Sequence[Line]) -> float:
    """Score by which ways of reading compete, 0 to 1: mean score of letters, less for marks and single letters."""
    letters = sum(len(line.text) for line in lines)
    if not letters:
        return 0.0
    mean = sum((line.confidence or 0.0) * len(line.text) for line in lines) / letters
    if not any(character.isalnum() for line in lines for character in line.text):
        return 0.5 * mean
    return mean * min(1.0, 0.85 + 0.05 * letters)
