"""Champion against challenger: guardrails that may be asked after every reading, and the decision of an experiment.

Both rest on `pocai.mlops.sequential`, whose evidence is valid at every look: without a real difference all
guardrails together are breached with probability `Guardrails.alpha` at most, and an experiment sees one with `alpha` of
its plan at most, however often they are asked. Who reads for a school is decided by `pocai.inference.rollout.arm_of`.

Whole schools are given to an arm, and what they send is alike: some print timetables that always break a rule, or
take long to read. Such counts are divided by their design effect (`pocai.mlops.clusters`); how much schools send in a
trial is for its owner to say. Failures are taken as they are: a model that fails must go at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import log
from typing import Literal, TypeAlias

from pocai.errors import InputError
from pocai.inference.rollout import BUCKETS, EDGES, Tally
from pocai.mlops.clusters import ALONE, Clusters
from pocai.mlops.power import FEWEST, Question, Size, sample_size
from pocai.mlops.sequential import ANYTHING, Beta, Counted, Priors, log_evidence, log_evidence_over, log_ratio

What: TypeAlias = Literal["failures", "latency", "violations", "corrections"]
Metric: TypeAlias = Literal["corrections", "violations", "failures"]
Decision: TypeAlias = Literal["challenger", "champion", "open"]

SLOW = 0.95  # share of readings that are faster than the time that is compared
READINGS, TIMES = Clusters(size=4, correlation=0.5), Clusters(size=4, correlation=0.2)
FIELDS = Clusters(size=400, correlation=0.15, spread=0.7)
"""What a school sends in a trial: four documents of a hundred fields; how alike these are was measured on made ones."""

_GUARDS = 4  # alpha is parted among them
_RARE: Priors = (Beta(0.5, 20.0), ANYTHING)  # a champion hardly ever fails; a challenger may


@dataclass(frozen=True, slots=True)
class Guardrails:
    """How much worse than the champion a challenger may be before it is taken out of service.

    ``failures``, ``violations`` and ``corrections`` are absolute rises of a share; ``latency`` is a ratio of the times
    that 95 % of the readings stay below. More than ``most_failures`` of the readings may not fail, whatever the
    champion does; that is asked from the first reading on, all else from ``least_readings`` of the challenger on.
    ``alpha`` is the probability that any of them speaks where none is breached. ``readings`` (for violations),
    ``times`` and ``fields`` say how many of them are of one school, and how alike.
    """

    failures: float = 0.01
    latency: float = 1.5
    violations: float = 0.05
    corrections: float = 0.05
    most_failures: float = 0.2
    alpha: float = 0.01
    least_readings: int = 20
    readings: Clusters = READINGS
    times: Clusters = TIMES
    fields: Clusters = FIELDS

    def __post_init__(self) -> None:
        """Raises InputError for limits that cannot be kept."""
        rises = (self.failures, self.violations, self.corrections, self.most_failures)
        if not all(0 <= rise < 1 for rise in rises) or self.latency < 1 or not 0 < self.alpha < 1:
            raise InputError(
                f"guardrails {rises} with latency {self.latency:g} and alpha {self.alpha:g}",
                mend="Give rises from 0 to below 1, a latency ratio of 1 or more, and alpha between 0 and 1",
            )

    @property
    def threshold(self) -> float:
        """The log-evidence from which one of the four is breached."""
        return log(_GUARDS / self.alpha)


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that the challenger broke: ``measured`` of it, the ``limit`` that holds, and all of it in words."""

    what: What
    measured: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment: its ``question`` about a ``metric``, and how alike the counts of one school are."""

    question: Question
    metric: Metric = "corrections"
    clusters: Clusters = ALONE
    size: Size = field(init=False)

    def __post_init__(self) -> None:
        """Finds the size that it takes."""
        asked = self.question
        size = sample_size(asked.baseline, asked.effect, asked.alpha, asked.power, self.clusters)
        object.__setattr__(self, "size", size)


def breach(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Breach | None:
    """The first guardrail that the challenger has broken beyond chance; None while there is none."""
    return next(_breaches(guardrails, champion, challenger), None)


def decide(plan: Plan, champion: Tally, challenger: Tally) -> Decision:
    """Who is to read from now on, or that it is still open.

    The challenger must be shown to be better; the champion stays where it is shown to be, and where both have what was
    planned for and nothing was shown.
    """
    old, new = _COUNTS[plan.metric](champion), _COUNTS[plan.metric](challenger)
    effect, asked = plan.clusters.design_effect, plan.question
    before, now = old.over(effect), new.over(effect)
    least = min(float(before.arrays[1]), float(now.arrays[1]))
    if least < FEWEST:
        return "open"
    if log_ratio(now, before, asked.effect) >= asked.threshold:
        return "challenger"
    if log_ratio(before, now, asked.effect) >= asked.threshold or least >= asked.independent:
        return "champion"
    return "open"


def _breaches(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Iterator[Breach]:
    if (found := _fails_mostly(guardrails, challenger)) is not None:
        yield found
    if challenger.readings < guardrails.least_readings:
        return
    for look in (_failing, _slow, _violating, _corrected):
        if (found := look(guardrails, champion, challenger)) is not None:
            yield found


def _fails_mostly(guardrails: Guardrails, challenger: Tally) -> Breach | None:
    """The guardrail on failures has two halves, each with half of its alpha: this one needs no champion."""
    counted, limit = _COUNTS["failures"](challenger), guardrails.most_failures
    if challenger.readings == 0 or log_evidence_over(counted, limit) < guardrails.threshold + log(2):
        return None
    share = challenger.failures / challenger.readings
    said = f"{share:.1%} of {challenger.readings} readings failed; at most {limit:.1%} may, whatever the champion does"
    return Breach("failures", share, limit, said)


def _failing(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Breach | None:
    evidence = log_evidence(*_both("failures", champion, challenger), guardrails.failures, _RARE)
    if evidence < guardrails.threshold + log(2):
        return None
    return _risen("failures", "readings failed", guardrails.failures, (champion, challenger))


def _violating(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Breach | None:
    alike = guardrails.readings.design_effect
    old, new = (counted.over(alike) for counted in _both("violations", champion, challenger))
    if log_evidence(old, new, guardrails.violations) < guardrails.threshold:
        return None
    return _risen("violations", "readings broke a rule of timetables", guardrails.violations, (champion, challenger))


def _corrected(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Breach | None:
    alike = guardrails.fields.design_effect
    old, new = (counted.over(alike) for counted in _both("corrections", champion, challenger))
    if log_evidence(old, new, guardrails.corrections) < guardrails.threshold:
        return None
    return _risen("corrections", "fields were corrected", guardrails.corrections, (champion, challenger))


def _slow(guardrails: Guardrails, champion: Tally, challenger: Tally) -> Breach | None:
    """Whether more of the challenger's readings take longer than the ratio allows than the champion's are slow.

    The null hypothesis is that at the champion's slow bucket the challenger, with its times divided by the ratio, is no
    slower. Which bucket that is, is seen in the same readings: each of them has its share of alpha.
    """
    usual, now = champion.quantile(SLOW), challenger.quantile(SLOW)
    if usual is None or now is None or now <= guardrails.latency * usual:
        return None
    late = bisect_left(EDGES, guardrails.latency * usual)
    alike = guardrails.times.design_effect
    old = _longer(champion, bisect_left(EDGES, usual)).over(alike)
    new = _longer(challenger, late).over(alike)
    if log_evidence(old, new) < guardrails.threshold + log(BUCKETS):
        return None
    ratio = now / usual
    said = (
        f"95 % of {challenger.readings} readings took up to {now:.2g} s, with the champion {usual:.2g} s: "
        f"{ratio:.1f} times as long; at most {guardrails.latency:g} times is allowed"
    )
    return Breach("latency", ratio, guardrails.latency, said)


def _longer(tally: Tally, bucket: int) -> Counted:
    """The readings that took longer than the upper edge of a bucket."""
    return Counted(sum(tally.seconds[bucket + 1 :]), tally.readings)


def _risen(what: Metric, did: str, allowed: float, arms: tuple[Tally, Tally]) -> Breach:
    (old_hits, old_total), (hits, total) = (
        (float(hits), float(total)) for hits, total in (_COUNTS[what](arm).arrays for arm in arms)
    )
    usual, share = old_hits / max(1.0, old_total), hits / max(1.0, total)
    said = (
        f"{share:.1%} of {total:.0f} {did}, with the champion {usual:.1%} of {old_total:.0f}; "
        f"at most {100 * allowed:g} points more are allowed"
    )
    return Breach(what, share - usual, allowed, said)


def _both(metric: Metric, champion: Tally, challenger: Tally) -> tuple[Counted, Counted]:
    return _COUNTS[metric](champion), _COUNTS[metric](challenger)


_COUNTS: dict[Metric, Callable[[Tally], Counted]] = {
    "failures": lambda tally: Counted(tally.failures, tally.readings),
    "violations": lambda tally: Counted(tally.violations, tally.readings),
    "corrections": lambda tally: Counted(tally.changed, tally.fields),
}
