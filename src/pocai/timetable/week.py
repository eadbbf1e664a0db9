"""One day axis and the pieces around it, read as a week: which pieces are times, which are events, and when."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

from pocai.documents.page import Box
from pocai.timetable.clock import TimeSpan
from pocai.timetable.day_axis import DayAxis, DayEntry
from pocai.timetable.drafts import Draft, House, drafts_of, settle
from pocai.timetable.naming import Wording
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import Slot, only_times, period_name, slot_axis
from pocai.timetable.slots import Timing, timing
from pocai.timetable.times import find_times
from pocai.timetable.timetable import Evidence

LEAST_SLOTS = 2  # time labels that make an axis
LONGEST_LABEL = 48  # characters of a time label; longer texts beside the days are remarks
LEAST_PERIODS = 3  # numbered periods without times that make one
BREAK = re.compile(
    r"(?i)\b(?:break(?:fast)?|lunch(?:time)?|dinner|tea|recess|registration|register|assembly|snack|play\s?time|"
    r"form time|tutor time|home\s?time|dismissal|arrival|(?:mittags|frühstücks|hof)?pause|mittagessen|frühstück|"
    r"récréation|récré|déjeuner|repas|recreo|receso|descanso|comida|almuerzo|pausa|intervallo|"
    r"ricreazione|mensa|pranzo|intervalo|almoço|recreio)\b"
)
FREE = 0.5  # free space between two texts, as a share of a line's height
LETTERS = 4  # single letters in a row of cells that spell a word


@dataclass(frozen=True, slots=True)
class Week:
    """The drafts of one axis, and the identities of all lines that were used for it."""

    axis: DayAxis
    drafts: tuple[Draft, ...]
    used: frozenset[int]


def read_week(axis: DayAxis, pieces: Sequence[Piece], key: dict[str, TimeSpan], house: House) -> Week:
    """The week that an axis spans: times beside the days, or in a list under each of them, or in the cells."""
    labels = {id(entry.label) for entry in axis.entries}
    region = [
        part
        for piece in pieces
        if id(piece) not in labels and _from_top(piece, axis) and piece.box.center[1] <= axis.bottom
        for part in _parts(piece, axis)
    ]
    body = [piece for piece in region if axis.low <= piece.box.center[0] <= axis.high]
    lists = _list_slots(axis, body, house)
    if lists:
        drafts = [d for entry, slots in lists for d in _list_drafts(entry, slots, body, house)]
        labels_used = [slot.label for _, slots in lists for slot in slots]
    else:
        beside = [p for p in region if axis.start <= p.box.center[0] < axis.low and len(p.text) <= LONGEST_LABEL]
        slots = _valid(slot_axis(beside, house.hours, body, key))
        if not slots:
            beside = [piece for piece in region if piece.box.center[0] > axis.high]
            slots = _valid(slot_axis(beside, house.hours, body, key))
        drafts = _grid_drafts(axis, slots, body, house)
        labels_used = [slot.label for slot in slots]
    used = [*(d.piece for d in drafts), *labels_used, *(e.label for e in axis.entries if e.label)]
    return Week(axis, tuple(drafts), frozenset(id(line) for piece in used for line in piece.lines))


def _from_top(piece: Piece, axis: DayAxis) -> bool:
    """Whether a piece stands below the day labels; a time label may stand on the line itself, as on a scale."""
    slack = 0.6 * piece.box.height if piece.box.center[0] < axis.low else 0.0
    return piece.box.center[1] >= axis.top - slack


def _valid(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    timed = [slot for slot in slots if slot.interval.start is not None or slot.interval.end is not None]
    return slots if len(timed) >= LEAST_SLOTS or len(slots) >= LEAST_PERIODS else ()


def _parts(piece: Piece, axis: DayAxis) -> list[Piece]:
    """A piece that reaches over the time labels, or whose lines stand side by side in several days, taken apart."""
    if not piece.ruled:
        return [piece]
    by_place: dict[int, list[int]] = {}
    for index, place in enumerate(piece.places):
        by_place.setdefault(_place(place, axis), []).append(index)
    beside = {place: indices for place, indices in by_place.items() if place < 0}
    inside = {place: indices for place, indices in by_place.items() if place >= 0}
    left, top, right, bottom = piece.box
    parts = [piece.part(i, Box(left, top, min(right, axis.low), bottom)) for i in beside.values() if left < axis.low]
    if not inside:
        return parts or [piece]
    if len(inside) > 1 and _side_by_side(piece, inside):
        entries = axis.entries
        return parts + [piece.part(i, Box(entries[p].low, top, entries[p].high, bottom)) for p, i in inside.items()]
    rest = sorted(index for indices in inside.values() for index in indices)
    return [*parts, piece.part(rest, Box(max(left, axis.low) if left < axis.low else left, top, right, bottom))]


def _place(box: Box, axis: DayAxis) -> int:
    """Index of the day entry in which a line's middle lies; -1 before the first day; the nearest entry otherwise."""
    at = box.center[0]
    if at < axis.low:
        return -1
    inside = [i for i, entry in enumerate(axis.entries) if entry.low <= at <= entry.high]
    if inside:
        return inside[0]
    return min(range(len(axis.entries)), key=lambda i: abs((axis.entries[i].low + axis.entries[i].high) / 2 - at))


