"""Damage: pictures keep their size, points of pages are followed, choices follow from the seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.synthetic.bending import Bending
from pocai.synthetic.damage import KINDS, Kind, damage_line, damage_page
from pocai.synthetic.lines import LineSource

Picture = NDArray[np.uint8]
kinds = st.sampled_from(KINDS)
sizes = st.tuples(st.integers(8, 90), st.integers(4, 300))


def sheet(height: int, width: int, seed: int = 0) -> Picture:
    """Paper of some colour with dark bars."""
    rng = np.random.default_rng(seed)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = rng.integers(120, 256, 3)
    for left in range(2, width, 7):
        picture[height // 4 : height - height // 4, left : left + 2] = rng.integers(0, 60, 3)
    return picture


@given(kind=kinds, strength=st.floats(0, 1), size=sizes, seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_page_keeps_its_size_and_is_left_alone(kind: Kind, strength: float, size: tuple[int, int], seed: int) -> None:
    page = sheet(*size, seed=seed)
    before = page.copy()
    damaged, bending = damage_page(page, np.random.default_rng(seed), kind, strength, unit=20.0)
    assert damaged.shape == page.shape
    assert damaged.dtype == np.uint8
    assert isinstance(bending, Bending)
    assert np.array_equal(page, before)


@given(heavy=st.booleans(), size=sizes, seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_line_keeps_its_size_and_is_left_alone(heavy: bool, size: tuple[int, int], seed: int) -> None:
    line = sheet(*size, seed=seed)
    before = line.copy()
    damaged, names = damage_line(line, np.random.default_rng(seed), heavy=heavy)
    assert damaged.shape == line.shape
    assert damaged.dtype == np.uint8
    assert np.array_equal(line, before)
    assert set(names) <= set(KINDS)
    assert not heavy or names
    assert names or np.array_equal(damaged, line)


def test_the_seed_decides_everything() -> None:
    page = sheet(200, 300)
    for kind in KINDS:
        first, again = (damage_page(page, np.random.default_rng(3), kind, 0.8, 24.0) for _ in range(2))
        other = damage_page(page, np.random.default_rng(4), kind, 0.8, 24.0)
        assert np.array_equal(first[0], again[0])
        assert first[1] == again[1]
        assert not np.array_equal(first[0], other[0]), kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_the_picture_and_more_so_when_strong(kind: Kind) -> None:
    page = sheet(120, 160)

    def change(strength: float) -> float:
        found = []
        for seed in range(8):
            damaged, bending = damage_page(page, np.random.default_rng(seed), kind, strength, unit=30.0)
            found.append(np.abs(damaged.astype(float) - bending.of(page)).mean())
        return float(np.mean(found))

    weak, strong = change(0.05), change(1.0)
    assert strong > 0
    assert strong >= weak


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_marks_on_a_page_are_where_the_bending_says(kind: Kind, seed: int) -> None:
    page = np.full((350, 450, 3), 245, np.uint8)
    marks = np.array([(x, y) for x in (50, 220, 400) for y in (45, 180, 310)], float)
    for x, y in marks.astype(int):
        cv2.circle(page, (int(x), int(y)), 7, (10, 10, 10), -1)
    strength = 0.4 + 0.2 * seed
    damaged, bending = damage_page(page, np.random.default_rng(seed), kind, min(1.0, strength), unit=24.0)
    for x, y in bending.moved(marks):
        left, top = round(x) - 16, round(y) - 16
        part = damaged[top : top + 33, left : left + 33].mean(axis=2)
        ink = np.clip(np.median(part) - part - 40, 0, None)
        rows, columns = np.nonzero(ink)
        assert len(rows) > 40, "the mark is not there"
        weights = ink[rows, columns]
        found = np.average(columns, weights=weights) + left, np.average(rows, weights=weights) + top
        assert np.hypot(found[0] - x, found[1] - y) < (4.0 if kind == "pen" else 2.0)


def test_a_photo_bends_and_a_scan_turns() -> None:
    rng = np.random.default_rng(0)
    page = sheet(300, 400)
    tilted = damage_page(page, rng, "photo", 1.0)[1]
    assert tilted.matrix[6:8] != (0.0, 0.0)
    turned = damage_page(page, rng, "scanner", 1.0)[1]
    assert turned.matrix[6:8] == (0.0, 0.0)
    assert turned.matrix[1] != 0
    assert damage_page(page, rng, "jpeg", 1.0)[1] == Bending()


@given(tilt=st.floats(0, 0.1), curl=st.floats(0, 20), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_the_corners_of_a_sheet_stay_in_the_picture(tilt: float, curl: float, seed: int) -> None:
    bending = Bending.drawn(np.random.default_rng(seed), (400, 300), tilt, curl)
    corners = bending.moved(np.array([(0.0, 0.0), (399.0, 0.0), (399.0, 299.0), (0.0, 299.0)]))
    assert (corners > -curl - 1).all()
    assert (corners < np.array([400.0, 300.0]) + curl + 1).all()


def test_heavily_damaged_lines_still_show_ink() -> None:
    source = LineSource(5, "train", "heavy")
    for index in range(150):
        image = source.line(index).image.astype(float)
        spread = max(np.ptp(np.percentile(image[:, :, channel], (1, 99))) for channel in range(3))
        assert spread > 18, index
