"""A timetable as a coloured week for the terminal: days across, starts down, everything that is printed visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pocai.timetable.timetable import TimeBlock, Timetable

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLORS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
NARROWEST_DAY = 11  # characters; with less a grid tears names apart, and a list for each day reads better
ROOMY_DAY = 18  # characters; with less every one goes to the names, none to the space around them
TIMES_WIDTH = 8  # characters of the column of times and the frame, at the least
OVERLAP = "bold red"


def week(timetable: Timetable, *, width: int) -> RenderableType:
    """The timetable as a grid of ``width`` characters, or as a list for each day where a grid does not fit."""
    blocks = timetable.timeblocks
    days = _days(blocks)
    parts: list[RenderableType] = [_title(timetable)]
    colors = _colors(blocks)
    if days:
        if width - TIMES_WIDTH < len(days) * NARROWEST_DAY:
            parts.append(_lists(blocks, days, colors))
        else:
            parts.append(_grid(blocks, days, colors, tight=width - TIMES_WIDTH < len(days) * ROOMY_DAY))
    unnamed = [block for block in blocks if block.day is None]
    if unnamed:
        parts.append(_list("No day named", unnamed, colors))
    return Group(*parts)


def printable(text: str) -> str:
    """``text`` without control characters, which would otherwise steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def overlapping(blocks: Sequence[TimeBlock]) -> frozenset[int]:
    """Indices of the blocks that share time with another one of the same day and weeks."""
    timed = sorted(
        (block.day or "", block.start_time, block.end_time, index)
        for index, block in enumerate(blocks)
        if block.start_time and block.end_time
    )
    return frozenset(
        index
        for position, (day, start, end, first) in enumerate(timed)
        for other_day, other_start, other_end, second in timed[position + 1 :]
        if day == other_day and max(start, other_start) < min(end, other_end)
        if not _other_weeks(blocks[first], blocks[second])
        for index in (first, second)
    )


def _other_weeks(first: TimeBlock, second: TimeBlock) -> bool:
    return first.weeks is not None and second.weeks is not None and first.weeks != second.weeks


def _days(blocks: Sequence[TimeBlock]) -> list[str]:
    """Monday to Friday, and of the weekend what is used; none where no block names a day."""
    used = {block.day for block in blocks if block.day}
    return [day for day in WEEK if day in used or (used and day in WEEK[:5])]


def _colors(blocks: Sequence[TimeBlock]) -> dict[str, str]:
    names = dict.fromkeys(block.name.casefold() for block in blocks)
    return {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}


def _title(timetable: Timetable) -> Text:
    head = [timetable.title, timetable.class_name, timetable.teacher, timetable.term, timetable.year]
    return Text(printable("  ·  ".join(str(part) for part in head if part)) or "Timetable", style="bold")


def _grid(blocks: Sequence[TimeBlock], days: Sequence[str], colors: dict[str, str], *, tight: bool) -> Table:
    padding = (0, 0) if tight else (0, 1)
    table = Table(box=box.ROUNDED, show_lines=True, expand=True, header_style="bold", padding=padding)
    table.add_column("", no_wrap=True, style="dim")
    for day in days:
        table.add_column(day, ratio=1, overflow="fold")
    clashing = {id(blocks[index]) for index in overlapping(blocks)}
    for start in sorted({block.start_time for block in blocks if block.day}, key=lambda time: time or "99"):
        row = [block for block in blocks if block.day and block.start_time == start]
        common = Counter(block.end_time for block in row).most_common(1)[0][0]
        cells = []
        for day in days:
            here = [_entry(block, common, colors, id(block) in clashing) for block in row if block.day == day]
            cells.append(Text("\n").join(here or _running(blocks, day, start, colors)))
        time = _span(start, common)
        table.add_row(time.replace("–", "\n–") if tight else time, *cells)
    return table


def _running(blocks: Sequence[TimeBlock], day: str, start: str | None, colors: dict[str, str]) -> Iterator[Text]:
    """A mark for each block that began earlier and still runs at ``start``."""
    for block in blocks:
        if (
            block.day == day
            and start
            and block.start_time
            and block.end_time
            and block.start_time < start < block.end_time
        ):
            yield Text("↓", style=colors[block.name.casefold()])


def _entry(block: TimeBlock, common_end: str | None, colors: dict[str, str], clashes: bool) -> Text:
    text = Text(printable(block.name), style=OVERLAP if clashes else f"bold {colors[block.name.casefold()]}")
    if block.weeks:
        text.append(f" [{printable(block.weeks)}]", style="dim")
    if block.end_time != common_end:
        text.append(f"\nto {block.end_time or '?'}", style="not bold")
    if clashes:
        text.append(" overlaps", style="not bold italic")
    if block.notes:
        text.append(f"\n{printable(block.notes)}", style="not bold dim italic")
    return text


def _lists(blocks: Sequence[TimeBlock], days: Sequence[str], colors: dict[str, str]) -> Group:
    clashing = {id(blocks[index]) for index in overlapping(blocks)}
    of_day = {day: [block for block in blocks if block.day == day] for day in days}
    return Group(*(_list(day, rows, colors, clashing) for day, rows in of_day.items() if rows))


def _list(
    title: str, blocks: Sequence[TimeBlock], colors: dict[str, str], clashing: set[int] | frozenset[int] = frozenset()
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("Time", no_wrap=True, style="dim")
    table.add_column("What", overflow="fold")
    for block in sorted(blocks, key=lambda block: block.start_time or "99"):
        entry = _entry(block, block.end_time, colors, id(block) in clashing)
        table.add_row(_span(block.start_time, block.end_time), entry)
    return table


def _span(start: str | None, end: str | None) -> str:
    if start is None:
        return "no time"
    return f"{start}–{end}" if end else start
