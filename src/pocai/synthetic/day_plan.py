"""The day of a made school as a sequence of periods: lessons, breaks, and events at the same time every day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pocai.synthetic.dice import Dice
from pocai.synthetic.vocabulary import Event, Kind, Stage, Vocabulary

_HALF_HOUR, _HOUR, _BLOCK = 30, 60, 90  # minutes
_MORNING = 150  # minutes of lessons before lunch at least
_LATEST = 21 * 60  # minutes
_EARLIEST = {"nursery": (450, 540), "primary": (465, 555), "secondary": (450, 540), "university": (480, 540)}
_LENGTHS = {  # minutes of a lesson
    "en": (40, 45, 50, 50, 55, 60, 60, 65, 75),
    "de": (45, 45, 45, 45, 50, 60),
    "fr": (45, 55, 55, 55, 60),
    "es": (45, 50, 55, 55, 60),
    "it": (50, 55, 60, 60, 60),
    "pt": (45, 45, 50, 50, 60, 90),
}
_LONG_LUNCH = ("fr",)
_HALF_DAYS = ("de", "it", "es", "pt")  # languages of schools that often end at midday


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of the day from ``start`` to ``end``, minutes after midnight.

    ``name`` is that of an event which is the same every day, "" for lessons; ``number`` counts lessons from 1, 0 for
    none.
    """

    start: int
    end: int
    kind: Kind = "lesson"
    name: str = ""
    number: int = 0


Plan = tuple[Period, ...]
_Part = tuple[Kind, int, str]  # kind, minutes, name


@dataclass(frozen=True, slots=True)
class _Names:
    """What a school calls its breaks and daily events; each name is given once."""

    words: Vocabulary
    stage: Stage
    dice: Dice
    given: set[str] = field(default_factory=set)

    def of(self, kind: Kind) -> str:
        events = self.dice.shuffled(self.words.events_of(self.stage, kind))
        name = next(name for event in events if (name := printed_event(event, self.dice)) not in self.given)
        self.given.add(name)
        return name


def printed_event(event: Event, dice: Dice) -> str:
    """One of the event's forms, mostly the full one."""
    return dice.pick(event.short) if event.short and dice.chance(0.15) else event.long


