"""Which place of its name each corrected event has: the one that stands under its day and beside its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pocai.documents.page import Box, on_source
from pocai.timetable.clock import Interval
from pocai.timetable.timetable import Day
from pocai.training.document_model.label_names import Occurrence
from pocai.training.document_model.label_page import FEW, LabelPage, Spot, beside, letters_of, under

Block = tuple[int, int]  # timetable and block
SURE = 0.5  # by which a place must be better than the next for others to be judged by it
LEAST = 0.0  # score of a place that is taken at all
DAY, TIME, NOTE, COLUMN, ORDER = 1.5, 1.5, 0.4, 0.6, 0.8  # what speaks for a place, in scores
SHARED = 0.4  # part of the shorter stretch that two things of one row or column share
LEVEL = 1.5  # sizes of writing within which labels stand on one level


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a corrected block says.

    Times are minutes after midnight; ``notes`` are the letters of its notes, ``words`` those of each word; ``mark`` is
    where its name was read in the uploaded file, if that is known.
    """

    block: Block
    name: str
    day: Day | None
    start: int | None
    end: int | None
    notes: str
    words: frozenset[str]
    mark: Box | None = None

    def holds(self, time: Interval) -> bool:
        """Whether a printed time lies in the block's own, or is one of its two ends."""
        if self.start is None:
            return False
        if time.start is None:
            return time.end is not None and (time.end == self.end or self._inside(time.end - 1))
        if time.end is None or self.end is None:
            return time.start == self.start or self._inside(time.start)
        return self.start <= time.start and time.end <= self.end

    def same(self, time: Interval) -> bool:
        """Whether a printed time says when the block begins."""
        return self.start is not None and (time.start == self.start or (time.start is None and time.end == self.end))

    def _inside(self, minute: int) -> bool:
        return self.start is not None and self.end is not None and self.start <= minute < self.end


class Surroundings:
    """The labels around each place of a page."""

    def __init__(self, page: LabelPage, named: set[int]) -> None:
        self._page = page
        self._days = [spot for spot in page.spots if spot.days]
        event_cells = {page.spots[number].cell for number in named} - {-1}
        times = [spot for spot in page.spots if spot.times and spot.number not in named]
        labels = [spot for spot in times if spot.label or spot.period]
        self.axis = [spot for spot in labels if spot.cell not in event_cells]
        self.inner = [spot for spot in times if spot.cell in event_cells]
        self.periods = [spot for spot in page.spots if spot.period and not spot.days and spot.number not in named]
        self._of_days: dict[Occurrence, list[Spot]] = {}
        self._near: dict[Occurrence, frozenset[str]] = {}

    def days(self, place: Occurrence) -> list[Spot]:
        """The labels of days that a place stands under or beside, or below on another column."""
        if place not in self._of_days:
            others = [spot for spot in self._days if spot.number not in place.lines]
            found = [*level(place.room, others, "above"), *level(place.room, others, "left")]
            own = [spot for spot in self._days if spot.number in place.lines]
            self._of_days[place] = own + found or self._last_above(place, others)
        return self._of_days[place]

    @staticmethod
    def _last_above(place: Occurrence, others: Sequence[Spot]) -> list[Spot]:
        """All labels on the level of the last one above: those of a place that belongs to no column."""
        above = [spot for spot in others if spot.box.bottom <= place.box.center[1]]
        if not above:
            return []
        last = max(above, key=lambda spot: spot.box.bottom)
        return [spot for spot in above if abs(spot.box.center[1] - last.box.center[1]) < last.box.height]

    def own_times(self, place: Occurrence) -> list[Spot]:
        """Times on the lines of a place, in its cell, or just above or below it."""
        own = [self._page.spots[number] for number in place.lines if self._page.spots[number].times]
        if place.cell >= 0:
            return own + [spot for spot in self.inner if spot.cell == place.cell]
        size = min(place.box.height, place.box.width) / len(place.lines)
        reach = Box(place.box.left, place.box.top - 0.8 * size, place.box.right, place.box.bottom + 0.8 * size)
        near = [spot for spot in self.axis if spot.cell < 0 and spot.box.intersection(reach).area > 0]
        return own + near

    def in_file(self, place: Occurrence) -> Box:
        """Where a place lies in the uploaded file, as marks say it."""
        return on_source(place.box, self._page.page.to_source)

    def has_note(self, want: Wanted, place: Occurrence) -> bool:
        """Whether a note of the block stands with a place."""
        if place not in self._near:
            near = set(place.lines)
            for _ in range(3):
                near |= {self._page.next[number] for number in near} - {-1}
            cell = {spot.number for spot in self._page.spots if spot.cell == place.cell >= 0 and len(near) < FEW}
            self._near[place] = frozenset(
                letters_of(word) for number in near | cell for word in self._page.spots[number].line.text.split()
            )
        return bool(want.words & self._near[place])

    def labels(self, place: Occurrence) -> list[list[Spot]]:
        """Times in the row of a place, then in its column: by level, the nearest first."""
        return [*levels(place.room, self.axis, "left"), *levels(place.room, self.axis, "above")]


