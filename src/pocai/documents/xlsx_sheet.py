"""A worksheet as what is seen of it: written and coloured cells, merges, drawn edges, columns and rows in points."""

from __future__ import annotations

import colorsys
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any

from pocai.documents.number_format import displayed
from pocai.documents.office import (
    CELL_MARGIN,
    DOWNWARDS,
    UPWARDS,
    Align,
    Writing,
    text_width,
    writing_height,
)
from pocai.documents.page import Color

Place = tuple[int, int]  # row, column

_ALIGN: Mapping[str | None, Align] = {"center": "center", "centerContinuous": "center", "right": "right"}
_STACKED = 255  # a textRotation: the letters stand one below the other
_STEEP = 60  # degrees from which slanted text counts as vertical
_TURNED = 90  # textRotation counts on from here for text that is turned clockwise
_GAP = 2  # empty rows or columns that are kept of any number of them
_WIDTH, _HEIGHT = 9.14, 15.0  # of columns in digits and rows in points, where nothing is said
_DIGIT = 5.25  # points of a digit in the standard font
_WHITE = (255, 255, 255)
_HUE_STEPS = 255.0
_THEME = ("lt1", "dk1", "lt2", "dk2", "accent1", "accent2", "accent3", "accent4", "accent5", "accent6")


@dataclass(frozen=True, slots=True)
class Area:
    """One cell as it is seen, merged or not: its rows and columns (first, and one behind the last)."""

    top: int
    left: int
    bottom: int
    right: int
    writings: tuple[Writing, ...] = ()
    angle: int = 0
    fill: Color | None = None

    def places(self) -> Iterator[Place]:
        return ((row, column) for row in range(self.top, self.bottom) for column in range(self.left, self.right))


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a worksheet shows. Rows and columns count only those that are seen; of long gaps two remain.

    ``above`` holds (row, column) where a line is drawn on the row's upper edge; ``before`` on the column's left one.
    ``xs`` and ``ys`` are the edges of columns and rows in points. ``framed`` are empty cells with borders of their own.
    """

    areas: tuple[Area, ...]
    above: frozenset[Place]
    before: frozenset[Place]
    framed: frozenset[Place]
    xs: tuple[float, ...]
    ys: tuple[float, ...]

    def is_drawn(self, place: Place) -> bool:
        """Whether an empty cell is part of a ruled table: with borders, and lines on opposite sides of it."""
        row, column = place
        beside = place in self.before and (row, column + 1) in self.before
        return place in self.framed and (beside or (place in self.above and (row + 1, column) in self.above))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a cell's style says of how it is seen; ``sides`` are its borders: left, right, top, bottom."""

    number_format: str
    size: float
    bold: bool
    color: Color | None
    align: Align
    angle: int
    fill: Color | None
    sides: tuple[bool, bool, bool, bool]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A cell that has text, colour or borders."""

    row: int
    column: int
    text: str
    look: _Look
    covered: bool  # by a merge that begins elsewhere


def read_sheet(sheet: Any, theme: Sequence[Color]) -> Sheet:
    """What an openpyxl worksheet shows; ``theme`` are the theme's colours in Excel's order."""
    seen = list(_seen_cells(sheet, theme))
    merges = [(merge.min_row, merge.min_col, merge.max_row, merge.max_col) for merge in sheet.merged_cells.ranges]
    written = {(cell.row, cell.column) for cell in seen}
    merges = [merge for merge in merges if merge[:2] in written]
    rows = _kept([*(row for row, _ in written), *(merge[2] for merge in merges)], _hidden_rows(sheet))
    columns = _kept([*(column for _, column in written), *(merge[3] for merge in merges)], _hidden_columns(sheet))
    areas = tuple(_areas(seen, merges, rows, columns))
    widths = _column_widths(sheet)
    xs = tuple(accumulate((widths.get(column, widths[0]) for column in columns), initial=0.0))
    ys = tuple(accumulate(_row_heights(sheet, rows, areas, xs), initial=0.0))
    above, before, framed = _edges(seen, rows, columns)
    return Sheet(areas, above, before, framed, xs, ys)


def _seen_cells(sheet: Any, theme: Sequence[Color]) -> Iterator[_Seen]:
    looks: dict[int, _Look] = {}
    for cell in sheet._cells.values():  # noqa: SLF001 (iter_rows makes all cells up to the last one, 17 billion at worst)
        look = looks.get(cell.style_id)
        if look is None:
            look = looks[cell.style_id] = _look(cell, theme)
        text = displayed(cell.value, look.number_format).strip()
        if text or look.fill or any(look.sides):
            yield _Seen(cell.row, cell.column, text, look, type(cell).__name__ == "MergedCell")


def _look(cell: Any, theme: Sequence[Color]) -> _Look:
    font, alignment, border = cell.font, cell.alignment, cell.border
    sides = (border.left, border.right, border.top, border.bottom)
    turn = alignment.textRotation or 0
    return _Look(
        number_format=cell.number_format,
        size=float(font.sz or 11),
        bold=bool(font.b),
        color=resolved(font.color, theme),
        align=_ALIGN.get(alignment.horizontal, "left"),
        angle=UPWARDS if _STEEP <= turn <= _TURNED else DOWNWARDS if _TURNED + _STEEP <= turn < _STACKED else 0,
        fill=_fill(cell.fill, theme),
        sides=tuple(side is not None and side.style not in (None, "none") for side in sides),  # type: ignore[arg-type] # four sides give four
    )


def _fill(fill: Any, theme: Sequence[Color]) -> Color | None:
    """The colour of a cell; None for white, which is the paper's, and for hatching."""
    stops = getattr(fill, "stop", None)
    if stops:
        found = resolved(stops[0].color, theme)
    else:
        found = resolved(fill.fgColor, theme) if getattr(fill, "fill_type", None) == "solid" else None
    return None if found == _WHITE else found


