"""A made school: what all of its timetables have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pocai.documents.page import Color
from pocai.synthetic.curriculum import (
    Course,
    NameForm,
    Teacher,
    TeacherForm,
    courses_of,
    furnished,
    several,
    teachers_of,
)
from pocai.synthetic.day_plan import Period, Plan, moved, plan_of, printed_event
from pocai.synthetic.dice import Dice
from pocai.synthetic.time_style import TimeStyle
from pocai.synthetic.vocabulary import LANGUAGES, Kind, Language, Stage, Vocabulary, vocabulary
from pocai.timetable.timetable import WEEK, Day

__all__ = ["Course", "Habits", "Language", "NoteKind", "Period", "School", "Stage", "Teacher", "TimeStyle", "Times"]

Times = Literal["ranges", "starts", "key", "cells", "none"]
NoteKind = Literal["teacher", "room", "group", "week", "remark"]
DayForm = Literal["long", "upper", "short", "letter"]
Breaks = Literal["bar", "cells", "axis", "gap"]

_STREAM = 1  # of the dice of schools
_STAGES: tuple[tuple[Stage, float], ...] = (("nursery", 1.2), ("primary", 3), ("secondary", 4), ("university", 1.8))
_TIMES: dict[Stage, tuple[tuple[Times, float], ...]] = {
    "nursery": (("ranges", 5), ("starts", 3), ("cells", 1), ("none", 1)),
    "primary": (("ranges", 5), ("starts", 2), ("cells", 2), ("key", 0.7), ("none", 0.6)),
    "secondary": (("ranges", 5), ("starts", 1.2), ("cells", 2), ("key", 1.6), ("none", 0.7)),
    "university": (("ranges", 4), ("starts", 3), ("cells", 3)),
}
_NOTES: dict[Stage, tuple[tuple[tuple[NoteKind, ...], float], ...]] = {
    "nursery": (((), 8), (("room",), 1)),
    "primary": (((), 5), (("room",), 1), (("teacher",), 2), (("teacher", "room"), 1)),
    "secondary": (((), 2), (("room",), 2), (("teacher",), 2), (("teacher", "room"), 4), (("room", "teacher"), 2)),
    "university": (((), 0.5), (("room",), 3), (("room", "teacher"), 4), (("teacher", "room"), 3)),
}
_BREAKS: tuple[tuple[Breaks, float], ...] = (("bar", 5), ("cells", 3), ("axis", 1.5), ("gap", 2))
_NAMES: tuple[tuple[NameForm, float], ...] = (("long", 5), ("short", 2), ("mixed", 2.5), ("upper", 0.7))
_CODED: tuple[tuple[NameForm, float], ...] = (*_NAMES, ("code", 1.2))
_DAYS: tuple[tuple[DayForm, float], ...] = (("long", 6), ("upper", 1.5), ("short", 2), ("letter", 0.5))
_TEACHERS: tuple[tuple[TeacherForm, float], ...] = (("courtesy", 4), ("surname", 2), ("initial", 1.5), ("sign", 3))
_WEEKS: tuple[tuple[tuple[Day, ...], float], ...] = (
    (WEEK[:5], 84),
    (WEEK[:6], 6),
    (WEEK[:4], 2.5),
    ((WEEK[6], *WEEK[:4]), 3),
    (WEEK[1:5], 1),
    (WEEK, 0.8),
)
_PERIOD_FORMS = ("{n}", "{n}", "{n}", "{n}.", "{s}{n}", "{p} {n}", "{n}. {p}", "{r}", "{n}ª", "0{n}")
_ROMANS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_GREYS: tuple[Color | None, ...] = (None, None, (217, 217, 217), (238, 238, 238), (255, 242, 204), (226, 239, 218))
_OTHER_TIMES = 0.13  # share of schools with a weekday of other times


@dataclass(frozen=True, slots=True)
class Habits:
    """How a school lays out its timetables.

    ``breaks``: bars over all days, a cell a day, named only beside their time ("axis"), or not printed ("gap").
    ``notes``: what lessons print besides their name, in order. ``period_form`` is "" where periods have no names.
    ``slips`` is the probability that a timetable holds a printing error of a kind.
    """

    times: Times
    breaks: Breaks
    fixed: Literal["bar", "cells"]
    notes: tuple[NoteKind, ...]
    names: NameForm
    days: DayForm
    teachers: TeacherForm
    period_form: str
    period_word: str
    period_joint: str
    filler: str
    slips: float
    key_joint: str

    @classmethod
    def of(cls, dice: Dice, words: Vocabulary, stage: Stage) -> Habits:
        """Habits that occur at schools of the stage."""
        times = dice.weighted(_TIMES[stage])
        numbered = times in ("key", "none") or dice.chance(0.15 if stage in ("nursery", "university") else 0.45)
        breaks = dice.weighted(_BREAKS)
        return cls(
            times=times,
            breaks="bar" if times == "cells" and breaks == "axis" else breaks,
            fixed=dice.pick(("bar", "cells")),
            notes=dice.weighted(_NOTES[stage]),
            names=dice.weighted(_CODED if stage in ("secondary", "university") else _NAMES),
            days=dice.weighted(_DAYS),
            teachers=dice.weighted(_TEACHERS),
            period_form=dice.pick(_PERIOD_FORMS) if numbered else "",
            period_word=dice.pick(words.words["period"]),
            period_joint=dice.pick(("-", "-", "–", "/", "+", " - ")),
            filler=dice.pick(words.fillers) if dice.chance(0.08) else "",
            slips=dice.pick((0.0, 0.05, 0.1, 0.3)),
            key_joint=dice.pick((" = ", ": ", " – ", " - ", "=", ": ")),
        )


@dataclass(frozen=True, slots=True)
class School:
    """A made school; `School.of` makes it from a seed. ``weeks`` names the weeks of its cycle, () for none.

    ``other_plans`` are the plans of weekdays whose times differ from ``plan``.
    """

    seed: int
    language: Language
    stage: Stage
    name: str
    days: tuple[Day, ...]
    plan: Plan
    other_plans: tuple[tuple[Day, Plan], ...]
    style: TimeStyle
    courses: tuple[Course, ...]
    teachers: tuple[Teacher, ...]
    classes: tuple[str, ...]
    rooms: tuple[str, ...]
    weeks: tuple[str, ...]
    habits: Habits
    break_color: Color | None

    @classmethod
    def of(cls, seed: int, *, language: Language | None = None, stage: Stage | None = None) -> School:
        """The school of a seed, of the given language and stage or of any. Raises ConfigurationError for others."""
        dice = Dice(seed, _STREAM)
        drawn_language, drawn_stage = dice.pick(LANGUAGES), dice.weighted(_STAGES)
        words, stage = vocabulary(language or drawn_language), stage or drawn_stage
        habits, plan, days = Habits.of(dice, words, stage), plan_of(dice, words, stage), dice.weighted(_WEEKS)
        teachers = teachers_of(dice, words, stage, habits.teachers)
        rooms = several(words.rooms[stage], dice)
        differ = stage in ("primary", "secondary") and dice.chance(_OTHER_TIMES)
        cycle = stage in ("secondary", "university") and dice.chance(0.35)
        return cls(
            seed=seed,
            language=words.language,
            stage=stage,
            name=dice.pick(words.school_names[stage]).format(place=dice.pick(words.places)),
            days=days,
            plan=plan,
            other_plans=((dice.pick(days), moved(plan, dice)),) if differ else (),
            style=TimeStyle.of(dice, words),
            courses=furnished(courses_of(dice, words, stage, habits.names), teachers, rooms, dice),
            teachers=teachers,
            classes=several(words.classes[stage], dice),
            rooms=rooms,
            weeks=dice.pick((("A", "B"), ("A", "B"), ("1", "2"))) if cycle else (),
            habits=habits,
            break_color=dice.pick(_GREYS),
        )

    @property
    def words(self) -> Vocabulary:
        """The words of the school's language."""
        return vocabulary(self.language)

    def plan_on(self, day: Day) -> Plan:
        """The periods of a weekday."""
        return next((plan for other, plan in self.other_plans if other == day), self.plan)

    def label(self, period: Period) -> str:
        """The printed name of a lesson's period, "" where the school has none."""
        if not (self.habits.period_form and period.number):
            return ""
        short, roman = self.words.words["period_short"][0], _ROMANS[period.number - 1]
        return self.habits.period_form.format(n=period.number, s=short, p=self.habits.period_word, r=roman)

    def event(self, dice: Dice, kind: Kind) -> str:
        """The printed name of an event of a kind; that of any event where the stage has none of the kind."""
        of_kind = self.words.events_of(self.stage, kind) or self.words.events_of(self.stage, "event")
        return printed_event(dice.pick(of_kind), dice)
