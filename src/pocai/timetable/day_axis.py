"""The axis of days: which stretch of the page is which day.

Everything here works in *axis coordinates*: days run along x and times along y. A page whose days run down is
handed in with x and y exchanged (`Piece.swapped`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pocai.timetable.days import day_label, find_days, resolve_labels
from pocai.timetable.pieces import Piece
from pocai.timetable.timetable import WEEK, Day

FAR = 1e9  # beyond every page
INITIALS = re.compile(r"\w\s?[&+]\s?\w")  # "D&T" is a subject
FULL_NAME = 6  # letters of the shortest English day name
LAST_I = re.compile(r"(?<=[^\W\d_]{4})[\]|!1]$")  # "LUNED]": what recognizers make of an accented i
RECENT = 30  # bands above a label that may still be its own; older ones are too far away
SHORT_LABEL = 14  # characters of the longest abbreviated day label worth deciding by its neighbours


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
        for band in bands[-RECENT:]:
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
    text = LAST_I.sub("i", piece.text)
    if INITIALS.fullmatch(text):
        return ""
    if len(text) <= SHORT_LABEL or day_label(text):
        return text
    several = piece.lines if len(piece.lines) > 1 else ()
    return next((line.text for line in several if day_label(line.text)), "")


def _weeks(band: Sequence[Piece]) -> list[list[tuple[Piece, tuple[Day, ...]]]]:
    """The day labels of a band; a new row where a day comes again (two weeks or classes side by side)."""
    texts = [_label_text(piece) for piece in band]
    resolved = [days or _named_among(text) for days, text in zip(resolve_labels(texts), texts, strict=True)]
    resolved = _with_gaps_filled(resolved)
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


def _named_among(text: str) -> tuple[Day, ...]:
    """The day that a short label names in full, whatever a misread date beside it says."""
    mentions = find_days(text) if len(text) <= SHORT_LABEL else ()
    if len(mentions) != 1 or mentions[0].at[1] - mentions[0].at[0] < FULL_NAME:
        return ()
    return (mentions[0].day,)


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
