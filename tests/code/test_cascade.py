"""The cascade: who reads which line, which reading counts, and how the threshold between the two is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tone_network import crop, doubtful, student

from pocai.documents.page import Box, Page, Quad
from pocai.errors import InputError
from pocai.models.cascade import CascadeRecognizer, choose_threshold
from pocai.models.line_engine import LineEngine
from pocai.models.protocols import Reading, Recognizer
from pocai.models.proxies import InTurn, LateRecognizer
from pocai.models.recognizer import StudentRecognizer

Picture = NDArray[np.uint8]


class Teacher:
    """A recognizer that reads every crop as one thing, and remembers the sizes of what it was shown."""

    def __init__(self, text: str = "TAUGHT", confidence: float = 0.99) -> None:
        self.reading = Reading(text, confidence, ((text, confidence, 0.0, 1.0),) if text else (), reader="teacher")
        self.shown: list[tuple[int, int]] = []

    def recognize(self, crops: Sequence[Picture]) -> list[Reading]:
        self.shown += [each.shape[:2] for each in crops]
        return [self.reading] * len(crops)


@pytest.fixture(scope="module")
def pupil(tmp_path_factory: pytest.TempPathFactory) -> StudentRecognizer:
    return StudentRecognizer(1, student(tmp_path_factory.mktemp("student")))


def test_only_doubtful_lines_go_to_the_teacher(pupil: StudentRecognizer) -> None:
    teacher = Teacher()
    readings = CascadeRecognizer(pupil, teacher, 0.9).recognize([crop("AB"), doubtful("CABBAGE"), crop("DEAF")])
    assert [reading.text for reading in readings] == ["AB", "TAUGHT", "DEAF"]
    assert [reading.reader for reading in readings] == ["student", "teacher", "student"]
    assert teacher.shown == [doubtful("CABBAGE").shape[:2]]


def test_with_a_threshold_of_nothing_the_student_is_alone(pupil: StudentRecognizer) -> None:
    cascade = CascadeRecognizer(pupil, LateRecognizer(never), 0.0)
    crops = [crop("AB"), doubtful("CABBAGE"), np.full((48, 80, 3), 255, np.uint8)]
    assert cascade.recognize(crops) == pupil.recognize(crops)
    assert cascade.recognize([]) == []


def never() -> Recognizer:
    raise AssertionError("the teacher was made")


class Fixed:
    """A recognizer that reads the same on every line."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def recognize(self, crops: Sequence[Picture]) -> list[Reading]:
        return [self.reading] * len(crops)


def test_where_both_read_the_same_letters_the_blanks_are_the_students() -> None:
    doubtful, taught = Reading("8:30 – 9 Art", 0.9, probability=0.1), Reading("8:30-9Art", 0.99)
    assert CascadeRecognizer(Fixed(doubtful), Fixed(taught), 0.8).recognize([crop("A")]) == [
        replace(doubtful, alternatives=(taught.text,))
    ]


@pytest.mark.parametrize(
    ("sure", "taught", "counts"),
    [
        (0.7, Reading("T", 0.9), "T"),
        (0.7, Reading("T", 0.4), "S"),
        (0.7, Reading("", 0.0), "S"),
        (0.4, Reading("", 0.0), ""),
        (0.4, Reading("T", 0.4), "T"),
        (None, Reading("T", 0.4), "T"),
    ],
)
def test_the_teachers_reading_counts_unless_it_is_none_and_the_student_likely(
    sure: float | None, taught: Reading, counts: str
) -> None:
    cascade = CascadeRecognizer(Fixed(Reading("S", 0.9, probability=sure)), Fixed(taught), 0.8)
    assert cascade.recognize([crop("A")])[0].text == counts


