"""Excel files: what is shown becomes lines and cells, found as the eye finds them."""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from openpyxl.styles import Alignment, Border, Color, Font, PatternFill, Side

from pocai.documents.number_format import displayed
from pocai.documents.page import Cell, Page
from pocai.documents.xlsx import read_xlsx
from pocai.errors import UnreadableDocument
from pocai.settings import Limits

LIMITS = Limits()
THIN = Side(style="thin")
BOXED = Border(left=THIN, right=THIN, top=THIN, bottom=THIN)


def sheet_of(*rows: list[Any], boxed: bool = True, at: tuple[int, int] = (1, 1), sheet: Any = None) -> Any:
    """A worksheet with these values, each in a box of its own."""
    sheet = openpyxl.Workbook().active if sheet is None else sheet
    for row, values in enumerate(rows, at[0]):
        for column, value in enumerate(values, at[1]):
            sheet.cell(row, column).value = value
            if boxed:
                sheet.cell(row, column).border = BOXED
    return sheet


def saved(sheet: Any) -> bytes:
    out = BytesIO()
    sheet.parent.save(out)
    return out.getvalue()


def page_of(sheet: Any) -> Page:
    return read_xlsx(saved(sheet), LIMITS)[0][0]


def by_text(page: Page) -> dict[str, Cell]:
    return {cell.text: cell for table in page.tables for cell in table.cells if cell.lines}


def texts(page: Page) -> list[str]:
    return [line.text for line in page.lines]


WEEK = (["", "Mon", "Tue"], ["9:00", "Maths", "Art"], ["10:00", "PE", None])


def test_a_grid_is_one_table_whose_cells_share_their_edges() -> None:
    page = page_of(sheet_of(*WEEK))
    (table,) = page.tables
    found = by_text(page)
    assert len(table.cells) == 9
    assert (found["Art"].row, found["Art"].column) == (1, 2)
    assert found["Tue"].box.left == found["Art"].box.left == found["Maths"].box.right
    assert found["Maths"].box.bottom == found["PE"].box.top
    assert found["Art"].lines[0].source == "xlsx"
    assert (page.unit, page.number) == ("pt", 0)


def test_every_visible_sheet_is_a_page_named_by_its_tab() -> None:
    sheet = sheet_of(["one"])
    sheet.title = "Class 1"
    hidden = sheet.parent.create_sheet("Hidden")
    hidden["A1"], hidden.sheet_state = "secret", "hidden"
    sheet_of(["two"], sheet=sheet.parent.create_sheet("Class 2"))
    pages, warnings = read_xlsx(saved(sheet), LIMITS)
    assert [(page.number, page.name) for page in pages] == [(0, "Class 1"), (1, "Class 2")]
    assert warnings == ()
    pages, warnings = read_xlsx(saved(sheet), Limits(max_pages=1))
    assert (len(pages), len(warnings)) == (1, 1)


def test_hidden_rows_and_columns_are_not_seen() -> None:
    sheet = sheet_of(["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"])
    sheet.column_dimensions["B"].hidden = True
    sheet.row_dimensions[2].hidden = True
    found = by_text(page_of(sheet))
    assert list(found) == ["a", "c", "g", "i"]
    assert found["a"].box.right == found["c"].box.left
    assert found["c"].column == 1


def test_merged_ranges_span_and_count_only_what_is_seen() -> None:
    sheet = sheet_of(["t", "a", "b", "c"], ["u", "wide", None, None], ["v", "tall", "x", "y"], ["w", None, "z", "q"])
    sheet.merge_cells("B2:D2")
    sheet.merge_cells("B3:B4")
    sheet.column_dimensions["C"].hidden = True
    found = by_text(page_of(sheet))
    assert (found["wide"].row_span, found["wide"].column_span) == (1, 2)
    assert (found["tall"].row_span, found["tall"].column_span) == (2, 1)
    assert found["wide"].box.right == found["c"].box.right
    assert found["tall"].box.bottom == found["w"].box.bottom


def test_column_widths_and_row_heights_are_those_of_the_file() -> None:
    sheet = sheet_of(*WEEK)
    sheet.column_dimensions["B"].width = 30
    sheet.row_dimensions[2].height = 44
    box = by_text(page_of(sheet))["Maths"].box
    assert box.height == 44
    assert box.width == pytest.approx(30 * 5.25)


