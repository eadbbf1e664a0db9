"""Drift monitoring on real features: false alarms of stationary weeks, a planted shift, and accuracy without labels.

Weeks are replayed from a pool of made documents that were really read (``bench/drift_pool.py``): each stands for a new
service with schools of its own, drawn from the pool, some of which send much and most little, several documents at a
time. Every day is compared with the 28 before the week. ``python bench/bench_drift.py POOL [--replays N] [--fit]``
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from drift_pool import CONDITIONS, read_pool
from scipy.optimize import minimize
from scipy.stats import ks_2samp

from pocai.mlops import drift_accuracy
from pocai.mlops.drift import Policy, compared
from pocai.mlops.drift_accuracy import CONFIDENCE, accuracy
from pocai.mlops.drift_window import NUMBERS, Corrected, Documents, Texts, Vector, Window, documents_of

START = datetime(2026, 9, 1, tzinfo=UTC)
STANDARD, SHIFTED = CONDITIONS[0].name, CONDITIONS[1].name
SCHOOLS, A_DAY, REFERENCE, WEEK = 150, 200, 28, 7
BATCH = 3  # documents that a school sends at a time, on average
CORRECTED = 0.3  # of the documents
CLOSE = 0.03  # of the true accuracy


@dataclass(frozen=True, slots=True)
class Pool:
    """Documents by column with their conditions, and the truth: fields that were read, and of them those changed."""

    documents: Documents
    conditions: Texts
    fields: Vector
    changed: Vector

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> Pool:
        """What `drift_pool` made, without the documents that it could not read."""
        read = [each for each in records if "fault" not in each and each["fields"]]
        rows = [
            (str(n), {**each["document"], "event_timestamp": START, "school": str(each["school"])}, each["ocr"])
            for n, each in enumerate(read)
        ]
        return cls(
            documents_of(rows),
            np.array([each["condition"] for each in read]),
            np.array([each["fields"] for each in read], np.float64),
            np.array([each["changed"] for each in read], np.float64),
        )

    @property
    def right(self) -> Vector:
        """The share of each document's fields that is right."""
        found: Vector = 1 - self.changed / self.fields
        return found

    def some(self, condition: str) -> Numbers:
        """The places of the documents of a condition."""
        return np.flatnonzero(self.conditions == condition)


Numbers = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Service:
    """Schools of one replay: the pool's school that each is like, and how much it sends."""

    likes: Texts
    activity: Vector

    @classmethod
    def drawn(cls, pool: Pool, conditions: Sequence[str], random: np.random.Generator) -> Service:
        """A service whose schools have documents of all of these conditions in the pool."""
        known = [set(pool.documents.schools[pool.some(each)].tolist()) for each in conditions]
        activity = random.lognormal(0, 1, SCHOOLS)
        return cls(random.choice(sorted(set.intersection(*known)), SCHOOLS), activity / activity.sum())

    def day(self, random: np.random.Generator) -> Numbers:
        """The school of each document of a day, in batches."""
        sent: list[int] = []
        while len(sent) < A_DAY:
            sent += [int(random.choice(SCHOOLS, p=self.activity))] * int(random.geometric(1 / BATCH))
        return np.array(sent[:A_DAY])


def window(
    pool: Pool, service: Service, schools: Numbers, condition: str, random: np.random.Generator
) -> tuple[Window, Numbers]:
    """A window with a document for each of these, of a school of the pool that is like it; and which those are."""
    places = pool.some(condition)
    of = {like: places[pool.documents.schools[places] == like] for like in np.unique(service.likes[schools])}
    chosen = np.array([random.choice(of[service.likes[school]]) for school in schools])
    held, names = pool.documents, np.char.add("school ", schools.astype(str))
    documents = Documents(
        names,
        held.days[chosen],
        {name: values[chosen] for name, values in held.numbers.items()},
        {name: values[chosen] for name, values in held.categories.items()},
        held.embedding[chosen],
    )
    looked = random.random(len(chosen)) < CORRECTED
    some, numbers = np.unique(names[looked], return_inverse=True)
    fields = np.bincount(numbers, pool.fields[chosen[looked]], len(some)).astype(np.float64)
    changed = np.bincount(numbers, pool.changed[chosen[looked]], len(some)).astype(np.float64)
    return Window(START, START + timedelta(days=1), documents, Corrected(some, fields, changed)), chosen


