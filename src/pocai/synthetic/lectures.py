"""The week of a made university in drafts: sessions of one to three hours on a scale of hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pocai.synthetic.deck import Deck
from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Draft
from pocai.synthetic.frame import Frame

_HOUR = 60  # minutes
_OFFSETS = (((0, 0), 6.0), ((15, -15), 2.5), ((30, 30), 0.8), ((10, 0), 0.7))  # of start and end from full hours
_LENGTHS = ((1, 4.0), (2, 5.0), (3, 1.5))  # hours
_SLOT = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Fills a frame of hours: `drafts` is the whole week."""

    frame: Frame
    deck: Deck
    dice: Dice

    def drafts(self) -> list[Draft]:
        """All sessions of the week, those that touch the same hour side by side."""
        offset = self.dice.weighted(_OFFSETS)
        overlaps = 0.12 if self.dice.chance(0.4) else 0.0
        busy = self.dice.pick((0.25, 0.4, 0.55))
        lunch = len(self.frame.plans[0]) // 2 if self.dice.chance(0.15) else None
        drafts = []
        for column in self.frame.columns:
            day = list(self._day(column, busy, offset, lunch))
            day += [self._session(column, one.first, 1, offset) for one in day if self.dice.chance(overlaps)]
            drafts += _laned(day)
        if lunch is not None:
            content = replace(self.deck.event("event"), name=self.deck.school.event(self.dice, "lunch"), kind="lunch")
            drafts.append(Draft(self.frame.columns, lunch, content))
        return drafts

    def _day(self, column: int, busy: float, offset: _SLOT, lunch: int | None) -> Iterator[Draft]:
        last = len(self.frame.plans[column]) - (
            1 if self.frame.times == "starts" else 0
        )  # the last hour has no end there
        row = 0
        while row < last:
            stop = lunch if lunch is not None and row <= lunch else last
            length = self.dice.weighted(_LENGTHS)
            touched = length + (1 if offset[1] > 0 else 0)
            if row + touched <= stop and self.dice.chance(busy):
                yield self._session(column, row, length, offset)
                row += touched
            else:
                row += 1

    def _session(self, column: int, row: int, length: int, offset: _SLOT) -> Draft:
        content = self.deck.draw()
        if self.dice.chance(0.1):
            content = self.deck.remarked(content, long=self.dice.chance(0.15))
        weeks = self.dice.pick(self.deck.school.weeks) if self.deck.school.weeks and self.dice.chance(0.1) else None
        if weeks is not None:
            content = self.deck.in_week(content, weeks)
        count = length + (1 if offset[1] > 0 else 0)
        begin, end = self.frame.planned(column, row, count)
        start, stop = begin + offset[0], begin + length * _HOUR + offset[1]
        whole = (start, stop) == (begin, end)
        share = ((start - begin) / (end - begin), (stop - begin) / (end - begin))
        return Draft((column,), row, content, count, weeks, share=share, own=None if whole else (start, stop))


def _laned(day: list[Draft]) -> list[Draft]:
    """The drafts of a day with lanes: of those that share rows, each its own."""
    placed: list[Draft] = []
    cluster: list[Draft] = []
    for draft in [*sorted(day, key=lambda one: one.first), None]:
        if cluster and (draft is None or draft.first >= max(one.first + one.count for one in cluster)):
            lanes = max(one.lane for one in cluster) + 1
            placed += [replace(one, lanes=lanes) for one in cluster]
            cluster = []
        if draft is not None:
            taken = {one.lane for one in cluster if one.first + one.count > draft.first}
            cluster.append(replace(draft, lane=next(lane for lane in range(len(cluster) + 1) if lane not in taken)))
    return placed