def test_a_late_recognizer_is_made_once_and_only_when_needed() -> None:
    made: list[Teacher] = []

    def make() -> Recognizer:
        made.append(Teacher())
        return made[-1]

    late = LateRecognizer(make)
    assert late.recognize([]) == []
    assert not made
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(late.recognize, [[crop("A")]] * 8))
    assert len(made) == 1
    assert all(reading.text == "TAUGHT" for (reading,) in found)


def test_threads_read_in_turn_where_a_recognizer_bears_only_one() -> None:
    class Single:
        def __init__(self) -> None:
            self.inside = 0

        def recognize(self, crops: Sequence[Picture]) -> list[Reading]:
            self.inside += 1
            sleep(0.002)
            assert self.inside == 1
            self.inside -= 1
            return [Reading("S", 0.9)] * len(crops)

    shared = InTurn(Single())
    with ThreadPoolExecutor(4) as pool:
        assert all(len(read) == 1 for read in pool.map(shared.recognize, [[crop("A")]] * 12))


class Spots:
    """A detector that always sees the same quads."""

    def __init__(self, *boxes: Box) -> None:
        self._quads = tuple(Quad.of(box) for box in boxes)

    def detect(self, image: Picture) -> tuple[Quad, ...]:
        assert image.ndim == 3
        return self._quads


def page(*crops: Picture) -> tuple[Page, Spots]:
    """Crops below each other on a page, and a detector that sees them."""
    image = np.full((sum(each.shape[0] + 20 for each in crops), 900, 3), 255, np.uint8)
    boxes, top = [], 10
    for each in crops:
        height, width = each.shape[:2]
        image[top : top + height, 10 : 10 + width] = each
        boxes.append(Box(10, top, 10 + width, top + height))
        top += height + 20
    return Page(1, image.shape[1], image.shape[0], image=image), Spots(*boxes)


def test_a_page_says_who_read_each_line(pupil: StudentRecognizer) -> None:
    teacher = Teacher()
    picture, spots = page(crop("BADE"), doubtful("CABBAGE"), crop("DEAF"))
    engine = LineEngine("cascade", spots, CascadeRecognizer(pupil, teacher, 0.9))
    result = engine.read(picture)
    assert [(line.text, line.reader) for line in result.lines] == [
        ("BADE", "student"),
        ("TAUGHT", "teacher"),
        ("DEAF", "student"),
    ]
    assert result.readers == {"student": 2, "teacher": 1}
    assert result.engine == "cascade"
    assert len(teacher.shown) == 1


@pytest.mark.parametrize("turns", [1, 3])
def test_the_student_finds_the_direction_in_which_the_teacher_reads(pupil: StudentRecognizer, turns: int) -> None:
    teacher = Teacher()
    unclear = doubtful("CABBAGEFADED")
    lying = [np.ascontiguousarray(np.rot90(each, turns)) for each in (crop("BADEBADEBADE"), unclear)]
    picture, spots = page(*lying)
    result = LineEngine("cascade", spots, CascadeRecognizer(pupil, teacher, 0.9)).read(picture)
    assert sorted((line.text, line.angle) for line in result.lines) == [
        ("BADEBADEBADE", 360 - 90 * turns),
        ("TAUGHT", 360 - 90 * turns),
    ]
    assert teacher.shown == [unclear.shape[:2]]


def test_what_neither_can_read_is_not_on_the_page(pupil: StudentRecognizer) -> None:
    picture, spots = page(crop("BADE"), np.full((48, 80, 3), 255, np.uint8))
    result = LineEngine("cascade", spots, CascadeRecognizer(pupil, Teacher("", 0.0), 0.9)).read(picture)
    assert [line.text for line in result.lines] == ["BADE"]


def test_a_page_of_clear_lines_needs_no_teacher(pupil: StudentRecognizer) -> None:
    picture, spots = page(crop("BADE"), crop("FACE"))
    engine = LineEngine("cascade", spots, CascadeRecognizer(pupil, LateRecognizer(never), 0.9))
    upright, result = engine.read_upright(picture)
    assert [line.text for line in upright.lines] == ["BADE", "FACE"]
    assert result.readers == {"student": 2}


