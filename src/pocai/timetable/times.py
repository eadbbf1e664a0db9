"""Times of day as schools print them: "8:35 – 8.50 am", "12-1pm", "9h30", "8.00 Uhr", "ends 12: 30pm".

`find_times` reads a text in three steps: every number that could be a clock becomes a token, neighbouring tokens
with a dash or a word such as "to" between them become one range, and what the notation does not support as a time
(dates, rooms, "Weeks 1-2", years) is left out. What a "1.15" without am or pm means is decided for a whole header
or beside a slot by `pocai.timetable.time_axis`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pocai.timetable.clock import Clock, Meridiem, TimeSpan, length
from pocai.timetable.time_notation import AND, END_WORDS, START_WORDS, TO, Token, plain, tokens

_LONGEST_GUESS = 5 * 60  # minutes: with a bare hour on one side, a longer range is a number beside a time
_LONGEST_DAY = 8 * 60
_CENTURIES = (19, 20)  # "2024" and "2024-2025" are years
_LABELS = re.compile(
    r"\b(?:times?|from|to|start|end|zeit(?:en)?|uhrzeit|heures?|horas?|horarios?|horários?|or[ae]|orari[oi]?)\b",
    re.IGNORECASE,
)
_OPENING, _CLOSING = re.compile(r"([(\[{])\s*$"), re.compile(r"\s*([)\]}])")
_LONGEST_WORDS = 40  # characters
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_SEPARATORS = " \t\r\n\u00a0-–—−:;,|/·•@~→"


def find_times(text: str, *, bare: bool = False) -> tuple[TimeSpan, ...]:
    """The times in a text, left to right.

    With ``bare`` the caller knows that this is a cell of a header or of a column of times: then "9", "9-10", "0900"
    and two clocks above each other count, if the whole text is just that.
    """
    flat = plain(text)
    found = tuple(tokens(flat))
    whole = _whole(flat, found) if bare else None
    if whole:
        return (whole,)
    return tuple(_span(flat, first, second) for first, second in _phrases(flat, found))


def is_time_only(text: str, *, bare: bool = False) -> bool:
    """Whether the text is nothing but times, separators and labels such as "Time"; False where no time is in it."""
    spans = find_times(text, bare=bare)
    return bool(spans) and not re.search(r"\w", _LABELS.sub(" ", _cut(text, spans)))


def strip_times(text: str, spans: Sequence[TimeSpan]) -> str:
    """The text without the spans, the cut mended: "Lunch - 12:30-13:30" leaves "Lunch"."""
    for span in sorted(spans, key=lambda span: span.at, reverse=True):
        text = _mend(text[: span.at[0]], text[span.at[1] :])
    return text.strip() if re.search(r"\w", text) else ""


def _cut(text: str, spans: Sequence[TimeSpan]) -> str:
    for span in sorted(spans, key=lambda span: span.at, reverse=True):
        text = f"{text[: span.at[0]]} {text[span.at[1] :]}"
    return text


def _mend(left: str, right: str) -> str:
    head, tail = left.rstrip(_SEPARATORS), right.lstrip(_SEPARATORS)
    gap = left[len(head) :] + right[: len(right) - len(tail)]
    if head[-1:] in _BRACKETS and tail[:1] == _BRACKETS[head[-1]]:
        return _mend(head[:-1], tail[1:])
    if not head or not tail or head[-1] in _BRACKETS or tail[0] in _BRACKETS.values():
        return head + tail
    if "\n" in gap:
        return f"{head}\n{tail}"
    both = left[len(head) :].strip() and right[: len(right) - len(tail)].strip()
    return f"{head} {both[0]} {tail}" if both else f"{head} {tail}"


def _phrases(text: str, found: Sequence[Token]) -> Iterator[tuple[Token, Token | None]]:
    """Tokens that the notation supports as times, joined to ranges greedily from the left."""
    index = 0
    while index < len(found):
        first = found[index]
        if index + 1 < len(found) and _joined(text, found, index):
            yield first, found[index + 1]
            index += 2
        else:
            if first.strong or (first.form == "noon" and _words(text, first)):
                yield first, None
            index += 1


def _joined(text: str, found: Sequence[Token], index: int) -> bool:
    first, second = found[index], found[index + 1]
    between = text[first.at[1] : second.at[0]]
    if not TO.fullmatch(between):
        return bool(AND.fullmatch(between) and _before(START_WORDS, text, first))
    if first.form == "hour" and not first.clock.meridiem and index + 2 < len(found):
        # In "1 - 9.00-9.30" the first number counts a period.
        third = found[index + 2]
        if second.has_minutes and TO.fullmatch(text[second.at[1] : third.at[0]]):
            return False
    return _range_supported(text, first, second)


def _before(words: re.Pattern[str], text: str, token: Token) -> re.Match[str] | None:
    return words.search(text, max(0, token.at[0] - _LONGEST_WORDS), token.at[0])


def _words(text: str, token: Token) -> re.Match[str] | None:
    """The word before a clock that makes it an end or, else, a start."""
    return _before(END_WORDS, text, token) or _before(START_WORDS, text, token)


def _range_supported(text: str, first: Token, second: Token) -> bool:
    forms = {first.form, second.form}
    if forms == {"compact"}:
        return _compact_range(first, second)
    if forms == {"comma"}:
        return 0 < _shortest(first, second) <= _LONGEST_GUESS
    if not (first.strong or second.strong):
        words = text[first.at[1] : second.at[0]].strip().isalpha() and _before(START_WORDS, text, first)
        hours = first.marked or second.marked or first.form == "letter" or second.form == "letter" or words
        return bool(hours) and 0 < _shortest(first, second) <= _LONGEST_GUESS
    weak = "hour" in forms or "compact" in forms or "comma" in forms
    return not weak or bool(first.clock.meridiem and second.clock.meridiem) or _plausible(first, second)


def _plausible(first: Token, second: Token) -> bool:
    longest = 12 * 60 if first.clock.meridiem or second.clock.meridiem else _LONGEST_GUESS
    return 0 < _shortest(first, second) <= longest


def _compact_range(first: Token, second: Token) -> bool:
    """Whether "0900-1000" is a range of times and not of years or numbers."""
    years = all(token.clock.hour in _CENTURIES for token in (first, second))
    fives = first.clock.minute % 5 == 0 == second.clock.minute % 5
    return fives and not years and 0 < _shortest(first, second) <= _LONGEST_GUESS


def _shortest(first: Token, second: Token) -> int:
    """Minutes of the shortest reading of the range that is in order, 0 where there is none."""
    span = TimeSpan(first.clock, second.clock, (0, 0))
    return max(0, min(length(interval) for interval in span.intervals()))


def _span(text: str, first: Token, second: Token | None) -> TimeSpan:
    words = _before(START_WORDS, text, first) if second else _words(text, first)
    at = _with_brackets(text, words.start() if words else first.at[0], (second or first).at[1])
    if second is not None:
        return TimeSpan(*_agreed(first.clock, second.clock), at)
    if words and _before(END_WORDS, text, first):
        return TimeSpan(None, first.clock, at)
    return TimeSpan(first.clock, None, at)


def _agreed(start: Clock, end: Clock) -> tuple[Clock, Clock]:
    """Start and end with the one's am or pm applied to the other where that makes sense: "11-1pm" starts at 11 am."""
    if (start.meridiem is None) == (end.meridiem is None):
        return start, end
    if start.meridiem is None:
        before = [reading for reading in start.readings() if reading < end.readings()[0]]
        return (replace(start, meridiem=_meridiem(max(before))), end) if before else (start, end)
    after = [reading for reading in end.readings() if reading > start.readings()[0]]
    return (start, replace(end, meridiem=_meridiem(min(after)))) if after else (start, end)


