"""Timetables as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from pocai.timetable.timetable import Timetable

COLUMNS = (
    *("timetable", "title", "className", "teacher", "term", "year"),
    *("day", "startTime", "endTime", "name", "notes", "weeks"),
)
_FORMULA_SIGNS = tuple("=+-@\t\r\n＝＋－＠")


def to_json(timetables: Sequence[Timetable], warnings: Sequence[str] = ()) -> str:
    """``{"timetables": [...], "warnings": [...]}`` in the host's camelCase, indented, with a newline at the end."""
    dumped = [timetable.model_dump(mode="json", by_alias=True) for timetable in timetables]
    return json.dumps({"timetables": dumped, "warnings": list(warnings)}, indent=2, ensure_ascii=False) + "\n"


def to_csv(timetables: Sequence[Timetable]) -> str:
    """One row a block below the row of `COLUMNS`, by RFC 4180; ``timetable`` counts from 1.

    Text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection).
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for number, timetable in enumerate(timetables, start=1):
        head = (timetable.title, timetable.class_name, timetable.teacher, timetable.term, timetable.year)
        for block in timetable.timeblocks:
            own = (block.day, block.start_time, block.end_time, block.name, block.notes, block.weeks)
            writer.writerow([number, *(_harmless(value) for value in (*head, *own))])
    return target.getvalue()


def _harmless(value: str | int | None) -> str | int:
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" \u00a0").startswith(_FORMULA_SIGNS) else value
    return "" if value is None else value
