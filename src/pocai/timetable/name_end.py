"""Where the name ends on a line that goes on with a room, a person, a group or a remark.

Words for rooms and titles of persons are those of English, German, French, Italian, Spanish and Portuguese schools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TITLE = (
    r"(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Dra|Prof|Profa|Prof\.?ssa|Prof\.?ª|Mme|Mlle|Herr|Frau|Hr|Fr|Sr|Sra|Srta|Sig|Sig\.ra|Dott|"
    r"Dott\.?ssa)\.?|Ins\.)"
)
_PERSON = rf"{_TITLE}\s?(?<=[.\sª])(?:[A-ZÀ-Þ]\.\s?){{0,2}}[A-ZÀ-Þ][\w'’-]+"
_INITIALED = r"[A-ZÀ-Þ]\.\s?[A-ZÀ-Þ][\w'’-]{2,}"
_SITE = (
    r"(?:Room|Rm|R|Raum|[Ss]alle|[Ss]ala|Saal|[Aa]ula|Zimmer|Lab|Labo|Labor|Laboratorio|Laboratório|Library|"
    r"(?:Lecture )?Theatre|LT|Bât|Bâtiment|Building|Block|Bloco|Bloque|Blocco|Gebäude|Geb|Edif|Edificio|Edifício|Polo|"
    r"Pavilhão|Pabellón|Padiglione|Anf|Anfiteatro|Amphi|Amphithéâtre|Audit[oó]ri(?:o|um)|Hörsaal|HS|PC-Pool)\.?"
)
_NUMBER = r"(?:\d{1,2}\.\d{1,3}|[A-Z]{0,2}-?\d{1,3}[a-z]?)"
_COMPANY = "".join(
    rf"(?<!\b{word})"
    for word in ("with", "mit", "avec", "con", "com", "and", "und", "et", "by", "in", "im", "en", "em", "na", "dans")
)
ROOM_CODE = re.compile(r"^[A-Z]{1,3}[-. ]?\d{1,3}[A-Za-z]?(?:\s*\(.*\))?$")
INITIALED = re.compile(rf"^{_INITIALED}$")
_DASH = re.compile(r"\s[-–—]\s")
_IN_BRACKETS = re.compile(rf"\s\((?:{_SITE}\s\S|{_TITLE}\s\w)[^()]*\)$")
_AFTER_BRACKET = re.compile(r"^[^()]*\w{2}\s\([^()]{2,}\)(?=\s[A-ZÀ-Þ0-9][^()]{3,}$)")
_INSIDE = re.compile(
    rf"{_COMPANY}(?<!&)(?<=\S)\s(?:{_PERSON}"
    rf"|{_SITE}\s?(?:[A-Z]\s)?{_NUMBER}\b|(?:Sala|Aula|Salle) (?:de|des|magna)\b|Geb\.? [A-Z]\b)"
)
_TAIL = re.compile(
    _COMPANY + r"\s[-–,/:]?\s*\(?(?:"
    rf"{_SITE}\s(?:[A-Z]\s?)?(?:{_NUMBER}|[A-Z]|(?<!\bR\s)\w{{1,6}})"
    rf"|{_SITE}\s\w{{2,8}}\s\d{{1,3}}"
    rf"|{_PERSON}"
    rf"|{_INITIALED}"
    r"|[A-Z]{1,2}-\d{2,3}"
    r"|(?:TP|TD|CM)\s?\d{1,2}"
    r")\)?$|"
    r"(?<=[a-zà-ÿ]{2})(?<!group)(?<!roup)(?<!set)(?<!class)(?<!level)(?<!part)(?<!unit)\s(?:[A-Z](?:-\d|\d{2})\d?[a-z]?)$"
)
LEVEL = re.compile(r"^(?:[ABC][12]|[A-Z]{2,3}\d)$")  # "B1" and "LV2" are of languages
_DIGITS = re.compile(r"\d+")
NUMBER = re.compile(r"^\d{2,4}[a-z]?$")
DASHES = frozenset("-–—")
_WORD = re.compile(r"\w")


def recurring_codes(texts: Iterable[str]) -> frozenset[str]:
    """Codes of rooms: some end texts with different beginnings ("7A E312" and "8B E312"), the others are like them."""
    before: dict[str, set[str]] = {}
    for text in texts:
        *words, code = text.split() or [""]
        behind_dash = words[-1:] and words[-1] in DASHES
        if words and ((ROOM_CODE.match(code) and not LEVEL.match(code)) or (behind_dash and NUMBER.match(code))):
            before.setdefault(code, set()).add(" ".join(words).casefold())
    kinds = {_DIGITS.sub("0", code) for code, beginnings in before.items() if len(beginnings) > 1}
    return frozenset(code for code in before if _DIGITS.sub("0", code) in kinds)


def end_of_name(text: str, codes: frozenset[str] = frozenset()) -> int:
    """Where the rooms, persons and groups behind a name begin; 0 where there are none.

    ``codes`` are known to be rooms.
    """
    if typed := _AFTER_BRACKET.match(text):  # "Algebra (Lecture) Smith B12"
        return typed.end()
    begins = [word.start() for word in re.finditer(r"\s(\S+)", text) if word[1] in codes]
    begins += [found.start() for found in _INSIDE.finditer(text) if _WORD.search(text[: found.start()])]
    at = min(begins, default=0)
    text = text[:at] if at else text
    while (tail := _TAIL.search(text) or _IN_BRACKETS.search(text)) and tail.start():
        at = tail.start()
        text = text[:at]
    if at and text.rfind("(") > text.rfind(")"):  # "Optics (Prof. N. Green Room 3)"
        text = text[: text.rfind("(")].rstrip()
        at = len(text)
    dashes = list(_DASH.finditer(text))
    if len(dashes) + bool(at) > 1 and dashes:  # "Algebra – Lecture – B12"
        return dashes[0].start() or at
    return at
