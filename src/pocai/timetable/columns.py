"""Pages without a row of days: one day, a list, or a column for each class; and tables that have a column for rooms."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pocai.timetable.day_axis import FAR, DayAxis, DayEntry
from pocai.timetable.days import day_label
from pocai.timetable.pieces import Piece
from pocai.timetable.slot_axis import only_times
from pocai.timetable.timetable import Day

EVENT_HEAD = re.compile(
    r"(?i)^(?:subject|activity|lesson|event|what|class|course|session|fach|aktivität|matière|activité|cours|"
    r"asignatura|materia|actividad|materie|attività|disciplina|atividade)s?$"
)
NOTE_HEAD = re.compile(
    r"(?i)^(?:room|location|place|where|venue|teacher|staff|leader|who|with|notes?|comments?|details?|resources?|raum|ort|lehrer(?:in)?|"
    r"lehrkraft|bemerkung|salle|lieu|professeur|enseignant|remarques?|aula|lugar|profesora?|docente|notas?|luogo|sala|local|"
    r"professora?)s?$"
)
TIME_HEAD = re.compile(
    r"(?i)^(?:time|times|when|zeit|uhrzeit|heure|horaire|hora|horario|ora|orario|hor[aá]rio|period|day|tag|jour|d[ií]a|giorno)s?$"
)


def single_axes(pieces: Sequence[Piece]) -> list[DayAxis]:
    """One axis over the whole page, with the day that it names, if any; or one for each class that has a column."""
    named = [(piece, days) for piece in pieces if (days := day_label(piece.text))]
    label, days = named[0] if named else (None, ())
    top = label.box.bottom if label else -FAR
    heads = _class_heads(pieces, top)
    if heads:
        return [_column(head, days, label) for head in heads]
    return [DayAxis((DayEntry(days, -FAR, FAR, label),), top, FAR)]


def single_across(pieces: Sequence[Piece]) -> Piece | None:
    """The label of a page's only day, where its times stand in a row above and right of it."""
    for piece in pieces:
        if not day_label(piece.text):
            continue
        times = only_times(pieces)
        above = [t for t in times if t.box.center[1] < piece.box.top and t.box.center[0] > piece.box.right]
        below = [t for t in times if t.box.center[1] > piece.box.bottom]
        if len(above) > 1 and not below:
            return piece
    return None


def single_row(label: Piece) -> DayAxis:
    """The axis of that one day, in axis coordinates."""
    return DayAxis((DayEntry(day_label(label.text), label.box.left, label.box.right, label),), label.box.bottom, FAR)


def _column(head: Piece, days: tuple[Day, ...], label: Piece | None) -> DayAxis:
    entry = DayEntry(days, head.box.left, head.box.right, label)
    return DayAxis((entry,), head.box.bottom, FAR, title=head.text)


def _class_heads(pieces: Sequence[Piece], top: float) -> list[Piece]:
    """The heads of two or more columns of events right of a column of times; none where the heads name roles."""
    times = [p for p in only_times(pieces) if p.ruled and p.box.top >= top]
    if len(times) < 2:  # noqa: PLR2004 - one time makes no column
        return []
    first = min(times, key=lambda p: p.box.top)
    heads = [
        p
        for p in pieces
        if p.ruled
        and p.box.left >= first.box.right - 1
        and abs(p.box.bottom - first.box.top) < 0.5 * first.box.height
        and p not in times
    ]
    texts = [p.text.strip() for p in heads]
    roles = any(EVENT_HEAD.match(text) or NOTE_HEAD.match(text) for text in texts)
    return sorted(heads, key=lambda p: p.box.left) if len(heads) > 1 and not roles else []


def is_column_head(text: str) -> bool:
    """Whether a text only says what stands below it ("Time", "Activity", "Room")."""
    return any(pattern.match(text.strip()) for pattern in (EVENT_HEAD, NOTE_HEAD, TIME_HEAD))


def note_columns(pieces: Sequence[Piece]) -> tuple[tuple[float, float], ...]:
    """The stretches of columns whose heads say that they hold rooms, people or remarks."""
    return tuple((p.box.left, p.box.right) for p in pieces if NOTE_HEAD.match(p.text.strip()))
