"""From what was read and remembered to feature rows: pure functions, right on made documents and steady on all."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from feature_servers import a_document, a_memory, a_reading
from hypothesis import given
from hypothesis import strategies as st

from pocai.documents.page import Box, Document, Line, Page, Quad
from pocai.errors import FeatureStoreError
from pocai.feature_store.feature_table import EMBEDDING, VIEWS
from pocai.feature_store.features import (
    LONGEST,
    Subject,
    document_features,
    document_rows,
    language,
    memory_of,
    ocr_features,
    school_row,
)
from pocai.feature_store.layout_vector import layout_score, layout_vector
from pocai.models.protocols import OCRResult
from pocai.timetable.school import SchoolMemory

NOW = datetime(2026, 9, 7, 8, 30, tzinfo=UTC)
TEXTS = st.text(min_size=1, max_size=12)
MINUTES = st.integers(0, 24 * 60 - 1)
COUNTS = st.integers(1, 10**6)
MEMORIES = st.builds(
    SchoolMemory,
    documents=st.integers(0, 10**6),
    corrected=st.integers(0, 10**6),
    periods=st.dictionaries(st.tuples(MINUTES, MINUTES), COUNTS, max_size=8),
    names=st.dictionaries(TEXTS, COUNTS, max_size=8),
    notes=st.dictionaries(TEXTS, COUNTS, max_size=8),
    cycle=st.integers(0, 14),
    fields=st.integers(0, 10**6),
    changed=st.integers(0, 10**6),
    adapter=st.none() | TEXTS,
    updated=st.just(NOW),
)


def page(*lines: str, **changes: object) -> Page:
    made = tuple(
        Line(text, Quad.of(Box(10, 20 * place, 10 + 6 * len(text), 20 * place + 12)), source="pdf")
        for place, text in enumerate(lines)
    )
    return replace(Page(0, 400, 300, made, unit="pt"), **changes)  # type: ignore[arg-type]


def document(*pages: Page) -> Document:
    return Document(pages, "pdf", "0" * 64)


@given(MEMORIES)
def test_a_memory_comes_back_from_its_row(memory: SchoolMemory) -> None:
    row = school_row("A", memory)
    assert tuple(row.values) == VIEWS["school"].names
    assert memory_of(row) == memory
    assert list(memory_of(row).names) == list(memory.names), "in the same order"


def test_a_school_has_its_habits_in_its_row() -> None:
    memory = SchoolMemory(
        documents=2,
        periods={(540, 585): 30, (780, 825): 10},
        names={"Maths": 3, "Übung": 1},
        cycle=5,
        fields=40,
        changed=10,
        updated=NOW,
    )
    values = school_row("A", memory).values
    assert (values["day_start"], values["day_end"]) == (540, 825)
    assert values["afternoon"] == 0.25
    assert values["correction_rate"] == 0.25
    assert values["period_starts"] == [540, 780]
    assert values["period_ends"] == [585, 825]
    assert values["period_counts"] == [30, 10]
    assert values["names"] == '{"Maths":3,"Übung":1}'
    none = school_row("A", SchoolMemory(updated=NOW)).values
    assert [none[name] for name in ("afternoon", "correction_rate", "day_start", "day_end")] == [None] * 4


def test_a_memory_of_nothing_and_a_damaged_row_are_refused() -> None:
    with pytest.raises(FeatureStoreError, match="holds nothing"):
        school_row("A", SchoolMemory())
    row = school_row("A", a_memory(1, NOW))
    for name, value in (("names", "{"), ("period_ends", [1])):
        with pytest.raises(FeatureStoreError, match="damaged"):
            memory_of(replace(row, values={**row.values, name: value}))


@pytest.mark.parametrize("key", ["", "a\nb", "a\x7f", "x" * 201])
def test_what_cannot_be_a_key_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(FeatureStoreError, match=f"of {len(key)} characters") as caught:
        school_row(key, a_memory(1, NOW))
    assert not key or key not in str(caught.value)
    with pytest.raises(FeatureStoreError, match="cannot be a key"):
        document_rows(Subject("d", NOW, key), a_document(1))


def test_the_rows_of_a_document_have_all_features_in_order() -> None:
    ocr, about = document_rows(Subject("d", NOW, "A"), a_document(1), confidence=0.5)
    assert (ocr.view, about.view) == ("ocr", "document")
    assert ocr.key == about.key == {"document": "d"}
    for row in (ocr, about):
        assert tuple(row.values) == VIEWS[row.view].names
        assert row.at == NOW
    assert (about.values["school"], about.values["confidence"]) == ("A", 0.5)
    assert document_rows(Subject("d", NOW), a_document(1))[1].values["school"] is None


def test_what_was_read_is_counted() -> None:
    values = ocr_features(document(page("Maths  with\tMs Hill", "9.00 – 9.45", "at 10:15"), page("Lunch")), [])
    assert values["text"] == "Maths with Ms Hill 9.00 – 9.45 at 10:15 Lunch"
    assert values["words"] == 10
    assert values["times"] == 2
    assert values["confidence"] is None
    assert values["source"] == "native"
    assert values["orientation"] == 0


def test_the_confidence_is_that_of_the_reader() -> None:
    made = a_document(1)
    assert ocr_features(made, [a_reading(made, 0.75)])["confidence"] == pytest.approx(0.75)
    assert ocr_features(made, [OCRResult.of([], "small")])["confidence"] is None


def test_an_empty_document_has_rows_too() -> None:
    for empty in (document(), document(page())):
        values = ocr_features(empty, [])
        assert (values["text"], values["words"], values["source"], values["layout_score"]) == ("", 0, "none", None)
        about = document_features(empty)
        assert about["pages"] == len(empty.pages)
        assert about["language"] is about["sharpness"] is about["resolution"] is None


def test_sources_of_text_are_told() -> None:
    native, read = page("Maths").lines[0], replace(page("Art").lines[0], source="ocr", confidence=0.9)
    for lines, source in (((native,), "native"), ((read,), "ocr"), ((native, read), "mixed"), ((), "none")):
        assert ocr_features(document(page(lines=lines)), [])["source"] == source


def test_a_very_long_text_is_cut() -> None:
    values = ocr_features(document(page("word " * (LONGEST // 4))), [])
    assert len(values["text"]) == LONGEST


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (["Monday", "Tuesday 3B"], "en"),
        (["Montag", "Dienstag", "Maths"], "de"),
        (["lundi", "mardi"], "fr"),
        (["Maths", "Art"], None),
        ([], None),
    ],
)
def test_the_language_is_that_of_the_days(texts: list[str], code: str | None) -> None:
    assert language(document(page(*texts))) == code


@pytest.mark.parametrize("turned", [0, 3, -7, 90, 92, 180, 176, 270, 265])
def test_how_the_page_lay_is_told(turned: int) -> None:
    """``to_source`` leads from the straight page to the uploaded one, which was turned clockwise."""
    angle = math.radians(turned)
    matrix = (math.cos(angle), -math.sin(angle), 30.0, math.sin(angle), math.cos(angle), 40.0, 0.0, 0.0, 1.0)
    made = document(page("Maths", to_source=matrix))
    quarter = ocr_features(made, [])["orientation"]
    skew = document_features(made)["skew"]
    assert quarter == round(turned / 90) % 4 * 90
    assert skew == pytest.approx(turned - round(turned / 90) * 90, abs=1e-3)


def test_a_blurred_picture_is_less_sharp() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    sharp, blurred = (
        document_features(document(page("Maths", image=image, unit="px")))["sharpness"]
        for image in (noise, cv2.GaussianBlur(noise, (9, 9), 3))
    )
    assert sharp > 10 * blurred > 0
    flat = np.full((60, 80, 3), 200, np.uint8)
    assert document_features(document(page("Maths", image=flat, unit="px")))["sharpness"] == 0


def test_the_resolution_is_the_height_of_lines_on_pictures() -> None:
    assert document_features(document(page("Maths", "Art", unit="px")))["resolution"] == 12
    assert document_features(document(page("Maths", "Art")))["resolution"] is None


def test_lines_in_columns_are_counted() -> None:
    assert layout_score(page()) is None
    assert layout_score(page("a", "b", "c")) == 1
    assert layout_score(page("a", "b")) == 0
    aside = Line("x", Quad.of(Box(333, 0, 339, 12)), source="pdf")
    assert layout_score(page("a", "b", "c", lines=(*page("a", "b", "c").lines, aside))) == 0.75


BOXES = st.tuples(st.floats(0, 350), st.floats(0, 280), st.floats(1, 50), st.floats(1, 20))


@given(st.lists(BOXES, max_size=12), st.floats(0.1, 20))
def test_the_vector_of_a_layout_does_not_depend_on_scale(
    boxes: list[tuple[float, float, float, float]], scale: float
) -> None:
    def made(by: float) -> Page:
        lines = tuple(
            Line("x", Quad.of(Box(by * x, by * y, by * (x + wide), by * (y + high))), source="pdf")
            for x, y, wide, high in boxes
        )
        return Page(0, 400 * by, 300 * by, lines, unit="pt")

    vector = layout_vector(made(1))
    assert len(vector) == EMBEDDING
    assert all(math.isfinite(figure) and -0.01 <= figure <= 3 for figure in vector)
    assert vector == tuple(float(np.float32(figure)) for figure in vector), "as it is kept"
    # the shape of a line may lie on a bound that the scale's rounding crosses: figures 17 to 20
    far = [
        abs(one - other)
        for place, (one, other) in enumerate(zip(vector, layout_vector(made(scale)), strict=True))
        if not 16 <= place < 20
    ]
    assert max(far) < 1e-4


def test_words_do_not_change_the_vector_and_places_do() -> None:
    one, other = page("Maths", "Music"), page("PE 3B", "Drama")
    assert layout_vector(one) == layout_vector(other)
    moved = page(lines=tuple(replace(line, quad=Quad.of(Box(300, 200, 330, 212))) for line in one.lines))
    assert layout_vector(one) != layout_vector(moved)


@pytest.mark.parametrize("number", range(3))
def test_pages_of_one_template_are_closer_than_others(number: int) -> None:
    same = [np.array(layout_vector(a_document(each).pages[0])) for each in (number, number + 1)]
    other = np.array(layout_vector(page(*[f"line {each}" for each in range(12)])))
    assert np.linalg.norm(same[0] - same[1]) < 0.5 * np.linalg.norm(same[0] - other)