def test_lines_in_a_cell_are_stacked_inside_it() -> None:
    sheet = sheet_of(["Mon"], ["Maths\nRoom 1\n\nMs T"])
    cell = page_of(sheet).tables[0].cells[1]
    assert [line.text for line in cell.lines] == ["Maths", "Room 1", "Ms T"]
    assert all(line.box.overlap(cell.box) > 0.99 for line in cell.lines)
    assert all(a.box.bottom <= b.box.top + 1e-6 for a, b in pairwise(cell.lines))


@pytest.mark.parametrize(("rotation", "angle"), [(90, 270), (180, 90), (255, 0), (45, 0)])
def test_turned_text_has_its_reading_direction(rotation: int, angle: int) -> None:
    sheet = sheet_of(*WEEK)
    sheet["B2"].alignment = Alignment(textRotation=rotation)
    (line,) = by_text(page_of(sheet))["Maths"].lines
    assert line.angle == angle


def test_fonts_and_fills_are_resolved_through_theme_and_tint() -> None:
    sheet = sheet_of(*WEEK)
    sheet["B2"].font = Font(size=18, bold=True, color="FFCC0000")
    sheet["B2"].fill = PatternFill("solid", fgColor=Color(theme=4))
    sheet["C2"].fill = PatternFill("solid", fgColor=Color(theme=1, tint=0.5))
    sheet["B3"].fill = PatternFill("solid", fgColor="FFFFFFFF")
    found = by_text(page_of(sheet))
    (line,) = found["Maths"].lines
    assert (line.size, line.bold, line.color) == (18.0, True, (0xCC, 0, 0))
    assert found["Maths"].fill == (0x4F, 0x81, 0xBD)
    assert found["Art"].fill == (128, 128, 128)
    assert found["PE"].fill is None


def test_titles_above_and_keys_below_are_lines() -> None:
    sheet = sheet_of(*WEEK, at=(3, 1))
    sheet["A1"], sheet["A2"], sheet["A6"] = "Week of class 3 in the summer term", "Ms T", "M = Maths"
    sheet.merge_cells("A1:C1")
    page = page_of(sheet)
    assert texts(page) == ["Week of class 3 in the summer term", "Ms T", "M = Maths"]
    (table,) = page.tables
    assert page.lines[1].box.bottom <= table.box.top
    assert page.lines[2].box.top >= table.box.bottom


def test_unruled_sheets_are_tables_too_with_their_title_apart() -> None:
    page = page_of(sheet_of(["Class 3"], *WEEK, boxed=False))
    assert texts(page) == ["Class 3"]
    assert [cell.text for cell in page.tables[0].cells if cell.lines] == [
        "Mon",
        "Tue",
        "9:00",
        "Maths",
        "Art",
        "10:00",
        "PE",
    ]


def test_a_header_row_without_borders_stays_with_its_grid() -> None:
    sheet = sheet_of(["Time", "Mon", "Tue"], boxed=False)
    sheet_of(*WEEK[1:], at=(2, 1), sheet=sheet)
    assert by_text(page_of(sheet))["Mon"].row == 0


def test_empty_rows_and_columns_part_tables() -> None:
    sheet = sheet_of(*WEEK)
    sheet_of(*WEEK, at=(1, 5), sheet=sheet)
    sheet_of(*WEEK, at=(6, 1), sheet=sheet)
    first, second, third = page_of(sheet).tables
    assert first.box.right < second.box.left
    assert first.box.top == second.box.top
    assert third.box.top > first.box.bottom


def test_an_empty_row_inside_a_bordered_grid_stays() -> None:
    page = page_of(sheet_of(["a", "b"], [None, None], ["c", "d"]))
    (table,) = page.tables
    assert by_text(page)["c"].row == 2
    assert len(table.cells) == 6


def test_empty_margins_are_trimmed() -> None:
    page = page_of(sheet_of(*WEEK, at=(40, 20)))
    assert page.tables[0].box[:2] == (0.0, 0.0)