def levels(room: Box, spots: Sequence[Spot], side: str) -> list[list[Spot]]:
    """Labels in the row or column of a room on one side of it, level by level."""
    left = list(spots)
    found = []
    while nearest := level(room, left, side):
        found.append(nearest)
        left = [spot for spot in left if spot not in nearest]
    return found


def level(room: Box, spots: Sequence[Spot], side: str) -> list[Spot]:
    """The nearest labels above a room in its column, or on its left in its row."""
    above = side == "above"
    axis, shared = (1, under) if above else (0, beside)
    inside = [s for s in spots if s.box.center[axis] < room.center[axis] and shared(s.room, room) > SHARED]
    inside = [s for s in inside if s.box.center[axis] < (room.top if above else room.left)] or inside
    if not inside:
        return []
    nearest = max(inside, key=lambda spot: spot.box.center[axis])
    reach = LEVEL * min(nearest.box.height, nearest.box.width)
    return [spot for spot in inside if spot.box.center[axis] > nearest.box.center[axis] - reach]


Score = Callable[[Wanted, Occurrence], float]


def placed(
    wanted: Sequence[Wanted], places: Mapping[str, Sequence[Occurrence]], around: Surroundings
) -> dict[Block, Occurrence]:
    """The place of each block that has one; blocks that differ in their day alone may share it."""

    def first(want: Wanted, place: Occurrence) -> float:
        marked = want.mark is not None and want.mark.contains(around.in_file(place).center)
        told = _day(want, place, around) + _time(want, place, around) + NOTE * around.has_note(want, place)
        return place.quality + told + 10 * marked

    chosen = _assigned(wanted, places, first)
    by_block = {want.block: want for want in wanted}
    sure = {block: place for block, place in chosen.items() if _is_sure(by_block[block], place, places, first)}
    order = _Order({by_block[block]: place for block, place in sure.items()})
    return _assigned(wanted, places, lambda want, place: first(want, place) + order.score(want, place))


def _is_sure(want: Wanted, place: Occurrence, places: Mapping[str, Sequence[Occurrence]], score: Score) -> bool:
    own = score(want, place)
    return all(score(want, other) < own - SURE for other in places[want.name] if other is not place)


def _day(want: Wanted, place: Occurrence, around: Surroundings) -> float:
    labels = around.days(place)
    if want.day is None or not labels:
        return 0.0
    return DAY if any(want.day in spot.days for spot in labels) else -DAY


def _time(want: Wanted, place: Occurrence, around: Surroundings) -> float:
    if want.start is None:
        return 0.0
    own = [time for spot in around.own_times(place) for time in spot.times]
    if own:
        return TIME if any(want.same(time) for time in own) else -TIME / 2
    labels = [time for spots in around.labels(place)[:3] for spot in spots for time in spot.times]
    if not labels:
        return 0.0
    return TIME if any(want.same(time) for time in labels) else -TIME / 2


