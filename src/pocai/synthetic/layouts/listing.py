"""A day as a list: its events below each other, each with its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pocai.synthetic.document import Align
from pocai.synthetic.layouts.chance import between, happens, pick
from pocai.synthetic.layouts.inking import inked
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import Cell, Table, fit
from pocai.synthetic.layouts.tracks import Group, Span, Stretch, Tracks
from pocai.synthetic.layouts.words import BREAKS, Printer, blocks_in
from pocai.synthetic.made import Entry, Made, NoteKind
from pocai.synthetic.setting import Phrase

if TYPE_CHECKING:
    from numpy.random import Generator

    from pocai.documents.page import Color

Notes = Literal["below", "beside", "columns"]


@dataclass(frozen=True, slots=True)
class ListStyle:
    """How lists are built.

    ``heads``: a row that says what stands in the columns. ``time_last``: times stand behind the names; ``inline``: on
    the line of the name, with no column of their own. ``notes``: below
    the name, beside it, or in columns by their kind. ``across``: lists side by side in one row of the page; a list
    that stands alone is at most ``widest`` ems wide.
    """

    heads: bool
    time_last: bool
    inline: bool
    notes: Notes
    across: int
    names: Align
    stretch: Stretch
    widest: float = 60.0


@dataclass(frozen=True, slots=True)
class Item:
    """An event of one day column and its blocks there."""

    entry: Entry
    blocks: tuple[int, ...]

    @property
    def when(self) -> str:
        """The printed time, or the printed period where no times are printed."""
        return self.entry.time or self.entry.period


def list_style_of(made: Made, rng: Generator, *, across: int) -> ListStyle:
    """A way to print the lists of a made timetable, at most ``across`` of them side by side."""
    inline = happens(rng, 0.18)
    return ListStyle(
        heads=not inline and happens(rng, 0.3) and bool(made.heading.subject_head),
        time_last=happens(rng, 0.1),
        inline=inline,
        notes=pick(rng, ("below", "beside", "columns"), (0.35, 0.35, 0.3)),
        across=across,
        names=pick(rng, ("left", "center"), (0.7, 0.3)),
        stretch=pick(rng, ("tight", "stretch"), (0.6, 0.4)),
        widest=between(rng, 22, 70),
    )


def items_of(made: Made, column: int) -> tuple[Item, ...]:
    """The events of a day column in the order of a list."""
    own = (entry for entry in made.entries if column in entry.columns)
    ordered = sorted(own, key=lambda entry: (entry.start, entry.lane, entry.end))
    return tuple(Item(entry, blocks_in(made, entry, column)) for entry in ordered)


def list_table(printer: Printer, column: int, style: ListStyle) -> Table:
    """One day as a table: its name in the first row, then a row for each event."""
    return _List(printer, column, style).table()


def lists_body(printer: Printer, style: ListStyle, columns: Sequence[int]) -> BodyOf:
    """The days of some columns as lists, side by side as far as the style says, then below."""
    return BodyOf(printer, style, tuple(columns))


@dataclass(frozen=True, slots=True)
class BodyOf:
    """Draws lists into a room."""

    printer: Printer
    style: ListStyle
    columns: tuple[int, ...]

    def __call__(self, room: tuple[float, float]) -> Part | None:
        look = self.printer.look
        across = min(self.style.across, len(self.columns))
        gap = max(look.gap, 6.0)
        wide = (room[0] - gap * (across - 1)) / across
        if across == 1:
            wide = min(wide, self.style.widest * look.name.size)
        parts: list[Part] = []
        top = 0.0
        for begin in range(0, len(self.columns), across):
            row = [
                fit(list_table(self.printer, column, self.style), (wide, room[1] - top))
                for column in self.columns[begin : begin + across]
            ]
            fitted = [each for each in row if each is not None]
            if len(fitted) < len(row):
                return None
            parts += [inked(each, (i * (wide + gap), top), look) for i, each in enumerate(fitted)]
            top += max(each.height for each in fitted) + gap
        return Part.of(parts)


class _List:
    """Builds the table of one day."""

    def __init__(self, printer: Printer, column: int, style: ListStyle) -> None:
        self._printer, self._style = printer, style
        self._look = printer.look
        self._column, self._day = column, printer.made.days[column]
        self._items = items_of(printer.made, column)
        every = printer.made.entries  # the lists of all days have the same columns
        kept = [note for entry in every for note in entry.notes if note.kind not in printer.wording.dropped]
        kinds = list(dict.fromkeys(note.kind for note in kept))
        self._kinds: list[NoteKind] = kinds if style.notes == "columns" else []
        self._timed = not style.inline and any(entry.time or entry.period for entry in every)

    def table(self) -> Table:
        cells = [*self._head(), *self._heads()]
        first = 1 + max((cell.rows.first for cell in cells), default=-1)
        for number, item in enumerate(self._items):
            cells += self._row(Span(first + number, first + number + 1), item, number)
        groups = [Group(weight=1.0), *(Group(weight=0.0) for _ in self._kinds)]
        time = [Group(weight=0.0)] if self._timed else []
        columns = [*groups, *time] if self._style.time_last else [*time, *groups]
        rows = (*(Group(weight=0.0) for _ in range(first)), *(Group() for _ in self._items))
        stretch = self._style.stretch
        return Table(Tracks(tuple(columns)), Tracks(rows), tuple(cells), self._look.pad, stretch)

    @property
    def _count(self) -> int:
        return 1 + len(self._kinds) + self._timed

    def _columns(self) -> tuple[Span, Span]:
        """Where the times stand, and where the names."""
        last = self._count - 1
        if self._style.time_last:
            return Span(last, last + 1), Span(0, 1)
        return Span(0, 1), Span(int(self._timed), int(self._timed) + 1)

    def _head(self) -> Iterator[Cell]:
        if phrases := self._printer.day(self._column):
            yield Cell(Span(0, 1), Span(0, self._count), phrases, self._look.head_fill, head=True)

    def _heads(self) -> Iterator[Cell]:
        if not self._style.heads:
            return
        heading, look = self._printer.made.heading, self._look
        row = Span(1, 2) if self._day.label else Span(0, 1)
        times, names = self._columns()
        texts = {names: heading.subject_head}
        if self._timed:
            texts[times] = heading.times_head or heading.periods_head
        notes = dict(heading.note_heads)
        texts |= {self._note_column(kind): notes.get(kind, "") for kind in self._kinds}
        for columns, text in texts.items():
            phrases = (self._printer.phrase(text, look.label, "other"),) if text else ()
            yield Cell(row, columns, phrases, look.side_fill, head=True)

    def _note_column(self, kind: NoteKind) -> Span:
        first = self._columns()[1].end + self._kinds.index(kind)
        return Span(first, first + 1)

    def _row(self, rows: Span, item: Item, number: int) -> Iterator[Cell]:
        look, printer = self._look, self._printer
        times, names = self._columns()
        fill = self._fill(item.entry, number)
        if self._timed:
            text = self._when(item)
            yield Cell(rows, times, text, fill, align="center" if look.align == "center" else "left")
        yield Cell(rows, names, self._words(item), fill, align=self._style.names)
        for kind in self._kinds:
            notes = [note.text for note in item.entry.notes if note.kind == kind]
            phrases = tuple(printer.phrase(text, look.note, "note", item.blocks) for text in notes)
            yield Cell(rows, self._note_column(kind), phrases, fill, align=self._style.names)

    def _when(self, item: Item) -> tuple[Phrase, ...]:
        if not item.when:
            return ()
        time = self._printer.time(item.when, self._look.label, item.blocks)
        return (time if item.entry.time else replace(time, role="period"),)

    def _words(self, item: Item) -> tuple[Phrase, ...]:
        """The name, with its time and notes where they have no columns of their own."""
        name, *notes = self._printer.entry(item.entry, item.blocks)
        beside = self._style.notes == "beside"
        notes = [] if self._style.notes == "columns" else [replace(note, joined=beside) for note in notes]
        if not self._style.inline:
            return (name, *notes)
        time = self._when(item)
        if self._style.time_last:
            return (name, *(replace(phrase, joined=True) for phrase in time), *notes)
        return (*time, replace(name, joined=bool(time)), *notes)

    def _fill(self, entry: Entry, number: int) -> Color | None:
        look = self._look
        if entry.kind in BREAKS and look.break_fill:
            return look.break_fill
        if look.tint == "given" and entry.color:
            return entry.color
        if look.tint == "subject":
            return look.palette.tint(entry.name)
        return look.palette.soft if look.tint == "none" and look.head_fill and number % 2 else None