def _meridiem(minute: int) -> Meridiem:
    return "am" if minute < 12 * 60 else "pm"


def _with_brackets(text: str, begin: int, end: int) -> tuple[int, int]:
    opening, closing = _OPENING.search(text, max(0, begin - 3), begin), _CLOSING.match(text, end)
    if opening and closing and _BRACKETS[opening[1]] == closing[1]:
        return opening.start(), closing.end()
    return begin, end


def _whole(text: str, found: Sequence[Token]) -> TimeSpan | None:
    """The one time that fills the whole text, however little its notation says: "9", "9-10", "0900", "9,30"."""
    if not 1 <= len(found) <= 2:  # noqa: PLR2004 - one clock or a range
        return None
    first, second = found[0], found[1] if len(found) > 1 else None
    if second is None and first.form == "compact" and first.clock.hour in _CENTURIES and not first.strong:
        return None
    if second is not None and not _makes_range(text[first.at[1] : second.at[0]], first, second):
        return None
    span = _span(text, first, second)
    rest = f"{text[: span.at[0]]} {text[span.at[1] :]}"
    return None if re.search(r"\w", _LABELS.sub(" ", rest)) else span


def _makes_range(between: str, first: Token, second: Token) -> bool:
    """Whether two clocks that fill a cell are a start and an end: joined, or one above the other."""
    stacked = not between.strip(" \r\n/|") and first.has_minutes and second.has_minutes
    return bool(TO.fullmatch(between) or stacked) and 0 < _shortest(first, second) <= _LONGEST_DAY
