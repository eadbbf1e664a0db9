"""The frame of a made timetable: its columns of days and the plan of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocai.synthetic.day_plan import Plan
from pocai.synthetic.dice import Dice
from pocai.synthetic.made import DayColumn, Times
from pocai.synthetic.schools import School, Stage
from pocai.synthetic.vocabulary import MonthName
from pocai.timetable.timetable import WEEK, Day

_HOUR = 60  # minutes
_LETTER_SHARE = 5  # columns from which single letters are read as days
_NO_DAY: dict[Stage, float] = {"nursery": 0.12, "primary": 0.02, "secondary": 0.0, "university": 0.0}
_SHARED: dict[Stage, float] = {"nursery": 0.15, "primary": 0.06, "secondary": 0.02, "university": 0.0}
_DATED = 0.05
_DATES = ("{name} {date:02d}.{month:02d}.", "{name} {date} {m}", "{name} {date:02d}/{month:02d}", "{name}, {date} {m}")
_DATES_DE = ("{name} {date:02d}.{month:02d}.", "{name}, {date}. {m}", "{name} {date}.{month}.")
_LATEST_DATE = 21  # of a month, so that the week ends in it


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of days and their plans, one a column, alike but for a weekday of other times.

    ``shown`` are the times of the slots as printed, in minutes: those of the plan but for printing errors. On a
    ``scale`` the slots are the hours of the day and not the school's periods; ``common`` says that all plans are
    one, ``dated`` that the labels of days hold dates.
    """

    days: tuple[DayColumn, ...]
    plans: tuple[Plan, ...]
    times: Times
    shown: tuple[tuple[int, int], ...]
    scale: bool
    common: bool = True
    dated: bool = False

    @property
    def columns(self) -> tuple[int, ...]:
        """The indices of all columns."""
        return tuple(range(len(self.days)))

    def planned(self, column: int, first: int, count: int) -> tuple[int, int]:
        """Start and end of slots in a column, as planned."""
        plan = self.plans[column]
        return plan[first].start, plan[first + count - 1].end

    def alike(self, row: int) -> bool:
        """Whether a slot has the same times in all columns."""
        return len({(plan[row].start, plan[row].end) for plan in self.plans}) == 1


def frame_of(school: School, dice: Dice, times: Times | None) -> Frame:
    """A frame for the school, with its usual way to print times or the one that is asked for."""
    dated = dice.chance(_DATED)
    days = _dated(school, dice) if dated else _columns(school, dice)
    differ = bool(school.other_plans) and all(len(column.days) == 1 for column in days) and times in (None, "cells")
    chosen: Times = "cells" if differ else times or school.habits.times
    common = _printed(school.plan, school, chosen)
    plans = tuple(common for _ in days)
    if differ:
        others = {day: _printed(plan, school, chosen) for day, plan in school.other_plans}
        plans = tuple(others.get(column.days[0], common) for column in days)
    scale = school.stage == "university" and all(period.end - period.start == _HOUR for period in common)
    return Frame(days, plans, chosen, tuple((period.start, period.end) for period in common), scale, not differ, dated)


def _printed(plan: Plan, school: School, times: Times) -> Plan:
    """The periods that are printed; where only starts are, each lasts until the next."""
    if school.habits.breaks == "gap":
        plan = tuple(period for period in plan if period.kind not in ("break", "lunch"))
    if times != "starts":
        return plan
    ends = [period.start for period in plan[1:]] + [plan[-1].end]
    return tuple(replace(period, end=end) for period, end in zip(plan, ends, strict=True))


def _columns(school: School, dice: Dice) -> tuple[DayColumn, ...]:
    fate = dice.share()
    if fate < _NO_DAY[school.stage]:
        return (DayColumn("", ()),)
    if fate < _NO_DAY[school.stage] + _SHARED[school.stage]:
        return _shared(school, dice)
    return tuple(_column(school, day) for day in school.days)


def _column(school: School, day: Day) -> DayColumn:
    names, form = school.words.days[WEEK.index(day)], school.habits.days
    if form == "letter" and len(school.days) < _LETTER_SHARE:
        form = "short"
    kinds = len(school.words.days[1].short)  # the short forms of weekends are fewer in some languages
    short = names.short[school.seed % kinds % len(names.short)]
    labels = {"long": names.long, "upper": names.long.upper(), "short": short, "letter": names.letter}
    return DayColumn(labels[form], (day,), short, names.letter)


def _shared(school: School, dice: Dice) -> tuple[DayColumn, ...]:
    """Two or three lists for all days: "Monday, Tuesday and Thursday", "Mon – Fri"."""
    count = dice.weighted(((1, 1.0), (2, 2.0), (3, 1.0)))
    lists: list[list[Day]] = [[] for _ in range(count)]
    for index, day in enumerate(school.days):
        lists[index if index < count else dice.between(0, count - 1)].append(day)
    return tuple(DayColumn(_label(school, days, dice), tuple(days)) for days in lists)


def _label(school: School, days: Sequence[Day], dice: Dice) -> str:
    places = [school.days.index(day) for day in days]
    names = [school.words.days[WEEK.index(day)] for day in days]
    printed = [name.short[0] if school.habits.days == "short" else name.long for name in names]
    if len(places) > 2 and places == list(range(places[0], places[-1] + 1)) and WEEK[6] not in days:  # noqa: PLR2004 - a range
        return f"{printed[0]}{dice.pick((' – ', '-', ' - ', '–'))}{printed[-1]}"
    if len(printed) > 1 and dice.chance(0.5):
        return f"{', '.join(printed[:-1])} {school.words.words['and'][0]} {printed[-1]}"
    return dice.pick((", ", " / ", " + ", " & ")).join(printed)


def _dated(school: School, dice: Dice) -> tuple[DayColumn, ...]:
    """Days with the dates of a week."""
    first, month = dice.between(1, _LATEST_DATE), dice.between(1, 12)
    start = WEEK.index(school.days[0])
    form = dice.pick(_DATES_DE if school.language == "de" else _DATES)
    columns = []
    for day in school.days:
        names, name_of_month = school.words.days[WEEK.index(day)], school.words.months[month - 1]
        date = first + (WEEK.index(day) - start) % len(WEEK)
        columns.append(DayColumn(_with_date(form, names.short[0], name_of_month, (date, month)), (day,)))
    return tuple(columns)


def _with_date(form: str, name: str, month: MonthName, date: tuple[int, int]) -> str:
    return form.format(name=name, m=month.short, date=date[0], month=date[1])
