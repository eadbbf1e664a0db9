"""Five simple timetables, drawn by hand: what any layout model must read without a fault.

Each knows which line says what, so that a line can be removed or changed, and it is clear what must follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from pocai.documents.page import Box, Document, Line, Page, Quad, Rule
from pocai.timetable.timetable import Day, Timetable, clock, minutes

SIZE = 10.0  # points of the writing
_WIDE, _HIGH = 0.52, 1.2  # of a letter and of a line, in sizes
_ROWS = ("09:00", "09:45", "10:45", "11:30", "12:15")  # when a row begins; the last is when the one before ends
_BREAK = 2  # the row of the break, where there is one
_WEEK: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_NAMES = (
    *("Maths", "English", "Science", "Music", "History", "Art", "Swimming", "Reading", "Français", "Drama"),
    *("Geography", "Chess", "Spelling", "Singing", "Cooking", "Biology", "German", "Physics", "Library", "Dance"),
)


class Block(NamedTuple):
    """What is compared of a block; ``name`` is folded to small letters."""

    day: str | None
    start: str | None
    end: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a line says: the name, the start or the end (or both) of the blocks with these numbers."""

    blocks: frozenset[int]
    name: bool = False
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrawnWeek:
    """A timetable as a page, what it says, and what each of its lines says."""

    name: str
    page: Page
    blocks: tuple[Block, ...]
    said: tuple[Said, ...]

    @property
    def document(self) -> Document:
        """A document of this page."""
        return Document((self.page,), "pdf", "")

    def without(self, line: int) -> DrawnWeek:
        """Without the line of a name, and so without its blocks."""
        gone = self.said[line].blocks
        lines = tuple(each for number, each in enumerate(self.page.lines) if number != line)
        kept = tuple(block for number, block in enumerate(self.blocks) if number not in gone)
        return DrawnWeek(self.name, self.page.with_lines(lines), kept, ())

    def renamed(self, line: int, name: str) -> DrawnWeek:
        """With another name in a line."""
        changed = {number: self.blocks[number]._replace(name=name.casefold()) for number in self.said[line].blocks}
        return self._with(line, _text(self.said[line].times, name), changed)

    def moved(self, line: int, by: int) -> DrawnWeek:
        """With the start that a line says so many minutes later."""
        start, *rest = self.said[line].times
        later = clock((minutes(start) or 0) + by)
        name = self.page.lines[line].text.removeprefix(_text((start, *rest)))
        changed = {number: self.blocks[number]._replace(start=later) for number in self.said[line].blocks}
        return self._with(line, _text((later, *rest), name.strip()), changed)

    def _with(self, line: int, text: str, changed: dict[int, Block]) -> DrawnWeek:
        lines = list(self.page.lines)
        old = lines[line]
        lines[line] = _line(text, old.box.left, old.box.top, bold=old.bold)
        blocks = tuple(changed.get(number, block) for number, block in enumerate(self.blocks))
        return replace(self, page=self.page.with_lines(lines), blocks=blocks, said=())


def drawn_weeks() -> tuple[DrawnWeek, ...]:
    """The five timetables."""
    return tuple(each() for each in (_days_across, _days_down, _without_rules, _with_break, _times_in_cells))


def drawn_lists() -> tuple[DrawnWeek, ...]:
    """Two lists in place of grids. The layout transformer that is shipped reads such ones with the rules' help only."""
    return _diary(), _side_by_side()


def blocks_of(timetables: Sequence[Timetable], fold: Callable[[str], str] = str.casefold) -> list[Block]:
    """The blocks of timetables, sorted, as they are compared."""
    found = (
        Block(block.day, block.start_time, block.end_time, fold(block.name))
        for timetable in timetables
        for block in timetable.timeblocks
    )
    return sorted(found, key=lambda block: tuple(value or "" for value in block))


