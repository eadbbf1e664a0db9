"""What a model must offer. Each is one method; `catalog` names the implementations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from pocai.documents.page import Document, Line, Page, Quad, Word
from pocai.timetable.timetable import Timetable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


class Detector(Protocol):
    """Finds text lines: RGB image ``(H, W, 3)`` uint8 in, quads in pixels out."""

    def detect(self, image: Image) -> tuple[Quad, ...]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One recognized line crop.

    ``confidence`` is the mean score of its characters, 0 to 1; ``words`` holds, for each word, its text, its score
    and its extent along the crop as shares of the crop's width (start, end; 0 to 1). ``probability`` is the calibrated
    probability that the whole line is right, None where the recognizer has none; ``reader`` names the recognizer.
    ``alternatives`` are other texts that were considered, the likeliest first; none of a line that is not in doubt.
    """

    text: str
    confidence: float
    words: tuple[tuple[str, float, float, float], ...] = ()
    probability: float | None = None
    reader: str = ""
    alternatives: tuple[str, ...] = ()


class Recognizer(Protocol):
    """Reads upright line crops, each RGB ``(h, w, 3)`` uint8; one `Reading` for each, in the same order."""

    def recognize(self, crops: Sequence[Image]) -> list[Reading]: ...


@dataclass(frozen=True, slots=True)
class OCRResult:
    """What an OCR engine read on one page, in page coordinates.

    ``text`` joins all words with one space, as the host expects; ``confidence`` is the mean recognizer score
    weighted by characters (0 to 1), 0.0 on a page without text.
    """

    text: str
    confidence: float
    words: tuple[Word, ...]
    lines: tuple[Line, ...]
    engine: str

    @classmethod
    def of(cls, lines: Sequence[Line], engine: str) -> Self:
        """The result of an engine that read these ``lines``, given in reading order."""
        words = tuple(word for line in lines for word in line.words)
        scored = [(len(line.text), line.confidence) for line in lines if line.confidence is not None]
        letters = sum(count for count, _ in scored)
        confidence = sum(count * score for count, score in scored) / letters if letters else 0.0
        return cls(" ".join(word.text for word in words), confidence, words, tuple(lines), engine)

    @property
    def readers(self) -> Mapping[str, int]:
        """How many lines each recognizer read, the busiest first; empty where lines do not say who read them."""
        return dict(Counter(line.reader for line in self.lines if line.reader).most_common())


class OCREngine(Protocol):
    """Reads the picture of a page (``page.image`` must be set).

    ``read`` stays in the page's own coordinates. ``read_upright`` first turns a page that lies on its side or
    stands on its head; the result is in the coordinates of the page that it gives back.
    """

    @property
    def name(self) -> str: ...

    def read(self, page: Page) -> OCRResult: ...

    def read_upright(self, page: Page) -> tuple[Page, OCRResult]: ...


class DocumentModel(Protocol):
    """Turns the pages of a document into timetables. Raises nothing for a page without one: it returns none."""

    @property
    def name(self) -> str: ...

    def assemble(self, document: Document) -> tuple[Timetable, ...]: ...
