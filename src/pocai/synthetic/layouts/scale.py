"""The week on a scale of time: every event is a box that is as long as it lasts, and free time shows as a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from pocai.documents.page import Box
from pocai.synthetic.document import Panel, Stroke, Text
from pocai.synthetic.layouts.chance import between, happens, pick
from pocai.synthetic.layouts.listing import Item, items_of
from pocai.synthetic.layouts.palette import faded
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import SLACK
from pocai.synthetic.layouts.words import BREAKS, Printer
from pocai.synthetic.made import Made
from pocai.synthetic.setting import Paragraphs, Phrase, Place, height, placed, set_in, width

if TYPE_CHECKING:
    from numpy.random import Generator

    from pocai.documents.page import Color

SIZES = (1.0, 0.9, 0.8, 0.72, 0.65)  # of letters in a box that is small for its words
SMALLEST = 5.0  # points of letters in a box
FINE = 0.4  # points of lines at the hours
SHORTEST = 10  # minutes; events that are shorter leave no room for their names
STRIPE = 2.5  # points


def scalable(made: Made) -> bool:
    """Whether a week can be drawn on a scale with the time of each event in its box."""
    named = all(day.label for day in made.days)
    return named and all(entry.time and entry.end - entry.start >= SHORTEST for entry in made.entries)


@dataclass(frozen=True, slots=True)
class ScaleStyle:
    """How a scale is drawn.

    ``hours`` are printed down the side; ``lines`` are fine lines at them and between the days; ``border`` of the boxes
    in points, 0 for none; ``stripe``: a bar of colour at the left of each box. ``inset`` parts neighbouring boxes.
    """

    hours: bool
    lines: bool
    border: float
    stripe: bool
    inset: float


def scale_style_of(rng: Generator, *, hours: bool, lines: bool = False) -> ScaleStyle:
    """A way to draw a scale, with ``lines`` at least where they are asked for."""
    return ScaleStyle(
        hours=hours,
        lines=lines or happens(rng, 0.3),
        border=pick(rng, (0.0, 0.5, 0.75, 1.0), (0.45, 0.25, 0.2, 0.1)),
        stripe=happens(rng, 0.15),
        inset=between(rng, 0.4, 1.6),
    )


class _Axes(NamedTuple):
    """From minutes and days to points: minute ``first`` is at ``top``, the first day at ``left``."""

    first: int
    last: int
    unit: float  # points to a minute
    head: float  # height of the days' names
    top: float
    left: float
    day: float  # width of a day

    def y(self, minute: float) -> float:
        return self.top + (minute - self.first) * self.unit

    def x(self, day: float) -> float:
        return self.left + day * self.day


class _Boxed(NamedTuple):
    item: Item
    box: Box


@dataclass(frozen=True, slots=True)
class Scale:
    """Draws a week into a room; called with its width and height."""

    printer: Printer
    style: ScaleStyle

    def __call__(self, room: tuple[float, float]) -> Part | None:
        axes = self._axes(room)
        hours = self._hours(axes)
        boxed = [one for column in range(len(self.printer.made.days)) for one in self._boxed(axes, column)]
        boxes = [self._box(*one) for one in boxed]
        if hours is None or any(part is None for part in boxes):
            return None
        taken = [one.box for one in boxed]
        lines = Part(rules=tuple(rule for line in self._lines(axes) for rule in _around(line, taken)))
        return Part.of((lines, self._heads(axes), hours, *(part for part in boxes if part)))

    def _axes(self, room: tuple[float, float]) -> _Axes:
        look, entries = self.printer.look, self.printer.made.entries
        first = floor(min(entry.start for entry in entries) / 30) * 30
        last = ceil(max(entry.end for entry in entries) / 30) * 30
        head, half = height(look.day) + 2 * look.pad, 0.55 * height(look.label)  # hours stand across their lines
        unit = (room[1] - head - 2 * half) / (last - first)
        texts = [self._hour(minute) for minute in _full_hours(first, last)] if self.style.hours else []
        side = max((width(text, look.label) + 2 * look.pad for text in texts), default=0.0)
        return _Axes(first, last, unit, head, head + half, side, (room[0] - side) / len(self.printer.made.days))

    def _hour(self, minute: int) -> str:
        return self.printer.made.school.style.write(minute)

    def _hours(self, axes: _Axes) -> Part | None:
        """The full hours down the side."""
        look = self.printer.look
        texts: list[Text] = []
        high = height(look.label)
        for minute in _full_hours(axes.first, axes.last) if self.style.hours else ():
            y = axes.y(minute)
            box = Box(look.pad, y - high / 2, axes.left - look.pad, y + high / 2)
            setting = _fitting((self.printer.time(self._hour(minute), look.label),), box)
            if setting is None:
                return None
            texts += placed(setting, Place(box, "right", "middle"))
        return Part(tuple(texts))

    def _heads(self, axes: _Axes) -> Part:
        """The names of the days, shorter ones where a day is narrow."""
        look, printer = self.printer.look, self.printer
        parts: list[Part] = []
        for index, day in enumerate(printer.made.days):
            box = Box(axes.x(index), 0, axes.x(index + 1), axes.head)
            inner = Box(box.left + 1, 0, box.right - 1, axes.head)
            texts = (text for text in (day.label, day.short, day.letter) if text)
            setting = next((found for text in texts if (found := _fitting(printer.day(index, text), inner))), None)
            if setting is not None:
                fills = (Panel(box, look.head_fill),) if look.head_fill else ()
                lines = placed(setting, Place(inner, "center", "middle"))
                parts.append(
                    Part(tuple(replace(each, style=look.on(each.style, look.head_fill)) for each in lines), fills=fills)
                )
        return Part.of(parts)

    def _lines(self, axes: _Axes) -> Iterator[Stroke]:
        """Fine lines at the hours and between the days."""
        look, days = self.printer.look, len(self.printer.made.days)
        if not self.style.lines:
            return
        ink = look.rules.color if look.rules.color != look.ground else faded(look.palette.accent, 0.6)
        for minute in _full_hours(axes.first, axes.last):
            yield Stroke((axes.left, axes.y(minute)), (axes.x(days), axes.y(minute)), FINE, ink)
        for index in range(days + 1):
            yield Stroke((axes.x(index), 0), (axes.x(index), axes.y(axes.last)), FINE, ink)

    def _boxed(self, axes: _Axes, column: int) -> Iterator[_Boxed]:
        """The events of a day with their boxes; those that overlap stand side by side."""
        inset = self.style.inset
        for group in _overlapping(items_of(self.printer.made, column)):
            for lane, items in enumerate(group):
                left, right = axes.x(column + lane / len(group)), axes.x(column + (lane + 1) / len(group))
                for item in items:
                    top, bottom = axes.y(item.entry.start), axes.y(item.entry.end)
                    yield _Boxed(item, Box(left + inset, top + inset / 2, right - inset, bottom - inset / 2))

    def _box(self, item: Item, box: Box) -> Part | None:
        look, fill = self.printer.look, self._fill(item)
        pad = min(look.pad, 2.0)
        left = box.left + pad + (STRIPE if self.style.stripe else 0)
        inner = Box(left, box.top + 0.3, box.right - pad, box.bottom - 0.3)
        setting = next((found for words in self._wordings(item) if (found := _fitting(words, inner))), None)
        if setting is None:
            return None
        roomy = setting.height < inner.height - 2 * pad
        place = Box(inner.left, inner.top + pad, inner.right, inner.bottom - pad) if roomy else inner
        texts = placed(setting, Place(place, look.align, look.valign if roomy else "middle"))
        styled = tuple(replace(text, style=look.on(text.style, fill)) for text in texts)
        return Part(styled, tuple(self._border(box, fill)), tuple(self._panels(item, box, fill)))

    def _panels(self, item: Item, box: Box, fill: Color | None) -> Iterator[Panel]:
        look = self.printer.look
        if fill is not None:
            yield Panel(box, fill, min(look.radius, box.height / 3))
        if self.style.stripe:
            yield Panel(Box(box.left, box.top, box.left + STRIPE, box.bottom), look.palette.tint(item.entry.name[::-1]))

    def _border(self, box: Box, fill: Color | None) -> Iterator[Stroke]:
        look = self.printer.look
        thick = self.style.border or (0.5 if fill is None else 0.0)
        if not thick or (look.radius and fill is not None):
            return
        for y in (box.top, box.bottom):
            yield Stroke((box.left, y), (box.right, y), thick, look.rules.color)
        for x in (box.left, box.right):
            yield Stroke((x, box.top), (x, box.bottom), thick, look.rules.color)

    def _wordings(self, item: Item) -> Iterator[tuple[Phrase, ...]]:
        """The words of an event: on lines of their own, then closer together."""
        words = self.printer.entry(item.entry, item.blocks, time=item.when)
        yield words
        yield (words[0], *(replace(phrase, joined=True) for phrase in words[1:]))

    def _fill(self, item: Item) -> Color | None:
        look, entry = self.printer.look, item.entry
        if look.tint == "given" and entry.color:
            return entry.color
        if look.tint == "none":
            return None
        if entry.kind in BREAKS:
            return look.break_fill
        return look.palette.tint(entry.name)


def _full_hours(first: int, last: int) -> Iterator[int]:
    yield from range(ceil(first / 60) * 60, last + 1, 60)


def _overlapping(items: Sequence[Item]) -> Iterator[list[list[Item]]]:
    """Items in groups that do not overlap each other in time; each group in lanes within which none overlap."""
    group: list[list[Item]] = []
    for item in items:  # they are in the order of their starts
        if group and item.entry.start >= max(each.entry.end for each in chain.from_iterable(group)):
            yield group
            group = []
        free = next((lane for lane in group if lane[-1].entry.end <= item.entry.start), None)
        if free is None:
            group.append([item])
        else:
            free.append(item)
    if group:
        yield group


def _around(line: Stroke, boxes: Sequence[Box]) -> Iterator[Stroke]:
    """The parts of a line that no box covers."""
    along, across = (0, 1) if line.horizontal else (1, 0)
    at = line.start[across]
    begin, end = line.start[along], line.end[along]
    covered = sorted((box[along], box[along + 2]) for box in boxes if box[across] < at < box[across + 2])
    for low, high in (*covered, (end, end)):
        if low > begin:
            ends = ((begin, at), (low, at)) if line.horizontal else ((at, begin), (at, low))
            yield Stroke(*ends, line.thickness, line.color)
        begin = max(begin, high)


def _fitting(phrases: Sequence[Phrase], box: Box) -> Paragraphs | None:
    """The phrases in letters as large as the box allows; None where they would be too small."""
    for factor in SIZES:
        sized = [phrase.sized(factor) for phrase in phrases]
        if factor < 1 and min(phrase.style.size for phrase in sized) < SMALLEST:
            return None
        setting = set_in(sized, box.width + SLACK)
        if setting is not None and setting.height <= box.height + SLACK:
            return setting
    return None
