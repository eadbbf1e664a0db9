"""Words in pixels as the host gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_contract import faults, words_outside
from hypothesis import given
from hypothesis import strategies as st

from pocai.inference.answers import ReadLine, ReadPage, ReadWord
from pocai.server.projection import project_page


def page(*words: ReadWord, angle: float = 0.0, **how: Any) -> ReadPage:
    lines = (ReadLine(text="", box=(0, 0, 1, 1), angle=angle, words=words),)
    return ReadPage.model_validate({"number": 0, "width": 200, "height": 100, "unit": "px", "lines": lines, **how})


def boxes(*words: ReadWord, size: tuple[int, int] | None = None, **how: Any) -> list[tuple[int, ...]]:
    answer = project_page(page(*words, **how), size)
    return [(word.left, word.top, word.width, word.height) for word in answer.words]


def test_boxes_are_whole_pixels_of_the_enhanced_picture() -> None:
    word = ReadWord(text="Maths", box=(10.4, 20.2, 30.5, 29.9), confidence=0.9)
    assert boxes(word) == [(10, 20, 21, 10)]
    assert boxes(word, size=(400, 200)) == [(20, 40, 41, 20)]


def test_points_are_pixels_at_144_dpi() -> None:
    assert boxes(ReadWord(text="Maths", box=(10, 20, 30, 30)), unit="pt") == [(20, 40, 40, 20)]


def test_words_of_no_confidence_are_dropped_and_native_ones_are_certain() -> None:
    answer = project_page(
        page(
            ReadWord(text="Maths", box=(0, 0, 9, 9)),
            ReadWord(text="|", box=(0, 0, 9, 9), confidence=0.0),
            ReadWord(text="  ", box=(0, 0, 9, 9), confidence=0.9),
            ReadWord(text="PE", box=(0, 0, 9, 9), confidence=0.5),
        )
    )
    assert [(word.text, word.confidence) for word in answer.words] == [("Maths", 1.0), ("PE", 0.5)]
    assert (answer.text, answer.engine) == ("Maths PE", "native")
    # 0.4 x mean 0.75, 0.2 x both words known, 0.2 x few words, no times
    assert answer.confidence == pytest.approx(0.4 * 0.75 + 0.2 + 0.1)


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0, [(0, 0, 40, 10), (50, 0, 50, 10)]),
        (180, [(60, 0, 40, 10), (0, 0, 50, 10)]),
    ],
)
def test_a_native_line_is_parted_into_its_words(angle: float, expected: list[tuple[int, ...]]) -> None:
    assert boxes(ReadWord(text="Year Maths", box=(0, 0, 100, 10)), angle=angle) == expected


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (90, [(0, 0, 10, 40), (0, 50, 10, 50)]),
        (270, [(0, 60, 10, 40), (0, 0, 10, 50)]),
    ],
)
def test_a_native_line_that_stands_is_parted_along_its_reading_direction(
    angle: float, expected: list[tuple[int, ...]]
) -> None:
    assert boxes(ReadWord(text="Year Maths", box=(0, 0, 10, 100)), angle=angle) == expected


@given(
    st.tuples(*[st.floats(-500, 500)] * 4),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.floats(0, 1) | st.none(),
    st.text(min_size=1, max_size=20),
)
def test_wherever_a_word_is_the_host_accepts_it(
    box: tuple[float, float, float, float], size: tuple[int, int], confidence: float | None, text: str
) -> None:
    left, top, right, bottom = box
    word = ReadWord(text=text, box=(left, top, max(left, right), max(top, bottom)), confidence=confidence)
    answer = json.loads(project_page(page(word), size).model_dump_json())
    assert faults("/ocr/process", 200, answer) == []
    assert words_outside(answer, size) == []
