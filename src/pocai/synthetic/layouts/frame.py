"""What stands around a timetable on its sheet: heading, emblem, key, footer, page number; and the sheet itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pocai.documents.page import Box
from pocai.synthetic.document import Align, Logo, Panel, Sheet, Stroke, Style
from pocai.synthetic.layouts.chance import between, happens, pick
from pocai.synthetic.layouts.look import Look
from pocai.synthetic.layouts.palette import contrast, faded
from pocai.synthetic.layouts.part import Part
from pocai.synthetic.made import Heading, HeadingLine
from pocai.synthetic.setting import Phrase, Place, line, placed, set_in, width

if TYPE_CHECKING:
    from numpy.random import Generator


HeadStyle = Literal["center", "left", "row", "band", "split"]
LogoPlace = Literal["none", "left", "right", "both"]

LEAST_TITLE = 1.18  # of the next largest letters on the sheet: the title is clearly larger
PAGE_WORDS = {"en": "Page", "de": "Seite", "fr": "Page", "es": "Página", "it": "Pagina", "pt": "Página"}

Body = Callable[[tuple[float, float]], Part | None]  # draws into a room of that width and height, from (0, 0)


@dataclass(frozen=True, slots=True)
class Trim:
    """How the surroundings of a timetable look; the same on all sheets of a document."""

    head: HeadStyle
    logo: LogoPlace
    seed: int
    footer: Align
    school: bool
    page_number: int  # which of the ways to print it; 0: none
    crop: float | None  # margin in points of a picture that shows no more of the page than what is printed
    watermark: bool
    space: float  # between heading and table, in ems of the title
    below: bool  # the heading stands below the timetable
    border: float  # of the sheet, in points; 0 for none


def trim_of(rng: Generator) -> Trim:
    """The surroundings of a document."""
    return Trim(
        head=pick(rng, ("center", "left", "row", "band", "split"), (0.36, 0.2, 0.2, 0.12, 0.12)),
        logo=pick(rng, ("none", "left", "right", "both"), (0.66, 0.13, 0.16, 0.05)),
        seed=int(rng.integers(1 << 30)),
        footer=pick(rng, ("left", "center", "right"), (0.45, 0.35, 0.2)),
        school=happens(rng, 0.2),
        page_number=int(rng.integers(1, 5)) if happens(rng, 0.12) else 0,
        crop=between(rng, 3, 26) if happens(rng, 0.5) else None,
        watermark=happens(rng, 0.02),
        space=between(rng, 0.4, 1.3),
        below=happens(rng, 0.03),
        border=between(rng, 0.5, 4) if happens(rng, 0.05) else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Around:
    """What is printed around the timetable of one sheet; ``key`` and ``body`` are made to measure."""

    heading: Heading
    body: Body
    key: Body | None = None
    number: int = 0  # of the timetable in the drawing
    page: tuple[int, int] = (1, 1)
    language: str = "en"


def framed(around: Around, look: Look, trim: Trim) -> Sheet | None:
    """The sheet with its heading, body, key and footer; None where they do not fit on the paper."""
    wide = look.paper[0] - 2 * look.margin
    head = _head(around, look, trim, wide)
    foot = _foot(around, look, trim, wide)
    key = around.key((wide, look.paper[1])) if around.key else None
    if around.key and key is None:
        return None
    gap = trim.space * look.plain.size
    used = sum(part.box.bottom + gap for part in (head, key, foot) if part and part.texts)
    body = around.body((wide, look.paper[1] - 2 * look.margin - used))
    if body is None:
        return None
    parts = [body, head] if trim.below else [head, body]
    stacked = list(_stacked([*parts, key or Part()], look.margin, gap))
    bottom = look.paper[1] - look.margin - (foot.box.bottom if foot.texts else 0)
    if foot.texts:
        if trim.crop is not None:
            bottom = Part.of(stacked).box.bottom + gap
        stacked.append(foot.moved(look.margin, bottom))
    return _sheet(Part.of(stacked), look, trim)


def _stacked(parts: Sequence[Part], margin: float, gap: float) -> Iterator[Part]:
    """Parts below each other; those that are empty take no room."""
    top = margin
    for part in parts:
        if part.texts:
            yield part.moved(margin, top)
            top += part.box.bottom + gap


def _sheet(part: Part, look: Look, trim: Trim) -> Sheet:
    if trim.crop is None:
        whole = part + _watermark(part, look, trim) + _border(look, trim)
        return whole.sheet(*look.paper, look.ground)
    box = part.box
    moved = part.moved(trim.crop - box.left, trim.crop - box.top)
    return moved.sheet(box.width + 2 * trim.crop, box.height + 2 * trim.crop, look.ground)


def _border(look: Look, trim: Trim) -> Part:
    """A frame around the sheet, halfway between its edge and what is printed."""
    if not trim.border:
        return Part()
    left, top = look.margin / 2, look.margin / 2
    right, bottom = look.paper[0] - left, look.paper[1] - top
    ends = (((left, y), (right, y)) for y in (top, bottom)), (((x, top), (x, bottom)) for x in (left, right))
    return Part(rules=tuple(Stroke(*pair, trim.border, look.palette.accent) for group in ends for pair in group))


def _watermark(part: Part, look: Look, trim: Trim) -> Part:
    titles = [text for text in part.texts if text.role == "title"]
    if not trim.watermark or not titles:
        return Part()
    style = replace(titles[0].style, color=faded(look.palette.accent, 0.8))
    room = part.box.width * 0.8
    style = replace(style, size=style.size * room / width(titles[0].text, style))
    mark = Phrase(titles[0].text, style, "other")
    return Part(under=(line(mark, (part.box.center[0], part.box.center[1]), "center"),))


def _head(around: Around, look: Look, trim: Trim, wide: float) -> Part:
    """The heading, from (0, 0), with its emblems."""
    lines = list(around.heading.lines)
    if trim.school and around.heading.school and not any(around.heading.school in each.text for each in lines):
        lines.insert(0, HeadingLine(around.heading.school, "other"))
    if not lines:
        return Part()
    side = 0.0 if trim.logo == "none" or trim.head in ("band", "split") else look.title.size * 2.6
    left = side * 1.15 if trim.logo in ("left", "both") else 0.0
    right = side * 1.15 if trim.logo in ("right", "both") else 0.0
    inner = wide - left - right
    text = HEADS[trim.head](_Lines(tuple(lines), around.number, look, inner)).moved(left, 0.0)
    logos = []
    if left:
        logos.append(Logo(Box(0, 0, side, side), trim.seed))
    if right:
        logos.append(Logo(Box(wide - side, 0, wide, side), trim.seed))
    return text + Part(logos=tuple(logos))


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a heading, and the room that there is for them."""

    lines: tuple[HeadingLine, ...]
    number: int
    look: Look
    wide: float

    def phrase(self, line: HeadingLine) -> Phrase:
        style = self.title(line.text) if line.role == "title" else self.look.plain
        return Phrase(line.text, style, line.role, timetable=self.number)

    def title(self, text: str, room: float | None = None) -> Style:
        """The style of a title that is to stand on one line, but is larger than all other writing."""
        look = self.look
        others = max(style.size for style in (look.name, look.label, look.day, look.plain))
        fits = look.title.size * (room or self.wide) / width(text, look.title)
        return replace(look.title, size=max(min(look.title.size, fits), LEAST_TITLE * others))

    def titles(self) -> tuple[HeadingLine, ...]:
        return tuple(line for line in self.lines if line.role == "title")

    def others(self) -> tuple[HeadingLine, ...]:
        return tuple(line for line in self.lines if line.role != "title")


