"""Drafts of blocks: what a piece says, when, and on which days; and how neighbours settle what is not printed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from pocai.documents.page import Box, Line
from pocai.settings import SchoolHours
from pocai.timetable.clock import Interval
from pocai.timetable.day_axis import DayEntry
from pocai.timetable.naming import Context, Wording, wording
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import Slot
from pocai.timetable.slots import Timing, next_start
from pocai.timetable.time_axis import resolve_near
from pocai.timetable.timetable import Day, Evidence


@dataclass(frozen=True, slots=True)
class House:
    """What holds for a whole page: the school's hours, and what `naming` has to know of the rest of the page."""

    hours: SchoolHours
    context: Context


@dataclass(frozen=True, slots=True)
class Draft:
    """One event on one or more days, before its open times are settled."""

    entries: tuple[DayEntry, ...]
    piece: Piece
    wording: Wording
    timing: Timing
    time_labels: tuple[Piece, ...] = ()

    @property
    def days(self) -> tuple[Day, ...]:
        return tuple(dict.fromkeys(day for entry in self.entries for day in entry.days))


SEQUENCE = 2  # parts of one slot that may follow each other; more of them run side by side
SET = re.compile(r"(?i)\b(?:set|group|grp|gr|boys|girls|gruppe|groupe|grupo|gruppo)\b")
UNTIMED = Timing(None, None, Evidence.HEADER, Evidence.HEADER)


def drafts_of(
    piece: Piece, entries: Sequence[DayEntry], timing: Timing | None, slots: Sequence[Slot], house: House
) -> list[Draft]:
    """The drafts of one piece: one, or several where it holds several events with times of their own."""
    drafts = []
    for lines in _events(piece.lines):
        cell = piece.page_box if piece.ruled else None
        words = wording(lines, cell, house.context)
        if not words.name:
            continue
        if _only_mentioned(words, lines, timing):
            words = wording(lines, cell, house.context, timed=False)
        times = _own_times(words, timing or UNTIMED, house.hours)
        labels = tuple(slots[i].label for i in times.slots)
        drafts.append(Draft(tuple(entries), piece, words, times, labels))
    return drafts


def _only_mentioned(words: Wording, lines: Sequence[Line], timing: Timing | None) -> bool:
    """Whether a cell in a printed slot only mentions a time in its words ("coach at 1.05")."""
    if (
        timing is None
        or None in (timing.start, timing.end)
        or Evidence.INFERRED in (timing.start_from, timing.end_from)
    ):
        return False
    if any(span.start and span.end for span in words.spans) or not words.spans:
        return False
    text = "\n".join(line.text for line in lines)
    return all(span.start is not None and not re.search(r"(?:^|\n)\W*$", text[: span.at[0]]) for span in words.spans)


def _own_times(words: Wording, timing: Timing, hours: SchoolHours) -> Timing:
    """A time printed in the cell overrides the header's; only a start keeps the header's end if it begins there."""
    spans = [span for span in words.spans if span.start or span.end]
    if not spans:
        return timing
    near = Interval(timing.start, timing.end)
    best = max(spans, key=lambda span: (span.start is not None, span.end is not None))
    own = resolve_near(best, near if near != (None, None) else None, hours)
    start, start_from = (own.start, Evidence.PRINTED) if own.start is not None else (timing.start, timing.start_from)
    if own.end is not None:
        return replace(timing, start=start, end=own.end, start_from=start_from, end_from=Evidence.PRINTED)
    end = timing.end if own.start == timing.start else None
    return replace(timing, start=start, end=end, start_from=start_from)


