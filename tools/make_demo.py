"""Draws the bundled demo document: an invented school's week as a slightly crooked scan, and what is printed on it.

    python tools/make_demo.py [FOLDER]        default: src/pocai/assets/demo

Writes ``demo.png`` and ``demo.json``. School, people and lessons are invented. The letters are Bitstream Vera
(free licence, in ``assets/fonts``). The same call gives the same picture.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ASSETS = Path(__file__).parents[1] / "src/pocai/assets"
SIZE = (2000, 1400)
PAPER, INK, NAVY, RULE = (252, 251, 247), (38, 38, 44), (29, 62, 105), (92, 96, 108)
LEFT, TOP, HEAD, ROW = 50, 275, 82, 190
DAY_WIDTH = 170
TURN = -0.4  # degrees, clockwise
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
COLUMNS = (  # printed time, width in pixels, start, end
    ("8.45-9.00", 130, "08:45", "09:00"),
    ("9.00-9.30", 190, "09:00", "09:30"),
    ("9.30-10.30", 250, "09:30", "10:30"),
    ("10.30-10.45", 130, "10:30", "10:45"),
    ("10.45-11.45", 240, "10:45", "11:45"),
    ("11.45-12.15", 220, "11:45", "12:15"),
    ("12.15-1.15", 130, "12:15", "13:15"),
    ("1.15-2.15", 215, "13:15", "14:15"),
    ("2.15-3.15", 215, "14:15", "15:15"),
)
BARS = {0: "Registration", 3: "Break", 6: "Lunch"}
COLORS = {
    "Maths": (207, 226, 243),
    "English": (252, 229, 205),
    "Guided Reading": (253, 240, 222),
    "Spelling Test": (255, 242, 204),
    "Science": (217, 234, 211),
    "PE": (244, 204, 204),
    "Swimming": (201, 232, 236),
    "Assembly": (230, 224, 236),
    "Celebration Assembly": (230, 224, 236),
}


@dataclass(frozen=True)
class Lesson:
    """A cell: day and first column, how many columns it spans, what is printed in it.

    ``part`` of a cell split in two is 0 (upper) or 1 (lower); ``times`` are printed in the cell and override the head.
    """

    day: int
    column: int
    name: str
    note: str = ""
    span: int = 1
    part: int | None = None
    times: tuple[str, str, str] | None = None  # as printed, start, end

    @property
    def start(self) -> str:
        return self.times[1] if self.times else COLUMNS[self.column][2]

    @property
    def end(self) -> str:
        return self.times[2] if self.times else COLUMNS[self.column + self.span - 1][3]


LESSONS = (
    Lesson(0, 1, "Assembly", "Hall"),
    Lesson(0, 2, "English"),
    Lesson(0, 4, "Maths"),
    Lesson(0, 5, "Guided Reading"),
    Lesson(0, 7, "Science"),
    Lesson(0, 8, "Art", "Bring an apron"),
    Lesson(1, 1, "Phonics"),
    Lesson(1, 2, "Spelling Test", part=0, times=("9.30-9.45", "09:30", "09:45")),
    Lesson(1, 2, "English", part=1, times=("9.45-10.30", "09:45", "10:30")),
    Lesson(1, 4, "Maths"),
    Lesson(1, 5, "Guided Reading"),
    Lesson(1, 7, "PE", "Outdoor kit, with Mr Tarn"),
    Lesson(1, 8, "History"),
    Lesson(2, 1, "Phonics"),
    Lesson(2, 2, "English"),
    Lesson(2, 4, "Maths"),
    Lesson(2, 5, "Handwriting"),
    Lesson(2, 7, "Swimming", "Coach leaves at 1.20", span=2),
    Lesson(3, 1, "Phonics"),
    Lesson(3, 2, "English"),
    Lesson(3, 4, "Maths", "Times tables quiz"),
    Lesson(3, 5, "Guided Reading"),
    Lesson(3, 7, "Music", "Recorders, Room 4"),
    Lesson(3, 8, "Gardening Club", times=("2.00-3.15", "14:00", "15:15")),
    Lesson(4, 1, "Celebration Assembly"),
    Lesson(4, 2, "Maths", "Problem solving"),
    Lesson(4, 4, "English"),
    Lesson(4, 5, "Library"),
    Lesson(4, 7, "Computing"),
    Lesson(4, 8, "Golden Time"),
)
HEADER = {"teacher": "Mrs Penhallow", "className": "3 Kestrel", "term": "Spring", "year": 2026}
SCHOOL = "Alderbrook Primary School"


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Bitstream Vera Sans of ``size`` pixels."""
    name = "VeraBd.ttf" if bold else "Vera.ttf"
    return ImageFont.truetype(ASSETS / "fonts" / name, size)


def edges() -> list[int]:
    """The x of every vertical rule right of the day column, in pixels."""
    xs = [LEFT + DAY_WIDTH]
    for column in COLUMNS:
        xs.append(xs[-1] + column[1])
    return xs


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """``text`` in lines no wider than ``width`` pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_banner(draw: ImageDraw.ImageDraw) -> None:
    """The school's name on a coloured band, and the line that says whose week it is."""
    draw.rectangle((0, 0, SIZE[0], 130), fill=NAVY)
    draw.ellipse((80, 20, 170, 110), fill=(240, 190, 70))
    draw.polygon(((125, 34), (158, 92), (92, 92)), fill=NAVY)
    draw.text((SIZE[0] / 2, 65), SCHOOL, font=font(60, bold=True), fill=PAPER, anchor="mm")
    line = font(34)
    draw.text((LEFT, 200), f"Class: {HEADER['className']}", font=line, fill=INK, anchor="lm")
    draw.text((SIZE[0] / 2, 200), f"Teacher: {HEADER['teacher']}", font=line, fill=INK, anchor="mm")
    term = f"Term: {HEADER['term']} {HEADER['year']}"
    draw.text((edges()[-1], 200), term, font=line, fill=INK, anchor="rm")


