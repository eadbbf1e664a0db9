"""Made documents: what is printed stays in its place, and the truth is what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

import pytest

from pocai.documents.page import Box, Document
from pocai.errors import ConfigurationError
from pocai.evaluation.timetables import score
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.synthetic.document import Drawing, Role, Sheet, Text
from pocai.synthetic.fonts import faces
from pocai.synthetic.layouts import FAMILIES, HELD_OUT
from pocai.synthetic.layouts.tracks import Group, Span, Tracks, heights, spread
from pocai.synthetic.painting import paint
from pocai.timetable.assemble import assemble
from pocai.timetable.timetable import TimeBlock

SEEDS = (11, 12, 20_008)  # the last one has classes of which only some name their periods
SLACK = 0.6  # points: half a pixel at 72 dpi
EASY = ("app", "bars", "split_cells", "times_inside", "university")
LEAST_SLOTS, BEST_BLOCKS = 0.7, 0.9  # F1: mean of days and times, best of whole blocks

every_family = pytest.mark.parametrize("family", sorted(FAMILIES))


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    try:
        faces("train")
    except ConfigurationError as error:
        pytest.skip(str(error))


@lru_cache(maxsize=128)
def drawn(family: str, seed: int) -> Drawing:
    return compose(seed, layouts=family)


def sheets(family: str) -> Iterator[Sheet]:
    for seed in SEEDS:
        yield from drawn(family, seed).sheets


def inside(inner: Box, outer: Box) -> bool:
    return (
        inner.left >= outer.left - SLACK
        and inner.top >= outer.top - SLACK
        and inner.right <= outer.right + SLACK
        and inner.bottom <= outer.bottom + SLACK
    )


def plain(text: str) -> str:
    """Without blanks (where lines break or letters are spaced) and the signs that part notes."""
    return "".join(letter for letter in text if letter not in " ·–")


def printed(drawing: Drawing, timetable: int, block: int, roles: tuple[Role, ...]) -> str:
    """What is printed of a block in some roles."""
    texts = (text for sheet in drawing.sheets for text in sheet.texts)
    return "".join(
        text.text for text in texts if text.timetable == timetable and block in text.blocks and text.role in roles
    )


def blocks(drawing: Drawing) -> Iterator[tuple[int, int, TimeBlock]]:
    for number, timetable in enumerate(drawing.timetables):
        for index, block in enumerate(timetable.timeblocks):
            yield number, index, block


@every_family
def test_what_is_printed_is_on_its_sheet(family: str) -> None:
    for sheet in sheets(family):
        paper = Box(0, 0, sheet.width, sheet.height)
        assert sheet.texts
        for group in (sheet.texts, sheet.fills, sheet.logos):
            assert all(inside(each.box, paper) for each in group)


@every_family
def test_no_text_runs_into_another(family: str) -> None:
    for sheet in sheets(family):
        by_top = sorted(sheet.texts, key=lambda text: text.box.top)
        for text, other in combinations(by_top, 2):
            common = text.box.intersection(other.box)
            assert common.width <= SLACK or common.height <= SLACK, (text.text, other.text)


@every_family
def test_the_texts_of_a_cell_stay_in_it(family: str) -> None:
    for sheet in sheets(family):
        on_sheet = set(sheet.texts)
        for grid in sheet.grids:
            for cell in grid.cells:
                assert all(inside(text.box, cell.box) and text in on_sheet for text in cell.texts)


@every_family
def test_the_cells_of_a_grid_lie_on_its_edges_and_apart(family: str) -> None:
    for sheet in sheets(family):
        for grid in sheet.grids:
            taken: set[tuple[int, int]] = set()
            for cell in grid.cells:
                last_row, last_column = cell.row + cell.row_span, cell.column + cell.column_span
                edges = (grid.columns[cell.column], grid.rows[cell.row], grid.columns[last_column], grid.rows[last_row])
                assert cell.box == pytest.approx(edges)
                own = {(r, c) for r in range(cell.row, last_row) for c in range(cell.column, last_column)}
                assert not own & taken
                taken |= own


@every_family
def test_every_block_is_printed_by_its_name_and_notes(family: str) -> None:
    for seed in SEEDS:
        drawing = drawn(family, seed)
        for number, index, block in blocks(drawing):
            assert plain(printed(drawing, number, index, ("event", "break"))) == plain(block.name)
            assert plain(printed(drawing, number, index, ("note",))) == plain(block.notes or "")


@every_family
def test_a_block_with_times_has_a_printed_time_or_a_key(family: str) -> None:
    for seed in SEEDS:
        drawing = drawn(family, seed)
        keyed = any(text.role == "key" for sheet in drawing.sheets for text in sheet.texts)
        for number, index, block in blocks(drawing):
            if block.start_time is not None and not keyed:
                assert printed(drawing, number, index, ("time",))


@every_family
def test_a_block_with_a_day_has_a_printed_day(family: str) -> None:
    for seed in SEEDS:
        drawing = drawn(family, seed)
        for number, index, block in blocks(drawing):
            assert bool(printed(drawing, number, index, ("day",))) == (block.day is not None)


@every_family
def test_the_title_is_printed_larger_than_anything_else(family: str) -> None:
    for seed in SEEDS:
        drawing = drawn(family, seed)
        texts = [text for sheet in drawing.sheets for text in sheet.texts]
        for number, timetable in enumerate(drawing.timetables):
            titles = [text for text in texts if text.role == "title" and text.timetable in (0, number)]
            if timetable.title is not None:
                assert any(plain(text.text) in plain(timetable.title) for text in titles)
                assert min(map(size, titles)) > max(size(text) for text in texts if text.role != "title")


def size(text: Text) -> float:
    return text.style.size


@every_family
def test_every_timetable_is_on_the_pages_that_it_names(family: str) -> None:
    for seed in SEEDS:
        drawing = drawn(family, seed)
        for number, timetable in enumerate(drawing.timetables):
            assert timetable.timeblocks
            on = {
                page
                for page, sheet in enumerate(drawing.sheets)
                if any(text.timetable == number and text.blocks for text in sheet.texts)
            }
            assert set(timetable.pages) == on


@every_family
def test_a_seed_makes_the_same_document_each_time(family: str) -> None:
    assert compose(SEEDS[0], layouts=family) == drawn(family, SEEDS[0])


@every_family
def test_seeds_make_different_documents(family: str) -> None:
    assert drawn(family, SEEDS[0]).sheets != drawn(family, SEEDS[1]).sheets


def test_faces_are_those_of_the_split() -> None:
    families = {split: {face.family for face in faces(split)} for split in ("train", "test")}
    for seed in SEEDS:
        for split, own in families.items():
            drawing = compose(seed, layouts="days_across", split=split)  # type: ignore[arg-type]  # one of the two
            assert {text.style.face for sheet in drawing.sheets for text in sheet.texts} <= own


def test_layouts_for_tests_are_kept_apart() -> None:
    assert len(FAMILIES) >= 14
    assert len(HELD_OUT) >= 3
    for seed in range(20, 32):
        assert compose(seed).layout not in HELD_OUT
    assert {compose(seed, layouts="test").layout for seed in range(20, 26)} <= HELD_OUT


def test_families_of_several_timetables_and_pages() -> None:
    assert all(len(drawn("two_weeks", seed).timetables) == 2 for seed in SEEDS)
    assert all(block.weeks for seed in SEEDS for *_, block in blocks(drawn("two_weeks", seed)))
    assert all(len(drawn("several_classes", seed).timetables) > 1 for seed in SEEDS)
    assert all(len(drawn("page_each", seed).sheets) > 1 for seed in SEEDS)


def test_vertical_families_print_turned_or_stacked_text() -> None:
    texts = [text for sheet in sheets("vertical_text") for text in sheet.texts]
    assert {text.angle for text in texts} > {0}


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="days_across"):
        compose(1, layouts="spiral")


@pytest.mark.parametrize("family", EASY)
def test_the_rules_read_much_of_easy_documents(family: str) -> None:
    """A low figure here mostly means that the truth is not what is printed."""
    figures = []
    for seed in range(100, 105):
        drawing = drawn(family, seed)
        pages = tuple(paint(drawing, number, 100).page(number) for number in range(len(drawing.sheets)))
        read = assemble(Document(pages, "png", "0" * 64), SchoolHours())
        figures.append(score(drawing.timetables, read).figures)
    assert sum(each.slot for each in figures) / len(figures) >= LEAST_SLOTS
    assert max(each.block for each in figures) >= BEST_BLOCKS


def test_sizes_fill_the_room_but_none_is_below_its_least() -> None:
    sizes = spread([10, 50, 5], [0.0, 1.0, 1.0], 100)
    assert sizes == pytest.approx([10, 50, 40])
    assert spread([10, 20], [0.0, 0.0], 100) == [10, 20]


def test_rows_are_even_as_far_as_there_is_room() -> None:
    assert heights("even", [10, 30], [1.0, 1.0], 60) == pytest.approx([30, 30])
    assert heights("stretch", [10, 30], [1.0, 1.0], 60) == pytest.approx([15, 45])
    assert heights("tight", [10, 30], [1.0, 1.0], 60) == [10, 30]


def test_a_need_over_several_tracks_is_shared_by_them() -> None:
    tracks = Tracks((Group(), Group((0.5, 0.5)), Group(weight=0.0)))
    assert tracks.least([(Span(0, 1), 10), (Span(1, 2), 10), (Span(0, 3), 50)]) == pytest.approx([20, 30, 0])
    assert tracks.edges([20, 30, 5]) == pytest.approx((0, 20, 35, 50, 55))
