"""Straightening: pages are turned, flattened and lit evenly only where needed, and lead back to the upload."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pocai.documents.page import Box, Fill, Line, Page, Picture, Quad, Rule, Word
from pocai.documents.straighten import even_light, flatten, straighten, turn

WIDTH, HEIGHT = 900, 640
CORNERS = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float32)


def drawn(*, ruled: bool = True, shaded: bool = False) -> NDArray[np.uint8]:
    """A white page with a table of words."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    for row in range(7):
        for column in range(5):
            x, y = 60 + column * 155, 50 + row * 78
            if shaded and column < 2:
                draw.rectangle((x, y, x + 155, y + 78), fill=(150, 170, 120))
            if ruled:
                draw.rectangle((x, y, x + 155, y + 78), outline="black", width=2)
            draw.text((x + 15, y + 25), f"Lesson {row}{column}", fill="black", font=font)
    return np.array(picture)


def page_of(image: NDArray[np.uint8], **more: Any) -> Page:
    return Page(1, float(image.shape[1]), float(image.shape[0]), image=image, **more)


def mapped(matrix: Any, point: tuple[float, float]) -> tuple[float, float]:
    x, y, w = np.array(matrix).reshape(3, 3) @ (*point, 1.0)
    return float(x / w), float(y / w)


def tilts(page: Page, damage: NDArray[np.float64]) -> list[float]:
    """Degrees by which lines that were level and upright before the damage are off on the straightened page."""
    forward = np.linalg.inv(np.array(page.to_source).reshape(3, 3)) @ damage
    found = []
    for a, b, axis in (
        ((90, 70), (800, 70), 0),
        ((90, 560), (800, 560), 0),
        ((90, 70), (90, 560), 90),
        ((800, 70), (800, 560), 90),
    ):
        (ax, ay), (bx, by) = mapped(forward, a), mapped(forward, b)
        found.append(abs(math.degrees(math.atan2(by - ay, bx - ax)) - axis))
    return found


def assert_leads_back(page: Page, source: NDArray[np.uint8]) -> None:
    """The page looks like the source where ``to_source`` says that it comes from."""
    assert page.image is not None
    height, width = page.image.shape[:2]
    half = np.array([(1, 0, 0.5), (0, 1, 0.5), (0, 0, 1)])
    pull = np.linalg.inv(half) @ np.array(page.to_source).reshape(3, 3) @ half
    expected = cv2.warpPerspective(source, pull, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inner = (slice(height // 6, -height // 6), slice(width // 6, -width // 6))
    assert np.abs(expected[inner].astype(int) - page.image[inner]).mean() < 4


@pytest.mark.parametrize(
    "corners",
    [
        [(18, 20), (870, 50), (830, 610), (55, 575)],
        [(90, 30), (810, 12), (885, 620), (20, 600)],
        [(45, 0), (900, 32), (855, 640), (0, 608)],
    ],
    ids=["leaning", "from below", "sheared"],
)
def test_a_photographed_table_becomes_straight(corners: list[tuple[float, float]]) -> None:
    damage = cv2.getPerspectiveTransform(CORNERS, np.array(corners, np.float32))
    photo = cv2.warpPerspective(drawn(), damage, (WIDTH, HEIGHT), borderValue=(90, 80, 70)).astype(np.uint8)
    flat = flatten(page_of(photo))
    assert max(tilts(flat, damage)) < 0.25
    assert_leads_back(flat, photo)
    corner = mapped(np.linalg.inv(np.array(flat.to_source).reshape(3, 3)), (450, 320))
    assert mapped(flat.to_source, corner) == pytest.approx((450, 320), abs=1e-6)


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize("angle", [-3.0, 1.2])
def test_skew_is_undone_with_and_without_rules(angle: float, *, ruled: bool) -> None:
    damage = np.vstack((cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, 1), (0, 0, 1)))
    scan = cv2.warpPerspective(drawn(ruled=ruled), damage, (WIDTH, HEIGHT), borderValue=(255, 255, 255)).astype(
        np.uint8
    )
    flat = flatten(page_of(scan))
    assert max(tilts(flat, damage)) < 0.3
    assert_leads_back(flat, scan)


@pytest.mark.parametrize("image", [drawn(), drawn(ruled=False), drawn(shaded=True), np.zeros((1, 1, 3), np.uint8)])
def test_a_clean_page_is_given_back_untouched(image: NDArray[np.uint8]) -> None:
    page = page_of(image)
    assert straighten(page) is page


def test_pages_that_need_no_reading_are_left_alone() -> None:
    scan = np.rot90(drawn(), 1)[:, ::-1].copy()
    native = page_of(scan, lines=(Line("text", Quad.of(Box(0, 0, 9, 9)), source="pdf"),))
    assert straighten(native) is native
    bare = replace(native, image=None, lines=())
    assert straighten(bare) is bare


def test_shade_across_a_page_is_evened_out_and_its_colours_stay() -> None:
    shade = np.linspace(1.0, 0.45, WIDTH)[None, :, None]
    clean = drawn(shaded=True)
    lit = even_light(page_of((clean * shade).astype(np.uint8)))
    assert lit.image is not None
    margin = lit.image[5:40, :, :].astype(int).mean(axis=(0, 2))
    assert margin.min() > 0.9 * margin.max()
    red, green, blue = lit.image[65, 90].astype(int)
    assert green > red > blue
    assert lit.to_source == page_of(clean).to_source


boxes = st.tuples(*(st.floats(0, 50) for _ in range(2)), *(st.floats(51, 90) for _ in range(2))).map(
    lambda sides: Box(*sides)
)


@given(boxes, st.integers(-5, 5))
def test_turning_moves_everything_on_the_page_alike(box: Box, turns: int) -> None:
    line = Line("a b", Quad.of(box, 90), 90.0, words=(Word("a", box),))
    image = np.arange(100 * 120 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 120, 3)
    page = page_of(
        image,
        lines=(line,),
        rules=(Rule((box.left, box.top), (box.right, box.top)),),
        fills=(Fill(box, (1, 2, 3)),),
        pictures=(Picture(box),),
    )
    turned = turn(page, turns)
    moved = turned.fills[0].box
    assert turned.lines[0].angle == (90 + 90 * turns) % 360
    assert turned.lines[0].quad == Quad.of(moved, int(turned.lines[0].angle))
    assert turned.lines[0].words[0].box == turned.pictures[0].box == moved
    assert turned.rules[0].horizontal == (turns % 2 == 0)
    corner = mapped(turned.to_source, turned.lines[0].quad.top_left)
    assert corner == pytest.approx(line.quad.top_left, abs=1e-6)
    assert turned.image is not None
    assert (turned.width, turned.height) == turned.image.shape[1::-1]
    back = turn(turned, -turns)
    assert back.image is not None
    assert (back.image == image).all()
    assert back.to_source == pytest.approx(page.to_source, abs=1e-9)
    assert back.lines[0].box == pytest.approx(box, abs=1e-6)