def stationary(pool: Pool, replays: int) -> None:
    """Print how many weeks without a change have an alarm, and how many days of them."""
    policy, weeks, days, naive, about = Policy(), 0, 0, 0, Counter[str]()
    for replay in range(replays):
        random = np.random.default_rng((1, replay))
        service = Service.drawn(pool, (STANDARD,), random)
        before, _ = window(pool, service, _days(service, REFERENCE, random), STANDARD, random)
        alarmed, cried = 0, 0
        for _ in range(WEEK):
            now, _ = window(pool, service, service.day(random), STANDARD, random)
            alarms = compared(before, now, policy).alarms
            about.update(shift.name for shift in alarms)
            alarmed += bool(alarms)
            cried += _by_table(before, now, policy.alpha)
        weeks, days, naive = weeks + bool(alarmed), days + alarmed, naive + bool(cried)
    print(f"stationary: {weeks} of {replays} weeks with an alarm ({weeks / replays:.1%}; at most 2 %), ", end="")
    print(f"{days} of {WEEK * replays} days ({days / replays / WEEK:.2%}); about {dict(about)}")
    print(
        f"  by the table of the Kolmogorov-Smirnov test, with Bonferroni's correction: {naive / replays:.1%} of weeks"
    )


def planted(pool: Pool, replays: int, share: float) -> None:
    """Print how often a shift is found on its first day; ``share`` of the schools have it."""
    found, about = 0, Counter[str]()
    for replay in range(replays):
        random = np.random.default_rng((2, replay))
        service = Service.drawn(pool, (STANDARD, SHIFTED), random)
        before, _ = window(pool, service, _days(service, REFERENCE, random), STANDARD, random)
        sent = service.day(random)
        new = np.isin(sent, np.flatnonzero(random.random(SCHOOLS) < share))
        parts = [
            window(pool, service, sent[some], condition, random)[0]
            for some, condition in ((new, SHIFTED), (~new, STANDARD))
            if some.any()
        ]
        alarms = compared(before, _joined(parts), Policy()).alarms
        found += bool(alarms)
        about.update(shift.name for shift in alarms)
    print(f"{SHIFTED} at {share:.0%} of the schools: found in {found / replays:.1%} of {replays} days; {dict(about)}")


def estimated(pool: Pool, replays: int) -> None:
    """Print estimated and true accuracy by condition: of the whole pool, and of days of 200 documents."""
    print(
        "| condition | documents | by confidence alone | estimated | true | error | within 3 points, days | corrected |"
    )
    print("| :-- | --: | --: | --: | --: | --: | --: | --: |")
    for condition in CONDITIONS:
        some = pool.some(condition.name)
        sure, true = pool.documents.numbers[CONFIDENCE][some], pool.right[some]
        told = _unseen(pool, some)
        errors = [(told - true)[pool.documents.schools[some] == each].mean() for each in _schools(pool, some)]
        spread = float(np.std(errors, ddof=1) / len(errors) ** 0.5)
        near, mended = _near(pool, condition.name, replays)
        print(
            f"| {condition.name} | {len(some)} | {sure.mean():.1%} | {told.mean():.1%} | {true.mean():.1%} "
            f"| {100 * (told - true).mean():+.1f} ± {100 * spread:.1f} | {near:.0%} | {mended:.0%} |"
        )