def plan_of(dice: Dice, words: Vocabulary, stage: Stage) -> Plan:
    """The usual day of a school."""
    makers: dict[Stage, Callable[[_Names], Iterator[_Part]]] = {
        "nursery": _nursery,
        "primary": _primary,
        "secondary": _secondary,
        "university": _university,
    }
    least, most = _EARLIEST[stage]
    grain = _HALF_HOUR if stage == "university" else 5 if dice.chance(0.3) else 15
    start = dice.between(least // grain, most // grain) * grain
    return laid_out(start, list(makers[stage](_Names(words, stage, dice))))


def laid_out(start: int, parts: Sequence[_Part]) -> Plan:
    """The parts one after the other, lessons numbered; a part of kind "free" is a pause that nobody prints.

    Parts that would end after nine in the evening are left out.
    """
    periods, lessons = [], 0
    for kind, length, name in parts:
        if start + length > _LATEST:
            break
        if kind == "lesson":
            lessons += 1
        if kind != "free":
            periods.append(Period(start, start + length, kind, name, lessons if kind == "lesson" else 0))
        start += length
    return tuple(periods)


def moved(plan: Plan, dice: Dice) -> Plan:
    """The plan of another weekday: a late start, or lessons shorter by some minutes."""
    if dice.chance(0.4):
        later = dice.pick((15, 30, 45, 60))
        return tuple(replace(period, start=period.start + later, end=period.end + later) for period in plan)
    shorter, start, periods = dice.pick((5, 10)), plan[0].start, []
    for index, period in enumerate(plan):
        length = period.end - period.start - (shorter if period.kind == "lesson" else 0)
        pause = period.start - plan[index - 1].end if index else 0
        start += pause
        periods.append(replace(period, start=start, end=start + length))
        start += length
    return tuple(periods)


def _nursery(names: _Names) -> Iterator[_Part]:
    dice = names.dice
    yield "event", dice.pick((15, 30, 30, 60)), names.of("event")
    for _ in range(dice.between(1, 2)):
        yield "lesson", dice.pick((20, 30, 45, 60)), ""
    yield "break", dice.pick((15, 20, 30)), names.of("break")
    for _ in range(dice.between(1, 3)):
        yield "lesson", dice.pick((30, 45, 60, 75, 90)), ""
    if dice.chance(0.8):
        yield "lunch", dice.pick((30, 45, 60)), names.of("lunch")
        if dice.chance(0.75):
            yield "event", dice.pick((30, 60, 75, 90)), names.of("event")
            for _ in range(dice.between(1, 2)):
                yield "lesson", dice.pick((30, 45, 60)), ""
    if dice.chance(0.6):
        yield "event", dice.pick((15, 15, 30)), names.of("event")


def _lessons(count: int, length: int, pause: int) -> Iterator[_Part]:
    for index in range(count):
        if index and pause:
            yield "free", pause, ""
        yield "lesson", length, ""


def _primary(names: _Names) -> Iterator[_Part]:
    dice, language = names.dice, names.words.language
    length = dice.pick((30, 35, 40, 45, 45, 50, 60, 60))
    half_day = language in _HALF_DAYS and dice.chance(0.6)
    if dice.chance(0.5):
        yield "event", dice.pick((10, 15, 20, 30)), names.of("event")
    early = 2 if length > 40 else dice.between(2, 3)  # noqa: PLR2004 - minutes
    yield from _lessons(early, length, 0)
    yield "break", dice.pick((15, 20, 20, 25, 30)), names.of("break")
    late = dice.between(1, 2) + half_day
    yield from _lessons(max(late, -(-_MORNING // length) - early), length, 0)
    if not half_day:
        yield "lunch", dice.pick((90, 105, 120) if language in _LONG_LUNCH else (40, 45, 60, 60, 70)), names.of("lunch")
        yield from _lessons(dice.between(1, 3), length, 0)
        if dice.chance(0.25):
            yield "break", dice.pick((10, 15)), names.of("break")
            yield from _lessons(1, length, 0)
    elif dice.chance(0.4):
        yield "break", dice.pick((10, 15)), names.of("break")
        yield from _lessons(dice.between(1, 2), length, 0)
    if dice.chance(0.35):
        yield "event", dice.pick((10, 15, 20)), names.of("event")


def _secondary(names: _Names) -> Iterator[_Part]:
    dice, language = names.dice, names.words.language
    length = dice.pick(_LENGTHS[language])
    pause = dice.pick((0, 0, 0, 5))
    if language == "en" and dice.chance(0.7):
        yield "event", dice.pick((10, 15, 20, 25)), names.of("event")
    yield from _lessons(dice.between(2, 3) if length < _HOUR else 2, length, pause)
    yield "break", dice.pick((10, 15, 15, 20)), names.of("break")
    yield from _lessons(2, length, pause)
    if language in _HALF_DAYS and dice.chance(0.5):
        yield "break", dice.pick((5, 10, 15)), names.of("break")
        yield from _lessons(dice.between(1, 2), length, pause)
        if dice.chance(0.6):
            return
    yield "lunch", dice.pick((90, 100) if language in _LONG_LUNCH else (30, 40, 45, 50, 60)), names.of("lunch")
    yield from _lessons(dice.between(1, 3), length, pause)
    if dice.chance(0.2):
        yield "club", dice.pick((45, 60)), names.of("club")


def _university(names: _Names) -> Iterator[_Part]:
    dice = names.dice
    if dice.chance(0.3):  # blocks of 90 minutes
        pause = dice.pick((15, 30))
        yield from _lessons(2, _BLOCK, pause)
        yield "lunch" if dice.chance(0.4) else "free", dice.pick((30, 45, 60)), names.of("lunch")
        yield from _lessons(dice.between(2, 3), _BLOCK, pause)
        return
    for _ in range(dice.between(8, 12)):
        yield "lesson", _HOUR, ""
