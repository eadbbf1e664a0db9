"""Drift: whether the documents of the current days differ from those of a reference, and whether readings got worse.

Asked are all figures of documents, their layout as a whole, what the models say of them, and what persons correct. An
unchanged stream of documents raises an alarm about any of it with probability `Policy.alpha` at most. A difference is
an alarm where it is beyond chance and also large enough to matter.

The statistics are our own (`drift_statistics`): ready-made packages take documents as independent, which those of one
school are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np

from pocai.errors import InputError
from pocai.mlops.drift_accuracy import CONFIDENCE, Accuracy, accuracy, expected_accuracy
from pocai.mlops.drift_questions import Group, Pair, Question, Spread
from pocai.mlops.drift_statistics import p_values
from pocai.mlops.drift_window import Documents, Window

State: TypeAlias = Literal["steady", "drifted", "unclear"]


@dataclass(frozen=True, slots=True)
class Policy:
    """When to speak.

    ``alpha`` is of one report: without drift a week of daily ones has an alarm with probability 7 alpha at most. Below
    so many ``documents`` or ``schools`` in either window nothing is said. The least effects that matter: ``effect`` is
    the greatest difference of shares (0 to 1), ``layout`` the distance of layouts, ``fall`` that of an accuracy.
    ``draws`` are of signs, see `drift_statistics.p_values`.
    """

    alpha: float = 0.0025
    documents: int = 50
    schools: int = 10
    effect: float = 0.15
    layout: float = 0.1
    fall: float = 0.03
    draws: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for an alpha that so few draws cannot show."""
        if not 0 < self.alpha < 1 or self.draws * self.alpha < 1:
            raise InputError(
                f"alpha {self.alpha:g} with {self.draws} draws",
                mend="Draw at least 1 / alpha times, better ten times that",
            )

    def least(self, group: Group) -> float:
        """The least effect that matters."""
        return {"layout": self.layout, "accuracy": self.fall}.get(group, self.effect)


@dataclass(frozen=True, slots=True)
class Shift:
    """What was found of one figure: its ``effect`` and ``p`` (None where too little is known), and its usual value."""

    name: str
    group: Group
    state: State
    effect: float | None
    p: float | None
    before: float | None
    now: float | None
    spread: Spread | None


@dataclass(frozen=True, slots=True)
class Day:
    """What came on one day (ISO date), with the accuracy that is expected by the confidence of its documents."""

    day: str
    documents: int
    expected: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Two windows compared; ``sizes`` are documents and schools, before and now. No name of a school is in it."""

    reference: tuple[datetime, datetime]
    current: tuple[datetime, datetime]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    policy: Policy
    shifts: tuple[Shift, ...]
    accuracy: Accuracy
    days: tuple[Day, ...]

    @property
    def alarms(self) -> tuple[Shift, ...]:
        """What drifted, the least likely and largest first."""
        found = [shift for shift in self.shifts if shift.state == "drifted"]
        return tuple(sorted(found, key=lambda shift: (shift.p or 0.0, -(shift.effect or 0.0))))

    @property
    def judged(self) -> bool:
        """Whether there was enough to say anything."""
        return any(shift.state != "unclear" for shift in self.shifts)


def compared(reference: Window, current: Window, policy: Policy | None = None) -> DriftReport:
    """The report on two windows."""
    policy = policy or Policy()
    questions = list(Pair.of(reference, current, (policy.documents, policy.schools)).questions())
    ps = iter(p_values([asked for each in questions for asked in each.asked], policy.draws, policy.seed))
    return DriftReport(
        reference=(reference.begin, reference.end),
        current=(current.begin, current.end),
        sizes=(_size(reference.documents), _size(current.documents)),
        policy=policy,
        shifts=tuple(_judged(each, [next(ps) for _ in each.asked], policy) for each in questions),
        accuracy=accuracy(reference, current),
        days=(*_days(reference.documents), *_days(current.documents)),
    )


def _judged(question: Question, ps: Sequence[float], policy: Policy) -> Shift:
    """What is furthest beyond chance, of what is large enough if anything is."""
    found = sorted(zip(ps, question.effects, strict=True))
    large = [(p, effect) for p, effect in found if effect >= policy.least(question.group)]
    if not found:
        return Shift(question.name, question.group, "unclear", None, None, None, None, None)
    p, effect = (large or found)[0]
    state: State = "drifted" if large and p <= policy.alpha else "steady"
    return Shift(question.name, question.group, state, effect, p, question.before, question.now, question.spread)


def _size(documents: Documents) -> tuple[int, int]:
    return len(documents), len(np.unique(documents.schools))


def _days(documents: Documents) -> Iterator[Day]:
    expected = expected_accuracy(documents.numbers[CONFIDENCE])
    for day in np.unique(documents.days).tolist():
        of_day = documents.days == day
        known = expected[of_day & ~np.isnan(expected)]
        yield Day(day, int(of_day.sum()), float(known.mean()) if len(known) else None)
