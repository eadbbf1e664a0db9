"""One line set in type as it stands in a table: its size, margins, slant and colours, and what is printed near it."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import radians, tan
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.synthetic.chance import between, happens, pick
from pocai.synthetic.fonts import Face, font

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray
    from PIL.ImageDraw import ImageDraw as Draw
    from PIL.ImageFont import FreeTypeFont

    Image = NDArray[np.uint8]
    Color = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Setting:
    """Coverage of ink ``(H, W)`` uint8 with its margins, the box of the ink in it, and the em, all in pixels."""

    mask: Image
    left: float
    top: float
    right: float
    bottom: float
    size: float


def typeset(rng: Generator, face: Face, text: str, *, bold: bool = False) -> Image:
    """A crop of ``text``, RGB ``(h, w, 3)`` uint8, as a text detector cuts it out of a clean page."""
    file = face.cut(bold=bold)
    least = (_LEAST_FANCY if face.kind in ("hand", "display") else _LEAST) / _x_height(file)
    size = max(least, min(_LARGEST, _MIDDLE * 2.0 ** (_SPREAD * float(rng.standard_normal()))))
    if happens(rng, _HINTED):
        return _furnished(rng, *_colored(rng, _set(rng, file, text, round(size))))
    room = size * (1.0 if happens(rng, _HALF) else _FINER)
    master = next((each for each in _MASTERS if each >= room), _MASTERS[-1])
    return _furnished(rng, *_colored(rng, _warped(rng, _set(rng, file, text, master), size / master)))


@cache
def _x_height(file: Path) -> float:
    """Height of small letters in ems."""
    _, top, _, bottom = font(file, _MASTERS[-1]).getbbox("x", anchor="ls")
    return max(_LOWEST, float(bottom - top) / _MASTERS[-1])


def _set(rng: Generator, file: Path, text: str, size: int) -> _Setting:
    """The text upright, at times underlined, or with feet or heads of a neighbour."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageDraw

    face = font(file, size)
    runs = _runs(rng, face, text, size)
    boxes = [(start, face.getbbox(run, anchor="ls")) for start, run in runs]
    left, right = min(start + box[0] for start, box in boxes), max(start + box[2] for start, box in boxes)
    top, bottom = min(box[1] for _, box in boxes), max(box[3] for _, box in boxes)
    if bottom - top < _LOW * size:  # a dash or a dot: the detector sees some of the paper above and below
        top, bottom = min(top, -_CAPITAL * size), max(bottom, _DESCENT * size)
    tall = (bottom - top + size) / 2
    above, below = _margin(rng, tall, _ABOVE), _margin(rng, tall, _BELOW)
    before, after = ((low + 0.5 * rng.random() ** 2) * tall for low in (_BEFORE, _AFTER))
    x, y = round(before - left), round(above - top)
    width, height = round(before + right - left + after), round(above + bottom - top + below)
    canvas = Pillow.new("L", (max(4, width), max(8, height)))
    draw = ImageDraw.Draw(canvas)
    kind = rng.random()
    if kind < _NEIGHBOUR:
        _neighbour(rng, draw, file, size, (x, y))
    elif kind < _UNDERLINED:
        under = y + max(2, round(size * between(rng, 0.1, 0.16)))
        draw.rectangle((x + left, under, x + right, under + max(0, round(size / 16) - 1)), fill=255)
    for start, run in runs:
        draw.text((x + start, y), run, fill=255, font=face, anchor="ls")
    return _Setting(np.asarray(canvas), x + left, y + top, x + right, y + bottom, size)


def _runs(rng: Generator, face: FreeTypeFont, text: str, size: int) -> list[tuple[int, str]]:
    """What is drawn in one go, and where it starts: the line; at times words wide apart, or letters."""
    kind = rng.random()
    if kind < _TRACKED:
        apart, runs = size * between(rng, 0.03, 0.16), list(text)
    elif kind < _APART and " " in text:
        words = text.split(" ")
        apart, runs = size * between(rng, 0.4, 1.4), [word + " " for word in words[:-1]] + words[-1:]
    else:
        return [(0, text)]
    starts = accumulate((face.getlength(run) + apart for run in runs[:-1]), initial=0.0)
    return [(round(start), run) for start, run in zip(starts, runs, strict=True) if run != " "]


def _margin(rng: Generator, tall: float, usual: tuple[float, float]) -> float:
    """Paper above or below the ink: mostly ample, at times tight; now and then the detector cuts a little off."""
    kind = rng.random()
    low, high = (-0.04, -0.02) if kind < _CUT else _TIGHT if kind < _SELDOM else usual
    return (low + (high - low) * rng.random()) * tall


def _neighbour(rng: Generator, draw: Draw, file: Path, size: int, origin: tuple[float, float]) -> None:
    """The line above or below, of which the crop shows what reaches in."""
    down = 1 if happens(rng, _HALF) else -1
    pitch = down * size * (1.12 + 0.3 * rng.random())
    text = pick(rng, _NEIGHBOURS)
    draw.text((origin[0] + size * 4 * (rng.random() - 0.6), origin[1] + pitch), text, 255, font(file, size), "ls")


