"""Writes a week as a plain ruled grid: Word, Excel and PDF. What is written can be read back without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

from pocai.timetable.timetable import Timetable

Notation = Callable[[str, str], str]

NOTATIONS: Mapping[str, Notation] = {
    "08:00-09:00": lambda start, end: f"{start}-{end}",
    "8.00 – 9.00": lambda start, end: f"{_short(start)} – {_short(end)}".replace(":", "."),
    "8:00 - 9:00": lambda start, end: f"{_short(start)} - {_short(end)}",
    "8h00-9h00": lambda start, end: f"{_short(start)}-{_short(end)}".replace(":", "h"),
    "8:00am-9:00am": lambda start, end: f"{_twelve(start)}-{_twelve(end)}",
}


def _short(time: str) -> str:
    return time.removeprefix("0")


def _twelve(time: str) -> str:
    hour = int(time[:2])
    return f"{(hour - 1) % 12 + 1}{time[2:]}{'pm' if hour >= 12 else 'am'}"


@dataclass(frozen=True)
class Field:
    """A cell of the grid: its first row and column, how many it covers, and its lines of text."""

    row: int
    column: int
    row_span: int
    column_span: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A week as rows and columns of fields, headers included; what no field covers is empty."""

    rows: int
    columns: int
    fields: tuple[Field, ...]


def grid(timetable: Timetable, *, days_across: bool, notation: Notation = NOTATIONS["08:00-09:00"]) -> Grid:
    """The fields of a week; the slots are the blocks that hold no other block."""
    blocks = timetable.timeblocks
    days = list(dict.fromkeys(block.day for block in blocks))
    spans = sorted({(block.start_time or "", block.end_time or "") for block in blocks})
    slots = [a for a in spans if not any(a != b and a[0] <= b[0] and b[1] <= a[1] for b in spans)]
    fields = [Field(0, index, 1, 1, (day or "",)) for index, day in enumerate(days, 1)]
    fields += [Field(index, 0, 1, 1, (notation(*slot),)) for index, slot in enumerate(slots, 1)]
    for block in blocks:
        covered = [
            i for i, s in enumerate(slots, 1) if (block.start_time or "") <= s[0] and s[1] <= (block.end_time or "")
        ]
        lines = (block.name, block.notes) if block.notes else (block.name,)
        fields.append(Field(covered[0], days.index(block.day) + 1, len(covered), 1, lines))
    if days_across:
        return Grid(len(slots) + 1, len(days) + 1, tuple(fields))
    turned = tuple(Field(f.column, f.row, f.column_span, f.row_span, f.lines) for f in fields)
    return Grid(len(days) + 1, len(slots) + 1, turned)


def as_docx(timetable: Timetable, *, days_across: bool, notation: Notation = NOTATIONS["08:00-09:00"]) -> bytes:
    """A Word file with the week as a table; a note is a paragraph of its own."""
    import docx

    week = grid(timetable, days_across=days_across, notation=notation)
    document = docx.Document()
    table = document.add_table(week.rows, week.columns)
    table.style = "Table Grid"
    for field in week.fields:
        cell = table.cell(field.row, field.column)
        if field.row_span * field.column_span > 1:
            cell = cell.merge(table.cell(field.row + field.row_span - 1, field.column + field.column_span - 1))
        cell.text = field.lines[0]
        for line in field.lines[1:]:
            cell.add_paragraph(line)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def as_xlsx(timetable: Timetable, *, days_across: bool, notation: Notation = NOTATIONS["08:00-09:00"]) -> bytes:
    """An Excel file with the week as a bordered range; a note is a line of its own in the cell."""
    import openpyxl
    from openpyxl.styles import Alignment, Border, Side

    week = grid(timetable, days_across=days_across, notation=notation)
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    side = Side(style="thin")
    for row in range(week.rows):
        for column in range(week.columns):
            cell = sheet.cell(row + 1, column + 1)
            cell.border, cell.alignment = Border(side, side, side, side), Alignment(wrap_text=True)
    for field in week.fields:
        sheet.cell(field.row + 1, field.column + 1).value = "\n".join(field.lines)
        last_row, last_column = field.row + field.row_span, field.column + field.column_span
        if field.row_span * field.column_span > 1:
            sheet.merge_cells(None, field.row + 1, field.column + 1, last_row, last_column)
    out = BytesIO()
    workbook.save(out)
    return out.getvalue()


def as_pdf(timetable: Timetable, *, days_across: bool, notation: Notation = NOTATIONS["08:00-09:00"]) -> bytes:
    """A PDF with the week as ruled boxes and a text layer; the paper is as large as the grid."""
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.pdfgen.canvas import Canvas

    week = grid(timetable, days_across=days_across, notation=notation)
    size, leading, margin, height = 10.0, 12.0, 30.0, 34.0
    width = 12.0 + max(stringWidth(line, "Helvetica", size) for field in week.fields for line in field.lines)
    paper = (week.columns * width + 2 * margin, week.rows * height + 2 * margin)
    out = BytesIO()
    canvas = Canvas(out, pagesize=paper)
    canvas.setFont("Helvetica", size)
    for field in _filled(week):
        left, top = margin + field.column * width, paper[1] - margin - field.row * height
        bottom = top - field.row_span * height
        canvas.rect(left, bottom, field.column_span * width, top - bottom)
        first = (top + bottom) / 2 + leading * len(field.lines) / 2 - size
        for number, line in enumerate(field.lines):
            canvas.drawString(left + 6, first - number * leading, line)
    canvas.save()
    return out.getvalue()


def _filled(week: Grid) -> Iterator[Field]:
    """All fields, and an empty one for each place that none covers."""
    yield from week.fields
    covered = {
        (row, column)
        for field in week.fields
        for row in range(field.row, field.row + field.row_span)
        for column in range(field.column, field.column + field.column_span)
    }
    for row in range(week.rows):
        for column in range(week.columns):
            if (row, column) not in covered:
                yield Field(row, column, 1, 1, ())
