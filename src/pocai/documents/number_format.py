"""What Excel shows for a value: the number format applied (ECMA-376 part 1, 18.8.31)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<filler>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<noon>AM/PM|A/P)|(?P<general>General)|(?P<part>y+|m+|d+|h+|s+)|(?P<fraction>\.0+(?=$|[^0#?]))"
    r"|(?P<digit>[0#?])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r'(?:"[^"]*"?|\\.|\[[^\]]*\]|[^;])*', re.DOTALL)
_MONTHS = {
    0x09: "January February March April May June July August September October November December",
    0x07: "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    0x0C: "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    0x0A: "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    0x10: "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    0x16: "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
_DAYS = {
    0x09: "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    0x07: "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    0x0C: "lundi mardi mercredi jeudi vendredi samedi dimanche",
    0x0A: "lunes martes miércoles jueves viernes sábado domingo",
    0x10: "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    0x16: "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
}
_ENGLISH, _GERMAN = 0x09, 0x07
_LANGUAGES = {"en": 0x09, "de": 0x07, "fr": 0x0C, "es": 0x0A, "it": 0x10, "pt": 0x16}
_GENERAL_DIGITS = 10
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def displayed(value: Any, code: str) -> str:
    """The text that a cell with this value (as openpyxl gives it) and number format shows; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime | date | time | timedelta):
        return _moment(value, list(_tokens(_sections(code)[0])))
    if isinstance(value, int | float):
        return _number(value, code)
    return _text(str(value), code)


def _sections(code: str) -> list[str]:
    """The parts of a format for positive numbers, negative ones, zero and text."""
    parts = [match.group() for match in _SECTION.finditer(code or "General")]
    return [part for index, part in enumerate(parts) if part or index == 0]


