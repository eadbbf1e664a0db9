"""Timetables as an Excel workbook: one sheet a timetable, days across, time down, ready to print."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

from pocai.timetable.export.week_grid import Column, week_grid
from pocai.timetable.timetable import TimeBlock, Timetable, clock, minutes

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

# Pale enough for black print, told apart also by those who see red and green alike.
_PALETTE = (
    *("DCE9F7", "FBE3C8", "DDEFD9", "F5D9E2", "E6DDF2", "FFF3C4", "D5EFEF", "EADFD3"),
    *("C9D8EE", "F8D3B5", "C8E3C5", "EBC5D3", "D5C8E8", "F5E59B", "BFE2E2", "DCCDBC"),
)
_TITLE_ROW, _DAY_ROW, _FIRST_ROW = 1, 2, 3
_TIME_WIDTH, _DAY_WIDTH = 13.0, 24.0  # characters
_LINE_HEIGHT = 14.0  # points
_MINUTES_A_LINE = 15
_SHEET_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_LONGEST_SHEET_NAME = 31


@dataclass(frozen=True, slots=True)
class _Style:
    size: int = 11
    color: str | None = None


def to_xlsx(timetables: Sequence[Timetable]) -> bytes:
    """The workbook as bytes; blocks span the rows of their time, parallel ones stand side by side.

    Equal names have equal colours. Nothing in it is a formula. Without timetables it has one empty sheet.
    """
    from openpyxl import Workbook

    book = Workbook()
    first = book.active
    assert first is not None
    names = _sheet_names(timetables)
    colors = _colors(timetables)
    for timetable, name in zip(timetables, names, strict=True):
        _write(book.create_sheet(name), timetable, colors)
    if timetables:
        book.remove(first)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _write(sheet: Worksheet, timetable: Timetable, colors: dict[str, str]) -> None:
    week = week_grid(timetable)
    rows = max(0, len(week.boundaries) - 1)
    for index, (start, end) in enumerate(pairwise(week.boundaries)):
        _put(sheet, (_FIRST_ROW + index, 1), f"{clock(start)}–{clock(end)}", _Style())
        sheet.row_dimensions[_FIRST_ROW + index].height = _LINE_HEIGHT * max(1.0, (end - start) / _MINUTES_A_LINE)
    sheet.column_dimensions["A"].width = _TIME_WIDTH
    left = 2
    for column in week.columns:
        _write_column(sheet, column, (left, _FIRST_ROW + rows), colors)
        left += column.lanes
    _put(sheet, (_TITLE_ROW, 1), _heading(timetable), _Style(size=14))
    if left > 3:  # noqa: PLR2004 - more than one column to merge the heading over
        sheet.merge_cells(start_row=_TITLE_ROW, end_row=_TITLE_ROW, start_column=1, end_column=left - 1)
    sheet.row_dimensions[_TITLE_ROW].height = 24
    _set_up_print(sheet)


def _write_column(sheet: Worksheet, column: Column, corner: tuple[int, int], colors: dict[str, str]) -> None:
    """One day; ``corner`` is its first column and the first row below the grid."""
    from openpyxl.utils import get_column_letter

    left, below = corner
    width = max(_DAY_WIDTH / column.lanes, 12.0)
    for lane in range(column.lanes):
        sheet.column_dimensions[get_column_letter(left + lane)].width = width
    _put(sheet, (_DAY_ROW, left), column.day or "No day", _Style(color="D9D9D9"))
    _merge(sheet, (_DAY_ROW, _DAY_ROW + 1), (left, left + column.lanes))
    for placed in column.placed:
        rows = (_FIRST_ROW + placed.rows[0], _FIRST_ROW + placed.rows[1])
        columns = (left + placed.lanes[0], left + placed.lanes[1])
        _put_block(sheet, (rows[0], columns[0]), placed.block, colors)
        _make_room(sheet, placed.block, rows, width * (columns[1] - columns[0]))
        _merge(sheet, rows, columns)
    for offset, block in enumerate(column.untimed):
        row = below + offset
        _put_block(sheet, (row, left), block, colors)
        _make_room(sheet, block, (row, row + 1), width * column.lanes)
        _merge(sheet, (row, row + 1), (left, left + column.lanes))


def _put(sheet: Worksheet, at: tuple[int, int], text: str, style: _Style) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill

    cell: Any = sheet.cell(*at)
    cell.value = text
    cell.data_type = "s"  # whatever it begins with, it is text
    cell.font = Font(size=style.size, bold=True)
    cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
    if style.color:
        cell.fill = PatternFill("solid", start_color=style.color)


def _put_block(sheet: Worksheet, at: tuple[int, int], block: TimeBlock, colors: dict[str, str]) -> None:
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    name = _clean(block.name)
    _put(sheet, at, name, _Style(color=colors[_key(block)]))
    small = _small_print(block)
    if small:
        parts = (TextBlock(InlineFont(b=True, sz=11), name), TextBlock(InlineFont(sz=8), f"\n{small}"))
        cell: Any = sheet.cell(*at)
        cell.value = CellRichText(*parts)


def _small_print(block: TimeBlock) -> str:
    """Notes, the week, and times that the grid does not show."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    times = None
    if start is None or end is None or end <= start:
        times = f"{block.start_time or ''}–{block.end_time or ''}" if start is not None or end is not None else None
    week = f"({block.weeks})" if block.weeks else None
    return _clean("\n".join(filter(None, (times, week, block.notes))))


