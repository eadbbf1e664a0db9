"""What a school's memory gives: block F1 of its second to fifth timetable with features and without, side by side.

A school prints the timetables of different classes in one layout and one look, both drawn from a seed; each is painted,
badly damaged, and read once. Both ways start from what was read: without a memory, and with that of the documents read
before. The documents of a folder of real ones are read too, each after all of the others as if they were of one school.
``python bench/bench_second_document.py [REAL] [--schools N] [--first SEED] [--wrong]``
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import mean, median
from time import perf_counter

import numpy as np
from PIL import Image as Pictures

from pocai.documents.ingest import load
from pocai.documents.limits import Deadline
from pocai.documents.page import Document
from pocai.errors import ConfigurationError
from pocai.evaluation.dataset import read_dataset
from pocai.evaluation.timetables import Comparison, Scorable, blocks_of, compare, total
from pocai.inference.certainty import certainty
from pocai.inference.pipeline import Stopwatch, read_text
from pocai.inference.school_service import assembled
from pocai.settings import Settings
from pocai.synthetic.damage import KINDS, damage_page
from pocai.synthetic.document import Drawing
from pocai.synthetic.excerpt import first_sheet
from pocai.synthetic.fonts import faces
from pocai.synthetic.layouts import FAMILIES, Family
from pocai.synthetic.layouts.chance import pick
from pocai.synthetic.painting import POINTS, paint_sheet
from pocai.synthetic.schools import School
from pocai.synthetic.timetables import made
from pocai.timetable.school import SchoolMemory, remember
from pocai.timetable.timetable import Timetable

FIRST = 9_600_000  # seed of the first school; those from 9,500,000 on served for tuning
DOCUMENTS = 5
MISSES = 12  # timetables of a school that its layout does not take, or that fit on no paper
FAMILIES_TRIED = 30
STRENGTH = (0.7, 1.0)  # of the damage
RESOLUTIONS, LONGEST = (100, 200), 2400  # dots an inch, and pixels of a picture's longer side
QUALITIES = (60, 96)  # of JPEG, the last excluded
REPEATS = 5  # of which the fastest counts
GAIN, FALL = 1.5, 0.2  # points of block F1: wanted on made schools, and allowed on real documents
SETTINGS = Settings.model_construct(threads=1)


@dataclass(frozen=True, slots=True)
class Read:
    """A document after recognition, and its truth."""

    document: Document
    gold: Scorable


def drawings(seed: int) -> tuple[str, list[Drawing]]:
    """The first timetables of a school in one of the layouts that take them all, and the layout's name."""
    rng = np.random.default_rng((seed, 1))
    families = list(FAMILIES.values())
    for _ in range(FAMILIES_TRIED):
        family = pick(rng, families, [each.weight for each in families])
        found = [drawing for drawing, _ in zip(_drawn(family, seed), range(DOCUMENTS), strict=False)]
        if len(found) == DOCUMENTS:
            return family.name, found
    raise ConfigurationError(f"no layout takes the school {seed}", mend="Choose another seed")


def _drawn(family: Family, seed: int) -> Iterator[Drawing]:
    school = School.of(seed, stage=family.stage)
    misses, index = 0, 0
    while misses < MISSES:
        week = made(index, school=school, times=family.times)
        index += 1
        if not family.accepts(week):
            misses += 1
            continue
        try:
            yield first_sheet(family.draw(week, faces("test"), np.random.default_rng(seed)))
        except ConfigurationError:  # it does not fit on any paper
            misses += 1


def picture(drawing: Drawing, rng: np.random.Generator) -> bytes:
    """The drawing as a badly damaged JPEG."""
    sheet = drawing.sheets[0]
    dots = min(float(rng.uniform(*RESOLUTIONS)), LONGEST * POINTS / max(sheet.width, sheet.height))
    painted = paint_sheet(sheet, dots)
    size = median(line.size for line in painted.lines) if painted.lines else 0.0
    kind = KINDS[int(rng.integers(len(KINDS)))]
    image, _ = damage_page(painted.image, rng, kind, float(rng.uniform(*STRENGTH)), size)
    target = BytesIO()
    Pictures.fromarray(image).save(target, "JPEG", quality=int(rng.integers(*QUALITIES)))
    return target.getvalue()


def recognized(content: bytes | Path, gold: Scorable, name: str = "made.jpg") -> Read:
    """A document read as it is read in use, up to its assembly."""
    document = load(content, name=name, limits=SETTINGS.limits)
    return Read(read_text(document, SETTINGS, Deadline(600), Stopwatch(None))[0], gold)


def timetables(read: Read, memory: SchoolMemory | None, spans: list[float] | None = None) -> tuple[Timetable, ...]:
    """The timetables of a document, with calibrated confidences; ``spans`` gets the seconds that this took."""
    begun = perf_counter()
    assembly, decided = assembled(read.document, SETTINGS, memory)
    judge = assembly.judge or assembly.model
    found = certainty(assembly.timetables, decided, judge, SETTINGS.school_hours).timetables
    if spans is not None:
        spans.append(perf_counter() - begun)
    return found


