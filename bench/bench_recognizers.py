"""The student and its teacher side by side on one thread: lines a second at equal widths.

The teacher is in its best form: lines of one width in batches, its head cut down to the classes of our alphabet, memory
kept between runs; of batches of 1 and of 8 the faster one counts, for each width. The student is as it is served. All
take turns, and the ratio is the median over rounds of pairs from the same round. ``network`` is the network alone;
``whole`` is from the crop to its text, with the probability of the line for the student. Without a card beside the
weights only the networks are compared.

    python bench/bench_recognizers.py [WEIGHTS] [--rounds 9]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pocai.models.artefact import open_session
from pocai.models.card import card_file
from pocai.models.ctc import decode
from pocai.models.ppocr_recognizer import STEP, WEIGHTS, Alphabet, _tensor
from pocai.models.recognizer import StudentRecognizer, shipped_card, shipped_weights

WIDTHS = (80, 160, 320, 640)  # pixels, at 48 of height
LINES = 16  # of one width, in each turn
SIZES = (1, 8)  # lines in a batch of the teacher
GOAL = 5.0  # times the teacher's lines a second
Crop = NDArray[np.uint8]
Work = Callable[[], object]


def crops(width: int) -> list[Crop]:
    """Lines of print, ``(48, width, 3)`` each; no two are the same."""
    font = ImageFont.load_default(30)
    found = []
    for number in range(LINES):
        picture = Image.new("RGB", (width, 48), "white")
        text = f"{number + 8}:15 - {number + 9}:05 Mathematics, room {10 * number + 3}, group {number} (Art & Design) "
        ImageDraw.Draw(picture).text((3, 5), text * 2, fill="black", font=font)
        found.append(np.array(picture))
    return found


class SlicedTeacher:
    """PP-OCRv6 with the columns of its head that our alphabet needs, in batches of lines of one width."""

    def __init__(self) -> None:
        import onnx
        import onnxruntime
        from onnx import numpy_helper

        model = onnx.load(str(WEIGHTS.verified()))
        self.alphabet = Alphabet({each.key: each.value for each in model.metadata_props}["character"].split("\n"))
        columns = self.alphabet._columns  # noqa: SLF001 - which classes of the network are ours
        wide = model.graph.output[0].type.tensor_type.shape.dim[2]
        for weights in [each for each in model.graph.initializer if wide.dim_value in each.dims]:
            kept = np.ascontiguousarray(numpy_helper.to_array(weights)[..., columns])
            weights.CopyFrom(numpy_helper.from_array(kept, weights.name))
        wide.dim_value = len(columns)
        del model.graph.value_info[:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.starts = self.alphabet._starts  # noqa: SLF001

    def run(self, tensors: Sequence[Any]) -> None:
        """The network alone."""
        for tensor in tensors:
            self.session.run(None, {"x": tensor})

    def read(self, lines: Sequence[Crop], size: int) -> list[str]:
        """From crops of one width to texts."""
        texts = []
        for start in range(0, len(lines), size):
            prepared = [_tensor(line) for line in lines[start : start + size]]
            (scores,) = self.session.run(None, {"x": np.concatenate([tensor for tensor, _ in prepared])})
            folded = np.add.reduceat(scores, self.starts, axis=2)
            texts += [
                decode(each, self.alphabet.letters, width / STEP).text
                for each, (_, width) in zip(folded, prepared, strict=True)
            ]
        return texts


def batches(array: Any, size: int) -> list[Any]:
    """An array ``(N, …)`` in parts of at most ``size``."""
    return [array[start : start + size] for start in range(0, len(array), size)]


def contenders(
    width: int, session: Any, teacher: SlicedTeacher, student: StudentRecognizer | None
) -> dict[tuple[str, str, int], Work]:
    """What takes turns at a width: by measure, whose it is, and the size of a batch (0: its own)."""
    lines = crops(width)
    tensors = np.concatenate([_tensor(line)[0] for line in lines])
    images = np.stack([line[None, :, :, 0] for line in lines])
    work: dict[tuple[str, str, int], Work] = {}
    for size in SIZES:
        work["network", "teacher", size] = partial(teacher.run, batches(tensors, size))
        work["whole", "teacher", size] = partial(teacher.read, lines, size)
        work["network", "student", size] = partial(run, session, batches(images, size))
    if student is not None:
        work["whole", "student", 0] = partial(student.recognize, lines)
    return work


def run(session: Any, parts: Sequence[Any]) -> None:
    """The student's network alone."""
    for part in parts:
        session.run(None, {"lines": part})


def measured(work: dict[tuple[str, str, int], Work], rounds: int) -> dict[tuple[str, str, int], list[float]]:
    """Seconds of processor time of each turn, after one round to warm up."""
    found: dict[tuple[str, str, int], list[float]] = {key: [] for key in work}
    for _ in range(rounds + 1):
        for key, each in work.items():
            start = time.process_time()
            each()
            found[key].append(time.process_time() - start)
    return {key: seconds[1:] for key, seconds in found.items()}


def best(found: dict[tuple[str, str, int], list[float]], measure: str, who: str) -> tuple[int, list[float]]:
    """The fastest size of batch, and its seconds by round."""
    sizes = {size: seconds for (kind, name, size), seconds in found.items() if (kind, name) == (measure, who)}
    size = min(sizes, key=lambda size: median(sizes[size]))
    return size, sizes[size]


def main() -> None:
    """Print milliseconds a line of both and their ratio, by measure and width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "weights", type=Path, nargs="?", help="ONNX file of a student; the shipped one if none is named"
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    file: Path = options.weights or shipped_weights(shipped_card()).verified()
    student = StudentRecognizer(1, file) if card_file(file).is_file() else None
    session, teacher = open_session(file, 1), SlicedTeacher()
    print(f"{file.name}, one thread, {options.rounds} rounds, milliseconds of processor time a line (batch)\n")
    print(f"{'':8} {'width':>6}  {'teacher':>12}  {'student':>12}  times faster: median (least to most)")
    for width in WIDTHS:
        found = measured(contenders(width, session, teacher, student), options.rounds)
        for measure in ("network", "whole") if student else ("network",):
            (large, slow), (small, fast) = (best(found, measure, who) for who in ("teacher", "student"))
            ratios = [one / other for one, other in zip(slow, fast, strict=True)]
            cells = [
                f"{1000 * median(seconds) / LINES:6.2f} ({size or 'own'})"
                for size, seconds in ((large, slow), (small, fast))
            ]
            kept = "" if measure == "network" else f"   (goal {GOAL}: {'kept' if median(ratios) >= GOAL else 'MISSED'})"
            spread = f"{median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{measure:8} {width:6}  {cells[0]:>12}  {cells[1]:>12}  {spread}{kept}")


if __name__ == "__main__":
    main()
