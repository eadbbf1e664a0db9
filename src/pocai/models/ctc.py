"""Connectionist temporal classification (Graves et al. 2006): the letters, and the best path as text and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pocai.models.protocols import Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]

LETTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŠšŽžŸĆćČčŁłŃńŚśŞşĞğİıŘřŮůŐőŰűĄąĘęŻżŹź"
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    "¡¿§°ªº²³¹½¼¾±×÷·•–—…‘’“”«»€£¥¢©®™→←↑↓✓✔★☆●○■□▪"
)
CLASSES = ("", " ", *LETTERS)  # what our own networks tell apart: class 0 is the CTC blank, class 1 the space


def decode(scores: Scores, letters: Sequence[str], steps: float) -> Reading:
    """The best path through CTC ``scores`` ``(T, letters)``; the line itself fills the first ``steps`` of them.

    Class 0 is the blank. Equal neighbours are one letter, whose score is the highest of the run.
    """
    import numpy as np

    best = scores.argmax(axis=1)
    if not len(best):
        return Reading("", 0.0)
    edges = np.flatnonzero(np.concatenate(([True], best[1:] != best[:-1], [True])))
    tops = np.maximum.reduceat(scores[np.arange(len(best)), best], edges[:-1]).tolist()
    runs = zip(best[edges[:-1]].tolist(), tops, edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    marks = [(letters[letter], top, (start + end) / 2) for letter, top, start, end in runs if letter]
    words = tuple(_word(group, steps) for group in _groups(marks))
    printed = [score for letter, score, _ in marks if letter != " "]
    text = " ".join(word[0] for word in words)
    return Reading(text, sum(printed) / len(printed) if printed else 0.0, words)


def _groups(marks: Iterable[tuple[str, float, float]]) -> list[list[tuple[str, float, float]]]:
    """Letters between spaces."""
    groups: list[list[tuple[str, float, float]]] = [[]]
    for mark in marks:
        if mark[0] == " ":
            groups.append([])
        else:
            groups[-1].append(mark)
    return [group for group in groups if group]


def _word(marks: Sequence[tuple[str, float, float]], steps: float) -> tuple[str, float, float, float]:
    """Text, mean score, and the start and end of a word as shares of the line."""
    first, last = marks[0][2], marks[-1][2]
    half = (last - first) / (len(marks) - 1) / 2 if len(marks) > 1 else 1.0
    start, end = max(0.0, (first - half) / steps), min(1.0, (last + half) / steps)
    return "".join(mark[0] for mark in marks), sum(mark[1] for mark in marks) / len(marks), min(start, end), end
