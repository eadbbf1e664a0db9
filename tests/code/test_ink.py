"""The measure of a line's ink: what is printed larger, bolder or paler measures so, whatever stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import pocai
from pocai.documents.ink import inked
from pocai.documents.page import Box, Line, Page, Quad
from pocai.documents.straighten import turn

FONTS = Path(pocai.__file__).parent / "assets" / "fonts"
TEXTS = ("Mathematics", "Lunch", "gym", "PE", "8:45 - 9:00")
AROUND = 100  # pixels of paper around the line
PAD_X, PAD_Y = 9, 6  # pixels by which a recognizer's box is wider and higher than its letters
Color = tuple[int, int, int]
BLACK, WHITE, GREY, NAVY = (0, 0, 0), (255, 255, 255), (130, 130, 130), (20, 40, 100)


@dataclass(frozen=True)
class Pen:
    """How a line is written: size in pixels, typeface and colours."""

    size: int = 28
    bold: bool = False
    ink: Color = BLACK
    paper: Color = WHITE

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(FONTS / ("VeraBd.ttf" if self.bold else "Vera.ttf"), self.size)


def written(text: str, pen: Pen, beside: str = "") -> Page:
    """A page with one line in a loose box; ``beside`` it may stand "walls" or "rules" of a cell, or "lines" of text."""
    left, top, right, bottom = pen.font.getbbox(text)
    wide, high = round(right - left), round(bottom - top)
    box = Box(AROUND - PAD_X, AROUND - PAD_Y, AROUND + wide + PAD_X, AROUND + high + PAD_Y)
    picture = Image.new("RGB", (wide + 2 * AROUND, high + 2 * AROUND), pen.paper)
    draw = ImageDraw.Draw(picture)
    draw.text((AROUND - left, AROUND - top), text, font=pen.font, fill=pen.ink)
    if beside == "walls":
        for x in (box.left + 1, box.right - 3):
            draw.line((x, 0, x, picture.height), fill=pen.ink, width=2)
    if beside == "rules":
        for y in (box.top + 1, box.bottom - 2):
            draw.line((0, y, picture.width, y), fill=pen.ink, width=4)
    if beside == "lines":
        draw.text((AROUND, box.top + 3), "jumpy figs", font=pen.font, fill=pen.ink, anchor="ld")
        draw.text((AROUND, box.bottom - 3), "BdfhklÄ", font=pen.font, fill=pen.ink, anchor="lt")
    image = np.array(picture)
    return Page(0, picture.width, picture.height, lines=(Line(text, Quad.of(box)),), image=image)


def measured(text: str, pen: Pen, beside: str = "") -> Line:
    (line,) = inked(written(text, pen, beside)).lines
    return line


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [14, 20, 40, 60])
def test_size_is_the_em_in_pixels(text: str, size: int) -> None:
    assert measured(text, Pen(size)).size == pytest.approx(size, rel=0.12)


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(("text", "other"), [("Maths", "Maths"), ("Mathematics", "gym"), ("PE", "English")])
def test_twice_the_size_measures_twice(text: str, other: str, *, bold: bool) -> None:
    small, large = measured(text, Pen(20, bold)), measured(other, Pen(40, bold))
    assert large.size / small.size == pytest.approx(2, rel=0.08)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [14, 28, 60])
def test_bold_is_heavier_than_regular_at_the_same_size(text: str, size: int) -> None:
    regular, bold = measured(text, Pen(size)), measured(text, Pen(size, bold=True))
    assert bold.weight > 1.35 * regular.weight
    assert bold.size == pytest.approx(regular.size, rel=0.05)


@pytest.mark.parametrize("text", TEXTS)
def test_weight_is_a_share_of_the_em(text: str) -> None:
    small, large = measured(text, Pen(20)), measured(text, Pen(60))
    assert small.weight == pytest.approx(large.weight, rel=0.2)
    assert 0.08 < large.weight < 0.2


@pytest.mark.parametrize(
    "pen", [Pen(), Pen(ink=GREY), Pen(ink=(190, 20, 20)), Pen(ink=WHITE, paper=NAVY), Pen(paper=(252, 229, 205))]
)
def test_colour_is_that_of_the_ink_and_changes_nothing_else(pen: Pen) -> None:
    line, plain = measured("Mathematics", pen), measured("Mathematics", Pen())
    assert line.color == pytest.approx(pen.ink, abs=6)
    assert (line.size, line.weight) == pytest.approx((plain.size, plain.weight), rel=0.03)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("beside", ["walls", "rules", "lines"])
@pytest.mark.parametrize("pen", [Pen(20), Pen(28), Pen(40, bold=True), Pen(28, ink=WHITE, paper=NAVY)])
def test_what_reaches_into_the_box_is_not_measured(text: str, beside: str, pen: Pen) -> None:
    alone, among = written(text, pen), written(text, pen, beside)
    left, top, right, bottom = (round(value) for value in alone.lines[0].box)
    assert alone.image is not None
    assert among.image is not None
    assert (alone.image != among.image)[top:bottom, left:right].any()
    expected, line = inked(alone).lines[0], inked(among).lines[0]
    assert line.size == pytest.approx(expected.size, rel=0.03)
    assert line.weight == pytest.approx(expected.weight, rel=0.2 if beside == "rules" else 0.03)  # rules touch letters
    assert line.color == pytest.approx(pen.ink, abs=6)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("text", TEXTS)
def test_turned_writing_measures_as_upright(text: str, quarters: int) -> None:
    upright = measured(text, Pen())
    (line,) = inked(turn(written(text, Pen()), quarters)).lines
    assert line.angle == 90 * quarters
    assert (line.size, line.weight, line.color) == (upright.size, upright.weight, upright.color)


@pytest.mark.parametrize(
    "box",
    [Box(5, 5, 5, 5), Box(5, 5, 6, 6), Box(100, 100, 300, 102), Box(-50, -50, -10, -10), Box(9000, 9000, 9100, 9020)],
)
def test_a_box_without_room_for_letters_stays_as_it_is(box: Box) -> None:
    line = Line("Maths", Quad.of(box), size=12)
    page = written("Maths", Pen()).with_lines([line])
    assert inked(page).lines == (line,)


def test_blank_paper_has_no_ink() -> None:
    line = Line("Maths", Quad.of(Box(5, 5, 80, 30)))
    assert inked(written("Maths", Pen()).with_lines([line])).lines == (line,)


def test_a_box_that_hangs_over_the_rim_is_measured_on_what_there_is() -> None:
    page = written("Mathematics", Pen())
    assert page.image is not None
    cut = replace(page, image=np.ascontiguousarray(page.image[AROUND - 2 :, AROUND - 2 :]))
    box = Box(-11, -8, page.width - 2 * AROUND + 9, page.height - 2 * AROUND + 6)
    (line,) = inked(cut.with_lines([replace(page.lines[0], quad=Quad.of(box))])).lines
    assert line.size == pytest.approx(28, rel=0.12)


def test_text_and_place_are_kept() -> None:
    page = written("Mathematics", Pen())
    (before,), (after,) = page.lines, inked(page).lines
    assert replace(after, size=before.size, weight=before.weight, color=before.color) == before


def test_a_page_without_a_picture_is_given_back() -> None:
    page = replace(written("Maths", Pen()), image=None)
    assert inked(page) is page
