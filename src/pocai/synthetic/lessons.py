"""The week of a made school in drafts: the lessons and events of every day, slot by slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pocai.synthetic.deck import Deck
from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Content, Draft
from pocai.synthetic.frame import Frame
from pocai.synthetic.schools import School

Case = Literal["plain", "double", "split", "parallel", "weeks", "empty", "free", "event"]

_DIVISIBLE = 10  # minutes: the halves of such a slot end on multiples of five
_LEAST_SPLIT = 30  # minutes of a slot that is split
_LEAST_OVERRIDE = 30


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each case occurs among the lessons of one timetable, 0 to 1; most timetables know few of them."""

    double: float
    split: float
    parallel: float
    weeks: float
    empty: float
    free: float
    event: float
    span: float
    override: float
    overlap: float
    remark: float
    short_day: bool

    @property
    def special(self) -> float:
        """The share of slots with any case but that of a plain lesson."""
        return min(0.7, self.double + self.split + self.parallel + self.weeks + self.empty + self.free + self.event)

    @classmethod
    def of(cls, dice: Dice, school: School) -> Rates:
        """Rates that occur at the school's stage."""
        old = school.stage in ("secondary", "university")

        def some(share: float, least: float, most: float) -> float:
            return least + (most - least) * dice.share() if dice.chance(share) else 0.0

        return cls(
            double=some(0.6 if old else 0.4, 0.05, 0.3),
            split=some(0.12 if old else 0.22, 0.03, 0.15),
            parallel=some(0.25 if old else 0.06, 0.03, 0.2),
            weeks=some(0.9, 0.05, 0.2) if school.weeks else 0.0,
            empty=some(0.5 if old else 0.12, 0.03, 0.25),
            free=some(0.12, 0.03, 0.1) if school.stage == "secondary" else 0.0,
            event=some(0.3, 0.02, 0.08),
            span=some(0.3 if school.stage == "nursery" else 0.12, 0.1, 0.5),
            override=some(0.2, 0.03, 0.12),
            overlap=some(0.14, 0.02, 0.08),
            remark=some(0.35, 0.02, 0.15),
            short_day=dice.chance(0.2),
        )


