"""Variants of a few labelled pages: misread letters, lost, split and joined lines, texts that change places.

What stays is what a style is: where things stand, how they look, what belongs together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pocai.documents.page import Box, Cell, Line, Page, Quad, Table
from pocai.models.layout_tokens import lines_of
from pocai.synthetic.document import Role
from pocai.training.document_model.labelled_pages import LabelledPage
from pocai.training.document_model.layout_pages import LayoutPage, layout_page
from pocai.training.document_model.made_pages import MadePage, Truth
from pocai.training.document_model.misreading import misread

SWAPPED = frozenset({"event", "note", "break"})  # roles whose texts may stand in each other's place
RATES = (0.0, 0.0, 0.01, 0.04)  # shares of letters that are misread
SWAP, LOSE, SPLIT, JOIN = 0.5, 0.02, 0.05, 0.15  # chances of each line
STRONGEST: tuple[Role, ...] = ("event", "break", "note", "time")  # the role of a line that joins several
GAP = 1.5  # heights between two lines of a row that a reader may take for one


@dataclass(frozen=True, slots=True)
class Marked:
    """A line with its truth, and whether role and blocks are known."""

    line: Line
    truth: Truth
    known: tuple[bool, bool]


def variant(page: LabelledPage, texts: Mapping[str, Sequence[str]], rng: Generator) -> LayoutPage | None:
    """A page as it might have been; ``texts`` are those of each role in all pages of the style."""
    lines = marked(page)
    if rng.random() < SWAP:
        lines = [_with_other_text(each, texts, rng) for each in lines]
    rate = float(rng.choice(RATES))
    lines = [replace(each, line=replace(each.line, text=misread(each.line.text, rng, rate))) for each in lines]
    if page.made.page.tables:
        return _as_arrays(_with_lines_changed(page.made.page, lines), lines)
    lines = [each for each in lines if rng.random() >= LOSE]
    lines = _joined(lines, rng)
    lines = [part for each in lines for part in (_split(each) if rng.random() < SPLIT else [each])]
    return _as_arrays(page.made.page.with_lines([each.line for each in lines]), lines)


def plain(page: LabelledPage) -> LayoutPage | None:
    """A page as it is, as arrays."""
    return _as_arrays(page.made.page, marked(page))


def texts_by_role(pages: Sequence[LabelledPage]) -> Mapping[str, Sequence[str]]:
    """The texts of each role whose texts may be exchanged."""
    texts: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        for each in marked(page):
            if each.truth.role in SWAPPED and each.truth.blocks:
                texts[each.truth.role].add(each.line.text)
    return {role: sorted(found) for role, found in texts.items()}


def marked(page: LabelledPage) -> list[Marked]:
    """The lines of a page with what is known of them."""
    known = zip(page.roles_known, page.blocks_known, strict=True)
    return [Marked(*each) for each in zip(lines_of(page.made.page), page.made.truths, known, strict=True)]


def _as_arrays(page: Page, lines: Sequence[Marked]) -> LayoutPage | None:
    known: NDArray[np.bool_] = np.array([each.known for each in lines], np.bool_).reshape(-1, 2)
    return layout_page(MadePage(page, tuple(each.truth for each in lines)), known)


def _with_other_text(each: Marked, texts: Mapping[str, Sequence[str]], rng: Generator) -> Marked:
    """With a text of the same role that is about as long."""
    length = len(each.line.text)
    others = [text for text in texts.get(each.truth.role, ()) if 0.6 * length <= len(text) <= 1.5 * length]
    if not others or not each.truth.blocks:
        return each
    return replace(each, line=replace(each.line, text=others[int(rng.integers(len(others)))]))


def _with_lines_changed(page: Page, lines: Sequence[Marked]) -> Page:
    """A page with native tables, each of its lines replaced."""
    fresh = {id(old): new.line for old, new in zip(lines_of(page), lines, strict=True)}
    swap: Callable[[Sequence[Line]], tuple[Line, ...]] = lambda old: tuple(fresh[id(line)] for line in old)  # noqa: E731
    tables = tuple(
        Table(tuple(_cell(cell, swap(cell.lines)) for cell in table.cells), table.name) for table in page.tables
    )
    return replace(page, lines=swap(page.lines), tables=tables)


def _cell(cell: Cell, lines: tuple[Line, ...]) -> Cell:
    return replace(cell, lines=lines)


def _split(each: Marked) -> list[Marked]:
    """A line cut at its middle space, as readers cut where the gap is wide."""
    words = each.line.text.split(" ")
    if len(words) < 2 or round(each.line.angle) % 360:  # noqa: PLR2004
        return [each]
    at = len(words) // 2
    left, right = " ".join(words[:at]), " ".join(words[at:])
    box = each.line.box
    middle = box.left + box.width * (len(left) + 0.5) / (len(left) + len(right) + 1)
    gap = 0.15 * box.height
    halves = ((left, Box(box.left, box.top, middle - gap, box.bottom)), (right, Box(middle + gap, *box[1:])))
    return [replace(each, line=replace(each.line, text=text, quad=Quad.of(part))) for text, part in halves]


def _joined(lines: Sequence[Marked], rng: Generator) -> list[Marked]:
    """Lines with some neighbours in a row, of the same blocks, read as one."""
    left = list(lines)
    for each in lines:
        if rng.random() >= JOIN or each not in left or not each.truth.blocks or round(each.line.angle) % 360:
            continue
        behind = next((other for other in left if other is not each and _goes_on(each, other)), None)
        if behind is not None:
            left[left.index(each)] = _one(each, behind)
            left.remove(behind)
    return left


def _goes_on(one: Marked, other: Marked) -> bool:
    a, b = one.line.box, other.line.box
    row = abs(a.center[1] - b.center[1]) < 0.3 * a.height and -0.1 * a.height <= b.left - a.right < GAP * a.height
    return row and one.truth.blocks == other.truth.blocks and not round(other.line.angle) % 360


def _one(one: Marked, other: Marked) -> Marked:
    box = Box.around((one.line.box, other.line.box))
    roles = {one.truth.role, other.truth.role}
    strongest = next((role for role in STRONGEST if role in roles), one.truth.role)
    line = replace(one.line, text=f"{one.line.text} {other.line.text}", quad=Quad.of(box), words=())
    known = (one.known[0] and other.known[0], one.known[1] and other.known[1])
    return Marked(line, Truth(strongest, one.truth.blocks), known)
