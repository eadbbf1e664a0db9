"""The words for days in six languages, and where they stand in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("en", "de", "fr", "es", "it", "pt")

# Per language and day: the full name first, then what is printed for it. Without accents, lower case.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "en": ("monday mon mo", "tuesday tues tue tu", "wednesday weds wed we", "thursday thurs thur thu th",
           "friday fri fr", "saturday sat sa", "sunday sun su"),
    "de": ("montag mon mo", "dienstag die di", "mittwoch mit mi", "donnerstag don do",
           "freitag fre fr", "samstag sonnabend sam sa", "sonntag son so"),
    "fr": ("lundi lun lu", "mardi mar ma", "mercredi merc mer me", "jeudi jeu je",
           "vendredi vend ven ve", "samedi sam sa", "dimanche dim di"),
    "es": ("lunes lun lu", "martes mar ma", "miercoles mierc mier mie mi", "jueves juev jue ju",
           "viernes vier vie vi", "sabado sab sa", "domingo dom do"),
    "it": ("lunedi lun lu", "martedi mart mar ma", "mercoledi merc mer me", "giovedi giov gio gi",
           "venerdi ven ve", "sabato sab sa", "domenica dom do"),
    "pt": ("segunda segundafeira seg 2ª 2a", "terca tercafeira ter 3ª 3a", "quarta quartafeira qua 4ª 4a",
           "quinta quintafeira qui 5ª 5a", "sexta sextafeira sex 6ª 6a", "sabado sab", "domingo dom"),
}  # fmt: skip
_LETTERS = (
    ("en", "mtwtfss"),
    ("en", "mtwrfsu"),
    ("de", "mdmdfss"),
    ("fr", "lmmjvsd"),
    ("es", "lmmjvsd"),
    ("es", "lmxjvsd"),
    ("it", "lmmgvsd"),
    ("pt", "stqqssd"),
)
# Short forms that stand for nothing else, so that they count in running text.
_CLEAR = frozenset(["mon", "tue", "tues", "wed", "weds", "thu", "thur", "fri"])
_ORDINALS = ("segunda", "terca", "quarta", "quinta", "sexta")  # also "second" to "sixth"

_WEEKEND = r"week-?\s?ends?|wochenenden?|fins? de semana|fine settimana|fi[mn] de semana"
_WEEKDAYS = r"weekdays|wochentags|werktags|werktage|jours de semaine|dias (?:laborables|uteis)|giorni feriali"
_SPECIAL = re.compile(
    rf"(?<![^\W_])(?:(?P<weekend>{_WEEKEND})|(?P<weekdays>{_WEEKDAYS})"
    r"|(?P<ordinal>segunda|terca|quarta|quinta|sexta|[2-6])\s?\.?\s?[ªaº°o]?\.?[\s-]*feiras?"
    r"|(?P<spaced>[^\W_](?:\s[^\W_]){5,})"
    r")(?![^\W_])"
)
_WORD = re.compile(r"(?<![^\W_])(?:[2-6][ªaº°]|[^\W\d_]+(?:[\d|!]+[^\W\d_]+)*)(?![^\W\d_])")
_SIMILAR = frozenset(
    [
        *("yv", "ae", "ao", "eo", "co", "ce", "il", "i1", "l1", "i!", "l!", "i|", "lt", "ij", "nr", "nu", "nh"),
        *("uv", "o0", "s5", "s8", "gq", "hb", "dt", "dl", "ft", "rt", "yj", "tl"),
    ]
)
_TWO_FOR_ONE = frozenset([("cl", "d"), ("rn", "m"), ("vv", "w"), ("ii", "u"), ("li", "h")])
_SHORTEST_FUZZY = 6  # letters


@dataclass(frozen=True, slots=True)
class DayWord:
    """A word for one or more days; ``days`` are indices from Monday, by language.

    ``clear`` is False for words that mean something else in running text ("Sat", "Die", "Segunda").
    """

    at: tuple[int, int]
    days: Mapping[str, tuple[int, ...]]
    clear: bool
    whole: bool = False  # it names all of its days at once ("weekend"), not one of them


def _vocabulary() -> dict[str, dict[str, tuple[int, ...]]]:
    table: dict[str, dict[str, tuple[int, ...]]] = {}
    for language, names in _NAMES.items():
        for day, forms in enumerate(names):
            for form in forms.split():
                known = table.setdefault(form, {})
                known[language] = (*known.get(language, ()), day)
    return table


_VOCABULARY = _vocabulary()
_SHORTEST_FULL = 5  # letters; the short forms that are as long ("thurs", "mierc") mean nothing else either
_FULL = frozenset(form for form in _VOCABULARY if len(form) >= _SHORTEST_FULL)
_LONG = tuple(
    sorted(name for name in _FULL.difference(_ORDINALS) if len(name) >= _SHORTEST_FUZZY and "feira" not in name)
)


def folded(text: str) -> str:
    """Lower case without accents; every position stays."""
    return "".join(_base(character) for character in text)


def _base(character: str) -> str:
    lower = unicodedata.normalize("NFD", character)[0].lower()
    return lower if len(lower) == 1 else character


def day_words(text: str, *, letters: bool = False) -> tuple[DayWord, ...]:
    """The words for days in a text, left to right; single letters ("M T W") and "2ª" only where ``letters`` asks."""
    flat = folded(text)
    found = {match.span(): word for match in _SPECIAL.finditer(flat) if (word := _special(match))}
    for begin, end in found:
        flat = flat[:begin] + " " * (end - begin) + flat[end:]
    for match in _WORD.finditer(flat):
        if word := _plain(match, letters=letters):
            found[word.at] = word
    return tuple(found[at] for at in sorted(found))


def _plain(match: re.Match[str], *, letters: bool) -> DayWord | None:
    written = match.group().replace("º", "ª").replace("°", "ª")
    if written[0].isdigit() and not letters:
        return None  # "2a" is a Monday only among its like
    if len(written) == 1:
        days = _letter(written) if letters else {}
        return DayWord(match.span(), days, clear=False) if days else None
    if written in _VOCABULARY and written not in _FULL:
        return DayWord(match.span(), _VOCABULARY[written], clear=written in _CLEAR)
    name = _full_name(written)
    return DayWord(match.span(), _VOCABULARY[name], clear=name not in _ORDINALS) if name else None


def _special(match: re.Match[str]) -> DayWord | None:
    if match["weekend"] or match["weekdays"]:
        days = (5, 6) if match["weekend"] else (0, 1, 2, 3, 4)
        return DayWord(match.span(), dict.fromkeys(LANGUAGES, days), clear=True, whole=True)
    if match["ordinal"]:
        written = match["ordinal"]
        day = int(written[0]) - 2 if written[0].isdigit() else _ORDINALS.index(written)
        return DayWord(match.span(), {"pt": (day,)}, clear=True)
    name = _full_name(re.sub(r"\s", "", match["spaced"]))
    return DayWord(match.span(), _VOCABULARY[name], clear=True) if name else None


def is_full_name(word: str) -> bool:
    """Whether the word is exactly a full name of a day, in any case, with or without accents."""
    return folded(word) in _FULL


def _letter(letter: str) -> dict[str, tuple[int, ...]]:
    meanings: dict[str, tuple[int, ...]] = {}
    for language, week in _LETTERS:
        days = tuple(day for day, initial in enumerate(week) if initial == letter)
        if days:
            meanings[language] = tuple(sorted({*meanings.get(language, ()), *days}))
    return meanings


def _full_name(word: str) -> str | None:
    """The full name that is meant: exact, in the plural or genitive, or with one slip in a long word."""
    for form in (word, word.removesuffix("s"), word.removesuffix("'s")):
        if form in _FULL:
            return form
    return next((name for name in _LONG if _one_slip(word, name)), None)


def _one_slip(word: str, name: str) -> bool:
    """Whether a recognizer or a typist writes ``word`` for ``name``: a look-alike, a letter left out, two exchanged."""
    if abs(len(word) - len(name)) > 1 or len(word) < _SHORTEST_FUZZY - 1 or word == name:
        return False
    differing = (at for at, (own, other) in enumerate(zip(word, name, strict=False)) if own != other)
    same = next(differing, min(len(word), len(name)))
    rest, wanted = word[same:], name[same:]
    if len(rest) < len(wanted):
        return len(name) > _SHORTEST_FUZZY and rest == wanted[1:]
    if len(rest) > len(wanted):
        return bool(wanted) and (
            rest[1:] == wanted or ((rest[:2], wanted[0]) in _TWO_FOR_ONE and rest[2:] == wanted[1:])
        )
    if rest[2:] == wanted[2:] and rest[:2] == wanted[1::-1]:
        return True
    return rest[1:] == wanted[1:] and {rest[0] + wanted[0], wanted[0] + rest[0]} & _SIMILAR != set()