def _side_by_side(piece: Piece, by_place: dict[int, list[int]]) -> bool:
    """Whether lines of different days stand in one row: then each is an event of its own, not one text."""
    places = piece.places
    if all(len(line.text.strip()) == 1 for line in piece.lines):
        return False
    columns = list(by_place.values())
    return any(
        min(places[i].bottom, places[j].bottom) - max(places[i].top, places[j].top) > 0.5 * places[i].height
        for number, column in enumerate(columns)
        for other in columns[number + 1 :]
        for i in column
        for j in other
    )


def _list_slots(axis: DayAxis, body: Sequence[Piece], house: House) -> list[tuple[DayEntry, tuple[Slot, ...]]]:
    """A time axis of its own for each day, where most days have one beside their events; else nothing."""
    found = []
    for entry in axis.entries:
        inside = [piece for piece in body if entry.low <= piece.box.center[0] <= entry.high]
        times = [piece for piece in only_times(inside) if _event_beside(piece, inside)]
        others = [piece for piece in inside if piece not in times]
        slots = slot_axis(times, house.hours, others) if len(times) >= (1 if axis.listed else LEAST_SLOTS) else ()
        if slots:
            found.append((entry, slots))
    return found if 2 * len(found) > len(axis.entries) else []


def _event_beside(time: Piece, pieces: Sequence[Piece]) -> bool:
    """Whether words that are no time stand in the same row as a time, in another cell."""
    middle = time.box.center[1]
    return any(
        piece is not time and piece.box.top <= middle <= piece.box.bottom and period_name(piece.text) is None
        for piece in pieces
        if piece not in only_times([piece])
    )


def _list_drafts(entry: DayEntry, slots: tuple[Slot, ...], body: Sequence[Piece], house: House) -> list[Draft]:
    """The events of a list: one for each time, from all the words beside it."""
    labels = {id(slot.label) for slot in slots}
    times_end = median(slot.label.box.center[0] for slot in slots)
    events = [
        piece
        for piece in body
        if id(piece) not in labels
        and entry.low <= piece.box.center[0] <= entry.high
        and not (period_name(piece.text) is not None and piece.box.center[0] < times_end)
    ]
    return settle(_by_slot([entry], slots, events, house), slots)