def _assigned(
    wanted: Sequence[Wanted], places: Mapping[str, Sequence[Occurrence]], score: Score
) -> dict[Block, Occurrence]:
    """Greedily, best first: each place has one block, then also those that differ from it in their day alone."""
    pairs = [
        (score(want, place), number, place) for number, want in enumerate(wanted) for place in places.get(want.name, ())
    ]
    pairs = [pair for pair in pairs if pair[0] >= LEAST]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2].lines))
    chosen: dict[Block, Occurrence] = {}
    holders: dict[tuple[int, ...], list[Wanted]] = defaultdict(list)
    for sharing in (False, True):
        for _, number, place in pairs:
            want, held = wanted[number], holders[place.lines]
            if want.block in chosen or (held and not (sharing and all(_differ_in_day(want, other) for other in held))):
                continue
            chosen[want.block] = place
            held.append(want)
    return chosen


def _differ_in_day(want: Wanted, other: Wanted) -> bool:
    same = (want.start, want.end, want.block[0], want.name) == (other.start, other.end, other.block[0], other.name)
    return same and want.day != other.day


class _Order:
    """What places that are sure say of others: events of a day stand in one column, in the order of their times."""

    def __init__(self, sure: Mapping[Wanted, Occurrence]) -> None:
        single = defaultdict(list)
        for want, place in sure.items():
            single[place.lines].append(want)
        self._sure = {want: place for want, place in sure.items() if len(single[place.lines]) == 1}
        self._down = self._goes_down()
        across = 0 if self._down else 1
        columns: dict[tuple[int, Day | None], list[float]] = defaultdict(list)
        for want, place in self._sure.items():
            columns[want.block[0], want.day].append(place.box.center[across])
        self._columns = {key: median(values) for key, values in columns.items()}
        within = [abs(value - self._columns[key]) for key, values in columns.items() for value in values]
        self._spread = median(within) if within else 0.0

    def score(self, want: Wanted, place: Occurrence) -> float:
        return COLUMN * self._column(want, place) + ORDER * self._along(want, place)

    def _goes_down(self) -> bool:
        votes = [0, 0]
        items = list(self._sure.items())
        for number, (want, place) in enumerate(items):
            for other, there in items[:number]:
                same = (want.block[0], want.day) == (other.block[0], other.day)
                if same and want.start is not None and other.start is not None and want.start != other.start:
                    for axis in (0, 1):
                        step = place.box.center[axis] - there.box.center[axis]
                        votes[axis] += (step > 1) == (want.start > other.start) if abs(step) > 1 else 0
        return votes[1] >= votes[0]

    def _column(self, want: Wanted, place: Occurrence) -> float:
        """1 in the column of the block's day, -1 in that of another, 0 where days have no columns."""
        here = place.box.center[0 if self._down else 1]
        own = self._columns.get((want.block[0], want.day))
        others = [value for key, value in self._columns.items() if key != (want.block[0], want.day)]
        if own is None or not others or min(abs(own - value) for value in others) <= 3 * self._spread:
            return 0.0
        return 1.0 if abs(here - own) < min(abs(here - value) for value in others) else -1.0

    def _along(self, want: Wanted, place: Occurrence) -> float:
        """Share of the day's sure events that lie on the right side of it, from -1 to 1."""
        axis = 1 if self._down else 0
        right = wrong = 0
        for other, there in self._sure.items():
            same = (want.block[0], want.day) == (other.block[0], other.day) and other.block != want.block
            if not same or None in (want.start, other.start) or want.start == other.start:
                continue
            after = place.box.center[axis] > there.box.center[axis]
            if after == ((want.start or 0) > (other.start or 0)):
                right += 1
            else:
                wrong += 1
        return (right - wrong) / (right + wrong) if right + wrong else 0.0
