"""What stands around a made timetable: its title, class, teacher, term and year, the footer, the words of its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pocai.synthetic.deck import Whose
from pocai.synthetic.dice import Dice
from pocai.synthetic.made import Heading, HeadingLine, LineRole, NoteKind
from pocai.synthetic.schools import School
from pocai.timetable.timetable import HeaderField

_PLACEHOLDERS: dict[str, HeaderField] = {"class": "className", "term": "term", "year": "year", "teacher": "teacher"}
_JOINTS = (" | ", " · ", " – ", ", ", " / ")
_YEAR_FORMS = ("{0}/{1}", "{0}/{1}", "{0}-{1}", "{0}–{1}", "{0}/20{1}", "{0}-20{1}", "{0}")
_FIRST_YEAR, _LAST_YEAR = 2012, 2031
_FIRST_MONTH, _LAST_MONTH = 8, 10  # months in which a school year begins, so that a date has the year of its beginning
_SHORTEST_TITLE = 4  # characters


@dataclass(frozen=True, slots=True)
class Facts:
    """What a heading may say. ``week`` is the week of the cycle that the whole timetable is for, None for every one."""

    class_name: str
    teacher: str
    room: str
    term: str
    year: int
    year_form: str
    whose: Whose
    week: str | None = None

    @property
    def printed_year(self) -> str:
        return self.year_form.format(self.year, f"{(self.year + 1) % 100:02d}")


@dataclass(frozen=True, slots=True)
class Told:
    """A heading and what it tells; None where it says nothing."""

    heading: Heading
    title: str | None
    class_name: str | None
    teacher: str | None
    term: str | None
    year: int | None


def facts_of(school: School, dice: Dice, whose: Whose, index: int) -> Facts:
    """The facts about the timetable of a school; ``index`` tells its timetables apart."""
    kind = "university" if school.stage == "university" else "school"
    return Facts(
        class_name=school.classes[index % len(school.classes)],
        teacher=school.teachers[(index + 3) % len(school.teachers)].full,
        room=school.rooms[index % len(school.rooms)],
        term=dice.pick(school.words.terms[kind]),
        year=dice.between(_FIRST_YEAR, _LAST_YEAR),
        year_form=dice.pick(_YEAR_FORMS),
        whose=whose,
    )


def told(school: School, facts: Facts, dice: Dice) -> Told:
    """A heading with some of the facts, and which of them it tells."""
    lines = _lines(school, facts, dice)
    footer, dated = _footer(school, facts, dice)
    heading = replace(_axis_words(school, dice), lines=tuple(lines), footer=footer, school=school.name)
    said = {field for line in lines for field in line.fields}
    return Told(
        heading,
        title=next((line.text for line in lines if line.role == "title"), None),
        class_name=facts.class_name if "className" in said else None,
        teacher=facts.teacher if "teacher" in said else None,
        term=facts.term if "term" in said else None,
        year=facts.year if "year" in said or dated else None,
    )


def _lines(school: School, facts: Facts, dice: Dice) -> list[HeadingLine]:
    if dice.chance(0.03) and facts.whose == "class" and facts.week is None:
        return []
    title = _title(school, facts, dice)
    others = _labelled(school, facts, dice, set(title.fields))
    if len(others) > 1 and dice.chance(0.4):
        others = [_in_one(others, dice.pick(_JOINTS))]
    if facts.week is not None:
        word = school.words.words["weeks"][0]
        others.append(HeadingLine(f"{word} {facts.week}", "other"))
    named = [HeadingLine(school.name, "other")] if dice.chance(0.4) else []
    if named and dice.chance(0.6):
        return [*named, title, *others]
    return [title, *others, *named] if dice.chance(0.85) else [*others, title, *named]


def _title(school: School, facts: Facts, dice: Dice) -> HeadingLine:
    titles = school.words.titles
    patterns = titles["any"]
    if facts.whose == "teacher":
        patterns = titles["teacher"]
    elif facts.whose == "room":
        patterns = tuple(pattern for pattern in patterns if "{class}" not in pattern)
    elif school.stage in titles and dice.chance(0.7):
        patterns = titles[school.stage]
    pattern = dice.pick(patterns)
    text = _filled(pattern, facts)
    fields = tuple(field for word, field in _PLACEHOLDERS.items() if f"{{{word}}}" in pattern)
    if dice.chance(0.06) and "teacher" not in fields and facts.whose == "class":
        plain = f"{school.words.words['class'][0]} {facts.class_name}"
        return HeadingLine(plain, "title", ("className",))
    return HeadingLine(text, "title", fields)


def _filled(pattern: str, facts: Facts) -> str:
    names = {"class": facts.class_name, "term": facts.term, "year": facts.printed_year, "teacher": facts.teacher}
    return pattern.format(**names)


def _labelled(school: School, facts: Facts, dice: Dice, said: set[HeaderField]) -> list[HeadingLine]:
    """Lines for facts that the title does not tell: "Class: 3B", "Autumn Term"."""
    words = school.words.words
    colon = dice.pick((": ", ": ", ":", " : " if school.language == "fr" else ": "))
    rows: list[tuple[LineRole, HeaderField, str, str, float]] = [
        ("class", "className", words["class"][0], facts.class_name, 0.45 if facts.whose == "class" else 0.0),
        ("teacher", "teacher", dice.pick(words["teacher"]), facts.teacher, 0.0 if facts.whose == "room" else 0.35),
        ("term", "term", "", facts.term, 0.3),
        ("year", "year", dice.pick(words["year"]) if dice.chance(0.6) else "", facts.printed_year, 0.3),
    ]
    lines = [
        HeadingLine(f"{label}{colon}{value}" if label else value, role, (field,))
        for role, field, label, value, probability in rows
        if field not in said and dice.chance(probability)
    ]
    if facts.whose == "room":
        lines.append(HeadingLine(f"{words['room'][0]}{colon}{facts.room}", "other"))
    return lines


def _in_one(lines: Sequence[HeadingLine], joint: str) -> HeadingLine:
    fields = tuple(field for line in lines for field in line.fields)
    return HeadingLine(joint.join(line.text for line in lines), lines[0].role, fields)


def _footer(school: School, facts: Facts, dice: Dice) -> tuple[tuple[str, ...], bool]:
    """Up to two lines below, and whether they hold the year."""
    if not dice.chance(0.35):
        return (), False
    chosen = dice.sample(school.words.footers, 1 if dice.chance(0.7) else 2)
    day, month = dice.between(1, 28), dice.between(_FIRST_MONTH, _LAST_MONTH)
    written = f"{day} {school.words.months[month - 1].long}"
    if school.language == "de":
        written = f"{day}. {school.words.months[month - 1].long}"
    date = dice.pick((written, written, f"{day:02d}.{month:02d}."))
    if any("{year}" in pattern for pattern in chosen):
        date = written
    start = school.style.write(school.plan[0].start)
    if school.style.suffix:
        start = start.removesuffix(school.style.suffix)
    year = facts.year
    lines = tuple(pattern.format(date=date, year=year, start=start) for pattern in chosen)
    return lines, any("{year}" in pattern for pattern in chosen)


def _axis_words(school: School, dice: Dice) -> Heading:
    words = school.words.words
    time, day = dice.pick(words["time"]), words["day"][0]
    kinds: tuple[NoteKind, ...] = ("teacher", "room", "group", "remark")
    return Heading(
        corner=dice.pick(("", "", time, f"{time} / {day}", f"{day}/{time}", words["period"][0])),
        times_head=time,
        periods_head=dice.pick((words["period"][0], words["period_short"][0], "")),
        subject_head=dice.pick(words["subject"]),
        note_heads=(*((kind, words[kind][0]) for kind in kinds), ("week", words["weeks"][0])),
    )
