"""Changes to a page after which it still says the same: its place, its size, the order of its lines, its capitals."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from pocai.documents.page import Box, Document, Line, Page, Point, Quad, Table

Change: TypeAlias = Callable[[Document], Document]
_Place: TypeAlias = Callable[[Point], Point]
_SEED = 7


def shifted(document: Document) -> Document:
    """Every page with a margin more at the left and at the top."""
    return _pages(document, lambda page: _moved(page, lambda point: (point[0] + 61, point[1] + 83), 1.0, (61, 83)))


def larger(document: Document) -> Document:
    """Every page 1.7 times as large, as a picture of a finer resolution is."""
    return _pages(document, lambda page: _moved(page, lambda point: (point[0] * 1.7, point[1] * 1.7), 1.7, (0, 0)))


def reordered(document: Document) -> Document:
    """The lines of every page, and of every cell, in another order."""
    return _pages(document, _reordered)


def capitals(document: Document) -> Document:
    """All texts in capital letters."""
    return _texts(document, str.upper)


def without_accents(document: Document) -> Document:
    """All texts without the marks on their letters: é becomes e, ü becomes u."""
    return _texts(document, plain)


def plain(text: str) -> str:
    """A text without the marks on its letters."""
    parted = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(letter for letter in parted if not unicodedata.combining(letter)))


def folded(text: str) -> str:
    """A text as it is compared after these changes: small letters without marks."""
    return plain(text.casefold())


CHANGES: Mapping[str, Change] = {
    "a wider margin": shifted,
    "a larger page": larger,
    "another order of lines": reordered,
    "capital letters": capitals,
    "no accents": without_accents,
}


def _pages(document: Document, change: Callable[[Page], Page]) -> Document:
    return replace(document, pages=tuple(map(change, document.pages)))


def _reordered(page: Page) -> Page:
    random = np.random.default_rng((_SEED, len(page.lines)))
    lines = tuple(page.lines[number] for number in random.permutation(len(page.lines)).tolist())
    return replace(page, lines=lines)


def _texts(document: Document, change: Callable[[str], str]) -> Document:
    def changed(line: Line) -> Line:
        words = tuple(replace(word, text=change(word.text)) for word in line.words)
        return replace(line, text=change(line.text), words=words, alternatives=tuple(map(change, line.alternatives)))

    return _pages(document, lambda page: _with_lines(page, changed))


def _with_lines(page: Page, change: Callable[[Line], Line]) -> Page:
    """A page with each line changed, those in the cells of its tables too; a line that stands in both stays one."""
    fresh: dict[int, Line] = {}

    def once(line: Line) -> Line:
        return fresh.setdefault(id(line), change(line))

    tables = tuple(
        Table(tuple(replace(cell, lines=tuple(map(once, cell.lines))) for cell in table.cells), table.name)
        for table in page.tables
    )
    return replace(page, lines=tuple(map(once, page.lines)), tables=tables)


def _moved(page: Page, place: _Place, by: float, more: Point) -> Page:
    """A page whose points are at another ``place``, ``by`` times as large, with ``more`` room at the left and top."""

    def box(old: Box) -> Box:
        return Box(*place((old.left, old.top)), *place((old.right, old.bottom)))

    def moved(line: Line) -> Line:
        words = tuple(replace(word, box=box(word.box)) for word in line.words)
        return replace(line, quad=Quad(*map(place, line.quad)), size=line.size * by, words=words)

    page = _with_lines(page, moved)
    tables = tuple(
        Table(tuple(replace(cell, box=box(cell.box)) for cell in table.cells), table.name) for table in page.tables
    )
    return replace(
        page,
        width=page.width * by + more[0],
        height=page.height * by + more[1],
        rules=tuple(replace(rule, start=place(rule.start), end=place(rule.end)) for rule in page.rules),
        fills=tuple(replace(fill, box=box(fill.box)) for fill in page.fills),
        pictures=tuple(replace(picture, box=box(picture.box)) for picture in page.pictures),
        tables=tables,
    )
