"""The paired bootstrap test: how often it errs where nothing differs, and whether it sees what does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocai.errors import InputError
from pocai.mlops.bootstrap import LEVEL, Part, compared, total

RUNS, DRAWS = 400, 400


def counted(random: np.random.Generator, documents: int, faults: tuple[float, float]) -> list[Part]:
    """What a model gets right: some documents are read badly, of others a block now and then is wrong."""
    blocks = np.random.default_rng(documents).integers(8, 60, documents)
    spoilt = np.where(random.random(documents) < faults[0], random.binomial(blocks, 0.4), 0)
    right = np.maximum(0, blocks - spoilt - random.binomial(blocks, faults[1]))
    return [Part(2.0 * hits, 2.0 * size) for hits, size in zip(right.tolist(), blocks.tolist(), strict=True)]


def refused(documents: int, candidate: tuple[float, float], champion: tuple[float, float]) -> int:
    """How many of many candidates are told to be worse."""
    random = np.random.default_rng((documents, round(1000 * candidate[0])))
    pairs = [(counted(random, documents, candidate), counted(random, documents, champion)) for _ in range(RUNS)]
    return sum(compared(*pair, resamples=DRAWS).worse < LEVEL for pair in pairs)


@pytest.mark.parametrize("faults", [(0.03, 0.0), (0.1, 0.005), (0.3, 0.05)])
@pytest.mark.parametrize("documents", [12, 60])
def test_without_a_difference_at_most_one_in_twenty_is_refused(documents: int, faults: tuple[float, float]) -> None:
    chance = 3 * (RUNS * LEVEL * (1 - LEVEL)) ** 0.5  # three standard errors of the simulation
    assert refused(documents, faults, faults) <= RUNS * LEVEL + chance


def test_a_worse_model_is_found() -> None:
    assert refused(60, (0.4, 0.05), (0.1, 0.05)) >= 0.8 * RUNS


def test_a_few_documents_that_are_worse_by_chance_are_not_enough() -> None:
    champion = [Part(40, 40)] * 40
    for worse, significant in ((3, False), (8, True)):
        candidate = [Part(30, 40)] * worse + [Part(40, 40)] * (40 - worse)
        assert (compared(candidate, champion).worse < LEVEL) == significant, worse


def test_a_model_is_neither_worse_nor_better_than_itself() -> None:
    parts = counted(np.random.default_rng(3), 30, (0.2, 0.1))
    found = compared(parts, parts)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert (found.worse, found.better) == (1.0, 1.0)


@given(seed=st.integers(0, 1000), documents=st.integers(1, 40))
@settings(max_examples=25)
def test_who_is_worse_is_what_the_other_is_better(seed: int, documents: int) -> None:
    random = np.random.default_rng(seed)
    one, other = (counted(random, documents, (0.2, 0.1)) for _ in range(2))
    here, there = compared(one, other, resamples=300), compared(other, one, resamples=300)
    assert here.difference == pytest.approx(-there.difference)
    assert here.worse == pytest.approx(there.better, abs=0.12)
    assert here.low <= here.difference + 1e-9 or documents < 5
    assert sum(here.counts) == 300


def test_the_same_counts_give_the_same_numbers() -> None:
    one, other = (counted(np.random.default_rng(seed), 20, (0.2, 0.1)) for seed in (1, 2))
    assert compared(one, other) == compared(one, other)
    assert compared(one, other, seed=2) != compared(one, other)


def test_the_interval_holds_the_true_difference_nine_times_in_ten() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        found = compared(counted(random, 60, (0.3, 0.05)), counted(random, 60, (0.1, 0.05)), resamples=300)
        held += found.low <= -0.2 * 0.4 <= found.high
    assert 0.82 <= held / 200 <= 0.97


def test_fractions_add_up_to_the_micro_average() -> None:
    assert total([Part(1, 2), Part(3, 3)]) == (4, 5)
    assert total([]).share == Part(0, 0).share == 1.0


@pytest.mark.parametrize("sides", [([], []), ([Part(1, 1)], []), ([Part(1, 1)], [Part(1, 1)] * 2)])
def test_only_the_same_documents_are_compared(sides: tuple[list[Part], list[Part]]) -> None:
    with pytest.raises(InputError, match="documents of the candidate"):
        compared(*sides)