def _near(pool: Pool, condition: str, replays: int) -> tuple[float, float]:
    """The shares of days whose estimate is close to the truth: by confidence alone, and with corrections."""
    close = np.zeros(2)
    for replay in range(replays):
        random = np.random.default_rng((3, replay))
        service = Service.drawn(pool, (STANDARD, condition), random)
        before, _ = window(pool, service, _days(service, REFERENCE, random), STANDARD, random)
        now, chosen = window(pool, service, service.day(random), condition, random)
        known, true = accuracy(before, now), float(pool.right[chosen].mean())
        assert known.expected is not None
        assert known.estimate is not None
        close += [abs(known.expected.share - true) <= CLOSE, abs(known.estimate - true) <= CLOSE]
    return float(close[0] / replays), float(close[1] / replays)


def fitted(pool: Pool, places: Numbers) -> tuple[float, ...]:
    """The calibration of documents: weights of ln c and -ln(1 - c), and the constant."""
    sure, right = pool.documents.numbers[CONFIDENCE][places], pool.right[places]
    sure = np.clip(sure, 0.005, 0.995)
    columns = np.column_stack([np.log(sure), -np.log1p(-sure), np.ones(len(sure))])

    def loss(weights: Vector) -> float:
        odds = columns @ weights
        return float(np.mean(np.logaddexp(0, odds) - right * odds))

    return tuple(minimize(loss, np.array([1.0, 1.0, 0.0])).x.tolist())


def _unseen(pool: Pool, places: Numbers) -> Vector:
    """The expected accuracy of documents, each by a calibration that has seen nothing of its school."""
    standard = pool.some(STANDARD)
    told = np.empty(len(places))
    for school in _schools(pool, places):
        others = standard[pool.documents.schools[standard] != school]
        a, b, c = fitted(pool, others)
        some = pool.documents.schools[places] == school
        sure = np.clip(pool.documents.numbers[CONFIDENCE][places[some]], 0.005, 0.995)
        told[some] = 1 / (1 + np.exp(-(a * np.log(sure) - b * np.log1p(-sure) + c)))
    return told


def _schools(pool: Pool, places: Numbers) -> list[str]:
    return [str(each) for each in np.unique(pool.documents.schools[places])]


def _by_table(before: Window, now: Window, alpha: float) -> bool:
    """What a test would say that takes documents as independent."""
    for name in NUMBERS:
        old, new = (each.documents.numbers[name] for each in (before, now))
        if ks_2samp(old[~np.isnan(old)], new[~np.isnan(new)]).pvalue <= alpha / len(NUMBERS):
            return True
    return False


def _days(service: Service, days: int, random: np.random.Generator) -> Numbers:
    return np.concatenate([service.day(random) for _ in range(days)])


def _joined(parts: Sequence[Window]) -> Window:
    """Windows as one."""
    documents = [each.documents for each in parts]
    corrected = [each.corrected for each in parts]
    first = documents[0]
    return Window(
        START,
        START + timedelta(days=1),
        Documents(
            np.concatenate([each.schools for each in documents]),
            np.concatenate([each.days for each in documents]),
            {name: np.concatenate([each.numbers[name] for each in documents]) for name in first.numbers},
            {name: np.concatenate([each.categories[name] for each in documents]) for name in first.categories},
            np.concatenate([each.embedding for each in documents]),
        ),
        Corrected(
            np.concatenate([each.schools for each in corrected]),
            np.concatenate([each.fields for each in corrected]),
            np.concatenate([each.changed for each in corrected]),
        ),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--fit", action="store_true", help="print the calibration of drift_accuracy only")
    options = parser.parse_args()
    made = Pool.of(read_pool(options.pool))
    print({each.name: len(made.some(each.name)) for each in CONDITIONS}, "documents")
    weights = fitted(made, made.some(STANDARD))
    shipped = (drift_accuracy.SURE, drift_accuracy.UNSURE, drift_accuracy.LEVEL)
    print("calibration fitted on", STANDARD, [round(each, 3) for each in weights], "shipped", shipped)
    if not options.fit:
        estimated(made, options.replays)
        planted(made, options.replays, 1.0)
        planted(made, options.replays, 0.5)
        stationary(made, options.replays)
