"""Probabilities become a consistent answer: one false pair joins no two events, and no event loses its day."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocai.models.layout_decoding import consistent

ROLES = ("day", "day", "time", "event", "note", "event", "note")


def scores(*pairs: tuple[int, int, float], count: int = len(ROLES)) -> NDArray[np.float32]:
    """Probabilities of pairs, all others nearly 0."""
    related = np.full((count, count), 0.02, np.float32)
    for one, other, value in pairs:
        related[one, other] = related[other, one] = value
    return related


SURE = [(3, 4, 0.9), (5, 6, 0.9), (0, 3, 0.9), (0, 4, 0.8), (1, 5, 0.9), (1, 6, 0.7), (2, 3, 0.9), (2, 5, 0.9)]


def test_lines_and_labels_of_two_events() -> None:
    shared = consistent(ROLES, scores(*SURE))
    assert shared[3, 4]
    assert shared[5, 6]
    assert shared[0, 4]
    assert shared[1, 6]
    assert shared[2, 3]
    assert not shared[3, 5]
    assert not shared[0, 5]
    assert not shared[0, 1]


def test_one_false_pair_joins_no_events() -> None:
    assert not consistent(ROLES, scores(*SURE, (4, 5, 0.8)))[4, 5]


def test_a_label_is_judged_over_all_lines_of_an_event() -> None:
    assert not consistent(ROLES, scores(*SURE, (1, 4, 0.6)))[1, 4]
    assert consistent(ROLES, scores(*SURE, (0, 4, 0.2)))[0, 4]


def test_a_note_is_no_event_of_its_own() -> None:
    loose = [pair for pair in SURE if pair[:2] != (3, 4)]
    assert consistent(ROLES, scores(*loose, (3, 4, 0.3)))[3, 4]
    assert not consistent(ROLES, scores(*loose))[3, 4]


def test_the_best_label_is_taken_where_none_is_sure() -> None:
    weak = [pair for pair in SURE if pair[0] != 1]
    assert consistent(ROLES, scores(*weak, (1, 5, 0.45), (1, 6, 0.4)))[1, 5]
    assert not consistent(ROLES, scores(*weak, (1, 5, 0.2), (1, 6, 0.1)))[1, 5]


def test_a_page_without_events_or_labels() -> None:
    assert not consistent(("other", "title"), scores(count=2)).any()
    assert consistent(("event", "note"), scores((0, 1, 0.9), count=2)).all()
    assert consistent((), np.zeros((0, 0), np.float32)).shape == (0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_whatever_is_said_events_are_disjoint_and_complete(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    related = rng.random((count, count)).astype(np.float32)
    related = np.asarray(np.maximum(related, related.T), np.float32)
    roles = tuple(str(role) for role in rng.choice(("event", "note", "break", "day", "time", "other"), count))
    shared = consistent(roles, related)
    body = [number for number, role in enumerate(roles) if role in {"event", "note", "break"}]
    inside = shared[np.ix_(body, body)]
    assert (shared == shared.T).all()
    assert inside.diagonal().all()
    assert ((inside.astype(int) @ inside.astype(int) > 0) == inside).all()  # transitive: an event is one set of lines
    assert not shared[[role == "other" for role in roles]].any()


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_lines_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    related = rng.random((12, 12)).astype(np.float32)
    related = np.asarray(np.maximum(related, related.T), np.float32)
    roles = tuple(str(role) for role in rng.choice(("event", "note", "day", "time"), 12))
    order = rng.permutation(12)
    turned = consistent(tuple(roles[n] for n in order), related[np.ix_(order, order)])
    assert (turned == consistent(roles, related)[np.ix_(order, order)]).all()
