"""Figures of the whole timetable and its page, the same for each of its blocks, and what the checks found in it."""

from __future__ import annotations

from collections import Counter
from statistics import median

import numpy as np

from pocai.models.evidence.scene import ABSENT, Matrix, Scene
from pocai.timetable.timetable import BlockField, Evidence, minutes

_CODES = ("overlap", "duplicate", "order", "length", "hours", "missing_time", "gap")
_EDGES: tuple[BlockField, ...] = ("startTime", "endTime")

NAMES = (
    *(f"found.{code}" for code in _CODES),
    "found.else",
    "week.blocks",
    "week.days",
    "week.of day",
    "week.without day",
    "week.timed",
    "week.ended",
    "week.in doubt",
    "week.inferred",
    "week.printed",
    "week.starts",
    "week.filled",
    "week.timetables",
    "page.native",
    "page.score",
    "page.worst",
    "page.faint",
    "page.doubted",
    "page.lines",
    "page.left over",
    "page.text",
    "page.tilt",
    "page.rules",
)
_FAINT = 0.9  # recognizer score below which a line is faint
_STEP = 5  # minutes


def figures(scene: Scene) -> Matrix:
    """``(blocks, len(NAMES))``.

    ``found`` counts the findings that touch a block. Of the ``week``: how many blocks, on how many days, those of the
    block's day over the usual number; the shares that have times, are in doubt (warned of), have inferred or printed
    times; ``starts`` is the share of starts that are multiples of five minutes, ``filled`` how much of days x slots is
    taken. Of the ``page``: mean and weak (10 %) recognizer scores, the share of faint lines, the share of its
    characters that no mark covers, the size of its text over its longer side.
    """
    found = _found(scene)
    of_day = Counter(block.day for block in scene.blocks)
    usual = median(of_day.values()) if of_day else 1
    (blocks, days, *week), page = _week(scene), _page(scene)
    rows = [
        [*found[number], blocks, days, of_day[block.day] / usual, *week, *page]
        for number, block in enumerate(scene.blocks)
    ]
    return np.array(rows, np.float64).reshape(-1, len(NAMES))


def _found(scene: Scene) -> Matrix:
    rows = np.zeros((len(scene.blocks), len(_CODES) + 1))
    for finding in scene.findings:
        for block in finding.blocks:
            place = _CODES.index(finding.code) if finding.code in _CODES else len(_CODES)
            rows[block, place] += 1
    return rows


def _week(scene: Scene) -> list[float]:
    blocks = scene.blocks
    count = max(1, len(blocks))
    days = {block.day for block in blocks if block.day is not None}
    starts = [start for block in blocks if (start := minutes(block.start_time)) is not None]
    warned = {n for finding in scene.findings if finding.severity == "warning" for n in finding.blocks}
    bases = Counter(mark.evidence for block in blocks for f in _EDGES if (mark := block.fields.get(f)) is not None)
    slots = {(block.start_time, block.end_time) for block in blocks}
    return [
        float(len(blocks)),
        float(len(days)),
        sum(block.day is None for block in blocks) / count,
        len(starts) / count,
        sum(block.end_time is not None for block in blocks) / count,
        len(warned) / count,
        bases[Evidence.INFERRED] / max(1, bases.total()),
        bases[Evidence.PRINTED] / max(1, bases.total()),
        sum(start % _STEP == 0 for start in starts) / len(starts) if starts else ABSENT,
        count / max(1, len(days) * len(slots)),
        float(scene.timetables),
    ]


def _page(scene: Scene) -> list[float]:
    """Of the timetable's pages together; native text is certain."""
    pages = [scene.pages[number] for number in scene.timetable.pages if number in scene.pages]
    pages = [page for page in pages if page.lines] or [page for page in scene.pages.values() if page.lines][:1]
    if not pages:
        return [ABSENT] * 10
    scores = np.nan_to_num(np.concatenate([page.scores for page in pages]), nan=1.0)
    letters = np.concatenate([page.letters for page in pages])
    page = pages[0]
    return [
        float(all(each.native for each in pages)),
        float(np.average(scores, weights=np.maximum(letters, 1))),
        float(np.quantile(scores, 0.1)),
        float((scores < _FAINT).mean()),
        float(np.concatenate([each.unusual for each in pages]).mean()),
        float(len(scores)),
        _left_over(scene),
        page.height / max(page.size),
        min(page.tilt, 1.0),
        float(np.log1p(page.rules)),
    ]


def _left_over(scene: Scene) -> float:
    """The share of the characters on the timetable's pages that no mark covers."""
    covered: dict[int, set[int]] = {}
    for (page, _), lines in scene.under.items():
        covered.setdefault(page, set()).update(lines.tolist())
    whole = sum(float(scene.pages[page].letters.sum()) for page in covered)
    inside = sum(float(scene.pages[page].letters[sorted(lines)].sum()) for page, lines in covered.items() if lines)
    return 1 - inside / whole if whole else ABSENT
