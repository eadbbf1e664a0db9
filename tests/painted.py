"""Paints a week as a picture, as a school would print it: a table with lines, or with colours alone."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont
from rendering import Field, grid

import pocai
from pocai.timetable.timetable import Timetable

Style = Literal["lines", "colours"]
FONTS = Path(pocai.__file__).parent / "assets" / "fonts"
COLOURS = ((207, 226, 243), (252, 229, 205), (217, 234, 211), (244, 204, 204), (230, 224, 236))
MARGIN, HIGH, PADDING = 30, 130, 26  # pixels
HEAD, NAME, NOTE = 22, 24, 16  # sizes of letters in pixels
EXIF_ORIENTATION = 0x0112


def painted(week: Timetable, *, days_across: bool, style: Style = "lines") -> Image.Image:
    """The week as a table of about 1000 x 700 pixels: names bold, notes small below them."""
    plan = grid(week, days_across=days_across)
    picture, wide = _paper(week, days_across=days_across)
    draw = ImageDraw.Draw(picture)
    if style == "lines":
        for row in range(plan.rows):
            for column in range(plan.columns):
                draw.rectangle(_place(Field(row, column, 1, 1, ()), wide), outline="black", width=2)
    for field in plan.fields:
        left, top, right, bottom = _place(field, wide)
        if style == "lines":
            draw.rectangle((left, top, right, bottom), outline="black", width=2, fill="white")
        else:
            colour = COLOURS[(2 * field.row + field.column) % len(COLOURS)]
            draw.rectangle((left + 3, top + 3, right - 3, bottom - 3), fill=colour)
        _write(draw, field, wide)
    return picture


def name_alone(week: Timetable, name: str, *, days_across: bool) -> Image.Image:
    """White paper of the same size with nothing but one name on it, where `painted` prints it."""
    picture, wide = _paper(week, days_across=days_across)
    for field in grid(week, days_across=days_across).fields:
        if field.lines[0] == name:
            _write(ImageDraw.Draw(picture), field, wide, only_name=True)
    return picture


def as_png(picture: Image.Image, orientation: int = 1) -> bytes:
    """The picture as a file; ``orientation`` is that of EXIF and leaves the pixels as they are."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    out = BytesIO()
    picture.save(out, "PNG", exif=exif)
    return out.getvalue()


def _paper(week: Timetable, *, days_across: bool) -> tuple[Image.Image, int]:
    """Blank paper for the week's table, and the width of a column in pixels."""
    plan = grid(week, days_across=days_across)
    names = [field.lines[0] for field in plan.fields]
    wide = PADDING + round(max(_font("VeraBd.ttf", NAME).getlength(name) for name in names))
    return Image.new("RGB", (plan.columns * wide + 2 * MARGIN, plan.rows * HIGH + 2 * MARGIN), "white"), wide


def _place(field: Field, wide: int) -> tuple[int, int, int, int]:
    left, top = MARGIN + field.column * wide, MARGIN + field.row * HIGH
    return left, top, left + field.column_span * wide, top + field.row_span * HIGH


def _write(draw: ImageDraw.ImageDraw, field: Field, wide: int, *, only_name: bool = False) -> None:
    left, top, right, bottom = _place(field, wide)
    x, y = (left + right) / 2, (top + bottom) / 2
    if field.row == 0 or field.column == 0:
        draw.text((x, y), field.lines[0], font=_font("Vera.ttf", HEAD), fill="black", anchor="mm")
        return
    notes = () if only_name else field.lines[1:]
    raised = 14 if len(field.lines) > 1 else 0
    draw.text((x, y - raised), field.lines[0], font=_font("VeraBd.ttf", NAME), fill="black", anchor="mm")
    for note in notes:
        draw.text((x, y + 20), note, font=_font("Vera.ttf", NOTE), fill="black", anchor="mm")


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / name, size)
