"""Made lines: the same for the same number, in the faces of their split, and saying what their label says."""

from __future__ import annotations

import pickle
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import ConfigurationError
from pocai.models.ctc import LETTERS
from pocai.models.line_image import line_image
from pocai.models.ppocr_recognizer import PPOCRRecognizer
from pocai.synthetic.damage import KINDS
from pocai.synthetic.fonts import HELD_OUT_HAND, Split, faces
from pocai.synthetic.lines import LineSample, LineSource
from pocai.synthetic.texts import LONGEST, line_text, marked_text, rare_text, time_of_day
from pocai.synthetic.vocabulary import LANGUAGES, Language

MIXED = [LineSource(20, "train").line(index) for index in range(400)]


def same(one: LineSample, other: LineSample) -> bool:
    return np.array_equal(one.image, other.image) and one.text == other.text and one.damage == other.damage


def test_a_line_follows_from_its_number_alone() -> None:
    again = pickle.loads(pickle.dumps(LineSource(20, "train")))
    for index in (399, 7, 0, 7):
        assert same(again.line(index), MIXED[index])


def test_another_seed_split_or_number_is_another_line() -> None:
    texts = [
        [source.text(index) for index in range(start, start + 40)]
        for source, start in (
            (LineSource(1, "train"), 0),
            (LineSource(2, "train"), 0),
            (LineSource(1, "test"), 0),
            (LineSource(1, "train"), 40),
        )
    ]
    for number, one in enumerate(texts):
        for other in texts[number + 1 :]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) < 5


def test_damage_has_no_part_in_the_text() -> None:
    for index in range(20):
        clean, heavy = (LineSource(20, "train", damage).line(index) for damage in ("clean", "heavy"))
        assert clean.text == heavy.text == MIXED[index].text == LineSource(20, "train").text(index)
        assert clean.image.shape == heavy.image.shape
        assert clean.damage == "clean"
        assert set(heavy.damage.split(",")) <= set(KINDS)


def test_a_third_of_mixed_lines_is_clean_and_every_damage_occurs() -> None:
    counts = Counter(name for line in MIXED for name in line.damage.split(","))
    assert 0.25 < counts["clean"] / len(MIXED) < 0.45
    assert set(counts) == {"clean", *KINDS}


def test_pictures_are_crops_of_lines() -> None:
    heights = [line.image.shape[0] for line in MIXED]
    for line in MIXED:
        assert line.image.dtype == np.uint8
        assert line.image.shape[2] == 3
        assert 8 <= line.image.shape[0] <= 120
        assert np.ptp(line_image(line.image)) > 100
    assert 14 < np.median(heights) < 30


def test_labels_hold_letters_of_the_alphabet_and_single_spaces() -> None:
    for line in MIXED:
        assert line.text == " ".join(line.text.split())
        assert 1 <= len(line.text) <= LONGEST + 10
        assert set(line.text) <= {" ", *LETTERS}


@pytest.mark.parametrize("split", ["train", "test"])
def test_lines_are_set_in_faces_of_their_split(split: Split) -> None:
    used = Counter(LineSource(3, split, "clean").line(index).face for index in range(300))
    assert set(used) <= {face.family for face in faces(split)}
    assert len(used) > 15


def test_one_handwriting_alone() -> None:
    source = LineSource(3, "test", "clean", (HELD_OUT_HAND,))
    assert {source.line(index).face for index in range(10)} == {HELD_OUT_HAND}


def test_a_family_of_the_other_split_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is among the train faces"):
        LineSource(3, "train", families=(HELD_OUT_HAND,)).line(0)


def test_every_letter_comes_up_regularly() -> None:
    source = LineSource(9, "train")
    counts = Counter(letter for index in range(50_000) for letter in set(source.text(index)))
    assert {letter: counts[letter] for letter in LETTERS if counts[letter] < 20} == {}


def test_times_come_up_in_many_notations() -> None:
    texts = " | ".join(line_text(np.random.default_rng((4, index)), LANGUAGES[index % 6]) for index in range(6000))
    for notation in (
        r"\b\d:\d\d\b",
        r"\b\d\d:\d\d-\d\d:\d\d\b",
        r"\b\d\.\d\d – \d",
        r"\b\d\dh\d\d\b",
        r"\d[ap]m\b",
        r"\d\d a\.m\.",
        r"(?i)\b\d{1,2}[-–]\d{1,2} ?[ap]m\b",
        r"\d\d bis \d",
    ):
        assert len(re.findall(notation, texts)) > 3, notation


@given(seed=st.integers(0, 2**32), language=st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_any_text_is_tidy(seed: int, language: Language) -> None:
    text = line_text(np.random.default_rng(seed), language)
    assert text == " ".join(text.split())
    assert 1 <= len(text) <= LONGEST


@given(seed=st.integers(0, 2**32), letters=st.sets(st.sampled_from(LETTERS), min_size=1))
@settings(deadline=None)
def test_rare_strings_are_tidy_for_any_letters(seed: int, letters: set[str]) -> None:
    text = rare_text(np.random.default_rng(seed), frozenset(letters), "de")
    assert text == " ".join(text.split())
    assert 1 <= len(text) <= LONGEST


@given(seed=st.integers(0, 2**32), text=st.sampled_from(["Sport", "a" * LONGEST, "9:15 - 10:00"]))
@settings(deadline=None)
def test_a_mark_stands_by_the_text(seed: int, text: str) -> None:
    marked = marked_text(np.random.default_rng(seed), text, "✓★")
    assert set(marked) & set("✓★")
    assert 1 <= len(marked) <= LONGEST


@given(seed=st.integers(0, 2**32), minutes=st.integers(0, 24 * 60 - 1), language=st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_a_written_time_holds_its_hour_and_minute(seed: int, minutes: int, language: Language) -> None:
    written = time_of_day(np.random.default_rng(seed), language)(minutes)
    digits = re.sub(r"\D", "", written)
    hour, minute = divmod(minutes, 60)
    assert digits in {f"{h:{pad}}{m}" for h in {hour, hour - 12} for pad in ("d", "02d") for m in (f"{minute:02d}", "")}
    assert digits.endswith(f"{minute:02d}") or minute == 0


def test_the_label_is_what_another_reader_sees() -> None:
    source = LineSource(31, "train", "clean", ("Liberation Sans", "Carlito", "DejaVu Sans", "Liberation Serif"))
    lines = [line for line in (source.line(index) for index in range(80)) if line.image.shape[0] >= 16]
    common = [line for line in lines if line.text.isascii() and any(letter.isalnum() for letter in line.text)]
    read = PPOCRRecognizer(1).recognize([line.image for line in common])
    right = sum(a.text.replace(" ", "") == b.text.replace(" ", "") for a, b in zip(common, read, strict=True))
    assert len(common) > 30
    assert right / len(common) > 0.85
