"""Would it pay to read the lines of several documents in one batch? The recognizer one by one and in batches, in turns.

The crops are those of the bundled page. A batch holds lines of similar width, as a queue of several documents would
offer them at best; the narrower ones are padded with grey, as the network wants. Both ways keep the same number of
threads busy: one by one, each thread runs lines alone (as `pocai.models.recognizer` does); in batches, each thread runs
batches, or one batch after the other runs on all threads. ``python bench/bench_batching.py [--threads 2] [--rounds 5]``
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pocai.documents.page import Page
from pocai.documents.straighten import straighten
from pocai.models.artefact import open_session, usable_threads
from pocai.models.detector import PPOCRDetector
from pocai.models.lines import crop, tall
from pocai.models.ppocr_recognizer import HEIGHT, NARROWEST, STEP, WEIGHTS

DEMO = Path(__file__).parents[1] / "src/pocai/assets/demo/demo.png"
SIZES = (1, 2, 4, 8, 16)
Tensor = Any  # (N, 3, 48, W) float32


def lines(picture: Path) -> list[Tensor]:
    """The level lines of a picture as the recognizer wants them, each ``(3, 48, w)``, from narrow to wide."""
    import cv2

    image = np.array(Image.open(picture).convert("RGB"))
    page = straighten(Page(0, image.shape[1], image.shape[0], image=image))
    assert page.image is not None
    tensors = []
    for quad in PPOCRDetector().detect(page.image):
        if tall(quad):
            continue
        patch = crop(page.image, quad)
        wide = max(NARROWEST, -(-round(patch.shape[1] * HEIGHT / patch.shape[0]) // STEP) * STEP)
        scaled = cv2.resize(patch, (wide, HEIGHT), interpolation=cv2.INTER_CUBIC)
        tensors.append(scaled[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) * (2 / 255) - 1)
    return sorted(tensors, key=lambda tensor: int(tensor.shape[2]))


def batches(tensors: Sequence[Tensor], size: int) -> list[Tensor]:
    """Neighbours in width together, ``(size, 3, 48, widest)``; the last one may be smaller. The widest come first."""
    found = []
    for start in range(0, len(tensors), size):
        group = tensors[start : start + size]
        batch = np.zeros((len(group), 3, HEIGHT, max(tensor.shape[2] for tensor in group)), np.float32)
        for row, tensor in zip(batch, group, strict=True):
            row[:, :, : tensor.shape[2]] = tensor
        found.append(batch)
    return found[::-1]


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of processor time; the latter tells more where the machine has other work too."""

    wall: float
    cpu: float


def cost(work: Callable[[], object]) -> Cost:
    """What one call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def side_by_side(session: Any, work: Sequence[Tensor], threads: int) -> None:
    """All batches, each alone on one of the threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda batch: session.run(None, {"x": batch}), work))


def one_after_the_other(session: Any, work: Sequence[Tensor]) -> None:
    """All batches, each on all threads of the session."""
    for batch in work:
        session.run(None, {"x": batch})


def measured(tensors: Sequence[Tensor], threads: int, rounds: int) -> dict[tuple[str, int], list[Cost]]:
    """What each way takes with each size of batch, round by round, after one round to warm up."""
    single, many = open_session(WEIGHTS.verified(), 1), open_session(WEIGHTS.verified(), threads)
    found: dict[tuple[str, int], list[Cost]] = defaultdict(list)
    for _ in range(rounds + 1):
        for size in SIZES:
            work = batches(tensors, size)
            found["side by side", size].append(cost(partial(side_by_side, single, work, threads)))
            if threads > 1:
                found["on all threads", size].append(cost(partial(one_after_the_other, many, work)))
    return {way: costs[1:] for way, costs in found.items()}


def ratio(costs: Sequence[float], alone: Sequence[float]) -> str:
    """Median and range of the ratios of pairs from the same round."""
    ratios = [one / other for one, other in zip(costs, alone, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Print a row for each size of batch: padding, time a line, and the ratios to one line at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=0, help="threads that are kept busy; 0: all usable cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=2, help="how many documents' lines wait at once")
    options = parser.parse_args()
    threads = usable_threads(options.threads)
    tensors = sorted(lines(DEMO) * options.documents, key=lambda tensor: int(tensor.shape[2]))
    found = measured(tensors, threads, options.rounds)
    needed = sum(int(tensor.shape[2]) for tensor in tensors)
    print(f"{len(tensors)} lines of {options.documents} documents, {threads} threads, {options.rounds} rounds")
    print("ratios to one by one, side by side, in the same round: median (least to most)\n")
    print(f"{'batch':>5}  {'padding':>7}  {'way':14}  {'ms a line':>9}  {'wall time':20}  processor time")
    alone = found["side by side", 1]
    for (way, size), costs in found.items():
        padding = sum(batch.shape[0] * batch.shape[3] for batch in batches(tensors, size)) / needed - 1
        line = 1000 * statistics.median(each.wall for each in costs) / len(tensors)
        wall = ratio([each.wall for each in costs], [each.wall for each in alone])
        cpu = ratio([each.cpu for each in costs], [each.cpu for each in alone])
        print(f"{size:5}  {padding:7.0%}  {way:14}  {line:9.1f}  {wall:20}  {cpu}")


if __name__ == "__main__":
    main()
