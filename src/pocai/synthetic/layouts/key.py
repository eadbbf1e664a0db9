"""The key below a timetable: what its numbers, short forms and colours stand for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pocai.documents.page import Box
from pocai.synthetic.document import Panel
from pocai.synthetic.layouts.chance import happens
from pocai.synthetic.layouts.inking import inked
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.layouts.table import Cell, Table, fit
from pocai.synthetic.layouts.tracks import Group, Span, Tracks
from pocai.synthetic.layouts.words import Printer
from pocai.synthetic.made import KeyEntry
from pocai.synthetic.setting import Phrase, height, line, width

if TYPE_CHECKING:
    from numpy.random import Generator

MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class KeyStyle:
    """How keys are printed: as a ruled table, or as lines in columns."""

    table: bool


def key_style_of(rng: Generator) -> KeyStyle:
    """A way to print the keys of a document."""
    return KeyStyle(happens(rng, 0.4))


def keyed(printer: Printer, style: KeyStyle, room: tuple[float, float]) -> Part | None:
    """The key of a timetable, from (0, 0); None where it does not fit."""
    if style.table and all(each.sign and each.color is None for each in printer.made.key):
        return _as_table(printer, room)
    return _as_lines(printer, room[0])


def _as_table(printer: Printer, room: tuple[float, float]) -> Part | None:
    """One table for each kind of key, side by side."""
    made, look = printer.made, printer.look
    kinds = [list(group) for _, group in groupby(made.key, key=lambda each: each.kind)]
    share = room[0] / len(kinds)
    parts, down = [], 0.0
    if made.key_head:
        head = line(_phrase(made.key_head, printer), (0, 0))
        parts.append(Part((head,)))
        down = head.box.bottom * 1.2
    for index, entries in enumerate(kinds):
        signs = tuple(_pair(each, row, printer) for row, each in enumerate(entries))
        cells = tuple(cell for pair in signs for cell in pair)
        rows = Tracks(tuple(Group(weight=0.0) for _ in entries))
        table = Table(Tracks((Group(weight=0.0), Group(weight=0.0))), rows, cells, look.pad)
        fitted = fit(table, (0.94 * share, room[1]))
        if fitted is None:
            return None
        parts.append(inked(fitted, (index * share, down), look))
    return Part.of(parts)


def _pair(entry: KeyEntry, row: int, printer: Printer) -> tuple[Cell, Cell]:
    rows = Span(row, row + 1)
    texts = ((_phrase(text, printer),) for text in (entry.sign, entry.meaning))
    sign, meaning = (
        Cell(rows, Span(column, column + 1), phrases, align="left", head=True) for column, phrases in enumerate(texts)
    )
    return sign, meaning


def _phrase(text: str, printer: Printer) -> Phrase:
    return printer.phrase(text, printer.look.note, "key")


def _as_lines(printer: Printer, wide: float) -> Part:
    """Lines in as many columns as there is room for, with the colours that they explain before them."""
    made, look = printer.made, printer.look
    phrases = [_phrase(entry.text, printer) for entry in made.key]
    swatch = look.note.size * 1.6 if any(entry.color for entry in made.key) else 0.0
    longest = max(width(phrase.text, phrase.style) for phrase in phrases) + swatch + look.note.size
    columns = max(1, min(MOST_COLUMNS, int(wide / longest), -(-len(phrases) // 2)))
    step = height(look.note) * 1.12
    part, down = Part(), 0.0
    if made.key_head:
        part = Part((line(_phrase(made.key_head, printer), (0, 0)),))
        down = step * 1.1
    per_column = -(-len(phrases) // columns)
    for index, (entry, phrase) in enumerate(zip(made.key, phrases, strict=True)):
        x, y = index // per_column * longest, down + index % per_column * step
        part += _line(entry, _fitting(phrase, wide - swatch), (x, y), swatch)
    return part


def _fitting(phrase: Phrase, wide: float) -> Phrase:
    return phrase.sized(min(1.0, wide / width(phrase.text, phrase.style)))


def _line(entry: KeyEntry, phrase: Phrase, at: tuple[float, float], swatch: float) -> Part:
    text = line(phrase, (at[0] + swatch, at[1]))
    if entry.color is None:
        return Part((text,))
    box = Box(
        at[0], text.box.top + 0.15 * text.box.height, at[0] + 0.75 * swatch, text.box.bottom - 0.1 * text.box.height
    )
    return Part((text,), fills=(Panel(box, entry.color),))
