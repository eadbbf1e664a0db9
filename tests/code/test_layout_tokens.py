"""Tokens of a page: the same whatever the resolution and the margins, and true about each line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Line, Page, Quad, Rule
from pocai.models.ctc import CLASSES
from pocai.models.layout_tokens import FACTS, FIELDS, LETTERS, TEXT_FACTS, UNKNOWN, letters_of, text_facts, tokens_of
from pocai.synthetic.compose import compose
from pocai.training.document_model.made_pages import made_pages


def moved(page: Page, scale: float, by: float) -> Page:
    """The page in another resolution, its writing moved."""

    def point(at: tuple[float, float]) -> tuple[float, float]:
        return at[0] * scale + by, at[1] * scale + by

    lines = tuple(replace(line, quad=Quad(*map(point, line.quad)), size=line.size * scale) for line in page.lines)
    rules = tuple(Rule(point(rule.start), point(rule.end), rule.thickness * scale) for rule in page.rules)
    return replace(page, lines=lines, rules=rules, width=page.width * scale + by, height=page.height * scale + by)


@pytest.mark.parametrize("seed", range(6))
def test_resolution_and_margins_change_nothing(seed: int) -> None:
    (made, *_) = made_pages(compose(seed), np.random.default_rng(seed), plain=True)
    page = replace(made.page, fills=())
    plain, other = tokens_of(page), tokens_of(moved(page, 2.0, 16.0))
    assert np.array_equal(plain.letters, other.letters)
    assert np.allclose(plain.facts, other.facts, atol=0.01)  # walls are found to a fraction of a unit
    assert np.allclose(plain.places, other.places, atol=0.2)  # heights of text
    assert plain.cells == other.cells


def test_shapes_and_cells() -> None:
    box = Box(10, 10, 60, 22)
    line = Line("Maths", Quad.of(box, 0), size=10)
    corners = [(0.0, 0.0), (100.0, 0.0), (100.0, 40.0), (0.0, 40.0)]
    rules = [Rule(a, b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)] + [
        Rule((50.0, 0.0), (50.0, 40.0))
    ]
    below = Line("Art", Quad.of(Box(60, 10, 90, 22), 0), size=10)
    tokens = tokens_of(Page(0, 200, 200, (line, below), tuple(rules)))
    assert tokens.letters.shape == (2, LETTERS)
    assert tokens.facts.shape == (2, FACTS)
    assert tokens.places.shape == (2, FIELDS)
    assert len(set(tokens.cells)) == 2
    assert tokens.places[0, :2].tolist() == [0, 0], "places begin at the writing"


def test_an_empty_page_has_no_tokens() -> None:
    tokens = tokens_of(Page(0, 100, 100))
    assert (len(tokens), tokens.facts.shape) == (0, (0, FACTS))


@given(st.text(max_size=80))
def test_letters_are_classes_and_padding(text: str) -> None:
    numbers = letters_of(text)
    assert len(numbers) == LETTERS
    assert all(0 <= number <= UNKNOWN for number in numbers)
    assert sum(number > 0 for number in numbers) == min(len(text), LETTERS)


def test_long_texts_keep_both_ends() -> None:
    numbers = letters_of("A" * 30 + "Z" * 30)
    assert CLASSES[numbers[0]] == "A"
    assert CLASSES[numbers[-1]] == "Z"
    assert letters_of("☃")[0] == UNKNOWN


@pytest.mark.parametrize(
    ("text", "fact"),
    [("9.15", 0), ("9.00-10.00", 1), ("9.15", 2), ("9.15 Maths", 3), ("Period 3", 6), ("Monday", 7), ("Sunday", 13)],
)
def test_facts_say_what_the_parsers_say(text: str, fact: int) -> None:
    assert text_facts(text)[fact] == 1
    assert text_facts("Photosynthesis")[fact] == 0


def test_there_are_as_many_facts_as_said() -> None:
    assert len(text_facts("Mr Hill, Room 4")) == TEXT_FACTS
