"""Days in English, German, French, Spanish, Italian and Portuguese: in running text, as a label, along an axis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pocai.timetable.day_words import LANGUAGES, DayWord, day_words, folded, is_full_name
from pocai.timetable.timetable import WEEK, Day

_RANGE = re.compile(
    r"\.?\s*(?:[-‐‑–—−→~]|(?<=[.\s])(?:to|bis|au|a|al|ao|ate|through|thru|till|until)(?=\s))\s*", re.IGNORECASE
)
_LIST = re.compile(r"\.?\s*(?:[,;/&+|]\s*(?:and|und|et|y|e)?|(?<=[.\s])(?:and|und|et|y|e|ou|or|oder|o)(?=\s))?\s*")
_DATE = re.compile(
    r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])\s?[./-]\s?(?:0?[1-9]|1[0-2])(?:\s?[./-]\s?(?:\d{4}|\d{2}))?\.?(?!\d)"
    r"|(?<!\d)(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])(?:/\d{2,4})?(?!\d)"
    r"|(?<!\d)(?:19|20)\d\d[-./]\d\d[-./]\d\d(?!\d)|(?<!\d)(?:19|20)\d\d(?!\d)"
    r"|(?<![\d.:@#])(?:0?[1-9]|[12]\d|3[01])(?:\s?(?:st|nd|rd|th|er)\b|[.ºª])?(?![\d:])"
)
_MONTH = (
    r"jan\w*|feb\w*|fev\w*|mar(?:ch|z|s|zo|co)?|maerz|apr\w*|abr\w*|avr\w*|may|mai|mayo|maio|maggio|june?|jun[hi]?o?|juin|"
    r"july?|jul[hi]?o?|juillet|aug\w*|ago\w*|aout|sept?\w*|set\w*|o[ck]t\w*|out\w*|ott\w*|nov\w*|de[czs]\w*|dic\w*"
)
_BESIDE = re.compile(
    rf"\b(?:{_MONTH}|(?:week|wk|woche|semaine|semana|settimana|kw)\s*\w{{1,2}}|of|the|de|den|le|les|el|los|las|il|am|on|"
    r"every|each|jeden|chaque|cada|ogni|only|nur|and|und|et|pm|mornings?|afternoons?|evenings?|matin|apres-midi|soir|"
    r"vormittags?|nachmittags?|abends?|manana|tarde|manha|mattina|pomeriggio)\b|\([a-z]\)"
)
_LONGEST_LABEL = 100  # characters; seven names with a date
_FEW_LETTERS = 3  # a chain of single words without a sign between them counts from here


@dataclass(frozen=True, slots=True)
class DayMention:
    """A day named in a text at the character range ``at``; the days of a range ("Mon-Fri") share theirs."""

    day: Day
    at: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Week:
    """The language of the labels, and the day (from 0, Monday) with which their week begins."""

    language: str
    first: int = 0

    def rank(self, day: int) -> int:
        return (day - self.first) % len(WEEK)


_WEEKS = tuple(_Week(language, first) for first in (0, 6) for language in LANGUAGES)


def find_days(text: str) -> tuple[DayMention, ...]:
    """The days that a running text names, in its order.

    Short forms that are also words ("Sat", "Die", "Mar") count only in a list or range of days, or alone in the text.
    """
    mentions: list[DayMention] = []
    for chain in _chains(text, day_words(text)):
        if all(word.clear for word in chain) or _unmistakable(text, chain):
            mentions.extend(_read_chain(text, chain, _Week(_language(chain) or LANGUAGES[0])))
        else:
            for word in chain:
                mentions.extend(_read_chain(text, [word], _WEEKS[0]) if word.clear else ())
    return tuple(mentions)


def day_label(text: str) -> tuple[Day, ...]:
    """The days, if the text is a label for days and holds nothing else but a date, a week or "morning"; else ()."""
    if len(text) > _LONGEST_LABEL:
        return ()
    label = _Label.of(text)
    readings = (_days_of(label, _Week(language)) for language in LANGUAGES)
    return tuple(WEEK[day] for day in next(filter(None, readings), ()))


def resolve_labels(texts: Sequence[str]) -> tuple[tuple[Day, ...], ...]:
    """The days of the labels along an axis, decided together; () for those that are not day labels.

    Language and order decide what "Ma", "Mi", "Do" or a single letter means: the language that explains most labels
    in the order of the week. Single letters count only as a run of consecutive days.
    """
    prepared = [_Label.of(text[:_LONGEST_LABEL], letters=True) for text in texts]
    readings = [(week, _axis(prepared, week)) for week in _WEEKS]
    _, best = max(readings, key=lambda reading: _order_score(reading[1], reading[0]))
    return tuple(tuple(WEEK[day] for day in days) for days in best)


def language_of(texts: Sequence[str]) -> str | None:
    """The language of the day names (``en``, ``de``, ``fr``, ``es``, ``it``, ``pt``), None where they do not tell."""
    votes = dict.fromkeys(LANGUAGES, 0.0)
    for text in texts:
        for word in day_words(text):
            for language in () if word.whole else word.days:
                votes[language] += 1 / len(word.days)
    ranked = sorted(votes, key=lambda language: -votes[language])
    return ranked[0] if votes[ranked[0]] > votes[ranked[1]] else None


def _chains(text: str, words: Sequence[DayWord]) -> Iterator[list[DayWord]]:
    """Words for days that form one list or range."""
    chain: list[DayWord] = []
    for word in words:
        if chain and not _linked(text, chain[-1], word):
            yield chain
            chain = []
        chain.append(word)
    if chain:
        yield chain


def _between(text: str, first: DayWord, second: DayWord) -> str:
    return folded(text[first.at[1] : second.at[0]])


def _linked(text: str, first: DayWord, second: DayWord) -> bool:
    between = _between(text, first, second)
    return bool(_RANGE.fullmatch(between) or _LIST.fullmatch(between))


def _language(chain: Sequence[DayWord]) -> str | None:
    """The first language in which all words are days and in the order of the week, else in which they are days."""
    common = [language for language in LANGUAGES if all(language in word.days for word in chain)]
    ordered = (language for language in common if _ascends(_single_days(chain, language)))
    return next(ordered, next(iter(common), None))


def _ascends(days: Sequence[int]) -> bool:
    return all(first < second for first, second in pairwise(days))


def _unmistakable(text: str, chain: Sequence[DayWord]) -> bool:
    """Whether words that may mean something else are days here."""
    if not _language(chain):
        return False
    if len(chain) == 1:
        return not re.sub(r"[\W_]", "", text[: chain[0].at[0]] + text[chain[0].at[1] :]) and text.strip()[:1].isupper()
    signs = any(_between(text, *pair).strip(". ") for pair in pairwise(chain))
    capitals = sum(text[word.at[0]].isupper() for word in chain)
    alike = capitals == len(chain) or (capitals == 0 and not any(map(_short, chain)))  # not "Die, mit Hund"
    return (signs or len(chain) >= _FEW_LETTERS) and alike


def _single_days(chain: Sequence[DayWord], language: str) -> list[int]:
    days: list[int] = []
    for word in chain:
        days.extend(_options(word, _Week(language), days[-1:]))
    return days


def _options(word: DayWord, week: _Week, before: Sequence[int]) -> tuple[int, ...]:
    """The day that the word means after the day ``before``; all its days where it names them at once."""
    days = word.days.get(week.language) or next(iter(word.days.values()))
    if word.whole or not before:
        return days if word.whole else (min(days, key=week.rank),)
    return (min(days, key=lambda day: (week.rank(day) <= week.rank(before[-1]), week.rank(day))),)


def _read_chain(text: str, chain: Sequence[DayWord], week: _Week, before: Sequence[int] = ()) -> Iterator[DayMention]:
    """The days of a list or range, ranges filled."""
    pending: list[DayMention] = []
    last: DayWord | None = None
    for word in chain:
        days, at = _options(word, week, before), word.at
        if last and pending and _RANGE.fullmatch(_between(text, last, word)) and days[0] > before[-1]:
            opening = pending[-1].at
            days, at = (*range(before[-1], days[0]), *days), (opening[0], word.at[1])
            pending = [mention for mention in pending if mention.at != opening]
        pending.extend(DayMention(WEEK[day], at) for day in days)
        before, last = days, word
    yield from pending


@dataclass(frozen=True, slots=True)
class _Label:
    """A text with the words for days in it, none where other words stand beside them."""

    text: str
    words: tuple[DayWord, ...]

    @classmethod
    def of(cls, text: str, *, letters: bool = False) -> _Label:
        """``letters`` says that this stands on an axis, where single letters and short lower-case words count."""
        joined = re.sub(r"[\s-]", "", text)
        if is_full_name(joined):
            text = joined
        words = day_words(text, letters=letters)
        small = not letters and all(_short(word) and text[word.at[0]].islower() for word in words)
        if not words or small:
            return cls(text, ())
        rest = _BESIDE.sub(" ", _DATE.sub(" ", _without(folded(text), tuple(_chains(text, words)))))
        return cls(text, () if re.search(r"\w", rest) else words)


def _days_of(label: _Label, week: _Week, before: Sequence[int] = ()) -> tuple[int, ...]:
    """The days (from 0, Monday) of a label in this language, () where it is none; ``before``: of the label before."""
    if any(week.language not in word.days and not word.clear for word in label.words):
        return ()
    days: list[int] = []
    for chain in _chains(label.text, label.words):
        days.extend(WEEK.index(mention.day) for mention in _read_chain(label.text, chain, week, days or before))
    return tuple(dict.fromkeys(days))


def _short(word: DayWord) -> bool:
    return word.at[1] - word.at[0] < _FEW_LETTERS


def _without(text: str, chains: Sequence[Sequence[DayWord]]) -> str:
    for chain in chains:
        begin, end = chain[0].at[0], chain[-1].at[1]
        text = text[:begin] + " " * (end - begin) + text[end:]
    return text


def _axis(texts: Sequence[_Label], week: _Week) -> tuple[tuple[int, ...], ...]:
    """The labels of an axis in one language."""
    labels: list[tuple[int, ...]] = []
    before: tuple[int, ...] = ()
    for text in texts:
        days = _days_of(text, week, before)
        labels.append(days)
        before = days or before
    named = [days[0] for days in labels if days]
    runs = all(week.rank(second) == week.rank(first) + 1 for first, second in pairwise(named))
    least = 1 if runs and len(named) >= _FEW_LETTERS else _FEW_LETTERS if len(named) < 2 else 2  # noqa: PLR2004 - one short word among other texts is a word
    return tuple(days if _letters_of(text.text) >= least else () for text, days in zip(texts, labels, strict=True))


def _letters_of(text: str) -> int:
    return len(re.sub(r"[\W_]", "", text))


def _order_score(labels: Sequence[tuple[int, ...]], week: _Week) -> float:
    """How well labels read as a week: one for each that is understood, less what is out of order."""
    firsts = [week.rank(days[0]) for days in labels if days]
    steps = [second - first for first, second in pairwise(firsts)]
    return len(firsts) - sum(0.5 * (step < 0) + 0.1 * (abs(step) > 1) for step in steps)
