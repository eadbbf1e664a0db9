"""Text metrics: what counts as an error, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.evaluation.text import (
    ErrorCount,
    Recall,
    character_errors,
    fold,
    similarity,
    word_errors,
    word_recall,
    words_of,
)

WORDS = st.lists(st.text(alphabet="abcé9:.", min_size=1, max_size=6).filter(lambda word: word.isalnum()), max_size=12)


def test_fold_ignores_case_white_space_and_the_kind_of_dash_and_apostrophe() -> None:
    assert fold("  Miss O’Neill – 9\N{NO-BREAK SPACE}AM ") == fold("miss o'neill-9am")


def test_fold_keeps_what_tells_two_names_apart() -> None:
    assert fold("Maths 1") != fold("Maths 2")


@pytest.mark.parametrize(
    ("reference", "read", "edits", "length"),
    [
        ("Maths", "Maths", 0, 5),
        ("Maths", "Mathe", 1, 5),
        ("Maths", "", 5, 5),
        ("Maths  with\nsongs", "maths with songs", 0, 16),
        ("", "junk", 4, 0),
    ],
)
def test_character_errors_count_edits_against_the_printed_text(
    reference: str, read: str, edits: int, length: int
) -> None:
    assert character_errors(reference, read) == ErrorCount(edits, length)


def test_word_errors_see_the_order_and_word_recall_does_not() -> None:
    printed, read = "Monday Maths English", "English Monday Maths"

    assert word_errors(printed, read).rate == pytest.approx(2 / 3)
    assert word_recall(printed, read).share == 1.0


def test_a_word_that_was_read_once_counts_once() -> None:
    assert word_recall(["Maths", "Maths", "PE"], ["Maths"]) == Recall(1, 3)


def test_pure_punctuation_is_no_word() -> None:
    assert words_of("– | Maths … * 9:00") == ["maths", "9:00"]


def test_where_a_dash_stands_close_does_not_matter() -> None:
    assert word_recall("9:00 – 9:45", "9:00-9:45") == Recall(2, 2)


def test_an_empty_reference_is_perfect_only_when_nothing_was_read() -> None:
    assert word_errors("", "").rate == 0.0
    assert word_errors("", "two words").rate == 2.0
    assert word_recall("", "two words").share == 1.0


def test_counts_add_up_to_the_micro_average() -> None:
    assert ErrorCount(1, 10) + ErrorCount(2, 5) == ErrorCount(3, 15)
    assert sum([Recall(1, 2), Recall(3, 4)], Recall()) == Recall(4, 6)


@given(WORDS, WORDS)
def test_rates_stay_within_their_bounds(reference: list[str], read: list[str]) -> None:
    assert 0 <= word_recall(reference, read).share <= 1
    assert word_errors(reference, read).edits <= max(len(words_of(reference)), len(words_of(read)))


@given(WORDS, st.randoms(use_true_random=False))
def test_recall_of_the_same_words_in_any_order_is_one(words: list[str], random: object) -> None:
    shuffled = list(words)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its Random as an object

    assert word_recall(words, shuffled).share == 1.0


@given(WORDS)
def test_identical_texts_have_no_errors(words: list[str]) -> None:
    text = " ".join(words)

    assert character_errors(text, text).edits == 0
    assert word_errors(text, words).edits == 0


@given(st.text(max_size=8), st.text(max_size=8))
def test_similarity_is_symmetric_and_within_zero_and_one(left: str, right: str) -> None:
    assert 0 <= similarity(left, right) <= 1
    assert similarity(left, right) == similarity(right, left)
    assert (similarity(left, right) == 1) == (left == right)
