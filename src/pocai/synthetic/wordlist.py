"""The words that single lines are made of, in six languages, from ``assets/synthetic/words``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pocai.synthetic.vocabulary import Language, vocabulary


@dataclass(frozen=True, slots=True)
class Wordlist:
    """What the lines of one language are made of; ``names`` are of people and places all over Europe."""

    language: Language
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    months: tuple[str, ...]
    headings: tuple[str, ...]
    subjects: tuple[str, ...]
    titles: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    places: tuple[str, ...]
    words: tuple[str, ...]
    phrases: tuple[str, ...]
    names: tuple[str, ...]


@cache
def wordlist(language: Language) -> Wordlist:
    """The words of one language: those of whole made schools (`pocai.synthetic.vocabulary`), and more."""
    folder = files("pocai") / "assets" / "synthetic" / "words"
    lists: dict[str, list[str]] = {}
    for file in (language, "everywhere"):
        lists |= json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
    school = vocabulary(language)
    for subject in school.subjects:
        lists["subjects"] += (subject.long, *subject.short, subject.code)
    for event in school.events:
        lists["subjects"] += (event.long, *event.short)
    lists["last"] += school.surnames
    for remarks in school.remarks.values():
        lists["phrases"] += remarks
    lists["phrases"] += (*school.fillers, *school.places, *school.footers)
    for headings in (*school.terms.values(), *school.titles.values()):
        lists["headings"] += headings
    plain = {name: tuple(each for each in entries if "{" not in each) for name, entries in lists.items()}
    return Wordlist(language, **plain)
