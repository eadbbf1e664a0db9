"""Corrected timetables tell what the lines of a page are: on made pages, and on pages drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pocai.documents.page import Box, Line, Page, Quad
from pocai.evaluation.timetables import Json
from pocai.synthetic.compose import compose
from pocai.training.document_model.labelled_documents import corrected
from pocai.training.document_model.labelled_pages import LabelledPage, labelled_page
from pocai.training.document_model.made_pages import Truth, made_pages
from pocai.training.document_model.page_variants import marked, plain, texts_by_role, variant

FAMILIES = ("days_across", "days_down", "agenda", "bands", "app", "times_inside")
ALIKE = ({"event", "break"}, {"time", "period"})  # roles that a correction does not tell apart


def line(text: str, left: float, top: float, wide: float = 60) -> Line:
    return Line(text, Quad.of(Box(left, top, left + wide, top + 10)), source="pdf", size=10)


def block(day: str, name: str, start: str, end: str, **more: object) -> Json:
    return {"day": day, "name": name, "startTime": start, "endTime": end, **more}


def grid() -> Page:
    """Two days across, two lessons down; each name twice."""
    lines = [line("Monday", 100, 20), line("Tuesday", 200, 20)]
    lines += [line("9.00 - 9.45", 10, 50), line("9.45 - 10.30", 10, 90)]
    lines += [line("Maths", 100, 50), line("Art", 200, 50), line("Room 3", 100, 62)]
    lines += [line("Art", 100, 90), line("Maths", 200, 90), line("Printed in May", 10, 200, 90)]
    return Page(0, 300, 220, tuple(lines))


BLOCKS = (
    block("Monday", "Maths", "09:00", "09:45", notes="Room 3"),
    block("Tuesday", "Art", "09:00", "09:45"),
    block("Monday", "Art", "09:45", "10:30"),
    block("Tuesday", "Maths", "09:45", "10:30"),
)


def truths(found: LabelledPage) -> dict[tuple[str, float], Truth]:
    lines = found.made.page.lines
    return {(each.text, each.box.left): truth for each, truth in zip(lines, found.made.truths, strict=True)}


def test_equal_names_have_the_place_of_their_day_and_time() -> None:
    found = labelled_page(grid(), [{"timeblocks": list(BLOCKS)}])
    said = truths(found)
    assert said["Maths", 100] == Truth("event", frozenset({(0, 0)}))
    assert said["Art", 200] == Truth("event", frozenset({(0, 1)}))
    assert said["Art", 100] == Truth("event", frozenset({(0, 2)}))
    assert said["Maths", 200] == Truth("event", frozenset({(0, 3)}))
    assert said["Room 3", 100] == Truth("note", frozenset({(0, 0)}))
    assert said["Monday", 100] == Truth("day", frozenset({(0, 0), (0, 2)}))
    assert said["9.45 - 10.30", 10] == Truth("time", frozenset({(0, 2), (0, 3)}))
    assert (found.found, found.wanted) == (4, 4)


def test_what_cannot_be_told_stays_unknown() -> None:
    page = grid().with_lines([*grid().lines, line("Wednesdayish", 150, 75)])
    found = labelled_page(page, [{"timeblocks": list(BLOCKS)}])
    assert not found.roles_known[-1]
    assert not found.blocks_known[-1], "a line among the events may belong to one of them"
    footer = next(number for number, each in enumerate(page.lines) if each.text == "Printed in May")
    assert found.blocks_known[footer], "a line below all events belongs to none"
    assert not found.made.truths[footer].blocks


def test_a_missing_name_is_not_invented() -> None:
    found = labelled_page(grid(), [{"timeblocks": [*BLOCKS, block("Monday", "Swimming", "11:00", "12:00")]}])
    assert (found.found, found.wanted) == (4, 5)
    assert not any((0, 4) in truth.blocks for truth in found.made.truths)


def test_marks_decide_where_everything_else_is_alike() -> None:
    lines = [line("Chess", 100, 50), line("Chess", 200, 50)]
    page = Page(0, 300, 100, tuple(lines))
    mark = {"name": {"page": 0, "box": [195.0, 45.0, 265.0, 65.0]}}
    blocks = [block("Monday", "Chess", "09:00", "10:00", fields=mark)]
    first, second = labelled_page(page, [{"timeblocks": blocks}]).made.truths
    assert (first.blocks, second.blocks) == (frozenset(), frozenset({(0, 0)}))


def test_misread_names_are_found() -> None:
    page = grid()
    read = [line(each.text.replace("Maths", "Math5"), each.box.left, each.box.top) for each in page.lines]
    assert labelled_page(page.with_lines(read), [{"timeblocks": list(BLOCKS)}]).found == 4


@pytest.fixture(scope="module")
def made() -> list[tuple[LabelledPage, tuple[Truth, ...]]]:
    """Pages of made documents with what their corrections tell, and their truth."""
    found = []
    for family in FAMILIES:
        drawing = compose(502, layouts=family)
        tables = [table.model_dump(by_alias=True, mode="json") for table in drawing.timetables]
        (page,) = made_pages(drawing, np.random.default_rng(1), plain=True)
        found.append((labelled_page(page.page, tables), page.truths))
    return found


def test_roles_are_those_of_the_truth(made: list[tuple[LabelledPage, tuple[Truth, ...]]]) -> None:
    told = right = lines = 0
    for found, truth in made:
        for known, one, other in zip(found.roles_known, found.made.truths, truth, strict=True):
            lines += 1
            told += known
            right += known and (one.role == other.role or {one.role, other.role} in ALIKE)
    assert told > 0.85 * lines
    assert right > 0.95 * told


def test_relations_are_those_of_the_truth(made: list[tuple[LabelledPage, tuple[Truth, ...]]]) -> None:
    hits = said = wanted = 0
    for found, truth in made:
        one, other = related(found.made.truths), related(truth)
        known = np.outer(found.blocks_known, found.blocks_known)
        hits, said, wanted = (
            hits + (one & other & known).sum(),
            said + (one & known).sum(),
            wanted + (other & known).sum(),
        )
    assert 2 * hits > 0.93 * (said + wanted)


def related(truth: Sequence[Truth]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.array([[bool(one.blocks & other.blocks) for other in truth] for one in truth])


def test_a_document_of_several_pages_has_each_timetable_on_its_page() -> None:
    other = Page(1, 300, 220, tuple(line(each.text.replace("Maths", "Latin"), *each.box[:2]) for each in grid().lines))
    latin = [{**each, "name": each["name"].replace("Maths", "Latin")} for each in BLOCKS]
    document = corrected("two", [grid(), other], [{"timeblocks": latin}, {"timeblocks": list(BLOCKS)}])
    assert document.found == 1
    for page, name in zip(document.pages, ("Maths", "Latin"), strict=True):
        said = {each.text: truth for each, truth in zip(page.made.page.lines, page.made.truths, strict=True)}
        assert len(said[name].blocks) == 1
    assert len(document.pages) == 2


def test_a_timetable_with_a_page_for_each_day_is_taken_apart() -> None:
    pages = []
    for number, day in enumerate(("Monday", "Tuesday")):
        lines = [line(day, 100, 20), line("9.00 - 9.45", 10, 50), line("Maths", 100, 50)]
        pages.append(Page(number, 300, 220, tuple(lines)))
    blocks = [block("Monday", "Maths", "09:00", "09:45"), block("Tuesday", "Maths", "09:00", "09:45")]
    document = corrected("days", pages, [{"timeblocks": blocks, "pages": [0, 1]}])
    assert [(page.found, page.wanted) for page in document.pages] == [(1, 1), (1, 1)]


def test_variants_keep_what_a_style_is() -> None:
    found = labelled_page(grid(), [{"timeblocks": list(BLOCKS)}])
    as_it_is = plain(found)
    assert as_it_is is not None
    assert len(as_it_is) == len(marked(found))
    texts = texts_by_role([found])
    assert texts["event"] == ["Art", "Maths"]
    variants = [variant(found, texts, np.random.default_rng(seed)) for seed in range(12)]
    assert all(page is not None and page.known is not None and page.related().any() for page in variants)
    assert len({page.letters.tobytes() for page in variants if page is not None}) > 1
    again = variant(found, texts, np.random.default_rng(3))
    assert again is not None
    assert variants[3] is not None
    assert np.array_equal(again.letters, variants[3].letters)