def draw_heads(draw: ImageDraw.ImageDraw) -> None:
    """The row of times and the column of days."""
    xs, bottom = edges(), TOP + HEAD + ROW * len(DAYS)
    draw.rectangle((LEFT, TOP, xs[-1], TOP + HEAD), fill=(222, 229, 240), outline=RULE, width=3)
    for number, (printed, width, _, _) in enumerate(COLUMNS):
        left = xs[number]
        draw.line((left, TOP, left, bottom), fill=RULE, width=3)
        size = 17 if number in BARS else 26
        draw.text((left + width / 2, TOP + HEAD / 2), printed, font=font(size, bold=True), fill=INK, anchor="mm")
    for number, day in enumerate(DAYS):
        top = TOP + HEAD + number * ROW
        draw.rectangle((LEFT, top, xs[0], top + ROW), fill=(238, 240, 245), outline=RULE, width=3)
        draw.text(((LEFT + xs[0]) / 2, top + ROW / 2), day, font=font(23, bold=True), fill=INK, anchor="mm")


def draw_lesson(draw: ImageDraw.ImageDraw, lesson: Lesson) -> None:
    """One cell with its name, its time where it has its own, and its note in smaller letters."""
    xs = edges()
    left, right = xs[lesson.column], xs[lesson.column + lesson.span]
    top, bottom = TOP + HEAD + lesson.day * ROW, TOP + HEAD + (lesson.day + 1) * ROW
    if lesson.part is not None:
        middle = (top + bottom) // 2
        top, bottom = (top, middle) if lesson.part == 0 else (middle, bottom)
    draw.rectangle((left, top, right, bottom), fill=COLORS.get(lesson.name, PAPER), outline=RULE, width=3)
    width = right - left - 24
    lines = [(text, font(27, bold=True), 35) for text in wrapped(lesson.name, font(27, bold=True), width)]
    if lesson.times:
        lines.append((lesson.times[0], font(23), 31))
    lines += [(text, font(20), 27) for text in wrapped(lesson.note, font(20), width)]
    y = (top + bottom - sum(height for _, _, height in lines)) / 2
    for text, face, height in lines:
        draw.text(((left + right) / 2, y + height / 2), text, font=face, fill=INK, anchor="mm")
        y += height


def draw_bars(picture: Image.Image) -> None:
    """The bars across all days, lettered from bottom to top."""
    xs, height = edges(), ROW * len(DAYS)
    for column, name in BARS.items():
        width = COLUMNS[column][1]
        bar = Image.new("RGB", (height, width), (243, 238, 214))
        draw = ImageDraw.Draw(bar)
        draw.rectangle((0, 0, height, width), outline=RULE, width=3)
        draw.text((height / 2, width / 2), name, font=font(44, bold=True), fill=INK, anchor="mm")
        picture.paste(bar.rotate(90, expand=True), (xs[column], TOP + HEAD))


def as_scanned(picture: Image.Image) -> Image.Image:
    """The page as a scanner hands it over: a little turned, a little grainy, through JPEG, in 64 colours."""
    turned = picture.rotate(TURN, Image.Resampling.BICUBIC, fillcolor=PAPER)
    pixels = np.asarray(turned, dtype=np.float32)
    grain = np.random.default_rng(7).normal(0, 3.0, pixels.shape[:2])[..., None]
    light = np.linspace(1.0, 0.965, pixels.shape[1])[None, :, None]
    grainy = Image.fromarray(np.clip(pixels * light + grain, 0, 255).astype(np.uint8))
    packed = io.BytesIO()
    grainy.save(packed, "JPEG", quality=62)
    return Image.open(packed).quantize(64, dither=Image.Dither.NONE)


def page() -> Image.Image:
    """The whole page before it is scanned."""
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    draw_banner(draw)
    draw_heads(draw)
    for lesson in LESSONS:
        draw_lesson(draw, lesson)
    draw_bars(picture)
    return picture


def truth() -> dict[str, object]:
    """What is printed, as a timetable in the host's shape, by day and time."""
    bars = [Lesson(day, column, name) for day in range(len(DAYS)) for column, name in BARS.items()]
    lessons = sorted((*LESSONS, *bars), key=lambda lesson: (lesson.day, lesson.start))
    blocks = [
        {
            "day": DAYS[lesson.day],
            "name": lesson.name,
            "startTime": lesson.start,
            "endTime": lesson.end,
            "notes": lesson.note or None,
        }
        for lesson in lessons
    ]
    return {**HEADER, "timeblocks": blocks}


def main(folder: Path) -> None:
    """Writes picture and truth into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    as_scanned(page()).save(folder / "demo.png", optimize=True)
    (folder / "demo.json").write_text(json.dumps(truth(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ASSETS / "demo")
