"""Made documents as Excel files: merged cells, fills, borders, and times as values or as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from pocai.documents.number_format import displayed
from pocai.synthetic.archive import timeless
from pocai.synthetic.document import Drawing, Sheet, Stroke, Style, Text
from pocai.synthetic.excerpt import sheet_each
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.palette import WHITE, legible
from pocai.synthetic.office import Abreast, Board, Field, Paragraph, Section, Sides, edges
from pocai.synthetic.office_week import Shape, office_sheet
from pocai.synthetic.printed import PrintedFile, PrintedLine, PrintedPage

if TYPE_CHECKING:
    from numpy.random import Generator

_CLOCK = re.compile(r"(\d{1,2})([:.h])(\d{2})")
_SHEETS = {"en": "Sheet", "de": "Tabelle", "fr": "Feuil", "es": "Hoja", "it": "Foglio", "pt": "Folha"}
_DIGIT = 5.25  # points of a digit in the standard font; Excel measures columns in digits
_NARROWEST, _WIDEST = 2.0, 60.0  # of columns, in digits
_LEADING = 1.25  # height of a line over the size of its letters
_THIN, _THICK = 1.0, 2.0  # points from which borders are medium, and thick
_TURNS = {90: 180, 270: 90}  # Excel's textRotation by the reading direction
_LANDSCAPE_FROM = 1.0  # width of a sheet over its height


@dataclass(frozen=True, slots=True)
class _Habits:
    """How the author of a workbook uses Excel."""

    abreast: Abreast
    shape: Shape
    ruled: bool
    each: bool  # a worksheet for each timetable
    values: bool  # clock times and numbers are values
    rich: bool  # parts of a cell in letters of their own
    wide: bool  # the title is one cell over the whole width
    first: tuple[int, int]  # row and column of the upper left corner, from 1
    gap: int  # empty rows below the title
    grid: bool  # Excel's own grid lines are shown
    spare: bool  # an empty worksheet at the end, as new workbooks had


def _habits(rng: Generator) -> _Habits:
    return _Habits(
        abreast=pick(rng, ("joined", "stacked"), (0.7, 0.3)),
        shape=pick(rng, ("columns", "rows"), (0.6, 0.4)),
        ruled=happens(rng, 0.8),
        each=happens(rng, 0.5),
        values=happens(rng, 0.5),
        rich=happens(rng, 0.5),
        wide=happens(rng, 0.5),
        first=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        gap=int(rng.integers(2)),
        grid=happens(rng, 0.7),
        spare=happens(rng, 0.2),
    )


def xlsx_of(drawing: Drawing, rng: Generator) -> PrintedFile:
    """The drawing as an Excel file, each sheet a worksheet; the same bytes for the same state of ``rng``."""
    from openpyxl import Workbook

    habits = _habits(rng)
    drawing = sheet_each(drawing) if habits.each else drawing
    book = Workbook()
    book.remove(book.active)
    pages = []
    for number, sheet in enumerate(drawing.sheets, 1):
        target = book.create_sheet(f"{_SHEETS[drawing.language]}{number}")
        pages.append(_Worksheet(target, habits).write(sheet))
    if habits.spare:
        book.create_sheet(f"{_SHEETS[drawing.language]}{len(drawing.sheets) + 1}")
    stream = BytesIO()
    book.save(stream)
    return PrintedFile(timeless(stream.getvalue()), tuple(pages), drawing.timetables)


class _Value(NamedTuple):
    """What a cell holds, and the number format that shows it as it is printed."""

    value: Any
    code: str = "General"


class _Worksheet:
    """Writes one sheet into a worksheet, and keeps what it writes."""

    def __init__(self, target: Any, habits: _Habits) -> None:
        self._target, self._habits = target, habits
        self._row, self._left = habits.first
        self._edges: tuple[float, ...] = (0.0, 80.0)
        self._lines: list[PrintedLine] = []

    def write(self, sheet: Sheet) -> PrintedPage:
        """Write the sheet, and say what is printed."""
        habits = self._habits
        content = office_sheet(sheet, habits.abreast, habits.shape, ruled=habits.ruled)
        boards = [item for item in content if isinstance(item, Board)]
        main = max(boards, key=lambda board: len(board.fields), default=None)
        if main is not None:
            self._set_columns(main)
        for before, item in zip((None, *content), content, strict=False):
            self._part(before, item)
            if isinstance(item, Board):
                self._add_board(item)
            else:
                self._add_row(item)
        self._set_up(landscape=sheet.width > _LANDSCAPE_FROM * sheet.height)
        return PrintedPage(tuple(self._lines))

    def _set_columns(self, board: Board) -> None:
        from openpyxl.utils import get_column_letter

        self._edges = edges(board.widths)
        for number, wide in enumerate(board.widths, self._left):
            digits = min(_WIDEST, max(_NARROWEST, wide / _DIGIT))
            self._target.column_dimensions[get_column_letter(number)].width = round(digits, 2)

    def _part(self, before: Section | None, item: Section) -> None:
        """Leave a row free between tables and what follows them, and at times below the title."""
        if isinstance(before, Board):
            self._row += 1
        elif before is not None and isinstance(item, Board):
            self._row += self._habits.gap

    def _set_up(self, *, landscape: bool) -> None:
        target = self._target
        target.sheet_view.showGridLines = self._habits.grid
        target.page_setup.orientation = "landscape" if landscape else "portrait"
        target.page_setup.paperSize = 9  # A4
        target.page_setup.fitToHeight = 0
        target.sheet_properties.pageSetUpPr.fitToPage = True

    def _add_row(self, item: Paragraph) -> None:
        """A line of its own: runs behind tabs stand in the columns that begin nearest to them."""
        parts: list[list[Text]] = []
        starts: list[float] = []
        for text, stop in zip(item.runs, item.stops, strict=True):
            if stop is None and parts:
                parts[-1].append(text)
            else:
                parts.append([text])
                starts.append(stop or 0.0)
        column = self._left
        for texts, start in zip(parts, starts, strict=True):
            column = max(column, self._left + self._nearest(start))
            alone = Paragraph(tuple(texts), (None,) * len(texts), item.align if len(parts) == 1 else "left")
            last = self._left + len(self._edges) - 2
            wide = len(parts) == 1 and item.align == "center" and self._habits.wide and last > column
            self._put(self._row, column, Field(0, 0, content=(alone,), fill=item.fill), wrap=False)
            if wide:
                self._target.merge_cells(None, self._row, column, self._row, last)
            column += 1
        self._target.row_dimensions[self._row].height = round(_LEADING * max(text.style.size for text in item.runs), 1)
        self._row += 1

    def _nearest(self, start: float) -> int:
        begins = self._edges[:-1]
        return min(range(len(begins)), key=lambda column: abs(begins[column] - start))

    def _add_board(self, board: Board) -> None:
        for number, high in enumerate(board.heights):
            if high:
                self._target.row_dimensions[self._row + number].height = round(high, 1)
        for field in board.fields:
            row, column = self._row + field.row, self._left + field.column
            self._put(row, column, field)
            self._frame(row, column, field)
            if field.row_span * field.column_span > 1:
                below, behind = row + field.row_span - 1, column + field.column_span - 1
                self._target.merge_cells(None, row, column, below, behind)
        self._row += len(board.heights)

    def _put(self, row: int, column: int, field: Field, *, wrap: bool = True) -> None:
        """Write into a cell; ``wrap`` breaks its text at the cell's edge."""
        from openpyxl.styles import Alignment, Font, PatternFill

        cell = self._target.cell(row, column)
        if field.fill:
            cell.fill = PatternFill("solid", start_color=_hex(field.fill))
        written = [item for item in field.content if isinstance(item, Paragraph)]
        if not written:
            return
        texts = [text for item in written for text in item.runs]
        main = next((text for text in texts if text.role in ("event", "break")), texts[0])
        value = self._value(written)
        cell.value, cell.number_format = value
        if isinstance(value.value, str):
            cell.data_type = "s"  # whatever it begins with, it is text
        ink = main.style.color if field.fill else legible(main.style.color, WHITE)
        cell.font = Font(name=main.style.face, size=_size(main.style), bold=main.style.bold, color=_hex(ink))
        turn = _TURNS.get(field.angle, 0)
        align = written[0].align
        cell.alignment = Alignment(horizontal=align, vertical="center", wrap_text=wrap, text_rotation=turn)
        self._lines += [PrintedLine.of(text, field.angle) for text in texts]

    def _value(self, written: Sequence[Paragraph]) -> _Value:
        """The value of a cell: a time or a number where it is nothing else, rich text where its letters differ."""
        runs = [text for item in written for text in item.runs]
        text = "\n".join(" ".join(run.text for run in item.runs) for item in written)
        if self._habits.values and len(runs) == 1 and (value := _as_number(runs[0])):
            return value
        if self._habits.rich and len({run.style for run in runs}) > 1:
            return _Value(_rich(written))
        return _Value(text)

    def _frame(self, row: int, column: int, field: Field) -> None:
        """The borders of a cell; of merged cells each one on the edge has its part of them."""
        if not any(field.sides):
            return
        for below, behind in field.places:
            first_row, last_row = below == field.row, below == field.row + field.row_span - 1
            first, last = behind == field.column, behind == field.column + field.column_span - 1
            left, top, right, bottom = field.sides
            sides = (
                left if first else None,
                top if first_row else None,
                right if last else None,
                bottom if last_row else None,
            )
            cell = self._target.cell(row + below - field.row, column + behind - field.column)
            cell.border = _border(sides)


