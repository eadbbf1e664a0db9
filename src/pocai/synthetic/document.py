"""A made document before it is rendered: what is drawn where, in which role, and what it means.

A layout draws a `Drawing`; painters turn it into a picture, a PDF, a Word or an Excel file. Units are points (1/72
inch), the origin at the top left, y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocai.documents.page import Box, Color, Fill, Rule
from pocai.timetable.timetable import Timetable

Role = Literal[
    "title", "teacher", "class", "term", "year", "day", "period", "time", "event", "note", "key", "break", "other"
]
Align = Literal["left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Style:
    """How text is set: the family of its face (see `pocai.synthetic.fonts`), size in points, ink."""

    face: str
    size: float
    color: Color = (0, 0, 0)
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """One printed line: where (``box`` is its place on the page), how, and what it is.

    ``angle`` is the reading direction as in `pocai.documents.page.Line.angle`. ``blocks`` are the indices into the
    time blocks of ``timetable`` (an index into `Drawing.timetables`) that the line belongs to; empty for none.
    """

    text: str
    box: Box
    style: Style
    role: Role
    align: Align = "left"
    angle: int = 0
    timetable: int = 0
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stroke(Rule):
    """A printed rule with its ink."""

    color: Color = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Panel(Fill):
    """A filled region whose corners are rounded by ``radius`` points."""

    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell of a table with the lines in it, for Word and Excel; rows and columns count from 0."""

    box: Box
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    texts: tuple[Text, ...] = ()
    fill: Color | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: edges of its columns (x) and rows (y) in points, and its cells."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    cells: tuple[GridCell, ...]
    ruled: bool = True


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture without letters, drawn from its seed (see `pocai.synthetic.emblem`): a school's emblem or a doodle."""

    box: Box
    seed: int
    kind: Literal["emblem", "doodle"] = "emblem"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: all its ``texts`` (those of its grids too), rules, fills and logos.

    ``fills``, ``logos``, ``under``, ``rules`` and ``texts`` are printed in this order; ``under`` are watermarks, the
    only texts that others may cross.
    """

    width: float
    height: float
    texts: tuple[Text, ...]
    rules: tuple[Stroke, ...] = ()
    fills: tuple[Panel, ...] = ()
    logos: tuple[Logo, ...] = ()
    grids: tuple[Grid, ...] = ()
    under: tuple[Text, ...] = ()
    paper: Color = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A made document: its sheets, and the timetables that a perfect reader would find in it."""

    sheets: tuple[Sheet, ...]
    timetables: tuple[Timetable, ...]
    layout: str
    language: str
    seed: int
