"""How well the recognizers read made lines in type faces that the student was never trained on.

``python bench/bench_reading.py [--lines 5000] [--weights student.onnx]``: half of the lines are clean print, half are
damaged, the same for student, teacher and cascade; the seed is fixed. On pages: `pocai evaluate --engine`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from pocai.models.cascade import CascadeRecognizer
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.models.protocols import Reading, Recognizer
from pocai.models.recognizer import StudentRecognizer
from pocai.synthetic.lines import LineSample, LineSource

SEED = 77
AT_ONCE = 500


def readings(recognizer: Recognizer, lines: Sequence[LineSample]) -> list[Reading]:
    """What a recognizer reads on all lines."""
    found: list[Reading] = []
    for start in range(0, len(lines), AT_ONCE):
        found += recognizer.recognize([line.image for line in lines[start : start + AT_ONCE]])
    return found


def main() -> None:
    """Print the character error rate (percent) and the share of lines that are right, by damage and by face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--weights", type=Path, help="a student other than the shipped one")
    arguments = parser.parse_args()
    student, teacher = StudentRecognizer(weights=arguments.weights), PPOCRRecognizer()
    readers: dict[str, Recognizer] = {"student": student, "teacher": teacher}
    if student.card.threshold is not None:
        readers["cascade"] = CascadeRecognizer(student, teacher, student.card.threshold.value)
    print(f"{arguments.lines} lines of seed {SEED} in the faces kept for tests\n")
    print(f"{'damage':8} {'face':18} {'lines':>6}" + "".join(f"{name:>16}" for name in readers))
    for damage in ("clean", "heavy"):
        source = LineSource(SEED, "test", damage)
        lines = [source.line(number) for number in range(arguments.lines // 2)]
        found = {name: readings(reader, lines) for name, reader in readers.items()}
        faces = sorted({line.face for line in lines})
        for face in ("all", *faces):
            chosen = [number for number, line in enumerate(lines) if face in ("all", line.face)]
            rates = (rate([lines[n] for n in chosen], [read[n] for n in chosen]) for read in found.values())
            shown = "".join(f"{cer:8.2f}%{right:6.1%} " for cer, right in rates)
            print(f"{damage:8} {face:18} {len(chosen):6}{shown}")
        if "cascade" in found:
            asked = sum(reading.reader != student.name for reading in found["cascade"]) / len(lines)
            print(f"{damage:8} {'':18} lines that the teacher read in the cascade: {asked:.1%}\n")


def rate(lines: Sequence[LineSample], found: Sequence[Reading]) -> tuple[float, float]:
    """Character error rate in percent (exact letters and case), and the share of lines without an error."""
    edits = [Levenshtein.distance(line.text, reading.text) for line, reading in zip(lines, found, strict=True)]
    letters = sum(len(line.text) for line in lines)
    return 100 * sum(edits) / letters, sum(not each for each in edits) / len(edits)


if __name__ == "__main__":
    main()