def _grid_drafts(axis: DayAxis, slots: tuple[Slot, ...], body: Sequence[Piece], house: House) -> list[Draft]:
    ruled = [part for piece in body if piece.ruled for part in _by_rows(piece, slots)]
    drafts = []
    for piece in ruled:
        if slots and piece.box.bottom <= slots[0].low + 0.2 * slots[0].length:
            continue  # a second row of column heads
        when = timing(piece.box.top, piece.box.bottom, slots, ruled=True)
        drafts += drafts_of(piece, _entries(piece, axis), when, slots, house)
    loose = [piece for piece in body if not piece.ruled]
    drafts += _by_slot(axis.entries, slots, loose, house)
    drafts = _over_all_days(_spelled(drafts, axis, slots), axis)
    return settle([*drafts, *_named_slots(axis, slots, drafts)], slots)


def _by_rows(piece: Piece, slots: Sequence[Slot]) -> list[Piece]:
    """A field over several slots with several texts far apart is a field for each: their borders are not printed."""
    covered = [
        slot for slot in slots if min(piece.box.bottom, slot.high) - max(piece.box.top, slot.low) > slot.length / 2
    ]
    groups = _far_apart(piece)
    if piece.turned or not 1 < len(groups) <= len(covered) or not _alike(piece, groups):
        return [piece]
    middles = [(min(piece.places[i].top for i in g) + max(piece.places[i].bottom for i in g)) / 2 for g in groups]
    cuts = min(
        combinations(range(1, len(covered)), len(groups) - 1),
        key=lambda cuts: sum(
            (middle - (covered[a].low + covered[b - 1].high) / 2) ** 2
            for middle, a, b in zip(middles, (0, *cuts), (*cuts, len(covered)), strict=True)
        ),
    )
    edges = [piece.box.top, *(covered[cut].low for cut in cuts), piece.box.bottom]
    return [
        piece.part(group, Box(piece.box.left, top, piece.box.right, bottom))
        for group, top, bottom in zip(groups, edges, edges[1:], strict=False)
    ]


def _alike(piece: Piece, groups: Sequence[Sequence[int]]) -> bool:
    """Whether texts begin with lines of one size above each other, as events do, and not the corners of one event."""
    first = [piece.lines[group[0]] for group in groups]
    sizes = [line.size or line.box.height for line in first]
    middles = [piece.places[group[0]].center[0] for group in groups]
    return min(sizes) > 0.85 * max(sizes) and max(middles) - min(middles) < 0.15 * piece.box.width


def _far_apart(piece: Piece) -> list[list[int]]:
    """The lines of a piece in groups with free space between them."""
    places = piece.places
    groups: list[list[int]] = []
    for index in sorted(range(len(places)), key=lambda i: places[i].center[1]):
        height = min(places[index].height, places[index].width)
        if groups and places[index].top - max(places[i].bottom for i in groups[-1]) <= FREE * height:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _entries(piece: Piece, axis: DayAxis) -> list[DayEntry]:
    """The days that a cell covers: by half of the day's stretch, or by half of its own."""
    covered = []
    for entry in axis.entries:
        common = min(piece.box.right, entry.high) - max(piece.box.left, entry.low)
        if common >= 0.5 * min(entry.high - entry.low, piece.box.width):
            covered.append(entry)
    if covered:
        return covered
    return [min(axis.entries, key=lambda e: abs((e.low + e.high) / 2 - piece.box.center[0]))]


def _by_slot(
    entries: Sequence[DayEntry], slots: tuple[Slot, ...], pieces: Sequence[Piece], house: House
) -> list[Draft]:
    """Free lines gathered by day and slot; without slots, by the gaps between them."""
    drafts: list[Draft] = []
    for entry in entries:
        inside = [p for p in pieces if entry.low <= p.box.center[0] <= entry.high]
        for group, slot in _gathered(inside, slots):
            lines = tuple(line for piece in group for line in piece.lines)
            whole = replace(group[0], box=Box.around(p.box for p in group), lines=lines)
            when = timing(slot.low, slot.high, (slot,), ruled=True) if slot else None
            index = slots.index(slot) if slot else 0
            when = replace(when, slots=(index,)) if when else None
            drafts += drafts_of(whole, [entry], when, slots, house)
    return drafts


