"""Character error rates on made lines in type faces that nothing was trained on: student, teacher and cascade.

5,000 lines of ordinary text as printed, and 5,000 that something befell (scanner, photo, fax ...); all read the same
ones. Below them the printed lines by their height on the page, lines of rare letters, and lines that are badly damaged.

    python bench/bench_held_out.py [--lines 5000] [--student FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from pocai.models.cascade import CascadeRecognizer, teacher_counts
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.models.protocols import Reading
from pocai.models.recognizer import StudentRecognizer
from pocai.synthetic.lines import Damage, LineSample, LineSource

SEED = 77_000
GOALS = {"printed": 1.5, "damaged": 6.0}  # per cent at most, for the student; nor may it be above the teacher
OTHER = 1000  # lines of rare letters, and badly damaged ones
HEIGHTS = (0, 12, 15, 18, 24, 1000)  # pixels of a crop, with the paper around its print
AT_ONCE = 500  # lines that are read between two signs of life


def lines(damage: Damage, rare: float = 0.0, *, befallen: bool = False) -> Iterator[LineSample]:
    """Lines of the held-out faces without end; ``befallen`` leaves out those that the damage spared."""
    source = LineSource(SEED, "test", damage, rare=rare)
    samples = (source.line(number) for number in count())
    return (sample for sample in samples if not befallen or sample.damage != "clean")


def sets(size: int) -> Iterator[tuple[str, Sequence[LineSample]]]:
    """What is read, by name."""
    yield "printed", list(islice(lines("clean"), size))
    yield "damaged", list(islice(lines("mixed", befallen=True), size))
    yield "printed, rare letters", list(islice(lines("clean", rare=1.0), OTHER))
    yield "badly damaged", list(islice(lines("heavy"), OTHER))


def read(recognizer: StudentRecognizer | PPOCRRecognizer, samples: Sequence[LineSample]) -> list[Reading]:
    """What a recognizer reads on each line."""
    readings: list[Reading] = []
    for start in range(0, len(samples), AT_ONCE):
        print(f"\r{recognizer.name}: {start} of {len(samples)} lines", end="", file=sys.stderr)
        readings += recognizer.recognize([sample.image for sample in samples[start : start + AT_ONCE]])
    print("\r\033[K", end="", file=sys.stderr)
    return readings


def joined(cascade: CascadeRecognizer, student: Sequence[Reading], teacher: Sequence[Reading]) -> list[Reading]:
    """What the cascade makes of readings that both have given already."""
    pairs = zip(student, teacher, strict=True)
    return [two if cascade.doubts(one) and teacher_counts([one], [two]) else one for one, two in pairs]


@dataclass(frozen=True, slots=True)
class Rated:
    """One line read: edits (Levenshtein) to the truth, letters of the truth, height of the crop in pixels."""

    edits: int
    letters: int
    height: int


def rated(readings: Sequence[Reading], samples: Sequence[LineSample]) -> list[Rated]:
    """How well each line was read."""
    return [
        Rated(Levenshtein.distance(reading.text, sample.text), len(sample.text), sample.image.shape[0])
        for reading, sample in zip(readings, samples, strict=True)
    ]


def show(name: str, columns: Sequence[Sequence[Rated]], goal: float | None) -> None:
    """Print a row of character error rates, and whether the student kept its goal."""
    rates = [
        100 * sum(each.edits for each in column) / max(1, sum(each.letters for each in column)) for column in columns
    ]
    goal = goal and min(goal, rates[1])
    missed = goal is not None and rates[0] > goal
    verdict = "" if goal is None else f"  (goal {goal:.2f}: {'MISSED' if missed else 'kept'})"
    print(f"{name:24} {len(columns[0]):6}" + "".join(f" {rate:8.2f}" for rate in rates) + verdict, flush=True)


def main() -> None:
    """Print a row for each set of lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=5000, help="printed ones, and damaged ones")
    parser.add_argument("--student", type=Path, help="folder of another student than the shipped one")
    options = parser.parse_args()
    student = StudentRecognizer(weights=options.student and options.student / "student.onnx")
    teacher = PPOCRRecognizer()
    threshold = student.card.threshold.value if student.card.threshold else 1.0
    cascade = CascadeRecognizer(student, teacher, threshold)
    print(f"student {student.card.version}, lines of seed {SEED}, character error rate in per cent\n")
    print(f"{'':24} {'lines':>6} {'student':>8} {'teacher':>8} {'cascade':>8}")
    for name, samples in sets(options.lines):
        ours, theirs = read(student, samples), read(teacher, samples)
        columns = [rated(readings, samples) for readings in (ours, theirs, joined(cascade, ours, theirs))]
        show(name, columns, GOALS.get(name))
        if name == "printed":
            for low, high in pairwise(HEIGHTS):
                some = [[rate for rate in column if low <= rate.height < high] for column in columns]
                show(f"  {low} px high" + (f" to {high - 1}" if high < HEIGHTS[-1] else " and more"), some, None)


if __name__ == "__main__":
    main()
