"""The words of made schools in six languages, from ``assets/synthetic/vocabulary``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import ConfigurationError

Language = Literal["en", "de", "fr", "es", "it", "pt"]
Stage = Literal["nursery", "primary", "secondary", "university"]
Kind = Literal["lesson", "break", "lunch", "event", "club", "free"]

LANGUAGES: tuple[Language, ...] = ("en", "de", "fr", "es", "it", "pt")
STAGES: tuple[Stage, ...] = ("nursery", "primary", "secondary", "university")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DayNames(_Frozen):
    """A day's name in full, its short forms (the most common first), its letter."""

    long: str
    short: tuple[str, ...]
    letter: str = Field(min_length=1, max_length=1)


class MonthName(_Frozen):
    """A month's name and its short form."""

    long: str
    short: str


class Subject(_Frozen):
    """A subject: in full, its short forms, its code, and the initials of the stages where it is taught ("ps")."""

    long: str
    short: tuple[str, ...] = ()
    code: str
    stages: str


class Event(_Frozen):
    """An event that is no lesson: its kind, names, and the initials of the stages where it occurs."""

    kind: Kind
    long: str
    short: tuple[str, ...] = ()
    stages: str


class TimeHabits(_Frozen):
    """Weights of the signs between hour and minute; how many of ten schools write am and pm; what may follow a time."""

    colon: int
    point: int
    letter: int
    compact: int
    twelve: int
    suffixes: tuple[str, ...] = ()


class Vocabulary(_Frozen):
    """All words of one language.

    Patterns hold ``{class}``, ``{term}``, ``{year}``, ``{teacher}``, ``{date}``, ``{start}`` (titles and footers),
    ``{place}`` (names of schools), ``{w}`` (weeks of a cycle); in rooms, groups and classes ``{d}`` is a digit, ``{g}``
    and ``{h}`` a year of primary and secondary school, ``{l}`` a letter, ``{b}`` a building, ``{r}`` and ``{rr}`` a
    number of three and two digits.
    """

    language: Language
    days: tuple[DayNames, ...] = Field(min_length=7, max_length=7)
    months: tuple[MonthName, ...] = Field(min_length=12, max_length=12)
    words: dict[str, tuple[str, ...]]
    titles: dict[str, tuple[str, ...]]
    terms: dict[str, tuple[str, ...]]
    classes: dict[Stage, tuple[str, ...]]
    places: tuple[str, ...]
    school_names: dict[Stage, tuple[str, ...]]
    courtesies: dict[str, tuple[str, ...]]
    surnames: tuple[str, ...]
    subjects: tuple[Subject, ...]
    forms: tuple[str, ...]
    events: tuple[Event, ...]
    rooms: dict[Stage, tuple[str, ...]]
    groups: tuple[str, ...]
    remarks: dict[Stage, tuple[str, ...]]
    week_marks: tuple[str, ...]
    footers: tuple[str, ...]
    fillers: tuple[str, ...]
    times: TimeHabits

    def subjects_of(self, stage: Stage) -> tuple[Subject, ...]:
        """The subjects of a stage."""
        return _subjects_of(self.language, stage)

    def events_of(self, stage: Stage, kind: Kind) -> tuple[Event, ...]:
        """The events of a stage and kind."""
        return _events_of(self.language, stage, kind)


@cache
def vocabulary(language: Language) -> Vocabulary:
    """The words of a language. Raises ConfigurationError for one that is not there, or whose file is damaged."""
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"no vocabulary for the language {language!r}", mend=f"Choose of {', '.join(LANGUAGES)}"
        )
    file = files("pocai") / "assets" / "synthetic" / "vocabulary" / f"{language}.json"
    try:
        return Vocabulary.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        mend = "Install the package again"
        raise ConfigurationError(
            f"the vocabulary {language}.json cannot be used ({type(error).__name__})", mend=mend
        ) from error


@cache
def _subjects_of(language: Language, stage: Stage) -> tuple[Subject, ...]:
    return tuple(subject for subject in vocabulary(language).subjects if stage[0] in subject.stages)


@cache
def _events_of(language: Language, stage: Stage, kind: Kind) -> tuple[Event, ...]:
    events = vocabulary(language).events
    return tuple(event for event in events if event.kind == kind and stage[0] in event.stages)