@dataclass(frozen=True, slots=True)
class Week:
    """Fills a frame with drafts: `drafts` is the whole week."""

    frame: Frame
    deck: Deck
    dice: Dice
    rates: Rates

    @property
    def school(self) -> School:
        return self.deck.school

    def drafts(self) -> list[Draft]:
        """All events of the week, columns one after the other, then what several columns share."""
        ends = self._ends()
        fixed = [draft for row in range(len(self.frame.plans[0])) for draft in self._fixed(row, ends)]
        lessons = [draft for column in self.frame.columns for draft in self._day(column, ends[column])]
        return [*self._spanned([one for draft in lessons for one in self._disturbed(draft)]), *fixed]

    def _ends(self) -> list[int]:
        """The rows that each day has; one day may end early."""
        rows = len(self.frame.plans[0])
        ends = [rows] * len(self.frame.days)
        whole = self.frame.times == "starts" or self.school.habits.breaks == "axis"
        if self.rates.short_day and not whole and len(ends) > 1 and rows > 3:  # noqa: PLR2004 - a day keeps some periods
            day = len(ends) - 1 if self.dice.chance(0.6) else self.dice.between(0, len(ends) - 1)
            ends[day] = self.dice.between(rows // 2 + 1, rows - 1)
        return ends

    def _fixed(self, row: int, ends: Sequence[int]) -> Iterator[Draft]:
        """An event that is the same every day, as bars or in cells."""
        period = self.frame.plans[0][row]
        if period.kind == "lesson":
            return
        habits, timed = self.school.habits, self.frame.times == "key"
        is_break = period.kind in ("break", "lunch")
        color = self.school.break_color if is_break else None
        content = Content(period.name, (), color, period.kind)
        if is_break and habits.breaks == "axis" and self.frame.times != "cells":
            yield Draft(self.frame.columns, row, content, in_axis=True)
            return
        own = (period.start, period.end) if timed else None
        bar = (habits.breaks if is_break else habits.fixed) == "bar" and self.frame.alike(row)
        columns = [column for column in self.frame.columns if row < ends[column]]
        for run in _runs(columns) if bar else [(column,) for column in columns]:
            yield Draft(run, row, content, own=own)

    def _day(self, column: int, end: int) -> Iterator[Draft]:
        row = 0
        while row < end:
            if self.frame.plans[column][row].kind != "lesson":
                row += 1
                continue
            case = self._case(column, row, end)
            yield from self._makers()[case](column, row)
            row += 2 if case == "double" else 1

    def _case(self, column: int, row: int, end: int) -> Case:
        if not self.dice.chance(self.rates.special):
            return "plain"
        plan, rates = self.frame.plans[column], self.rates
        period = plan[row]
        cases: list[tuple[Case, float]] = [("parallel", rates.parallel), ("event", rates.event)]
        if row + 1 < end and plan[row + 1].kind == "lesson":
            cases.append(("double", rates.double))
        last = self.frame.times == "starts" and row == len(plan) - 1
        if (period.end - period.start) % _DIVISIBLE == 0 and period.end - period.start >= _LEAST_SPLIT and not last:
            cases.append(("split", rates.split))
        if self.school.weeks:
            cases.append(("weeks", rates.weeks))
        if self.frame.times != "starts":  # there a gap would lengthen what stands before it
            cases += [("empty", rates.empty * (2 if row == end - 1 else 1)), ("free", rates.free)]
        return self.dice.weighted([*cases, ("plain", rates.special - sum(rate for _, rate in cases))])

    def _makers(self) -> dict[Case, Callable[[int, int], list[Draft]]]:
        return {
            "plain": lambda column, row: [Draft((column,), row, self._content())],
            "double": lambda column, row: [Draft((column,), row, self._content(), count=2)],
            "split": self._halves,
            "parallel": self._parallel,
            "weeks": self._weekly,
            "empty": lambda _column, _row: [],
            "free": lambda column, row: [Draft((column,), row, self.deck.event("free"))],
            "event": lambda column, row: [Draft((column,), row, self.deck.event("event"))],
        }

    def _content(self) -> Content:
        content = self.deck.draw()
        if self.dice.chance(self.rates.remark):
            return self.deck.remarked(content, long=self.dice.chance(0.12))
        return content

    def _halves(self, column: int, row: int) -> list[Draft]:
        """Two lessons in one slot, with their times or just a rule between them."""
        start, end = self.frame.planned(column, row, 1)
        middle = (start + end) // 2
        own = self.frame.times != "none" and self.dice.chance(0.6)
        return [
            Draft((column,), row, self._content(), share=share, own=times if own else None)
            for share, times in (((0.0, 0.5), (start, middle)), ((0.5, 1.0), (middle, end)))
        ]

    def _parallel(self, column: int, row: int) -> list[Draft]:
        contents = self.deck.groups(3 if self.dice.chance(0.2) else 2)
        return [Draft((column,), row, one, lane=lane, lanes=len(contents)) for lane, one in enumerate(contents)]

    def _weekly(self, column: int, row: int) -> list[Draft]:
        """A lesson for each week of the cycle, or for one of them."""
        both = self.frame.times == "starts" or self.dice.chance(0.7)  # there a gap would lengthen what stands before it
        weeks = self.school.weeks if both else (self.dice.pick(self.school.weeks),)
        contents = [self.deck.in_week(self.deck.draw(), week) for week in weeks]
        return [
            Draft((column,), row, one, weeks=week, lane=lane, lanes=len(weeks))
            for lane, (one, week) in enumerate(zip(contents, weeks, strict=True))
        ]

    def _disturbed(self, draft: Draft) -> list[Draft]:
        """The draft, sometimes with times of its own, or with an event beside it that overlaps it."""
        if self.rates.override + self.rates.overlap == 0 or self.frame.times in ("starts", "none") or not draft.plain:
            return [draft]
        start, end = self.frame.planned(draft.columns[0], draft.first, draft.count)
        if end - start < _LEAST_OVERRIDE:
            return [draft]
        if self.dice.chance(self.rates.override):
            own = (start + self.dice.pick((0, 0, 5, 10)), end - self.dice.pick((5, 10, 15)))
            return [replace(draft, own=own)]
        if self.dice.chance(self.rates.overlap):
            own = (start + self.dice.pick((5, 10, 15, 20)), end + self.dice.pick((5, 10, 15)))
            beside = replace(draft, content=self.deck.event("club"), own=own, lane=1, lanes=2)
            return [replace(draft, lanes=2), beside]
        return [draft]

    def _spanned(self, drafts: list[Draft]) -> list[Draft]:
        """The drafts with lessons of neighbouring days joined to one cell here and there."""
        for row, period in enumerate(self.frame.plans[0]):
            if period.kind == "lesson" and self.frame.alike(row) and self.dice.chance(self.rates.span):
                drafts = self._joined(drafts, row)
        return drafts

    def _joined(self, drafts: list[Draft], row: int) -> list[Draft]:
        free = {draft.columns[0]: draft for draft in drafts if draft.plain and draft.first == row}
        runs = [run for run in _runs(sorted(free)) if len(run) > 1]
        if not runs:
            return drafts
        run = self.dice.pick(runs)
        whole = self.dice.chance(0.5)
        taken = run if whole else run[: self.dice.between(2, len(run))]
        rest = [draft for draft in drafts if draft is not free.get(draft.columns[0]) or draft.columns[0] not in taken]
        return [*rest, replace(free[taken[0]], columns=taken)]


def _runs(columns: Sequence[int]) -> list[tuple[int, ...]]:
    """Neighbouring columns together."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and column == runs[-1][-1] + 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    return [tuple(run) for run in runs]
