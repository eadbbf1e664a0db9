"""From probabilities that two lines share a block to a consistent answer: which lines are an event, under which labels.

A single false relation would join two events for good where relations are only followed from line to line. So the lines
of events are joined by the mean over all their pairs (average linkage), and a label belongs to an event by the mean
over the event's lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocai.timetable.pointed import BODY, DAYS, LABELS, NAMES, Pairs

SURE = 0.5  # probability from which a relation holds
LEAST = 0.05  # probability from which a note is given to an event rather than to none
BEST = 0.25  # probability from which the best label is taken where none is sure

Scores = NDArray[np.float32]


def consistent(roles: Sequence[str], related: Scores) -> Pairs:
    """Which lines share a block, ``(N, N)``, from the probabilities ``related`` ``(N, N)`` and a role for each line."""
    body = [number for number, role in enumerate(roles) if role in BODY]
    events = [[body[place] for place in part] for part in _parts(related[np.ix_(body, body)])]
    events = _with_their_notes(events, roles, related)
    belongs = np.zeros((len(events), len(roles)), np.float32)
    for kind in (DAYS, LABELS):
        labels = [number for number, role in enumerate(roles) if role in kind]
        for number, event in enumerate(events):
            if labels:
                belongs[number, labels] = _chosen(related[np.ix_(event, labels)].mean(axis=0))
    for number, event in enumerate(events):
        belongs[number, event] = 1
    shared: Pairs = belongs.T @ belongs > 0
    return shared


def _chosen(means: Scores) -> NDArray[np.bool_]:
    """The labels of an event: those that are sure, else the best one if it is not unlikely."""
    sure = means > SURE
    if not sure.any() and means.max() > BEST:
        sure[means.argmax()] = True
    return sure


def _with_their_notes(events: Sequence[list[int]], roles: Sequence[str], related: Scores) -> list[list[int]]:
    """Lines that are all notes belong to the event to which they are likeliest related, if that is not unlikely."""
    named = [list(event) for event in events if any(roles[line] in NAMES for line in event)]
    whole = [list(event) for event in named]
    for event in events:
        if event in named:
            continue
        means = [related[np.ix_(event, other)].mean() for other in named]
        best = int(np.argmax(means)) if means else 0
        if means and means[best] > LEAST:
            whole[best] += event
        else:
            whole.append(event)
    return whole


def _parts(related: Scores) -> list[list[int]]:
    """Lines in groups, by average linkage within what is connected at all."""
    parts: list[list[int]] = []
    left = set(range(len(related)))
    near = related > SURE
    while left:
        reached, open_ends = set[int](), [left.pop()]
        while open_ends:
            number = open_ends.pop()
            reached.add(number)
            found = left & set(np.flatnonzero(near[number]).tolist())
            left -= found
            open_ends += found
        parts += _linked(sorted(reached), related)
    return sorted(parts)


def _linked(numbers: list[int], related: Scores) -> list[list[int]]:
    """The two groups whose pairs are likeliest on average become one, as long as that is likelier than not."""
    groups = [[number] for number in numbers]
    sums = related[np.ix_(numbers, numbers)].astype(np.float64)
    sizes = np.ones(len(numbers))
    np.fill_diagonal(sums, -np.inf)
    while len(groups) > 1:
        means = sums / np.outer(sizes, sizes)
        one, other = sorted(divmod(int(means.argmax()), len(groups)))
        if means[one, other] <= SURE:
            break
        groups[one] += groups.pop(other)
        sums[one] += sums[other]
        sums[:, one] = sums[one]
        sums[one, one] = -np.inf
        sums = np.delete(np.delete(sums, other, axis=0), other, axis=1)
        sizes[one] += sizes[other]
        sizes = np.delete(sizes, other)
    return [sorted(group) for group in groups]
