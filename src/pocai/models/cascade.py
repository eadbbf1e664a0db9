"""The cascade: a fast student reads every line, and the teacher those of which the student is not sure enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocai.errors import InputError
from pocai.models.card import Threshold
from pocai.models.protocols import Reading, Recognizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Vector = NDArray[np.float64]
    Flags = NDArray[np.bool_]

DASHES = str.maketrans("–—", "--")
FAINT = 0.5  # mean score below which a reading of the teacher is none
PROPOSALS = 8  # alternatives of a line that are kept
LIKELY = 0.5  # probability from which the student's reading stays where the teacher reads nothing
RULE = (
    "the least threshold at which, on the validation lines, the cascade reads at most the tolerance fewer lines right "
    "than at the best threshold (student or teacher alone among them), and of the lines that stay with the student at "
    "most the risk is wrong; the best threshold where none keeps both"
)


class CascadeRecognizer:
    """The student's readings, and the teacher's where the student's probability is below ``threshold``.

    The teacher's reading then counts, unless it has the same letters, or is none: empty, or of a mean score below 0.5.
    In that case the student's stays if it is more likely right than wrong. Safe to call from several threads if its
    parts are.
    """

    def __init__(self, student: Recognizer, teacher: Recognizer, threshold: float) -> None:
        self.student = student
        self.teacher = teacher
        self.threshold = threshold

    def recognize(self, crops: Sequence[Image]) -> list[Reading]:
        """One `Reading` for each crop (RGB ``(h, w, 3)`` uint8, upright), in order; ``reader`` says whose it is."""
        readings = self.student.recognize(crops)
        asked = [number for number, reading in enumerate(readings) if self.doubts(reading)]
        for number, reading in zip(asked, self.teacher.recognize([crops[each] for each in asked]), strict=True):
            readings[number] = preferred(readings[number], reading)
        return readings

    def doubts(self, reading: Reading) -> bool:
        """Whether the teacher has to read this line; a student without a calibration is always doubted."""
        return reading.probability is None or reading.probability < self.threshold


def preferred(student: Reading, teacher: Reading) -> Reading:
    """The reading of a doubtful line that counts, with what the other one says among its alternatives."""
    if teacher_counts([student], [teacher]):
        return proposing(teacher, student)
    return proposing(student, teacher)


def proposing(reading: Reading, other: Reading) -> Reading:
    """A reading that has another one's text and alternatives among its own, at most `PROPOSALS` of them.

    Its own text is never among them.
    """
    texts = dict.fromkeys((other.text, *reading.alternatives, *other.alternatives))
    others = tuple(text for text in texts if text and text != reading.text)
    return replace(reading, alternatives=others[:PROPOSALS])


def teacher_counts(student: Sequence[Reading], teacher: Sequence[Reading]) -> bool:
    """Whether the teacher's reading of a doubtful place counts, rather than the student's.

    Each is a list of readings: the rows of one place may have been read apart. Where both read the same letters the
    student's stays, as the teacher leaves out blanks and takes one dash for another.
    """
    if _letters(student) == _letters(teacher):
        return False
    if any(reading.text and reading.confidence >= FAINT for reading in teacher):
        return True
    return not any(reading.probability is not None and reading.probability >= LIKELY for reading in student)


def letters_of(text: str) -> str:
    """A text without blanks, all dashes one: no timetable depends on either."""
    return "".join(text.split()).translate(DASHES)


def _letters(readings: Sequence[Reading]) -> str:
    return "".join(letters_of(reading.text) for reading in readings)


def choose_threshold(
    probabilities: Vector, student_right: Flags, teacher_right: Flags, tolerance: float, risk: float = 1.0
) -> Threshold:
    """The threshold by `RULE`, from validation lines ``(N,)`` that neither was trained on.

    The risk is that of selective classification (Geifman and El-Yaniv 2017, arXiv:1705.08500); 1 asks nothing. It
    matters where the student knows the validation lines better than those that it will meet. A threshold lies halfway
    between two neighbouring probabilities; 0 sends no line to the teacher, 1 every one.
    Raises InputError for no lines, or for lists of different lengths.
    """
    import numpy as np

    if not len(probabilities) == len(student_right) == len(teacher_right) or not len(probabilities):
        sizes = f"{len(probabilities)}, {len(student_right)} and {len(teacher_right)}"
        raise InputError(
            f"a threshold needs as many probabilities as readings, got {sizes}", mend="Take each line once."
        )
    lines = len(probabilities)
    order = np.argsort(probabilities, kind="stable")
    sure, student, teacher = probabilities[order], student_right[order], teacher_right[order]
    cuts = np.concatenate(([0], 1 + np.flatnonzero(np.diff(sure)), [lines]))  # lines sent; equally sure ones together
    kept_wrong = np.concatenate((np.cumsum(np.logical_not(student[::-1]))[::-1], [0]))[cuts]
    right = lines - cuts - kept_wrong + np.concatenate(([0], np.cumsum(teacher)))[cuts]
    good = (right >= right.max() - tolerance * lines - 1e-9) & (kept_wrong <= risk * (lines - cuts) + 1e-9)
    best = int(np.flatnonzero(good)[0]) if good.any() else int(right.argmax())
    sent = int(cuts[best])
    return Threshold(
        value=0.0 if not sent else 1.0 if sent == lines else float(sure[sent - 1] + sure[sent]) / 2,
        rule=RULE,
        tolerance=tolerance,
        risk=risk,
        lines=lines,
        sent=sent / lines,
        student=float(student.mean()),
        teacher=float(teacher.mean()),
        cascade=float(right[best]) / lines,
    )
