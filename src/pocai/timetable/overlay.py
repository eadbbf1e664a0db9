"""Draws a page with every block marked where it was read: a coloured frame, and a tag with day, time and name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from pocai.documents.page import Box, Line, Page, Point, Quad
from pocai.timetable.timetable import Evidence, Mark, TimeBlock, Timetable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# Dark enough for white letters, told apart by most colour-blind readers (after Okabe and Ito).
COLORS = (
    (0, 94, 162),
    (181, 71, 8),
    (0, 122, 92),
    (150, 58, 120),
    (120, 94, 0),
    (176, 32, 48),
    (72, 72, 160),
    (40, 110, 40),
    (110, 70, 40),
    (0, 110, 128),
)
PAPER, INK, GRAY = (255, 255, 255), (30, 30, 34), (150, 154, 164)
LONGEST_SIDE = 2400  # pixels of what is on a page that is drawn because it has no picture
LARGEST_PAGE = 6000  # pixels of such a page before its empty margins are cut off
LARGEST_SCALE = 4.0  # pixels for each point
MARGIN = 40  # pixels around what is on it
COST_OF_SHORT = 0.1  # a tag without its name is taken where the whole one would hide more of the page than this
LONGEST_NAME = 26  # letters of a name on a tag; all of it stands on the page below
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PAD = 3  # pixels between a tag's letters and its edge
SHORTEST_RUN = 3  # "Mon–Wed", but "Mon Tue"


@dataclass(frozen=True, slots=True)
class Region:
    """A marked place: its four corners in pixels of the drawing, what its tag says, and the tag's colour.

    ``label`` has days, times and name; ``short`` leaves out the name, which stands in the frame anyway.
    """

    corners: tuple[Point, ...]
    label: str
    short: str
    color: tuple[int, int, int]

    @property
    def box(self) -> Box:
        xs, ys = zip(*self.corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))


def draw(page: Page, timetables: Sequence[Timetable]) -> NDArray[np.uint8]:
    """The page with its blocks marked, RGB ``(H, W, 3)`` uint8.

    A page without a picture is drawn from its text, and its empty margins are cut off.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    picture = picture_of(page)
    scale = picture.width / page.width
    area = Box(0, 0, *picture.size) if page.image is not None else _content(page).scaled(scale)
    regions = regions_of(page, timetables, scale=scale)
    glaze = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    canvas = ImageDraw.Draw(glaze)
    stroke = max(2, round(min(area.width, area.height)) // 500)
    for region in regions:
        canvas.polygon(region.corners, fill=(*region.color, 56))
        canvas.line((*region.corners, region.corners[0]), fill=(*region.color, 255), width=stroke, joint="curve")
    tags = _draw_tags(canvas, regions, [line.box.scaled(scale) for line in _lines(page)], area)
    marked = Image.alpha_composite(picture.convert("RGBA"), glaze).convert("RGB")
    if page.image is None:
        marked = marked.crop(_with_margin(Box.around((area, *tags)), marked.size))
    return np.asarray(marked, dtype=np.uint8)


def picture_of(page: Page) -> Image:
    """The picture of a page, RGB; one without a picture is drawn from its text, rules and fills."""
    from PIL import Image

    return Image.fromarray(page.image).convert("RGB") if page.image is not None else _drawn(page)


def _with_margin(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    return (
        max(0, round(box.left) - MARGIN),
        max(0, round(box.top) - MARGIN),
        min(size[0], round(box.right) + MARGIN),
        min(size[1], round(box.bottom) + MARGIN),
    )


def regions_of(page: Page, timetables: Sequence[Timetable], *, scale: float) -> tuple[Region, ...]:
    """The marked places on ``page``, in pixels of a drawing with ``scale`` pixels for each unit of the page.

    Blocks that were read from the same place (a break across the week) share one.
    """
    names = dict.fromkeys(block.name.casefold() for timetable in timetables for block in timetable.timeblocks)
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    places: dict[Box, list[TimeBlock]] = {}
    for timetable in timetables:
        for block in timetable.timeblocks:
            box = _printed_at(block, page.number)
            if box is not None:
                places.setdefault(box, []).append(block)
    return tuple(
        Region(_on_page(box, page, scale), *_labels(blocks), colors[blocks[0].name.casefold()])
        for box, blocks in places.items()
    )


def _printed_at(block: TimeBlock, page: int) -> Box | None:
    """Around all that is printed in the block's own place; None where it was not read from this page."""
    name = block.fields.get("name")
    if name is None or name.page != page:
        return None
    own = [mark for mark in block.fields.values() if mark.page == page and mark.evidence is Evidence.PRINTED]
    return _rounded(Box.around(Box(*mark.box) for mark in (name, *_near(name, own))))


def _near(name: Mark, marks: Iterable[Mark]) -> list[Mark]:
    """The marks no further from the name than its own size: a time in the cell, not one at the page's head."""
    home = Box(*name.box)
    reach = max(home.width, home.height)
    around = Box(home.left - reach, home.top - reach, home.right + reach, home.bottom + reach)
    return [mark for mark in marks if Box(*mark.box).overlap(around) > 0]


def _rounded(box: Box) -> Box:
    return Box(*(round(value, 1) for value in box))


def _on_page(box: Box, page: Page, scale: float) -> tuple[Point, ...]:
    """The corners of a box of the uploaded picture, on the straightened page, in pixels of the drawing."""
    import numpy as np

    corners = np.array(
        [(box.left, box.top, 1), (box.right, box.top, 1), (box.right, box.bottom, 1), (box.left, box.bottom, 1)]
    )
    moved = corners @ np.linalg.inv(np.array(page.to_source, dtype=float).reshape(3, 3)).T
    return tuple((float(x / w) * scale, float(y / w) * scale) for x, y, w in moved)


def _labels(blocks: Sequence[TimeBlock]) -> tuple[str, str]:
    """``Mon–Fri 10:30–10:45 Break`` of blocks read from one place, and the same without the name."""
    days: dict[tuple[str, str], list[str]] = {}
    for block in blocks:
        days.setdefault((_times(block), _shown(block.name)), []).append(block.day or "")
    whole = [f"{short_days(named)} {time} {name}" for (time, name), named in days.items()]
    short = dict.fromkeys(f"{short_days(named)} {time}" for (time, _), named in days.items())
    return " / ".join(" ".join(text.split()) for text in whole), " / ".join(" ".join(text.split()) for text in short)


def _shown(name: str) -> str:
    """What the font can draw of a name, shortened."""
    drawable = name.encode("cp1252", "ignore").decode("cp1252").strip()
    return drawable if len(drawable) <= LONGEST_NAME else f"{drawable[: LONGEST_NAME - 1]}…"


def _times(block: TimeBlock) -> str:
    if block.start_time is None:
        return f"to {block.end_time}" if block.end_time else ""
    return f"{block.start_time}–{block.end_time}" if block.end_time else block.start_time


def short_days(days: Iterable[str]) -> str:
    """``Mon–Fri``, ``Mon Wed``; empty where no day is named."""
    numbers = sorted({DAYS.index(day) for day in days if day})
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(
        f"{DAYS[run[0]][:3]}–{DAYS[run[-1]][:3]}"
        if len(run) >= SHORTEST_RUN
        else " ".join(DAYS[number][:3] for number in run)
        for run in runs
    )


def _lines(page: Page) -> list[Line]:
    return [*page.lines, *(line for table in page.tables for cell in table.cells for line in cell.lines)]


def _draw_tags(canvas: ImageDraw, regions: Sequence[Region], printed: Sequence[Box], area: Box) -> list[Box]:
    """Each tag where it hides least of the print, the frames and the other tags; returns where they are."""
    face = font(max(11, round(min(area.width, area.height * 1.5)) // 105))
    frames, tags = [region.box for region in regions], list[Box]()
    for number, region in enumerate(regions):
        obstacles = [*printed, *frames[:number], *frames[number + 1 :], *tags]
        choices = [
            (_hidden(spot, obstacles) + cost, text, spot)
            for text, cost in ((region.label, 0.0), (region.short, COST_OF_SHORT))
            for spot in (_spots(region.box, face.getbbox(text), canvas.im.size) if text else ())
        ]
        if choices:
            _, text, spot = min(choices, key=lambda choice: choice[0])
            tags.append(spot)
            canvas.rectangle(spot, fill=(*region.color, 235))
            canvas.text(spot.center, text, font=face, fill=PAPER, anchor="mm")
    return tags


def _spots(box: Box, text: tuple[float, float, float, float], size: tuple[int, int]) -> list[Box]:
    """Places at ``box`` for a tag with ``text`` of this extent, the most natural first, all within the drawing."""
    width, height = text[2] - text[0] + 2 * PAD, text[3] - text[1] + 2 * PAD
    middle = box.center[0] - width / 2
    corners = (
        (middle, box.top - height),
        (box.left, box.top - height),
        (middle, box.bottom),
        (box.left, box.bottom),
        (box.right - width, box.top),
        (box.right - width, box.bottom - height),
        (box.left, box.top),
        (box.left, box.bottom - height),
        (box.right, box.top),
        (box.left - width, box.top),
    )
    within = [(max(0.0, min(left, size[0] - width)), max(0.0, min(top, size[1] - height))) for left, top in corners]
    return [Box(left, top, left + width, top + height) for left, top in within]


def _hidden(spot: Box, obstacles: Sequence[Box]) -> float:
    return sum(spot.overlap(box) for box in obstacles)


def _drawn(page: Page) -> Image:
    """A page of a text document as a picture, from its fills, rules, cells and lines."""
    from PIL import Image, ImageDraw

    content = _content(page)
    scale = LONGEST_SIDE / max(content.width, content.height, 1.0)
    scale = min(scale, LARGEST_SCALE, LARGEST_PAGE / max(page.width, page.height))
    picture = Image.new("RGB", (max(1, round(page.width * scale)), max(1, round(page.height * scale))), PAPER)
    canvas = ImageDraw.Draw(picture)
    cells = [cell for table in page.tables for cell in table.cells]
    for fill in page.fills:
        canvas.rectangle(fill.box.scaled(scale), fill=fill.color)
    for cell in cells:
        canvas.rectangle(cell.box.scaled(scale), fill=cell.fill, outline=GRAY, width=2)
    for rule in page.rules:
        ends = [(x * scale, y * scale) for x, y in (rule.start, rule.end)]
        canvas.line(ends, fill=GRAY, width=max(1, round(rule.thickness * scale)))
    for line in _lines(page):
        _write(picture, line, scale)
    return picture


def _content(page: Page) -> Box:
    """Around all that is on a page; the page itself where it is empty."""
    things = [
        *(line.box for line in _lines(page)),
        *(cell.box for table in page.tables for cell in table.cells),
        *(fill.box for fill in page.fills),
        *(Quad(rule.start, rule.end, rule.end, rule.start).box for rule in page.rules),
    ]
    whole = Box(0, 0, page.width, page.height)
    return Box.around(things).intersection(whole) if things else whole


def _write(picture: Image, line: Line, scale: float) -> None:
    """Letters one line into its own box, in its reading direction."""
    from PIL import Image, ImageDraw

    box = line.box.scaled(scale)
    turn = round(line.angle / 90) % 4 * 90
    room = (box.height, box.width) if turn in {90, 270} else (box.width, box.height)
    text = line.text.encode("cp1252", "replace").decode("cp1252")
    longest = max(text.splitlines() or [""], key=len)
    size = max(6, min(round(room[1] * 0.8), round(line.size * scale) or 10_000))
    size = max(6, min(size, int(size * room[0] / max(1.0, font(size).getlength(longest)))))
    strip = Image.new("L", (max(1, round(room[0])), max(1, round(room[1]))), 0)
    ImageDraw.Draw(strip).multiline_text((0, room[1] / 2), text, font=font(size), fill=255, anchor="lm")
    strip = strip.rotate(-turn, expand=True)
    picture.paste(line.color or INK, (round(box.left), round(box.top)), strip)


@cache
def font(size: int) -> FreeTypeFont:
    """The bundled Bitstream Vera Sans Bold (Latin-1), ``size`` pixels high."""
    from PIL import ImageFont

    with as_file(files("pocai") / "assets/fonts/VeraBd.ttf") as path:
        return ImageFont.truetype(path, size)
