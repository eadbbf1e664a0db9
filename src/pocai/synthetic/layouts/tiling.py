"""Where the entries of a made timetable lie among slots and days, as tracks of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import floor, lcm
from typing import NamedTuple

from pocai.synthetic.layouts.tracks import Group, Span, Tracks
from pocai.synthetic.layouts.words import BREAKS, blocks_in
from pocai.synthetic.made import Entry, Made

NEAR = 1e-6  # of a slot
MOST_LANES = 12


class Tile(NamedTuple):
    """Entries printed in one place (several only where they share a cell), the blocks of each, and its tracks."""

    entries: tuple[Entry, ...]
    blocks: tuple[tuple[int, ...], ...]
    slots: Span
    days: Span


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiles of a week; ``slots`` and ``days`` are tracks (an entry may fill a part of a slot or of a day)."""

    made: Made
    slots: Tracks
    days: Tracks
    tiles: tuple[Tile, ...]

    def empty(self) -> Iterator[tuple[Span, Span]]:
        """What no tile covers, as spans of slots and days: whole cells where nothing is in them, else parts."""
        covered = {(slot, day) for tile in self.tiles for slot in range(*tile.slots) for day in range(*tile.days)}
        for slot in range(len(self.slots.groups)):
            for day in range(len(self.days.groups)):
                rows, columns = self.slots.span(slot), self.days.span(day)
                free = [(r, c) for r in range(*rows) for c in range(*columns) if (r, c) not in covered]
                if len(free) == (rows.end - rows.first) * (columns.end - columns.first):
                    yield rows, columns
                else:
                    yield from ((Span(r, r + 1), Span(c, c + 1)) for r, c in free)

    def only_labelled(self, slot: int) -> bool:
        """Whether the events of a slot are named by its label, and nothing else takes place in it."""
        span = self.slots.span(slot)
        named = any(entry.in_axis and entry.first == slot for entry in self.made.entries)
        return named and not any(tile.slots.first < span.end and span.first < tile.slots.end for tile in self.tiles)

    def narrow(self, slot: int) -> bool:
        """Whether a slot holds nothing but breaks, and bars over most of the days."""
        span = self.slots.span(slot)
        inside = [tile for tile in self.tiles if tile.slots.first < span.end and span.first < tile.slots.end]
        if self.made.axis[slot].kind in BREAKS and all(tile.entries[0].kind in BREAKS for tile in inside):
            return True
        most = max(1, len(self.days.groups) // 2)
        return bool(inside) and all(len(self.days.shares(tile.days)) > most for tile in inside)


def tiling_of(made: Made, *, merged: bool, side: bool) -> Tiling:
    """The tiles of a week: ``merged`` joins the days of a bar, ``side`` sets parallel groups side by side."""
    shown = [entry for entry in made.entries if not entry.in_axis]
    runs = [run for entry in shown for run in _runs(made, entry, merged=merged)]
    together = [] if side else _together(runs)
    apart = [run for run in runs if not any(run in group for group in together)]
    cuts = _cuts(made, shown)
    slots = Tracks(tuple(Group(tuple(b - a for a, b in pairwise((0.0, *each, 1.0)))) for each in cuts))
    days = Tracks(tuple(Group((1 / lanes,) * lanes) for lanes in _lanes(made, apart)))
    tiles = [_tile([run], cuts, days) for run in apart]
    tiles += [_tile(group, cuts, days) for group in together]
    tiles.sort(key=lambda tile: (tile.slots.first, tile.days.first))
    return Tiling(made, slots, days, tuple(tiles))


class _Run(NamedTuple):
    """An entry on neighbouring columns."""

    entry: Entry
    columns: tuple[int, ...]
    blocks: tuple[int, ...]


def _runs(made: Made, entry: Entry, *, merged: bool) -> Iterator[_Run]:
    columns: list[int] = []
    for column in entry.columns:
        if columns and (column != columns[-1] + 1 or not merged or entry.lanes > 1):
            yield _run(made, entry, columns)
            columns = []
        columns.append(column)
    yield _run(made, entry, columns)


def _run(made: Made, entry: Entry, columns: list[int]) -> _Run:
    blocks = tuple(block for column in columns for block in blocks_in(made, entry, column))
    return _Run(entry, tuple(columns), blocks)


def _together(runs: list[_Run]) -> list[list[_Run]]:
    """The runs that share one cell with all of their fellows."""
    groups: dict[tuple[object, ...], list[_Run]] = {}
    for run in runs:
        if run.entry.lanes > 1:
            entry = run.entry
            groups.setdefault((run.columns, entry.first, entry.count, entry.share), []).append(run)
    return [
        sorted(group, key=lambda run: run.entry.lane) for group in groups.values() if len(group) == group[0].entry.lanes
    ]


def _ends(entry: Entry) -> tuple[float, float]:
    """Begin and end on the axis, in slots."""
    return entry.first + entry.share[0] * entry.count, entry.first + entry.share[1] * entry.count


def _cuts(made: Made, entries: list[Entry]) -> list[tuple[float, ...]]:
    """For each slot the shares of it at which an entry begins or ends."""
    cuts: list[set[float]] = [set() for _ in made.axis]
    for entry in entries:
        for end in _ends(entry):
            share = round(end - floor(end), 6)
            if NEAR < share < 1 - NEAR:
                cuts[floor(end)].add(share)
    return [tuple(sorted(each)) for each in cuts]


def _lanes(made: Made, runs: list[_Run]) -> list[int]:
    """For each day the number of parts that its column is split into."""
    lanes = [1] * len(made.days)
    for run in runs:
        for column in run.columns:
            common = lcm(lanes[column], run.entry.lanes)
            lanes[column] = common if common <= MOST_LANES else max(lanes[column], run.entry.lanes)
    return lanes


def _tile(runs: list[_Run], cuts: list[tuple[float, ...]], days: Tracks) -> Tile:
    entry, columns, _ = runs[0]
    starts = [0, *accumulate(len(each) + 1 for each in cuts)]

    def track(end: float) -> int:
        slot = min(floor(end + NEAR), len(cuts))
        inside = sum(cut <= end - slot + NEAR for cut in cuts[slot]) if slot < len(cuts) else 0
        return starts[slot] + inside

    first, last = days.span(columns[0]), days.span(columns[-1])
    span = Span(first.first, last.end)
    if len(runs) == 1 and entry.lanes > 1:
        parts = span.end - span.first
        span = Span(
            span.first + parts * entry.lane // entry.lanes, span.first + parts * (entry.lane + 1) // entry.lanes
        )
    begin, end = _ends(entry)
    return Tile(
        tuple(run.entry for run in runs), tuple(run.blocks for run in runs), Span(track(begin), track(end)), span
    )
