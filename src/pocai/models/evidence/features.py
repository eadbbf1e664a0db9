"""All figures of a timetable's blocks as one matrix, with their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pocai.documents.page import Document
from pocai.models.evidence import marks, places, texts, times, whole
from pocai.models.evidence.scene import Matrix, scenes
from pocai.settings import SchoolHours
from pocai.timetable.timetable import Timetable

_PARTS = (marks, texts, places, times, whole)
NAMES: tuple[str, ...] = tuple(name for part in _PARTS for name in part.NAMES)


def figures_of(timetables: Sequence[Timetable], document: Document, hours: SchoolHours) -> tuple[Matrix, ...]:
    """For each timetable ``(blocks, len(NAMES))``, all finite; ``document`` is the one that was read, with its lines.

    What cannot be measured has the value `scene.ABSENT`, which no measured figure has.
    """
    return tuple(
        np.hstack([part.figures(scene) for part in _PARTS]) if scene.blocks else np.empty((0, len(NAMES)))
        for scene in scenes(timetables, document, hours)
    )
