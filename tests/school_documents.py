"""Made documents as OCR gives them, with other readings of some lines, and memories of their schools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from pocai.documents.page import Document, Line
from pocai.synthetic.compose import compose
from pocai.timetable.school import SchoolMemory, remember
from pocai.timetable.timetable import Timetable
from pocai.training.document_model.made_pages import made_pages
from pocai.training.document_model.misreading import misread

FIRST = 7_400_000
DOUBTFUL = 0.3  # of the lines
MOST_LINES = 80
NOW = datetime(2026, 9, 1, tzinfo=UTC)


def doubtful_documents(count: int, first: int = FIRST) -> Iterator[tuple[Document, tuple[Timetable, ...]]]:
    """Documents with their truth; a line in doubt is misread, and what it says is among its alternatives."""
    made = seed = 0
    while made < count:
        drawing = compose(first + seed)
        rng = np.random.default_rng((first, seed))
        seed += 1
        if sum(len(sheet.texts) for sheet in drawing.sheets) > MOST_LINES:
            continue
        pages = [page.page for page in made_pages(drawing, rng)]
        doubtful = tuple(page.with_lines([_doubted(line, rng) for line in page.lines]) for page in pages)
        yield Document(doubtful, "pdf", "0" * 64), drawing.timetables
        made += 1


def _doubted(line: Line, rng: np.random.Generator) -> Line:
    if line.source != "ocr" or rng.random() >= DOUBTFUL:
        return line
    others = [misread(line.text, rng, 0.2) for _ in range(4)]
    texts = [text for text in dict.fromkeys((*others, line.text)) if text.strip()]
    return replace(line, text=texts[0], alternatives=tuple(texts[1:]))


def knowing(timetables: Sequence[Timetable], times: int = 3) -> SchoolMemory:
    """The memory of a school that has printed these timetables several times."""
    memory = SchoolMemory()
    for _ in range(times):
        memory = remember(memory, timetables, NOW)
    return memory
