"""From pages to timetables, by rules: tables → pieces → day axes → weeks → timetables.

The rules know layouts, not schools: days across or down, one list a day, times beside the days, in each list or in
the cells. What is printed is kept as it is; what follows from the neighbours is marked as inferred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from pocai.documents.page import Box, Document, Line, Page, on_source
from pocai.settings import SchoolHours
from pocai.timetable.columns import note_columns
from pocai.timetable.day_axis import FAR
from pocai.timetable.drafts import Draft, House
from pocai.timetable.grid import find_tables
from pocai.timetable.heading import Heading, period_key, read_heading, without_key
from pocai.timetable.layout import layout_of
from pocai.timetable.name_end import recurring_codes
from pocai.timetable.naming import Context, folded, learned_from
from pocai.timetable.pieces import Piece, pieces_of
from pocai.timetable.timetable import WEEK, BlockField, Day, Evidence, HeaderField, Mark, TimeBlock, Timetable, clock
from pocai.timetable.week import Week, read_week


def assemble(document: Document, hours: SchoolHours) -> tuple[Timetable, ...]:
    """All timetables of a document, in the order of its pages; none where no page holds one."""
    return over_pages(document, lambda page: assemble_page(page, hours))


def over_pages(document: Document, read: Callable[[Page], Sequence[Timetable]]) -> tuple[Timetable, ...]:
    """The timetables that ``read`` finds on each page; days that stand on pages of their own are one week."""
    found: list[Timetable] = []
    for timetable in (timetable for page in document.pages for timetable in read(page)):
        if found and _is_next_day(timetable, found[-1]):
            found[-1] = _with_day(found[-1], timetable)
        else:
            found.append(timetable)
    return tuple(found)


def _is_next_day(timetable: Timetable, before: Timetable) -> bool:
    """Whether a page goes on with another day of the week that the pages before it began: one day a page."""
    days, known = _days(timetable), _days(before)
    whose = (timetable.class_name, timetable.teacher) == (before.class_name, before.teacher)
    return whose and len(days) == 1 and not days & {*known, None} and len(known) == len(before.pages)


def _with_day(week: Timetable, day: Timetable) -> Timetable:
    return week.model_copy(update={"timeblocks": week.timeblocks + day.timeblocks, "pages": week.pages + day.pages})


def _days(timetable: Timetable) -> set[Day | None]:
    return {block.day for block in timetable.timeblocks}


def assemble_page(page: Page, hours: SchoolHours) -> tuple[Timetable, ...]:
    """The timetables of one page."""
    tables = find_tables(page)
    pieces = pieces_of(page, tables)
    key = period_key(pieces)
    pieces = without_key(pieces, key)
    layout = layout_of(pieces, [table.box for table in tables])
    shown = [piece.swapped() for piece in pieces] if layout.turned else list(pieces)
    known = frozenset(folded(line.text) for piece in pieces for line in piece.lines)
    listed = not layout.turned and all(len(axis.entries) == 1 for group in layout.groups for axis in group)
    codes = recurring_codes(line.text for piece in pieces for line in piece.lines)
    context = Context(known, note_columns(pieces) if listed else (), codes=codes)
    cells = [(piece.lines, piece.page_box) for piece in pieces if piece.ruled and len(piece.lines) > 1]
    house = House(hours, learned_from(context, cells))
    weeks = [[read_week(axis, shown, key, house) for axis in group] for group in layout.groups]
    return timetables_of(page, pieces, weeks)


def timetables_of(
    page: Page,
    pieces: Sequence[Piece],
    weeks: Sequence[Sequence[Week]],
    heading: Callable[[Sequence[Line]], Heading] = read_heading,
) -> tuple[Timetable, ...]:
    """A timetable for each group of weeks, with the ``heading`` that the other lines of the page give it."""
    used = {line for group in weeks for week in group for line in week.used}
    around = [line for piece in pieces for line in piece.lines if id(line) not in used]
    timetables = [_timetable(group, heading(_own_lines(around, group, weeks)), page) for group in weeks]
    return tuple(timetable for timetable in timetables if _is_timetable(timetable))


def _is_timetable(timetable: Timetable) -> bool:
    """Whether there is more to it than a text that happens to name a day or a time."""
    blocks = timetable.timeblocks
    return len(_days(timetable)) > 1 or sum(block.start_time is not None for block in blocks) > 1


def _own_lines(around: Sequence[Line], group: Sequence[Week], groups: Sequence[Sequence[Week]]) -> list[Line]:
    """The lines that speak for one timetable of a page: those just above it first, then those above all of them."""
    tops = sorted({_top(week) for weeks in groups for week in weeks})
    own = min(_top(week) for week in group)
    before = max((top for top in tops if top < own - 1), default=-FAR)
    near = [line for line in around if before < line.box.center[1] <= own and _nearest(line, own, groups) is group]
    above = [line for line in around if line.box.center[1] <= tops[0] and line not in near]
    below = [line for line in around if line.box.center[1] > tops[-1]]
    return near + above + below


def _nearest(line: Line, top: float, groups: Sequence[Sequence[Week]]) -> Sequence[Week]:
    """Of timetables side by side, the one above which a line stands."""
    beside = [group for group in groups if abs(min(_top(week) for week in group) - top) < line.box.height]
    return min(beside, key=lambda group: abs(_middle(group) - line.box.center[0]))


def _middle(group: Sequence[Week]) -> float:
    boxes = [draft.piece.page_box for week in group for draft in week.drafts]
    return Box.around(boxes).center[0] if boxes else FAR


def _top(week: Week) -> float:
    """Where a week begins on the page."""
    labels = [entry.label.page_box.top for entry in week.axis.entries if entry.label]
    drawn = [draft.piece.page_box.top for draft in week.drafts]
    return min([*labels, *drawn], default=-FAR)


def _timetable(weeks: Sequence[Week], heading: Heading, page: Page) -> Timetable:
    blocks = [block for week in weeks for draft in week.drafts for block in _blocks(draft, page, heading.weeks)]
    blocks.sort(key=lambda block: WEEK.index(block.day) if block.day else -1)
    ordered = [b for _, day in groupby(blocks, key=lambda block: block.day) for b in sorted(day, key=_when)]
    header: dict[HeaderField, Mark] = {
        name: _mark(page, [line], Evidence.PRINTED) for name, line in heading.lines.items()
    }
    values = heading.values
    class_name = next((week.axis.title for week in weeks if week.axis.title), values.get("className"))
    return Timetable(
        teacher=values.get("teacher"),
        class_name=class_name,
        term=values.get("term"),
        year=heading.year,
        title=values.get("title"),
        timeblocks=tuple(ordered),
        pages=(page.number,),
        fields=header,
    )


def _when(block: TimeBlock) -> tuple[bool, str]:
    return block.start_time is None, block.start_time or ""


def _blocks(draft: Draft, page: Page, weeks: str | None) -> list[TimeBlock]:
    """A block for each day of the draft; one without a day where the page names none."""
    words, timing = draft.wording, draft.timing
    name = _mark(page, words.name_lines, Evidence.PRINTED, _printed_box(draft))
    marks: dict[BlockField, Mark] = {"name": name}
    if words.notes:
        marks["notes"] = _mark(page, words.note_lines, Evidence.PRINTED)
    edges: tuple[tuple[BlockField, int | None, Evidence], ...] = (
        ("startTime", timing.start, timing.start_from),
        ("endTime", timing.end, timing.end_from),
    )
    for field, minute, evidence in edges:
        if minute is not None:
            printed = evidence is Evidence.PRINTED
            label = draft.time_labels[0 if field == "startTime" else -1 :][:1]
            lines = words.time_lines if printed else [line for piece in label for line in piece.lines]
            marks[field] = _mark(page, lines or words.name_lines, evidence)
    blocks = []
    for entry in draft.entries:
        for day in entry.days or (None,):
            own = dict(marks)
            if entry.label is not None and day is not None:
                own["day"] = _mark(page, entry.label.lines, Evidence.HEADER)
            blocks.append(
                TimeBlock(
                    day=day,
                    name=words.name,
                    start_time=_clock(timing.start),
                    end_time=_clock(timing.end),
                    notes=words.notes,
                    weeks=weeks,
                    fields=own,
                )
            )
    return blocks


def _clock(minute: int | None) -> str | None:
    return None if minute is None else clock(minute % 1440)


def _printed_box(draft: Draft) -> Box:
    return draft.piece.page_box


def _mark(page: Page, lines: Sequence[Line], evidence: Evidence, box: Box | None = None) -> Mark:
    scores = [line.confidence for line in lines if line.confidence is not None]
    around = box or Box.around(line.box for line in lines)
    return Mark(
        page=page.number,
        box=tuple(round(value, 1) for value in on_source(around, page.to_source)),
        evidence=evidence,
        reading_score=round(min(scores), 4) if scores else None,
    )
