"""The grammar of printed times: which characters may be a clock, and what around them speaks for or against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pocai.timetable.clock import NOON_HOUR, Clock, Meridiem

Form = Literal["colon", "point", "letter", "comma", "compact", "hour", "noon"]

FIRST_SURE_HOUR = 7  # "07:00" and "7h" are mornings; "01:15" and "3 Uhr" are printed for the afternoon too

# Signs that recognizers and typists use for others, one for one, so that positions stay.
_SAME_WIDTH = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("∼～˜", "~"),
        **dict.fromkeys("➔➜➝⟶⇒►▶>", "→"),
        **dict.fromkeys("：∶︰﹕", ":"),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f", " "),
        **dict.fromkeys("’‘´`", "'"),
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    }
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LOOKALIKE = str.maketrans("OolI|", "00111")
_LOOKALIKE_TIME = re.compile(r"(?<![^\W\d_])[\dOolI|]{1,2}[:.][\dOolI]{2}(?![^\W_])")

_AFTER_GERMAN_AM = (
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|(?:vor|nach)?mittag|morgen|abend|"
    r"ende|anfang|mo|di|mi|do|fr|sa|so"
)
_CLOCK = re.compile(
    rf"""(?<!\d)(?<!\d[.:])(?<![€£$#])(?:
      (?P<noon>(?<![\w-])(?:12\s?)?(?:noon|midday|mittags?|midi|mediod[ií]a|mezzogiorno|meio[- ]dia)(?!\w|-[^\W\d]))
    | (?P<hour>\d{{1,2}})(?:
          (?P<colon>\s?[:;]\s?)(?P<minute1>\d{{2}})(?:(?<!\s\d\d):\d{{2}})?(?!(?<=[:;]\s\d\d)\s?h)
        | (?P<point>\s?\.|(?<![^\W\d_]\d)(?<![^\W\d_]\d\d)·)(?P<minute2>\d{{2}})
        | (?P<letter>\s?h\s?)(?P<minute3>\d{{2}})(?:\s?min)?
        | (?P<comma>,)(?P<minute4>\d{{2}})
        | (?P<minute5>[⁰¹²³⁴⁵⁶⁷⁸⁹]{{2}})
      )(?!\d|[.:]\d|h\d)
    | (?P<hour6>\d{{1,2}})(?P<minute6>\d{{2}})(?!\d|[./:,]\d)
    | (?P<bare>\d{{1,2}})(?!\d|[./:,]\d|\s?[/%*€£$°ªº])
    )
    (?:\s?(?!(?-i:Hora|Heure))(?P<mark>h|hrs|uhr|o'clock|heures?|horas?|ore)(?![^\W\d_]))?
    (?:\s?(?P<meridiem>[ap]\s?\.?\s?(?:m|rn)\b\.?(?!\s+(?:{_AFTER_GERMAN_AM})\b)|(?<=[:.h]\d\d)[ap](?![\w.])))?
    """,
    re.IGNORECASE | re.VERBOSE,
)
TO = re.compile(
    r"\s*[-~→][-~→\s]*|\s*(?:to|till?|until|bis|à|a|às|as|au|al|alle|hasta(?: las?)?|até(?: [àa]s)?|fino alle)\s*",
    re.IGNORECASE,
)
AND = re.compile(r"\s+(?:and|und|et|y|e)\s+", re.IGNORECASE)
# "start", "end" and "finish" may be part of a name ("Early start 8.30"), so they count only where a phrase begins.
_PHRASE = r"(?:^|(?<=[(\[\n,;\-]))\s*"
START_WORDS = re.compile(
    r"(?:(?<![^\W_])(?:from|at|@|ab|um|von|starts(?: at)?|starting(?: at)?|begins(?: at)?|beginning(?: at)?|"
    r"à partir de|dès|de|à|das|dalle|alle|às|a partir d[ae]s?|desde(?: las?)?|de las?|a las?|dal|"
    r"between|zwischen|entre|tra)"
    rf"|{_PHRASE}start)\s*:?\s*(?:(?:ca|approx)\.?\s*)?$",
    re.IGNORECASE,
)
END_WORDS = re.compile(
    r"(?:(?<![^\W_])(?:ends(?: at)?|ending(?: at)?|until|till?|'til|finishes(?: at)?|finishing(?: at)?|up to|to|"
    r"bis(?: ca\.?)?|jusqu'?\s?[àa]|hasta(?: las?)?|fino alle|até(?: [àa]s)?)"
    rf"|{_PHRASE}(?:end|finish))\s*:?\s*$",
    re.IGNORECASE,
)
# After a place or a price, a number with a point is no time; after the others, a plain number is none.
_PLACE = r"room|rm|raum|salle|aula|sala|saal|zimmer|page|pages|version|chapter|unit|no|nr|n°|£|€|\$|\#"
_COUNTED = (
    r"weeks?|wk|years?|yrs?|grades?|class(?:es)?|klassen?|groups?|gruppen?|gr|lessons?|periods?|stunden?|blocks?|ks|"
    r"key stage|sets?|days?|tage?|terms?|autumn|spring|summer|winter|stages?|levels?|semaines?|semanas?|cours|ages?|"
    r"aged|forms?|houses?|tables?|numbers?|jan\w*|feb\w*|mar\w*|apr\w*|may|mai|june?|july?|aug\w*|sep\w*|o[ck]t\w*|"
    r"nov\w*|de[cz]\w*"
)
_NUMBERED = re.compile(rf"(?:^|\W)(?:{_PLACE}|{_COUNTED})[.:]?\s*(?:\d{{1,2}}\s*[-,&]\s*)*$", re.IGNORECASE)
_PLACED = re.compile(rf"(?:^|\W)(?:{_PLACE})\.?\s*$|(?:^|\W)(?-i:[B-HJ-UWYZ])\s$", re.IGNORECASE)
_DATE = re.compile(r"\d{1,2}\.(?:0[1-9]|1[0-2])\.(?=\s|$|,|-)")
_MONEY = re.compile(r"\s?(?:€|£|\$|%|(?:EUR|GBP|km|cm|kg|min)\b)", re.IGNORECASE)
_TOUCHING = re.compile(r"(?:\d|\W|^)(?:h|to|bis|à|a)$", re.IGNORECASE)  # "9:00to9:30", "9hà10h"
_SHORT_TAIL = re.compile(r"[^\W\d_]{1,2}(?![^\W\d_])")


@dataclass(frozen=True, slots=True)
class Token:
    """A number that may be a clock, and what speaks for it; ``at`` is its character range."""

    clock: Clock
    form: Form
    marked: bool  # h, Uhr, o'clock
    printed_meridiem: bool
    at: tuple[int, int]

    @property
    def has_minutes(self) -> bool:
        return self.form in ("colon", "point", "letter")

    @property
    def strong(self) -> bool:
        """Whether the notation alone says that this is a time of day."""
        if self.form == "letter" or (self.marked and self.form == "hour"):
            return self.clock.hour >= FIRST_SURE_HOUR  # "1h30" and "2 h" are lengths
        if self.form in ("colon", "point"):
            return True
        return self.form != "noon" and (self.printed_meridiem or self.marked)


def plain(text: str) -> str:
    """The text with one kind of dash, colon, space and digit, letters in "1O:3O" made digits; every position stays."""
    return _LOOKALIKE_TIME.sub(_as_digits, text.translate(_SAME_WIDTH))


def _as_digits(match: re.Match[str]) -> str:
    found = match.group()
    enough = 1 if ":" in found else 2
    return found.translate(_LOOKALIKE) if sum(map(str.isdigit, found)) >= enough else found


def tokens(text: str) -> Iterator[Token]:
    """The numbers of a `plain` text that may be clocks, left to right."""
    for match in _CLOCK.finditer(text):
        token = _token(match)
        if token and not _named(text, token) and not _run_on(text, token):
            yield token


def _token(match: re.Match[str]) -> Token | None:
    if match["noon"]:
        form: Form = "hour" if match["noon"][0] == "1" else "noon"
        return Token(Clock(NOON_HOUR, 0, "pm"), form, form == "hour", form == "hour", match.span())
    hour = int(match["hour"] or match["hour6"] or match["bare"])
    minute = int(next((match[f"minute{n}"] for n in range(1, 7) if match[f"minute{n}"]), "0").translate(_SUPERSCRIPT))
    if hour > 23 or minute > 59 or (hour == 0 and match["bare"]):  # noqa: PLR2004 - the clock's own numbers
        return None
    marked = bool(match["mark"]) and not (match["bare"] and match["mark"].lower() == "hrs")  # "10 hrs" is a length
    return Token(_clock(match, hour, minute), _form(match), marked, bool(match["meridiem"]), match.span())


def _form(match: re.Match[str]) -> Form:
    if match["minute5"]:
        return "colon"
    if match["minute6"]:
        return "compact"
    for form in ("colon", "point", "letter", "comma"):
        if match[form]:
            return form
    return "hour"


def _clock(match: re.Match[str], hour: int, minute: int) -> Clock:
    meridiem: Meridiem | None = None
    if match["meridiem"]:
        meridiem = "am" if match["meridiem"][0] in "aA" else "pm"
    elif FIRST_SURE_HOUR <= hour < NOON_HOUR and (match["mark"] or match["letter"] or match.group()[0] == "0"):
        meridiem = "am"  # a 24-hour notation
    return Clock(hour, minute, None if hour > NOON_HOUR else meridiem)


def _named(text: str, token: Token) -> bool:
    """Whether the words around say that the number is something else: "Room 12", "Week 1", "24.04.", "1.30 EUR"."""
    before, after = text[max(0, token.at[0] - 40) : token.at[0]], text[token.at[1] : token.at[1] + 8]
    if token.form in ("colon", "letter", "noon") or token.clock.meridiem or token.marked:
        return False
    if token.form in ("point", "comma") and (_DATE.match(text, token.at[0]) or _PLACED.search(before)):
        return True
    return bool(_MONEY.match(after) or (token.form in ("hour", "compact") and _NUMBERED.search(before)))


def _run_on(text: str, token: Token) -> bool:
    """Whether a letter touches the number, as in "B5.40" or "3A"; a long word may touch a clock ("Lunch12:00")."""
    before, after = text[max(0, token.at[0] - 12) : token.at[0]], text[token.at[1] : token.at[1] + 24]
    if before[-1:].isalpha():
        loose = token.form == "colon" or (token.form == "point" and len(before) > 2 and before[-3:].isalpha())  # noqa: PLR2004 - room codes have two letters at most
        return not (loose or _TOUCHING.search(before))
    if token.form in ("hour", "compact") and before[-1:] in ("/", "'", ".", ","):
        return True
    if not after[:1].isalpha() or TO.match(after):
        return False
    return not (token.form == "colon" or (token.has_minutes and not _SHORT_TAIL.match(after)))
