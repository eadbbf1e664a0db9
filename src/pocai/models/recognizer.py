"""The student at work: our own compact CTC recognizer, on ONNX Runtime, with a calibrated probability for each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pocai.errors import ModelError
from pocai.models.artefact import Artefact, open_session, usable_threads
from pocai.models.card import ModelCard, card_file
from pocai.models.ctc import search
from pocai.models.line_image import batch_of, line_image
from pocai.models.lookalikes import digits_in_numbers
from pocai.models.protocols import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Scores = NDArray[np.float32]

PACKAGE = "pocai"
SHIPPED = "assets/models/student.onnx"
INPUT = "lines"
# Widths are rounded up to multiples of about an eighth of themselves: few sizes, so that batches fill, little padding.
FINENESS = 8  # parts into which the next lower power of two is cut
CERTAIN = 0.98  # probability from which the other texts of a line are not told
BATCH_LINES = 8  # more lines at once save no time …
BATCH_WIDTH = 1280  # … nor do more pixels of width: what is worked on no longer fits the processor's cache


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A line image ``(48, w)`` and the width to which it is padded."""

    image: Image
    padded: int


class StudentRecognizer:
    """Reads line crops with a student network; safe to call from several threads.

    ``weights`` is an ONNX file with its card (.json) beside it, the shipped one where none is named. ``threads`` is the
    number of cores it may keep busy, 0 for all usable ones. A line is padded to a width that depends on it alone and
    batched with lines of that width: it reads the same in whatever company it comes.
    Raises ModelError when weights or card are missing, altered, or do not fit each other.
    """

    name = "student"

    def __init__(self, threads: int = 0, weights: Path | None = None) -> None:
        self.card = shipped_card() if weights is None else ModelCard.read(card_file(weights))
        file = shipped_weights(self.card).verified() if weights is None else self.card.verified(weights)
        self._threads = usable_threads(threads)
        self._session = open_session(file, 1)
        self._check()

    def recognize(self, crops: Sequence[Image], *, run_options: Any = None) -> list[Reading]:
        """One `Reading` for each crop (RGB ``(h, w, 3)`` uint8, upright), in order; same pixels are read once.

        ``run_options`` (`onnxruntime.RunOptions`) hold for this call alone: with an adapter added to them, it reads.
        """
        keys = [(crop.shape, crop.tobytes()) for crop in crops]
        unique = dict(zip(keys, crops, strict=True))
        with ThreadPoolExecutor(self._threads) as pool:
            over = map if self._threads == 1 else pool.map  # a pool of one would only hand lines to and fro
            prepared = list(over(self._prepared, unique.values()))
            batches = list(_batches([line.padded for line in prepared]))
            lines = ([prepared[number] for number in batch] for batch in batches)
            done = list(over(lambda batch: self._read(batch, run_options), lines))
        names = list(unique)
        read = {
            names[number]: reading
            for batch, readings in zip(batches, done, strict=True)
            for number, reading in zip(batch, readings, strict=True)
        }
        return [read[key] for key in keys]

    def log_probabilities(self, crops: Sequence[Image], *, run_options: Any = None) -> list[Scores]:
        """Natural log-probabilities ``(T, classes)`` of the steps that each crop fills, for fitting a calibration."""
        prepared = [self._prepared(crop) for crop in crops]
        return [self._scores([line], run_options)[0] for line in prepared]

    def _prepared(self, crop: Image) -> _Prepared:
        image = line_image(crop)
        return _Prepared(image, padded_width(image.shape[1], self.card.multiple))

    def _scores(self, lines: Sequence[_Prepared], run_options: Any) -> list[Scores]:
        """Log-probabilities of lines that are padded to one width."""
        batch = batch_of([line.image for line in lines], lines[0].padded)
        (scores,) = self._session.run(None, {INPUT: batch}, run_options)
        return [each[: -(-line.image.shape[1] // self.card.step)] for each, line in zip(scores, lines, strict=True)]

    def _read(self, lines: Sequence[_Prepared], run_options: Any) -> list[Reading]:
        scores = self._scores(lines, run_options)
        return [self._reading(each, line.image.shape[1]) for each, line in zip(scores, lines, strict=True)]

    def _reading(self, scores: Scores, width: int) -> Reading:
        import numpy as np

        read = digits_in_numbers(search(np.exp(scores), self.card.classes, width / self.card.step))
        sure = None if self.card.calibration is None else self.card.calibration.probability(scores)
        others = read.alternatives if sure is None or sure < CERTAIN else ()
        return replace(read, probability=sure, reader=self.name, alternatives=others)

    def _check(self) -> None:
        """Raises ModelError when the network does not take and give what its card says."""
        import numpy as np

        blank = np.full((1, 1, self.card.height, 4 * self.card.multiple), 255, np.uint8)
        want = (1, 4 * self.card.multiple // self.card.step, len(self.card.classes))
        try:
            given = self._session.run(None, {INPUT: blank})[0].shape
        except Exception as error:  # ONNX Runtime raises bare C++ errors of many kinds
            what = f"{self.card.name} does not take {INPUT} (N, 1, {self.card.height}, W) of 8 bits"
            raise ModelError(what, mend="Export it again.") from error
        if given != want:
            what = f"{self.card.name} gives scores of shape {given} where its card says {want}"
            raise ModelError(what, mend="Keep weights and card of one export together.")


def shipped_card() -> ModelCard:
    """The card of the student that comes with this package. Raises ModelError when it is missing or not a card."""
    return ModelCard.read(Artefact(PACKAGE, card_file(PurePosixPath(SHIPPED)).as_posix(), "", "").file)


def shipped_weights(card: ModelCard) -> Artefact:
    """The student that comes with this package, by its card."""
    return Artefact(PACKAGE, SHIPPED, card.sha256, card.licence)


def padded_width(width: int, multiple: int) -> int:
    """The least multiple of a bucket's step that holds ``width`` pixels: steps grow with the width, at most a sixth."""
    step = max(multiple, (1 << (width.bit_length() - 1)) // FINENESS)
    step = -(-step // multiple) * multiple
    return -(-width // step) * step


def _batches(widths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of lines of one width each, the widest first, so that no thread begins with the longest work last."""
    order = sorted(range(len(widths)), key=lambda number: -widths[number])
    for width, group in groupby(order, key=lambda number: widths[number]):
        numbers = list(group)
        size = max(1, min(BATCH_LINES, BATCH_WIDTH // width))
        yield from (numbers[start : start + size] for start in range(0, len(numbers), size))
