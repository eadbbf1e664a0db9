"""Where the name ends on a line that goes on with a room, a person, a group or a remark.

Words for rooms and titles of persons are those of English, German, French, Italian, Spanish and Portuguese schools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TITLE = (
    r"(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Dra|Prof|Profa|Prof\.?ssa|Mme|Mlle|Herr|Frau|Hr|Fr|Sr|Sra|Srta|Sig|Sig\.ra|Dott|"
    r"Dott\.?ssa)\.?|Ins\.)"
)
_INITIALED = r"[A-ZÀ-Þ]\.\s?[A-ZÀ-Þ][\w'’-]{2,}"
_SITE = (
    r"(?:Room|Rm|R|Raum|Salle|Sala|Saal|Aula|Zimmer|Lab|Labo|Laboratorio|Laboratório|Library|(?:Lecture )?Theatre|LT|"
    r"Bât|Bâtiment|Building|Block|Bloco|Bloque|Blocco|Gebäude|Geb|Edificio|Edifício|Polo|Pavilhão|Pabellón|Padiglione|"
    r"Anf|Anfiteatro|Amphi|Hörsaal|PC-Pool)\.?"
)
_NUMBER = r"(?:\d{1,2}\.\d{1,3}|[A-Z]{0,2}-?\d{1,3}[a-z]?)"
_COMPANY = "".join(rf"(?<!\b{word})" for word in ("with", "mit", "avec", "con", "com", "and", "und", "et", "by"))
ROOM_CODE = re.compile(r"^[A-Z]{1,3}[-. ]?\d{1,3}[A-Za-z]?(?:\s*\(.*\))?$")
INITIALED = re.compile(rf"^{_INITIALED}$")
_DASH = re.compile(r"\s[-–—]\s")
_IN_BRACKETS = re.compile(rf"\s\((?:{_SITE}\s\S|{_TITLE}\s\w)[^()]*\)$")
_AFTER_BRACKET = re.compile(r"^[^()]*\w{2}\s\([^()]{2,}\)(?=\s[A-ZÀ-Þ0-9][^()]{3,}$)")
_INSIDE = re.compile(
    rf"{_COMPANY}(?<!&)(?<=\S)\s(?:{_TITLE}\s[A-ZÀ-Þ][\w'’-]+"
    rf"|{_SITE}\s?(?:[A-Z]\s)?{_NUMBER}\b|(?:Sala|Aula|Salle) (?:de|des|magna)\b|Geb\.? [A-Z]\b)"
)
_TAIL = re.compile(
    r"\s[-–,/:]?\s*\(?(?:"
    rf"{_SITE}\s(?:[A-Z]\s?)?(?:{_NUMBER}|[A-Z]|(?<!\bR\s)\w{{1,6}})"
    rf"|{_TITLE}\s[A-ZÀ-Þ][\w'’-]+"
    rf"|{_INITIALED}"
    r"|(?:TP|TD|CM)\s?\d{1,2}"
    r")\)?$|"
    r"(?<=[a-zà-ÿ]{2})(?<!group)(?<!roup)(?<!set)(?<!class)(?<!level)(?<!part)(?<!unit)\s(?![ABC][12]$)(?:[A-Z]-?\d{1,3}[a-z]?)$"
)
_TWO_DIGITS = re.compile(r"\d{2}")  # of a code that is believed to be a room's wherever it stands: "LV2" is none
_WORD = re.compile(r"\w")


def recurring_codes(texts: Iterable[str]) -> frozenset[str]:
    """Codes of rooms that stand at the end of texts with different beginnings: "7A E312" and "8B E312"."""
    before: dict[str, set[str]] = {}
    for text in texts:
        *words, code = text.split() or [""]
        if words and _TWO_DIGITS.search(code) and ROOM_CODE.match(code):
            before.setdefault(code, set()).add(" ".join(words).casefold())
    return frozenset(code for code, beginnings in before.items() if len(beginnings) > 1)


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
