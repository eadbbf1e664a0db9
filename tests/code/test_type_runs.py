"""Lines in which the type changes are parted where it does, and no others: on pictures drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import pocai
from pocai.documents.ink import inked
from pocai.documents.page import Box, Line, Page, Quad, Word

FONTS = Path(pocai.__file__).parent / "assets" / "fonts"
Color = tuple[int, int, int]
BLACK, GREY = (0, 0, 0), (150, 150, 150)
SPACE = 8  # pixels between words


@dataclass(frozen=True)
class Type:
    """How some words are set."""

    words: str
    size: int = 24
    bold: bool = False
    color: Color = BLACK

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(FONTS / ("VeraBd.ttf" if self.bold else "Vera.ttf"), self.size)


def row(*types: Type) -> Page:
    """A page with one line, as a recognizer reads it: all that stands in the row, with a place for each word."""
    picture = Image.new("RGB", (1400, 80), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    left, words = 20.0, []
    for each in types:
        for text in each.words.split():
            wide = draw.textlength(text, font=each.font)
            draw.text((left, 50), text, font=each.font, fill=each.color, anchor="ls")
            words.append(Word(text, Box(left, 25, left + wide, 60), 0.9))
            left += wide + SPACE
    box = Box(18, 25, left, 60)
    line = Line(" ".join(word.text for word in words), Quad.of(box), confidence=0.9, words=tuple(words))
    return Page(0, picture.width, picture.height, lines=(line,), image=np.array(picture))


def texts(*types: Type) -> list[str]:
    return [line.text for line in inked(row(*types)).lines]


@pytest.mark.parametrize(
    ("types", "parts"),
    [
        ((Type("Mental Maths", bold=True), Type("MELL Computer Suite", 17)), ["Mental Maths", "MELL Computer Suite"]),
        ((Type("Physical Education", 30), Type("Room 3", 20)), ["Physical Education", "Room 3"]),
        ((Type("Geography", bold=True), Type("Mr Okonkwo")), ["Geography", "Mr Okonkwo"]),
        ((Type("Drama", color=BLACK), Type("in the hall", color=GREY)), ["Drama", "in the hall"]),
        (
            (Type("9:00 - 9:50"), Type("History", bold=True), Type("THIS Field", 17)),
            ["9:00 - 9:50", "History", "THIS Field"],
        ),
        ((Type("Reading", bold=True), Type("B. Delacombe", 17)), ["Reading", "B. Delacombe"]),
    ],
)
def test_a_line_is_parted_where_its_type_changes(types: tuple[Type, ...], parts: list[str]) -> None:
    assert texts(*types) == parts


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("size", [12, 16, 24, 32])
@pytest.mark.parametrize(
    "words",
    [
        "Emploi du temps",
        "RECESO DE 20 MIN.",
        "Dr Cath Wilkins",
        "10:00 - 10:45",
        "Wed 08/04",
        "Cours magistral",
        "gym on fig",
        "SE A1",
        "Lab. 2 ½ turma",
        "I",
    ],
)
def test_a_line_of_one_type_stays_whole(words: str, size: int, *, bold: bool) -> None:
    assert texts(Type(words, size, bold=bold)) == [words]


def test_parts_keep_their_words_and_places() -> None:
    page = row(Type("Music", bold=True), Type("Main Hall", 17))
    (line,) = page.lines
    name, note = inked(page).lines
    assert (*name.words, *note.words) == line.words
    assert name.box.left == line.box.left
    assert note.box.right == line.box.right
    assert name.box.right <= note.box.left
    assert (name.confidence, note.confidence) == (0.9, 0.9)
    assert name.weight > 1.3 * note.weight
    assert name.size > 1.2 * note.size


def test_other_readings_of_a_line_are_parted_with_it() -> None:
    page = row(Type("Music", bold=True), Type("Main Hall", 17))
    (line,) = page.lines
    doubtful = replace(line, alternatives=("Mus1c Main Hall", "Music Main Holl", "MusicMain Hall"))
    name, note = inked(page.with_lines([doubtful])).lines
    assert name.alternatives == ("Mus1c",)
    assert note.alternatives == ("Main Holl",)


def test_a_line_whose_words_are_not_known_stays_whole() -> None:
    page = row(Type("Music", bold=True), Type("Main Hall", 17))
    (line,) = page.lines
    odd = Line("Music Main", line.quad, words=line.words)
    assert [each.text for each in inked(page.with_lines([odd])).lines] == ["Music Main"]