def _gathered(pieces: Sequence[Piece], slots: tuple[Slot, ...]) -> list[tuple[list[Piece], Slot | None]]:
    ordered = sorted(pieces, key=lambda p: (p.box.center[1], p.box.left))
    groups: list[tuple[list[Piece], Slot | None]] = []
    for piece in ordered:
        slot = _slot_of(piece, slots)
        if slots and slot is None and not slots[0].low < piece.box.center[1] < slots[-1].high:
            continue
        last = groups[-1] if groups else None
        together = last is not None and last[1] is slot and (slot is not None or _close(last[0][-1], piece))
        if last is not None and together and not (slots and _has_own_time(piece)):
            last[0].append(piece)
        else:
            groups.append(([piece], slot))
    return groups


def _has_own_time(piece: Piece) -> bool:
    """Whether a line of a list holds both its time and its event."""
    return any(span.start and span.end for span in find_times(piece.text)) and not only_times([piece])


def _slot_of(piece: Piece, slots: Sequence[Slot]) -> Slot | None:
    middle = piece.box.center[1]
    return next((slot for slot in slots if slot.low <= middle < slot.high), None)


def _close(upper: Piece, lower: Piece) -> bool:
    return lower.box.top - upper.box.bottom < 0.8 * min(upper.box.height, lower.box.height)


def _spelled(drafts: Sequence[Draft], axis: DayAxis, slots: Sequence[Slot]) -> list[Draft]:
    """A bar whose word is spelled with a letter in each day's cell is one event on all days."""
    result = list(drafts)
    for index in range(len(slots)):
        letters = [
            d for d in result if d.timing.slots == (index,) and len(d.wording.name) == 1 and d.wording.name.isalpha()
        ]
        if len(letters) < LETTERS or len(letters) < len(axis.entries) - 1:
            continue
        letters.sort(key=lambda d: d.piece.box.center[0])
        word = "".join(d.wording.name for d in letters)
        box = Box.around(d.piece.box for d in letters)
        lines = tuple(line for d in letters for line in d.piece.lines)
        whole = replace(letters[0].piece, box=box, lines=lines)
        spelled = replace(letters[0], entries=axis.entries, piece=whole, wording=Wording(word, None, (), lines))
        result = [d for d in result if d not in letters] + [spelled]
    return result


def _over_all_days(drafts: Sequence[Draft], axis: DayAxis) -> list[Draft]:
    """A break that stands alone in its row, in the middle of the days, is on all of them."""
    if len(axis.entries) < 3:  # noqa: PLR2004 - two columns have no middle one
        return list(drafts)
    middle, width = (axis.low + axis.high) / 2, (axis.high - axis.low) / len(axis.entries)
    busy = Counter(index for draft in drafts for index in draft.timing.slots)
    spread = []
    for draft in drafts:
        alone = all(busy[index] == 1 for index in draft.timing.slots)
        central = abs(draft.piece.box.center[0] - middle) < 0.75 * width
        if len(draft.entries) == 1 and alone and central and draft.timing.slots and BREAK.search(draft.wording.name):
            spread.append(replace(draft, entries=axis.entries))
        else:
            spread.append(draft)
    return spread


def _named_slots(axis: DayAxis, slots: Sequence[Slot], drafts: Sequence[Draft]) -> list[Draft]:
    """A break that is named only beside its time, with nothing in the days' cells, is on every day."""
    busy = {index for draft in drafts for index in draft.timing.slots}
    named = []
    for index, slot in enumerate(slots):
        if slot.words and index not in busy and slot.interval.start is not None:
            lines = slot.label.lines
            words = Wording(slot.words, None, (), lines)
            box = Box(axis.low, slot.low, axis.high, slot.high)
            when = Timing(*slot.interval, Evidence.HEADER, Evidence.HEADER, (index,))
            named.append(Draft(axis.entries, replace(slot.label, box=box), words, when, (slot.label,)))
    return named
