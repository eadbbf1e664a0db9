"""Small pictures without letters, drawn from a seed: emblems of schools, and doodles for nurseries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import cos, pi, sin
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pocai.documents.page import Color, Point

FINE = 4  # pictures are drawn this much larger and averaged
UNIT = 100.0  # pictures are drawn on a square of this side
BRIGHT: tuple[Color, ...] = (
    (214, 40, 57), (29, 78, 137), (0, 121, 91), (247, 181, 0), (106, 61, 154), (239, 118, 34),
    (20, 20, 60), (128, 0, 32), (0, 150, 199), (94, 140, 49), (230, 100, 160), (110, 80, 60),
)  # fmt: skip
DARK = (40, 40, 46)
WHITE = (255, 255, 255)

Shape = Callable[["_Pen", "np.random.Generator"], None]


class _Pen:
    """Draws on a square of 100 x 100 units, whatever its size in pixels."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._side = min(size) * FINE
        self._left, self._top = ((length * FINE - self._side) / 2 for length in size)
        self.picture = Image.new("RGBA", (size[0] * FINE, size[1] * FINE), (255, 255, 255, 0))
        self._draw = ImageDraw.Draw(self.picture)

    def _at(self, point: Point) -> Point:
        return self._left + point[0] * self._side / UNIT, self._top + point[1] * self._side / UNIT

    def polygon(self, points: list[Point], color: Color) -> None:
        self._draw.polygon([self._at(point) for point in points], fill=(*color, 255))

    def circle(self, center: Point, radius: float, color: Color) -> None:
        self.ellipse((center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius), color)

    def ellipse(self, box: tuple[float, float, float, float], color: Color) -> None:
        self._draw.ellipse((*self._at(box[:2]), *self._at(box[2:])), fill=(*color, 255))

    def box(self, box: tuple[float, float, float, float], color: Color) -> None:
        self._draw.rectangle((*self._at(box[:2]), *self._at(box[2:])), fill=(*color, 255))

    def line(self, points: list[Point], color: Color, width: float) -> None:
        thick = max(1, round(width * self._side / UNIT))
        self._draw.line([self._at(point) for point in points], fill=(*color, 255), width=thick, joint="curve")

    def arc(self, box: tuple[float, float, float, float], ends: tuple[float, float], color: Color) -> None:
        thick = max(1, round(6 * self._side / UNIT))
        self._draw.arc((*self._at(box[:2]), *self._at(box[2:])), *ends, fill=(*color, 255), width=thick)