def resolved(color: Any, theme: Sequence[Color]) -> Color | None:
    """The colour that an openpyxl ``Color`` stands for, its tint applied; None for "automatic"."""
    from openpyxl.styles.colors import COLOR_INDEX

    if color is None:
        return None
    base: Color | None = None
    if color.type == "theme" and color.theme is not None and color.theme < len(theme):
        base = theme[color.theme]
    elif color.type == "indexed" and color.indexed is not None and color.indexed < len(COLOR_INDEX):
        base = _hex(COLOR_INDEX[color.indexed])
    elif color.type == "rgb":
        base = _hex(color.rgb)
    return None if base is None else _tinted(base, float(color.tint or 0.0))


def _hex(value: Any) -> Color | None:
    match = re.fullmatch(r"(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})", value) if isinstance(value, str) else None
    if match is None:
        return None
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def _tinted(color: Color, tint: float) -> Color:
    """Lighter (tint > 0) or darker (tint < 0) by ECMA-376 part 1, 18.8.19."""
    if not tint:
        return color
    hue, light, saturation = colorsys.rgb_to_hls(*(part / _HUE_STEPS for part in color))
    light = light * (1 + tint) if tint < 0 else light * (1 - tint) + tint
    red, green, blue = colorsys.hls_to_rgb(hue, min(max(light, 0.0), 1.0), saturation)
    return round(red * _HUE_STEPS), round(green * _HUE_STEPS), round(blue * _HUE_STEPS)


def theme_colors(xml: bytes | None) -> tuple[Color, ...]:
    """The colours of a workbook's theme in the order in which cells count them."""
    if not xml:
        return ()
    colors = []
    for name in _THEME:
        match = re.search(
            rb"<(?:\w+:)?%s>.*?(?:lastClr|srgbClr val)=\"([0-9A-Fa-f]{6})\"" % name.encode(), xml, re.DOTALL
        )
        colors.append(_hex(match[1].decode()) if match else None)
    return tuple(color or (0, 0, 0) for color in colors)


