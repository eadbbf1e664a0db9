"""Made pages without a picture: a drawing becomes what a reader would hand on, lines and rules, with the truth.

Nothing is painted or recognized, which makes a page in a few hundredths of a second. What a detector and a recognizer
do to a page is imitated instead: texts that stand close in a row become one line, boxes shake, letters are misread,
rules are missed, panels are seen as their rims.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from numpy.random import Generator

from pocai.documents.page import Box, Fill, Line, Page, Quad, Rule
from pocai.synthetic.document import Drawing, Role, Sheet, Text
from pocai.synthetic.printed import PrintedLine
from pocai.training.document_model.made_styles import restyled
from pocai.training.document_model.misreading import misread

_STRONGEST: tuple[Role, ...] = ("event", "break", "note", "time", "day")  # the role of several texts in one line
_NEAR = 0.9  # heights of text between two texts of a row that a detector takes for one line
PDF, OCR = "pdf", "ocr"

Blocks = frozenset[tuple[int, int]]  # (timetable, block) pairs


@dataclass(frozen=True, slots=True)
class Truth:
    """What a line is, and the blocks that it belongs to."""

    role: Role
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class MadePage:
    """A page as it is read, and the truth about each of its lines."""

    page: Page
    truths: tuple[Truth, ...]


def made_pages(drawing: Drawing, rng: Generator, *, plain: bool = False) -> tuple[MadePage, ...]:
    """The pages of a drawing as read by OCR or from a PDF; ``plain`` is a PDF in which nothing is missed."""
    return tuple(_page(sheet, number, rng, plain=plain) for number, sheet in enumerate(drawing.sheets))


def _page(sheet: Sheet, number: int, rng: Generator, *, plain: bool) -> MadePage:
    native = plain or rng.random() < 0.25  # noqa: PLR2004 -- a quarter as from PDF files
    sheet = sheet if plain else restyled(sheet, rng)
    scale = 1.0 if native else float(rng.uniform(1.0, 3.0))
    texts = [text for text in (*sheet.texts, *sheet.under) if text.text.strip()]
    groups = _rows(texts, sheet, 0.0 if plain else float(rng.uniform(0.2, _NEAR)))
    noise = 0.0 if native else float(rng.choice((0.0, 0.005, 0.02, 0.06)))
    kept = [group for group in groups if plain or native or rng.random() >= noise / 2]
    lines = [_line(group, scale, rng, native=native, noise=noise) for group in kept]
    order = sorted(range(len(lines)), key=lambda i: (round(lines[i].box.center[1] / (6 * scale)), lines[i].box.left))
    page = Page(
        number,
        sheet.width * scale,
        sheet.height * scale,
        tuple(lines[i] for i in order),
        tuple(_rules(sheet, scale, rng, native=native, whole=plain)),
        tuple(_fill(fill, scale) for fill in sheet.fills) if native else (),
        unit="pt" if native else "px",
    )
    return MadePage(page, tuple(truth_of(kept[i]) for i in order))


def truth_of(texts: Iterable[Text | PrintedLine]) -> Truth:
    """What a line is that holds some printed ones; of none it is something else."""
    texts = list(texts)
    roles = {text.role for text in texts}
    role = next((role for role in _STRONGEST if role in roles), texts[0].role if texts else "other")
    return Truth(role, frozenset((text.timetable, block) for text in texts for block in text.blocks))


def _rows(texts: Sequence[Text], sheet: Sheet, near: float) -> list[list[Text]]:
    """Texts that stand so close in a row, with no rule or panel between, that a detector takes them for one line."""
    rows: list[list[Text]] = []
    for text in sorted(texts, key=lambda text: text.box.left):
        row = None if text.angle else next((row for row in rows if _goes_on(row[-1], text, sheet, near)), None)
        if row is None:
            rows.append([text])
        else:
            row.append(text)
    return rows


def _goes_on(text: Text, other: Text, sheet: Sheet, near: float) -> bool:
    left, right = text.box, other.box
    if text.angle or abs(left.center[1] - right.center[1]) > 0.3 * left.height:
        return False
    gap = right.left - left.right
    if not -1 <= gap < near * left.height or abs(left.height - right.height) > 0.4 * left.height:
        return False
    walls = (rule.start[0] for rule in sheet.rules if _crosses(rule, left.center[1]))
    rims = (x for fill in sheet.fills if fill.box.top < left.center[1] < fill.box.bottom for x in fill.box[::2])
    return not any(left.right - 1 <= x <= right.left + 1 for x in (*walls, *rims))


def _crosses(rule: Rule, y: float) -> bool:
    return not rule.horizontal and min(rule.start[1], rule.end[1]) <= y <= max(rule.start[1], rule.end[1])


def _line(texts: Sequence[Text], scale: float, rng: Generator, *, native: bool, noise: float) -> Line:
    first = texts[0]
    box = Box(*(value * scale for value in Box.around(text.box for text in texts)))
    if not native:
        box = _shaken(box, rng)
    said = " ".join(text.text.strip() for text in texts)
    size = first.style.size * scale
    return Line(
        said if native else misread(said, rng, noise),
        Quad.of(box, first.angle),
        float(first.angle),
        None if native else float(rng.uniform(0.8, 1.0)),
        "pdf" if native else "ocr",
        size=size if native else size * float(rng.uniform(0.9, 1.1)),
        bold=first.style.bold and native,
        color=first.style.color,
        weight=0.0 if native else (0.16 if first.style.bold else 0.1) * float(rng.uniform(0.85, 1.15)),
    )


def _shaken(box: Box, rng: Generator) -> Box:
    """A box as a detector gives it: a little too large or small on each side."""
    by = rng.normal(0.06, 0.08, 4) * min(box.height, box.width)
    shaken = Box(box.left - by[0], box.top - by[1], box.right + by[2], box.bottom + by[3])
    return box if shaken.right <= shaken.left or shaken.bottom <= shaken.top else Box(*(float(v) for v in shaken))


def _fill(fill: Fill, scale: float) -> Fill:
    return Fill(Box(*(value * scale for value in fill.box)), fill.color)


def _rules(sheet: Sheet, scale: float, rng: Generator, *, native: bool, whole: bool) -> Iterable[Rule]:
    """The rules that are found: all of a PDF file; of a picture most of them, and the rims of panels."""
    rules = [Rule(rule.start, rule.end, rule.thickness) for rule in sheet.rules]
    if not native:
        rims = [rim for fill in sheet.fills if rng.random() < 0.8 for rim in _rims(fill.box)]  # noqa: PLR2004
        rules += rims
    if not whole and rng.random() < 0.08:  # noqa: PLR2004 -- a page of which no rule is seen
        return
    missed = 0.0 if native else float(rng.choice((0.0, 0.0, 0.03)))
    for rule in rules:
        if rng.random() >= missed:
            yield replace(rule, start=_scaled(rule.start, scale), end=_scaled(rule.end, scale))


def _scaled(point: tuple[float, float], scale: float) -> tuple[float, float]:
    return point[0] * scale, point[1] * scale


def _rims(box: Box) -> list[Rule]:
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    return [Rule(a, b, 0.5) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
