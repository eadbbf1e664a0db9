"""The reference recognizer of PP-OCRv6 (a convolution-attention network with CTC), kept to Latin script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.errors import ModelError
from pocai.models.artefact import Artefact, open_session, usable_threads
from pocai.models.ctc import CLASSES, LETTERS, decode
from pocai.models.protocols import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Scores = NDArray[np.float32]

WEIGHTS = Artefact(
    package="rapidocr",
    path="models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    licence="Apache-2.0",
)
HEIGHT = 48  # pixels; the network was trained on lines of this height
STEP = 8  # pixels of a line for which the network gives one vector of scores
NARROWEST = 64  # pixels; narrower lines are padded
WIDEST = 3200  # pixels; a longer line is squeezed
FLOOR = -20.0  # natural log-probability of what cannot be
# Glyphs that look the same and are folded onto one letter of the alphabet.
TWINS = {
    "－": "-",
    "−": "-",
    "‐": "-",
    "‑": "-",
    "―": "—",
    "・": "·",
    "⋅": "·",
    "∙": "·",
    "、": ",",
    "。": ".",
    "│": "|",
}


class Alphabet:
    """Which of the network's classes stand for which letter: class 0 is the CTC blank, the last one the space."""

    def __init__(self, classes: Sequence[str]) -> None:
        import numpy as np

        wanted = {letter: number for number, letter in enumerate(("", " ", *LETTERS))}
        pairs = [(0, 0), (1, len(classes) + 1)]
        for number, letter in enumerate(classes, start=1):
            target = wanted.get(TWINS.get(letter, letter), wanted.get(unicodedata.normalize("NFKC", letter)))
            if target is not None:
                pairs.append((target, number))
        pairs.sort()
        targets = [target for target, _ in pairs]
        self.letters = tuple(letter for letter, number in wanted.items() if number in set(targets))
        self._columns = np.array([column for _, column in pairs])
        self._starts = np.array([at for at, target in enumerate(targets) if at == 0 or target != targets[at - 1]])

    def fold(self, probabilities: Scores) -> Scores:
        """Probabilities ``(N, T, classes)`` as ``(N, T, letters)``; twins are added up, other scripts left out."""
        import numpy as np

        folded: Scores = np.add.reduceat(probabilities[:, :, self._columns], self._starts, axis=2)
        return folded


class PPOCRRecognizer:
    """The recognizer of PP-OCRv6 (small), kept to Latin letters. Safe to call from several threads.

    Lines run side by side, each alone on one thread: batches of them save no time, and alone a line needs no
    padding and reads the same in whatever company it comes.
    Raises ModelError when its weights are missing, altered, or carry no alphabet.
    """

    name = "ppocr"

    def __init__(self, threads: int = 0) -> None:
        self._threads = usable_threads(threads)
        self._session = open_session(WEIGHTS.verified(), 1)
        classes = self._session.get_modelmeta().custom_metadata_map.get("character", "").split("\n")
        if len(classes) < len(LETTERS):
            raise ModelError(f"{WEIGHTS.path} names only {len(classes)} characters", mend="Reinstall rapidocr.")
        self._alphabet = Alphabet(classes)

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop (RGB ``(h, w, 3)`` uint8, upright), in order; same pixels are read once."""
        keys = [(crop.shape, crop.tobytes()) for crop in crops]
        unique = dict(zip(keys, crops, strict=True))
        widest_first = sorted(unique, key=lambda key: -key[0][1] / max(1, key[0][0]))
        with ThreadPoolExecutor(self._threads) as pool:
            readings = dict(zip(widest_first, pool.map(lambda key: self._read(unique[key]), widest_first), strict=True))
        return [readings[key] for key in keys]

    def log_probabilities(self, crops: Sequence[Image]) -> list[Scores]:
        """What a student learns from: natural log-probabilities ``(T, len(CLASSES))`` of each crop, blank first.

        T is the crop's width at 48 pixels of height over 8, rounded up; classes that the network lacks get -20.
        """
        import numpy as np

        numbers = [CLASSES.index(letter) for letter in self._alphabet.letters]
        with ThreadPoolExecutor(self._threads) as pool:
            folded = list(pool.map(self._posteriors, crops))
        scores = []
        for probabilities in folded:
            full = np.full((len(probabilities), len(CLASSES)), FLOOR, np.float32)
            full[:, numbers] = np.maximum(np.log(np.maximum(probabilities, 1e-9)), FLOOR)
            scores.append(full)
        return scores

    def _posteriors(self, crop: Image) -> Scores:
        """Probabilities ``(T, letters)`` of the steps that the crop itself fills."""
        tensor, width = _tensor(crop)
        scores: Scores = self._alphabet.fold(self._session.run(None, {"x": tensor})[0])[0]
        return scores[: -(-width // STEP)]

    def _read(self, crop: Image) -> Reading:
        if not crop.size:
            return Reading("", 0.0, reader=self.name)
        tensor, width = _tensor(crop)
        scores = self._alphabet.fold(self._session.run(None, {"x": tensor})[0])
        return replace(decode(scores[0], self._alphabet.letters, width / STEP), reader=self.name)


def _tensor(crop: Image) -> tuple[Scores, int]:
    """A crop as the network was trained on, and its width there: 48 pixels high, BGR, -1 to 1, grey to its right."""
    import cv2
    import numpy as np

    height, width = crop.shape[:2]
    wide = max(STEP, min(WIDEST, round(width * HEIGHT / height)))
    scaled = cv2.resize(crop, (wide, HEIGHT), interpolation=cv2.INTER_AREA if height > 2 * HEIGHT else cv2.INTER_CUBIC)
    tensor = np.zeros((1, 3, HEIGHT, max(NARROWEST, -(-wide // STEP) * STEP)), np.float32)
    tensor[0, :, :, :wide] = scaled[:, :, ::-1].transpose(2, 0, 1)
    tensor[0, :, :, :wide] *= 2 / 255
    tensor[0, :, :, :wide] -= 1
    return tensor, wide
