"""Printing errors of made timetables: slips in names, times that contradict each other. The truth keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocai.synthetic.dice import Dice
from pocai.synthetic.draft import Draft
from pocai.synthetic.frame import Frame
from pocai.synthetic.made import DayColumn
from pocai.synthetic.schools import School

_SHORTEST = 4  # letters of a word in which a slip happens
_LONG_DAY = 7  # letters of a day's name that stays readable with two letters exchanged
_HOUR = 60  # minutes
_AFTERNOON = 13 * 60  # minutes: from here a time of the 24-hour clock has one meaning only
_HALF_SLIPPED = 0.5


@dataclass(frozen=True, slots=True)
class Misprinted:
    """A frame and drafts after the printer; ``features`` says which errors there are."""

    frame: Frame
    drafts: list[Draft]
    features: frozenset[str] = frozenset()


def misprinted(frame: Frame, drafts: list[Draft], school: School, dice: Dice) -> Misprinted:
    """The same with the errors that the school's habits make likely; often with none."""
    result = Misprinted(frame, drafts)
    if dice.chance(school.habits.slips):
        result = _typed(result, dice)
    if dice.chance(school.habits.slips * _HALF_SLIPPED):
        result = _day_typed(result, dice)
    if dice.chance(school.habits.slips):
        result = _wrong_cell(result, school, dice)
    if dice.chance(school.habits.slips):
        result = _wrong_axis(result, dice)
    return result


def slip(text: str, dice: Dice) -> str:
    """The text with two letters exchanged, one left out or one doubled, behind the first letter of a word."""
    places = [at for at in range(1, len(text) - 1) if text[at - 1 : at + 2].isalpha() and text[at] != text[at + 1]]
    if len(text) < _SHORTEST or not places:
        return text
    at = dice.pick(places)
    kind = dice.between(0, 2)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + (text[at + 1 :] if kind == 1 else text[at] + text[at:])


def _typed(made: Misprinted, dice: Dice) -> Misprinted:
    drafts, found = list(made.drafts), False
    for at in dice.sample(range(len(drafts)), dice.between(1, 2)):
        content = drafts[at].content
        name = slip(content.name, dice)
        if not drafts[at].in_axis and name != content.name:
            drafts[at], found = replace(drafts[at], content=replace(content, name=name)), True
    return replace(made, drafts=drafts, features=made.features | {"typo"}) if found else made


def _day_typed(made: Misprinted, dice: Dice) -> Misprinted:
    """Two letters exchanged in the middle of a day's long name."""
    long = [at for at, day in enumerate(made.frame.days) if len(day.label) >= _LONG_DAY and day.label.isalpha()]
    if not long:
        return made
    at = dice.pick(long)
    label = made.frame.days[at].label
    place = dice.between(2, len(label) - 4)
    swapped = label[:place] + label[place + 1] + label[place] + label[place + 2 :]
    if swapped == label:
        return made
    days: list[DayColumn] = list(made.frame.days)
    days[at] = replace(days[at], label=swapped)
    return replace(made, frame=replace(made.frame, days=tuple(days)), features=made.features | {"typo"})


def _wrong_cell(made: Misprinted, school: School, dice: Dice) -> Misprinted:
    """A cell that states an hour too early or too late, or an end before its start."""
    frame = made.frame
    plain = [at for at, draft in enumerate(made.drafts) if draft.plain]
    if frame.times not in ("ranges", "cells", "key") or not plain:
        return made
    at = dice.pick(plain)
    draft = made.drafts[at]
    start, end = frame.planned(draft.columns[0], draft.first, draft.count)
    own = (start + _HOUR, end + _HOUR) if dice.chance(0.5) else (start - _HOUR, end - _HOUR)
    style = school.style
    complete = style.separator in (":", ".") and not style.short  # "14h30 - 13h" does not even look like a range
    clear = complete and not style.twelve and (style.zero or start >= _AFTERNOON)
    if clear and dice.chance(0.4):
        own = (end, start)
    drafts = list(made.drafts)
    drafts[at] = replace(draft, own=own, misprinted=True)
    return replace(made, drafts=drafts, features=made.features | {"contradiction"})


def _wrong_axis(made: Misprinted, dice: Dice) -> Misprinted:
    """A slot that ends after the next begins."""
    frame = made.frame
    rows = _undivided(made.drafts, len(frame.shown) - 1)
    if frame.times not in ("ranges", "key") or not frame.common or frame.scale or not rows:
        return made
    row = dice.pick(rows)
    shown = list(frame.shown)
    shown[row] = (shown[row][0], shown[row + 1][0] + dice.pick((5, 10, 15)))
    return replace(made, frame=replace(frame, shown=tuple(shown)), features=made.features | {"contradiction"})


def _undivided(drafts: Sequence[Draft], rows: int) -> list[int]:
    """The slots that no draft splits: the middle of a slot is to be where it seems to be."""
    split = {draft.first for draft in drafts if draft.share != (0.0, 1.0)}
    return [row for row in range(rows) if row not in split]
