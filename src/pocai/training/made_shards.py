"""Made lines written to disk, in parts and by several processes, with the teacher's scores where they are wanted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocai.synthetic.fonts import Kind, faces
from pocai.synthetic.lines import LineSource
from pocai.training.shards import Draws, Teacher, write_shards

PART = 5000  # lines of a folder


@dataclass(frozen=True, slots=True)
class MadeSet:
    """Which lines are made: the first ``count`` of a seed; ``taught`` adds the scores of PP-OCRv6.

    ``kind`` narrows the faces to those of one kind; None for all.
    """

    seed: int
    count: int
    split: Literal["train", "test"] = "train"
    damage: Literal["clean", "mixed", "heavy"] = "mixed"
    taught: bool = False
    kind: Kind | None = None


def write_made(
    folder: Path, made: MadeSet, processes: int = 1, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Write the set as folders ``part-000``, ``part-001`` ... of 5,000 lines each; gives them back in order.

    Parts that are there already are left, unfinished ones are continued. ``progress`` is told lines done and all.
    """
    starts = range(0, made.count, PART)
    jobs = [
        PartJob(folder / f"part-{number:03d}", _write_part, (made, start), min(PART, made.count - start))
        for number, start in enumerate(starts)
    ]
    return write_parts(jobs, processes, progress)


@dataclass(frozen=True, slots=True)
class PartJob:
    """A part to be written: ``write(folder, *arguments)`` writes ``size`` of it, in whatever the set is counted."""

    folder: Path
    write: Callable[..., None]
    arguments: tuple[object, ...]
    size: int


def write_parts(
    jobs: Sequence[PartJob], processes: int, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Write parts in several processes; gives back their folders. ``progress`` is told the size done, and all."""
    done, whole = 0, sum(job.size for job in jobs)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(job.write, job.folder, *job.arguments): job.size for job in jobs}
        for future in as_completed(running):
            future.result()
            done += running[future]
            if progress is not None:
                progress(done, whole)
    return tuple(job.folder for job in jobs)


def parts_of(folder: Path) -> list[Path]:
    """The parts of a set in order, or the folder itself where it is a part."""
    return sorted(folder.glob("part-*")) or [folder]


def _write_part(part: Path, made: MadeSet, start: int) -> None:
    families = tuple(face.family for face in faces(made.split) if face.kind == made.kind)
    source = LineSource(made.seed, made.split, made.damage, families)
    lines = Draws(source.line, range(start, min(start + PART, made.count)))
    parameters: dict[str, str | int] = {
        "seed": made.seed,
        "split": made.split,
        "damage": made.damage,
        "start": start,
        "of": made.count,
    }
    if made.kind is not None:
        parameters["kind"] = made.kind
    write_shards(part, lines, teacher() if made.taught else None, parameters=parameters)


def teacher() -> Teacher:
    """PP-OCRv6 on one thread: the scores of line crops."""
    from pocai.models.ppocr_recognizer import PPOCRRecognizer

    return PPOCRRecognizer(1).log_probabilities