def drawn_over_two_rows(*values: str | None) -> Any:
    """Column B is drawn as one box over rows 2 and 3, column A has a line between them."""
    sheet = sheet_of(["", "Mon"], ["9:00", values[0]], ["10:00", values[1]])
    sheet["B2"].border = Border(left=THIN, right=THIN, top=THIN)
    sheet["B3"].border = Border(left=THIN, right=THIN, bottom=THIN)
    return sheet


@pytest.mark.parametrize("values", [("Trip", None), (None, "Trip")])
def test_cells_drawn_as_one_box_are_one_cell(values: tuple[str | None, str | None]) -> None:
    cell = by_text(page_of(drawn_over_two_rows(*values)))["Trip"]
    assert (cell.row, cell.row_span) == (1, 2)


def test_two_texts_without_a_line_between_stay_two_cells() -> None:
    found = by_text(page_of(drawn_over_two_rows("Maths", "Art")))
    assert [found[text].row_span for text in ("Maths", "Art")] == [1, 1]


def test_cells_drawn_as_one_bar_are_one_cell() -> None:
    sheet = sheet_of(["", "Mon", "Tue"], ["9:00", "Lunch", None], ["10:00", "Art", "PE"])
    sheet["B2"].border = Border(left=THIN, top=THIN, bottom=THIN)
    sheet["C2"].border = Border(right=THIN, top=THIN, bottom=THIN)
    assert by_text(page_of(sheet))["Lunch"].column_span == 2


def test_a_table_with_lines_only_around_it_keeps_its_rows() -> None:
    sheet = sheet_of(["9:00", "Maths"], ["10:00", None], ["11:00", "Art"], boxed=False)
    for row in (1, 2, 3):
        for cell in sheet[row]:
            cell.border = Border(
                left=THIN, right=THIN, top=THIN if row == 1 else None, bottom=THIN if row == 3 else None
            )
    assert by_text(page_of(sheet))["Maths"].row_span == 1


def test_formulas_show_their_stored_result_or_a_warning() -> None:
    sheet = sheet_of(["a", "=1+1"])
    data = saved(sheet)
    _, warnings = read_xlsx(data, LIMITS)
    assert any("formula" in warning for warning in warnings)
    stored = edited(data, lambda xml: re.sub(rb"(</f>)<v\s*/>|(</f>)<v></v>", rb"</f><v>2</v>", xml))
    pages, warnings = read_xlsx(stored, LIMITS)
    assert "2" in by_text(pages[0])
    assert warnings == ()


def day(number: int, hour: int = 0, minute: int = 0) -> datetime:
    """In January 2024, which began on a Monday."""
    return datetime(2024, 1, number, hour, minute)  # noqa: DTZ001 (a sheet knows no zones)


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (time(9, 0), "h:mm", "9:00"),
        (time(9, 0), "hh:mm", "09:00"),
        (time(13, 5), "h:mm AM/PM", "1:05 PM"),
        (time(0, 30), "h:mm am/pm", "12:30 am"),
        (time(8, 59, 59, 999_999), "h:mm", "9:00"),
        (time(9, 5), 'h"h"mm', "9h05"),
        (time(9, 5), "General", "09:05"),
        (day(1, 8, 30), "hh:mm", "08:30"),
        (day(1), "dddd", "Monday"),
        (day(2), "[$-407]dddd", "Dienstag"),
        (day(3), "[$-fr-FR]ddd d mmm", "mer 3 jan"),
        (date(2024, 2, 3), "dd/mm/yyyy", "03/02/2024"),
        (timedelta(hours=25, minutes=5), "[h]:mm", "25:05"),
        (timedelta(hours=9), "h:mm", "9:00"),
        (5.0, "General", "5"),
        (0.1 + 0.2, "General", "0.3"),
        (900, r"0\:00", "9:00"),
        (1330, '00":"00', "13:30"),
        (9.5, "0.00", "9.50"),
        (9.3, "0.##", "9.3"),
        (0.25, "0%", "25%"),
        (12345.678, "#,##0.00", "12,345.68"),
        (9, '0" Uhr"', "9 Uhr"),
        (-3, "0;(0)", "(3)"),
        (0, "0;-0;;@", ""),
        ("5B", '"Class "@', "Class 5B"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        (1.5, "0.0E+00", "1.5"),
    ],
)
def test_values_are_shown_by_their_number_format(value: Any, code: str, shown: str) -> None:
    assert displayed(value, code) == shown


