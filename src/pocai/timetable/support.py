"""Whether the page says what a timetable says: texts by their letters, times and days by what is printed.

It knows nothing of the model that made the timetable. What no line supports is taken out, with the reason: a block
whose name is not on the page goes as a whole, any other value becomes null. Nothing is put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pocai.documents.page import Box, Document, Line, Page, on_source
from pocai.timetable.printed import Printed
from pocai.timetable.timetable import (
    WEEK,
    BlockField,
    Day,
    Evidence,
    HeaderField,
    Mark,
    TimeBlock,
    Timetable,
    minutes,
)

NOT_PRINTED = "no line of the page says so"
_SLACK = 1.0  # units of the page by which the middle of a line may lie outside of its mark's box

Field = BlockField | HeaderField | Literal["weeks"]
Look = Callable[[Printed], Sequence[Line] | None]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A value that was taken out. ``block`` is the index of the block as it was given; None for a header's field."""

    timetable: int
    block: int | None
    field: Field
    reason: str = NOT_PRINTED

    def __str__(self) -> str:
        """Where the value stood and why it is gone; no text of the document."""
        place = f"timetable {self.timetable + 1}" + ("" if self.block is None else f", block {self.block + 1}")
        what = "left out with its block" if self.field == "name" else "left empty"
        return f"{place}: {self.field} {what}, {self.reason}"


@dataclass(frozen=True, slots=True)
class Checked:
    """Timetables in which every value is supported, and what was taken out of them."""

    timetables: tuple[Timetable, ...]
    unsupported: tuple[Unsupported, ...]


def checked(timetables: Sequence[Timetable], document: Document) -> Checked:
    """The timetables with what their pages support, and the rest as `Unsupported`.

    A value is looked for under its mark first, then on all pages of its timetable; a mark is set, or put right, where
    the value was found. An inferred time needs printed times before and after it, as does a day whose label cannot be
    read (its mark then says that it is inferred). A timetable that loses all of its blocks is left out. Marks of values
    that are null are taken away.
    """
    papers = [_Paper(page) for page in document.pages]
    kept: list[Timetable] = []
    lacking: list[Unsupported] = []
    for number, timetable in enumerate(timetables):
        own = [paper for paper in papers if not timetable.pages or paper.page.number in timetable.pages]
        sheet = _Sheet(number, own, lacking)
        blocks = [sheet.block(index, block) for index, block in enumerate(timetable.timeblocks)]
        left = tuple(block for block in blocks if block is not None)
        if left or not blocks:
            kept.append(sheet.header(timetable.model_copy(update={"timeblocks": left})))
    return Checked(tuple(kept), tuple(lacking))


def mark_of(page: Page, lines: Sequence[Line], evidence: Evidence = Evidence.PRINTED) -> Mark:
    """The mark of a value that stands on these lines."""
    scores = [line.confidence for line in lines if line.confidence is not None]
    around = on_source(Box.around(line.box for line in lines), page.to_source)
    left, top, right, bottom = (round(value, 1) for value in around)
    score = round(min(scores), 4) if scores else None
    return Mark(page=page.number, box=(left, top, right, bottom), evidence=evidence, reading_score=score)


def lines_of(page: Page) -> tuple[Line, ...]:
    """All lines of a page, those of its native tables among them."""
    known = {id(line) for line in page.lines}
    native = (line for table in page.tables for cell in table.cells for line in cell.lines)
    return (*page.lines, *(line for line in native if id(line) not in known))