def _events(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """The lines of a cell, cut into events where each has a time of its own, all before or all after the words."""
    marks = [_time_mark(line) for line in lines]
    timed = [i for i, mark in enumerate(marks) if mark]
    if len(timed) < 2:  # noqa: PLR2004 - a single time belongs to the whole cell
        return [tuple(lines)]
    if marks[0] in ("alone", "first"):
        cuts = [*timed, len(lines)]
    elif marks[-1] in ("alone", "last"):
        cuts = [0, *(i + 1 for i in timed)]
    else:
        return [tuple(lines)]
    events = [tuple(lines[a:b]) for a, b in pairwise(cuts)]
    return events if all(wording(event).name for event in events) else [tuple(lines)]


def _time_mark(line: Line) -> str:
    """How a line carries a time: alone, first, last, or not at all ("")."""
    words = wording([line])
    if not words.spans or not any(span.start for span in words.spans):
        return ""
    if not words.name:
        return "alone"
    if words.spans[0].at[0] == 0:
        return "first"
    return "last" if words.spans[-1].at[1] >= len(line.text) else ""


def settle(drafts: Sequence[Draft], slots: Sequence[Slot]) -> list[Draft]:
    """Open times settled: inferred edges by a neighbour's time, missing ends by the next start; twins merged."""
    settled = _parallel(drafts, slots)
    settled = [_by_neighbours(draft, settled) for draft in settled]
    days = _Days(settled)
    settled = [_by_next_start(draft, days, slots) for draft in settled]
    return _without_twins(settled)


def _parallel(drafts: Sequence[Draft], slots: Sequence[Slot]) -> list[Draft]:
    """Groups that share one slot each have all of it: sets, or more parts than can follow each other."""
    inside: dict[tuple[int, tuple[Day, ...]], list[Draft]] = {}
    for draft in drafts:
        if len(draft.timing.slots) == 1 and Evidence.INFERRED in (draft.timing.start_from, draft.timing.end_from):
            inside.setdefault((draft.timing.slots[0], draft.days), []).append(draft)
    whole = {
        id(draft)
        for group in inside.values()
        if len(group) > SEQUENCE or sum(bool(SET.search(_all_words(draft))) for draft in group) > len(group) / 2
        for draft in group
    }
    return [
        replace(draft, timing=_whole_slot(slots[draft.timing.slots[0]], draft.timing)) if id(draft) in whole else draft
        for draft in drafts
    ]


def _whole_slot(slot: Slot, timing: Timing) -> Timing:
    header = Evidence.HEADER
    return replace(timing, start=slot.interval.start, end=slot.interval.end, start_from=header, end_from=header)


def _all_words(draft: Draft) -> str:
    return f"{draft.wording.name} {draft.wording.notes or ''}"


def _by_neighbours(draft: Draft, drafts: Sequence[Draft]) -> Draft:
    timing = draft.timing
    if timing.start_from is Evidence.INFERRED:
        before = _neighbour(draft, drafts, before=True)
        if before is not None and before.timing.end_from is Evidence.PRINTED and before.timing.end is not None:
            timing = replace(timing, start=before.timing.end)
    if timing.end_from is Evidence.INFERRED:
        after = _neighbour(draft, drafts, before=False)
        if after is not None and after.timing.start_from is Evidence.PRINTED and after.timing.start is not None:
            timing = replace(timing, end=after.timing.start)
    return replace(draft, timing=timing)


def _neighbour(draft: Draft, drafts: Sequence[Draft], *, before: bool) -> Draft | None:
    """The draft whose cell shares the edge at which this one begins (or ends)."""
    own = draft.piece.box
    edge = own.top if before else own.bottom
    slack = 0.25 * own.height
    for other in drafts:
        if other is draft or not _share_a_day(draft, other):
            continue
        box = other.piece.box
        beside = min(own.right, box.right) - max(own.left, box.left) > 0.5 * min(own.width, box.width)
        if beside and abs((box.bottom if before else box.top) - edge) <= slack:
            return other
    return None


def _by_next_start(draft: Draft, days: _Days, slots: Sequence[Slot]) -> Draft:
    """Where only starts are printed, an event ends where the next one of its day begins."""
    timing = draft.timing
    if timing.start is None or timing.end is not None or (timing.start_from is Evidence.PRINTED and slots):
        return draft
    following = days.next_start(draft)
    if following is None:
        return draft
    if timing.slots and (start := next_start(slots, timing.slots[-1])) is not None:
        following = min(following, start)
    if following <= timing.start:
        return draft
    return replace(draft, timing=replace(timing, end=following, end_from=Evidence.INFERRED))


class _Days:
    """The starts of each day's events by their place on the page, and the earliest of all below each place."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        placed: dict[Day | None, list[tuple[float, int]]] = {}
        for draft in drafts:
            if draft.timing.start is not None:
                for day in draft.days or (None,):
                    placed.setdefault(day, []).append((draft.piece.box.center[1], draft.timing.start))
        self._places: dict[Day | None, list[float]] = {}
        self._earliest: dict[Day | None, list[int]] = {}
        for day, starts in placed.items():
            starts.sort()
            self._places[day] = [place for place, _ in starts]
            self._earliest[day] = list(accumulate((start for _, start in reversed(starts)), min))[::-1]

    def next_start(self, draft: Draft) -> int | None:
        """The earliest start, in minutes, of what stands below a draft on any of its days."""
        found = []
        for day in draft.days or (None,):
            at = bisect_right(self._places.get(day, []), draft.piece.box.center[1])
            found += self._earliest.get(day, [])[at : at + 1]
        return min(found, default=None)


def _share_a_day(draft: Draft, other: Draft) -> bool:
    return bool(set(draft.days) & set(other.days)) or not (draft.days or other.days)


def _without_twins(drafts: Iterable[Draft]) -> list[Draft]:
    """An event printed in two neighbouring cells with the same time of its own is one event."""
    seen: dict[tuple[object, ...], Draft] = {}
    for number, draft in enumerate(drafts):
        timing = draft.timing
        own = timing.start_from is Evidence.PRINTED and timing.end_from is Evidence.PRINTED and timing.end is not None
        key = (draft.days, draft.wording.name, timing.start, timing.end) if own else (number,)
        if key in seen:
            first = seen[key].piece
            box = Box.around((first.box, draft.piece.box))
            seen[key] = replace(seen[key], piece=replace(first, box=box))
        else:
            seen[key] = draft
    return list(seen.values())
