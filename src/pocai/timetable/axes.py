"""The two axes of a timetable: which stretch of the page is which day, and which is which time.

Everything here works in *axis coordinates*: days run along x and times along y. A page whose days run down is
handed in with x and y exchanged (`Piece.swapped`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from pocai.documents.page import Box
from pocai.settings import SchoolHours
from pocai.timetable.clock import Interval, TimeSpan
from pocai.timetable.days import day_label, resolve_labels
from pocai.timetable.pieces import Piece
from pocai.timetable.time_axis import resolve_axis
from pocai.timetable.times import find_times, is_time_only, strip_times
from pocai.timetable.timetable import WEEK, Day

FAR = 1e9  # beyond every page
INITIALS = re.compile(r"\w\s?[&+]\s?\w")  # "D&T" is a subject
RANGE = re.compile(r"\d\s*[-–—]\s*\d")
FIRST_HOUR = 6  # numbered labels that begin lower count periods; from here on they may be hours
SHORT_LABEL = 14  # characters of the longest abbreviated day label worth deciding by its neighbours
PERIOD = re.compile(
    r"(?ix) (?:period|lesson|session|block|hour|stunde|std|leçon|lección|hora|heure|ora|aula|tempo|"
    r"mod(?:ule|ulo)?|p|l|s|h|séance|sesión|unit|slot|per|lec|\#)? \s*[.:#]?\s* \d{1,2} \s* (?:st|nd|rd|th|ª|º|°|\.|[eè]me|e|a)? \s*"
    r"(?:period|lesson|session|hour|stunde|std\.?|hora|heure|ora|aula|tempo)?"
)


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One label of the day axis: its days, the stretch ``low`` to ``high`` that is theirs, and where it is printed."""

    days: tuple[Day, ...]
    low: float
    high: float
    label: Piece | None


@dataclass(frozen=True, slots=True)
class DayAxis:
    """Day labels in a row, and the stretch across in which their blocks stand: ``top`` to ``bottom``.

    ``title`` is the class (or room) whose column this is, where a page has a column for each. ``start`` is where its
    time labels may begin: the end of what stands to the left. ``listed`` says that the times stand among the events.
    """

    entries: tuple[DayEntry, ...]
    top: float
    bottom: float
    title: str | None = None
    start: float = -FAR
    listed: bool = False

    @property
    def low(self) -> float:
        return min(entry.low for entry in self.entries)

    @property
    def high(self) -> float:
        return max(entry.high for entry in self.entries)


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


def day_rows(pieces: Sequence[Piece]) -> list[list[tuple[Piece, tuple[Day, ...]]]]:
    """Rows of two or more day labels, those with most days first; no piece is in two rows."""
    rows = [row for band in _bands(pieces) for row in _weeks(band)]
    rows = [row for row in rows if len({days for _, days in row}) > 1]
    rows.sort(key=lambda row: -len({day for _, days in row for day in days}))
    taken: set[int] = set()
    kept = []
    for row in rows:
        if not any(id(piece) in taken for piece, _ in row):
            kept.append(row)
            taken.update(id(piece) for piece, _ in row)
    return kept


