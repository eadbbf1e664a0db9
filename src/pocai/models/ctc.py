"""Connectionist temporal classification (Graves et al. 2006): the letters, and from scores to text and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
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
    "¡¿§°ªº²³¹½¼¾±×÷·•–—…‘’“”«»€£¥¢©®™→←↑↓✓✔★☆●○■□▪„‚"
)
CLASSES = ("", " ", *LETTERS)  # what our own networks tell apart: class 0 is the CTC blank, class 1 the space
DECIDED = 0.9  # chance of a step's likeliest class, from which the step is not in doubt
FAINTEST = 0.01  # chance below which a class does not count at a step
BEAMS = 8  # texts that a search keeps in mind
_Beam = tuple[float, float, tuple[int, ...]]
"""Chances of the ways to a text that end in the blank, and in its last letter; the steps at which its letters begin."""


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
    return _reading([(letters[letter], top, (start + end) / 2) for letter, top, start, end in runs if letter], steps)


def search(scores: Scores, letters: Sequence[str], steps: float) -> Reading:
    """The likeliest text of CTC ``scores`` ``(T, letters)``, over all of its paths: a prefix beam search.

    Where it is open at which of two steps a letter begins, the best path may read it twice or not at all; the sum over
    paths does not (Hannun et al. 2014, arXiv:1408.2873). Without such steps it is the best path, as of `decode`. The
    score of a letter is the chance that it stands where it was found or right beside.
    """
    import numpy as np

    if not len(scores) or scores.max(axis=1).min() >= DECIDED:
        return decode(scores, letters, steps)
    (text, places), *others = _likeliest(scores)
    around = np.pad(scores, ((1, 1), (0, 0)))
    near = (around[:-2] + around[1:-1] + around[2:])[list(places), list(text)].clip(max=1.0).tolist()
    marks = zip((letters[letter] for letter in text), near, (place + 0.5 for place in places), strict=True)
    reading = _reading(list(marks), steps)
    texts = dict.fromkeys(" ".join("".join(letters[each] for each in other).split()) for other, _ in others)
    return replace(reading, alternatives=tuple(other for other in texts if other not in ("", reading.text)))


def _likeliest(scores: Scores) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The classes of the likeliest texts, the best first, and the steps at which they begin."""
    beams: dict[tuple[int, ...], _Beam] = {(): (1.0, 0.0, ())}
    for step, options in enumerate(_options(scores)):
        grown: dict[tuple[int, ...], _Beam] = {}
        for text, (blank, letter, places) in beams.items():
            for number, chance in options:
                if number == 0:
                    _add(grown, text, ((blank + letter) * chance, 0.0, places))
                    continue
                arriving = blank + letter
                if text and text[-1] == number:
                    _add(grown, text, (0.0, letter * chance, places))
                    arriving = blank
                if arriving:
                    _add(grown, (*text, number), (0.0, arriving * chance, (*places, step)))
        kept = sorted(grown.items(), key=lambda each: each[1][0] + each[1][1], reverse=True)[:BEAMS]
        whole = sum(blank + letter for _, (blank, letter, _) in kept)
        beams = {text: (blank / whole, letter / whole, places) for text, (blank, letter, places) in kept}
    best = sorted(beams, key=lambda text: beams[text][0] + beams[text][1], reverse=True)
    return [(text, beams[text][2]) for text in best]


def _options(scores: Scores) -> list[list[tuple[int, float]]]:
    """The classes that count at each step, with their chances."""
    import numpy as np

    counts = scores >= FAINTEST
    counts[np.arange(len(scores)), scores.argmax(axis=1)] = True
    found: list[list[tuple[int, float]]] = [[] for _ in scores]
    rows, columns = np.nonzero(counts)
    for row, column, chance in zip(rows.tolist(), columns.tolist(), scores[rows, columns].tolist(), strict=True):
        found[row].append((column, chance))
    return found


def _add(beams: dict[tuple[int, ...], _Beam], text: tuple[int, ...], more: _Beam) -> None:
    """Another way to a text; where its letters begin is said by the likelier one."""
    if (known := beams.get(text)) is None:
        beams[text] = more
    else:
        likelier = known if known[0] + known[1] >= more[0] + more[1] else more
        beams[text] = (known[0] + more[0], known[1] + more[1], likelier[2])


def _reading(marks: Sequence[tuple[str, float, float]], steps: float) -> Reading:
    """What letters, their scores and their places in steps make up."""
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
