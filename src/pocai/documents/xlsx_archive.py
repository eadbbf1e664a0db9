"""Cuts an Excel file down to what is printed, before a library builds objects from it.

A sheet may claim a million formatted rows, or merge all of its 17 billion cells; openpyxl makes an object of each.
So the XML is cut first, as bytes: nothing behind the cells but their merges stays, no empty cells beyond the limit.
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO

from pocai.errors import UnreadableDocument

_UNPRINTED = re.compile(
    r"sheets/_rels/|^docProps/|(?:^|/)(?:drawings|media|charts|embeddings|externalLinks|pivot\w*|customXml|ctrlProps"
    r"|activeX|queryTables|tables|threadedComments|persons|printerSettings)/|comments[^/]*\.xml$|\.bin$|\.vml$",
    re.IGNORECASE,
)
_END = re.compile(rb"</((?:\w+:)?)sheetData\s*>|<((?:\w+:)?)sheetData\s*/>")
_ROOT = re.compile(rb"<(?:\w+:)?worksheet\b")
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_ANY_MERGE = re.compile(rb"<(?:\w+:)?mergeCell")
_CELL = re.compile(rb"<(?:\w+:)?c[\s>/]")
_EMPTY_CELL = re.compile(rb"<(?:\w+:)?c(?:\s[^<>]*)?(?:/>|>\s*</(?:\w+:)?c>)")
_EMPTY_ROW = re.compile(rb"<(?:\w+:)?row(?:\s[^<>]*)?(?:/>|>\s*</(?:\w+:)?row>)")
_ROW = re.compile(rb"<(?:\w+:)?row[\s>/]")
_ROW_END = re.compile(rb"</(?:\w+:)?row>")
_VALUE = re.compile(rb"</(?:\w+:)?(?:v|is)>")
_UNCALCULATED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^<>]*)?/>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
_ENCODINGS = frozenset({b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"})
_HEAD = 512  # bytes that hold an XML declaration
_MERGED_FOR_EACH = 5  # merged cells that are kept for each cell of the limit


def printed_part(data: bytes, max_cells: int) -> tuple[bytes, tuple[str, ...]]:
    """A copy of the file with only what is printed, and warnings about what was cut from it.

    Raises `UnreadableDocument` for a sheet without cell data, and for an encoding that the cut cannot read.
    """
    out = BytesIO()
    warnings: list[str] = []
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in dict.fromkeys(source.namelist()):
            if _UNPRINTED.search(name) or name.endswith("/"):
                continue
            part = source.read(name)
            _check_encoding(part[:_HEAD])
            if _ROOT.search(part):
                part, said = _printed_sheet(part, max_cells)
                warnings += said
            target.writestr(name, part)
    return out.getvalue(), tuple(dict.fromkeys(warnings))


def _check_encoding(head: bytes) -> None:
    encoding = _ENCODING.match(head.removeprefix(codecs.BOM_UTF8))
    if b"\0" in head or (encoding and encoding[1].lower() not in _ENCODINGS):
        raise UnreadableDocument(
            "the Excel file has a part in an encoding that no spreadsheet program writes",
            mend="Save it again in Excel or LibreOffice",
        )


def _printed_sheet(xml: bytes, max_cells: int) -> tuple[bytes, list[str]]:
    end = _END.search(xml)
    if end is None or _ANY_MERGE.search(xml, 0, end.start()):
        raise UnreadableDocument(
            "a sheet of the Excel file holds no cell data where it belongs",
            mend="Save it again in Excel or LibreOffice",
        )
    prefix = end[1] if end[1] is not None else end[2]
    cells, warnings = _limited(xml[: end.start()], max_cells)
    if _UNCALCULATED.search(cells):
        warnings.append("formulas without a stored result are left empty; open the file in Excel and save it")
    tail = b"".join(_merges(xml[end.end() :], prefix, max_cells * _MERGED_FOR_EACH))
    closing = end.group() if end.group().endswith(b"/>") else b"</%ssheetData>" % prefix
    merges = b"<%smergeCells>%s</%smergeCells>" % (prefix, tail, prefix) if tail else b""
    return b"%s%s%s</%sworksheet>" % (cells, closing, merges, prefix), warnings


def _limited(xml: bytes, max_cells: int) -> tuple[bytes, list[str]]:
    """The sheet up to the end of its rows, with no more than ``max_cells`` cells: first the empty ones go."""
    if _fits(xml, max_cells):
        return xml, []
    last = max((match.end() for match in _VALUE.finditer(xml)), default=0)
    end = _ROW_END.search(xml, last)
    xml = xml[: end.end() if end and last else _first_row(xml)]
    if _fits(xml, max_cells):
        return xml, []
    xml = _EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", xml))
    if _fits(xml, max_cells):
        return xml, [f"a sheet has more than {max_cells} cells; the empty ones were left out"]
    kept = xml
    for count, match in enumerate(_CELL.finditer(xml)):
        if count == max_cells:
            ends = [row.end() for row in _ROW_END.finditer(xml, 0, match.start())]
            kept = xml[: ends[-1]] if ends else xml[: _first_row(xml)]
            break
    return kept, [f"a sheet has more than {max_cells} cells; the rows below were left out (limits.max_cells)"]


def _first_row(xml: bytes) -> int:
    found = _ROW.search(xml)
    return found.start() if found else len(xml)


def _fits(xml: bytes, max_cells: int) -> bool:
    """Whether cells, and rows which may be empty, are no more than that."""
    return all(sum(1 for _ in pattern.finditer(xml)) <= max_cells for pattern in (_CELL, _ROW))


def _merges(xml: bytes, prefix: bytes, budget: int) -> Iterator[bytes]:
    """The merged ranges, but for those that would cover more cells than the ``budget``."""
    for left, top, right, bottom in _MERGE.findall(xml):
        width = _column(right) - _column(left) + 1
        area = width * (int(bottom) - int(top) + 1)
        if 1 < area <= budget and width > 0:
            budget -= area
            yield b'<%smergeCell ref="%s%s:%s%s"/>' % (prefix, left, top, right, bottom)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
