"""What a language model learns from: pages as it is shown them, with the answers that it is to give.

An answer holds nothing but what its page says, misread letters included. A value that follows from a place and not from
a text is null there, as is one that was misread beyond likeness; an event without its name is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from pocai.models.language_answer import Answer, Copied, Event, NamedDays, Table
from pocai.models.language_grammar import MOST_LINES, Grammar, can_copy, years
from pocai.models.language_page import NumberedLine, NumberedPage
from pocai.settings import SchoolHours
from pocai.timetable.printed import Printed
from pocai.timetable.timetable import WEEK, Day, TimeBlock, Timetable

ALIKE = 70  # per cent of its letters that a misread text shares with the printed one, at least

Shown = tuple[NumberedLine, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A page, and what is to be answered about it."""

    page: NumberedPage
    answer: Answer


@dataclass(frozen=True, slots=True)
class Cues:
    """The lines from which a block may be read, the likeliest first: each field's own."""

    name: Shown
    notes: Shown
    day: Shown
    start: Shown
    end: Shown


@dataclass(frozen=True, slots=True)
class Told:
    """A timetable with the cues of those of its blocks (by index) that are on the page."""

    timetable: Timetable
    cues: Mapping[int, Cues]


def example_of(page: NumberedPage, told: Iterable[Told], heading: Shown) -> Example | None:
    """A page with the answer about it; ``heading`` are the lines around its timetables. None without any event."""
    teller = _Teller(Grammar(page, SchoolHours.model_construct()), tuple(heading))
    tables = [table for each in told if (table := teller.table(each)).events]
    return Example(page, Answer(timetables=tuple(tables))) if tables else None


@dataclass(frozen=True, slots=True)
class _Teller:
    """Puts timetables into the words of an answer that the page's grammar allows."""

    grammar: Grammar
    heading: Shown

    def table(self, told: Told) -> Table:
        """A timetable: events in the order of their names on the page, each once with all of its days."""
        found: dict[tuple[object, ...], tuple[Event, list[tuple[Day, Shown]]]] = {}
        for index, cues in told.cues.items():
            block = told.timetable.timeblocks[index]
            event = self._event(block, cues)
            if event is not None:
                key = (event.name, event.notes, event.start, event.end, event.weeks, block.day is None)
                _, days = found.setdefault(key, (event, []))
                days += [] if block.day is None else [(block.day, cues.day)]
        events = [event.model_copy(update={"days": self._days(days)}) for event, days in found.values()]
        header = told.timetable
        return Table(
            title=copied(header.title, self.heading),
            teacher=copied(header.teacher, self.heading),
            class_=copied(header.class_name, self.heading),
            term=copied(header.term, self.heading),
            year=_of(str(header.year), self.heading, years),
            events=tuple(sorted(events, key=lambda event: event.name.at)),
        )

    def _event(self, block: TimeBlock, cues: Cues) -> Event | None:
        name = copied(block.name, cues.name)
        if name is None:
            return None
        return Event(
            name=name,
            notes=copied(block.notes, cues.notes),
            start=_of(block.start_time, cues.start, self.grammar.times),
            end=_of(block.end_time, cues.end, self.grammar.times),
            weeks=copied(block.weeks, (*cues.notes, *self.heading)),
        )

    def _days(self, days: Sequence[tuple[Day, Shown]]) -> NamedDays | None:
        """Days in the order of the week, with a line for each that names it; None where no line does."""
        at: dict[Day, int] = {}
        for day, lines in days:
            for shown in lines:
                if day in self.grammar.days((shown,)):
                    at.setdefault(day, shown.number)
        named = [day for day in WEEK if day in at]
        return NamedDays(at=tuple(dict.fromkeys(at[day] for day in named)), value=tuple(named)) if named else None


def copied(value: str | None, lines: Shown) -> Copied | None:
    """A text with the numbers of the lines, among some, that it can be copied from; None where it cannot.

    Of a text that was misread, what was read in its place.
    """
    if value is None:
        return None
    text = " ".join(value.split())
    found = Printed([shown.line for shown in lines]).text(text)
    by_line = {id(shown.line): shown for shown in lines}
    cited = tuple(by_line[id(line)] for line in found or ())
    if found is None or not can_copy(cited, text):
        text, cited = _read_for(text, lines)
    allowed = 0 < len(cited) <= MOST_LINES and can_copy(cited, text)
    return Copied(at=tuple(shown.number for shown in cited), value=text) if allowed else None


def _read_for(value: str, lines: Shown) -> tuple[str, Shown]:
    """The stretch of a line, or the whole lines together, most like a text; no lines where nothing is like it."""
    stretches = [(_stretch(value, shown.text), (shown,)) for shown in lines]
    wholes = [(" ".join(shown.text for shown in lines[:count]), lines[:count]) for count in range(2, MOST_LINES + 1)]
    best = max((*stretches, *wholes), key=lambda each: fuzz.ratio(value, each[0]), default=("", ()))
    return best if fuzz.ratio(value, best[0]) >= ALIKE else ("", ())


def _stretch(value: str, text: str) -> str:
    """The words of a text that a value is most like."""
    alignment = fuzz.partial_ratio_alignment(value, text)
    if alignment is None or alignment.dest_end == alignment.dest_start:
        return ""
    begin = text.rfind(" ", 0, alignment.dest_start + 1) + 1
    end = text.find(" ", alignment.dest_end - 1)
    return text[begin : end if end > begin else None]


def nearest(lines: Iterable[NumberedLine], line: NumberedLine) -> Shown:
    """Lines by how far they are from being in one row or one column with a line, then by how far they are."""
    x, y = line.line.box.center

    def distance(shown: NumberedLine) -> tuple[float, float]:
        across, down = abs(shown.line.box.center[0] - x), abs(shown.line.box.center[1] - y)
        return round(min(across, down)), across + down

    return tuple(sorted(lines, key=distance))


def _of(value: str | None, lines: Shown, read: Callable[[Shown], Sequence[str]]) -> Copied | None:
    """A value with the first line that it can be read from; None where there is none."""
    if value is None:
        return None
    shown = next((shown for shown in lines if value in read((shown,))), None)
    return None if shown is None else Copied(at=(shown.number,), value=value)