def _as_number(text: Text) -> _Value | None:
    """A clock time or the number of a period as a value, where Excel shows it exactly as it is printed."""
    if text.role == "period" and text.text.isascii() and text.text.isdigit() and str(int(text.text)) == text.text:
        return _Value(int(text.text))
    match = _CLOCK.fullmatch(text.text)
    if text.role != "time" or match is None or int(match[1]) > 23 or int(match[3]) > 59:  # noqa: PLR2004 -- of a clock
        return None
    hours = "hh" if len(match[1]) == 2 else "h"  # noqa: PLR2004 -- digits
    joint = match[2] if match[2] == ":" else f'"{match[2]}"'
    value = _Value(time(int(match[1]), int(match[3])), f"{hours}{joint}mm")
    return value if displayed(*value) == text.text else None


def _rich(written: Sequence[Paragraph]) -> Any:
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    def block(text: Text, before: str) -> Any:
        style = text.style
        font = InlineFont(rFont=style.face, b=style.bold or None, sz=_size(style), color=_hex(style.color))
        return TextBlock(font, before + text.text)

    blocks = []
    for number, item in enumerate(written):
        for place, text in enumerate(item.runs):
            blocks.append(block(text, " " if place else "\n" if number else ""))
    return CellRichText(*blocks)


def _border(sides: Sides) -> Any:
    from openpyxl.styles import Border, Side

    def side(stroke: Stroke | None) -> Any:
        if stroke is None:
            return None
        style = "thin" if stroke.thickness < _THIN else "medium" if stroke.thickness < _THICK else "thick"
        return Side(style=style, color=_hex(stroke.color))

    left, top, right, bottom = sides
    return Border(left=side(left), right=side(right), top=side(top), bottom=side(bottom))


def _size(style: Style) -> float:
    return round(2 * style.size) / 2


def _hex(color: tuple[int, int, int]) -> str:
    return bytes(color).hex().upper()
