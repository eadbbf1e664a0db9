"""Made lines written to disk, in parts and by several processes, with the teacher's scores where they are wanted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocai.synthetic.lines import LineSource
from pocai.training.shards import Draws, Teacher, write_shards

PART = 5000  # lines of a folder


@dataclass(frozen=True, slots=True)
class MadeSet:
    """Which lines are made: the first ``count`` of a seed; ``taught`` adds the scores of PP-OCRv6."""

    seed: int
    count: int
    split: Literal["train", "test"] = "train"
    damage: Literal["clean", "mixed", "heavy"] = "mixed"
    taught: bool = False


def write_made(
    folder: Path, made: MadeSet, processes: int = 1, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Write the set as folders ``part-000``, ``part-001`` ... of 5,000 lines each; gives them back in order.

    Parts that are there already are left, unfinished ones are continued. ``progress`` is told lines done and all.
    """
    starts = range(0, made.count, PART)
    parts = tuple(folder / f"part-{number:03d}" for number in range(len(starts)))
    done = 0
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {
            pool.submit(_write_part, part, made, start): min(PART, made.count - start)
            for part, start in zip(parts, starts, strict=True)
        }
        for future in as_completed(running):
            future.result()
            done += running[future]
            if progress is not None:
                progress(done, made.count)
    return parts


def parts_of(folder: Path) -> list[Path]:
    """The parts of a set in order, or the folder itself where it is a part."""
    return sorted(folder.glob("part-*")) or [folder]


def _write_part(part: Path, made: MadeSet, start: int) -> None:
    source = LineSource(made.seed, made.split, made.damage)
    lines = Draws(source.line, range(start, min(start + PART, made.count)))
    parameters = {"seed": made.seed, "split": made.split, "damage": made.damage, "start": start, "of": made.count}
    write_shards(part, lines, _teacher() if made.taught else None, parameters=parameters)


def _teacher() -> Teacher:
    from pocai.models.ppocr_recognizer import PPOCRRecognizer

    return PPOCRRecognizer(1).log_probabilities
