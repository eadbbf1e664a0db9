"""What is printed of an entry, a slot or a day, as phrases to be set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pocai.synthetic.document import Role, Style
from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.look import Look
from pocai.synthetic.made import Entry, Kind, Made, NoteKind
from pocai.synthetic.setting import Phrase

if TYPE_CHECKING:
    from numpy.random import Generator

BREAKS: frozenset[Kind] = frozenset(("break", "lunch"))


@dataclass(frozen=True, slots=True)
class Wording:
    """How the entries of one document are worded.

    ``time_first``: the time stands above the name, else below all; ``beside``: time and notes stand on the line of
    the name where they fit there, notes behind ``joint``. Notes of the kinds ``dropped`` are not printed.
    ``whole_times``: times never break into lines.
    """

    time_first: bool = True
    beside: bool = False
    joint: str = ""
    dropped: frozenset[NoteKind] = frozenset()
    whole_times: bool = True

    def kept(self, entry: Entry) -> tuple[str, ...]:
        """The notes of an entry that are printed."""
        return tuple(note.text for note in entry.notes if note.kind not in self.dropped)


def wording_of(rng: Generator) -> Wording:
    """A wording, with all notes."""
    beside = happens(rng, 0.2)
    joint = pick(rng, ("", "· ", "– ")) if beside else ""
    return Wording(happens(rng, 0.7), beside, joint, whole_times=happens(rng, 0.85))


def role_of(entry: Entry) -> Role:
    """The role of an entry's name."""
    return "break" if entry.kind in BREAKS else "event"


@dataclass(frozen=True, slots=True)
class Printer:
    """Makes the phrases of a made timetable in a look and a wording; ``number`` is its index in the drawing."""

    made: Made
    look: Look
    wording: Wording
    number: int = 0

    def entry(self, entry: Entry, blocks: tuple[int, ...], *, time: str = "") -> tuple[Phrase, ...]:
        """Name and notes of an entry, and a time where one is given."""
        return tuple(self._entry(entry, blocks, time))

    def _entry(self, entry: Entry, blocks: tuple[int, ...], time: str) -> Iterator[Phrase]:
        wording, look = self.wording, self.look
        if time and wording.time_first:
            yield self.time(time, look.note, blocks)
        follows = bool(time and wording.time_first and wording.beside)
        yield Phrase(entry.name, look.name, role_of(entry), blocks, self.number, joined=follows)
        for note in wording.kept(entry):
            yield Phrase(note, look.note, "note", blocks, self.number, joined=wording.beside, joint=wording.joint)
        if time and not wording.time_first:
            yield replace(self.time(time, look.note, blocks), joined=wording.beside)

    def phrase(self, text: str, style: Style, role: Role, blocks: tuple[int, ...] = ()) -> Phrase:
        """A phrase of this timetable."""
        return Phrase(text, style, role, blocks, self.number)

    def time(self, text: str, style: Style, blocks: tuple[int, ...] = ()) -> Phrase:
        """A printed time."""
        return Phrase(text, style, "time", blocks, self.number, whole=self.wording.whole_times)

    def name(self, entry: Entry, blocks: tuple[int, ...]) -> Phrase:
        """The name of an entry alone."""
        return self.phrase(entry.name, self.look.name, role_of(entry), blocks)

    def day(self, column: int, text: str = "") -> tuple[Phrase, ...]:
        """The label of a column of days, or its short form if that is given; it belongs to all blocks of its days."""
        day = self.made.days[column]
        label = text or day.label
        if not label:
            return ()
        blocks = (i for i, block in enumerate(self.made.timetable.timeblocks) if block.day in day.days)
        return (self.phrase(label.upper() if self.look.upper else label, self.look.day, "day", tuple(blocks)),)

    def slot_label(self, index: int) -> tuple[Phrase, ...]:
        """The printed name of a slot; where it is also that of events (breaks), with their blocks."""
        slot = self.made.axis[index]
        if not slot.label:
            return ()
        named = [entry for entry in self.made.entries if entry.in_axis and entry.first == index]
        if not named:
            return (self.phrase(slot.label, self.look.label, "period", self._in_slot(index)),)
        blocks = tuple(block for entry in named for block in entry.blocks)
        return (self.phrase(slot.label, self.look.label, role_of(named[0]), blocks),)

    def slot_time(self, index: int, text: str) -> tuple[Phrase, ...]:
        """The printed time of a slot, or a part of it; it belongs to all blocks that have no other."""
        return (self.time(text, self.look.label, self._in_slot(index)),) if text else ()

    def _in_slot(self, index: int) -> tuple[int, ...]:
        """The blocks that a slot gives their time."""
        inside = (e for e in self.made.entries if e.first <= index < e.first + e.count and not e.own_time)
        return tuple(sorted(block for entry in inside for block in entry.blocks))


def blocks_in(made: Made, entry: Entry, column: int) -> tuple[int, ...]:
    """The blocks of an entry that are on the days of one of its columns; all that have no day where it names none."""
    days = made.days[column].days or (None,)
    return tuple(block for block in entry.blocks if made.timetable.timeblocks[block].day in days)
