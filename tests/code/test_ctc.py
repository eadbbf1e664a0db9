"""From CTC scores to text: the search finds what all paths together say, the best path what one says."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.models.ctc import decode, search

LETTERS = ("", " ", "a", "b")
PRINTED = ("", "c", "a", "b")
Scores = NDArray[np.float32]


def steps(*said: dict[str, float]) -> Scores:
    """Chances at each step; the blank gets what is left."""
    scores = np.zeros((len(said), len(LETTERS)), np.float32)
    for row, chances in zip(scores, said, strict=True):
        for letter, chance in chances.items():
            row[LETTERS.index(letter)] = chance
        row[0] = 1 - row.sum()
    return scores


def chances_of_texts(scores: Scores) -> dict[str, float]:
    """The chance of each text, path by path."""
    chances: dict[str, float] = defaultdict(float)
    for path in product(range(len(LETTERS)), repeat=len(scores)):
        kept = [number for place, number in enumerate(path) if place == 0 or number != path[place - 1]]
        chances["".join(PRINTED[number] for number in kept)] += float(np.prod(scores[np.arange(len(scores)), path]))
    return chances


OPEN = steps({"b": 0.99}, {}, {"a": 0.6}, {}, {"a": 0.55}, {}, {"b": 0.99})


def test_a_letter_that_may_begin_at_either_of_two_steps_is_read_once() -> None:
    assert decode(OPEN, LETTERS, 7).text == "baab"
    assert search(OPEN, LETTERS, 7).text == "bab"


def test_a_letter_that_is_likelier_somewhere_than_nowhere_is_read() -> None:
    scores = steps({"b": 0.99}, {"a": 0.4}, {"a": 0.4}, {}, {"b": 0.99})
    assert decode(scores, LETTERS, 5).text == "bb"
    reading = search(scores, LETTERS, 5)
    assert reading.text == "bab"
    assert reading.confidence == pytest.approx((0.99 + 0.8 + 0.99) / 3)


def test_words_have_their_places_on_the_line() -> None:
    scores = steps({"a": 0.5}, {"a": 0.5}, {}, {" ": 0.8}, {}, {}, {"b": 0.95}, {}, {}, {})
    reading = search(scores, LETTERS, 10)
    assert [word[0] for word in reading.words] == ["a", "b"]
    (_, _, first, end), (_, _, second, last) = reading.words
    assert 0 <= first < 0.2 < end < 0.4 < second < 0.65 < last <= 1


@given(st.lists(st.sampled_from([0, 0, 1, 2, 3]), max_size=12))
def test_without_doubt_it_is_the_best_path(classes: list[int]) -> None:
    scores = np.full((len(classes), 4), 0.01, np.float32)
    scores[np.arange(len(classes)), classes] = 0.97
    assert search(scores, LETTERS, len(classes)) == decode(scores, LETTERS, len(classes))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0.3, 3))
def test_no_text_is_likelier(seed: int, count: int, spread: float) -> None:
    logits = np.random.default_rng(seed).standard_normal((count, len(LETTERS))) * spread
    scores = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    chances = chances_of_texts(scores)
    with patch.multiple("pocai.models.ctc", BEAMS=len(chances), FAINTEST=0.0):
        found = search(scores, PRINTED, count).text
    assert chances[found] == pytest.approx(max(chances.values()))


def test_a_long_line_full_of_doubt_is_read() -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.ones(len(LETTERS)), 2000).astype(np.float32)
    assert set(search(scores, LETTERS, 2000).text) == {"a", "b", " "}
