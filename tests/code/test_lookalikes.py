"""An O among digits is a zero, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.models.lookalikes import digits_in_numbers
from pocai.models.protocols import Reading


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1O", "10"),
        ("2O Break", "20 Break"),
        ("9:OO 1O.3O", "9:00 10.30"),
        ("O2", "O2"),
        ("2ESO", "2ESO"),
        ("1O-B", "1O-B"),
        ("OK", "OK"),
        ("Room 1OO", "Room 100"),
    ],
)
def test_numbers_are_read_as_numbers(text: str, said: str) -> None:
    words = tuple((word, 0.5, 0.0, 1.0) for word in text.split())
    found = digits_in_numbers(Reading(text, 0.9, words, 0.8, "student"))
    assert (found.text, " ".join(word for word, *_ in found.words)) == (said, said)
    assert (found.confidence, found.probability, found.words[0][1:]) == (0.9, 0.8, (0.5, 0.0, 1.0))


@given(st.text(st.characters(exclude_characters="O"), max_size=20))
def test_what_has_no_such_letter_stays(text: str) -> None:
    reading = Reading(text, 1.0)
    assert digits_in_numbers(reading) is reading


@given(st.text(st.sampled_from("O01 .:Ab"), max_size=12))
def test_the_length_stays_and_twice_is_once(text: str) -> None:
    once = digits_in_numbers(Reading(text, 1.0))
    assert len(once.text) == len(text)
    assert digits_in_numbers(once) == once