def _tokens(section: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(section):
        kind = match.lastgroup or "other"
        text = match.group(kind)
        if kind in ("quoted", "escaped"):
            yield _Token("literal", text)
        elif kind == "space":
            yield _Token("literal", " ")
        elif kind != "filler":
            yield _Token(kind, text)


def _text(value: str, code: str) -> str:
    """Text, with what the format's last section puts around its ``@``."""
    tokens = list(_tokens(_sections(code)[-1]))
    if not any(token == _Token("other", "@") for token in tokens):
        return value
    shown = (value if token.text == "@" else token.text for token in tokens if token.kind in ("literal", "other"))
    return "".join(shown)


def _number(value: float, code: str) -> str:
    sections = _sections(code)
    index = 1 if value < 0 and len(sections) > 1 else 2 if value == 0 and len(sections) > 2 else 0  # noqa: PLR2004 (positive; negative; zero)
    tokens = [token for token in _tokens(sections[index]) if token.kind != "bracket"]
    if not math.isfinite(value):
        return str(value)
    exact = Decimal(str(value))
    if any(token.kind == "general" for token in tokens):
        return "".join(_general(value) if token.kind == "general" else token.text for token in tokens)
    if not any(token.kind in ("digit", "fraction") for token in tokens):
        return (
            "".join(token.text for token in tokens if token.kind == "literal") if len(sections) > 1 else _general(value)
        )
    if any(token.text in "Ee/" for token in tokens if token.kind == "other"):
        return _general(value)  # scientific and fractions: nobody's timetable
    sign = "-" if value < 0 and index == 0 else ""
    return sign + _patterned(abs(exact), tokens)


def _general(value: float) -> str:
    """A number as the format General shows it: no more digits than it has."""
    if float(value).is_integer() and abs(value) < 10.0**_GENERAL_DIGITS:
        return str(int(value))
    return f"{value:.{_GENERAL_DIGITS}g}"


def _patterned(value: Decimal, tokens: list[_Token]) -> str:
    """Digits put into the places of the format; what stands between the places stays there ("0:00")."""
    marks = "".join(token.text if token.kind in ("digit", "fraction", "other") else "~" for token in tokens)
    whole_marks, _, decimal_marks = marks.partition(".")
    percent = marks.count("%")
    grouped = re.search(r"[0#?],[0#?]", whole_marks) is not None
    places = sum(mark in "0#?" for mark in decimal_marks)
    try:
        rounded = (value * 100**percent).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:
        return _general(float(value))
    whole, _, decimals = f"{rounded:f}".partition(".")
    sure = decimal_marks.count("0")
    decimals = decimals[:sure] + decimals[sure:].rstrip("0")
    least = whole_marks.count("0")
    digits = whole.zfill(least) if int(whole) or least else ""
    return _filled(tokens, f"{int(digits):,}".rjust(least, "0") if grouped and digits else digits, decimals)


def _filled(tokens: list[_Token], digits: str, decimals: str) -> str:
    point = next((i for i, t in enumerate(tokens) if t.kind == "fraction" or t.text == "."), len(tokens))
    places = [index for index, token in enumerate(tokens[:point]) if token.kind == "digit"]
    shares = dict.fromkeys(places, "")
    for index in reversed(places):
        first = index == places[0]
        shares[index], digits = (digits, "") if first else (digits[-1:], digits[:-1])
    shown = []
    for index, token in enumerate(tokens):
        if index < point:
            shown.append(shares.get(index, "" if token.text == "," else token.text))
        elif index == point:
            shown.append(f".{decimals}" if decimals else "")
        elif token.kind != "digit":
            shown.append(token.text)
    return "".join(shown)


def _moment(value: datetime | date | time | timedelta, tokens: list[_Token]) -> str:
    """A date or time of day; a format that shows neither part leaves HH:MM of a time and the ISO date."""
    day, seconds = _split(value)
    if not any(token.kind in ("part", "fraction") or _elapsed(token) for token in tokens):
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}" if day is None or seconds else day.isoformat()
    language = next((found for token in tokens if (found := _language(token))), _ENGLISH)
    twelve = any(token.kind == "noon" for token in tokens)
    shown = []
    for index, token in enumerate(tokens):
        if token.kind == "part":
            letters = "minute" if _is_minute(tokens, index) else token.text.lower()
            shown.append(_part(token.text.lower(), letters, (day, seconds), language, twelve=twelve))
        elif token.kind == "noon":
            shown.append(_noon(token.text, seconds))
        elif _elapsed(token):
            shown.append(str(seconds // {"h": 3600, "m": 60, "s": 1}[token.text[0].lower()]).zfill(len(token.text)))
        elif token.kind in ("literal", "other"):
            shown.append("" if token.text == "@" else token.text)
    return "".join(shown).strip()


def _split(value: datetime | date | time | timedelta) -> tuple[date | None, int]:
    """The date, and the seconds after midnight, rounded as Excel does; of a duration all its seconds."""
    if isinstance(value, timedelta):
        return None, round(value.total_seconds())
    if isinstance(value, time):
        return None, round(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6) % _DAY
    if isinstance(value, datetime):
        near = value + timedelta(microseconds=500_000) if value < datetime.max - timedelta(days=1) else value  # noqa: DTZ901 (Excel knows no zones)
        return near.date(), near.hour * 3600 + near.minute * 60 + near.second
    return value, 0


def _elapsed(token: _Token) -> bool:
    return token.kind == "bracket" and re.fullmatch(r"h+|m+|s+", token.text, re.IGNORECASE) is not None


def _is_minute(tokens: list[_Token], index: int) -> bool:
    """Whether an "m" counts minutes: it stands behind hours or before seconds."""
    if tokens[index].text[0] not in "mM" or len(tokens[index].text) > 2:  # noqa: PLR2004 (mmm names a month)
        return False
    telling = [
        (at, token.text[0].lower()) for at, token in enumerate(tokens) if token.kind == "part" or _elapsed(token)
    ]
    place = telling.index((index, "m"))
    before = telling[place - 1][1] if place else ""
    after = telling[place + 1][1] if place + 1 < len(telling) else ""
    return before == "h" or after == "s"


def _part(letters: str, kind: str, moment: tuple[date | None, int], language: int, *, twelve: bool) -> str:
    day, seconds = moment
    hour = seconds // 3600 % 24
    numbers: Mapping[str, int] = {
        "h": (hour - 1) % 12 + 1 if twelve else hour,
        "s": seconds % 60,
        "m": seconds // 60 % 60 if kind == "minute" else day.month if day else 1,
        "d": day.day if day else 0,
        "y": day.year if day else 1900,
    }
    number = numbers[letters[0]]
    if letters[0] == "y":
        return f"{number % 100:02d}" if len(letters) <= 2 else f"{number:04d}"  # noqa: PLR2004 (yy, yyyy)
    if letters[0] in "hs" or kind == "minute" or len(letters) <= 2:  # noqa: PLR2004 (d, dd; the longer are names)
        return f"{number:0{min(len(letters), 2)}d}"
    return _named(letters, day, language)


def _named(letters: str, day: date | None, language: int) -> str:
    """The name of a month (mmm, mmmm, mmmmm) or a weekday (ddd, dddd), in full or cut."""
    if day is None:
        return ""
    table, index = (_MONTHS, day.month - 1) if letters[0] == "m" else (_DAYS, day.weekday())
    name = table[language].split()[index]
    short = 2 if table is _DAYS and language == _GERMAN else 3
    lengths = {3: short, 5: 1 if letters[0] == "m" else len(name)}
    return name[: lengths.get(len(letters), len(name))]


def _noon(letters: str, seconds: int) -> str:
    afternoon = seconds % _DAY >= _DAY // 2
    morning, later = letters.split("/")
    return later if afternoon else morning


def _language(token: _Token) -> int | None:
    """The language of a "[$-407]" or "[$-de-DE]", where it is one whose day names are known."""
    match = (
        re.match(r"\$[^-]*-(?:([a-z]{2})(?:-|$)|([0-9A-F]+))", token.text, re.IGNORECASE)
        if token.kind == "bracket"
        else None
    )
    if match is None:
        return None
    if match[1] and match[1].lower() in _LANGUAGES:
        return _LANGUAGES[match[1].lower()]
    code = int(match[2], 16) & 0x3FF if match[2] else 0
    return code if code in _DAYS else None
