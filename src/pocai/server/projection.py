"""From what is printed to what the host application can show: one week without conflicts, words in pixels.

The host hides a whole week when two blocks of one day overlap, knows no weeks A and B, and needs a day for every block
(its HTTP contract, traps 4, 5 and 7). Our own API keeps the literal reading; here conflicts are resolved without
dropping a name, and a printed time that had to give way stands in the block's notes. Everything here is pure.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from pocai.documents.page import Box, Word
from pocai.inference.answers import ReadLine, ReadPage
from pocai.inference.quality import host_confidence
from pocai.models.protocols import OCRResult
from pocai.server.host_answers import LAST_YEAR, LEAST_YEAR, HostBlock, HostTimetable, HostWord, OcrAnswer
from pocai.timetable.timetable import WEEK, BlockField, Day, Evidence, TimeBlock, Timetable, clock, minutes

SCHOOL_DAYS = 5  # Monday to Friday, which the host's grids show
PIXELS_PER_POINT = 2  # of a PDF that the host did not have enhanced: 144 dpi, as the enhanced picture would have
NATIVE = "native"  # the engine's name where the text came with the document
BACKWARD = 2  # quarter turns from which a line is read right to left or bottom to top
ALONE = 0.5  # a first timetable with a smaller share of the blocks of its page's largest is an aside


def project(timetables: Sequence[Timetable]) -> HostTimetable:
    """The host's one week of a document, without overlaps; without blocks where the document has none.

    Timetables that belong together become one, others are left out and named by their number in ``warnings``.
    """
    taken = _belonging_together(timetables)
    slots = [_slot(order, day, block) for order, (day, block) in enumerate(_dated(taken))]
    apart = [slot for day in WEEK for slot in _apart([slot for slot in slots if slot.day == day])]
    whose = [timetables[number] for number in taken]
    years = (one.year for one in whose if one.year is not None)
    return HostTimetable(
        teacher=next((one.teacher for one in whose if one.teacher), None),
        class_name=next((one.class_name for one in whose if one.class_name), None),
        term=next((one.term for one in whose if one.term), None),
        year=next((year for year in years if LEAST_YEAR <= year <= LAST_YEAR), None),
        timeblocks=tuple(slot.block for slot in sorted(apart, key=lambda slot: slot.order)),
        warnings=tuple(_left_out(timetables, taken)),
    )


# --- which timetables make up the week ------------------------------------------------------------------------------


def _belonging_together(timetables: Sequence[Timetable]) -> dict[int, Timetable]:
    """The timetables that make one week, by their number; the first is the one that the others must fit."""
    filled = {number: one for number, one in enumerate(timetables) if one.timeblocks}
    if not filled:
        return {}
    front = next(iter(filled.values())).pages
    beside = {number: one for number, one in filled.items() if set(one.pages) & set(front)} or filled
    largest = max(len(one.timeblocks) for one in beside.values())
    main = next(number for number, one in beside.items() if len(one.timeblocks) >= ALONE * largest)
    taken = {main: filled.pop(main)}
    for number, one in filled.items():
        if all(_same_class(one, other) and not _collide(one, other) for other in taken.values()):
            taken[number] = one
    return taken


def _same_class(one: Timetable, other: Timetable) -> bool:
    """Whether neither says that it is of another class, teacher, term or year than the other."""
    pairs = (
        (one.class_name, other.class_name),
        (one.teacher, other.teacher),
        (one.term, other.term),
        (one.year, other.year),
    )
    return all(a is None or b is None or _folded(str(a)) == _folded(str(b)) for a, b in pairs)


def _folded(text: str) -> str:
    return "".join(text.casefold().split())


def _collide(one: Timetable, other: Timetable) -> bool:
    """Whether the two fill the same hours differently: then they are of two classes, or two versions.

    On different pages, where less speaks for one class, blocks without times count as the same hour.
    """
    near = bool(set(one.pages) & set(other.pages))
    by_day: dict[Day, list[TimeBlock]] = {}
    for day, block in _dated({0: one}):
        by_day.setdefault(day, []).append(block)
    return any(
        _contradict(block, known, unknown=not near)
        for day, block in _dated({0: other})
        for known in by_day.get(day, ())
    )


def _contradict(one: TimeBlock, other: TimeBlock, *, unknown: bool) -> bool:
    """Whether two blocks of one day are at the same time and differ; ``unknown`` is the answer without times."""
    if (one.name, one.start_time, one.end_time) == (other.name, other.start_time, other.end_time):
        return False
    if one.weeks and other.weeks and one.weeks != other.weeks:
        return False
    start, other_start = minutes(one.start_time), minutes(other.start_time)
    if start is None or other_start is None:
        return unknown
    end, other_end = minutes(one.end_time) or start, minutes(other.end_time) or other_start
    return start < max(other_end, other_start + 1) and other_start < max(end, start + 1)


def _left_out(timetables: Sequence[Timetable], taken: dict[int, Timetable]) -> Iterator[str]:
    main = next(iter(taken), None)
    for number, one in enumerate(timetables):
        if number not in taken and one.timeblocks and main is not None:
            same = all(_same_class(one, other) for other in taken.values())
            why = "it fills the same hours" if same else "it is of another class, teacher, term or year"
            yield f"timetable {number + 1} of {len(timetables)} was left out ({len(one.timeblocks)} blocks): {why}"


def _dated(timetables: dict[int, Timetable]) -> Iterator[tuple[Day, TimeBlock]]:
    """Each block with its day, in order; those of no day once for each school day."""
    for timetable in timetables.values():
        for undated, blocks in groupby(timetable.timeblocks, key=lambda block: block.day is None):
            run = tuple(blocks)
            if undated:
                yield from ((day, block) for day in WEEK[:SCHOOL_DAYS] for block in run)
            else:
                yield from ((block.day, block) for block in run if block.day is not None)


# --- blocks that do not overlap -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one block as printed gives to a block of the host; ``told``: its notes say which times are printed."""

    order: int
    name: str
    notes: str | None
    weeks: str | None
    printed: str
    told: bool = False

    @property
    def remark(self) -> str | None:
        week = self.weeks and (self.weeks if self.weeks.casefold().startswith("week") else f"Week {self.weeks}")
        printed = f"printed {self.printed}" if self.told else None
        if not week and not printed:
            return self.notes
        own = ": ".join(part for part in (week, self.notes) if part)
        return "; ".join(part for part in (own, printed) if part)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A stretch of a day, in minutes after midnight, and what happens in it; a ``fixed`` time is printed in it."""

    day: Day
    start: int | None
    end: int | None
    fixed_start: bool
    fixed_end: bool
    pieces: tuple[_Piece, ...]

    @property
    def order(self) -> int:
        return min(piece.order for piece in self.pieces)

    @property
    def block(self) -> HostBlock:
        names = dict.fromkeys(piece.name for piece in self.pieces)
        return HostBlock(
            day=self.day,
            name=" / ".join(names),
            start_time=None if self.start is None else clock(self.start),
            end_time=None if self.end is None else clock(self.end),
            notes=_notes(self.pieces, named=len(names) > 1),
        )

    def until(self, end: int) -> _Slot:
        """The same, ending earlier; says so where its end is printed."""
        return replace(self, end=end, pieces=_told(self.pieces) if self.fixed_end else self.pieces)

    def after(self, start: int, *, told: bool) -> _Slot:
        """The same, beginning later."""
        return replace(self, start=start, fixed_start=False, pieces=_told(self.pieces) if told else self.pieces)

    def beside(self, other: _Slot) -> _Slot:
        """Both in one: parallel groups, or the same thing printed twice; the first week stands first."""
        return replace(
            self,
            fixed_start=self.fixed_start or other.fixed_start,
            fixed_end=self.fixed_end or other.fixed_end,
            pieces=tuple(sorted((*self.pieces, *other.pieces), key=lambda piece: (piece.weeks or "", piece.order))),
        )


def _told(pieces: Iterable[_Piece]) -> tuple[_Piece, ...]:
    return tuple(replace(piece, told=True) for piece in pieces)


def _notes(pieces: Sequence[_Piece], *, named: bool) -> str | None:
    """The remarks on all pieces, each with the name it belongs to where there are several that differ."""
    remarks = [piece.remark for piece in pieces]
    if len(set(remarks)) == 1:
        return remarks[0]
    told = [(piece.name, remark) for piece, remark in zip(pieces, remarks, strict=True) if remark]
    return "; ".join(dict.fromkeys(f"{name}: {remark}" if named else remark for name, remark in told))


def _slot(order: int, day: Day, block: TimeBlock) -> _Slot:
    """A block as a slot; one that ends before it begins has no end, and says what is printed."""
    start, end = minutes(block.start_time), minutes(block.end_time)
    piece = _Piece(order, block.name, block.notes, block.weeks, f"{block.start_time}-{block.end_time}")
    if start is not None and end is not None and start >= end:
        end, piece = None, replace(piece, told=True)
    return _Slot(day, start, end, _is_printed(block, "startTime"), _is_printed(block, "endTime"), (piece,))


def _is_printed(block: TimeBlock, field: BlockField) -> bool:
    """Whether a time stands in the block itself, or nobody knows where it comes from."""
    mark = block.fields.get(field)
    return mark is None or mark.evidence is Evidence.PRINTED


def _apart(slots: Sequence[_Slot]) -> list[_Slot]:
    """The slots of one day so that none overlaps another; those that lack a time conflict with none."""
    waiting: list[tuple[int, int, int, _Slot]] = []
    placed: list[_Slot] = []

    def keep(slot: _Slot) -> None:
        if slot.start is None or slot.end is None:
            placed.append(slot)
        else:
            heapq.heappush(waiting, (slot.start, slot.end, slot.order, slot))

    for slot in slots:
        keep(slot)
    while waiting:
        _, end, _, first = heapq.heappop(waiting)
        if not waiting or waiting[0][0] >= end:
            placed.append(first)
            continue
        for slot in _parted(first, heapq.heappop(waiting)[-1]):
            keep(slot)
    return placed


def _parted(first: _Slot, second: _Slot) -> tuple[_Slot, ...]:
    """Two overlapping slots as ones that do not; the first begins earlier or, beginning together, ends earlier.

    Each step ends a slot earlier, begins one later, or makes one of two, so that there is a last step.
    """
    assert first.end is not None, "only slots with both times overlap"
    assert second.start is not None, "only slots with both times overlap"
    assert second.end is not None, "only slots with both times overlap"
    if (first.start, first.end) == (second.start, second.end):
        return (first.beside(second),)
    if first.start == second.start:
        return first, second.after(first.end, told=True)
    if first.fixed_end and not second.fixed_start and second.end > first.end:
        return first, second.after(first.end, told=False)
    return first.until(second.start), second


# --- words in pixels ------------------------------------------------------------------------------------------------


def project_page(page: ReadPage, size: tuple[int, int] | None = None) -> OcrAnswer:
    """What is written on a page, boxes in whole pixels inside a picture of it that has ``size`` (width, height).

    Without ``size`` the picture is the page as it was uploaded.
    """
    factor = PIXELS_PER_POINT if page.unit == "pt" else 1
    width, height = size or (math.ceil(page.width * factor), math.ceil(page.height * factor))
    words = tuple(word for line in page.lines for word in _words(line) if word.confidence != 0)
    text = " ".join(word.text for word in words)
    engine = page.engine or NATIVE
    return OcrAnswer(
        text=text,
        confidence=host_confidence(OCRResult(text, 0.0, words, (), engine)),
        words=tuple(_host_word(word, (width / page.width, height / page.height), (width, height)) for word in words),
        engine=engine,
    )


def _words(line: ReadLine) -> Iterator[Word]:
    """The words of a line; what came with the document as one text is parted at its blanks."""
    for word in line.words:
        length = len(word.text)
        for match in re.finditer(r"\S+", word.text):
            share = match.start() / length, match.end() / length
            yield Word(match[0], _stretch(Box(*word.box), share, round(line.angle / 90) % 4), word.confidence)


def _stretch(box: Box, share: tuple[float, float], quarter_turns: int) -> Box:
    """The part of a box from one share of its length to another, along its reading direction."""
    start, end = share if quarter_turns < BACKWARD else (1 - share[1], 1 - share[0])
    if quarter_turns % 2:
        return box._replace(top=box.top + start * box.height, bottom=box.top + end * box.height)
    return box._replace(left=box.left + start * box.width, right=box.left + end * box.width)


def _host_word(word: Word, scale: tuple[float, float], size: tuple[int, int]) -> HostWord:
    left, right = _within(word.box.left * scale[0], word.box.right * scale[0], size[0])
    top, bottom = _within(word.box.top * scale[1], word.box.bottom * scale[1], size[1])
    return HostWord(
        text=word.text,
        confidence=1.0 if word.confidence is None else word.confidence,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
    )


def _within(start: float, end: float, size: int) -> tuple[int, int]:
    """A stretch in whole pixels, inside 0 to ``size`` and at least one long."""
    first = min(max(0, math.floor(start)), size - 1)
    return first, min(max(first + 1, math.ceil(end)), size)
