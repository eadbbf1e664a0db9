"""What a made school teaches and who teaches it: teachers, courses, their colours and rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from typing import Literal

from pocai.documents.page import Color
from pocai.synthetic.dice import Dice
from pocai.synthetic.vocabulary import Stage, Subject, Vocabulary

NameForm = Literal["long", "short", "code", "upper", "mixed"]
TeacherForm = Literal["courtesy", "surname", "initial", "sign"]

_COURSES = {"nursery": (6, 12), "primary": (9, 16), "secondary": (10, 18), "university": (5, 9)}
_STAFF = {"nursery": 4, "primary": 8, "secondary": 16, "university": 12}
_WHITE, _VIVID = 0.35, 0.2  # shares of schools without colours, and with strong ones
_INITIALS = "ABCDEFGHIJKLMNOPRSTUVW"


@dataclass(frozen=True, slots=True)
class Teacher:
    """A made teacher: as lessons name them, as a heading names them, and the sign in a key of teachers."""

    printed: str
    full: str
    sign: str


@dataclass(frozen=True, slots=True)
class Course:
    """A subject or activity as a school prints it, its full name and code, its colour, who teaches it and where."""

    name: str
    long: str
    code: str
    color: Color | None
    teachers: tuple[Teacher, ...]
    rooms: tuple[str, ...]


def teachers_of(dice: Dice, words: Vocabulary, stage: Stage, form: TeacherForm) -> tuple[Teacher, ...]:
    """The staff of a school; their signs differ."""
    courtesies = words.courtesies["university" if stage == "university" else "school"]
    length = dice.pick((2, 3, 3, 4))
    taken: set[str] = set()
    staff = []
    for surname in dice.sample(words.surnames, _STAFF[stage]):
        initial, courtesy = dice.pick(_INITIALS), dice.pick(courtesies)
        sign = next(sign for sign in _signs(surname, initial, length) if sign not in taken)
        taken.add(sign)
        full = f"{courtesy} {initial}. {surname}" if stage == "university" and length > 2 else f"{courtesy} {surname}"  # noqa: PLR2004 - a coin
        printed = {"courtesy": full, "surname": surname, "initial": f"{initial}. {surname}", "sign": sign}[form]
        staff.append(Teacher(printed, full, sign))
    return tuple(staff)


def _signs(surname: str, initial: str, length: int) -> Iterator[str]:
    """Signs for a teacher: the beginning of the name, then ever stranger ones."""
    letters = "".join(letter for letter in surname.upper() if letter.isalpha())
    yield initial + letters[:1] if length == 2 else letters[:length]  # noqa: PLR2004 - initials of both names
    yield from (letters[: length - 1] + letter for letter in letters[length:])
    yield from (initial + letters[:length] + str(number) for number in range(1, 100))


def courses_of(dice: Dice, words: Vocabulary, stage: Stage, form: NameForm) -> list[tuple[str, Subject]]:
    """Subjects of the stage with the names under which the school prints them; the names differ."""
    chosen: dict[str, Subject] = {}
    for subject in dice.sample(words.subjects_of(stage), dice.between(*_COURSES[stage])):
        chosen.setdefault(_printed(subject, form, dice), subject)
    return list(chosen.items())


def _printed(subject: Subject, form: NameForm, dice: Dice) -> str:
    if form == "mixed":
        form = dice.pick(("long", "long", "short"))
    if form == "code":
        return subject.code
    if form == "short" and subject.short:
        return dice.pick(subject.short)
    return subject.long.upper().replace("ß", "SS") if form == "upper" else subject.long


def furnished(
    courses: Sequence[tuple[str, Subject]], staff: Sequence[Teacher], rooms: Sequence[str], dice: Dice
) -> tuple[Course, ...]:
    """The courses with colours (each its own), up to three teachers and three rooms each."""
    shades = _shades(dice, len(courses))
    return tuple(
        Course(name, subject.long, subject.code, shade, tuple(dice.sample(staff, 3)), tuple(dice.sample(rooms, 3)))
        for (name, subject), shade in zip(courses, shades, strict=True)
    )


def _shades(dice: Dice, count: int) -> list[Color | None]:
    """A fill for each course, all pale or all strong; None for all of them in many schools."""
    kind = dice.share()
    if kind < _WHITE:
        return [None] * count
    lightness, saturation = (0.62, 0.75) if kind < _WHITE + _VIVID else (0.85, dice.pick((0.4, 0.7, 0.9)))
    first = dice.share()
    return [_rgb(first + index / count, lightness, saturation) for index in range(count)]


def _rgb(hue: float, lightness: float, saturation: float) -> Color:
    red, green, blue = hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def filled(pattern: str, dice: Dice) -> str:
    """A room, class or group of a pattern such as "{b}{r}" (see `Vocabulary`)."""
    if "{" not in pattern:
        return pattern
    return pattern.format(
        d=dice.between(1, 5),
        g=dice.between(1, 6),
        h=dice.between(5, 12),
        l=dice.pick("ABCD"),
        b=dice.pick("ABCDEGHKNSW"),
        r=dice.between(100, 399) if dice.chance(0.6) else dice.between(1, 40),
        rr=f"{dice.between(1, 40):02d}",
    )


def several(patterns: Iterable[str], dice: Dice) -> tuple[str, ...]:
    """Two fillings of each pattern, each text once."""
    return tuple(dict.fromkeys(filled(pattern, dice) for pattern in patterns for _ in range(2)))
