"""A page as tokens: what the layout transformer is told about each line of text, in training and in use alike.

A token is a line. It has letters, facts about its text that the parsers of `pocai.timetable` know (is it a time, a day,
a person?), its place and look, and the cell that it stands in. Places are in heights of the page's usual text, so that
neither the resolution of a picture nor the size of its paper changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Box, Cell, Line, Page, Table
from pocai.models.ctc import CLASSES
from pocai.timetable.days import day_label, find_days
from pocai.timetable.grid import find_tables, text_height
from pocai.timetable.heading import CLASS, LABELLED, TERM, TIMETABLE, YEAR
from pocai.timetable.naming import GROUP, PERSON, PLACE, STAFF, WEEKS
from pocai.timetable.slot_axis import period_name
from pocai.timetable.times import find_times, is_time_only
from pocai.timetable.timetable import WEEK
from pocai.timetable.week import BREAK

LETTERS = 24  # of a line that are looked at: the first half and the last half of a longer one
UNKNOWN = len(CLASSES)  # class of a letter outside the alphabet; 0 is no letter
FIELDS = 8  # columns of `Tokens.places`
TEXT_FACTS = 28
LOOK_FACTS = 15
FACTS = TEXT_FACTS + LOOK_FACTS
ROLES = (
    *("title", "teacher", "class", "term", "year", "day", "period", "time", "event", "note", "key", "break", "other"),
)
MOST = 600  # tokens of a page that are read at once

_NUMBERS = {letter: number for number, letter in enumerate(CLASSES) if letter}
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a page, in its reading order.

    ``letters`` ``(N, 24)`` uint8 classes of `pocai.models.ctc.CLASSES`; ``facts`` ``(N, 43)`` float32, most of them 0
    or 1; ``places`` ``(N, 8)`` float32: left, top, right, bottom of the line and of the cell around it (of the line
    again where there is none), in heights of text. ``lines`` are the lines themselves, ``cells`` the number of each
    one's cell, -1 for none.
    """

    letters: NDArray[np.uint8]
    facts: NDArray[np.float32]
    places: NDArray[np.float32]
    lines: tuple[Line, ...]
    cells: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lines)


def tokens_of(page: Page, tables: Sequence[Table] | None = None) -> Tokens:
    """The tokens of a page; ``tables`` are those that `find_tables` finds, where they are known already."""
    tables = find_tables(page) if tables is None else tables
    cells = [cell for table in tables for cell in table.cells if cell.lines]
    owner = {id(line): number for number, cell in enumerate(cells) for line in cell.lines}
    lines = lines_of(page)
    held = tuple(owner.get(id(line), -1) for line in lines)
    unit = text_height(lines) or 1.0
    letters = np.array([letters_of(line.text) for line in lines], np.uint8).reshape(len(lines), LETTERS)
    texts = np.array([text_facts(line.text) for line in lines], np.float32).reshape(len(lines), TEXT_FACTS)
    looks = _looks(lines, held, cells, unit)
    boxes = [
        (*line.box, *(cells[number].box if number >= 0 else line.box)) for line, number in zip(lines, held, strict=True)
    ]
    places = (np.array(boxes, np.float32).reshape(len(lines), FIELDS) - _corner(lines)) / unit
    return Tokens(letters, np.concatenate((texts, looks), axis=1), places.astype(np.float32), lines, held)


def lines_of(page: Page) -> tuple[Line, ...]:
    """All lines of a page, those of native tables behind the others."""
    native = [line for table in page.tables for cell in table.cells for line in cell.lines]
    known = {id(line) for line in page.lines}
    return (*page.lines, *(line for line in native if id(line) not in known))


def _corner(lines: Sequence[Line]) -> NDArray[np.float32]:
    """Top left of all writing, twice over: places do not depend on margins."""
    if not lines:
        return np.zeros(FIELDS, np.float32)
    around = Box.around(line.box for line in lines)
    return np.tile(np.array([around.left, around.top], np.float32), FIELDS // 2)


def letters_of(text: str) -> list[int]:
    """The classes of a line's letters, padded with 0; of a long line its beginning and its end."""
    if len(text) > LETTERS:
        text = text[: LETTERS // 2] + text[-LETTERS // 2 :]
    numbers = [_NUMBERS.get(letter, UNKNOWN) for letter in text]
    return numbers + [0] * (LETTERS - len(numbers))


@lru_cache(maxsize=65536)
def text_facts(text: str) -> tuple[float, ...]:
    """What the parsers of `pocai.timetable` say of a line's text, and of what kind its letters are; 28 numbers."""
    spans = find_times(text)
    days = day_label(text) or ()
    mentioned = find_days(text)
    letters = [letter for letter in text if letter.isalpha()]
    size = max(1, len(text))
    return (
        float(is_time_only(text)),
        float(any(span.start and span.end for span in spans)),
        float(any((span.start is None) != (span.end is None) for span in spans)),
        float(bool(spans) and spans[0].at[0] == 0),
        min(len(spans), 4) / 4,
        float(bool(find_times(text, bare=True)) and not spans),
        float(period_name(text) is not None),
        *(float(day in days) for day in WEEK),
        float(len(days) > 1),
        min(len(mentioned), 4) / 4,
        float(bool(BREAK.search(text))),
        float(bool(PERSON.match(text))),
        float(bool(PLACE.match(text))),
        float(bool(GROUP.match(text) or STAFF.match(text))),
        float(bool(WEEKS.match(text))),
        float(bool(LABELLED.search(text) or TIMETABLE.search(text))),
        float(bool(TERM.search(text) or YEAR.search(text) or CLASS.search(text))),
        min(len(text), 60) / 30,
        len(letters) / size,
        len(_DIGIT.findall(text)) / size,
        sum(letter.isupper() for letter in letters) / max(1, len(letters)),
        min(text.count(" "), 8) / 8,
    )


def _looks(lines: Sequence[Line], held: Sequence[int], cells: Sequence[Cell], unit: float) -> NDArray[np.float32]:
    """Size, weight, ink, reading angle, and the cell around each line: ``(N, 15)``."""
    inks = [line.color for line in lines if line.color is not None]
    usual = np.median(np.array(inks), axis=0) if inks else np.zeros(3)
    weights = [line.weight for line in lines if line.weight]
    heavy = median(weights) if weights else 1.0
    rows = []
    for line, number in zip(lines, held, strict=True):
        size = line.size or min(line.box.width, line.box.height)
        ink = (np.array(line.color, np.float64) - usual) / 255 if line.color is not None else np.zeros(3)
        turn = round(line.angle / 90) % 4
        rows.append(
            (
                min(size / unit, 4.0) / 2,
                float(line.bold),
                min(line.weight / heavy, 3.0) / 2 if line.weight else 0.5,
                float(np.abs(ink).mean()),
                float(ink.mean()),
                *(float(turn == angle) for angle in range(4)),
                *_in_cell(line, cells[number] if number >= 0 else None, unit),
            )
        )
    return np.array(rows, np.float32).reshape(len(lines), LOOK_FACTS)


def _in_cell(line: Line, cell: Cell | None, unit: float) -> tuple[float, ...]:
    """Whether there is a cell, its size, how many lines it has, which of them this one is, whether it is filled."""
    if cell is None:
        return (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    number = next(number for number, other in enumerate(cell.lines) if other is line)
    wide, high = (min(side / unit, 100.0) / 25 for side in (cell.box.width, cell.box.height))
    return (1.0, wide, high, min(len(cell.lines), 8) / 8, number / len(cell.lines), float(cell.fill is not None))