def _bands(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces that could be labels, in bands of equal height on the page, each from left to right."""
    bands: list[list[Piece]] = []
    for piece in sorted((p for p in pieces if _label_text(p)), key=lambda p: p.box.center[1]):
        box = piece.box
        for band in bands:
            other = band[0].box
            if abs(box.center[1] - other.center[1]) <= 0.5 * min(box.height, other.height) + 0.25 * max(
                box.height, other.height
            ):
                band.append(piece)
                break
        else:
            bands.append([piece])
    return [sorted(band, key=lambda p: p.box.center[0]) for band in bands]


def _label_text(piece: Piece) -> str:
    """The text of a piece that may be a day label; the line of a title that is one; or nothing."""
    text = piece.text
    if INITIALS.fullmatch(text):
        return ""
    if day_label(text) or len(text) <= SHORT_LABEL:
        return text
    return next((line.text for line in piece.lines if day_label(line.text)), "")


def _weeks(band: Sequence[Piece]) -> list[list[tuple[Piece, tuple[Day, ...]]]]:
    """The day labels of a band; a new row where a day comes again (two weeks or classes side by side)."""
    resolved = _with_gaps_filled(resolve_labels([_label_text(piece) for piece in band]))
    rows: list[list[tuple[Piece, tuple[Day, ...]]]] = [[]]
    seen: set[Day] = set()
    for piece, days in zip(band, resolved, strict=True):
        if not days:
            continue
        if seen & set(days) and days != rows[-1][-1][1]:
            rows.append([])
            seen = set()
        rows[-1].append((piece, days))
        seen |= set(days)
    return rows


def _with_gaps_filled(labels: Sequence[tuple[Day, ...]]) -> list[tuple[Day, ...]]:
    """Unreadable labels between two days take the days between them, where their number fits exactly."""
    filled = list(labels)
    known = [i for i, days in enumerate(labels) if len(days) == 1]
    for before, after in pairwise(known):
        between = WEEK[WEEK.index(labels[before][0]) + 1 : WEEK.index(labels[after][0])]
        if len(between) == after - before - 1 and not any(labels[before + 1 : after]):
            filled[before + 1 : after] = [(day,) for day in between]
    return filled


def day_axis(row: Sequence[tuple[Piece, tuple[Day, ...]]], pieces: Sequence[Piece], bottom: float) -> DayAxis:
    """The axis of a row of labels: each label's cell, or half the way to its neighbours where none is printed."""
    middles = [piece.box.center[0] for piece, _ in row]
    pitch = median(b - a for a, b in pairwise(middles)) if len(middles) > 1 else 0.0
    edges = sorted({edge for p in pieces if p.ruled for edge in (p.box.left, p.box.right)})
    entries = []
    for i, (piece, days) in enumerate(row):
        if piece.ruled and _owns_its_width(piece, row, pitch):
            low, high = piece.box.left, piece.box.right
        else:
            low = (middles[i - 1] + middles[i]) / 2 if i else middles[i] - pitch / 2
            high = (middles[i] + middles[i + 1]) / 2 if i + 1 < len(row) else middles[i] + pitch / 2
            low, high = _snapped(low, edges, pitch), _snapped(high, edges, pitch)
        entries.append(DayEntry(days, low, high, piece))
    return DayAxis(tuple(entries), min(piece.box.bottom for piece, _ in row), bottom)


def _owns_its_width(piece: Piece, row: Sequence[tuple[Piece, tuple[Day, ...]]], pitch: float) -> bool:
    """Whether a label's cell is its column: no other label in it, and not much wider than the columns lie apart."""
    others = any(piece.box.left < other.box.center[0] < piece.box.right for other, _ in row if other is not piece)
    return not others and (len(row) == 1 or piece.box.width <= 2.2 * pitch)


def _snapped(at: float, edges: Sequence[float], pitch: float) -> float:
    """The nearest printed edge within a third of a column, else the place itself."""
    nearest = min(edges, key=lambda edge: abs(edge - at), default=at)
    return nearest if abs(nearest - at) <= pitch / 3 else at


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
        anchors += [p for p in named if not any(_beside(p, anchor) for anchor in anchors) and _in_column(p, named)]
    anchors = _stacked(sorted(anchors, key=lambda p: p.box.center[1]))
    if not anchors:
        return ()
    spans = [_span_of(p, key or {}, counted=counted) for p in anchors]
    intervals = resolve_axis(spans, hours)
    stretches = _stretches(anchors, body)
    return tuple(
        Slot(low, high, interval or Interval(None, None), _other_words(p), p)
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
    numbers = [int(p.text) for p in sorted(pieces, key=lambda p: p.box.center[1]) if p.text.strip().isdigit()]
    steps = {b - a for a, b in pairwise(numbers)}
    return len(numbers) > 1 and 2 * len(numbers) > len(pieces) and steps == {1} and numbers[0] < FIRST_HOUR


def _one_column(pieces: Sequence[Piece]) -> list[Piece]:
    """Of labels that repeat beside each other (times left and right of the table), the leftmost of each row."""
    kept: list[Piece] = []
    for piece in sorted(pieces, key=lambda p: p.box.left):
        if not any(_beside(piece, other) for other in kept):
            kept.append(piece)
    return kept


def _beside(piece: Piece, other: Piece) -> bool:
    common = min(piece.box.bottom, other.box.bottom) - max(piece.box.top, other.box.top)
    return common > 0.5 * min(piece.box.height, other.box.height)


def _in_column(piece: Piece, named: Sequence[Piece]) -> bool:
    return sum(abs(piece.box.center[0] - other.box.center[0]) < other.box.width for other in named) > 1


def _span_of(piece: Piece, key: dict[str, TimeSpan], *, counted: bool) -> TimeSpan | None:
    spans = find_times(piece.text, bare=not counted)
    if len(spans) == 2 and spans[0].end is None and spans[1].end is None and spans[0].start and spans[1].start:  # noqa: PLR2004
        return TimeSpan(spans[0].start, spans[1].start, (spans[0].at[0], spans[1].at[1]))
    if spans:
        return spans[0]
    name = period_name(piece.text)
    return key.get(name) if name else None


def _other_words(piece: Piece) -> str:
    text = strip_times(piece.text, find_times(piece.text, bare=True)).strip(" :-–|")
    return "" if period_name(text) is not None else text


def _stretches(anchors: Sequence[Piece], body: Sequence[Piece]) -> list[tuple[float, float]]:
    """What part of the page each time label stands for: its cell, or the row of cells or of text beside it."""
    if all(p.ruled for p in anchors):
        return [(p.box.top, p.box.bottom) for p in anchors]
    edges = _supported_edges(body, min(p.box.height for p in anchors))
    if len(edges) > len(anchors) // 2:
        borders = _borders(anchors, edges)
        free = list(pairwise(borders))
        return [(p.box.top, p.box.bottom) if p.ruled else free[i] for i, p in enumerate(anchors)]
    return _by_text(anchors, [p for p in body if not p.ruled])


def _supported_edges(body: Sequence[Piece], size: float) -> list[tuple[float, float]]:
    """Upper and lower edges of the body's cells, each with the width of the cells that end there."""
    edges: list[tuple[float, float]] = []
    for at, width in sorted((at, p.box.width) for p in body if p.ruled for at in (p.box.top, p.box.bottom)):
        if edges and at - edges[-1][0] < 0.5 * size:
            edges[-1] = (edges[-1][0], edges[-1][1] + width)
        else:
            edges.append((at, width))
    return edges


def _borders(anchors: Sequence[Piece], edges: Sequence[tuple[float, float]]) -> list[float]:
    """Where one row ends and the next begins: at the edge between two labels at which most cells end."""
    middles = [p.box.center[1] for p in anchors]
    pitch = median(b - a for a, b in pairwise(middles)) if len(middles) > 1 else 2 * anchors[0].box.height
    reach = [middles[0] - pitch, *middles, middles[-1] + 1.5 * pitch]
    borders = []
    for above, below in pairwise(reach):
        between = [edge for edge in edges if above < edge[0] < below]
        widest = max((width for _, width in between), default=0.0)
        candidates = [at for at, width in between if width > 0.9 * widest]
        borders.append(min(candidates, key=lambda at: abs(at - (above + below) / 2), default=(above + below) / 2))
    return borders


def _by_text(anchors: Sequence[Piece], body: Sequence[Piece]) -> list[tuple[float, float]]:
    """Rows without lines: labels stand beside a row's first line, or its middle; what cuts fewer texts is right."""
    size = median(p.box.height for p in anchors)
    tops = [p.box.top - 0.4 * size for p in anchors]
    middles = [p.box.center[1] for p in anchors]
    halves = [(a + b) / 2 for a, b in pairwise(middles)]
    end = max([p.box.bottom for p in (*anchors, *body)], default=0.0) + size
    from_top = list(zip(tops, [*tops[1:], end], strict=True))
    around = list(zip([tops[0] - size, *halves], [*halves, end], strict=True))
    return min((from_top, around), key=lambda stretches: _cuts(stretches, body, size))


def _cuts(stretches: Sequence[tuple[float, float]], body: Sequence[Piece], size: float) -> int:
    """How many texts of close lines are cut by the borders, and how many lines by them."""
    borders = [low for low, _ in stretches]
    return sum(
        any(p.box.bottom - 0.3 * size <= border <= q.box.top + 0.3 * size for border in borders)
        for p in body
        for q in body
        if 0 <= q.box.top - p.box.bottom < 0.45 * size and min(p.box.right, q.box.right) > max(p.box.left, q.box.left)
    )


def only_times(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces that are nothing but a time, with or without the number of a period."""
    return [piece for piece in pieces if _is_time(piece.text) or _numbered_time(piece.text)]


def _is_time(text: str) -> bool:
    """A time alone; a range of whole hours counts, a number does not."""
    return is_time_only(text) or (bool(RANGE.search(text)) and is_time_only(text, bare=True))


def _numbered_time(text: str) -> bool:
    spans = find_times(text)
    return bool(spans) and period_name(strip_times(text, spans)) is not None
