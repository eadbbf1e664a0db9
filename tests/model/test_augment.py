"""Small changes to line images: what they may change, and what stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pocai.models.line_image import HEIGHT, PAPER
from pocai.training.ocr_model.augment import SHIFT, SLANT, STRETCH, WAVE, augmented

WIDTH = 200
SEEDS = range(40)


def a_line() -> NDArray[np.uint8]:
    """A thick upright bar in the middle of paper ``(48, 200)``."""
    image = np.full((HEIGHT, WIDTH), PAPER, np.uint8)
    image[14:34, 95:105] = 0
    return image


def test_nothing_changes_at_no_strength() -> None:
    for seed in SEEDS:
        assert np.array_equal(augmented(a_line(), np.random.default_rng(seed), 0.0), a_line())


def test_the_same_generator_gives_the_same_change_and_another_one_another() -> None:
    changed = [augmented(a_line(), np.random.default_rng(seed), 1.0) for seed in (1, 1, 2)]
    assert np.array_equal(changed[0], changed[1])
    assert not np.array_equal(changed[0], changed[2])


@pytest.mark.parametrize("stretch", [True, False])
def test_the_shape_stays_in_its_bounds(stretch: bool) -> None:
    widths = {augmented(a_line(), np.random.default_rng(seed), 1.0, stretch=stretch).shape for seed in SEEDS}
    assert {height for height, _ in widths} == {HEIGHT}
    least, most = (WIDTH * (1 - STRETCH), WIDTH * (1 + STRETCH)) if stretch else (WIDTH, WIDTH)
    assert all(least - 1 <= width <= most + 1 for _, width in widths)
    assert (len(widths) > 1) is stretch


def test_print_stays_on_the_line_and_stays_where_a_teacher_saw_it() -> None:
    for seed in SEEDS:
        for stretch in (True, False):
            changed = augmented(a_line(), np.random.default_rng(seed), 1.0, stretch=stretch)
            dark = changed < (int(changed.min()) + int(changed.max())) / 2
            down, across = np.nonzero(dark)
            assert down.min() >= 14 - SHIFT - WAVE - 3
            assert down.max() <= 34 + SHIFT + WAVE + 3
            if not stretch:
                assert abs((across.min() + across.max()) / 2 - 99.5) <= 2, "a teacher's steps belong to columns"


def test_lines_are_slanted_to_both_sides() -> None:
    leans = set()
    for seed in SEEDS:
        changed = 255 - augmented(a_line(), np.random.default_rng(seed), 1.0).astype(np.int32)
        inked = np.where(changed > changed.max() / 2, 1, 0).astype(np.uint8)
        moments = cv2.moments(inked, binaryImage=True)
        leans.add(round(float(np.sign(moments["mu11"])) if abs(moments["mu11"] / moments["mu02"]) > SLANT / 4 else 0.0))
    assert {-1, 1} <= leans
