"""Bands: one long list of the week, the name of each day beside its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from pocai.synthetic.document import Drawing, Sheet
from pocai.synthetic.fonts import Face
from pocai.synthetic.layouts.body import table_body
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.job import Setup, job_of
from pocai.synthetic.layouts.listing import ListStyle, list_style_of, list_table
from pocai.synthetic.layouts.table import Cell, Table
from pocai.synthetic.layouts.tracks import Group, Span, Tracks
from pocai.synthetic.made import Made

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "bands"


def accepts(made: Made) -> bool:
    """Weeks whose days are named and whose events have times."""
    named = len(made.days) > 1 and all(day.label for day in made.days)
    return named and all(entry.time for entry in made.entries)


def draw(made: Made, faces: Sequence[Face], rng: Generator) -> Drawing:
    """The week as one table with a band for each day."""
    job = job_of((made,), faces, rng)
    style = replace(list_style_of(made, rng, across=1), heads=False, notes="beside")
    angle = 270 if happens(rng, 0.35) else 0
    job = replace(job, look=job.look.turned(landscape=happens(rng, 0.1)))
    return job.run(NAME, partial(_sheet, style, angle))


def _sheet(style: ListStyle, angle: int, setup: Setup) -> Sequence[Sheet | None]:
    return (setup.sheet(partial(table_body, _table(style, angle, setup), setup.look)),)


def _table(style: ListStyle, angle: int, setup: Setup) -> Table:
    """The lists of the days below each other, without their first row, behind a column of the days' names."""
    printer = setup.printer()
    days = printer.made.days
    lists = [list_table(printer, column, style) for column in range(len(days))]
    counts = [len(each.rows.groups) - 1 for each in lists]
    cells: list[Cell] = []
    for day, (table, count, first) in enumerate(zip(lists, counts, (0, *accumulate(counts)), strict=False)):
        if not count:
            continue
        cells.append(
            Cell(Span(first, first + count), Span(0, 1), printer.day(day), setup.look.side_fill, angle=angle, head=True)
        )
        cells += [_moved(cell, first - 1) for cell in table.cells if not cell.head]
    columns = Tracks((Group(weight=0.0), *lists[0].columns.groups))
    return Table(columns, Tracks(tuple(Group() for _ in range(sum(counts)))), tuple(cells), setup.look.pad, "tight")


def _moved(cell: Cell, down: int) -> Cell:
    """The cell further down, behind the column of days."""
    rows, columns = cell.rows, cell.columns
    return replace(
        cell, rows=Span(rows.first + down, rows.end + down), columns=Span(columns.first + 1, columns.end + 1)
    )
