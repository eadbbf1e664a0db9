"""The overlay marks every block where it was read."""

from __future__ import annotations

import numpy as np
import pytest

from pocai.documents.page import Box, Cell, Line, Matrix, Page, Quad, Table
from pocai.timetable.overlay import draw, regions_of, short_days
from pocai.timetable.timetable import Day, Evidence, Mark, TimeBlock, Timetable

NAME_BOX = (100.0, 80.0, 200.0, 110.0)
QUARTER_TURN: Matrix = (0, -1, 400, 1, 0, 0, 0, 0, 1)  # x of the upload is 400 - y of the page, y is x


def block(
    name: str = "Maths", day: Day | None = "Monday", box: tuple[float, float, float, float] = NAME_BOX
) -> TimeBlock:
    fields = {"name": Mark(page=0, box=box)}
    return TimeBlock(day=day, name=name, start_time="09:00", end_time="10:00", fields=fields)


def week(*blocks: TimeBlock) -> list[Timetable]:
    return [Timetable(timeblocks=blocks)]


def blank(width: int = 400, height: int = 300, to_source: Matrix | None = None) -> Page:
    image = np.full((height, width, 3), 255, np.uint8)
    page = Page(0, width, height, image=image)
    return page if to_source is None else Page(0, width, height, image=image, to_source=to_source)


def test_inside_of_a_block_is_tinted_and_the_rest_of_the_page_untouched() -> None:
    picture = draw(blank(), week(block()))
    assert picture.shape == (300, 400, 3)
    assert picture.dtype == np.uint8
    assert (picture[95, 150] != 255).any()
    assert (picture[250:, :] == 255).all()


def test_page_itself_is_not_drawn_upon() -> None:
    page = blank()
    draw(page, week(block()))
    assert page.image is not None
    assert (page.image == 255).all()


def test_page_without_blocks_stays_as_it_is() -> None:
    page = blank()
    assert page.image is not None
    assert (draw(page, week()) == page.image).all()


def test_tag_says_day_time_and_name() -> None:
    (region,) = regions_of(blank(), week(block()), scale=1.0)
    assert region.label == "Mon 09:00–10:00 Maths"


def test_blocks_of_one_place_share_a_region() -> None:
    days: list[Day] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    (region,) = regions_of(blank(), week(*(block("Break", day) for day in days)), scale=1.0)
    assert region.label == "Mon–Fri 09:00–10:00 Break"


def test_same_name_has_the_same_color_and_another_name_another() -> None:
    boxes = [(0.0, 0.0, 9.0, 9.0), (20.0, 0.0, 29.0, 9.0), (40.0, 0.0, 49.0, 9.0)]
    names = ("Maths", "Art", "Maths")
    blocks = [block(name, box=box) for name, box in zip(names, boxes, strict=True)]
    first, second, third = regions_of(blank(), week(*blocks), scale=1.0)
    assert first.color == third.color != second.color


def test_time_printed_in_the_cell_is_framed_with_the_name_and_one_in_the_header_is_not() -> None:
    fields = {
        "name": Mark(page=0, box=NAME_BOX),
        "startTime": Mark(page=0, box=(100, 115, 160, 130)),
        "endTime": Mark(page=0, box=(100, 0, 200, 10), evidence=Evidence.HEADER),
    }
    (region,) = regions_of(blank(), week(TimeBlock(day=None, name="Maths", fields=fields)), scale=1.0)
    assert region.box == Box(100, 80, 200, 130)


def test_blocks_of_other_pages_and_blocks_without_a_place_are_left_out() -> None:
    elsewhere = TimeBlock(day="Monday", name="Art", fields={"name": Mark(page=1, box=NAME_BOX)})
    assert regions_of(blank(), week(elsewhere, TimeBlock(day="Monday", name="PE")), scale=1.0) == ()


def test_boxes_of_the_upload_are_brought_onto_the_upright_page() -> None:
    (region,) = regions_of(blank(300, 400, QUARTER_TURN), week(block()), scale=2.0)
    assert region.box == pytest.approx(Box(160, 400, 220, 600))


def test_office_page_without_a_picture_is_drawn_from_its_cells_without_its_margins() -> None:
    line = Line("Français", Quad.of(Box(*NAME_BOX)), source="docx", size=12)
    cell = Cell(Box(90, 70, 210, 120), 0, 0, lines=(line,), fill=(250, 240, 200))
    picture = draw(Page(0, 400, 300, tables=(Table((cell,)),), unit="pt"), week(block("Français")))
    assert (picture == (250, 240, 200)).all(axis=2).mean() > 0.25
    assert picture.shape[1] / picture.shape[0] > 400 / 300


@pytest.mark.parametrize(("angle", "tall"), [(0, False), (90, True), (180, False), (270, True)])
def test_turned_text_stays_in_its_box(angle: int, tall: bool) -> None:
    box = Box(100, 100, 130, 200) if tall else Box(100, 100, 200, 130)
    frame = Cell(Box(0, 0, 400, 300), 0, 0)
    line = Line("Registration", Quad.of(box, angle), angle=angle, source="pdf", size=20)
    page = Page(0, 400, 300, lines=(line,), tables=(Table((frame,)),), unit="pt")
    ink = draw(page, []).max(axis=2) < 80
    rows, columns = np.nonzero(ink)
    scale = ink.shape[1] / 400
    assert box.left - 1 <= columns.min() / scale <= columns.max() / scale <= box.right + 1
    assert box.top - 1 <= rows.min() / scale <= rows.max() / scale <= box.bottom + 1
    assert bool(np.ptp(rows) > np.ptp(columns)) == tall


def test_names_the_font_cannot_draw_do_not_stop_the_drawing() -> None:
    (region,) = regions_of(blank(), week(block("数学")), scale=1.0)
    assert region.label == "Mon 09:00–10:00"


@pytest.mark.parametrize(
    ("days", "short"),
    [
        (["Monday", "Tuesday", "Wednesday"], "Mon–Wed"),
        (["Friday", "Monday", "Tuesday"], "Mon Tue Fri"),
        (["Monday", "Monday"], "Mon"),
        ([""], ""),
    ],
)
def test_days_are_shortened(days: list[str], short: str) -> None:
    assert short_days(days) == short
