"""Calibration and threshold of a student, from labelled crops that neither it nor its teacher was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pocai.errors import InputError
from pocai.models.card import ModelCard, Threshold
from pocai.models.cascade import choose_threshold, letters_of
from pocai.models.confidence import FEATURES, Calibration, fit, line_features
from pocai.models.ctc import search
from pocai.models.protocols import Recognizer
from pocai.models.recognizer import StudentRecognizer
from pocai.training.datasets import Line

FEWEST = 100  # lines to calibrate on
AT_ONCE = 256  # lines whose pictures are held at a time


@dataclass(frozen=True, slots=True)
class Judged:
    """What a student and its teacher made of labelled lines ``(N,)``.

    ``features`` ``(N, figures)`` are of the student's path, NaN where it spells nothing.
    """

    features: NDArray[np.float64]
    student: NDArray[np.bool_]
    teacher: NDArray[np.bool_]


def judge(lines: Sequence[Line], student: StudentRecognizer, teacher: Recognizer) -> Judged:
    """Both read every line; a line is right when its letters are, whatever its blanks and the kinds of its dashes."""
    features, by_student, by_teacher = [], [], []
    rest = iter(lines)
    while part := list(islice(rest, AT_ONCE)):
        crops, texts = [line.image for line in part], [letters_of(line.text) for line in part]
        for scores, text in zip(student.log_probabilities(crops), texts, strict=True):
            found = line_features(scores)
            features.append(np.full(len(FEATURES), np.nan) if found is None else found)
            by_student.append(letters_of(search(np.exp(scores), student.card.classes, len(scores)).text) == text)
        by_teacher += [
            letters_of(read.text) == text for read, text in zip(teacher.recognize(crops), texts, strict=True)
        ]
    return Judged(np.array(features), np.array(by_student), np.array(by_teacher))


def calibrated(card: ModelCard, judged: Judged, tolerance: float, risk: float = 1.0) -> ModelCard:
    """The card with a calibration fitted on the even lines, and a threshold chosen on the odd ones.

    Raises InputError for too few lines, or where all are right or wrong.
    """
    if len(judged.student) < FEWEST:
        raise InputError(f"{len(judged.student)} lines are too few to calibrate on", mend="Take 2,000 or more.")
    spelled = ~np.isnan(judged.features[:, 0])
    even = np.arange(len(spelled)) % 2 == 0
    calibration = fit(judged.features[spelled & even], judged.student[spelled & even])
    threshold = threshold_of(calibration, judged, ~even, tolerance, risk)
    return card.model_copy(update={"calibration": calibration, "threshold": threshold})


def threshold_of(
    calibration: Calibration, judged: Judged, chosen: NDArray[np.bool_], tolerance: float, risk: float
) -> Threshold:
    """The threshold on the chosen lines; a line of which the student spells nothing has probability 0."""
    features, student, teacher = judged.features[chosen], judged.student[chosen], judged.teacher[chosen]
    sure = np.where(np.isnan(features[:, 0]), 0.0, calibration.probabilities(np.nan_to_num(features)))
    return choose_threshold(sure, student, teacher, tolerance, risk)