def _warped(rng: Generator, setting: _Setting, scale: float) -> _Setting:
    """Scaled by an uneven factor, at times slanted, at times turned by up to two degrees."""
    import cv2
    import numpy as np

    height, width = setting.mask.shape
    stretch = scale * (1.0 + 0.12 * float(rng.standard_normal()) if happens(rng, _HALF) else 1.0)
    stretch = min(1.3 * scale, max(0.75 * scale, stretch))
    slant = scale * (0.12 + 0.14 * rng.random()) if happens(rng, _SLANTED) else 0.0
    wide = stretch * width + slant * (setting.bottom - setting.top)
    turn = radians(2.0) * (2 * rng.random() - 1) if happens(rng, _TURNED) else 0.0
    steepest = 0.5 * scale * height / wide
    turn = min(steepest, max(-steepest, tan(turn)))
    rise = abs(turn) * wide
    tall = scale * height + 0.6 * rise
    x, y = slant * setting.bottom + rng.random() - 0.5, rng.random() - 0.5 + 0.3 * rise - turn * wide / 2
    matrix = np.array([[stretch, -slant, x], [turn * stretch, scale, y]])
    size = (max(6, round(wide)), max(8, round(tall)))
    mask = cv2.warpAffine(np.ascontiguousarray(setting.mask), matrix, size, flags=cv2.INTER_LINEAR)
    box = (setting.left * stretch, setting.top * scale, size[0] - (width - setting.right) * stretch)
    bottom = size[1] - (height - setting.bottom) * scale
    return _Setting(mask.astype(np.uint8, copy=False), *box, bottom, setting.size * scale)


def _colored(rng: Generator, setting: _Setting) -> tuple[Image, _Setting]:
    """Ink on paper; the ink is a little lighter or heavier than the face was drawn."""
    import numpy as np

    paper, ink = _colors(rng)
    cover = np.linspace(0, 1, 256) ** (2.0 ** (rng.random() * 1.6 - 1.0))
    tones = np.rint(paper + (ink - paper) * cover[:, None]).astype(np.uint8)
    return tones[setting.mask], setting


def _colors(rng: Generator) -> tuple[Color, Color]:
    """Colours of paper and ink that a person can tell apart."""
    import numpy as np

    white = np.full(3, 255.0) - rng.random() * 12
    black = np.full(3, rng.random() ** 2 * 70.0)
    tint = rng.random(3)
    choices = (
        (white, black),
        (white, np.full(3, 70.0 + rng.random() * 80)),  # grey print
        (175 + 80 * tint, black),  # a pale fill
        (white, 170 * tint),  # coloured print
        (140 * tint, white),  # light on a dark fill
        (255 * tint, 255 * rng.random(3)),
    )
    paper, ink = choices[bisect(_COLOR_SHARES, rng.random())]
    if abs(float((paper - ink) @ _LUMINANCE)) < _LEAST_CONTRAST:
        ink = np.full(3, 255.0 if float(paper @ _LUMINANCE) < _MID_GREY else 0.0)
    return paper, ink


def _furnished(rng: Generator, image: Image, setting: _Setting) -> Image:
    """With rules of the table, or the colour of the next cell, along edges of the crop outside the ink."""
    import numpy as np

    if rng.random() > _FURNISHED:
        return image
    height, width = image.shape[:2]
    rule = 255 * rng.random(3) if happens(rng, _TINTED) else np.full(3, rng.random() ** 2 * 160)
    thickness = 1 + int(rng.random() ** 2 * max(1.0, 0.12 * setting.size))
    rooms = (setting.top, height - setting.bottom, setting.left, width - setting.right)
    views = (image, image[::-1], image.swapaxes(0, 1), image[:, ::-1].swapaxes(0, 1))  # each with its edge first
    for room, view in zip(rooms, views, strict=True):
        start = int(rng.random() * 0.6 * room)
        if happens(rng, _HALF) and start + thickness <= 0.7 * room:
            view[start : start + thickness] = rule
            if happens(rng, _TINTED):
                view[:start] = 255 - 100 * rng.random(3)
    return image


_HALF = 0.5
_MIDDLE, _SPREAD = 14.5, 0.62  # em: median in pixels, deviation in octaves
_LARGEST = 46.0  # em in pixels
_LEAST, _LEAST_FANCY = 3.6, 5.5  # pixels that small letters are high at least: less cannot be read
_LOWEST = 0.15  # ems; no face has lower small letters
_HINTED = 0.35  # drawn on the pixel grid of the page, as screens do; the others are resampled, as paper is
_FINER = 2.0
_MASTERS = (8, 12, 16, 20, 26, 34, 44, 58, 76, 96)  # pixels an em; few, so that faces stay open
_LOW, _CAPITAL, _DESCENT = 0.45, 0.7, 0.2  # ems
_ABOVE, _BELOW, _TIGHT = (0.3, 0.75), (0.2, 0.6), (0.05, 0.35)  # shares of the height of print
_BEFORE, _AFTER = 0.06, 0.03  # the least of these shares beside it: detectors begin earlier than they must
_CUT, _SELDOM = 0.04, 0.25
_TRACKED, _APART = 0.04, 0.08
_NEIGHBOUR, _UNDERLINED = 0.12, 0.16
_SLANTED, _TURNED = 0.08, 0.45
_FURNISHED, _TINTED = 0.3, 0.25
_LEAST_CONTRAST = 70.0
_MID_GREY = 127.0
_COLOR_SHARES = (0.55, 0.62, 0.78, 0.86, 0.95, 1.0)
_LUMINANCE = (0.299, 0.587, 0.114)
_NEIGHBOURS = (
    "Agp 9:30",
    "gyqjp",
    "Monday",
    "10.15-11.00",
    "(QjÀy)",
    "typographie",
    "Mme Lapujade",
    "dbfhklt",
    "Sport",
)
