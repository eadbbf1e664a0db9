"""What an adapter gives and costs: error rates on a handwriting that the student has never seen, the time of a swap.

200 lines of the held-out handwriting face are trained on by ``recipes/ocr-lora.toml``; 500 others of the face, and 1000
lines of all other held-out faces, are read before and after. ``python bench/bench_lora.py [WEIGHTS] [FOLDER]``, where
WEIGHTS are the student's (safetensors) and FOLDER takes the adapter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from pocai.models.adapter import RUNTIME, AdaptableStudent, write_runtime_adapter
from pocai.models.adapter_card import AdapterCard, sha256_of
from pocai.models.card import ModelCard, card_file
from pocai.models.ctc import CLASSES
from pocai.models.line_image import line_image
from pocai.models.student_network import STEP
from pocai.synthetic.fonts import HELD_OUT_HAND, faces
from pocai.synthetic.lines import LineSource
from pocai.training.adaptable import export_adaptable, runtime_matrices
from pocai.training.line_batches import LineImages
from pocai.training.lora import AdapterResult, LoraTask, train_lora
from pocai.training.lora_files import read_adapter
from pocai.training.lora_lines import Halves
from pocai.training.lora_network import FrozenStudent
from pocai.training.ocr_model.line_sources import HeldLines
from pocai.training.ocr_model.student import error_rate, read_lines
from pocai.training.progress import PrintedProgress
from pocai.training.recipe import read_recipe

RECIPE = Path(__file__).parents[1] / "recipes/ocr-lora.toml"
TRAINED, TESTED, OLD = 200, 500, 1000  # lines
SEEDS = (101, 102, 103)  # of these three
SWAPS = 20
RUNS = 30
WIDTH = 160  # pixels of the line that is read while adapters are swapped


def made(seed: int, count: int, families: tuple[str, ...]) -> HeldLines:
    """Lines of ordinary text in some held-out faces, a third of them clean and the others damaged."""
    source = LineSource(seed, "test", "mixed", families, rare=0.0)
    samples = [source.line(number) for number in range(count)]
    return HeldLines([line_image(sample.image) for sample in samples], [sample.text for sample in samples])


def rate(network: FrozenStudent, lines: LineImages) -> float:
    """Character error rate, per cent."""
    return 100 * error_rate(read_lines(network, lines), [lines.text(number) for number in range(len(lines))])


def accuracy(weights: Path | None, folder: Path) -> tuple[LoraTask, AdapterResult]:
    """Train the adapter and print what it changes."""
    others = tuple(face.family for face in faces("test") if face.family != HELD_OUT_HAND)
    new, old = made(SEEDS[1], TESTED, (HELD_OUT_HAND,)), made(SEEDS[2], OLD, others)
    recipe = read_recipe(RECIPE).with_values({"model.base": weights} if weights else {})
    task = LoraTask(recipe, Halves.of(made(SEEDS[0], TRAINED, (HELD_OUT_HAND,))))
    result = train_lora(recipe, folder, task, progress=PrintedProgress())
    adapted = read_adapter(task.base, folder)
    for name, lines, wanted in (
        (f"{HELD_OUT_HAND}, {TESTED} lines", new, "at least -40 %"),
        (f"other test faces, {OLD} lines", old, "at most +0.3 points"),
    ):
        before, after = rate(task.base, lines), rate(adapted, lines)
        change = f"{after - before:+.2f} points, {100 * (after / before - 1):+.1f} %"
        print(f"{name}: CER {before:.2f} % without, {after:.2f} % with the adapter ({change}; wanted {wanted})")
    card, run = result.card, result.outcome
    print(f"trained: {card.parameters} parameters, {100 * card.share:.2f} % of the base's (wanted at most 5 %)")
    print(f"training: {run.steps} steps, {run.seconds:.0f} s; seeds {SEEDS} of lines, {recipe.seed} of the run")
    for file in sorted(folder.glob("adapter*")):
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
    return task, result


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = perf_counter()
    call()
    return 1000 * (perf_counter() - begun)


def typical(call: Callable[[], object]) -> float:
    """Median milliseconds of some calls, after one that does not count."""
    call()
    return median(timed(call) for _ in range(RUNS))


def swapping(task: LoraTask, folder: Path, scratch: Path) -> None:
    """Print what adapters cost in time, on one thread."""
    file = export_adaptable(task.base, scratch / "student.onnx")
    card = ModelCard(name="student", version="bench", licence="-", sha256=sha256_of(file), classes=CLASSES, step=STEP)
    card.write(card_file(file))
    loading = timed(lambda: AdaptableStudent(1, file))
    student = AdaptableStudent(1, file)
    line = np.random.default_rng(0).integers(0, 256, (48, WIDTH, 3), np.uint8)
    folders = variants(task, folder, scratch)
    loads, first = [], []
    for each in folders:
        loads.append(timed(lambda each=each: student.adapter(each)))  # type: ignore[misc]  # mypy: default of a lambda
        first.append(timed(lambda each=each: run(student, line, each)))  # type: ignore[misc]
    later = typical(lambda: run(student, line, folders[0]))
    print(f"line of {WIDTH} px: without adapter {typical(lambda: student.recognize([line])):.2f} ms, ", end="")
    print(f"with one {later:.2f} ms")
    fresh = median(loads) + max(0.0, median(first) - later)
    print(f"student: {loading:.0f} ms to load, {file.stat().st_size / 1e6:.1f} MB")
    print(f"swap to an adapter not yet in memory: {fresh:.2f} ms (longest load {max(loads):.2f}; wanted at most 5 ms)")
    print(f"swap to an adapter in memory: {typical(lambda: student.adapter(folders[0]).options()):.3f} ms")


def run(student: AdaptableStudent, line: NDArray[np.uint8], folder: Path) -> None:
    """A request with an adapter."""
    student.adapted([line], student.adapter(folder))


def variants(task: LoraTask, folder: Path, scratch: Path) -> list[Path]:
    """Adapters like the one in ``folder``, each with other matrices."""
    matrices, card = runtime_matrices(read_adapter(task.base, folder)), AdapterCard.read(folder)
    made = []
    for number in range(SWAPS):
        place = scratch / f"adapter-{number}"
        place.mkdir()
        scaled = {name: value * np.float32(1 + number / SWAPS) for name, value in matrices.items()}
        write_runtime_adapter(scaled, place / RUNTIME)
        card.model_copy(update={"sha256": sha256_of(place / RUNTIME)}).write(place)
        made.append(place)
    return made


def main() -> None:
    """Print all figures."""
    torch.set_num_threads(1)
    weights = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with TemporaryDirectory() as scratch:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch, "hand")  # noqa: PLR2004
        task, _ = accuracy(weights, folder)
        swapping(task, folder, Path(scratch))


if __name__ == "__main__":
    main()