@dataclass(slots=True)
class _Sheet:
    """A page that is being drawn."""

    name: str
    width: float
    height: float
    lines: list[Line] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def write(self, text: str, left: float, top: float, said: Said | None = None, *, bold: bool = False) -> None:
        self.lines.append(_line(text, left, top, bold=bold))
        self.said.append(said or Said(frozenset()))

    def event(self, day: Day, span: tuple[str, str], name: str) -> int:
        self.blocks.append(Block(day, *span, name.casefold()))
        return len(self.blocks) - 1

    def done(self) -> DrawnWeek:
        page = Page(0, self.width, self.height, tuple(self.lines), tuple(self.rules), unit="pt")
        return DrawnWeek(self.name, page, tuple(self.blocks), tuple(self.said))


def _days_across() -> DrawnWeek:
    sheet = _Sheet("days across, ruled", 660, 320)
    return _grid(sheet, _WEEK, ruled=True)


def _without_rules() -> DrawnWeek:
    sheet = _Sheet("days across, without rules", 560, 320)
    return _grid(sheet, _WEEK[:4], ruled=False)


def _grid(sheet: _Sheet, days: Sequence[Day], *, ruled: bool) -> DrawnWeek:
    """Days across, times down, an event in each cell."""
    columns = [40.0 + 90 * number for number in range(len(days) + 2)]
    tops = [80.0 + 40 * number for number in range(len(_ROWS) + 1)]
    sheet.write("Timetable Class 4B", 220, 30, bold=True)
    for number, day in enumerate(days, 1):
        sheet.write(day, columns[number] + 6, tops[0] + 12, bold=True)
    for row, span in enumerate(pairwise(_ROWS), 1):
        numbers = [sheet.event(day, span, _name(row, column)) for column, day in enumerate(days)]
        sheet.write(_text(span), columns[0] + 4, tops[row] + 12, Said(frozenset(numbers), times=span))
        for column, number in enumerate(numbers):
            sheet.write(
                _name(row, column), columns[column + 1] + 6, tops[row] + 12, Said(frozenset({number}), name=True)
            )
    if ruled:
        sheet.rules += _rules(columns, tops)
    return sheet.done()


def _with_break() -> DrawnWeek:
    """Days across, and between the events a break that is printed once for all days."""
    sheet = _Sheet("days across, a break for all", 560, 320)
    columns = [40.0 + 96 * number for number in range(6)]
    tops = [80.0 + 40 * number for number in range(len(_ROWS) + 1)]
    sheet.write("Timetable Class 5A", 200, 30, bold=True)
    for number, day in enumerate(_WEEK[:4], 1):
        sheet.write(day, columns[number] + 6, tops[0] + 12, bold=True)
    for row, span in enumerate(pairwise(_ROWS), 1):
        names = ["Break" if row == _BREAK else _name(row, column) for column in range(4)]
        numbers = [sheet.event(day, span, name) for day, name in zip(_WEEK[:4], names, strict=True)]
        sheet.write(_text(span), columns[0] + 4, tops[row] + 12, Said(frozenset(numbers), times=span))
        if row == _BREAK:
            sheet.write(
                "Break", (columns[1] + columns[5]) / 2 - 13, tops[row] + 12, Said(frozenset(numbers), name=True)
            )
            continue
        for column, number in enumerate(numbers):
            said = Said(frozenset({number}), name=True)
            sheet.write(names[column], columns[column + 1] + 6, tops[row] + 12, said)
    sheet.rules += (
        rule for rule in _rules(columns, tops) if rule.horizontal or rule.start[0] in columns[:2] + columns[5:]
    )
    for x in columns[2:5]:
        sheet.rules += [Rule((x, tops[0]), (x, tops[_BREAK])), Rule((x, tops[_BREAK + 1]), (x, tops[-1]))]
    return sheet.done()


