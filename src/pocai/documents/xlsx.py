"""Reads Excel files (.xlsx, .xlsm): every sheet that is seen, as it is shown, with formulas by their stored results.

Hidden sheets, rows and columns are not read; macros and links to other files are left alone.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

from pocai.documents.office import reading
from pocai.documents.page import Page
from pocai.documents.xlsx_archive import printed_part
from pocai.documents.xlsx_layout import find_tables
from pocai.documents.xlsx_sheet import read_sheet, theme_colors
from pocai.errors import UnreadableDocument
from pocai.settings import Limits


def read_xlsx(data: bytes, limits: Limits) -> tuple[tuple[Page, ...], tuple[str, ...]]:
    """A page in points for each sheet that is seen, and what had to be left out.

    A sheet of more than ``limits.max_cells`` cells is read up to there, with a warning.

    Raises:
        UnreadableDocument: the file is damaged, or is no Excel file.
    """
    with reading("XLSX"):
        light, said = printed_part(data, limits.max_cells)
        workbook = _opened(light)
        theme = theme_colors(workbook.loaded_theme)
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise UnreadableDocument("the Excel file has no visible sheet", mend="Unhide the sheet and save it again")
        pages = tuple(_page(number, sheet, theme) for number, sheet in enumerate(sheets[: limits.max_pages]))
    if len(sheets) > len(pages):
        said = (*said, f"{len(sheets) - len(pages)} sheets after the first {len(pages)} were left out")
    return pages, said


def _opened(data: bytes) -> Any:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of features that openpyxl would lose on saving; nothing is saved here
        return openpyxl.load_workbook(BytesIO(data), data_only=True, keep_links=False, keep_vba=False)


def _page(number: int, worksheet: Any, theme: tuple[tuple[int, int, int], ...]) -> Page:
    sheet = read_sheet(worksheet, theme)
    lines, tables = find_tables(sheet)
    right = max((box.right for box in [line.box for line in lines] + [table.box for table in tables]), default=0.0)
    return Page(
        number=number,
        width=max(sheet.xs[-1], right, 1.0),
        height=max(sheet.ys[-1], 1.0),
        lines=lines,
        tables=tables,
        unit="pt",
        name=worksheet.title,
    )
