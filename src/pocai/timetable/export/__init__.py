"""Timetables in the formats that other programs read: JSON, CSV, a workbook with a week grid, a calendar."""

from pocai.timetable.export.ical import TermDates, to_ics
from pocai.timetable.export.plain import to_csv, to_json
from pocai.timetable.export.workbook import to_xlsx

__all__ = ["TermDates", "to_csv", "to_ics", "to_json", "to_xlsx"]
