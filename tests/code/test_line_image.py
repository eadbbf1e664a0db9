"""A line crop as the recognizer sees it: ink dark on white, whatever the colours, rules left out of account."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pocai.models.line_image import HEIGHT, WIDEST, batch_of, line_image

Color = tuple[int, int, int]
Pixels = NDArray[np.uint8]


def crop(ink: Color, paper: Color, size: tuple[int, int] = (120, 30)) -> Pixels:
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).text((10, 4), "Maths 9:15", fill=ink, font=ImageFont.load_default(18))
    return np.array(picture)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((250, 240, 90), (20, 40, 160)),
        ((200, 0, 0), (0, 120, 0)),
        ((60, 60, 60), (90,) * 3),
    ],
)
def test_all_colours_look_like_black_on_white(ink: Color, paper: Color) -> None:
    plain, coloured = line_image(crop((0, 0, 0), (255, 255, 255))), line_image(crop(ink, paper))
    assert np.abs(plain.astype(int) - coloured).mean() < 6


@pytest.mark.parametrize("rule", [(0, 0, 0), (255, 255, 255)])
def test_rules_at_the_edges_do_not_pass_for_ink_or_paper(rule: Color) -> None:
    ruled = crop((255, 255, 255), (110, 110, 110))
    ruled[:, :5] = ruled[:3] = rule
    inner = line_image(ruled)[8:, 10:]
    assert np.abs(inner.astype(int) - line_image(crop((0, 0, 0), (255, 255, 255)))[8:, 10:]).mean() < 15


def test_a_line_keeps_its_proportions_and_is_never_too_wide_or_too_narrow() -> None:
    assert line_image(np.zeros((24, 100, 3), np.uint8)).shape == (HEIGHT, 200)
    assert line_image(np.zeros((10, 4000, 3), np.uint8)).shape == (HEIGHT, WIDEST)
    assert line_image(np.zeros((40, 1, 3), np.uint8)).shape == (HEIGHT, 8)
    assert line_image(np.zeros((0, 5, 3), np.uint8)).shape == (HEIGHT, 8)


@given(st.integers(1, 60), st.integers(1, 200), st.integers(0, 255))
def test_an_even_crop_is_paper_or_ink_and_nothing_fails(height: int, width: int, tone: int) -> None:
    image = line_image(np.full((height, width, 3), tone, np.uint8))
    assert image.dtype == np.uint8
    assert len(np.unique(image)) == 1


def test_grey_crops_are_taken_as_well() -> None:
    coloured = crop((0, 0, 0), (255, 255, 255))
    assert np.array_equal(line_image(coloured), line_image(np.ascontiguousarray(coloured[:, :, 0])))


def test_the_golden_tensor_of_training_and_serving() -> None:
    """Fails when preprocessing changes: then the shipped student no longer sees what it was trained on."""
    columns, rows = np.meshgrid(np.arange(97), np.arange(31))
    drawn = np.where((columns // 7 + rows // 5) % 3 == 0, 40, 220).astype(np.uint8)
    image = line_image(np.dstack([drawn, drawn // 2, 255 - drawn]))
    assert image.shape == (48, 150)
    blocks = image.reshape(6, 8, 6, 25).mean(axis=(1, 3))
    assert np.abs(blocks - GOLDEN).max() < 2  # tones; resizing rounds differently on other processors


GOLDEN = (
    (148, 145, 152, 218, 171, 148),
    (215, 179, 149, 144, 192, 202),
    (145, 184, 207, 151, 147, 158),
    (155, 148, 151, 212, 173, 153),
    (207, 180, 157, 144, 186, 197),
    (145, 179, 201, 159, 150, 157),
)


def test_a_batch_has_paper_to_the_right() -> None:
    batch = batch_of([np.zeros((HEIGHT, 10), np.uint8), np.zeros((HEIGHT, 40), np.uint8)])
    assert batch.shape == (2, 1, HEIGHT, 48)
    assert batch[0, 0, :, 10:].min() == 255
    assert batch[0, 0, :, :10].max() == 0