def remembered(memory: SchoolMemory, tables: Sequence[Timetable]) -> SchoolMemory:
    """The memory with one more document."""
    return remember(memory, tables, datetime.now(UTC))


def school(seed: int, *, wrong: bool) -> tuple[str, list[Comparison], list[Comparison]]:
    """Layout of a school, and its documents from the second on, without features and with them."""
    family, drawn = drawings(seed)
    memory, without, given = SchoolMemory(), [], []
    for number, drawing in enumerate(drawn):
        read = recognized(picture(drawing, np.random.default_rng((seed, 2, number))), drawing.timetables)
        with_features = timetables(read, memory)
        memory = remembered(memory, with_features)
        if number:
            without.append(compare(read.gold, timetables(read, None)))
            given.append(compare(read.gold, with_features))
            if wrong:
                show(read.gold, with_features, given[-1])
    return family, without, given


def show(gold: Scorable, found: Sequence[Timetable], compared: Comparison) -> None:
    """Print the wrong blocks beside the truth, with what their fields rest on."""
    truth, read = blocks_of(gold), blocks_of(found)
    partners = {pair.gold: pair.predicted for pair in compared.pairs}
    right = {pair.gold for pair in compared.pairs if len(pair.right) == len(("day", "name", "start", "end"))}
    names = ("day", "name", "startTime", "endTime")
    for number in set(range(len(truth))) - right:
        other = read[partners[number]] if number in partners else None
        rests = {name: mark["evidence"] for name, mark in other["fields"].items()} if other else {}
        print("   ", [truth[number][each] for each in names], "->", other and [other[each] for each in names], rests)


def f1(compared: Sequence[Comparison]) -> float:
    """Micro block F1 in points."""
    return 100 * total(each.counts for each in compared).figures.block


def made_schools(first: int, count: int, *, wrong: bool) -> None:
    """Print the schools and their mean gain."""
    print("| school | layout | without | with | gain |\n| --- | --- | --- | --- | --- |")
    without: list[Comparison] = []
    given: list[Comparison] = []
    gains = []
    for seed in range(first, first + count):
        family, plain, better = school(seed, wrong=wrong)
        without, given = without + plain, given + better
        gains.append(f1(better) - f1(plain))
        print(f"| {seed} | {family} | {f1(plain):.1f} | {f1(better):.1f} | {gains[-1]:+.1f} |", flush=True)
    print(f"| all blocks | | {f1(without):.1f} | {f1(given):.1f} | {f1(given) - f1(without):+.1f} |")
    kept = "kept" if mean(gains) >= GAIN else "MISSED"
    print(f"mean gain of {count} schools {mean(gains):+.2f} points (wanted {GAIN:+.1f}: {kept}), ", end="")
    print(f"worst {min(gains):+.1f}")


def real(folder: Path) -> None:
    """Print the documents of a folder, each read after all of the others."""
    reads = [recognized(each.path, each.truth, each.path.name) for each in read_dataset(folder).documents]
    plain = [timetables(read, None) for read in reads]
    without, given = [], []
    for number, read in enumerate(reads):
        memory = SchoolMemory()
        for other, tables in enumerate(plain):
            memory = memory if other == number else remembered(memory, tables)
        without.append(compare(read.gold, plain[number]))
        given.append(compare(read.gold, timetables(read, memory)))
    costs = ratio(reads)
    change = f1(given) - f1(without)
    kept = "kept" if change >= -FALL else "MISSED"
    print(f"{len(reads)} real documents, each after the others: {f1(without):.1f} -> {f1(given):.1f}, ", end="")
    print(f"{change:+.2f} points (allowed {-FALL:+.1f}: {kept})")
    print(
        f"assembly without a doubt takes {costs:.2f} times as long with a memory as without one (median of documents)"
    )


def ratio(reads: Sequence[Read]) -> float:
    """How many times as long a document takes with the memory of its own timetables, its lines not in doubt."""
    ratios = []
    for read in reads:
        sure = tuple(
            page.with_lines([replace(line, alternatives=()) for line in page.lines]) for page in read.document.pages
        )
        clean = replace(read, document=replace(read.document, pages=sure))
        memory = remembered(SchoolMemory(), timetables(clean, None))
        without: list[float] = []
        given: list[float] = []
        for _ in range(REPEATS):
            timetables(clean, None, without)
            timetables(clean, memory, given)
        ratios.append(min(given) / min(without))
    return median(ratios)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, nargs="?", help="folder of real documents with their truth")
    parser.add_argument("--schools", type=int, default=20)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--wrong", action="store_true", help="print the blocks that are wrong with features")
    options = parser.parse_args()
    made_schools(options.first, options.schools, wrong=options.wrong)
    if options.real is not None:
        real(options.real)


if __name__ == "__main__":
    main()
