"""A made timetable: the truth, and beside it every string, place and colour that a layout needs to print it.

What a layout has to keep to, so that the truth stays true:

- Print `Heading.lines` with the one in role "title" clearly largest, ``footer`` and ``key`` outside the grid.
- Rows (or columns) of a grid are `Made.axis`, days are `Made.days`. An axis prints `Slot.label` and `Slot.printed` (or
  ``printed_start`` and ``printed_end`` apart); both may be empty. It is then not a time axis.
- An `Entry` prints ``name``, then its ``notes`` in their order. Notes may share a line with the name or with each
  other behind " ", ", ", " · " or " – ", or stand in columns of their own by `Note.kind`; nothing else is added.
- In a grid the time of an entry is printed only where ``own_time`` says so. In a list or on a card `Entry.time` is
  printed beside every entry; where it is empty print `Entry.period` instead.
- With `Made.times` "key" the entries of ``key`` in kind "period" have to be printed; those of other kinds may be left.
- Entries with ``in_axis`` are not printed in a grid's body: their name is the label of their slot. Lists print them.
- ``lanes`` > 1: side by side in strips of the column, or below each other in one cell with no rule between.
- ``share`` other than (0, 1): the entry fills only that part of its slots along the time axis. Where ``own_time`` is
  False draw it so (a rule at the share: it is what tells its time); else a layout may also fill the whole slots.
- A time scale (place by minutes) uses `Entry.start` and `Entry.end`, which are never None, but prints hours of its own
  (``school.style.write``) only if `Made.times` is "ranges" or "cells", and then `Entry.time` in every entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocai.documents.page import Color
from pocai.synthetic.schools import NoteKind, School, Times
from pocai.synthetic.vocabulary import Kind
from pocai.timetable.timetable import Day, HeaderField, Timetable

__all__ = [
    "DayColumn",
    "Entry",
    "Heading",
    "HeadingLine",
    "KeyEntry",
    "KeyKind",
    "Kind",
    "LineRole",
    "Made",
    "Note",
    "NoteKind",
    "Slot",
    "Times",
]

LineRole = Literal["title", "teacher", "class", "term", "year", "other"]
KeyKind = Literal["period", "subject", "teacher", "color", "remark"]


FEATURES = (
    "double",  # a lesson over several slots
    "bar",  # an event over all days
    "span",  # a lesson over some days
    "split",  # a slot cut in two
    "parallel",  # groups at the same time in one cell
    "weeks",  # blocks of one week of a cycle
    "empty",  # a cell without an entry
    "overlap",  # blocks of one day whose times overlap
    "own_time",  # a cell's own time beside those of the axis
    "contradiction",  # times that are printed wrong
    "typo",
    "in_axis",  # an event that is named only beside its time
    "remark",
    "other_times",  # a weekday of other times
    "shared_days",  # a list of several days
    "no_day",
    "dated",  # days with their dates
    "filler",
    "of_teacher",
    "of_room",
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A row (or column) of the axis of times.

    ``start`` and ``end`` are minutes after midnight as planned, None where the days have no common times. ``label`` is
    the period's printed name ("1", "P3", "Break"), ``printed`` its printed time ("9.15 – 10.00"), each "" where nothing
    is printed; ``printed_start`` and ``printed_end`` are the same time in two parts, the second "" where only starts
    are printed.
    """

    start: int | None
    end: int | None
    label: str
    printed: str
    printed_start: str
    printed_end: str
    kind: Kind = "lesson"


@dataclass(frozen=True, slots=True)
class DayColumn:
    """A column (or row, or list) of days: its printed label and the days it stands for.

    Several days share a list ("Monday, Tuesday, Thursday"); none where the page names no day, with the label "".
    ``short`` and ``letter`` are what narrow layouts may print instead of ``label``: a short form ("Mon") and one
    letter; "" where the label stands for several days, names none or holds a date.
    """

    label: str
    days: tuple[Day, ...]
    short: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A note of an entry as printed: a teacher, a room, a group, weeks of a cycle, or any other remark."""

    text: str
    kind: NoteKind


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as printed once: in a cell, over several slots, or as a bar over several days.

    ``columns`` are indices into `Made.days`, ascending; ``first`` and ``count`` are slots of `Made.axis`. ``start``
    and ``end`` are minutes after midnight as planned, for placing; the truth is in the time blocks, one for each day of
    each column, whose indices ``blocks`` gives.

    ``time`` is the printed time ("" where it is printed nowhere or in the key), ``own_time`` whether a grid prints it
    in the cell too; ``period`` is the printed name of its slots ("3", "3-4"). ``lane`` counts from 0 to ``lanes`` - 1
    among the entries that share their cell at the same time. ``share`` is the part of its slots that the entry fills.
    """

    columns: tuple[int, ...]
    first: int
    count: int
    start: int
    end: int
    name: str
    notes: tuple[Note, ...] = ()
    time: str = ""
    own_time: bool = False
    period: str = ""
    kind: Kind = "lesson"
    color: Color | None = None
    weeks: str | None = None
    lane: int = 0
    lanes: int = 1
    share: tuple[float, float] = (0.0, 1.0)
    in_axis: bool = False
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadingLine:
    """A line above the timetable, its role in print, and the fields of the truth that it holds."""

    text: str
    role: LineRole
    fields: tuple[HeaderField, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands around a timetable: lines above it (one is the title, if there are any) and lines below it.

    ``corner`` is printed where the axes meet ("" for nothing), ``times_head`` and ``periods_head`` above a column of
    times and of period names, ``note_heads`` above columns of notes.
    """

    lines: tuple[HeadingLine, ...] = ()
    footer: tuple[str, ...] = ()
    school: str = ""
    corner: str = ""
    times_head: str = ""
    periods_head: str = ""
    subject_head: str = ""
    note_heads: tuple[tuple[NoteKind, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A line of the key: ``sign`` explained by ``meaning``; the sign of a colour is "" and ``color`` is drawn.

    ``joint`` is printed between them ("=", ":", " – " ...) where the key is not a table of two columns.
    """

    sign: str
    meaning: str
    kind: KeyKind
    joint: str = " = "
    color: Color | None = None

    @property
    def text(self) -> str:
        """The key entry as one line."""
        return f"{self.sign}{self.joint}{self.meaning}" if self.sign else self.meaning


@dataclass(frozen=True, slots=True)
class Made:
    """A made timetable of a school; see the module for what a layout may do with it.

    ``times``: "ranges" and "starts" stand in the axis, "key" only in the key (kind "period"), "cells" in every cell,
    "none" nowhere. ``filler`` is printed in empty cells ("" for nothing). ``features`` names the cases that occur, of
    `FEATURES`.
    """

    school: School
    seed: int
    days: tuple[DayColumn, ...]
    axis: tuple[Slot, ...]
    entries: tuple[Entry, ...]
    heading: Heading
    timetable: Timetable
    times: Times
    key: tuple[KeyEntry, ...] = ()
    key_head: str = ""
    filler: str = ""
    features: frozenset[str] = frozenset()