def _kept(used: Sequence[int], hidden: frozenset[int]) -> list[int]:
    """The row or column numbers that are seen, with at most two of the empty ones between each two."""
    numbers = sorted(set(used) - hidden)
    kept = numbers[:1]
    for before, number in pairwise(numbers):
        empty = (between for between in range(before + 1, number) if between not in hidden)
        kept += [*islice(empty, _GAP), number]
    return kept


def _hidden_rows(sheet: Any) -> frozenset[int]:
    return frozenset(number for number, row in sheet.row_dimensions.items() if row.hidden or row.height == 0)


def _hidden_columns(sheet: Any) -> frozenset[int]:
    return frozenset(
        number
        for column in sheet.column_dimensions.values()
        if column.hidden or column.width == 0
        for number in range(column.min or 0, (column.max or 0) + 1)
    )


def _column_widths(sheet: Any) -> dict[int, float]:
    """Widths in points by column number; 0 stands for all others."""
    standard = sheet.sheet_format.defaultColWidth or _WIDTH
    widths = {0: standard * _DIGIT}
    for column in sheet.column_dimensions.values():
        for number in range(column.min or 0, (column.max or 0) + 1):
            widths[number] = (column.width if column.customWidth or column.width else standard) * _DIGIT
    return widths


def _areas(
    seen: Iterable[_Seen], merges: Iterable[tuple[int, int, int, int]], rows: list[int], columns: list[int]
) -> Iterator[Area]:
    ends = {merge[:2]: merge[2:] for merge in merges}
    for cell in seen:
        if cell.covered:
            continue
        last_row, last_column = ends.get((cell.row, cell.column), (cell.row, cell.column))
        top, bottom = bisect_left(rows, cell.row), bisect_right(rows, last_row)
        left, right = bisect_left(columns, cell.column), bisect_right(columns, last_column)
        if top < bottom and left < right:
            yield Area(top, left, bottom, right, _writings(cell), cell.look.angle, cell.look.fill)


def _writings(cell: _Seen) -> tuple[Writing, ...]:
    look = cell.look
    lines = (line.replace("\xa0", " ").strip() for line in cell.text.splitlines())
    return tuple(Writing(line, look.size, look.bold, look.color, look.align) for line in lines if line)


def _row_heights(sheet: Any, rows: Sequence[int], areas: Iterable[Area], xs: Sequence[float]) -> list[float]:
    """Heights in points; where the file leaves them to Excel, those that the text needs."""
    standard = sheet.sheet_format.defaultRowHeight or _HEIGHT
    given = [sheet.row_dimensions[row].height if row in sheet.row_dimensions else None for row in rows]
    heights = [height or standard for height in given]
    for area in areas:
        if area.bottom - area.top == 1 and given[area.top] is None:
            heights[area.top] = max(heights[area.top], _needed(area, xs[area.right] - xs[area.left]))
    return heights


def _needed(area: Area, width: float) -> float:
    if area.angle:
        return max((text_width(writing.text, writing.size) for writing in area.writings), default=0) + 2 * CELL_MARGIN
    return sum(writing_height(writing, width) for writing in area.writings)


def _edges(
    seen: Iterable[_Seen], rows: Sequence[int], columns: Sequence[int]
) -> tuple[frozenset[Place], frozenset[Place], frozenset[Place]]:
    """Where lines are drawn above and before cells, and which cells have borders of their own."""
    row_at = {number: index for index, number in enumerate(rows)}
    column_at = {number: index for index, number in enumerate(columns)}
    above, before, framed = set(), set(), set()
    for cell in seen:
        if not any(cell.look.sides) or cell.row not in row_at or cell.column not in column_at:
            continue
        row, column = row_at[cell.row], column_at[cell.column]
        left, right, top, bottom = cell.look.sides
        framed.add((row, column))
        before |= {(row, column + step) for step, side in enumerate((left, right)) if side}
        above |= {(row + step, column) for step, side in enumerate((top, bottom)) if side}
    return frozenset(above), frozenset(before), frozenset(framed)