def _below(phrases: Sequence[Phrase], wide: float, align: Align) -> Part:
    """Phrases below each other, from (0, 0), broken where they are too long."""
    rows = set_in(phrases, wide) or set_in([phrase.sized(0.6) for phrase in phrases], wide)
    if rows is None or not phrases:
        return Part()
    return Part(placed(rows, Place(Box(0, 0, wide, rows.height), align)))


def _centered(lines: _Lines) -> Part:
    return _below([lines.phrase(each) for each in lines.lines], lines.wide, "center")


def _left(lines: _Lines) -> Part:
    return _below([lines.phrase(each) for each in lines.lines], lines.wide, "left")


def _in_row(lines: _Lines) -> Part:
    """The title above, the other lines side by side, or below each other where they are too long for that."""
    top = _below([lines.phrase(each) for each in lines.titles()], lines.wide, "center")
    others = [lines.phrase(each) for each in lines.others()]
    room = lines.wide / max(1, len(others))
    if any(width(each.text, each.style) > 0.94 * room for each in others):
        row = _below(others, lines.wide, "center")
    else:
        aligns: list[Align] = ["left", *["center"] * (len(others) - 2), "right"]  # type: ignore[list-item]  # of Align
        texts = (
            placed(
                rows, Place(Box(i * room, 0, (i + 1) * room, rows.height), aligns[i] if len(others) > 1 else "center")
            )
            for i, each in enumerate(others)
            if (rows := set_in([each], room))
        )
        row = Part(tuple(text for group in texts for text in group))
    return Part.of(_stacked([top, row], 0.0, 0.3 * lines.look.plain.size))


