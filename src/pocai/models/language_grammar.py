"""The grammar of an answer about one page, byte by byte: what may be written next.

An answer that keeps to it is JSON of the right shape, and more: numbers are those of lines on the page, texts are
copied from the cited lines word by word, times and days are those that the cited lines print. A grammar is a set of
ways on, each a few bytes long, that are laid out only as far as they are needed. Nothing but timetables and events can
follow one another without end, and ``closing`` ends them, so that every answer ends. (Constraints on language models:
Willard and Louf 2023, arXiv:2307.09702.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pocai.models.language_page import NumberedLine, NumberedPage
from pocai.settings import SchoolHours
from pocai.timetable.heading import YEAR
from pocai.timetable.printed import Printed, aligned
from pocai.timetable.timetable import WEEK, Day, clock

MOST_LINES = 8  # that one value may be read from
_DASHES = frozenset("-‐‑–")


@dataclass(frozen=True, slots=True)
class Way:
    """Bytes to write, and what may follow; ``then`` is told whether the answer has to come to its end."""

    text: bytes
    then: Then


Ways = tuple[Way, ...]
Then = Callable[[bool], Ways]
Part = Callable[[Then], Ways]
"""A part of the grammar: given what follows it, the ways to write it."""
Cited = tuple[NumberedLine, ...]
State = tuple[tuple[Way, int], ...]
"""Ways that are open, each with how many of its bytes are written."""

END = Way(b"", lambda _: ())


def started(ways: Ways) -> State:
    """The state before the first byte."""
    return tuple((way, 0) for way in ways)


def onward(state: State, *, closing: bool) -> Iterator[tuple[int, State]]:
    """Every byte that may come next, with the state after it."""
    found: dict[int, list[tuple[Way, int]]] = {}
    for way, at in state:
        if at < len(way.text):
            found.setdefault(way.text[at], []).append((way, at + 1))
    for byte, ways in found.items():
        yield byte, tuple(_laid_out(ways, closing=closing))


def after(state: State, text: bytes, *, closing: bool = False) -> State:
    """The state after some bytes; empty where the grammar does not allow them."""
    for byte in text:
        state = next((state for sign, state in onward(state, closing=closing) if sign == byte), ())
    return state


def is_complete(state: State) -> bool:
    """Whether the answer may end here."""
    return any(way is END for way, _ in state)


def _laid_out(ways: Iterable[tuple[Way, int]], *, closing: bool) -> Iterator[tuple[Way, int]]:
    for way, at in ways:
        if at < len(way.text):
            yield way, at
        else:
            yield from started(way.then(closing))


class Grammar:
    """All answers about a page; ``hours`` decide which reading of a printed time may be written."""

    def __init__(self, page: NumberedPage, hours: SchoolHours) -> None:
        self._lines = page.lines
        self._hours = hours
        self._printed = Printed([shown.line for shown in page.lines])

    def ways(self) -> Ways:
        """The ways to write an answer; a space may stand before it, as many tokenizers put one there."""
        part = _record([("timetables", _list_of(self._table) if self._texts else _exactly(b"[]"))])
        ways = part(lambda _: (END,))
        return (*ways, Way(b" ", lambda _: ways))

    @property
    def longest_event(self) -> int:
        """More bytes than any event, or any header, can have: how far an answer may go on after it is to end."""
        copied = MOST_LINES * (8 + max((6 * len(shown.text) for shown in self._texts), default=0))
        return 200 + 5 * copied

    def _table(self, then: Then) -> Ways:
        copied = self._cited(self._texts, _copied)
        header = [(key, _optional(copied)) for key in ("title", "teacher", "class", "term")]
        year = ("year", _optional(self._cited(self._dated, lambda cited: _one_of(years(cited)))))
        return _record([*header, year, ("events", _list_of(self._event))])(then)

    def _event(self, then: Then) -> Ways:
        copied = self._cited(self._texts, _copied)
        time = _optional(self._cited(self._timed, lambda cited: _one_of(self.times(cited))))
        parts = [
            ("name", copied),
            ("notes", _optional(copied)),
            ("days", _optional(self._cited(self._dayed, lambda cited: _days(self.days(cited))))),
            ("start", time),
            ("end", time),
            ("weeks", _optional(copied)),
        ]
        return _record(parts)(then)

    @cached_property
    def _texts(self) -> Sequence[NumberedLine]:
        return [shown for shown in self._lines if any(sign.isalnum() for sign in shown.text)]

    @cached_property
    def _timed(self) -> Sequence[NumberedLine]:
        return [shown for shown in self._texts if Printed([shown.line]).minutes]

    @cached_property
    def _dayed(self) -> Sequence[NumberedLine]:
        return [shown for shown in self._texts if self._printed.days_in(shown.text)]

    @cached_property
    def _dated(self) -> Sequence[NumberedLine]:
        return [shown for shown in self._texts if YEAR.search(shown.text)]

    def _cited(self, lines: Sequence[NumberedLine], value: Callable[[Cited], Part]) -> Part | None:
        """A value, by `value`, behind the numbers of the lines that it is read from; None where there are none."""
        if not lines:
            return None

        def part(then: Then) -> Ways:
            def read(cited: Cited) -> Then:
                return lambda _: _exactly(b',"is":')(lambda _: value(cited)(lambda _: (Way(b"}", then),)))

            return _exactly(b'{"at":')(lambda _: _numbers(lines, read))

        return part

    def times(self, cited: Cited) -> list[str]:
        """The times that some lines print; where some of their readings lie in school hours, those alone."""
        minutes = sorted(Printed([shown.line for shown in cited]).minutes)
        usual = [minute for minute in minutes if self._hours.earliest <= minute <= self._hours.latest]
        return [clock(minute) for minute in usual or minutes]

    def days(self, cited: Cited) -> list[Day]:
        """The days that some lines name, in the order of the week."""
        named = {day for shown in cited for day in self._printed.days_in(shown.text)}
        return [day for day in WEEK if day in named]


def years(cited: Cited) -> list[str]:
    """The years that some lines print in four figures."""
    found = (match for shown in cited for match in YEAR.finditer(shown.text))
    return sorted({next(filter(None, match.groups())) for match in found})


def can_copy(cited: Cited, text: str) -> bool:
    """Whether a text may be written as one that is copied from these lines."""
    signs = json.dumps(text, ensure_ascii=False).encode()
    return bool(cited) and is_complete(after(started(_copied(cited)(lambda _: (END,))), signs))


def _exactly(text: bytes) -> Part:
    return lambda then: (Way(text, then),)


def _optional(part: Part | None) -> Part:
    null = _exactly(b"null")
    return null if part is None else lambda then: (*part(then), *null(then))


def _one_of(values: Sequence[str]) -> Part:
    return lambda then: tuple(Way(json.dumps(value).encode(), then) for value in values)


def _record(parts: Sequence[tuple[str, Part | None]], sign: bytes = b"{") -> Part:
    """An object with these keys in this order."""
    if not parts:
        return _exactly(b"}")
    (key, part), *others = parts
    assert part is not None, "a value that is always there"
    return lambda then: (Way(sign + f'"{key}":'.encode(), lambda _: part(lambda _: _record(others, b",")(then))),)


def _list_of(part: Part) -> Part:
    """A list of one or more, which goes on until the answer has to end."""

    def listed(then: Then) -> Ways:
        def next_one(closing: bool) -> Ways:
            end = Way(b"]", then)
            return (end,) if closing else (end, Way(b",", lambda _: part(next_one)))

        return (Way(b"[", lambda _: part(next_one)),)

    return listed


def _numbers(lines: Sequence[NumberedLine], then: Callable[[Cited], Then]) -> Ways:
    """A list of numbers of lines; each may stand there twice, as a text may take two stretches of one line."""

    def pick(sign: bytes, chosen: Cited) -> Ways:
        free = (shown for shown in lines if chosen.count(shown) < 2)  # noqa: PLR2004 -- twice
        return tuple(Way(sign + str(shown.number).encode(), following((*chosen, shown))) for shown in free)

    def following(chosen: Cited) -> Then:
        end = Way(b"]", then(chosen))
        return lambda _: (end, *(pick(b",", chosen) if len(chosen) < MOST_LINES else ()))

    return pick(b"[", ())


def _days(days: Sequence[Day]) -> Part:
    return lambda then: _rising(b"[", days, then)


def _rising(sign: bytes, days: Sequence[Day], then: Then) -> Ways:
    """A list of one or more of these days in their order."""

    def following(left: Sequence[Day]) -> Then:
        return lambda _: (Way(b"]", then), *_rising(b",", left, then))

    return tuple(Way(sign + f'"{day}"'.encode(), following(days[at + 1 :])) for at, day in enumerate(days))


def _copied(cited: Cited) -> Part:
    """A stretch of each cited line in turn, from word to word, with a space between two of them.

    Each holds a letter or a figure. No space stands inside a word that goes on in the next line: behind a hyphen, which
    falls away, or a single letter.
    """
    rows = [[(json.dumps(atom, ensure_ascii=False)[1:-1], space) for atom, space in shown.atoms] for shown in cited]
    said = [[any(sign.isalnum() for sign in atom) for atom, _ in shown.atoms] for shown in cited]

    def part(then: Then) -> Ways:
        def begin(row: int, sign: str) -> Ways:
            places = (at for at in range(len(rows[row])) if any(said[row][at:]))
            return tuple(_way(sign + rows[row][at][0], going(row, at, at)) for at in places)

        def going(row: int, first: int, at: int) -> Then:
            def ways(closing: bool) -> Ways:
                del closing
                on = [_way(" " * space + atom, going(row, first, at + 1)) for atom, space in rows[row][at + 1 : at + 2]]
                if not any(said[row][first : at + 1]):
                    return tuple(on)
                if row + 1 == len(rows):
                    return (*on, Way(b'"', then))
                broken = _broken(cited[row], at, cited[row + 1])
                inside = [_way(rows[row + 1][0][0], going(row + 1, 0, 0))] if broken else []
                return (*on, *begin(row + 1, " "), *inside)

            return ways

        return begin(0, '"')

    return part


def _way(text: str, then: Then) -> Way:
    return Way(text.encode(), then)


def _broken(line: NumberedLine, at: int, other: NumberedLine) -> bool:
    """Whether a word that is written up to atom ``at`` of a line may go on with the beginning of another."""
    if not aligned(line.line, other.line):
        return False
    atoms = [atom for atom, _ in line.atoms]
    hyphen = at == len(atoms) - 2 and atoms[-1] in _DASHES and other.text[:1].islower()
    return hyphen or (len(line.text) == 1 and len(other.text) == 1)
