"""The week as a grid: days along one axis, slots along the other, events in the cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pocai.synthetic.layouts.chance import happens, pick
from pocai.synthetic.layouts.look import Look
from pocai.synthetic.layouts.palette import faded
from pocai.synthetic.layouts.table import Cell, Table
from pocai.synthetic.layouts.tiling import Tile, Tiling, tiling_of
from pocai.synthetic.layouts.tracks import Group, Span, Tracks
from pocai.synthetic.layouts.words import BREAKS, Printer
from pocai.synthetic.made import Made
from pocai.synthetic.setting import Phrase, Valign

if TYPE_CHECKING:
    from numpy.random import Generator

    from pocai.documents.page import Color

LabelPart = Literal["label", "time", "start", "end"]
DayForm = Literal["label", "short", "letter"]
Bars = Literal["flat", "up", "down", "stacked"]

ANGLES = {"flat": 0, "up": 270, "down": 90, "stacked": 0}
BREAK_WEIGHT = 0.4  # of a break's slot among those of lessons


@dataclass(frozen=True, slots=True)
class GridStyle:
    """How a grid is built.

    ``down``: days run down the page. ``labels``: what stands in each column (or row) of slot labels. ``merged``: a bar
    is one cell over its days. ``side``: parallel groups side by side, else in one cell. ``bars``: how the text of bars
    runs in a table whose days run down. ``whole``: a slot that is named by its label is one bar over label and days.
    ``slot_angle`` and ``day_angle`` turn the labels. ``by_minutes``: slots are as long as they last.
    """

    down: bool = False
    labels: tuple[tuple[LabelPart, ...], ...] = (("label", "time"),)
    merged: bool = True
    side: bool = True
    bars: Bars = "flat"
    whole: bool = False
    spaced: bool = False
    day_form: DayForm = "label"
    slot_angle: int = 0
    day_angle: int = 0
    by_minutes: bool = False
    label_valign: Valign = "middle"


def grid_style_of(made: Made, rng: Generator, *, down: bool) -> GridStyle:
    """A way to build the grid of a made timetable."""
    shorts = all(day.short for day in made.days)
    return GridStyle(
        down=down,
        labels=_labels_of(made, rng, down=down),
        merged=happens(rng, 0.85),
        side=happens(rng, 0.75),
        bars=pick(rng, ("flat", "up", "down", "stacked"), (0.1, 0.6, 0.18, 0.12)) if down else "flat",
        whole=not down and happens(rng, 0.35),
        spaced=happens(rng, 0.06),
        day_form="short" if shorts and happens(rng, 0.25) else "label",
        slot_angle=pick(rng, (0, 270, 90), (0.84, 0.13, 0.03)) if down else 0,
        day_angle=pick(rng, (0, 270, 90), (0.88, 0.1, 0.02)) if down else 0,
        by_minutes=happens(rng, 0.2),
    )


def _labels_of(made: Made, rng: Generator, *, down: bool) -> tuple[tuple[LabelPart, ...], ...]:
    ended = any(slot.printed_end for slot in made.axis)
    ways: list[tuple[tuple[LabelPart, ...], ...]] = [(("label", "time"),), (("label",), ("time",))]
    weights = [0.5, 0.4]
    if ended and not down:
        ways += [(("label",), ("start",), ("end",)), (("label",), ("start", "end"))]
        weights += [0.08, 0.02]
    return pick(rng, ways, weights)


def _printed_parts(made: Made, labels: tuple[tuple[LabelPart, ...], ...]) -> tuple[tuple[LabelPart, ...], ...]:
    """The labels without the parts that no slot of a timetable prints, and without columns that are empty then."""
    present: set[LabelPart] = {"label"} if any(slot.label for slot in made.axis) else set()
    present |= {"time", "start", "end"} if any(slot.printed for slot in made.axis) else set()
    kept = (tuple(part for part in group if part in present) for group in labels)
    return tuple(group for group in kept if group)


def grid_table(printer: Printer, style: GridStyle) -> Table:
    """The week of a printer as a table."""
    return _Grid(printer, style).table()


class _Grid:
    """Builds one table; in it "rows" are always those of the page."""

    def __init__(self, printer: Printer, style: GridStyle) -> None:
        self._printer, self._style = printer, style
        self._look: Look = printer.look
        self._made = printer.made
        self._tiling: Tiling = tiling_of(printer.made, merged=style.merged, side=style.side)
        self._labels = _printed_parts(printer.made, style.labels)
        self._heads = len(self._labels)  # tracks of slot labels
        self._whole = {i for i in range(len(self._made.axis)) if style.whole and self._tiling.only_labelled(i)}

    def table(self) -> Table:
        look, down = self._look, self._style.down
        slots = (Group(weight=0.0), *self._slot_groups())  # before them the track of the days' names
        days = (*(Group(weight=0.0) for _ in range(self._heads)), *self._tiling.days.groups)
        rows, columns = (days, slots) if down else (slots, days)
        cells = (*self._corner(), *self._day_heads(), *self._slot_heads(), *self._body(), *self._empty())
        return Table(Tracks(columns), Tracks(rows), cells, look.pad, look.stretch)

    def _slot_groups(self) -> Iterator[Group]:
        for index, (slot, group) in enumerate(zip(self._made.axis, self._tiling.slots.groups, strict=True)):
            weight = 1.0
            if self._style.by_minutes and slot.start is not None and slot.end is not None:
                weight = max(15, slot.end - slot.start) / 60
            elif self._tiling.narrow(index):
                weight = BREAK_WEIGHT
            yield replace(group, weight=weight)

    def _cell(self, slots: Span, days: Span, phrases: tuple[Phrase, ...], fill: Color | None, **how: object) -> Cell:
        """A cell at tracks that count the labels too."""
        rows, columns = (days, slots) if self._style.down else (slots, days)
        look = self._look
        where = {"align": look.align, "valign": look.valign} | how
        return Cell(rows, columns, phrases, fill, **where)  # type: ignore[arg-type]  # named above

    def _corner(self) -> Iterator[Cell]:
        heading, look, printer = self._made.heading, self._look, self._printer
        for index, parts in enumerate(self._labels):
            text = heading.times_head if "label" not in parts else heading.periods_head or heading.times_head
            if self._heads == 1 and heading.corner:
                text = heading.corner
            phrases = (printer.phrase(text, look.label, "other"),) if text else ()
            yield self._cell(Span(0, 1), Span(index, index + 1), phrases, look.head_fill, head=True)

    def _day_heads(self) -> Iterator[Cell]:
        look, style = self._look, self._style
        for index, day in enumerate(self._made.days):
            span = self._tiling.days.span(index)
            text = {"label": day.label, "short": day.short, "letter": day.letter}[style.day_form] or day.label
            phrases = self._printer.day(index, text)
            days = Span(span.first + self._heads, span.end + self._heads)
            fill = look.side_fill if style.down else look.head_fill
            angle = style.day_angle
            yield self._cell(Span(0, 1), days, phrases, fill, align="center", valign="middle", angle=angle, head=True)

    def _slot_heads(self) -> Iterator[Cell]:
        look, style = self._look, self._style
        fill = look.head_fill if style.down else look.side_fill
        for index in range(len(self._made.axis)):
            span = self._tiling.slots.span(index)
            slots = Span(span.first + 1, span.end + 1)
            if index in self._whole:
                yield self._bar(index, slots)
                continue
            for number, parts in enumerate(self._labels):
                phrases = tuple(phrase for part in parts for phrase in self._label(index, part))
                align = "center" if style.down or look.align == "center" else "left"
                days = Span(number, number + 1)
                how = {"align": align, "valign": style.label_valign, "angle": style.slot_angle, "head": True}
                yield self._cell(slots, days, phrases, fill, **how)

    def _bar(self, index: int, slots: Span) -> Cell:
        """A slot whose label names its event, as one cell over labels and days."""
        phrases = [phrase for part in ("label", "time") for phrase in self._label(index, part)]
        joined = (*phrases[:1], *(replace(phrase, joined=True) for phrase in phrases[1:]))
        end = self._heads + sum(len(group.parts) for group in self._tiling.days.groups)
        return self._cell(slots, Span(0, end), joined, self._look.break_fill, align="center", head=True)

    def _label(self, index: int, part: LabelPart) -> tuple[Phrase, ...]:
        slot, printer = self._made.axis[index], self._printer
        if part == "label":
            return printer.slot_label(index)
        texts = {"time": slot.printed, "start": slot.printed_start, "end": slot.printed_end}
        return printer.slot_time(index, texts[part])

    def _body(self) -> Iterator[Cell]:
        for tile in self._tiling.tiles:
            slots = Span(tile.slots.first + 1, tile.slots.end + 1)
            days = Span(tile.days.first + self._heads, tile.days.end + self._heads)
            bar = self._is_bar(tile)
            phrases = self._bar_phrases(tile) if bar else self._phrases(tile)
            how: dict[str, object] = {}
            if bar:
                how = {"align": "center", "valign": "middle", "angle": ANGLES[self._style.bars]}
            yield self._cell(slots, days, phrases, self._fill(tile), **how)

    def _is_bar(self, tile: Tile) -> bool:
        """Whether a tile is long and narrow, so that its text runs along it."""
        days = len(self._tiling.days.shares(tile.days))
        slots = len(self._tiling.slots.shares(tile.slots))
        return days > 2 * slots and len(tile.entries) == 1

    def _phrases(self, tile: Tile) -> tuple[Phrase, ...]:
        phrases: list[Phrase] = []
        for entry, blocks in zip(tile.entries, tile.blocks, strict=True):
            own = self._printer.entry(entry, blocks, time=entry.time if entry.own_time else "")
            gap = 0.5 if phrases else 0.0
            phrases += [replace(own[0], above=gap, joined=False), *own[1:]]
        return tuple(phrases)

    def _bar_phrases(self, tile: Tile) -> tuple[Phrase, ...]:
        phrases = self._phrases(tile)
        stacked = self._style.down and self._style.bars == "stacked"
        if stacked and len(phrases) == 1 and len(phrases[0].text) <= 12 and " " not in phrases[0].text:  # noqa: PLR2004 - letters
            return (replace(phrases[0], stacked=True),)
        if self._style.spaced and not self._style.down and len(phrases) == 1 and phrases[0].text.isalpha():
            return (replace(phrases[0], text=" ".join(phrases[0].text)),)
        if self._style.down:
            return phrases
        return (phrases[0], *(replace(phrase, joined=True) for phrase in phrases[1:]))

    def _fill(self, tile: Tile) -> Color | None:
        look, entry = self._look, tile.entries[0]
        if look.tint == "none":
            return None
        if entry.kind in BREAKS or self._is_bar(tile):
            return look.break_fill
        if look.tint == "given":
            return entry.color
        return look.palette.tint(entry.name) if look.tint == "subject" else None

    def _empty(self) -> Iterator[Cell]:
        made, look = self._made, self._look
        filler = (self._printer.phrase(made.filler, look.note, "other"),) if made.filler else ()
        for slots, days in self._tiling.empty():
            touched = set(self._tiling.slots.shares(slots))
            if touched & self._whole:
                continue
            breaks = all(self._tiling.only_labelled(index) for index in touched)
            fill = look.break_fill if breaks else None
            if fill is None and look.rules.kind == "none":
                fill = faded(look.palette.second, 0.6)
            phrases = () if breaks else filler
            moved = Span(slots.first + 1, slots.end + 1), Span(days.first + self._heads, days.end + self._heads)
            yield self._cell(*moved, phrases, fill, align="center")
