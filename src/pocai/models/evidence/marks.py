"""Figures of the marks of a block, field by field: how well its lines were read, what it rests on, how large it is."""

from __future__ import annotations

import numpy as np

from pocai.models.evidence.scene import ABSENT, FIELDS, Matrix, PageText, Scene
from pocai.timetable.timetable import Evidence, Mark

_OF_A_MARK = ("own", "evidence", "worst", "mean", "doubted", "lines", "height", "width")
_BASIS = {Evidence.HEADER: 0.0, Evidence.PRINTED: 1.0, Evidence.INFERRED: 2.0, Evidence.SCHOOL: 2.0}
_MOST_LINES = 9
NATIVE_SCORE = 1.0  # of a line that nobody had to recognize

NAMES = tuple(f"{field}.{figure}" for field in FIELDS for figure in _OF_A_MARK)


def figures(scene: Scene) -> Matrix:
    """``(blocks, len(NAMES))``: of a field without a mark all figures are `ABSENT`.

    ``own`` is the document model's own confidence before calibration, where it gave one; ``evidence`` is 0 in a header,
    1 printed, 2 inferred or settled by the school; ``worst`` and ``mean`` are recognizer scores of the lines below the
    mark, ``doubted`` the share of them that another recognizer than the page's usual one read; sizes are in heights of
    text.
    """
    known: dict[Mark, list[float]] = {}
    rows = []
    for block in scene.blocks:
        row: list[float] = []
        for field in FIELDS:
            mark = block.fields.get(field)
            if mark is None:
                row += [ABSENT] * len(_OF_A_MARK)
                continue
            if mark not in known:
                known[mark] = _of(mark, scene)
            row += known[mark]
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(NAMES))


def _of(mark: Mark, scene: Scene) -> list[float]:
    own = ABSENT if mark.confidence is None or mark.reason is None else mark.confidence  # calibrated: not its own
    page = scene.page_of(mark)
    if page is None:
        return [own, _BASIS[mark.evidence], *[ABSENT] * (len(_OF_A_MARK) - 2)]
    numbers = scene.lines_of(mark)
    left, top, right, bottom = mark.box
    scores = _scores(page, numbers)
    return [
        own,
        _BASIS[mark.evidence],
        min(scores, default=ABSENT),
        sum(scores) / len(scores) if scores else ABSENT,
        float(page.unusual[numbers].mean()) if len(numbers) else ABSENT,
        float(min(len(numbers), _MOST_LINES)),
        (bottom - top) / page.height,
        (right - left) / page.height,
    ]


def _scores(page: PageText, numbers: np.typing.NDArray[np.intp]) -> list[float]:
    found: list[float] = np.nan_to_num(page.scores[numbers], nan=NATIVE_SCORE).tolist()
    return found
