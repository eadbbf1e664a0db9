"""An OCR engine of two parts: finds lines, reads each in the directions it may have, keeps the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.documents.page import Line, Page, Quad
from pocai.documents.straighten import turn
from pocai.errors import ModelError
from pocai.models.adapter import AdaptableStudent, AdaptedRecognizer
from pocai.models.cascade import FAINT, CascadeRecognizer, proposing, teacher_counts
from pocai.models.lines import cut, in_reading_order, tall
from pocai.models.looks import SURE, Look, Looker, length, merit
from pocai.models.protocols import Detector, OCRResult, Recognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

DOUBTFUL = 0.93  # merit of some lines of a page below which it may stand on its head


class LineEngine:
    """A detector of lines and a recognizer; safe to call from several threads if both are.

    Of a cascade, the student alone decides in which direction and in which pieces a line is read; the teacher then
    reads the doubtful lines in that way, and looks for another way only where that is not clear either.
    """

    def __init__(self, name: str, detector: Detector, recognizer: Recognizer) -> None:
        self.name = name
        self._detector = detector
        self._recognizer = recognizer
        self._cascade = recognizer if isinstance(recognizer, CascadeRecognizer) else None
        self._looker = Looker(self._cascade.student if self._cascade else recognizer)

    def adapted(self, adapter: Path) -> LineEngine:
        """This engine as it reads with an adapter of its student, from a folder; both share all weights.

        Raises ModelError where there is no student that takes it (see `AdaptableStudent.adapter`).
        """
        cascade, student = self._cascade, self._cascade.student if self._cascade else self._recognizer
        if not isinstance(student, AdaptableStudent):
            raise ModelError(f"the engine {self.name} takes no adapters", mend="Use the engine student or cascade.")
        own = AdaptedRecognizer(student, adapter)
        recognizer = CascadeRecognizer(own, cascade.teacher, cascade.threshold) if cascade else own
        return LineEngine(self.name, self._detector, recognizer)

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
        """What the quads hold: all read one way first, the unclear ones in other directions and in pieces too."""
        vertical = self._vertical_angle(image, [quad for quad in quads if tall(quad)])
        first = self._looker.read(image, [(quad, vertical if tall(quad) else 0) for quad in quads])
        found = [self._best(self._looker, image, quad, [look]) for quad, look in zip(quads, first, strict=True)]
        if self._cascade is not None:
            found = self._reviewed(self._cascade, image, quads, found)
        lines = [look.line for looks in found for look in looks]
        return in_reading_order([line for line in lines if line.text and (line.confidence or 0.0) >= FAINT])

    def _best(self, looker: Looker, image: Image, quad: Quad, looks: Sequence[Look]) -> Sequence[Look]:
        return looks if merit(looks) >= SURE else looker.again(image, quad, looks)

    def _reviewed(
        self, cascade: CascadeRecognizer, image: Image, quads: Sequence[Quad], found: Sequence[Sequence[Look]]
    ) -> list[Sequence[Look]]:
        """The looks with those of the teacher in place of the doubtful ones."""
        teacher = Looker(cascade.teacher)
        reviewed = list(found)
        asked = [n for n, looks in enumerate(found) if any(cascade.doubts(look.reading) for look in looks)]
        ways = [(look.quad, look.angle) for number in asked for look in found[number]]
        taught = iter(teacher.read(image, ways))
        for number in asked:
            looks = self._best(teacher, image, quads[number], [next(taught) for _ in found[number]])
            if teacher_counts([look.reading for look in found[number]], [look.reading for look in looks]):
                reviewed[number] = _with_proposals(looks, found[number])
            else:
                reviewed[number] = _with_proposals(found[number], looks)
        return reviewed

    def _vertical_angle(self, image: Image, quads: Sequence[Quad]) -> int:
        """The angle at which most vertical lines are read: 90 or 270."""
        return max((270, 90), key=lambda angle: self._looker.sample(image, quads, angle))

    def _turns(self, image: Image, quads: Sequence[Quad]) -> int:
        """Quarter turns clockwise that put the page upright; a few lines read both ways decide."""
        vertical, level = ([quad for quad in quads if tall(quad) is wanted] for wanted in (True, False))
        if sum(map(length, vertical)) > sum(map(length, level)):
            return (360 - self._vertical_angle(image, vertical)) // 90
        score = self._looker.sample(image, level, 0)
        return 2 if score < DOUBTFUL and self._looker.sample(image, level, 180) > score else 0


def _with_proposals(looks: Sequence[Look], others: Sequence[Look]) -> Sequence[Look]:
    """The looks with what another recognizer read in the same places among their alternatives."""
    if [(look.quad, look.angle) for look in looks] != [(look.quad, look.angle) for look in others]:
        return looks
    pairs = zip(looks, others, strict=True)
    return [replace(look, reading=proposing(look.reading, other.reading)) for look, other in pairs]


def _picture(page: Page) -> Image:
    assert page.image is not None, "the service reads only pages with a picture"
    return page.image
