"""Lines as the reader meets them: cut out of whole made pages by the detector, with what is printed on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from pocai.documents.page import Box, Quad
from pocai.models.detector import PPOCRDetector
from pocai.models.lines import crop, tall, turned
from pocai.models.protocols import Detector
from pocai.synthetic.bending import Bending
from pocai.synthetic.compose import compose
from pocai.synthetic.damage import KINDS, damage_page
from pocai.synthetic.fonts import Split
from pocai.synthetic.painting import PaintedLine, paint
from pocai.training.datasets import Pixels
from pocai.training.made_shards import PartJob, teacher, write_parts
from pocai.training.shards import write_shards

WHOLE = 0.35  # share of the pages that nothing befalls
RESOLUTIONS = (90.0, 200.0)  # dots an inch
HELD = 0.6  # share of a printed line that lies in a quad, from which the quad holds it
DOCUMENTS = 100  # of a part
STRAY = 0.15  # share of a quad that another line may take up


@dataclass(frozen=True, slots=True)
class CutLine:
    """A crop, RGB ``(h, w, 3)`` uint8, and what is printed on it."""

    image: Pixels
    text: str


def page_lines(seed: int, detector: Detector, split: Split = "train") -> Iterator[CutLine]:
    """All lines of the first sheet of a made document that the detector cuts out alone and whole.

    Most pages are damaged. Layouts and faces are those of ``split``.
    """
    random = np.random.default_rng((seed, 0xC07))
    painted = paint(compose(seed, layouts=split, split=split), 0, float(random.uniform(*RESOLUTIONS)))
    image, lines = _damaged(random, painted.image, painted.lines)
    for quad in detector.detect(image):
        held = _held(quad, lines)
        if held is not None and tall(quad) == (held.angle in (90, 270)):
            yield CutLine(crop(image, turned(quad, held.angle)), held.text)


def _damaged(
    random: Generator, image: Pixels, lines: Sequence[PaintedLine]
) -> tuple[Pixels, list[tuple[Box, PaintedLine]]]:
    """The page after what befell it, and where its lines are then."""
    if random.random() < WHOLE:
        return image, [(line.box, line) for line in lines]
    kind = KINDS[int(random.integers(len(KINDS)))]
    damaged, bending = damage_page(image, random, kind, float(random.uniform(0.2, 0.7)))
    return damaged, [(_moved(line.quad, bending), line) for line in lines]


def _moved(quad: Quad, bending: Bending) -> Box:
    places = bending.moved(np.array(quad, np.float64))
    return Box(*places.min(axis=0).tolist(), *places.max(axis=0).tolist())


def _held(quad: Quad, lines: Sequence[tuple[Box, PaintedLine]]) -> PaintedLine | None:
    """The one line in a quad; None where there is none, only a part of it, or a second one beside it."""
    meeting = [(box, line) for box, line in lines if box.intersection(quad.box).width > 0 < quad.box.overlap(box)]
    whole = [(box, line) for box, line in meeting if box.overlap(quad.box) >= HELD]
    if len(whole) != 1:
        return None
    stray = sum(quad.box.overlap(box) for box, _ in meeting if box is not whole[0][0])
    return whole[0][1] if stray < STRAY and box_is_held(whole[0][0], quad.box) else None


def box_is_held(line: Box, quad: Box) -> bool:
    """Whether a line ends where its quad ends, along the direction in which it is longer."""
    along = (0, 2) if line.width >= line.height else (1, 3)
    size = max(line.width, line.height)
    return all(abs(line[place] - quad[place]) < max(0.6 * min(quad.width, quad.height), 0.02 * size) for place in along)


@dataclass(frozen=True, slots=True)
class PageSet:
    """Of which documents lines are taken: so many from a seed on; ``taught`` adds the scores of PP-OCRv6."""

    seed: int
    documents: int
    split: Split = "train"
    taught: bool = False


def write_page_lines(
    folder: Path, pages: PageSet, processes: int = 1, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Write the lines of made documents as parts of a hundred documents each; gives back the parts in order.

    Finished parts are left, unfinished ones are continued. ``progress`` is told documents done and all.
    """
    seeds = range(pages.seed, pages.seed + pages.documents)
    some = [seeds[start : start + DOCUMENTS] for start in range(0, len(seeds), DOCUMENTS)]
    jobs = [
        PartJob(folder / f"part-{number:03d}", _write_part, (numbers, pages), len(numbers))
        for number, numbers in enumerate(some)
    ]
    return write_parts(jobs, processes, progress)


def _write_part(folder: Path, seeds: range, pages: PageSet) -> None:
    parameters = {"pages": [seeds.start, seeds.stop], "split": pages.split}
    lines = _lines_of(seeds, pages.split)
    write_shards(folder, lines, teacher() if pages.taught else None, parameters=parameters)


def _lines_of(seeds: range, split: Split) -> Iterator[CutLine]:
    detector = PPOCRDetector(1)
    for seed in seeds:
        yield from page_lines(seed, detector, split)
