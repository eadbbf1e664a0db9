"""The axis of times: labels beside the days, or in a list, each with its stretch of the page and its times.

In axis coordinates, as `day_axis`: times run along y.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pocai.documents.page import Box
from pocai.settings import SchoolHours
from pocai.timetable.clock import Interval, TimeSpan
from pocai.timetable.pieces import Piece
from pocai.timetable.stretches import stretches_of
from pocai.timetable.time_axis import resolve_axis
from pocai.timetable.times import find_times, is_time_only, strip_times

COUNT = re.compile(r"\s*\d{1,2}\s*(?:\.?[ªº°]|[.)])?\s*$")
RANGE = re.compile(r"\d\s*[-–—]\s*\d")
FIRST_HOUR = 6  # numbered labels that begin lower count periods; from here on they may be hours
PERIOD = re.compile(
    r"(?ix) (?:period|lesson|session|block|hour|stunde|std|leçon|lección|hora|heure|ora|aula|tempo|"
    r"mod(?:ule|ulo)?|p|l|s|h|séance|sesión|unit|slot|per|lec|\#)? \s*[.:#]?\s*"
    r"\d{1,2} \s* (?:st|nd|rd|th|\.?[ªº°]|\.|[eè]me|e|a)? \s*"
    r"(?:period|lesson|session|hour|stunde|std\.?|hora|heure|ora|aula|tempo)?"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One label of the time axis: the stretch ``low`` to ``high``, its times in minutes, and its other words."""

    low: float
    high: float
    interval: Interval
    words: str
    label: Piece

    @property
    def length(self) -> float:
        return self.high - self.low


def period_name(text: str) -> str | None:
    """The normal form of a period's label ("Period 3", "3rd lesson", "P3" give "3"); None for anything else."""
    match = PERIOD.fullmatch(text.strip(" :.-–|"))
    return re.sub(r"\D", "", match[0]).lstrip("0") or "0" if match else None


def slot_axis(
    pieces: Sequence[Piece], hours: SchoolHours, body: Sequence[Piece], key: dict[str, TimeSpan] | None = None
) -> tuple[Slot, ...]:
    """Time labels from top to bottom: pieces with a time, and numbered periods, with numbers beside times merged in."""
    timed, counted = _timed(pieces)
    named = [p for p in pieces if p not in timed and period_name(p.text) is not None]
    anchors = _one_column(timed if len(timed) > 1 or not named else named)
    if len(timed) > 1:
        loose = [p for p in named if not any(_beside(p, anchor) for anchor in anchors) and _in_column(p, named)]
        anchors = _with_numbers(anchors, loose)
    anchors = _stacked(sorted(anchors, key=lambda p: p.box.center[1]))
    if not anchors:
        return ()
    spans = [_span_of(p, key or {}, counted=counted) for p in anchors]
    intervals = resolve_axis(spans, hours)
    stretches = stretches_of(anchors, body)
    others = [p for p in pieces if p not in timed and p not in named]
    return tuple(
        Slot(low, high, interval or Interval(None, None), _other_words(p, others), p)
        for p, interval, (low, high) in zip(anchors, intervals, stretches, strict=True)
    )


def _timed(pieces: Sequence[Piece]) -> tuple[list[Piece], bool]:
    """The labels that are times, and whether bare numbers only count periods.

    Beside printed times a bare number is an hour only in their own column ("9", "9.30", "10").
    """
    sure = [p for p in pieces if find_times(p.text) or (RANGE.search(p.text) and find_times(p.text, bare=True))]
    bare = [p for p in pieces if p not in sure and find_times(p.text, bare=True)]
    if len(sure) > 1:
        column = Box.around(p.box for p in sure)
        bare = [
            p for p in bare if column.left <= p.box.center[0] <= column.right and not any(_beside(p, q) for q in sure)
        ]
        return sure + bare, False
    counted = _are_counted(bare)
    return ([] if counted else sure + bare), counted


def _stacked(anchors: list[Piece]) -> list[Piece]:
    """Starts and ends printed below each other, in pairs with free space between, are one label each."""
    if len(anchors) < 4 or len(anchors) % 2 or any(p.ruled for p in anchors):  # noqa: PLR2004 - two pairs at least
        return anchors
    if any(span.end for p in anchors for span in find_times(p.text, bare=True)):
        return anchors
    gaps = [below.box.top - above.box.bottom for above, below in pairwise(anchors)]
    if max(gaps[::2]) > 0.6 * min(gaps[1::2]):
        return anchors
    pairs = zip(anchors[::2], anchors[1::2], strict=True)
    return [replace(a, box=Box.around((a.box, b.box)), lines=(*a.lines, *b.lines)) for a, b in pairs]


