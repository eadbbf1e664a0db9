"""What single lines of timetables say: subjects, names, times, rooms, days, notes, in six languages, and rare letters.

The word lists are our own (``assets/synthetic``); none comes from a real timetable.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from pocai.synthetic.chance import happens, pick
from pocai.synthetic.vocabulary import Language
from pocai.synthetic.wordlist import Wordlist, wordlist

if TYPE_CHECKING:
    from numpy.random import Generator

LONGEST = 60  # characters


def line_text(rng: Generator, language: Language) -> str:
    """One line as a timetable of this language may print it, of 1 to 60 characters with single spaces."""
    words = wordlist(language)
    text = _KINDS[bisect(_KIND_SHARES, rng.random() * _KIND_SHARES[-1])](rng, words)
    return _tidy(_cased(rng, text))


def rare_text(rng: Generator, letters: frozenset[str], language: Language) -> str:
    """Words with some letters changed for any of ``letters``, and strings of them: each letter comes up regularly."""
    every, latin, signs = _sorted(letters)
    groups = []
    for _ in range(1 + int(rng.random() ** 2 * 4)):
        if happens(rng, _ANY):
            word = list(pick(rng, wordlist(language).words))
            for _ in range(1 + len(word) // 4):
                word[int(rng.random() * len(word))] = pick(rng, latin)
        else:
            around = every if happens(rng, _ANY) else latin
            word = [pick(rng, around) for _ in range(1 + int(rng.random() * 7))]
        if happens(rng, _ANY):
            word.insert(int(rng.random() * (len(word) + 1)), pick(rng, signs))
        if happens(rng, _ANY / 2):
            word = list("".join(word).upper())
        groups.append("".join(word))
    return _tidy(" ".join(groups))


def marked_text(rng: Generator, text: str, marks: Sequence[str]) -> str:
    """A text with a tick, a star, an arrow or a box before, behind or instead of it."""
    shape = pick(rng, ("{0} {1}", "{0} {1}", "{1} {0}", "{0}", "{0} {0}", "{0}{1}", "{0} {1} {0}"))
    return shape.format(pick(rng, marks), text[: LONGEST - 4].rstrip())


@cache
def _sorted(letters: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """All letters but the space in a fixed order, those that words are made of, and the other ones."""
    every = tuple(sorted(letters - {" "}))
    latin = tuple(letter for letter in every if letter.isalpha() and letter not in "ªº")
    return every, latin or every, tuple(letter for letter in every if letter not in latin) or every


def time_of_day(rng: Generator, language: Language) -> Callable[[int], str]:
    """A notation of times, the same for all times of one line: minutes since midnight in, text out."""
    mark = pick(rng, _MARKS[language])
    padded = happens(rng, _ANY)
    twelve = language == "en" and happens(rng, _TWELVE)

    def written(minutes: int) -> str:
        hour, minute = divmod(minutes, 60)
        if twelve and hour > _NOON:
            hour -= _NOON
        if mark.strip() in ("h", "H") and minute == 0:
            return f"{hour}{mark.rstrip()}"
        return f"{hour:02d}{mark}{minute:02d}" if padded else f"{hour}{mark}{minute:02d}"

    return written


def _times(rng: Generator, words: Wordlist) -> str:
    """One time, or the span of a lesson."""
    written = time_of_day(rng, words.language)
    start = (7 + int(rng.random() ** 1.3 * 12)) * 60 + pick(rng, _MINUTES)
    end = start + pick(rng, _LENGTHS)
    half = happens(rng, _HALF_DAY[words.language])
    tail = pick(rng, _HALVES)[end >= _NOON * 60] if half else ""
    if happens(rng, _SINGLE_TIME):
        return written(start) + tail
    first = pick(rng, _HALVES)[start >= _NOON * 60] if half and happens(rng, _ANY) / 2 else ""
    if half and happens(rng, _ANY):
        hours = (start // 60, end // 60 + 1)
        return f"{(hours[0] - 1) % 12 + 1}{first}{pick(rng, _SPANS[:6])}{(hours[1] - 1) % 12 + 1}{tail}"
    return f"{written(start)}{first}{_span(rng, words)}{written(end)}{tail}"


def _span(rng: Generator, words: Wordlist) -> str:
    """What stands between the two times of a span."""
    return pick(rng, _BETWEEN[words.language]) if happens(rng, _SPAN_WORD) else pick(rng, _SPANS)


def _time_and(rng: Generator, words: Wordlist) -> str:
    subject, times = pick(rng, words.subjects), _times(rng, words)
    if happens(rng, _ANY):
        return f"{times} {subject}"
    return pick(rng, (f"{subject} {times}", f"{subject} ({times})", f"{times}: {subject}", f"{times} {subject}"))


def _subject(rng: Generator, words: Wordlist) -> str:
    return pick(rng, words.subjects)


def _subjects(rng: Generator, words: Wordlist) -> str:
    joint = pick(rng, _JOINTS)
    return joint.join(pick(rng, words.subjects) for _ in range(2 + (happens(rng, _MANY))))


def _subject_and(rng: Generator, words: Wordlist) -> str:
    subject = pick(rng, words.subjects)
    other = pick(rng, (_place, _person, _group))(rng, words)
    shape = pick(rng, ("{0} ({1})", "{0} - {1}", "{0} – {1}", "{0}, {1}", "{0} {1}", "{0}: {1}", "{0} / {1}", "{0}*"))
    return shape.format(subject, other)


def _person(rng: Generator, words: Wordlist) -> str:
    kind = rng.random()
    if kind < _FOREIGN:
        return pick(rng, words.names)
    title, first, last = pick(rng, words.titles), pick(rng, words.first), pick(rng, words.last)
    if kind < _TITLED:
        return f"{title} {last}"
    if kind < _FULL_NAME:
        return f"{first} {last}"
    initials = pick(rng, (f"{first[0]}. {last}", f"{title} {first[0]}. {last}", f"{last} {first[0]}.", first))
    return pick(rng, (initials, first[0] + last[0], last[:3].upper(), last, f"{last}, {first}", last[:4]))


def _people(rng: Generator, words: Wordlist) -> str:
    return pick(rng, ("/", " / ", ", ", " & ", " + ")).join(pick(rng, words.last) for _ in range(2))


def _place(rng: Generator, words: Wordlist) -> str:
    place, number = pick(rng, words.places), 1 + int(rng.random() ** 2 * 320)
    letter = "ABCDEFGHLMS"[int(rng.random() * 11)]
    return pick(
        rng,
        (
            f"{place} {number}",
            f"{place} {letter}{number}",
            f"{letter}{number}",
            f"{letter}.{number:03d}",
            f"{letter}{number % 10}.{number % 30:02d}",
            place,
            f"({letter}{number % 40})",
            f"{place} {letter}",
            f"{place}: {number}",
            f"{number}{letter.lower()}",
        ),
    )


def _group(rng: Generator, words: Wordlist) -> str:
    year, letter = 1 + int(rng.random() * 13), "ABCDEFGKMNPRSTXYZ"[int(rng.random() * 17)]
    low = letter.lower()
    shapes = (f"{year}{letter}", f"{year}{low}", f"{year}/{1 + year % 5}", f"{year}{low}/{year}b", f"{year}-{letter}")
    number = pick(rng, ("A", "B", "C", "1", "2", "3", "4", "I", "II", "III", "IV"))
    return pick(rng, (*shapes, f"{pick(rng, words.headings)} {number}", f"{pick(rng, _GROUPS[words.language])} {year}"))


def _period(rng: Generator, words: Wordlist) -> str:
    number = 1 + int(rng.random() * 9)
    ending = ("st", "nd", "rd")[number - 1] if words.language == "en" and number <= _THIRD else "th"
    if words.language != "en":
        ending = pick(
            rng,
            {"de": (".",), "fr": ("e", "è", "ème"), "it": ("ª", "°", "a"), "es": ("ª", ".ª", "º")}.get(
                words.language, (".º", "ª", "º", ".ª")
            ),
        )
    name = pick(rng, _PERIODS[words.language])
    return pick(rng, (f"{name} {number}", f"{number}{ending} {name}", f"{name[0]}{number}", f"{number}.", f"{number}"))


def _day(rng: Generator, words: Wordlist) -> str:
    kind = rng.random()
    if kind < _LONG_DAY:
        return pick(rng, words.days)
    if kind < _SHORT_DAY:
        return pick(rng, words.short_days)
    joint = pick(rng, (", ", " & ", "/", " - ", "-", " – ", " + "))
    return joint.join(pick(rng, words.days if kind < _LONG_DAYS else words.short_days) for _ in range(2))


def _date(rng: Generator, words: Wordlist) -> str:
    day, month, year = 1 + int(rng.random() * 31), 1 + int(rng.random() * 12), 2019 + int(rng.random() * 12)
    name = pick(rng, words.months)
    return pick(
        rng,
        (
            f"{day}.{month}.{year}",
            f"{day:02d}/{month:02d}/{year}",
            f"{day:02d}.{month:02d}.",
            f"{day}/{month}",
            f"{year}-{month:02d}-{day:02d}",
            f"{day} {name} {year}",
            f"{name} {year}",
            f"{day}. {name}",
            f"{year}/{year + 1 - 2000}",
            f"{year}-{year + 1}",
            f"{year} – {year + 1}",
            f"{pick(rng, words.days)}, {day} {name}",
            f"{pick(rng, words.short_days)} {day:02d}/{month:02d}",
        ),
    )


def _heading(rng: Generator, words: Wordlist) -> str:
    kind = rng.random()
    heading = pick(rng, words.headings)
    if kind < _PLAIN:
        return heading
    other = pick(rng, (_group, _date, _person))(rng, words)
    return pick(rng, (f"{heading} {other}", f"{heading}: {other}", f"{heading} - {other}", f"{heading}:"))


def _phrase(rng: Generator, words: Wordlist) -> str:
    return pick(
        rng,
        (
            "{}",
            "{}",
            "{}",
            "({})",
            "* {}",
            "• {}",
            "- {}",
            "{}!",
            "{}:",
            "“{}”",
            "„{}“",
            "[{}]",
            "✓ {}",
            "→ {}",
            "★ {}",
            "● {}",
            "■ {}",
            "□ {}",
            "▪ {}",
            "… {}",
            "{}…",
            "« {} »",
            "‘{}’",
            "‚{}‘",
            '"{}"',
            "{} ✔",
            "○ {}",
            "☆ {} ☆",
        ),
    ).format(pick(rng, words.phrases))


def _sentence(rng: Generator, words: Wordlist) -> str:
    """Words of the language in any order; some glued from two halves, so that no word can be taken for granted."""
    count = 1 + int(rng.random() ** 1.6 * 9)
    chosen = [pick(rng, words.words) for _ in range(count)]
    if happens(rng, _GLUED):
        first, last = pick(rng, words.words), pick(rng, words.subjects)
        chosen[0] = first[: 1 + int(rng.random() * len(first))] + last[int(rng.random() * len(last)) :]
    if happens(rng, _ANY):
        chosen[0] = chosen[0].capitalize()
    return (", " if happens(rng, _COMMA) else " ").join(chosen) + pick(rng, ("", "", "", ".", "!", "?", ":", "..."))


def _number(rng: Generator, words: Wordlist) -> str:
    del words
    number = int(10 ** (rng.random() * 4))
    hours = f"{1 + number % 30} h"
    telephone = f"0{100 + number % 900} {int(rng.random() * 1e6):06d}"
    share = f"{number / 100:.2f}"
    shapes = (
        str(number),
        f"{number}.",
        f"({number})",
        hours,
        f"{number % 100}%",
        f"#{number}",
        telephone,
        f"{share} €",
    )
    return pick(rng, (*shapes, f"£{share}", f"{number % 90} min", f"{number % 90}’", f"{number % 9}½ h", f"{number}+"))


def _cased(rng: Generator, text: str) -> str:
    """Sometimes in capitals, sometimes in small letters."""
    kind = rng.random()
    if kind < _CAPITALS:
        capitals = text.upper()
        return capitals if len(capitals) == len(text) else text  # ß has no capital of its own
    return text.lower() if kind < _SMALL else text


def _tidy(text: str) -> str:
    """Single spaces, at most `LONGEST` characters, ended at a word where possible."""
    text = " ".join(text.split())
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit(" ", 1)[0]


_ANY = 0.5
_TWELVE = 0.6  # share of English times on the twelve-hour clock
_NOON = 12
_THIRD = 3
_SINGLE_TIME, _SPAN_WORD = 0.3, 0.08
_FOREIGN, _TITLED, _FULL_NAME = 0.08, 0.45, 0.68
_LONG_DAY, _SHORT_DAY, _LONG_DAYS = 0.6, 0.85, 0.93
_PLAIN, _MANY, _GLUED, _COMMA = 0.6, 0.2, 0.3, 0.1
_CAPITALS, _SMALL = 0.13, 0.17
_HALF_DAY: dict[Language, float] = {"en": 0.4, "de": 0.0, "fr": 0.0, "es": 0.08, "it": 0.0, "pt": 0.0}
_MINUTES = (0, 0, 0, 15, 30, 30, 45, 5, 10, 20, 25, 35, 40, 50, 55, 8, 12, 33, 47, 58)
_LENGTHS = (30, 40, 45, 50, 55, 60, 60, 75, 90, 100, 120, 180)
_HALVES = ((" am", " pm"), ("am", "pm"), (" AM", " PM"), ("AM", "PM"), (" a.m.", " p.m."), ("a.m.", "p.m."), ("a", "p"))
_SPANS = (*("-", "–", " - ", " – ") * 4, "-", "—", " — ", "- ", " -", " –", "– ", " / ", "~", " → ")
_BETWEEN: dict[Language, tuple[str, ...]] = {
    "en": (" to ", " until "),
    "de": (" bis ", " bis ", " – "),
    "fr": (" à ", " - "),
    "es": (" a ", " hasta "),
    "it": (" alle ", " - "),
    "pt": (" às ", " a "),
}
_MARKS: dict[Language, tuple[str, ...]] = {
    "en": (":", ":", ":", ".", ".", " : ", ""),
    "de": (":", ":", ".", ".", ":", "."),
    "fr": ("h", "h", " h ", ":", "H", "."),
    "es": (":", ":", ".", ":", "h"),
    "it": (":", ".", ".", ",", ":"),
    "pt": (":", "h", "h", ":", "H", "."),
}
_JOINTS = ("/", " / ", " & ", ", ", " + ", "-", " - ", " | ", "; ", "+", " · ")
_GROUPS: dict[Language, tuple[str, ...]] = {
    "en": ("Year", "Class", "Grade", "Form", "Group", "Set", "Yr", "Y"),
    "de": ("Klasse", "Kl.", "Jahrgang", "Gruppe", "Kurs"),
    "fr": ("Classe", "Groupe", "Gr.", "Niveau"),
    "es": ("Curso", "Grupo", "Clase", "Grado"),
    "it": ("Classe", "Gruppo", "Sez.", "Corso"),
    "pt": ("Turma", "Ano", "Grupo", "Turno"),
}
_PERIODS: dict[Language, tuple[str, ...]] = {
    "en": ("Period", "Lesson", "Session", "Hour", "Slot", "period"),
    "de": ("Stunde", "Std.", "Block", "Lektion"),
    "fr": ("Séance", "heure", "Cours", "Créneau"),
    "es": ("Hora", "Sesión", "hora", "Clase"),
    "it": ("Ora", "ora", "Lezione", "Modulo"),
    "pt": ("Tempo", "Aula", "Hora", "Bloco"),
}
_SHARES: tuple[tuple[Callable[[Generator, Wordlist], str], float], ...] = (
    (_times, 23),
    (_time_and, 4),
    (_subject, 20),
    (_subjects, 3),
    (_subject_and, 8),
    (_person, 9),
    (_people, 1),
    (_place, 6),
    (_group, 4),
    (_period, 4),
    (_day, 6),
    (_date, 3),
    (_heading, 5),
    (_phrase, 3),
    (_sentence, 8),
    (_number, 3),
)
_KINDS = tuple(kind for kind, _ in _SHARES)
_KIND_SHARES = tuple(accumulate(share for _, share in _SHARES))
