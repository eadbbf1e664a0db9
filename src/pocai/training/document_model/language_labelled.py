"""Labelled documents as examples for a language model: where on its page each block of a label stands.

A label says what is printed, seldom where. Its marks say it, where it has some (our own export does); else a name is
looked for in every piece of the page, and taken where it stands in one row or column with its day and its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pocai.documents.ingest import load
from pocai.documents.page import Box, Page, on_source
from pocai.documents.ruling import find_rules
from pocai.documents.straighten import straighten
from pocai.errors import InputError
from pocai.evaluation.dataset import LabelledDocument, read_dataset
from pocai.models.language_page import NumberedPage, numbered
from pocai.models.protocols import OCREngine
from pocai.settings import Limits
from pocai.timetable.printed import Printed
from pocai.timetable.timetable import Day, Mark, TimeBlock, Timetable, minutes
from pocai.training.document_model.language_examples import Cues, Example, Shown, Told, example_of, nearest

_TAKEN = 1e6  # of the cost of a place where a block of the same day stands already
_TIMES = ("startTime", "endTime")
_KNOWN = frozenset(("teacher", "className", "term", "year", "title", "pages", "timeblocks", "fields"))
_OF_BLOCK = frozenset(("day", "name", "startTime", "endTime", "notes", "weeks", "fields"))


def labelled_examples(folder: Path, engine: Callable[[], OCREngine]) -> list[Example]:
    """The examples of a folder as `pocai.evaluation.dataset.read_dataset` takes it, by document.

    ``engine`` gives what reads pages without text of their own. Of a document of several pages only timetables whose
    label says on which single page they are become examples. Raises InputError for a folder without a usable one.
    """
    read = _Reader(engine)
    examples = [example for document in read_dataset(folder).documents for example in _examples_of(document, read)]
    if not examples:
        what = f"none of the labelled documents in {folder} can be learned from"
        raise InputError(what, mend="Check that their labels say what is printed on them")
    return examples


def placed_example(page: NumberedPage, timetables: Sequence[Timetable]) -> Example | None:
    """A page with the answer that its label gives; None where none of its blocks is found on it."""
    places = _Places(page)
    told = [Told(timetable, places.of(timetable)) for timetable in timetables]
    inside = {shown.number for each in told for cues in each.cues.values() for shown in cues.name}
    heading = tuple(shown for shown in page.lines if shown.number not in inside)
    return example_of(page, told, heading)


class _Reader:
    """Pages with their text, as the pipeline reads them; the engine is made when a page first needs it."""

    def __init__(self, engine: Callable[[], OCREngine]) -> None:
        self._make = engine
        self._engine: OCREngine | None = None

    def pages(self, path: Path) -> list[Page]:
        return [self._read(page) for page in load(path, limits=Limits()).pages]

    def _read(self, page: Page) -> Page:
        if page.has_text or page.image is None:
            return page
        self._engine = self._engine or self._make()
        straight = straighten(page)
        if straight.image is not None and not straight.rules:
            straight = replace(straight, rules=find_rules(straight.image))
        upright, result = self._engine.read_upright(straight)
        return upright.with_lines(result.lines)


def _examples_of(document: LabelledDocument, reader: _Reader) -> Iterator[Example]:
    tables = [_timetable(table) for table in document.truth.get("timetables", [document.truth])]
    pages = reader.pages(document.path)
    for page in pages:
        own = [table for table in tables if len(pages) == 1 or table.pages == (page.number,)]
        example = placed_example(numbered(page), own) if own else None
        if example is not None:
            yield example


def _timetable(label: Mapping[str, Any]) -> Timetable:
    """The timetable of a label; what it holds beside is passed over. Raises InputError for values that are odd."""
    blocks = [
        {name: _value(name, value) for name, value in block.items() if name in _OF_BLOCK}
        for block in label["timeblocks"]
    ]
    known = {key: value for key, value in label.items() if key in _KNOWN and value is not None}
    try:
        return Timetable.model_validate({**known, "timeblocks": blocks})
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise InputError(f"a label holds an odd value at {place}", mend="Correct it") from None


def _value(name: str, value: Any) -> Any:
    """A value of a block; times in the form that `TimeBlock` has them ("9:05" is "09:05")."""
    return value.strip().zfill(len("09:05")) if name in _TIMES and isinstance(value, str) else value


class _Places:
    """Where the blocks of a label stand on a page."""

    def __init__(self, page: NumberedPage) -> None:
        self._page = page
        self._taken: set[tuple[int, Day | None]] = set()  # piece and day of blocks that have their place
        printed = Printed([shown.line for shown in page.lines])
        self._days = {shown.number: printed.days_in(shown.text) for shown in page.lines}
        self._minutes = {shown.number: frozenset(Printed([shown.line]).minutes) for shown in page.lines}
        self._pieces = [tuple(lines) for _, lines in groupby(page.lines, key=lambda shown: shown.piece)]

    def of(self, timetable: Timetable) -> dict[int, Cues]:
        """The cues of each block whose name is on the page."""
        found: dict[int, Cues] = {}
        for index, block in enumerate(timetable.timeblocks):
            piece = self._piece(block)
            if piece is not None:
                self._taken.add((piece[0].piece, block.day))
                found[index] = self._cues(block, piece)
        return found

    def _piece(self, block: TimeBlock) -> Shown | None:
        """The piece that holds the block's name: under its mark, or where it fits best with its day and its start."""
        holding = [piece for piece in self._pieces if Printed([shown.line for shown in piece]).text(block.name)]
        mark = block.fields.get("name")
        marked = [piece for piece in holding if mark is not None and self._is_under(piece, mark)]

        def cost(piece: Shown) -> float:
            again = _TAKEN if (piece[0].piece, block.day) in self._taken else 0.0
            return again + self._off(piece, self._naming(block.day)) + self._off(piece, self._saying(block.start_time))

        return min(marked or holding, key=cost, default=None)

    def _is_under(self, piece: Shown, mark: Mark) -> bool:
        page = self._page.page
        middles = (on_source(shown.line.box, page.to_source).center for shown in piece)
        return mark.page == page.number and any(Box(*mark.box).contains(middle) for middle in middles)

    def _cues(self, block: TimeBlock, piece: Shown) -> Cues:
        own = [shown for shown in piece if self._days[shown.number]]
        return Cues(
            name=piece,
            notes=(*piece, *nearest((shown for shown in self._page.lines if shown not in piece), piece[0])),
            day=(*own, *nearest(self._naming(block.day), piece[0])),
            start=(*piece, *nearest(self._saying(block.start_time), piece[0])),
            end=(*piece, *nearest(self._saying(block.end_time), piece[0])),
        )

    def _naming(self, day: Day | None) -> Shown:
        return tuple(shown for shown in self._page.lines if day in self._days[shown.number])

    def _saying(self, time: str | None) -> Shown:
        return tuple(shown for shown in self._page.lines if minutes(time) in self._minutes[shown.number])

    def _off(self, piece: Shown, labels: Shown) -> float:
        """How far a piece is from being in one row or column with the nearest of some labels; 0 where it holds one."""
        if any(shown in piece for shown in labels):
            return 0.0
        x, y = Box.around(shown.line.box for shown in piece).center
        places = (shown.line.box.center for shown in labels)
        return min((min(abs(x - across), abs(y - down)) for across, down in places), default=0.0)
