"""TrOCR as a recognizer: it writes a line letter by letter while it looks at the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pocai.models.protocols import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pocai.models.trocr_network import TrOCR

    Image = NDArray[np.uint8]
    Scores = NDArray[np.float32]

AT_ONCE = 32  # lines that are read together
_LEAST = 1e-6  # attention below which places are not told apart


class TrOCRRecognizer:
    """The TrOCR in a folder (weights as safetensors, see `pocai.models.trocr_network.load`). Needs the extra ``train``.

    ``confidence`` is the mean probability of the printed letters, each that of the token that brought it. A language
    model writes them, so a high one does not say that the letters are on the page: it is not calibrated.
    TrOCR has no alignment of letters and pixels. Where a word stands is estimated from where the decoder looks: the
    path through its cross-attention that never goes back (dynamic time warping, as Whisper has its word times).
    ``beams`` above 1 searches wider, at that many times the cost. Safe to call from several threads, which take turns.
    Raises ModelError when the folder holds no model that can be used.
    """

    name = "trocr"

    def __init__(self, folder: Path, device: str = "cpu", beams: int = 1) -> None:
        from pocai.models.trocr_network import load

        self._model = load(folder)
        self._model.network.to(device).eval()
        self._beams = beams
        self._turn = Lock()

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop (RGB ``(h, w, 3)`` uint8, upright), in order."""
        preparation = self._model.preparation
        filled = [number for number, crop in enumerate(crops) if crop.size]
        pictures = [preparation.picture(crops[number]) for number in filled]
        with self._turn:
            readings = dict(zip(filled, read_pictures(self._model, pictures, self._beams), strict=True))
        nothing = Reading("", 0.0, reader=TrOCRRecognizer.name)
        return [replace(readings.get(number, nothing), reader=self.name) for number in range(len(crops))]


def read_pictures(model: TrOCR, pictures: Sequence[Image], beams: int = 1) -> list[Reading]:
    """One `Reading` for each picture as `Preparation.picture` makes it, in order.

    Only pictures that are padded to one width are read together, so that a line reads the same in any company.
    """
    from pocai.models.trocr_network import plain

    network = plain(model.network)
    readings: dict[int, Reading] = {}
    for numbers in _batches([model.preparation.padded(picture.shape[1]) for picture in pictures]):
        readings.update(zip(numbers, _read(model, network, [pictures[n] for n in numbers], beams), strict=True))
    return [readings[number] for number in range(len(pictures))]


def _batches(widths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of pictures of equal width, at most `AT_ONCE` together."""
    for _, group in groupby(sorted(range(len(widths)), key=lambda number: widths[number]), lambda n: widths[n]):
        numbers = list(group)
        for start in range(0, len(numbers), AT_ONCE):
            yield numbers[start : start + AT_ONCE]


def _read(model: TrOCR, network: Any, pictures: Sequence[Image], beams: int) -> Iterator[Reading]:
    """Read pictures of one width. Letters are written first; one more pass over them gives scores and attention."""
    import torch

    pixels = torch.from_numpy(model.preparation.batch(pictures)).to(network.device)
    with torch.inference_mode():
        seen = network.encoder(pixel_values=pixels)
        vectors = seen.last_hidden_state  # generate repeats those in `seen` for its beams
        written = network.generate(encoder_outputs=seen, num_beams=beams)
        again = network(encoder_outputs=(vectors,), decoder_input_ids=written[:, :-1], output_attentions=True)
        chances = again.logits.float().softmax(-1).gather(2, written[:, 1:, None]).squeeze(2)
        embeddings = network.encoder.embeddings
        looks = torch.stack(again.cross_attentions).mean(dim=(0, 2))[:, :, embeddings.marks :].float()
        rows, columns = embeddings.grid[0], pixels.shape[3] // embeddings.patch[1]
        looks = looks.reshape(*looks.shape[:2], rows, columns).sum(dim=2)
    tensors = (written[:, 1:].tolist(), chances.cpu().numpy(), looks.cpu().numpy())
    for numbers, scores, look, picture in zip(*tensors, pictures, strict=True):
        count = numbers.index(model.tokens.end) if model.tokens.end in numbers else len(numbers)
        share = embeddings.patch[1] / picture.shape[1]
        yield _reading(model.tokens.pieces(numbers[:count]), scores[:count], look[:count], share)


def _reading(pieces: Sequence[str], scores: Scores, looks: Scores, column: float) -> Reading:
    """A reading from the text of each token, its score, and where it looks; ``column`` is a share of the line."""
    places = [(place + 0.5) * column for place in path_of(looks)]
    marks = [
        (letter, float(score), min(1.0, place))
        for piece, score, place in zip(pieces, scores, places, strict=True)
        for letter in piece
    ]
    groups = [list(group) for blank, group in groupby(marks, lambda mark: mark[0].isspace()) if not blank]
    words = tuple(_word(group, column) for group in groups)
    printed = [score for group in groups for _, score, _ in group]
    text = " ".join(word[0] for word in words)
    return Reading(text, sum(printed) / len(printed) if printed else 0.0, words, reader=TrOCRRecognizer.name)


def _word(marks: Sequence[tuple[str, float, float]], column: float) -> tuple[str, float, float, float]:
    """Text, mean score, and the start and end of a word as shares of the line."""
    first, last = marks[0][2], marks[-1][2]
    half = (last - first) / (len(marks) - 1) / 2 if len(marks) > 1 else column
    score = sum(mark[1] for mark in marks) / len(marks)
    return "".join(mark[0] for mark in marks), score, max(0.0, first - half), min(1.0, last + half)


def path_of(looks: Scores) -> list[int]:
    """The columns ``(T,)`` that a decoder looks at ``(T, columns)`` in turn, never going back: the likeliest such path.

    Viterbi's algorithm over the logarithm of the attention.
    """
    import numpy as np

    if not len(looks):
        return []
    scores = np.log(np.maximum(looks, _LEAST))
    best = scores[0]
    before = []  # for each token and column: the column of the token before it
    for row in scores[1:]:
        reached = np.maximum.accumulate(best)
        columns = np.arange(len(best))
        before.append(np.maximum.accumulate(np.where(best >= reached, columns, 0)))
        best = reached + row
    path = [int(best.argmax())]
    for columns in reversed(before):
        path.append(int(columns[path[-1]]))
    return path[::-1]
