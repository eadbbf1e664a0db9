"""Made documents as Word files: headings, paragraphs with tabs, lists, and tables with merged cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pocai.documents.page import Color
from pocai.synthetic.archive import timeless
from pocai.synthetic.document import Drawing, Logo, Sheet, Text
from pocai.synthetic.emblem import emblem
from pocai.synthetic.excerpt import sheet_each
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.office import Abreast, Board, Field, Paragraph, Section, Sides
from pocai.synthetic.office_week import Shape, office_sheet
from pocai.synthetic.printed import PrintedFile, PrintedLine, PrintedPage

if TYPE_CHECKING:
    from numpy.random import Generator

_PAPERS = ((595.3, 841.9), (612.0, 792.0))  # A4, US Letter in points
_SMALLEST = 5.0  # points of letters
_DIRECTIONS = {90: "tbRl", 270: "btLr"}
_EIGHTHS = 8.0  # of a point, in which Word measures borders
_LOGO_PIXELS = 2.5  # to a point


@dataclass(frozen=True, slots=True)
class _Habits:
    """How the author of a document uses Word."""

    paper: tuple[float, float]
    margin: float
    abreast: Abreast
    shape: Shape
    ruled: bool
    each: bool  # a page for each timetable
    styles: bool  # built-in styles for headings
    footer: bool  # the last lines stand in the footer
    logo: bool


def _habits(rng: Generator) -> _Habits:
    return _Habits(
        paper=pick(rng, _PAPERS, (0.75, 0.25)),
        margin=float(rng.uniform(30, 60)),
        abreast=pick(rng, ("joined", "stacked", "nested"), (0.4, 0.3, 0.3)),
        shape=pick(rng, ("columns", "rows", "lists", "bullets"), (0.4, 0.2, 0.25, 0.15)),
        ruled=happens(rng, 0.8),
        each=happens(rng, 0.4),
        styles=happens(rng, 0.5),
        footer=happens(rng, 0.3),
        logo=happens(rng, 0.6),
    )


def docx_of(drawing: Drawing, rng: Generator) -> PrintedFile:
    """The drawing as a Word file, each sheet a section of its own; the same bytes for the same state of ``rng``."""
    import docx

    habits = _habits(rng)
    document = docx.Document()
    drawing = sheet_each(drawing) if habits.each else drawing
    pages = []
    for number, sheet in enumerate(drawing.sheets):
        section = document.add_section() if number else document.sections[0]
        pages.append(_Page(document, section, habits).write(sheet))
    target = BytesIO()
    document.save(target)
    return PrintedFile(timeless(target.getvalue()), tuple(pages), drawing.timetables)


class _Page:
    """Writes one sheet into a section of a document, and keeps what it writes."""

    def __init__(self, document: Any, section: Any, habits: _Habits) -> None:
        self._document, self._section, self._habits = document, section, habits
        self._lines: list[PrintedLine] = []
        self._scale = 1.0

    def write(self, sheet: Sheet) -> PrintedPage:
        """Write the sheet, and say what is printed."""
        habits = self._habits
        room = self._set_paper(landscape=sheet.width > sheet.height)
        content = office_sheet(sheet, habits.abreast, habits.shape, ruled=habits.ruled)
        widest = max((sum(item.widths) for item in content if isinstance(item, Board)), default=sheet.width * 0.9)
        self._scale = min(1.0, room / widest)
        if habits.logo and sheet.logos:
            self._paste(sheet.logos[0])
        body, footer = _footed(content) if habits.footer else (content, ())
        for item in body:
            self._add(self._document, item)
        if habits.footer:
            self._add_footer(footer)
        return PrintedPage(tuple(self._lines))

    def _add_footer(self, lines: Iterable[Paragraph]) -> None:
        """The footer of this sheet alone, also where it is empty: else that of the sheet before would be on it too."""
        footer = self._section.footer
        footer.is_linked_to_previous = False
        for number, item in enumerate(lines):
            self._fill_paragraph(footer.add_paragraph() if number else footer.paragraphs[0], item)

    def _set_paper(self, *, landscape: bool) -> float:
        """Set paper and margins; gives back the width between them in points."""
        from docx.enum.section import WD_ORIENT
        from docx.shared import Pt

        wide, high = sorted(self._habits.paper, reverse=landscape)
        section, margin = self._section, Pt(self._habits.margin)
        section.page_width, section.page_height = Pt(wide), Pt(high)
        section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = margin
        return wide - 2 * self._habits.margin

    def _paste(self, logo: Logo) -> None:
        from docx.shared import Pt
        from PIL import Image as Pictures

        target = BytesIO()
        pixels = tuple(max(1, round(side * _LOGO_PIXELS)) for side in (logo.box.width, logo.box.height))
        Pictures.fromarray(emblem(logo.seed, logo.kind, (pixels[0], pixels[1]))).save(target, "PNG")
        target.seek(0)
        self._document.add_picture(target, width=Pt(logo.box.width))

    def _add(self, container: Any, item: Section) -> None:
        """Write a paragraph or a table at the end of the document or of a cell."""
        if isinstance(item, Paragraph):
            self._fill_paragraph(container.add_paragraph(), item, apart=container is self._document)
        else:
            self._add_table(container, item)

    def _fill_paragraph(self, paragraph: Any, item: Paragraph, *, apart: bool = False) -> None:
        from docx.shared import Pt

        style = self._style(item, apart=apart)
        if style:
            paragraph.style = style
        if item.fill:
            _shade(paragraph.paragraph_format.element.get_or_add_pPr(), item.fill)
        layout = paragraph.paragraph_format
        layout.space_before, layout.space_after = Pt(0), Pt(4 if apart else 0)
        layout.line_spacing = 1.0
        layout.alignment = _alignment(item.align)
        for stop in item.stops:
            if stop is not None:
                layout.tab_stops.add_tab_stop(Pt(stop * self._scale))
        for number, (text, stop) in enumerate(zip(item.runs, item.stops, strict=True)):
            gap = "" if not number else " " if stop is None else "\t"
            self._add_run(paragraph, gap, text)
            self._lines.append(PrintedLine.of(text, item.angle))

    def _style(self, item: Paragraph, *, apart: bool) -> str | None:
        if item.bullet:
            return "List Bullet"
        if not (apart and self._habits.styles):
            return None
        return {"title": "Heading 1", "day": "Heading 2"}.get(item.runs[0].role)

    def _add_run(self, paragraph: Any, gap: str, text: Text) -> None:
        from docx.shared import Pt, RGBColor

        run = paragraph.add_run(gap + text.text)
        font = run.font
        font.name, font.bold = text.style.face, text.style.bold
        font.size = Pt(round(2 * max(_SMALLEST, text.style.size * self._scale)) / 2)
        font.color.rgb = RGBColor(*text.style.color)

    def _add_table(self, container: Any, board: Board) -> None:
        from docx.enum.table import WD_ROW_HEIGHT_RULE, WD_TABLE_ALIGNMENT
        from docx.shared import Pt

        table = container.add_table(len(board.heights), len(board.widths))
        table.autofit = False
        table.alignment = WD_TABLE_ALIGNMENT.CENTER if board.align == "center" else WD_TABLE_ALIGNMENT.LEFT
        for column, wide in zip(table.columns, board.widths, strict=True):
            column.width = Pt(max(1.0, wide * self._scale))
        for row, high in zip(table.rows, board.heights, strict=True):
            if high:
                row.height, row.height_rule = Pt(high * self._scale), WD_ROW_HEIGHT_RULE.AT_LEAST
        cells = [row.cells for row in table.rows]
        for field in board.fields:
            cell = cells[field.row][field.column]
            if field.row_span * field.column_span > 1:
                last = cells[field.row + field.row_span - 1][field.column + field.column_span - 1]
                cell.merge(last)
            for row in range(field.row_span):
                sides = _part(field.sides, first=row == 0, last=row == field.row_span - 1)
                _border(_properties(cells[field.row + row][field.column]), sides)
            self._fill_cell(cell, field)

    def _fill_cell(self, cell: Any, field: Field) -> None:
        from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT

        properties = _properties(cell)
        if field.fill:
            _shade(properties, field.fill)
        if field.angle in _DIRECTIONS:
            properties.append(_element("w:textDirection", val=_DIRECTIONS[field.angle]))
        cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for number, item in enumerate(field.content):
            if isinstance(item, Paragraph) and not number:
                self._fill_paragraph(cell.paragraphs[0], item)
            else:
                self._add(cell, item)


def _footed(content: Sequence[Section]) -> tuple[Sequence[Section], Sequence[Paragraph]]:
    """The content, and the last lines of it that can stand in the footer: those about no event."""
    end = len(content)
    while end > 1 and isinstance(item := content[end - 1], Paragraph) and item.runs[0].role == "other":
        end -= 1
    footer = [item for item in content[end:] if isinstance(item, Paragraph)]
    return content[:end], footer


def _alignment(align: str) -> Any:
    from docx.enum.text import WD_PARAGRAPH_ALIGNMENT

    return WD_PARAGRAPH_ALIGNMENT[align.upper()]


def _element(tag: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(qn(f"w:{name}"), value)
    return element


def _shade(properties: Any, color: Color) -> None:
    properties.append(_element("w:shd", val="clear", color="auto", fill=_hex(color)))


def _properties(cell: Any) -> Any:
    return cell._tc.get_or_add_tcPr()  # noqa: SLF001 -- python-docx has no call for borders, shading and direction


def _part(sides: Sides, *, first: bool, last: bool) -> Sides:
    """The borders of one of the cells that are merged down the page."""
    return sides[0], sides[1] if first else None, sides[2], sides[3] if last else None


def _border(properties: Any, sides: Sides) -> None:
    """The borders of a cell, those that are drawn, in the order of the standard (ECMA-376 part 1, 17.4.66)."""
    left, top, right, bottom = sides
    borders = _element("w:tcBorders")
    for name, side in (("top", top), ("left", left), ("bottom", bottom), ("right", right)):
        if side:
            size = str(max(2, round(side.thickness * _EIGHTHS)))
            borders.append(_element(f"w:{name}", val="single", sz=size, space="0", color=_hex(side.color)))
    if len(borders):
        properties.append(borders)


def _hex(color: Iterable[int]) -> str:
    return bytes(color).hex().upper()
