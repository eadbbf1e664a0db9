"""Reads Word files (.docx, .docm): text and tables as they are printed, on pages of their own geometry.

A Word file says nothing about where its pages end but for the breaks that someone put there; only these begin a
new `Page`. Macros, pictures and everything outside the file are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from pocai.documents.docx_table import read_table, within
from pocai.documents.docx_text import PageBreak, Styles, TextBox, W, attribute, points, read_paragraph, switched_on
from pocai.documents.office import CELL_MARGIN, Block, Frame, Grid, Writing, flow, reading
from pocai.documents.page import Page
from pocai.settings import Limits

_R_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PAPER = (595.3, 841.9)  # A4 in points
_MARGIN = 72.0


@dataclass(frozen=True, slots=True)
class _Paper:
    """Paper of a section, in points."""

    width: float
    height: float
    left: float
    top: float
    right: float

    @property
    def text_width(self) -> float:
        return max(self.width - self.left - self.right, self.width / 4)


@dataclass(frozen=True, slots=True)
class _Section:
    """Paragraphs and tables that share paper, headers and footers; ``continues`` on the page of the one before."""

    elements: tuple[Any, ...]
    properties: Any

    @property
    def continues(self) -> bool:
        return attribute(self.properties, "type") == "continuous"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A page before its blocks have a place."""

    paper: _Paper
    margins: Mapping[str, tuple[Block, ...]]  # what stands in the "header" and the "footer"
    blocks: tuple[Block, ...]

    @property
    def written(self) -> bool:
        return any(block.text if isinstance(block, Writing) else block.cells for block in self.blocks)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what holds paragraphs and tables: the body, a cell, a header, a text box."""

    styles: Styles
    max_cells: int
    text_width: float

    def stream(self, elements: Iterable[Any]) -> Iterator[Block | PageBreak]:
        """Paragraphs (``w:p``) and tables (``w:tbl``) as blocks, each text box behind the line that holds it."""
        for element in elements:
            if element.tag == W + "tbl":
                yield read_table(element, self.text_width, self.blocks, self.max_cells)
                continue
            for item in read_paragraph(element, self.styles):
                if isinstance(item, TextBox):
                    yield from self.stream(_children(item.element))
                else:
                    yield item

    def blocks(self, element: Any) -> list[Block]:
        """All blocks of a cell, header or footer, where no page can end."""
        return [item for item in self.stream(_children(element)) if not isinstance(item, PageBreak)]


def read_docx(data: bytes, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """The pages of a Word file, in points, and what had to be left out.

    Raises:
        UnreadableDocument: the file is damaged, or is no Word file.
        LimitExceeded: a table has more than ``limits.max_cells`` cells.
    """
    with reading("DOCX"):
        drafts = _drafts(data, limits)
        written = [draft for draft in drafts if draft.written] or drafts[:1]
        pages = tuple(_page(number, draft) for number, draft in enumerate(written[: limits.max_pages]))
    if len(written) > len(pages):
        return pages, (f"{len(written) - len(pages)} pages after the first {len(pages)} were left out",)
    return pages, ()


def _drafts(data: bytes, limits: Limits) -> list[_Draft]:
    import docx  # noqa: F401 (registers the kinds of parts with the package)
    from docx.opc.package import OpcPackage

    part = OpcPackage.open(BytesIO(data)).main_document_part
    styles = Styles.of(next((_root(other) for other in _related(part) if other.partname.endswith("styles.xml")), None))
    drafts: list[_Draft] = []
    references: dict[str, str] = {}
    for section in _sections(_root(part).find(W + "body")):
        paper = _paper(section.properties)
        reader = _Reader(styles, limits.max_cells, paper.text_width)
        references |= _references(section.properties)
        pages = _split(reader.stream(section.elements))
        if section.continues and drafts:
            drafts[-1] = replace(drafts[-1], blocks=drafts[-1].blocks + pages.pop(0))
        for index, blocks in enumerate(pages):
            first = index == 0 and bool(switched_on(section.properties, "titlePg"))
            drafts.append(_Draft(paper, _margins(part, reader, references, first=first), blocks))
    return drafts


def _root(part: Any) -> Any:
    """The XML of a part of the package, parsed without resolving entities."""
    from docx.oxml.parser import parse_xml

    element = getattr(part, "element", None)
    return parse_xml(part.blob) if element is None else element


def _related(part: Any) -> list[Any]:
    """The parts that belong to this one; links to anything outside the file are not followed."""
    return [relation.target_part for relation in part.rels.values() if not relation.is_external]


def _children(element: Any) -> Iterator[Any]:
    return within(element, W + "p", W + "tbl")


def _sections(body: Any) -> Iterator[_Section]:
    elements: list[Any] = []
    for element in _children(body):
        elements.append(element)
        properties = element.find(f"{W}pPr/{W}sectPr")
        if properties is not None:
            yield _Section(tuple(elements), properties)
            elements = []
    yield _Section(tuple(elements), body.find(W + "sectPr"))


def _paper(properties: Any) -> _Paper:
    def measure(path: str, name: str, default: float) -> float:
        return points(attribute(properties, path, name)) or default

    left, top, right = (abs(measure("pgMar", side, _MARGIN)) for side in ("left", "top", "right"))
    return _Paper(measure("pgSz", "w", _PAPER[0]), measure("pgSz", "h", _PAPER[1]), left, top, right)


def _references(properties: Any) -> dict[str, str]:
    """Relation ids of a section's own headers and footers by kind and type ("header first")."""
    found = () if properties is None else properties.iterfind("*")
    return {
        f"{kind} {element.get(W + 'type', 'default')}": element.get(_R_ID, "")
        for element in found
        for kind in ("header", "footer")
        if element.tag == f"{W}{kind}Reference"
    }


def _margins(part: Any, reader: _Reader, references: Mapping[str, str], *, first: bool) -> dict[str, tuple[Block, ...]]:
    """What header and footer say; their tables only set text side by side."""
    margins = {}
    for kind in ("header", "footer"):
        relation = part.rels.get(references.get(f"{kind} {'first' if first else 'default'}", ""))
        blocks = () if relation is None or relation.is_external else reader.blocks(_root(relation.target_part))
        margins[kind] = tuple(replace(block, flat=True) if isinstance(block, Grid) else block for block in blocks)
    return margins


def _split(items: Iterable[Block | PageBreak]) -> list[tuple[Block, ...]]:
    """The blocks of each page; always at least one page."""
    pages: list[list[Block]] = [[]]
    for item in items:
        if isinstance(item, PageBreak):
            pages.append([])
        else:
            pages[-1].append(item)
    return [tuple(blocks) for blocks in pages]


def _page(number: int, draft: _Draft) -> Page:
    """Header, body and footer down the page; a page is as high as what it holds, but not lower than its paper."""
    paper = draft.paper
    frame = Frame(paper.left, min(paper.top, _MARGIN) / 2, paper.text_width, "docx")
    header = flow(draft.margins["header"], frame)
    body = flow(draft.blocks, frame._replace(top=max(header.bottom, paper.top)))
    footer = flow(draft.margins["footer"], frame._replace(top=body.bottom))
    tables = body.tables
    right = max((table.box.right for table in tables), default=0.0)
    return Page(
        number=number,
        width=max(paper.width, right + CELL_MARGIN),
        height=max(paper.height, footer.bottom + _MARGIN / 2),
        lines=header.lines + body.lines + footer.lines,
        tables=tables,
        unit="pt",
    )
