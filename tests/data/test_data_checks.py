"""Checks of labelled lines: each kind of trouble is found, named and explained, and good lines pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_lines import Picture, listed, picture

from pocai.errors import InputError
from pocai.models.ctc import LETTERS
from pocai.models.line_image import line_image
from pocai.training import line_facts
from pocai.training.checks import FEW, check_lines
from pocai.training.data_report import SHOWN, DataReport
from pocai.training.datasets import GivenLines, Sample, read_line_folder

TRAIN = [f"Lesson {number} in Room {number * 7}" for number in range(FEW)]
VALIDATION = [f"Room {number}" for number in range(5)]


def lines(texts: list[str], prefix: str) -> list[tuple[str, Sample]]:
    return [(f"{prefix}{number}", Sample(picture(text), text)) for number, text in enumerate(texts)]


def given_lines(named: list[tuple[str, Sample]]) -> GivenLines:
    return GivenLines([sample for _, sample in named], [name for name, _ in named])


def report_with(
    train: Mapping[str, Sample] | None = None, validation: Mapping[str, Sample] | None = None
) -> DataReport:
    """The report on good lines and these."""
    return check_lines(
        given_lines([*lines(TRAIN, "t"), *(train or {}).items()]),
        given_lines([*lines(VALIDATION, "v"), *(validation or {}).items()]),
    )


def found(report: DataReport) -> dict[str, tuple[str, ...]]:
    return {f"{problem.severity}: {problem.what}": problem.places for problem in report.problems}


def test_good_lines_pass() -> None:
    report = report_with()
    assert report.problems == ()
    report.raise_if_bad()
    assert (report.train, report.validation) == (50, 5)
    assert report.letters["L"] == 50
    assert "Z" in report.unseen
    assert "L" not in report.unseen
    assert report.heights.least <= report.heights.median <= report.heights.greatest
    assert str(report.lengths) == "18 to 21, middle 21"


NO_INK = np.full((40, 300, 3), 250, np.uint8)
NOISE = np.random.default_rng(1).normal(235, 4, (40, 300, 3)).clip(0, 255).astype(np.uint8)
FOREIGN = "error: letters that the network does not know"
UNPRINTED = "error: label with characters that print nothing"
CROWDED = "error: label with more letters than its picture has room for"
SPACES = "warning: label with a space at an end, or several in a row"
SINGLE = [
    (picture("Art"), "", "error: empty label", "bad"),
    (picture("Art"), "  ", "error: empty label", "bad"),
    (picture("Art"), "Αrt", FOREIGN, "bad: U+0391 GREEK CAPITAL LETTER ALPHA"),
    (picture("Art"), "A\u00a0r\u00a0т", FOREIGN, "bad: U+00A0 NO-BREAK SPACE, U+0442 CYRILLIC SMALL LETTER TE"),
    (picture("Art"), "A\tt", UNPRINTED, "bad: U+0009"),
    (picture("Art"), "A\u200brt\n", UNPRINTED, "bad: U+200B ZERO WIDTH SPACE, U+000A"),
    (NO_INK, "Art", "error: picture without ink", "bad"),
    (NOISE, "Art", "error: picture without ink", "bad"),
    (picture("Art")[:7, :20], "Art", "error: picture less than 8 pixels high", "bad: 7 pixels"),
    (picture("Art"), "Art and crafts in the large hall", CROWDED, "bad: 32 letters, 80 pixels"),
    (picture("lll")[:, :16], "llll", CROWDED, "bad: 4 letters, 22 pixels"),
    (np.rot90(picture("Assembly")).copy(), "Assembly", CROWDED, "bad: 8 letters, 13 pixels"),
    (
        picture("Art"),
        "Art in the large h",
        "warning: label that is long for the width of its picture",
        "bad: 18 letters, 80 pixels",
    ),
    (
        picture("Art and crafts in the large hall"),
        "Art",
        "warning: label that is short for the width of its picture",
        "bad: 3 letters, 541 pixels",
    ),
    (picture("Art"), " Art", SPACES, "bad"),
    (picture("Art"), "Art ", SPACES, "bad"),
    (picture("Art 1"), "Art  1", SPACES, "bad"),
]


@pytest.mark.parametrize(("image", "text", "problem", "place"), SINGLE)
def test_a_bad_line_is_found(image: Picture, text: str, problem: str, place: str) -> None:
    report = report_with({"bad": Sample(image, text)})
    assert found(report) == {problem: (place,)}
    if problem.startswith("error"):
        with pytest.raises(InputError, match=f"1 × {problem.removeprefix('error: ')}"):
            report.raise_if_bad()
    else:
        report.raise_if_bad()


def test_a_dot_on_a_wide_picture_is_ink() -> None:
    dot = NO_INK.copy()
    dot[20:23, 100:103] = 0
    assert "error: picture without ink" not in found(report_with({"dot": Sample(dot, ".")}))


def test_an_alphabet_of_ones_own_may_be_named() -> None:
    train, validation = given_lines(lines(TRAIN, "t")), given_lines(lines(VALIDATION, "v"))
    report = check_lines(train, validation, LETTERS.replace("L", ""))
    assert found(report) == {FOREIGN: tuple(f"t{number}: U+004C LATIN CAPITAL LETTER L" for number in range(FEW))}


def test_the_same_picture_with_different_labels_is_found_on_and_across_sides() -> None:
    image = picture("Physics")
    report = report_with({"a": Sample(image, "Physics"), "b": Sample(image, "Physik")}, {"c": Sample(image, "Physiks")})
    assert found(report)["error: same picture with different labels"] == ("a, b, c",)


def test_pictures_on_both_sides_are_an_error_and_copies_on_one_side_a_warning() -> None:
    image = picture("Physics")
    sample = Sample(image, "Physics")
    assert found(report_with({"a": sample}, {"c": sample})) == {
        "error: picture to validate on that is trained on as well": ("c",)
    }
    assert found(report_with({"a": sample, "b": sample})) == {"warning: same picture several times": ("a, b",)}


def compressed(image: Picture) -> Picture:
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def scaled(image: Picture) -> Picture:
    return np.asarray(cv2.resize(image, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA), np.uint8)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "compressed": compressed,
    "scaled": scaled,
    "darker": lambda image: (image * 0.6 + 30).astype(np.uint8),
    "inverted": lambda image: 255 - image,
}
ALIKE = "warning: line to validate on that looks like one that is trained on"


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("text", ["Physics", "9:15 - 10:05", "Übung am Freitag, Raum 12"])
def test_a_changed_copy_on_the_other_side_is_found(text: str, copy: str) -> None:
    image = picture(text)
    report = report_with({"a": Sample(image, text)}, {"c": Sample(COPIES[copy](image), text)})
    assert found(report)[ALIKE] == ("c",)
    report.raise_if_bad()


def test_other_texts_and_other_cuts_are_no_copies() -> None:
    image = picture("Science 1")
    others = {
        "other text": Sample(picture("Science 2"), "Science 2"),
        "other cut": Sample(picture("Science 1", pad=16), "Science 1"),
    }
    assert ALIKE not in found(report_with({"a": Sample(image, "Science 1")}, others))


def test_letters_that_are_asked_but_never_taught_are_named() -> None:
    report = report_with(validation={"q": Sample(picture("Quiz"), "Quiz")})
    untaught = found(report)["warning: letter to validate on that no line to train on has"]
    assert "U+0051 LATIN CAPITAL LETTER Q: 1 ×" in untaught
    assert "Q" in report.unseen


def test_without_lines_there_is_nothing_to_train_on() -> None:
    none = GivenLines([], [])
    report = check_lines(none, none)
    assert sorted(found(report)) == ["error: no line to train on", "error: no line to validate on"]
    assert "0 lines to train on" in str(report)
    few = check_lines(given_lines(lines(["Art"], "t")), given_lines(lines(["art"], "v")))
    assert "warning: only 1 lines to train on" in found(few)


def folder_report(folder: Path) -> DataReport:
    read = read_line_folder(folder)
    return check_lines(read.train, read.validation, faults=read.faults)


def test_what_was_left_out_of_a_folder_is_a_warning_and_much_of_it_an_error(tmp_path: Path) -> None:
    listed(tmp_path, {f"{number}.png": text for number, text in enumerate(TRAIN)})
    (tmp_path / "3.png").write_bytes(b"broken")
    (tmp_path / "4.png").unlink()
    (tmp_path / "unlabelled.png").write_bytes((tmp_path / "5.png").read_bytes())
    report = folder_report(tmp_path)
    assert report.errors == ()
    places = {problem.what: problem.places for problem in report.warnings}
    assert places["label without a picture (left out)"] == ("labels.tsv:5",)
    assert places["picture without a label (left out)"] == ("unlabelled.png",)
    unreadable = "picture that cannot be read (left out)"
    assert places[unreadable] == ("3.png: The file is plain text",)
    for number in range(10, 16):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    assert [problem.what for problem in folder_report(tmp_path).errors] == ["16% of the labelled lines cannot be used"]


def test_pictures_that_go_after_they_were_read_are_named(tmp_path: Path) -> None:
    read = read_line_folder(listed(tmp_path, {f"{number}.png": text for number, text in enumerate(TRAIN)}))
    name = read.train.name(0)
    (tmp_path / name).unlink()
    places = found(check_lines(read.train, read.validation))["warning: picture that cannot be read (left out)"]
    assert places == (f"{name}: The file cannot be opened (No such file or directory)",)


def test_a_report_is_short_says_how_to_mend_and_shows_no_label() -> None:
    secret = {
        f"bad{number}": Sample(picture(f"Ms Samplename {number}"), f"Ms Samplename {number} Ω") for number in range(99)
    }
    text = str(report_with(secret))
    assert text.startswith(
        "ERROR: 99 × letters that the network does not know\n    bad0: U+03A9 GREEK CAPITAL LETTER OMEGA\n"
    )
    assert text.count("bad") == SHOWN
    assert f"    and {99 - SHOWN} more\n    → Replace them" in text
    assert "Samplename" not in text
    assert "149 lines to train on, 5 to validate on" in text


def test_errors_come_before_warnings() -> None:
    report = report_with({"a": Sample(picture("Art"), "Art "), "b": Sample(picture("Art"), "")})
    severities = [problem.severity for problem in report.problems]
    assert severities == sorted(severities)
    assert {"error", "warning"} == set(severities)


def test_room_for_letters_is_counted_in_the_steps_of_the_student() -> None:
    from pocai.models.student_network import STEP

    assert line_facts.STEP == STEP


@given(st.integers(0, 2**32), st.integers(8, 80), st.integers(8, 500))
def test_a_fingerprint_does_not_change_with_polarity(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    bits = line_facts.fingerprint(line_image(image))
    assert len(bits) == 32
    assert line_facts.look_alike(bits, [bits])
    assert not line_facts.look_alike(bits, [bytes(255 - byte for byte in bits)])
    assert not line_facts.look_alike(bits, [])
