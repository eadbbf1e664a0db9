"""The faces of made documents: which there are, which are kept for tests, what they can print."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from pocai.errors import ConfigurationError
from pocai.models.ctc import LETTERS
from pocai.synthetic.fonts import HELD_OUT_HAND, Face, face, faces, font, printable

PACKAGES = Path(__file__).parents[2] / "tools" / "fonts.txt"
LISTED = re.compile(r"(?P<package>fonts-[a-z0-9-]+) +# (?P<licence>[^:]+): (?P<families>.+)")
FREE = re.compile(r"OFL|GPL|Apache|BSD|MIT|CC BY|public domain|Bitstream Vera|ParaType Free Font")
ALL: tuple[Face, ...] = (*faces("train"), *faces("test"))


def glyph(file: Path, letter: str) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    mask, place = font(file, 40).getmask2(letter, mode="L")
    return bytes(mask), mask.size, place


def test_every_family_comes_from_one_listed_package_with_a_free_licence() -> None:
    families: list[str] = []
    for line in PACKAGES.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        found = LISTED.fullmatch(line)
        assert found, line
        assert FREE.search(found["licence"]), line
        families += found["families"].split(", ")
    assert len(families) == len(set(families))
    assert {each.family for each in ALL} == set(families)


def test_sixty_families_and_more_a_fifth_of_them_for_tests_of_every_kind() -> None:
    train, test = faces("train"), faces("test")
    assert len(train) + len(test) >= 60
    assert 0.1 <= len(test) / len(ALL) <= 0.3
    assert {each.kind for each in train} == {each.kind for each in test}
    assert sum(each.kind == "hand" for each in train) >= 5
    assert sum(each.kind == "hand" for each in test) >= 2


def test_no_family_and_no_file_is_in_both_splits() -> None:
    for name in ("family", "file", "bold"):
        used = [{getattr(each, name) for each in faces(split)} - {None} for split in ("train", "test")]
        assert not used[0] & used[1], name


def test_the_held_out_handwriting_is_a_handwriting_for_tests() -> None:
    held_out = face(HELD_OUT_HAND)
    assert held_out in faces("test")
    assert held_out.kind == "hand"


def test_office_faces_come_up_more_often_than_ornamental_ones() -> None:
    weights = {each.family: each.weight for each in ALL}
    assert min(weights[name] for name in ("Liberation Sans", "Carlito", "Liberation Serif")) > max(
        each.weight for each in ALL if each.kind == "display"
    )


def test_too_few_families_say_where_the_packages_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^0 of \d+ font families .*tools/fonts\.txt"):
        faces("train", (tmp_path,))


def test_a_family_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'Nobody Sans' is not installed"):
        face("Nobody Sans")


def test_the_bold_cut_where_there_is_one() -> None:
    heavy, plain = face("Carlito"), next(each for each in ALL if each.bold is None)
    assert heavy.cut(bold=True) == heavy.bold != heavy.file
    assert heavy.cut(bold=False) == heavy.file
    assert plain.cut(bold=True) == plain.file


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.family)
def test_capitals_and_small_letters_can_be_told_apart(each: Face) -> None:
    for file in {each.file, each.cut(bold=True)}:
        assert printable(file) >= set("ABEGRabegr0123456789 .")
        for small in "abdeghmnqrt":
            assert glyph(file, small) != glyph(file, small.upper()), (file.name, small)


def test_what_a_face_lacks_is_not_printable() -> None:
    assert "✓" not in printable(face("Carlito").file)
    assert printable(face("DejaVu Sans").file) == {" ", *LETTERS}


@pytest.mark.parametrize("family", ["Carlito", "Karla", "Dosis", "OSP DIN", "Junkyard", HELD_OUT_HAND])
def test_no_printable_letter_looks_like_the_box_for_missing_ones_or_like_another(family: str) -> None:
    file = face(family).file
    odd = [letter for letter in printable(file) if not letter.isascii()]
    pictures = {letter: glyph(file, letter) for letter in (*odd, "\uffff", *"abcoO.-'")}
    assert not [pair for pair in combinations(pictures, 2) if pictures[pair[0]] == pictures[pair[1]]]
    assert all(any(picture[0]) for letter, picture in pictures.items() if letter != "\uffff")
