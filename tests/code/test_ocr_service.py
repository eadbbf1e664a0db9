"""The OCR service: what is printed comes out, whichever way it is printed and however the page lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import pocai
from pocai.documents.page import Box, Line, Page, Quad, Rule
from pocai.documents.straighten import turn
from pocai.errors import InputError
from pocai.inference.ocr_service import OCRService
from pocai.models.ctc import decode
from pocai.models.lines import bands, crop, cut, in_reading_order, turned
from pocai.models.ppocr import PPOCREngine
from pocai.models.ppocr_recognizer import Alphabet
from pocai.models.protocols import OCRResult, Reading

FONT = Path(pocai.__file__).parent / "assets" / "fonts" / "Vera.ttf"
Picture = NDArray[np.uint8]

ROWS = (
    ("Monday", "Tuesday", "Friday"),
    ("9:15 - 10:05", "10.30-11.15", "13h45"),
    ("Mathematics", "Français", "Übung"),
    ("Año nuevo", "História", "Perché no?"),
)
WORDS = sorted(word for row in ROWS for cell in row for word in cell.split())


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def written(text: str, size: int = 28) -> Image.Image:
    """Text with a little paper around it."""
    font = ImageFont.truetype(FONT, size)
    left, top, right, bottom = font.getbbox(text)
    picture = blank(round(right - left) + 12, round(bottom - top) + 12)
    ImageDraw.Draw(picture).text((6 - left, 6 - top), text, fill="black", font=font)
    return picture


def page_of(picture: Image.Image | Picture) -> Page:
    image = np.array(picture)
    return Page(1, float(image.shape[1]), float(image.shape[0]), image=image)


def table() -> Image.Image:
    picture = blank(760, 330)
    for row, cells in enumerate(ROWS):
        for column, text in enumerate(cells):
            picture.paste(written(text), (30 + 250 * column, 20 + 78 * row))
    return picture


@pytest.fixture(scope="module")
def service() -> OCRService:
    return OCRService("ppocr", threads=2)


@pytest.fixture(scope="module")
def upright(service: OCRService) -> OCRResult:
    return service.read(page_of(table()))


def test_every_word_is_read_with_its_accents(upright: OCRResult) -> None:
    assert sorted(word.text for word in upright.words) == WORDS
    assert upright.engine == "ppocr"
    assert upright.readers == {"ppocr": len(upright.lines)}


def test_text_comes_in_rows_from_left_to_right(upright: OCRResult) -> None:
    assert upright.text == " ".join(cell for row in ROWS for cell in row)
    assert upright.text == " ".join(line.text for line in upright.lines)


def test_scores_and_boxes_of_words_lie_within_their_bounds(upright: OCRResult) -> None:
    assert 0.9 < upright.confidence <= 1
    for line in upright.lines:
        for word in line.words:
            assert 0 < (word.confidence or 0) <= 1
            assert 0 <= word.box.left < word.box.right <= 760
            assert 0 <= word.box.top < word.box.bottom <= 330


def test_a_words_box_lies_around_its_ink(service: OCRService) -> None:
    picture = blank(700, 90)
    for x, text in ((20, "Monday"), (300, "Science"), (520, "Art")):
        picture.paste(written(text), (x, 30))
    words = {word.text: word.box for word in service.read(page_of(picture)).words}
    for x, text in ((20, "Monday"), (300, "Science"), (520, "Art")):
        width, height = written(text).size
        assert words[text].center == pytest.approx((x + width / 2, 30 + height / 2), abs=14)
        assert words[text].width == pytest.approx(width, abs=26)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_page_is_read_however_it_lies(service: OCRService, upright: OCRResult, turns: int) -> None:
    lying = turn(page_of(table()), turns)
    page, result = service.read_page(replace(lying, to_source=page_of(table()).to_source))
    assert result.text == upright.text
    assert (page.width, page.height) == (760, 330)
    assert page.lines == result.lines
    back = turn(replace(page, to_source=page_of(table()).to_source), turns)
    spots = [word.box for line in back.lines for word in line.words]
    matrix = np.array(page.to_source).reshape(3, 3)
    for word, spot in zip(result.words, spots, strict=True):
        x, y, w = matrix @ (*word.box.center, 1.0)
        assert spot.contains((x / w, y / w))


def test_vertical_text_is_read_both_ways_on_an_upright_page(service: OCRService) -> None:
    picture = Image.new("RGB", (900, 330), "white")
    picture.paste(table(), (0, 0))
    picture.paste(written("Assembly").rotate(90, expand=True), (780, 40))
    picture.paste(written("Lunch break").rotate(-90, expand=True), (840, 40))
    page, result = service.read_page(page_of(picture))
    angles = {line.text: line.angle for line in result.lines}
    assert (page.width, page.height) == (900, 330)
    assert angles["Assembly"] == 270
    assert angles["Lunch break"] == 90
    starts = {line.text: line.quad.top_left for line in result.lines}
    assert starts["Assembly"][1] > 150
    assert starts["Lunch break"][1] < 100


def test_small_print_is_found(service: OCRService) -> None:
    picture = blank(1500, 400)
    for column in range(6):
        for row in range(4):
            picture.paste(written(f"Room {10 + 6 * row + column}", 11), (20 + 250 * column, 20 + 100 * row))
    words = {word.text for word in service.read(page_of(picture)).words}
    assert words == {"Room", *(str(number) for number in range(10, 34))}


def test_identical_pages_read_alike(service: OCRService, upright: OCRResult) -> None:
    assert service.read(page_of(table())) == upright


@pytest.mark.parametrize("size", [(1, 1), (400, 300), (3000, 4), (5, 2000)])
def test_a_page_without_text_has_none(service: OCRService, size: tuple[int, int]) -> None:
    page, result = service.read_page(page_of(blank(*size)))
    assert (result.text, result.words, result.lines, result.confidence) == ("", (), (), 0.0)
    assert page.lines == ()


def test_a_page_without_a_picture_is_refused() -> None:
    with pytest.raises(InputError, match="page 7 has no picture"):
        OCRService().read(Page(7, 10.0, 10.0))


class Spots:
    """A detector that always sees the same quads."""

    def __init__(self, *boxes: Box) -> None:
        self._quads = tuple(Quad.of(box) for box in boxes)

    def detect(self, image: Picture) -> tuple[Quad, ...]:
        assert image.ndim == 3
        return self._quads


class Widths:
    """A recognizer that reads each crop as its width in pixels."""

    def recognize(self, crops: Sequence[Picture]) -> list[Reading]:
        return [Reading(f"w{crop.shape[1]}", 0.99, ((f"w{crop.shape[1]}", 0.99, 0.0, 1.0),)) for crop in crops]


def test_a_line_is_cut_where_a_vertical_rule_crosses_it() -> None:
    engine = PPOCREngine(1, Spots(Box(10, 10, 210, 30)), Widths())
    rules = (Rule((90, 0), (90, 100)), Rule((150, 14), (150, 26)), Rule((0, 20), (300, 20)), Rule((12, 0), (12, 100)))
    result = OCRService(engine).read(replace(page_of(blank(300, 100)), rules=rules))
    assert [line.text for line in result.lines] == ["w80", "w120"]
    assert result.words[1].box == Box(90, 10, 210, 30)


def test_letters_below_each_other_become_a_line_each(service: OCRService) -> None:
    picture = blank(300, 240)
    for number, letter in enumerate("BREAK"):
        picture.paste(written(letter, 30), (30, 15 + 42 * number))
    found = [line.text for line in service.read(page_of(picture)).lines]
    assert "".join(found) == "BREAK"


def test_two_rows_in_one_quad_become_two_lines() -> None:
    picture = np.full((60, 200, 3), 255, np.uint8)
    picture[8:24, 10:190:6] = 0
    picture[36:52, 10:190:6] = 0
    above, below = bands(picture, Quad.of(Box(0, 0, 200, 60)))
    assert above.box == Box(0, 0, 200, 30)
    assert below.box == Box(0, 30, 200, 60)
    right, left = bands(np.rot90(picture, 1).copy(), turned(Quad.of(Box(0, 0, 60, 200)), 90))
    assert right.box == Box(30, 0, 60, 200)
    assert left.box == Box(0, 0, 30, 200)


@given(st.integers(0, 3), st.integers(2, 30), st.integers(2, 30))
def test_a_crop_shows_the_writing_upright(turns: int, width: int, height: int) -> None:
    patch = np.random.default_rng(width * 31 + height).integers(0, 255, (height, width, 3)).astype(np.uint8)
    image = np.zeros((80, 80, 3), np.uint8)
    lying = np.rot90(patch, -turns)
    image[20 : 20 + lying.shape[0], 30 : 30 + lying.shape[1]] = lying
    box = Box(30, 20, 30 + lying.shape[1], 20 + lying.shape[0])
    assert (crop(image, turned(Quad.of(box), 90 * turns)) == patch).all()


def test_a_slanted_line_is_cropped_level() -> None:
    image = np.full((120, 240, 3), 255, np.uint8)
    quad = Quad((20, 20), (200, 50), (195, 80), (15, 50))
    for share in np.linspace(0, 1, 2000):
        x, y = 17.5 + 180 * share, 35 + 30 * share
        image[round(y), round(x)] = 0
    dark = (crop(image, quad)[:, 5:-5, 0] < 128).nonzero()[0]
    assert np.ptp(dark) <= 3


spans = st.lists(st.floats(1, 199), max_size=4).map(lambda places: [Rule((x, -5), (x, 40)) for x in places])


@given(spans)
def test_pieces_of_a_cut_line_keep_its_order_and_stay_inside(rules: list[Rule]) -> None:
    box = Box(0, 0, 200, 20)
    pieces = [quad.box for quad in cut(Quad.of(box), rules)]
    assert pieces
    assert len(pieces) <= len(rules) + 1
    for piece, following in pairwise(pieces):
        assert piece.right <= following.left + 1e-6
    assert all(piece.overlap(box) > 0.999 and piece.width >= 7 - 1e-6 for piece in pieces)


@given(st.permutations(range(12)))
def test_reading_order_does_not_depend_on_the_order_of_finding(order: list[int]) -> None:
    lines = []
    for number in range(12):
        left, top = 100.0 * (number % 4), 50.0 * (number // 4) + number % 3
        lines.append(Line(str(number), Quad.of(Box(left, top, left + 80, top + 20)), size=20))
    assert [line.text for line in in_reading_order([lines[n] for n in order])] == [str(n) for n in range(12)]


CLASSES = ("中", "A", "Ａ", "é", "-", "－", "の")


def test_letters_of_other_scripts_never_come_out_and_twins_are_one() -> None:
    alphabet = Alphabet(CLASSES)
    assert alphabet.letters == ("", " ", "A", "é", "-")
    probabilities = np.array([[[0.01, 0.9, 0.02, 0.03, 0.005, 0.01, 0.015, 0.007, 0.003]]], np.float32)
    assert alphabet.fold(probabilities)[0, 0] == pytest.approx([0.01, 0.003, 0.05, 0.005, 0.025])


def path(text: str, letters: Sequence[str], blanks: int) -> NDArray[np.float32]:
    """Scores of a path that spells ``text`` with runs of two and ``blanks`` blanks after each letter."""
    steps = [number for letter in text for number in [letters.index(letter)] * 2 + [0] * blanks]
    scores = np.full((len(steps), len(letters)), 0.01, np.float32)
    scores[np.arange(len(steps)), steps] = 0.9
    return scores


@given(st.text("ABC ", min_size=1, max_size=12), st.integers(1, 3))
def test_decoding_gives_back_what_a_path_spells(text: str, blanks: int) -> None:
    letters = ("", " ", "A", "B", "C")
    scores = path(text, letters, blanks)
    reading = decode(scores, letters, len(scores))
    assert reading.text == " ".join(text.split())
    assert [word[0] for word in reading.words] == text.split()
    for _, score, start, end in reading.words:
        assert score == pytest.approx(0.9)
        assert 0 <= start < end <= 1
    for one, other in pairwise(reading.words):
        assert one[3] <= other[2] + 1e-6


def test_double_letters_need_a_blank_between_them() -> None:
    letters = ("", " ", "A")
    assert decode(path("AA", letters, 0), letters, 4).text == "A"
    assert decode(path("AA", letters, 1), letters, 6).text == "AA"


def test_nothing_but_blanks_reads_as_nothing() -> None:
    assert decode(np.array([[0.9, 0.05, 0.05]] * 4, np.float32), ("", " ", "A"), 4) == Reading("", 0.0)
