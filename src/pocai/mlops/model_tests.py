"""Behavioural tests of models (Ribeiro et al. 2020, "Beyond Accuracy", CheckList, arXiv:2005.04118).

Invariance: a change that does not matter changes nothing. Direction: a change that matters changes what it must, and
nothing else. Minimum function: what is simple is read without a fault. The gate runs them on a candidate, the tests on
what is shipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pocai.documents.page import Document
from pocai.errors import ModelError
from pocai.evaluation.text import similarity
from pocai.mlops.drawn_weeks import Block, DrawnWeek, blocks_of, drawn_lists, drawn_weeks
from pocai.mlops.page_changes import CHANGES, folded
from pocai.models.protocols import DocumentModel, Recognizer
from pocai.timetable.timetable import Timetable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Group: TypeAlias = Literal["invariance", "direction", "minimum function"]
Assemble: TypeAlias = Callable[[Document], tuple[Timetable, ...]]

# What is asked for is a little below what the shipped models do; the gate's report has their figures.
AGREE = {"a wider margin": 0.99, "a larger page": 0.99, "another order of lines": 0.95, "no accents": 0.95}
AGREE_IN_CAPITALS = 0.8  # capitals are a sign of headings
FOLLOW = 0.9  # share of the changed pages, or lines, on which exactly that follows which must
SAME = 0.95  # likeness (1 - edits over letters) of a line as it reads before and after a change
UNSURE = 0.5  # probability below which a reading is in doubt
LATER = 5  # minutes
OTHER_NAME = "Pottery"
TIMES = 3  # labels of times of a drawn timetable that are changed
EVERY = 5  # of the lines of a drawn timetable one in so many is removed, and renamed


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One test: the mean over its ``trials``, 0 to 1, and the ``least`` that is asked for."""

    name: str
    group: Group
    trials: int
    measured: float
    least: float

    @property
    def passed(self) -> bool:
        return self.measured >= self.least


def layout_behaviours(
    model: DocumentModel, served: DocumentModel | None = None, documents: Sequence[Document] = ()
) -> tuple[Behaviour, ...]:
    """The tests of a layout transformer, alone and as it is ``served``, on drawn timetables and on ``documents``.

    Drawn lists are only asked of what is served with the rules. What the model fails at counts as nothing read.
    """
    alone = _careful(model)
    pages = [*(week.document for week in drawn_weeks()), *documents]
    found = [*_invariances(alone, pages), *_directions(alone), _exact("simple timetables", alone, drawn_weeks())]
    if served is not None:
        found.append(_exact("simple timetables, as served", _careful(served), (*drawn_weeks(), *drawn_lists())))
    return tuple(found)


def student_behaviours(recognizer: Recognizer, crops: Sequence[Pixels] = ()) -> tuple[Behaviour, ...]:
    """The tests of a student, on lines of plain print and on other ``crops`` (RGB ``(h, w, 3)`` uint8)."""
    from pocai.mlops.drawn_lines import LINE_CHANGES, drawn_lines

    lines = drawn_lines()
    read = _reader(recognizer)
    pictures = [*(line.image for line in lines), *crops]
    before = read(pictures)
    same = [
        _behaviour(name, "invariance", map(similarity, before, read([change(each) for each in pictures])), SAME)
        for name, change in LINE_CHANGES.items()
    ]
    right = (text == _letters(line.text) for text, line in zip(before, lines, strict=False))
    minimum = _behaviour("plain print", "minimum function", right, 1.0)
    return (*same, _followed(read), _no_print(recognizer), minimum)


def agreement(one: Iterable[Block], other: Iterable[Block]) -> float:
    """Twice the blocks that both have over all blocks, 0 to 1; 1 where neither has any."""
    left, right = Counter(one), Counter(other)
    every = left.total() + right.total()
    return 2 * (left & right).total() / every if every else 1.0


def _invariances(read: Assemble, documents: Sequence[Document]) -> Iterator[Behaviour]:
    before = [blocks_of(read(document), folded) for document in documents]
    for name, change in CHANGES.items():
        after = (blocks_of(read(change(document)), folded) for document in documents)
        alike = (agreement(*pair) for pair in zip(before, after, strict=True))
        yield _behaviour(name, "invariance", alike, AGREE.get(name, AGREE_IN_CAPITALS))


def _directions(read: Assemble) -> Iterator[Behaviour]:
    weeks = drawn_weeks()
    names = [(week, n) for week in weeks for n in [n for n, said in enumerate(week.said) if said.name][::EVERY]]
    times = [(week, n) for week in weeks for n in [n for n, said in enumerate(week.said) if said.times][:TIMES]]
    changed: dict[str, Iterable[DrawnWeek]] = {
        "without a line its block is gone": (week.without(line) for week, line in names),
        "another name names its block": (week.renamed(line, OTHER_NAME) for week, line in names),
        "another time moves its blocks": (week.moved(line, LATER) for week, line in times),
    }
    for name, pages in changed.items():
        yield _behaviour(name, "direction", (_right(read, week) for week in pages), FOLLOW)


def _exact(name: str, read: Assemble, weeks: Iterable[DrawnWeek]) -> Behaviour:
    return _behaviour(name, "minimum function", (_right(read, week) for week in weeks), 1.0)


def _right(read: Assemble, week: DrawnWeek) -> bool:
    return Counter(blocks_of(read(week.document))) == Counter(week.blocks)


def _followed(read: Callable[[Sequence[Pixels]], list[str]]) -> Behaviour:
    from pocai.mlops.drawn_lines import CHANGED, drawn, plain_faces

    pairs = [(face, pair) for face in plain_faces() for pair in CHANGED]
    texts = read([drawn(text, face) for face, pair in pairs for text in pair])
    found = zip(texts[::2], texts[1::2], strict=True)
    right = ((_letters(a), _letters(b)) == two for (_, (a, b)), two in zip(pairs, found, strict=True))
    return _behaviour("another letter is read as that", "direction", right, FOLLOW)


def _no_print(recognizer: Recognizer) -> Behaviour:
    """Of paper nothing may be said, or it must be in doubt."""
    import numpy as np

    paper = [np.full((40, wide, 3), tone, np.uint8) for wide in (40, 200) for tone in (255, 200)]
    readings = recognizer.recognize(paper)
    quiet = (not each.text or (each.probability or 0.0) < UNSURE for each in readings)
    return _behaviour("without print nothing is sure", "direction", quiet, 1.0)


def _careful(model: DocumentModel) -> Assemble:
    def read(document: Document) -> tuple[Timetable, ...]:
        try:
            return model.assemble(document)
        except ModelError:
            return ()

    return read


def _reader(recognizer: Recognizer) -> Callable[[Sequence[Pixels]], list[str]]:
    return lambda crops: [_letters(reading.text) for reading in recognizer.recognize(crops)]


def _letters(text: str) -> str:
    from pocai.models.cascade import letters_of

    return letters_of(text)


def _behaviour(name: str, group: Group, results: Iterable[float], least: float) -> Behaviour:
    values = [float(value) for value in results]
    return Behaviour(name, group, len(values), sum(values) / len(values) if values else 0.0, least)
