"""Word files: what is printed becomes lines and cells, with boxes that fit together like a page's."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import Any
from zipfile import ZipFile

import docx
import pytest
from docx.enum.section import WD_SECTION
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Pt, RGBColor

from pocai.documents.docx import read_docx
from pocai.documents.page import Cell, Page
from pocai.errors import LimitExceeded, UnreadableDocument
from pocai.settings import Limits

LIMITS = Limits()


def saved(document: Any) -> bytes:
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def pages_of(document: Any, limits: Limits = LIMITS) -> tuple[Page, ...]:
    return read_docx(saved(document), limits)[0]


def with_body(xml: str) -> Page:
    """The page of a document whose body is this XML."""
    document = docx.Document()
    body = parse_xml(f"<w:body {nsdecls('w', 'wp', 'a')} {EXTRA}>{xml}</w:body>")
    for child in reversed(list(body)):
        document.element.body.insert(0, child)
    return pages_of(document)[0]


EXTRA = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def cell(text: str = "", properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(run(text))}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def width(twips: int) -> str:
    return f'<w:tcW w:w="{twips}" w:type="dxa"/>'


def holding(*blocks: str) -> str:
    """A cell that holds these paragraphs and tables."""
    return f"<w:tc>{''.join(blocks)}</w:tc>"


def inserted(inner: str) -> str:
    return f'<w:ins w:id="2" w:author="a">{inner}</w:ins>'


def table(columns: list[int], *rows: str) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in columns)
    return f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>{paragraph()}"


def by_text(page: Page) -> dict[str, Cell]:
    return {cell.text: cell for table in page.tables for cell in table.cells if cell.lines}


def texts(page: Page) -> list[str]:
    return [line.text for line in page.lines]


def test_title_table_and_key_follow_each_other_down_the_page() -> None:
    document = docx.Document()
    document.add_paragraph("Week of class 3")
    document.add_table(2, 2).cell(0, 0).text = "Monday"
    document.add_paragraph("M = Maths")
    (page,) = pages_of(document)
    title, key = page.lines
    (grid,) = page.tables
    assert (title.text, key.text) == ("Week of class 3", "M = Maths")
    assert title.box.bottom <= grid.box.top < grid.box.bottom <= key.box.top < page.height
    assert page.unit == "pt"
    assert title.source == "docx"
    assert title.confidence is None


def test_cells_share_the_edges_of_columns_and_rows() -> None:
    page = with_body(table([1000, 2000], row(cell("a"), cell("b")), row(cell("c"), cell("d"))))
    a, b, c, d = page.tables[0].cells
    assert [round(x.box.width) for x in (a, b)] == [50, 100]
    assert a.box.right == b.box.left == c.box.right
    assert a.box.bottom == c.box.top == d.box.top
    assert [(x.row, x.column) for x in (a, b, c, d)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_merged_cells_span_columns_and_rows() -> None:
    restart, go_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    page = with_body(
        table(
            [1000] * 3,
            row(cell("wide", '<w:gridSpan w:val="2"/>'), cell("tall", restart)),
            row(cell("a"), cell("b"), cell("", go_on)),
            row(cell("h", '<w:hMerge w:val="restart"/>'), cell("", "<w:hMerge/>"), cell("", go_on)),
        )
    )
    found = by_text(page)
    assert (found["wide"].column_span, found["wide"].row_span) == (2, 1)
    assert (found["tall"].column_span, found["tall"].row_span) == (1, 3)
    assert (found["h"].column_span, found["h"].row_span) == (2, 1)
    assert found["tall"].box.bottom == found["h"].box.bottom
    assert len(page.tables[0].cells) == 5


def test_rows_that_start_late_and_end_early_leave_the_place_free() -> None:
    before, after = '<w:gridBefore w:val="1"/>', '<w:gridAfter w:val="1"/>'
    page = with_body(table([1000] * 3, row(cell("a"), cell("b"), cell("c")), row(cell("x"), properties=before + after)))
    found = by_text(page)
    assert found["x"].column == 1
    assert (found["x"].box.left, found["x"].box.right) == (found["b"].box.left, found["b"].box.right)


@pytest.mark.parametrize(("widths", "parted"), [([500, 1500, 1000], "a"), ([1400, 1600], "b")])
def test_cells_that_split_a_slot_elsewhere_keep_their_own_widths(widths: list[int], parted: str) -> None:
    split = [cell(str(twips), width(twips)) for twips in widths]
    header = [cell(name, width(1000)) for name in "abc"]
    found = by_text(with_body(table([1000] * 3, row(*header), row(*split))))
    assert [found[str(twips)].box.width for twips in widths] == pytest.approx([twips / 20 for twips in widths])
    assert [name for name in "abc" if found[name].column_span == 2] == [parted]
    assert found["a"].box.left == found[str(widths[0])].box.left


def test_a_width_set_on_the_header_alone_does_not_break_the_columns() -> None:
    header = [cell(name, width(700)) for name in "abc"]
    found = by_text(with_body(table([1000] * 3, row(*header), row(cell("x"), cell("y"), cell("z")))))
    assert [found[a].box.left for a in "abc"] == [found[a].box.left for a in "xyz"]


def test_a_table_without_column_widths_takes_them_from_its_cells() -> None:
    page = with_body(table([0, 0], row(cell("a", width(600)), cell("b", width(1800)))))
    assert [round(x.box.width) for x in page.tables[0].cells] == [30, 90]


@pytest.mark.parametrize(("direction", "angle"), [("btLr", 270), ("tbRl", 90)])
def test_turned_text_fills_a_high_box(direction: str, angle: int) -> None:
    turned = cell("Breakfast", f'<w:textDirection w:val="{direction}"/>')
    found = by_text(with_body(table([600, 600], row(turned, cell("x")))))
    (line,) = found["Breakfast"].lines
    assert line.angle == angle
    assert line.box.height > line.box.width
    assert line.box.overlap(found["Breakfast"].box) > 0.99


def test_each_paragraph_and_manual_break_is_a_line_and_long_ones_are_not_broken() -> None:
    long = "Guided reading with the whole class in the library and afterwards quiet time"
    written = holding(paragraph(run("Maths"), "<w:r><w:br/></w:r>", run("Room 1")), paragraph(run(long)))
    page = with_body(table([2000], row(cell("x")), row(written)))
    lines = page.tables[0].cells[1].lines
    assert [line.text for line in lines] == ["Maths", "Room 1", long]
    assert all(upper.box.bottom <= lower.box.top + 1e-6 for upper, lower in pairwise(lines))
    assert all(line.box.overlap(page.tables[0].cells[1].box) > 0.99 for line in lines)


def test_deleted_hidden_and_instructing_text_is_not_printed() -> None:
    fields = [f'<w:r><w:fldChar w:fldCharType="{step}"/></w:r>' for step in ("begin", "separate", "end")]
    deleted = '<w:del w:id="1" w:author="a"><w:r><w:delText>gone</w:delText></w:r></w:del>'
    page = with_body(
        paragraph(run("kept "), deleted, run("hidden", "<w:vanish/>"), inserted(run("added")))
        + paragraph(fields[0], "<w:r><w:instrText> PAGE </w:instrText></w:r>", fields[1], run("7"), fields[2])
    )
    assert texts(page) == ["kept added", "7"]


def test_a_deleted_row_is_gone() -> None:
    deleted = row(cell("c"), cell("d"), properties='<w:del w:id="1" w:author="x"/>')
    page = with_body(table([1000, 1000], row(cell("a"), cell("b")), deleted))
    assert list(by_text(page)) == ["a", "b"]


def test_a_box_around_a_title_is_a_line() -> None:
    page = with_body(table([4000], row(cell("Class 5B"))))
    assert (texts(page), page.tables) == (["Class 5B"], ())


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent>{paragraph(run('Boxed'))}</w:txbxContent>"
    choice = f'<mc:Choice Requires="wps"><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>'
    fallback = f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback>"
    anchored = f"<w:r><mc:AlternateContent>{choice}{fallback}</mc:AlternateContent></w:r>"
    page = with_body(paragraph(run("Before"), anchored))
    assert texts(page) == ["Before", "Boxed"]


def test_content_controls_around_rows_cells_and_runs_are_looked_through() -> None:
    def control(inner: str) -> str:
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{inner}</w:sdtContent></w:sdt>"

    page = with_body(
        table([1000, 1000], control(row(cell("a"), control(cell("b"))))) + control(paragraph(control(run("text"))))
    )
    assert list(by_text(page)) == ["a", "b"]
    assert texts(page) == ["text"]


def test_a_layout_table_gives_way_to_the_tables_in_it() -> None:
    inner = table([800, 800], row(cell("Mon"), cell("Tue")), row(cell("Art"), cell("PE")))
    other = inner.replace("Mon", "Wed")
    page = with_body(table([4000, 4000], row(cell("Class 1"), cell("Class 2")), row(holding(inner), holding(other))))
    assert texts(page) == ["Class 1", "Class 2"]
    left, right = page.tables
    assert left.box.right < right.box.left
    assert left.box.top == right.box.top > page.lines[0].box.bottom - 1e-6


def test_a_small_table_in_a_cell_is_text_of_that_cell() -> None:
    inner = table([400], row(cell("with Room 2")))
    written = row(cell("PE"), holding(paragraph(run("Art")), inner))
    page = with_body(table([2000, 2000], row(cell("Mon"), cell("Tue")), written))
    assert len(page.tables) == 1
    assert "Art with Room 2" in by_text(page)


def test_tabs_part_a_line_as_a_wide_gap_does() -> None:
    page = with_body(paragraph(run("Monday"), "<w:r><w:tab/></w:r>", run("9:00"), "<w:r><w:tab/></w:r>", run("Maths")))
    assert texts(page) == ["Monday", "9:00", "Maths"]
    assert len({line.box.top for line in page.lines}) == 1
    assert page.lines[0].box.right < page.lines[1].box.left


def test_header_and_footer_stand_above_and_below() -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Green School"
    document.sections[0].footer.paragraphs[0].text = "Term 2"
    document.add_paragraph("body")
    (page,) = pages_of(document)
    assert texts(page) == ["Green School", "body", "Term 2"]
    assert [line.box.top for line in page.lines] == sorted(line.box.top for line in page.lines)


def test_page_breaks_and_new_sections_begin_a_page_but_continuous_ones_do_not() -> None:
    document = docx.Document()
    document.add_paragraph("one").add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("two")
    document.add_section(WD_SECTION.CONTINUOUS)
    document.add_paragraph("still two")
    document.add_section(WD_SECTION.NEW_PAGE)
    document.add_paragraph("three")
    pages = pages_of(document)
    assert [texts(page) for page in pages] == [["one"], ["two", "still two"], ["three"]]
    assert [page.number for page in pages] == [0, 1, 2]


def test_pages_over_the_limit_are_left_out_with_a_warning() -> None:
    document = docx.Document()
    for text in "abc":
        document.add_paragraph(text).add_run().add_break(WD_BREAK.PAGE)
    pages, warnings = read_docx(saved(document), Limits(max_pages=2))
    assert [texts(page) for page in pages] == [["a"], ["b"]]
    assert len(warnings) == 1


def test_size_weight_colour_and_shading_come_from_run_style_and_cell() -> None:
    document = docx.Document()
    styled = document.add_paragraph("x", style="Heading 1")
    own = document.add_paragraph().add_run("y")
    own.font.size, own.font.bold, own.font.color.rgb = Pt(20), True, RGBColor(200, 0, 0)
    grid = document.add_table(1, 2)
    grid.cell(0, 0).text, grid.cell(0, 1).text = "dark", "plain"
    for index, fill in enumerate(("1F4E79", "FFFFFF")):
        shading = parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{fill}"/>')
        grid.cell(0, index)._tc.get_or_add_tcPr().append(shading)
    (page,) = pages_of(document)
    heading, line = page.lines
    assert (heading.size, heading.bold) == (styled.style.font.size.pt, True)
    assert (line.size, line.bold, line.color) == (20.0, True, (200, 0, 0))
    assert [cell.fill for cell in page.tables[0].cells] == [(0x1F, 0x4E, 0x79), None]


def test_a_table_over_the_cell_limit_is_refused() -> None:
    document = docx.Document()
    document.add_table(5, 5)
    with pytest.raises(LimitExceeded, match="more than 20 cells"):
        pages_of(document, Limits(max_cells=20))


def test_an_empty_document_is_an_empty_page() -> None:
    (page,) = pages_of(docx.Document())
    assert not page.has_text


def repacked(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    out = BytesIO()
    with ZipFile(BytesIO(data)) as source, ZipFile(out, "w") as target:
        for name in source.namelist():
            part = change(name, source.read(name))
            if part is not None:
                target.writestr(name, part)
    return out.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda name, part: None if name == "word/document.xml" else part, id="main part missing"),
        pytest.param(lambda name, part: part[:-9] if name == "word/document.xml" else part, id="XML cut off"),
        pytest.param(lambda name, part: b"<a/>" if name == "word/document.xml" else part, id="other XML"),
        pytest.param(lambda name, part: None if name == "[Content_Types].xml" else part, id="no content types"),
    ],
)
def test_damage_ends_in_one_error(change: Callable[[str, bytes], bytes | None]) -> None:
    document = docx.Document()
    document.add_paragraph("secret words")
    with pytest.raises(UnreadableDocument) as caught:
        read_docx(repacked(saved(document), change), LIMITS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all"])
def test_what_is_no_word_file_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        read_docx(data, LIMITS)


def test_a_link_to_a_picture_elsewhere_is_not_followed() -> None:
    document = docx.Document()
    document.add_paragraph("text")
    picture = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    document.part.relate_to("http://192.0.2.1/x.png", picture, is_external=True)
    assert texts(pages_of(document)[0]) == ["text"]
