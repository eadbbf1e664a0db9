"""Pages with corrected timetables: the role of each line and the blocks that it belongs to, told by the values.

A correction says what is printed, not where. Names and notes are looked for in the lines, days and times in the labels
around them; of equal names each has the place under its day and beside its time. What cannot be told stays unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rapidfuzz.fuzz import partial_ratio

from pocai.documents.page import Box, Page
from pocai.evaluation.timetables import Json
from pocai.synthetic.document import Role
from pocai.timetable.clock import Interval
from pocai.timetable.days import day_label
from pocai.timetable.heading import LABELLED
from pocai.timetable.timetable import Day, minutes
from pocai.timetable.week import BREAK
from pocai.training.document_model.label_names import ALIKE, Occurrence, alike, numbers_of, occurrences
from pocai.training.document_model.label_page import LabelPage, Spot, apart, beside, letters_of, under
from pocai.training.document_model.label_places import Block, Surroundings, Wanted, level, levels, placed
from pocai.training.document_model.made_pages import MadePage, Truth

FIELDS: Mapping[str, Role] = {
    "title": "title",
    "className": "class",
    "teacher": "teacher",
    "term": "term",
    "year": "year",
}
NOTED = 85.0  # per cent of a note's letters that must be in the corrected notes
FAR = 6.0  # heights of writing between an event and its note where no cell holds both
LARGER = 1.15  # a title's letters over those of the page


@dataclass(frozen=True, slots=True)
class LabelledPage:
    """A page with what its correction says of each line, and whether a line's role and its blocks are known.

    ``found`` of ``wanted`` blocks have a place on the page.
    """

    made: MadePage
    roles_known: tuple[bool, ...]
    blocks_known: tuple[bool, ...]
    found: int
    wanted: int


def labelled_page(page: Page, timetables: Sequence[Json]) -> LabelledPage:
    """A page with the timetables that are printed on it, in the host's shape; `found` of their blocks have a place."""
    whole = LabelPage.of(page)
    wanted = tuple(_wanted(timetables, page))
    if not whole.spots:
        return LabelledPage(MadePage(page, ()), (), (), 0, len(wanted))
    return _Alignment(whole, wanted, timetables).result()


def _wanted(timetables: Sequence[Json], page: Page) -> Iterator[Wanted]:
    for number, timetable in enumerate(timetables):
        for index, block in enumerate(timetable.get("timeblocks") or ()):
            yield Wanted(
                (number, index),
                str(block["name"]),
                _day(block.get("day")),
                minutes(_time(block.get("startTime"))),
                minutes(_time(block.get("endTime"))),
                letters_of(str(block.get("notes") or "")),
                frozenset(filter(None, map(letters_of, str(block.get("notes") or "").split()))),
                _mark(block, page),
            )


def _day(value: object) -> Day | None:
    days = day_label(str(value)) if value else ()
    return days[0] if days else None


def _time(value: object) -> str | None:
    return str(value).strip().zfill(len("09:05")) if value else None


def _mark(block: Mapping[str, Any], page: Page) -> Box | None:
    """Where the name was read, in the uploaded file; None where the correction has kept no mark of this page."""
    mark = (block.get("fields") or {}).get("name") or {}
    box = mark.get("box")
    if box is None or mark.get("page") != page.number:
        return None
    return Box(*box)


@dataclass(slots=True)
class _Roles:
    """Roles and blocks of lines as they become known."""

    role: dict[int, Role] = field(default_factory=dict)
    blocks: dict[int, set[Block]] = field(default_factory=lambda: defaultdict(set))

    def add(self, number: int, role: Role, blocks: Sequence[Block] = ()) -> None:
        """A line's role, if it has none yet, and more blocks of it."""
        self.role.setdefault(number, role)
        self.blocks[number].update(blocks)