def test_readers_are_not_told_of_lines_that_do_not_say() -> None:
    picture, spots = page(crop("BADE"))
    teacher = Teacher()
    teacher.reading = replace(teacher.reading, reader="")
    assert LineEngine("any", spots, teacher).read(picture).readers == {}


Validated = tuple[list[float], list[bool], list[bool], float, float]


@st.composite
def validated(draw: st.DrawFn) -> Validated:
    lines = draw(st.integers(1, 30))
    probabilities = draw(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 0.99]), min_size=lines, max_size=lines))
    student_right, teacher_right = (draw(st.lists(st.booleans(), min_size=lines, max_size=lines)) for _ in range(2))
    tolerance, risk = draw(st.sampled_from([0.0, 0.01, 0.1, 0.5])), draw(st.sampled_from([0.0, 0.1, 0.4, 1.0]))
    return probabilities, student_right, teacher_right, tolerance, risk


@settings(deadline=None)
@given(validated())
def test_the_threshold_is_the_least_one_that_keeps_the_rule(case: Validated) -> None:
    sure, student_right, teacher_right = (np.array(each) for each in case[:3])
    tolerance, risk = case[3:]
    found = choose_threshold(sure, student_right, teacher_right, tolerance, risk)

    def accuracy(threshold: float) -> float:
        return float(np.where(sure < threshold, teacher_right, student_right).mean())

    def risky(threshold: float) -> bool:
        kept = sure >= threshold
        return bool((kept & ~student_right).sum() > risk * kept.sum() + 1e-9)

    levels = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    best = max(map(accuracy, levels))
    good = [level for level in levels if accuracy(level) >= best - tolerance - 1e-9 and not risky(level)]
    assert accuracy(found.value) == pytest.approx(found.cascade)
    assert (sure < found.value).mean() == pytest.approx(found.sent)
    if good:
        assert (sure < found.value).sum() == (sure < good[0]).sum()
    else:
        assert found.cascade == pytest.approx(best)
    assert (found.student, found.teacher) == (student_right.mean(), teacher_right.mean())


def test_a_risk_sends_lines_although_the_student_is_better() -> None:
    sure = np.linspace(0.005, 0.995, 100)
    student, teacher = sure > 0.2, sure > 0.4
    assert choose_threshold(sure, student, teacher, 0.0).sent == 0.0
    asked = choose_threshold(sure, student, teacher, 1.0, risk=0.1)
    assert asked.sent == pytest.approx(0.12)
    assert (student[sure >= asked.value]).mean() >= 0.9


def test_a_student_as_good_as_its_teacher_keeps_every_line() -> None:
    found = choose_threshold(np.array([0.1, 0.9]), np.array([True, False]), np.array([False, True]), 0.0)
    assert (found.value, found.sent) == (0.0, 0.0)


def test_a_student_that_knows_when_it_is_wrong_sends_those_lines() -> None:
    sure = np.linspace(0.005, 0.995, 100)
    found = choose_threshold(sure, sure > 0.1, np.ones(100, bool), 0.02)
    assert found.sent == pytest.approx(0.08)
    assert found.cascade == pytest.approx(0.98)
    assert sure[7] < found.value < sure[8]


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="as many probabilities as readings, got 2, 1 and 2"):
        choose_threshold(np.zeros(2), np.zeros(1, bool), np.zeros(2, bool), 0.0)
    with pytest.raises(InputError, match="got 0, 0 and 0"):
        choose_threshold(np.zeros(0), np.zeros(0, bool), np.zeros(0, bool), 0.0)


def test_the_shipped_rule_is_that_of_the_code(tmp_path: Path) -> None:
    card = StudentRecognizer(1, student(tmp_path)).card
    assert card.threshold is not None
    assert card.threshold.rule == choose_threshold(np.zeros(1), np.ones(1, bool), np.ones(1, bool), 0.0).rule
