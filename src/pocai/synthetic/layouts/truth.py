"""What a perfect reader finds on the page: the made timetable, with the notes that are printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pocai.synthetic.document import Sheet
from pocai.synthetic.layouts.words import Wording
from pocai.synthetic.made import Made
from pocai.timetable.timetable import Timetable


def truth(made: Made, number: int, sheets: Sequence[Sheet], wording: Wording) -> Timetable:
    """Timetable ``number`` of a drawing: its notes as they stand on the sheets, and the sheets that it is on."""
    notes: dict[int, list[str]] = defaultdict(list)
    pages: set[int] = set()
    for page, sheet in enumerate(sheets):
        for text in sheet.texts:
            if text.timetable == number and text.blocks:
                pages.add(page)
                if text.role == "note":
                    for block in text.blocks:
                        notes[block].append(text.text.removeprefix(wording.joint))
    blocks = tuple(
        block.model_copy(update={"notes": " ".join(notes[index]) or None})
        for index, block in enumerate(made.timetable.timeblocks)
    )
    return made.timetable.model_copy(update={"timeblocks": blocks, "pages": tuple(sorted(pages))})