class _Alignment:
    """The lines of one page and the values of its correction."""

    def __init__(self, page: LabelPage, wanted: Sequence[Wanted], timetables: Sequence[Json]) -> None:
        self._page, self._wanted, self._timetables = page, wanted, timetables
        beside_it: dict[str, str] = defaultdict(str)
        for want in wanted:
            beside_it[want.name] += want.notes
        places = occurrences(page, dict(beside_it))
        named = {line for found in places.values() for line in numbers_of(found)}
        around = Surroundings(page, named)
        self._placed = placed(wanted, places, around)
        self._around = Surroundings(page, numbers_of(list(self._placed.values())))
        self._by_block = {want.block: want for want in wanted}
        self._roles = _Roles()

    def result(self) -> LabelledPage:
        """All that can be told."""
        self._add_names()
        self._add_days()
        self._add_times()
        self._add_notes()
        self._add_periods()
        self._add_heading()
        self._add_rest()
        spots = self._page.spots
        role, blocks = self._roles.role, self._roles.blocks
        truths = tuple(Truth(role.get(spot.number, "other"), frozenset(blocks[spot.number])) for spot in spots)
        return LabelledPage(
            MadePage(self._page.page, truths),
            tuple(spot.number in role for spot in spots),
            tuple(spot.number in role or self._is_outside(spot) for spot in spots),
            len(self._placed),
            len(self._wanted),
        )

    def _add_names(self) -> None:
        for block, place in self._placed.items():
            role: Role = "break" if BREAK.search(self._by_block[block].name) else "event"
            for line in place.lines:
                self._roles.add(line, role, [block])

    def _add_days(self) -> None:
        for block, place in self._placed.items():
            day = self._by_block[block].day
            labels = [spot for spot in self._around.days(place) if day in spot.days]
            for spot in labels or self._farther(place, day):
                self._roles.add(spot.number, "day", [block])

    def _farther(self, place: Occurrence, day: Day | None) -> list[Spot]:
        """The nearest level of labels above, or on the left, that names a day: for events over several days."""
        spots = [spot for spot in self._page.spots if day in spot.days and spot.number not in place.lines]
        above = [spot for spot in spots if spot.box.bottom <= place.box.center[1]]
        left = [spot for spot in spots if spot.box.right <= place.box.left]
        one = [max(above, key=lambda spot: spot.box.bottom)] if above else []
        return one or ([max(left, key=lambda spot: spot.box.right)] if left else [])

    def _add_times(self) -> None:
        for block, place in self._placed.items():
            want = self._by_block[block]
            own = [s for s in self._around.own_times(place) if any(want.holds(time) for time in s.times)]
            if any(want.same(time) for spot in own for time in spot.times):
                for spot in own:
                    self._roles.add(spot.number, "time", [block])
            elif want.start is not None:
                for spot in self._axis_times(want, place):
                    self._roles.add(spot.number, "period" if spot.period else "time", [block])

    def _axis_times(self, want: Wanted, place: Occurrence) -> list[Spot]:
        """The labels beside a place, or above it, that lie in the block's time."""
        for side in ("left", "above"):
            found: list[Spot] = []
            for spots in levels(place.room, self._around.axis, side):
                ends = bool(found)  # an end that is printed apart looks like the start of what follows
                fit = [spot for spot in spots if any(_fits(want, time, ends=ends) for time in spot.times)]
                if found and not (fit and _adjoin(fit, found)):
                    break
                found += fit
                if _explained(want, found):
                    break
            if found:
                return found if _explained(want, found) else self._with_following(want, found, side)
        return []

    def _with_following(self, want: Wanted, found: list[Spot], side: str) -> list[Spot]:
        """With the labels before and behind in their column (or row), as far as the block's time covers them."""
        shared, axis = (under, 1) if side == "left" else (beside, 0)
        line = [s for s in self._around.axis if any(shared(s.box, o.box) > 0.5 for o in found)]  # noqa: PLR2004
        line.sort(key=lambda spot: spot.box.center[axis])
        inside = [any(want.holds(time) for time in spot.times) for spot in line]
        places = [number for number, spot in enumerate(line) if spot in found]
        first, last = min(places), max(places)
        while first > 0 and inside[first - 1]:
            first -= 1
        while last + 1 < len(line) and inside[last + 1]:
            last += 1
        return [line[n] for n in range(first, last + 1) if inside[n] or line[n] in found]

    def _add_periods(self) -> None:
        for block, place in self._placed.items():
            times = [n for n, blocks in self._roles.blocks.items() if block in blocks and self._roles.role[n] == "time"]
            keyed = any(block in blocks and self._roles.role[n] == "period" for n, blocks in self._roles.blocks.items())
            if keyed or any(time in place.lines or self._page.spots[time].cell == place.cell >= 0 for time in times):
                continue
            for spot in self._period_labels(place, [self._page.spots[time] for time in times]):
                self._roles.add(spot.number, "period", [block])

    def _period_labels(self, place: Occurrence, times: Sequence[Spot]) -> list[Spot]:
        free = [spot for spot in self._around.periods if self._roles.role.get(spot.number, "period") == "period"]
        if times:
            named = (min(free, key=partial(_off, time), default=None) for time in times)
            return [spot for spot, time in zip(named, times, strict=True) if spot is not None and _names(spot, time)]
        across, down = (_spread([spot.box.center[axis] for spot in free]) for axis in (0, 1))
        return level(place.room, free, "left" if down >= across else "above")

    def _add_notes(self) -> None:
        unit = sorted(min(spot.box.height, spot.box.width) for spot in self._page.spots)[len(self._page.spots) // 2]
        for spot in self._page.spots:
            if spot.number in self._roles.role or not spot.letters:
                continue
            noted = {block: place for block, place in self._placed.items() if self._is_note(spot, block)}
            nearest = min(noted.values(), key=lambda place: (_distance(spot, place), place.lines), default=None)
            if nearest is not None and _distance(spot, nearest) <= FAR * unit:
                self._roles.add(spot.number, "note", [b for b, place in noted.items() if place.lines == nearest.lines])

    def _is_note(self, spot: Spot, block: Block) -> bool:
        notes = self._by_block[block].notes
        if not notes or len(spot.letters) > len(notes) + 2:
            return False
        if len(spot.letters) <= 3:  # noqa: PLR2004 -- a figure stands in many notes
            words = filter(None, map(letters_of, spot.line.text.split()))
            return all(word in self._by_block[block].words for word in words)
        return spot.letters in notes or partial_ratio(spot.letters, notes) >= NOTED

    def _add_heading(self) -> None:
        sizes = sorted(_size(spot) for spot in self._page.spots)
        usual = sizes[len(sizes) // 2]
        free = [spot for spot in self._page.spots if spot.number not in self._roles.role and spot.letters]
        largest = sizes[-1]
        for spot in free:
            roles = [role for name, role in FIELDS.items() if self._says(spot, name)]
            labelled = LABELLED.search(spot.line.text)
            if labelled is not None and spot.cell < 0 and "title" not in roles:
                roles.insert(0, FIELDS[labelled.lastgroup or ""])
            large = _size(spot) >= max(0.9 * largest, LARGER * usual)
            if "title" in roles or (large and spot.cell < 0 and self._is_outside(spot)):
                self._roles.add(spot.number, "title")
            elif roles:
                self._roles.add(spot.number, roles[0])

    def _says(self, spot: Spot, name: str) -> bool:
        """Whether a line holds a value of the header, or is a part of the title."""
        for timetable in self._timetables:
            value = letters_of(str(timetable.get(name) or ""))
            if not value:
                continue
            part = len(spot.letters) > 3 and spot.letters in value  # noqa: PLR2004 -- of a title on several lines
            if name == "title" and (part or alike(spot.letters, value) > ALIKE):
                return True
            if name != "title" and len(value) <= len(spot.letters) and partial_ratio(value, spot.letters) >= NOTED:
                return (spot.cell < 0 or self._is_outside(spot)) and len(spot.letters) < 3 * len(value) + 12
        return False

    def _add_rest(self) -> None:
        """Labels that stand for no event."""
        for spot in self._page.spots:
            if spot.number not in self._roles.role:
                if spot.days:
                    self._roles.add(spot.number, "day")
                elif spot.label and not self._is_outside(spot):
                    self._roles.add(spot.number, "time")

    def _is_outside(self, spot: Spot) -> bool:
        """Whether a line stands above or below all events and their labels."""
        inside = [self._page.spots[n].box for n, blocks in self._roles.blocks.items() if blocks]
        if not inside:
            return False
        around = Box.around(inside)
        return spot.box.bottom <= around.top or spot.box.top >= around.bottom


def _fits(want: Wanted, time: Interval, *, ends: bool) -> bool:
    return want.holds(time) or (ends and time.end is None and time.start == want.end is not None)


def _off(time: Spot, period: Spot) -> float:
    return apart(time.box, period.box)


def _names(period: Spot, time: Spot) -> bool:
    """Whether the name of a period stands with a time."""
    shared = max(beside(period.room, time.room), under(period.room, time.room))
    return shared > 0.6 and apart(period.box, time.box) < FAR * min(time.box.height, time.box.width)  # noqa: PLR2004


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values) if values else 0.0


def _adjoin(spots: Sequence[Spot], others: Sequence[Spot]) -> bool:
    """Whether labels stand close to others, as the columns of starts and of ends do."""
    return any(apart(one.box, two.box) < 4 * min(two.box.height, two.box.width) for one in spots for two in others)


def _explained(want: Wanted, found: Sequence[Spot]) -> bool:
    """Whether labels say both when a block begins and when it ends."""
    times = [time for spot in found for time in spot.times]
    ends = want.end is None or any(want.end in (time.end, time.start) for time in times)
    return ends and any(time.start == want.start for time in times)


def _distance(spot: Spot, place: Occurrence) -> float:
    """How far a note is from an event; twice that where it stands before it."""
    if spot.cell == place.cell >= 0:
        return 0.0
    left = beside(spot.box, place.box) > 0.5 and spot.box.right <= place.box.left  # noqa: PLR2004 -- half of the height
    before = left or spot.box.center[1] < place.box.top
    return (apart(spot.box, place.box) + 1e-3) * (2 if before else 1)


def _size(spot: Spot) -> float:
    return spot.line.size or min(spot.box.height, spot.box.width)
