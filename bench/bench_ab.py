"""Champion against challenger, played: false positives under continuous peeking, power, and how fast guardrails act.

``python bench/bench_ab.py [--runs N]``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from played_trials import Played, by_school, independent

from pocai.inference.rollout import Tally
from pocai.mlops.ab_testing import Breach, Guardrails, breach
from pocai.mlops.clusters import Clusters
from pocai.mlops.power import Question, sample_size

QUESTIONS = ((0.05, 0.02), (0.05, 0.04), (0.1, 0.03), (0.2, 0.05), (0.4, 0.1), (0.5, 0.3), (0.02, 0.01))
LONGER = 3  # times the planned size, for false positives
SCHOOLS = ((5, 0.2), (20, 0.1), (50, 0.5))  # readings of a school, and how alike they are
GUARDED = 200  # readings of each arm, and runs at most
BATCH = 4  # readings of a school


@dataclass(frozen=True, slots=True)
class Arm:
    """What readings of an arm are like: shares that fail, that break a rule and of corrected fields; median seconds."""

    failures: float = 0.002
    violations: float = 0.3
    corrections: float = 0.08
    seconds: float = 1.5
    alike: float = 0.0


PLANTED = {
    "no difference": (Arm(), Arm()),
    "no difference, by school": (Arm(alike=0.5), Arm(alike=0.5)),
    "every reading fails": (Arm(), Arm(failures=1.0)),
    "half of the readings fail": (Arm(), Arm(failures=0.5)),
    "one of five fails": (Arm(), Arm(failures=0.2)),
    "four times as slow": (Arm(), Arm(seconds=6.0)),
    "twice as slow": (Arm(), Arm(seconds=3.0)),
    "every reading breaks a rule": (Arm(), Arm(violations=1.0)),
    "every second field is wrong": (Arm(), Arm(corrections=0.5)),
}


def experiments(runs: int) -> None:
    """Print false positives and power of the sequential test."""
    print("| share | falls by | counts an arm | looks once | false positives | power | power, share x 1.5 |")
    print("| --: | --: | --: | --: | --: | --: | --: |")
    for baseline, effect in QUESTIONS:
        question, size = Question(baseline, effect), sample_size(baseline, effect)
        until, longer = list(range(1, size.counts + 1)), list(range(1, LONGER * size.counts + 1))
        false = sum(_in_parts(lambda n, r: independent((baseline, baseline), longer, n, r), question, runs))  # noqa: B023
        power = _in_parts(lambda n, r: independent((baseline, baseline - effect), until, n, r), question, runs)[0]  # noqa: B023
        other = 1.5 * baseline
        wrong = _in_parts(lambda n, r: independent((other, other - effect), until, n, r), question, runs)[0]  # noqa: B023
        cells = (f"{size.counts}", f"{size.at_once}", f"{false:.1%}", f"{power:.1%}", f"{wrong:.1%}")
        print(f"| {baseline:g} | {effect:g} | {' | '.join(cells)} |", flush=True)


def schools(runs: int) -> None:
    """Print the same where whole schools are assigned, with their design effect and without it."""
    baseline, effect = 0.2, 0.1
    question = Question(baseline, effect)
    print("\n| readings of a school | correlation | schools an arm | false positives | without design effect | power |")
    print("| --: | --: | --: | --: | --: | --: |")
    for each, correlation in SCHOOLS:
        clusters = Clusters(each, correlation)
        size = sample_size(baseline, effect, clusters=clusters)
        same = by_school((baseline, baseline), size.clusters, clusters, runs)
        better = by_school((baseline, baseline - effect), size.clusters, clusters, runs, 1)
        false = sum(same.found(question, clusters.design_effect))
        plain, power = sum(same.found(question)), better.found(question, clusters.design_effect)[0]
        print(f"| {each} | {correlation:g} | {size.clusters} | {false:.1%} | {plain:.1%} | {power:.1%} |", flush=True)


def guardrails(runs: int) -> None:
    """Print how often and how early guardrails act; they are asked after each reading."""
    print(f"\n| planted | rolled back within {GUARDED} readings an arm | median reading | 95 % by | by |")
    print("| :-- | --: | --: | --: | :-- |")
    for name, (champion, challenger) in PLANTED.items():
        found = [_first(champion, challenger, np.random.default_rng(run)) for run in range(runs)]
        at = sorted(number for number, seen in found if seen is not None)
        kinds = sorted({seen.what for _, seen in found if seen is not None})
        middle = f"{np.median(at):.0f}" if at else "–"
        late = f"{at[int(np.ceil(0.95 * runs)) - 1]}" if len(at) >= 0.95 * runs else "–"
        print(f"| {name} | {len(at) / runs:.1%} | {middle} | {late} | {', '.join(kinds)} |", flush=True)


def _first(champion: Arm, challenger: Arm, random: np.random.Generator) -> tuple[int, Breach | None]:
    """The reading of the challenger at which a guardrail spoke."""
    rails, arms = Guardrails(), (champion, challenger)
    tallies, own = [Tally(), Tally()], [0.0, 0.0]
    for number in range(GUARDED):
        for place, arm in enumerate(arms):
            if number % BATCH == 0 or not arm.alike:
                own[place] = _own(arm, random)
            tallies[place] = _read(tallies[place], arm, own[place], random)
        seen = breach(rails, tallies[0], tallies[1])
        if seen is not None:
            return number + 1, seen
    return GUARDED, None


def _own(arm: Arm, random: np.random.Generator) -> float:
    """The share of a school's readings that break a rule."""
    if not arm.alike or arm.violations in (0.0, 1.0):
        return arm.violations
    worth = (1 - arm.alike) / arm.alike
    return float(random.beta(arm.violations * worth, (1 - arm.violations) * worth))


def _read(tally: Tally, arm: Arm, violations: float, random: np.random.Generator) -> Tally:
    """One more reading; every third is looked at by a person, who changes some of its fields, all of them alike."""
    seconds = arm.seconds * float(random.lognormal(0, 0.5))
    read = tally.read(seconds, failed=random.random() < arm.failures, violated=random.random() < violations)
    if random.random() > 1 / 3:
        return read
    fields, share = int(random.integers(40, 200)), random.beta(arm.corrections * 5, (1 - arm.corrections) * 5)
    return read.corrected(fields, int(random.binomial(fields, share)))


def _in_parts(play: Callable[[int, int], Played], question: Question, runs: int) -> tuple[float, float]:
    """Played by the hundred, which takes less memory."""
    parts = [play(100, number).found(question) for number in range(max(1, runs // 100))]
    return float(np.mean([better for better, _ in parts])), float(np.mean([worse for _, worse in parts]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    experiments(options.runs)
    schools(options.runs)
    guardrails(min(options.runs, GUARDED))