def _banded(lines: _Lines) -> Part:
    """The title on a band of the accent's colour, the other lines below."""
    look = lines.look
    pad = look.title.size * 0.4
    inner = replace(lines, wide=lines.wide - 2 * pad)
    title = _below([inner.phrase(each) for each in inner.titles()], inner.wide, "center").moved(pad, pad)
    if not title.texts:
        return _left(lines)
    fill = look.palette.accent if contrast(look.palette.accent, look.ground) > 2 else look.palette.soft  # noqa: PLR2004 - visible
    texts = tuple(replace(text, style=look.on(text.style, fill)) for text in title.texts)
    high = title.box.bottom + pad
    band = Part(texts, fills=(Panel(Box(0, 0, lines.wide, high), fill),))
    others = _below([lines.phrase(each) for each in lines.others()], lines.wide, "center").moved(0, high + pad / 2)
    return band + others


def _split(lines: _Lines) -> Part:
    """The title on the left, the other lines on the right, a rule below."""
    look = lines.look
    half = lines.wide * 0.62
    titles = [
        Phrase(each.text, lines.title(each.text, half), each.role, timetable=lines.number) for each in lines.titles()
    ]
    title = _below(titles, half, "left")
    others = _below([lines.phrase(each) for each in lines.others()], lines.wide * 0.34, "right")
    part = title + others.moved(lines.wide * 0.66, 0.0)
    y = part.box.bottom + 0.2 * look.plain.size
    return part + Part(rules=(Stroke((0, y), (lines.wide, y), look.rules.width, look.palette.accent),))


HEADS: dict[HeadStyle, Callable[[_Lines], Part]] = {
    "center": _centered,
    "left": _left,
    "row": _in_row,
    "band": _banded,
    "split": _split,
}


def _foot(around: Around, look: Look, trim: Trim, wide: float) -> Part:
    """Lines at the end of the sheet, and its number."""
    style = replace(look.plain, size=look.note.size, bold=False)
    lines = [Phrase(text, style, "other", timetable=around.number) for text in around.heading.footer]
    part = _below(lines, wide, trim.footer)
    if not trim.page_number:
        return part
    number, count = around.page
    ways = ("", f"{number}", f"– {number} –", f"{number} / {count}", f"{PAGE_WORDS[around.language]} {number}")
    phrase = Phrase(ways[trim.page_number], style, "other", timetable=around.number)
    down = part.box.bottom + 0.3 * style.size if part.texts else 0.0
    return part + Part((line(phrase, (wide / 2, down), "center"),))