def _make_room(sheet: Worksheet, block: TimeBlock, rows: tuple[int, int], width: float) -> None:
    """Raise the rows of a block until its text fits into them."""
    lines = sum(ceil(max(1, len(line)) / width) for line in (block.name, *_small_print(block).splitlines()))
    heights = [sheet.row_dimensions[row].height or _LINE_HEIGHT for row in range(*rows)]
    lacking = lines * _LINE_HEIGHT + 4 - sum(heights)
    for row, height in zip(range(*rows), heights, strict=True):
        sheet.row_dimensions[row].height = height + max(0.0, lacking) / len(heights)


def _merge(sheet: Worksheet, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """Frame the cells, and make them one; the last row and column are excluded."""
    from openpyxl.styles import Border, Side

    side = Side(style="thin", color="808080")
    for row in range(*rows):
        for column in range(*columns):
            cell: Any = sheet.cell(row, column)
            cell.border = Border(left=side, right=side, top=side, bottom=side)
    if rows[1] - rows[0] > 1 or columns[1] - columns[0] > 1:
        sheet.merge_cells(start_row=rows[0], end_row=rows[1] - 1, start_column=columns[0], end_column=columns[1] - 1)


def _set_up_print(sheet: Worksheet) -> None:
    sheet.freeze_panes = sheet.cell(_FIRST_ROW, 2).coordinate
    sheet.sheet_view.showGridLines = False
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 1
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_options.horizontalCentered = True


def _heading(timetable: Timetable) -> str:
    year = str(timetable.year) if timetable.year else None
    parts = (timetable.title, timetable.class_name, timetable.teacher, timetable.term, year)
    return _clean(" · ".join(dict.fromkeys(part for part in parts if part)))


def _sheet_names(timetables: Sequence[Timetable]) -> list[str]:
    """A valid name for each sheet (31 characters at most, no two alike in any case)."""
    names: list[str] = []
    for number, timetable in enumerate(timetables, start=1):
        wanted = timetable.class_name or timetable.title or timetable.teacher or f"Timetable {number}"
        name = _SHEET_FORBIDDEN.sub(" ", wanted).strip(" '")[:_LONGEST_SHEET_NAME].strip(" '") or f"Timetable {number}"
        if name.casefold() in {other.casefold() for other in (*names, "history")}:  # Excel keeps "History" for itself
            mark = f" ({number})"
            name = name[: _LONGEST_SHEET_NAME - len(mark)] + mark
        names.append(name)
    return names


def _key(block: TimeBlock) -> str:
    return " ".join(block.name.casefold().split())


def _colors(timetables: Sequence[Timetable]) -> dict[str, str]:
    """A colour for each name, in the order in which the names appear."""
    names = dict.fromkeys(_key(block) for timetable in timetables for block in timetable.timeblocks)
    return {name: _PALETTE[index % len(_PALETTE)] for index, name in enumerate(names)}


def _clean(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return _CONTROL.sub(" ", text)