def _are_counted(pieces: Sequence[Piece]) -> bool:
    """Whether labels are the numbers of periods (1, 2, 3, …) and not hours."""
    ordered = sorted(pieces, key=lambda p: p.box.center[1])
    numbers = [int(name) for p in ordered if COUNT.match(p.text) and (name := period_name(p.text))]
    steps = {b - a for a, b in pairwise(numbers)}
    return len(numbers) > 1 and 2 * len(numbers) > len(pieces) and steps == {1} and numbers[0] < FIRST_HOUR


def _one_column(pieces: Sequence[Piece]) -> list[Piece]:
    """One label for each row: the leftmost, joined with the next where that is its end ("Start" and "End" columns)."""
    kept: list[Piece] = []
    for piece in sorted(pieces, key=lambda p: p.box.left):
        same_row = next((i for i, other in enumerate(kept) if _beside(piece, other)), None)
        if same_row is None:
            kept.append(piece)
        elif _is_end_of(piece, kept[same_row]):
            first = kept[same_row]
            kept[same_row] = replace(first, box=Box.around((first.box, piece.box)), lines=(*first.lines, *piece.lines))
    return kept


def _with_numbers(anchors: Sequence[Piece], named: Sequence[Piece]) -> list[Piece]:
    """Times with the number of their period, where that stands just above or below; other numbers as labels."""
    joined = list(anchors)
    for piece in named:
        near = next((i for i, anchor in enumerate(joined) if _touches(piece, anchor)), None)
        if near is None:
            joined.append(piece)
        else:
            anchor = joined[near]
            joined[near] = replace(anchor, box=Box.around((anchor.box, piece.box)), lines=(*anchor.lines, *piece.lines))
    return joined


def _touches(piece: Piece, other: Piece) -> bool:
    if piece.ruled or other.ruled:
        return False
    gap = max(piece.box.top, other.box.top) - min(piece.box.bottom, other.box.bottom)
    aside = max(piece.box.left, other.box.left) - min(piece.box.right, other.box.right)
    return gap < 0.8 * min(piece.box.height, other.box.height) and aside < 0


def _is_end_of(piece: Piece, start: Piece) -> bool:
    """Whether two single times in a row are start and end."""
    first, second = find_times(start.text, bare=True), find_times(piece.text, bare=True)
    if len(first) != 1 or len(second) != 1 or first[0].end or second[0].end:
        return False
    return first[0].start != second[0].start


def _beside(piece: Piece, other: Piece) -> bool:
    common = min(piece.box.bottom, other.box.bottom) - max(piece.box.top, other.box.top)
    return common > 0.5 * min(piece.box.height, other.box.height)


def _in_column(piece: Piece, named: Sequence[Piece]) -> bool:
    return sum(abs(piece.box.center[0] - other.box.center[0]) < other.box.width for other in named) > 1


def _span_of(piece: Piece, key: dict[str, TimeSpan], *, counted: bool) -> TimeSpan | None:
    spans = find_times(piece.text, bare=not counted)
    starts = [span.start for span in spans if span.start and span.end is None]
    if len(starts) == len(spans) == 2:  # noqa: PLR2004 - a start and an end
        return TimeSpan(spans[0].start, spans[1].start, (spans[0].at[0], spans[1].at[1]))
    if spans:
        return spans[0]
    name = period_name(piece.text)
    return key.get(name) if name else None


def _other_words(piece: Piece, others: Sequence[Piece]) -> str:
    """What a time label says besides its time and number, in its own piece or in one that stands beside it."""
    text = strip_times(piece.text, find_times(piece.text, bare=True)).strip(" :-–|")
    text = "" if period_name(text) is not None else text
    return text or " ".join(other.text for other in others if _beside(other, piece) and _just_right_of(piece, other))


def _just_right_of(piece: Piece, other: Piece) -> bool:
    """Whether other words follow a label on its line, as in "10.30-10.45   Break"."""
    if piece.ruled or other.ruled or piece.turned:
        return False
    return 0 <= other.box.left - piece.box.right < 3 * piece.box.height


def only_times(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces that are nothing but a time, with or without the number of a period."""
    return [piece for piece in pieces if _is_time(piece.text) or _numbered_time(piece.text)]


def _is_time(text: str) -> bool:
    """A time alone; a range of whole hours counts, a number does not."""
    return is_time_only(text) or (bool(RANGE.search(text)) and is_time_only(text, bare=True))


def _numbered_time(text: str) -> bool:
    spans = find_times(text)
    return bool(spans) and period_name(strip_times(text, spans)) is not None
