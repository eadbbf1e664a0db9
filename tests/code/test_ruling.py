"""Ruling lines of a picture: printed lines, rims of colours, and not the strokes of letters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pocai.documents.page import Rule
from pocai.documents.ruling import find_rules


def paper(height: int = 600, width: int = 800) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def positions(rules: tuple[Rule, ...], *, horizontal: bool) -> list[int]:
    axis = 1 if horizontal else 0
    return sorted(round(rule.start[axis]) for rule in rules if rule.horizontal is horizontal)


def test_printed_lines_are_found_where_they_are() -> None:
    page = paper()
    for y in (100, 200, 400):
        page[y : y + 2, 50:750] = 0
    for x in (50, 300, 749):
        page[100:402, x : x + 2] = 0
    rules = find_rules(page)
    assert positions(rules, horizontal=True) == pytest.approx([101, 201, 401], abs=2)
    assert positions(rules, horizontal=False) == pytest.approx([51, 301, 750], abs=2)
    lengths = [rule.end[0] - rule.start[0] for rule in rules if rule.horizontal]
    assert lengths == pytest.approx([700] * 3, abs=6)


@pytest.mark.parametrize("colour", [(255, 240, 200), (200, 255, 200), (0, 0, 90)])
def test_fields_of_colour_have_rims(colour: tuple[int, int, int]) -> None:
    page = paper()
    page[150:350, 200:500] = colour
    rules = find_rules(page)
    assert positions(rules, horizontal=True) == pytest.approx([150, 350], abs=2)
    assert positions(rules, horizontal=False) == pytest.approx([200, 500], abs=2)


def test_a_broken_line_is_one() -> None:
    page = paper()
    page[100:102, 50:400] = 0
    page[100:102, 405:750] = 0
    assert len(find_rules(page)) == 1


def test_short_strokes_are_no_rules() -> None:
    page = paper()
    for x in range(100, 700, 20):
        page[300:316, x : x + 2] = 0
        page[307:309, x : x + 10] = 0
    assert find_rules(page) == ()


def test_a_large_picture_gives_the_same_rules_in_its_own_pixels() -> None:
    page = paper(3000, 4000)
    page[1000:1008, 400:3600] = 0
    (rule,) = find_rules(page)
    assert rule.start[1] == pytest.approx(1004, abs=6)
    assert rule.end[0] == pytest.approx(3600, abs=10)


def test_coordinates_are_plain_numbers() -> None:
    page = paper()
    page[100:102, 50:750] = 0
    (rule,) = find_rules(page)
    assert all(type(value) is float for point in (rule.start, rule.end) for value in point)