def test_a_time_stored_as_a_number_is_shown_as_a_time() -> None:
    sheet = sheet_of(["Start", "Event"], [0.375, "Maths"])
    sheet["A2"].number_format = "h:mm"
    assert "9:00" in by_text(page_of(sheet))


def edited(data: bytes, change: Callable[[bytes], bytes], part: str = "xl/worksheets/sheet1.xml") -> bytes:
    out = BytesIO()
    with ZipFile(BytesIO(data)) as source, ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(source.read(name)) if name == part else source.read(name))
    return out.getvalue()


def with_rows(rows: bytes) -> bytes:
    """A small grid with these rows in the XML below it."""
    return edited(saved(sheet_of(*WEEK)), lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>"))


def empty_rows() -> bytes:
    return with_rows(b"".join(b'<row r="%d"/>' % row for row in range(9, 300_000)))


def formatted_cells() -> bytes:
    return with_rows(b"".join(b'<row r="%d"><c r="A%d" s="1"/></row>' % (row, row) for row in range(9, 200_000)))


def far_cell() -> bytes:
    return with_rows(b'<row r="1048576"><c r="XFD1048576" s="1"/></row>')


def lying_dimension() -> bytes:
    lie = b'<dimension ref="A1:XFD1048576"'
    return edited(saved(sheet_of(*WEEK)), lambda xml: re.sub(rb'<dimension ref="[^"]*"', lie, xml))


def endless_merge() -> bytes:
    merge = b'</sheetData><mergeCells count="1"><mergeCell ref="F1:XFD1048576"/></mergeCells>'
    return edited(saved(sheet_of(*WEEK)), lambda xml: xml.replace(b"</sheetData>", merge))


@pytest.mark.parametrize("make", [empty_rows, formatted_cells, far_cell, lying_dimension, endless_merge])
def test_large_empty_ranges_cost_little(make: Callable[[], bytes]) -> None:
    content = make()
    begun = clock.process_time()
    pages, warnings = read_xlsx(content, LIMITS)
    assert clock.process_time() - begun < 2.0
    assert {"Mon", "Tue", "9:00", "Maths", "Art", "10:00", "PE"} == set(by_text(pages[0]))
    assert warnings == ()


def test_cells_over_the_limit_are_left_out_with_a_warning() -> None:
    sheet = sheet_of(*[[f"{row}a", f"{row}b"] for row in range(100)])
    pages, warnings = read_xlsx(saved(sheet), Limits(max_cells=50))
    assert list(by_text(pages[0]))[-1] == "24b"
    assert len(warnings) == 1
    assert "50 cells" in warnings[0]


def test_values_scattered_wide_apart_are_cheap() -> None:
    sheet = openpyxl.Workbook().active
    for step in range(0, 1_000_000, 5_000):
        sheet.cell(step + 1, step % 16_000 + 1).value = "x"
    begun = clock.process_time()
    page = page_of(sheet)
    assert clock.process_time() - begun < 2.0
    assert len(texts(page)) + len([cell for table in page.tables for cell in table.cells if cell.lines]) == 200


def test_an_empty_workbook_is_an_empty_page() -> None:
    assert not page_of(openpyxl.Workbook().active).has_text


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/workbook.xml", b"<workbook"),
        ("xl/worksheets/sheet1.xml", b"<worksheet/>"),
        ("xl/worksheets/sheet1.xml", '<?xml version="1.0"?><worksheet/>'.encode("utf-16")),
        ("xl/styles.xml", b"<a/>"),
        ("[Content_Types].xml", b""),
    ],
)
def test_damage_ends_in_one_error(part: str, content: bytes) -> None:
    data = edited(saved(sheet_of(["secret words"])), lambda _: content, part)
    with pytest.raises(UnreadableDocument) as caught:
        read_xlsx(data, LIMITS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all"])
def test_what_is_no_excel_file_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read_xlsx(data, LIMITS)
