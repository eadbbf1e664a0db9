"""Made timetables: seed → `School` → `Made`, a pure function of the seed.

The truth is computed from the very values that are printed: `pocai.synthetic.printing.times_of` gives both the text
of a time and the block's. What a layout may do with a `Made` is said in `pocai.synthetic.made`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pocai.errors import ConfigurationError
from pocai.synthetic.deck import Deck, Whose
from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Draft
from pocai.synthetic.frame import Frame, frame_of
from pocai.synthetic.headings import facts_of, told
from pocai.synthetic.lectures import Sessions
from pocai.synthetic.lessons import Rates, Week
from pocai.synthetic.made import (
    FEATURES,
    DayColumn,
    Entry,
    Heading,
    HeadingLine,
    KeyEntry,
    Kind,
    LineRole,
    Made,
    Note,
    NoteKind,
    Slot,
    Times,
)
from pocai.synthetic.misprints import misprinted
from pocai.synthetic.printing import Print, in_week
from pocai.synthetic.schools import Language, School, Stage
from pocai.timetable.timetable import Timetable

__all__ = [
    "FEATURES",
    "DayColumn",
    "Entry",
    "Family",
    "Heading",
    "HeadingLine",
    "KeyEntry",
    "Kind",
    "LineRole",
    "Made",
    "Note",
    "NoteKind",
    "Slot",
    "Times",
    "family",
    "made",
    "timetable_of",
]

Family = Literal["classes", "weeks", "teachers"]

_STREAM, _HEADINGS = 2, 3  # of the dice; 1 is that of schools
_WHOSE_OF: dict[Stage, tuple[tuple[Whose, float], ...]] = {
    "nursery": (("class", 1),),
    "primary": (("class", 20), ("teacher", 1)),
    "secondary": (("class", 15), ("teacher", 3), ("room", 1)),
    "university": (("class", 12), ("teacher", 1), ("room", 1)),
}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A filled week before it is printed."""

    school: School
    index: int
    frame: Frame
    drafts: list[Draft]
    whose: Whose
    features: frozenset[str]


def made(
    seed: int,
    *,
    school: School | None = None,
    language: Language | None = None,
    stage: Stage | None = None,
    times: Times | None = None,
) -> Made:
    """The timetable of a seed: that of its own school, or number ``seed`` of ``school``.

    ``language`` and ``stage`` choose the school of a seed, ``times`` where the times are printed; None leaves it to
    the seed. Raises ConfigurationError for a language that is not there and for a negative seed.
    """
    if school is not None:
        return timetable_of(school, seed, times=times)
    return timetable_of(School.of(seed, language=language, stage=stage), 0, times=times)


def timetable_of(school: School, index: int, *, times: Times | None = None) -> Made:
    """Timetable number ``index`` (from 0) of a school: another class or teacher each time, the same habits."""
    return _printed(_filled(_named(school, times), None, index, times), None)


def family(
    seed: int, kind: Family, *, count: int = 2, stage: Stage | None = None, school: School | None = None
) -> tuple[Made, ...]:
    """Several timetables of one document: ``count`` classes or teachers of a school, or its weeks A and B.

    They are of ``school``, where it is given, else of the seed's (of that ``stage``). Raises ConfigurationError for a
    ``count`` below 1.
    """
    if count < 1:
        raise ConfigurationError(f"a family of {count} timetables", mend="Ask for 1 or more")
    school = school or School.of(seed, stage=stage)
    if kind == "weeks":
        school = replace(school, weeks=school.weeks or ("A", "B"))
        sheet = _filled(school, "class", 0, None)
        return tuple(_printed(sheet, week) for week in school.weeks)
    whose: Whose = "teacher" if kind == "teachers" else "class"
    return tuple(_printed(_filled(school, whose, index, None), None) for index in range(count))


def _named(school: School, times: Times | None) -> School:
    """The school with names for its periods where they have to stand for the times."""
    if times != "key" or school.habits.period_form:
        return school
    return replace(school, habits=replace(school.habits, period_form="{n}"))


def _filled(school: School, whose: Whose | None, index: int, times: Times | None) -> _Sheet:
    dice = Dice(school.seed, _STREAM, index)
    drawn = dice.weighted(_WHOSE_OF[school.stage])
    whose = whose or drawn
    frame = frame_of(school, dice, times)
    deck = Deck(school, dice, whose, index)
    week = Sessions(frame, deck, dice) if frame.scale else Week(frame, deck, dice, Rates.of(dice, school))
    result = misprinted(frame, week.drafts(), school, dice)
    return _Sheet(school, index, result.frame, result.drafts, whose, result.features)


def _printed(sheet: _Sheet, week: str | None) -> Made:
    """The sheet with all its strings, and the truth; of one ``week`` of the cycle, or of all."""
    school, frame = sheet.school, sheet.frame
    drafts = sheet.drafts if week is None else in_week(sheet.drafts, week, scale=frame.scale)
    dice = Dice(school.seed, _HEADINGS)  # the same for all timetables of a school
    facts = replace(facts_of(school, dice, sheet.whose, sheet.index), week=week)
    said = told(school, facts, dice)
    paper = Print.of(school, frame, drafts)
    blocks, own = paper.blocks(week)
    axis = paper.axis()
    key = paper.period_key(axis) or paper.other_key(dice)
    features = sheet.features | paper.features() | _named_features(sheet, week)
    return Made(
        school=school,
        seed=school.seed,
        days=frame.days,
        axis=axis,
        entries=paper.entries(own),
        heading=said.heading,
        timetable=Timetable(
            teacher=said.teacher,
            class_name=said.class_name,
            term=said.term,
            year=said.year,
            title=said.title,
            timeblocks=blocks,
            pages=(0,),
        ),
        times=frame.times,
        key=key,
        key_head=_key_head(school, key),
        filler=school.habits.filler if "empty" in features else "",
        features=features | ({"filler"} if school.habits.filler and "empty" in features else set()),
    )


def _named_features(sheet: _Sheet, week: str | None) -> frozenset[str]:
    names = {"teacher": "of_teacher", "room": "of_room", "class": ""}[sheet.whose], "weeks" if week else ""
    return frozenset(filter(None, names))


def _key_head(school: School, key: tuple[KeyEntry, ...]) -> str:
    """The words above the key; many keys have none."""
    if not key or school.seed % 3 == 0:
        return ""
    heads = {"period": "key", "color": "color_key"}.get(key[0].kind, "subject_key")
    words = school.words.words[heads]
    return words[school.seed % len(words)]