class _Paper:
    """A page with what is printed on it, as a whole and under its marks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._under: dict[tuple[float, ...], Printed] = {}

    @cached_property
    def printed(self) -> Printed:
        return Printed(lines_of(self.page))

    @cached_property
    def _middles(self) -> list[tuple[float, float]]:
        return [on_source(line.box, self.page.to_source).center for line in self.printed.lines]

    def under(self, box: tuple[float, float, float, float]) -> Printed:
        if box not in self._under:
            wide = Box(box[0] - _SLACK, box[1] - _SLACK, box[2] + _SLACK, box[3] + _SLACK)
            pairs = zip(self.printed.lines, self._middles, strict=True)
            self._under[box] = Printed([line for line, middle in pairs if wide.contains(middle)])
        return self._under[box]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The pages of one timetable, and where to tell what they do not support."""

    number: int
    papers: Sequence[_Paper]
    lacking: list[Unsupported]

    def block(self, index: int, block: TimeBlock) -> TimeBlock | None:
        """The block as far as it is supported; None without its name."""
        looks: dict[BlockField, tuple[str, Look | None]] = {
            "name": ("name", _text(block.name)),
            "day": ("day", _day(block.day)),
            "startTime": ("start_time", _minute(block.start_time)),
            "endTime": ("end_time", _minute(block.end_time)),
            "notes": ("notes", _text(block.notes)),
        }
        marks: dict[BlockField, Mark] = {}
        changes: dict[str, object] = {"fields": marks}
        for field, (attribute, look) in looks.items():
            if look is None:
                continue
            mark = self._of_block(block, field, look)
            if mark is not None:
                marks[field] = mark
                continue
            self.lacking.append(Unsupported(self.number, index, field))
            if field == "name":
                return None
            changes[attribute] = None
        weeks = _text(block.weeks)
        if weeks is not None and self._mark(None, weeks) is None:
            self.lacking.append(Unsupported(self.number, index, "weeks"))
            changes["weeks"] = None
        return block.model_copy(update=changes)

    def _of_block(self, block: TimeBlock, field: BlockField, look: Look) -> Mark | None:
        mark = block.fields.get(field)
        if field in ("startTime", "endTime"):
            time = block.start_time if field == "startTime" else block.end_time
            return self._inferred_time(mark, time) or self._mark(mark, look)
        found = self._mark(mark, look)
        return self._inferred_day(mark, block.day) if found is None and field == "day" else found

    def header(self, timetable: Timetable) -> Timetable:
        """The timetable with the supported fields of its header."""
        looks: dict[HeaderField, tuple[str, Look | None]] = {
            "teacher": ("teacher", _text(timetable.teacher)),
            "className": ("class_name", _text(timetable.class_name)),
            "term": ("term", _text(timetable.term)),
            "year": ("year", _year(timetable.year)),
            "title": ("title", _text(timetable.title)),
        }
        marks: dict[HeaderField, Mark] = {}
        changes: dict[str, object] = {"fields": marks}
        for field, (attribute, look) in looks.items():
            mark = None if look is None else self._mark(timetable.fields.get(field), look)
            if mark is not None:
                marks[field] = mark
            elif look is not None:
                self.lacking.append(Unsupported(self.number, None, field))
                changes[attribute] = None
        return timetable.model_copy(update=changes)

    def _mark(self, mark: Mark | None, look: Look) -> Mark | None:
        """The mark where it holds, else one where the value was found, else None."""
        papers = sorted(self.papers, key=lambda paper: mark is not None and paper.page.number != mark.page)
        if mark is not None and papers and papers[0].page.number == mark.page and look(papers[0].under(mark.box)):
            return mark
        for paper in papers:
            lines = look(paper.printed)
            if lines:
                found = mark_of(paper.page, lines)
                place = {"page": found.page, "box": found.box, "reading_score": found.reading_score}
                return found if mark is None else mark.model_copy(update=place)
        return None

    def _inferred_time(self, mark: Mark | None, time: str | None) -> Mark | None:
        """The mark of an inferred time that has printed times before and after it, or is printed."""
        minute = minutes(time)
        if minute is None or mark is None or mark.evidence is not Evidence.INFERRED:
            return None
        known = [minute for paper in self.papers for minute in paper.printed.minutes]
        return mark if known and min(known) <= minute <= max(known) else None

    def _inferred_day(self, mark: Mark | None, day: Day | None) -> Mark | None:
        """The mark of a day whose label cannot be read, where days before and after it can."""
        if mark is None or day is None:
            return None
        labelled = any(paper.page.number == mark.page and paper.under(mark.box).lines for paper in self.papers)
        known = {WEEK.index(day) for paper in self.papers for day in paper.printed.days}
        if not labelled or not known or not min(known) < WEEK.index(day) < max(known):
            return None
        return mark.model_copy(update={"evidence": Evidence.INFERRED})


def _text(value: str | None) -> Look | None:
    return None if value is None else lambda printed: printed.text(value)


def _day(day: Day | None) -> Look | None:
    return None if day is None else lambda printed: printed.days.get(day)


def _minute(time: str | None) -> Look | None:
    minute = minutes(time)
    return None if minute is None else lambda printed: printed.minutes.get(minute)


def _year(year: int | None) -> Look | None:
    return None if year is None else lambda printed: printed.year(year)