def _days_down() -> DrawnWeek:
    """Days down, times across, an event in each cell."""
    sheet = _Sheet("days down, ruled", 560, 340)
    columns = [40.0 + 90 * number for number in range(len(_ROWS) + 1)]
    tops = [80.0 + 40 * number for number in range(len(_WEEK) + 2)]
    sheet.write("Timetable Class 2A", 200, 30, bold=True)
    spans = list(pairwise(_ROWS))
    numbers = {
        (row, column): sheet.event(day, span, _name(row, column))
        for row, day in enumerate(_WEEK)
        for column, span in enumerate(spans)
    }
    for column, span in enumerate(spans):
        below = frozenset(numbers[row, column] for row in range(len(_WEEK)))
        sheet.write(_text(span), columns[column + 1] + 6, tops[0] + 12, Said(below, times=span))
    for row, day in enumerate(_WEEK):
        sheet.write(day, columns[0] + 6, tops[row + 1] + 12, bold=True)
        for column in range(len(spans)):
            said = Said(frozenset({numbers[row, column]}), name=True)
            sheet.write(_name(row, column), columns[column + 1] + 6, tops[row + 1] + 12, said)
    sheet.rules += _rules(columns, tops)
    return sheet.done()


def _diary() -> DrawnWeek:
    """One day below the other, and under each its events, a line for time and name."""
    sheet = _Sheet("a diary", 420, 560)
    sheet.write("Timetable Class 1C", 130, 30, bold=True)
    top = 76.0
    for column, day in enumerate(_WEEK[:4]):
        sheet.write(day, 40, top, bold=True)
        for row, span in enumerate(pairwise(_ROWS)):
            top += 22
            said = Said(frozenset({sheet.event(day, span, _name(row, column))}), name=True, times=span)
            sheet.write(_text(span, _name(row, column)), 56, top, said)
        top += 36
    return sheet.done()


def _side_by_side() -> DrawnWeek:
    """Days across, and below each a list of times and names."""
    sheet = _Sheet("lists side by side", 560, 260)
    sheet.write("Timetable Class 1C", 200, 30, bold=True)
    for column, day in enumerate(_WEEK[:3]):
        left = 40.0 + 180 * column
        sheet.write(day, left, 80, bold=True)
        for row, span in enumerate(pairwise(_ROWS)):
            number = frozenset({sheet.event(day, span, _name(row, column))})
            sheet.write(_text(span), left, 104.0 + 22 * row, Said(number, times=span))
            sheet.write(_name(row, column), left + 80, 104.0 + 22 * row, Said(number, name=True))
    return sheet.done()


def _times_in_cells() -> DrawnWeek:
    """Days across, and in each cell an event with its times below."""
    sheet = _Sheet("times in the cells", 480, 320)
    columns = [40.0 + 100 * number for number in range(5)]
    tops = [80.0 + 44 * number for number in range(len(_ROWS) + 1)]
    sheet.write("Timetable Class 3D", 170, 30, bold=True)
    for column, day in enumerate(_WEEK[:4]):
        sheet.write(day, columns[column] + 8, tops[0] + 14, bold=True)
        for row, span in enumerate(pairwise(_ROWS)):
            number = sheet.event(day, span, _name(row, column))
            said = Said(frozenset({number}), name=True)
            sheet.write(_name(row, column), columns[column] + 8, tops[row + 1] + 7, said, bold=True)
            sheet.write(_text(span), columns[column] + 8, tops[row + 1] + 22, Said(frozenset({number}), times=span))
    sheet.rules += _rules(columns, tops)
    return sheet.done()


def _name(row: int, column: int) -> str:
    return _NAMES[(5 * row + 3 * column + row * column) % len(_NAMES)]


def _rules(columns: Sequence[float], tops: Sequence[float]) -> Iterator[Rule]:
    for x in columns:
        yield Rule((x, tops[0]), (x, tops[-1]))
    for y in tops:
        yield Rule((columns[0], y), (columns[-1], y))


def _line(text: str, left: float, top: float, *, bold: bool = False) -> Line:
    box = Box(left, top, left + _WIDE * SIZE * len(text), top + _HIGH * SIZE)
    return Line(text, Quad.of(box), source="pdf", size=SIZE, bold=bold, color=(0, 0, 0))


def _text(times: Sequence[str], name: str = "") -> str:
    return " ".join(filter(None, (" – ".join(times), name)))
