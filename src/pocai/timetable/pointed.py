"""What a model says of a page: the role of each line and which lines belong together; and the events in that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocai.documents.page import Box, Cell, Line, Page, Table
from pocai.timetable.times import find_times

BODY = frozenset({"event", "note", "break"})
NAMES = frozenset({"event", "break"})
LABELS = frozenset({"time", "period"})
DAYS = frozenset({"day"})

Pairs = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pointed:
    """What a model says of a page.

    ``roles`` are those of ``lines``, as `pocai.synthetic.document.Role` names them; ``related`` ``(N, N)`` is true for
    two lines that belong to a common block. Whether the lines of an event are name or note is left to `naming` where
    one of them is in ``doubtful``, by number.
    """

    page: Page
    tables: tuple[Table, ...]
    lines: tuple[Line, ...]
    roles: tuple[str, ...]
    related: Pairs
    doubtful: frozenset[int] = frozenset()

    def numbers(self, roles: frozenset[str]) -> list[int]:
        """The lines in any of these roles."""
        return [number for number, role in enumerate(self.roles) if role in roles]

    def cells(self) -> dict[int, Cell]:
        """The cell around each line, by the line's identity."""
        return {id(line): cell for table in self.tables for cell in table.cells for line in cell.lines}


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one event, and the day and time labels that it stands under; all by number."""

    lines: tuple[int, ...]
    days: tuple[int, ...]
    times: tuple[int, ...]


def groups_of(pointed: Pointed) -> list[Group]:
    """The events of a page: body lines that belong to a common block, with the labels that they share it with.

    A time that belongs to one event alone, and is the only one that does, is that event's own line; not one in line
    with the labels of the week, and not the start of a bar across several days among other starts.
    """
    body, days, times = (pointed.numbers(roles) for roles in (BODY, DAYS, LABELS))
    parts = _connected(body, pointed.related)
    stands_for = {time: [n for n, part in enumerate(parts) if pointed.related[time, part].any()] for time in times}
    common = [time for time in times if len(stands_for[time]) > 1]
    groups = []
    for number, part in enumerate(parts):
        under = [day for day in days if pointed.related[day, part].any()]
        beside = [time for time in times if number in stands_for[time]]
        own = [time for time in beside if stands_for[time] == [number] and pointed.roles[time] == "time"]
        axis = len(own) == 1 and (
            in_line(pointed, own[0], common) or (len(under) > 1 and _starts(pointed, own, common))
        )
        if len(own) == 1 and not axis and (not common or _within(pointed, own[0], part)):
            part.extend(own)
            beside = [] if not common else [time for time in beside if time not in own]
        groups.append(Group(tuple(sorted(part)), tuple(under), tuple(beside)))
    return groups


def _starts(pointed: Pointed, own: Sequence[int], common: Sequence[int]) -> bool:
    """Whether a time is a start without an end, as all labels are that stand for several events."""
    ends = [any(span.end for span in find_times(pointed.lines[other].text)) for other in (*own, *common)]
    return len(common) > 1 and not any(ends)


def in_line(pointed: Pointed, time: int, common: Sequence[int]) -> bool:
    """Whether a time stands in the row or column of labels that stand for several events."""
    box, others = pointed.lines[time].box, [pointed.lines[other].box for other in common]
    down = sum(min(box.right, other.right) > max(box.left, other.left) for other in others)
    across = sum(min(box.bottom, other.bottom) > max(box.top, other.top) for other in others)
    return bool(others) and 2 * max(down, across) > len(others)


def _within(pointed: Pointed, time: int, part: Sequence[int]) -> bool:
    """Whether a time stands among the lines of an event: near them, and not at the side of the page."""
    around, box = Box.around(pointed.lines[number].box for number in part), pointed.lines[time].box
    slack = 1.5 * min(box.width, box.height)
    return not (
        box.left > around.right + slack
        or box.right < around.left - slack
        or box.top > around.bottom + slack
        or box.bottom < around.top - slack
    )


def _connected(numbers: Sequence[int], related: Pairs) -> list[list[int]]:
    """Numbers in groups of those that are related, directly or through others."""
    left, groups = list(numbers), []
    while left:
        group, open_ends = [], [left.pop(0)]
        while open_ends:
            number = open_ends.pop()
            group.append(number)
            open_ends += [other for other in left if related[number, other]]
            left = [other for other in left if not related[number, other]]
        groups.append(group)
    return groups