@lru_cache(maxsize=256)
def emblem(seed: int, kind: Literal["emblem", "doodle"], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture of a seed: RGBA ``(height, width, 4)`` uint8; ``size`` is width and height in pixels."""
    rng = np.random.default_rng((seed, 0x10C0))
    pen = _Pen(size)
    shapes = EMBLEMS if kind == "emblem" else DOODLES
    shapes[sorted(shapes)[int(rng.integers(len(shapes)))]](pen, rng)
    picture = np.array(pen.picture.reduce(FINE))
    picture.setflags(write=False)
    return picture


def _colors(rng: np.random.Generator, count: int) -> list[Color]:
    return [BRIGHT[i] for i in rng.permutation(len(BRIGHT))[:count]]


def _star(center: Point, radius: float, points: int, inner: float = 0.42) -> list[Point]:
    """The corners of a star; of a regular polygon with ``inner`` 1."""
    corners = []
    for i in range(2 * points):
        reach = radius if i % 2 == 0 else radius * inner
        angle = -pi / 2 + i * pi / points
        corners.append((center[0] + reach * cos(angle), center[1] + reach * sin(angle)))
    return corners


def _inner(pen: _Pen, rng: np.random.Generator, color: Color) -> None:
    """What stands in the middle of an emblem."""
    match int(rng.integers(5)):
        case 0:
            pen.polygon(_star((50, 48), 24, 5), color)
        case 1:  # an open book
            pen.polygon([(22, 38), (48, 44), (48, 66), (22, 60)], color)
            pen.polygon([(78, 38), (52, 44), (52, 66), (78, 60)], color)
        case 2:  # a tree
            pen.circle((50, 42), 17, color)
            pen.box((46, 55, 54, 74), color)
        case 3:  # waves
            for y in (38, 50, 62):
                pen.line([(x, y + 4 * sin(x / 5)) for x in range(26, 76, 2)], color, 5)
        case _:  # a chevron with two stars
            pen.polygon([(24, 66), (50, 44), (76, 66), (76, 76), (50, 54), (24, 76)], color)
            pen.polygon(_star((36, 36), 9, 5), color)
            pen.polygon(_star((64, 36), 9, 5), color)


def _shield(pen: _Pen, rng: np.random.Generator) -> None:
    ground, edge = _colors(rng, 2)
    outline: list[Point] = [(10, 6), (90, 6), (90, 52), (78, 76), (50, 96), (22, 76), (10, 52)]
    pen.polygon(outline, edge)
    pen.polygon([(50 + (x - 50) * 0.86, 49 + (y - 49) * 0.88) for x, y in outline], ground)
    if rng.random() < 0.4:  # noqa: PLR2004 - a chance
        pen.polygon([(17, 12), (50, 12), (50, 50), (17, 50)], edge)
    _inner(pen, rng, WHITE)


def _round(pen: _Pen, rng: np.random.Generator) -> None:
    ground, edge = _colors(rng, 2)
    pen.circle((50, 50), 47, edge)
    pen.circle((50, 50), 42, WHITE)
    pen.circle((50, 50), 38, ground)
    _inner(pen, rng, WHITE if rng.random() < 0.7 else edge)  # noqa: PLR2004 - a chance


def _polygonal(pen: _Pen, rng: np.random.Generator) -> None:
    ground, edge = _colors(rng, 2)
    corners = int(rng.integers(3, 9))
    pen.polygon(_star((50, 50), 48, corners, inner=float(rng.uniform(0.75, 0.98))), edge)
    pen.circle((50, 50), 34, ground)
    _inner(pen, rng, WHITE)


def _bars(pen: _Pen, rng: np.random.Generator) -> None:
    for i, color in enumerate(_colors(rng, 4)):
        pen.box((8 + i * 22, 80 - float(rng.uniform(20, 70)), 24 + i * 22, 84), color)
    pen.box((4, 86, 96, 92), DARK)


def _petals(pen: _Pen, rng: np.random.Generator) -> None:
    count = int(rng.integers(4, 9))
    colors = _colors(rng, 3)
    for i in range(count):
        angle = 2 * pi * i / count
        pen.circle((50 + 28 * cos(angle), 50 + 28 * sin(angle)), 17, colors[i % 2])
    pen.circle((50, 50), 14, colors[2])


def _sun(pen: _Pen, rng: np.random.Generator) -> None:
    pen.polygon(_star((50, 50), 48, int(rng.integers(9, 15)), inner=0.68), (250, 190, 30))
    pen.circle((50, 50), 28, (255, 220, 70))
    _face(pen)


def _face(pen: _Pen) -> None:
    pen.circle((41, 45), 3, DARK)
    pen.circle((59, 45), 3, DARK)
    pen.arc((38, 44, 62, 64), (20, 160), DARK)


def _cloud(pen: _Pen, rng: np.random.Generator) -> None:
    tone = int(rng.integers(170, 225))
    color = (tone - 30, tone, 245)
    for x, y, radius in ((28, 58, 18), (48, 46, 24), (70, 56, 19)):
        pen.circle((x, y), radius, color)
    pen.box((28, 56, 70, 75), color)


def _balloon(pen: _Pen, rng: np.random.Generator) -> None:
    color = _colors(rng, 1)[0]
    pen.line([(50, 66), (47, 78), (53, 88), (50, 98)], DARK, 2)
    pen.ellipse((26, 6, 74, 66), color)
    pen.polygon([(44, 70), (56, 70), (50, 62)], color)
    pen.ellipse((36, 16, 44, 30), WHITE)


def _flower(pen: _Pen, rng: np.random.Generator) -> None:
    pen.line([(50, 50), (50, 98)], (60, 140, 60), 4)
    pen.ellipse((52, 70, 76, 82), (60, 140, 60))
    color = _colors(rng, 1)[0]
    for i in range(6):
        pen.circle((50 + 19 * cos(i * pi / 3), 36 + 19 * sin(i * pi / 3)), 13, color)
    pen.circle((50, 36), 11, (255, 215, 60))


def _pencil(pen: _Pen, rng: np.random.Generator) -> None:
    pen.polygon([(14, 72), (66, 20), (80, 34), (28, 86)], _colors(rng, 1)[0])
    pen.polygon([(14, 72), (28, 86), (8, 92)], (240, 205, 160))
    pen.polygon([(11, 84), (16, 89), (8, 92)], DARK)
    pen.polygon([(66, 20), (74, 12), (88, 26), (80, 34)], (240, 130, 150))


def _apple(pen: _Pen, rng: np.random.Generator) -> None:
    color: Color = ((214, 40, 57), (120, 180, 50))[int(rng.integers(2))]
    pen.circle((38, 56), 25, color)
    pen.circle((62, 56), 25, color)
    pen.ellipse((28, 50, 72, 90), color)
    pen.line([(50, 36), (54, 16)], (110, 80, 60), 4)
    pen.ellipse((55, 14, 78, 27), (94, 160, 49))


def _house(pen: _Pen, rng: np.random.Generator) -> None:
    wall, roof, door = _colors(rng, 3)
    pen.box((20, 46, 80, 92), wall)
    pen.polygon([(10, 48), (50, 10), (90, 48)], roof)
    pen.box((42, 64, 58, 92), door)
    pen.box((26, 54, 38, 66), WHITE)
    pen.box((62, 54, 74, 66), WHITE)


def _fish(pen: _Pen, rng: np.random.Generator) -> None:
    color = _colors(rng, 1)[0]
    pen.polygon([(64, 50), (94, 28), (94, 72)], color)
    pen.ellipse((8, 26, 76, 74), color)
    pen.circle((26, 44), 6, WHITE)
    pen.circle((25, 44), 3, DARK)


def _stars(pen: _Pen, rng: np.random.Generator) -> None:
    for x, y, radius in ((40, 44, 36), (76, 74, 20)):
        pen.polygon(_star((x, y), radius, 5), _colors(rng, 1)[0])


def _rainbow(pen: _Pen, rng: np.random.Generator) -> None:
    colors: tuple[Color, ...] = ((214, 60, 60), (239, 140, 40), (250, 210, 60), (80, 170, 90), (60, 120, 200))
    shift = int(rng.integers(len(colors)))
    for i in range(len(colors)):
        pen.arc((4 + 7 * i, 20 + 7 * i, 96 - 7 * i, 112 - 7 * i), (180, 360), colors[(i + shift) % len(colors)])


EMBLEMS: Mapping[str, Shape] = {
    "bars": _bars, "petals": _petals, "polygon": _polygonal, "round": _round, "shield": _shield,
}  # fmt: skip
DOODLES: Mapping[str, Shape] = {
    "apple": _apple, "balloon": _balloon, "cloud": _cloud, "fish": _fish, "flower": _flower, "house": _house,
    "pencil": _pencil, "rainbow": _rainbow, "stars": _stars, "sun": _sun,
}  # fmt: skip
