"""What the recognizer proposes beside its reading: texts that it weighed itself, few of them, and only in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.documents.page import Box, Document, Page, Quad
from pocai.documents.stored import from_json, to_json
from pocai.models.cascade import PROPOSALS, preferred, proposing
from pocai.models.ctc import BEAMS, decode, search
from pocai.models.line_engine import LineEngine
from pocai.models.lines import line_of
from pocai.models.lookalikes import digits_in_numbers
from pocai.models.protocols import Reading

LETTERS = ("", " ", "a", "b", "c")
LONG = 400  # steps of a long line
SLOWER = 1.5  # a search without doubt, beside the best path alone
Scores = NDArray[np.float32]
Picture = NDArray[np.uint8]
TEXTS = st.text("abcdeO1 ", max_size=5)


def scores_of(*said: dict[str, float]) -> Scores:
    """Chances at each step; the blank gets what is left."""
    scores = np.zeros((len(said), len(LETTERS)), np.float32)
    for row, chances in zip(scores, said, strict=True):
        for letter, chance in chances.items():
            row[LETTERS.index(letter)] = chance
        row[0] = 1 - row.sum()
    return scores


def test_the_other_letter_of_a_doubtful_place_is_proposed() -> None:
    reading = search(scores_of({"a": 0.99}, {}, {"b": 0.6, "c": 0.38}, {}, {"a": 0.99}), LETTERS, 5)
    assert reading.text == "aba"
    assert reading.alternatives[0] == "aca"


def test_the_likeliest_proposal_comes_first() -> None:
    reading = search(scores_of({"a": 0.5, "b": 0.3, "c": 0.15}), LETTERS, 1)
    assert (reading.text, reading.alternatives) == ("a", ("b", "c"))


def test_a_line_without_doubt_has_no_proposals() -> None:
    assert search(scores_of({"a": 0.95}, {}, {"b": 0.91, "c": 0.09}), LETTERS, 3).alternatives == ()
    assert search(np.zeros((0, len(LETTERS)), np.float32), LETTERS, 0).alternatives == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.floats(0.5, 6))
def test_proposals_are_few_and_differ_and_could_be_read(seed: int, count: int, spread: float) -> None:
    drawn = np.exp(np.random.default_rng(seed).normal(size=(count, len(LETTERS))) * spread)
    scores = (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)
    reading = search(scores, LETTERS, count)
    others = reading.alternatives
    assert len(others) < BEAMS
    assert len({reading.text, *others}) == len(others) + 1
    assert all(text and text == " ".join(text.split()) and set(text) <= set("abc ") for text in others)
    assert all(len(text) <= count for text in others)


def test_where_nothing_is_in_doubt_the_search_costs_nothing() -> None:
    sure = scores_of(*([{"a": 0.97}, {}] * (LONG // 2)))
    plain, searched = (least_seconds(partial(read, sure, LETTERS, LONG)) for read in (decode, search))
    assert search(sure, LETTERS, LONG) == decode(sure, LETTERS, LONG)
    assert searched <= SLOWER * plain


def least_seconds(work: Callable[[], object]) -> float:
    spans = []
    for _ in range(60):
        begun = time.perf_counter()
        work()
        spans.append(time.perf_counter() - begun)
    return min(spans)


def reading(text: str, *alternatives: str, confidence: float = 0.9, sure: float | None = None) -> Reading:
    words = tuple((word, confidence, 0.0, 1.0) for word in text.split())
    return Reading(text, confidence, words, sure, "student", alternatives)


def test_the_cascade_proposes_what_the_other_recognizer_read() -> None:
    student, teacher = reading("Moths", "Maths", sure=0.2), reading("Mahts", "Months")
    chosen = preferred(student, teacher)
    assert (chosen.text, chosen.alternatives) == ("Mahts", ("Moths", "Months", "Maths"))
    silent = preferred(reading("Moths", "Maths", sure=0.9), reading("", confidence=0.0))
    assert (silent.text, silent.alternatives) == ("Moths", ("Maths",))


@given(TEXTS, st.lists(TEXTS, max_size=12), TEXTS, st.lists(TEXTS, max_size=12))
def test_proposals_of_two_are_those_of_either_and_bounded(
    one: str, ones: list[str], other: str, others: list[str]
) -> None:
    found = proposing(reading(one, *ones), reading(other, *others)).alternatives
    assert len(found) <= PROPOSALS
    assert len(set(found)) == len(found)
    assert set(found) <= {other, *ones, *others} - {one, ""}


@given(TEXTS, st.lists(TEXTS, max_size=6))
def test_proposals_are_read_as_numbers_as_well(text: str, others: list[str]) -> None:
    found = digits_in_numbers(reading(text, *others))
    assert found.text not in found.alternatives or not others
    assert set(found.alternatives) <= {digits_in_numbers(reading(each)).text for each in others}


def test_a_zero_that_was_proposed_as_an_o_is_no_proposal() -> None:
    assert digits_in_numbers(reading("10", "1O", "18")).alternatives == ("18",)
    assert digits_in_numbers(reading("1O", "10", "1B")).alternatives == ("1B",)


def test_a_line_of_the_page_keeps_its_proposals_and_so_does_the_stored_one() -> None:
    line = line_of(reading("Moths", "Maths"), Quad.of(Box(0, 0, 90, 20)), 0)
    assert line.alternatives == ("Maths",)
    document = Document((Page(0, 100, 100, (line,)),), "jpeg", "0" * 64)
    assert from_json(to_json(document)).pages[0].lines[0].alternatives == ("Maths",)


class Says:
    """A recognizer that reads every crop alike."""

    def __init__(self, said: Reading) -> None:
        self._said = said

    def recognize(self, crops: Sequence[Picture]) -> list[Reading]:
        return [self._said] * len(crops)


class Spot:
    """A detector of one line."""

    def detect(self, image: Picture) -> tuple[Quad, ...]:
        assert image.ndim == 3
        return (Quad.of(Box(10, 10, 200, 40)),)


@pytest.mark.parametrize("alternatives", [(), ("Maths", "Months")])
def test_an_engine_hands_them_on(alternatives: tuple[str, ...]) -> None:
    page = Page(0, 300, 100, image=np.full((100, 300, 3), 255, np.uint8))
    (line,) = LineEngine("one", Spot(), Says(reading("Moths", *alternatives))).read(page).lines
    assert (line.text, line.alternatives) == ("Moths", alternatives)
