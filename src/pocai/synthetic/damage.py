"""What scanners, cameras, screens, copiers and pens do to print: to crops of lines, and to whole pages."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pocai.synthetic import defects
from pocai.synthetic.bending import Bending
from pocai.synthetic.chance import between, happens, pick
from pocai.synthetic.defects import Defect

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Kind = Literal["pen", "copy", "photo", "screen", "scanner", "fax", "low", "jpeg"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # in the order in which they befall a sheet


@dataclass(frozen=True, slots=True)
class _Recipe:
    """The defects of a kind: those that always occur, those of which one occurs, and those that may occur."""

    always: tuple[Defect, ...] = ()
    one_of: tuple[Defect, ...] = ()
    maybe: tuple[Defect, ...] = ()


def damage_line(image: Image, rng: Generator, *, heavy: bool = False) -> tuple[Image, tuple[Kind, ...]]:
    """A crop of a line with the marks of what befell its sheet, of the same size, and the names of that.

    About a third of the lines stay whole unless ``heavy``, where each is damaged strongly. Small print is treated more
    gently than large print, which stays readable longer.
    """
    if not heavy and happens(rng, _WHOLE):
        return image, ()
    kinds = _story(rng)
    unit = float(image.shape[0]) * _LINE_SHARE
    ease = _EASED[len(kinds) - 1] * min(1.0, max(_GENTLEST, unit / _LARGE_PRINT))
    for kind in kinds:
        strength = between(rng, *(_HEAVY if heavy else _MODERATE)) * ease
        image = _applied(image, rng, kind, strength, unit)
        if kind in ("photo", "screen"):
            image = _bent_line(image, rng, strength)
    return image, kinds


def _story(rng: Generator) -> tuple[Kind, ...]:
    """What befell a sheet, in this order: marks on it, at most one way of taking its picture, storage. At least one."""
    taken = _TAKEN[bisect(_TAKEN_SHARES, rng.random())] if happens(rng, _IS_TAKEN) else None
    kinds = tuple(kind for kind in KINDS if kind == taken or happens(rng, _CHANCES.get(kind, 0.0)))
    return kinds or ("scanner",)


def damage_page(
    image: Image, rng: Generator, kind: Kind, strength: float = 0.5, unit: float = 0.0
) -> tuple[Image, Bending]:
    """A page, RGB ``(h, w, 3)`` uint8, with the marks of one kind, and where its points have come to lie.

    The picture keeps its size. ``strength`` is 0 to 1; ``unit`` is the height of a common line of text in pixels, by
    default a seventieth of the page's longer side.
    """
    unit = unit or max(image.shape[:2]) / _LINES
    bending = _bending(rng, kind, (image.shape[1], image.shape[0]), strength)
    if bending.height or bending != Bending():
        table = 255 * rng.random(3) if kind == "photo" else [pick(rng, (0, 40, 225, 250))] * 3
        red, green, blue = (int(tone) for tone in table)
        image = bending.of(image, (red, green, blue))
    return _applied(image, rng, kind, strength, unit), bending


def _bending(rng: Generator, kind: Kind, size: tuple[int, int], strength: float) -> Bending:
    """How the page lies when this happens to it."""
    if kind == "photo":
        curl = 0.012 * strength * size[1] if happens(rng, _CURLED) else 0.0
        return Bending.drawn(rng, size, 0.07 * strength, curl)
    if kind == "screen":
        return Bending.drawn(rng, size, 0.05 * strength)
    if kind in ("scanner", "fax", "copy"):
        return Bending.turned(size, between(rng, -1.5, 1.5) * strength)
    return Bending()


def _applied(image: Image, rng: Generator, kind: Kind, strength: float, unit: float) -> Image:
    """The defects of a kind, one after the other, in the order of its recipe."""
    recipe = _RECIPES[kind]
    for defect in recipe.always:
        image = defect(image, rng, strength, unit)
    for defect in (pick(rng, recipe.one_of),) if recipe.one_of else ():
        image = defect(image, rng, strength, unit)
    for defect in recipe.maybe:
        if happens(rng, _MAYBE):
            image = defect(image, rng, strength * rng.random(), unit)
    return image


def _bent_line(image: Image, rng: Generator, strength: float) -> Image:
    """The crop slightly bent and in perspective, less than its margins can take."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    ends = rng.normal(0, 0.03 * strength * height, 4)
    xs = np.arange(width, dtype=np.float32)
    along = xs / max(1, width - 1)
    wave = 0.04 * strength * height * np.sin(along * between(rng, 2, 7) + between(rng, 0, 6))
    top, bottom = ends[0] + (ends[1] - ends[0]) * along + wave, ends[2] + (ends[3] - ends[2]) * along + wave
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    rows = down * (height - 1) + top * (1 - down) + bottom * down
    columns = np.broadcast_to(xs, rows.shape)
    bent = cv2.remap(image, np.float32(columns), np.float32(rows), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.uint8)


_WHOLE = 0.35
_IS_TAKEN, _TAKEN, _TAKEN_SHARES = 0.8, ("photo", "scanner", "screen", "fax"), (0.4, 0.76, 0.94, 1.0)
_CHANCES: Mapping[Kind, float] = {"pen": 0.12, "copy": 0.15, "low": 0.15, "jpeg": 0.3}
_MODERATE, _HEAVY = (0.1, 0.6), (0.6, 1.0)
_EASED = (1.0, 0.85, 0.7, 0.6, 0.5)  # of the strength of each kind, where one, two, three … come together
_LARGE_PRINT, _GENTLEST = 24.0, 0.4  # pixels a line of text, and the share of the strength for the smallest print
_LINE_SHARE = 0.8  # of a crop's height: the line of text in it, without the margins
_LINES = 70  # of text on a page
_CURLED, _MAYBE = 0.6, 0.5
_RECIPES: Mapping[Kind, _Recipe] = {
    "pen": _Recipe(one_of=(defects.strokes, defects.highlighter)),
    "copy": _Recipe(always=(defects.spread,), maybe=(defects.fade, defects.dust, defects.grain)),
    "photo": _Recipe(
        always=(defects.shadow, defects.cast),
        one_of=(defects.blur, defects.blur, defects.motion),
        maybe=(defects.crease, defects.grain, defects.grain),
    ),
    "screen": _Recipe(always=(defects.glow, defects.moire), maybe=(defects.cast, defects.blur, defects.grain)),
    "scanner": _Recipe(always=(defects.blur, defects.grain), maybe=(defects.bleed, defects.dust, defects.fade)),
    "fax": _Recipe(always=(defects.fax,)),
    "low": _Recipe(always=(defects.low,)),
    "jpeg": _Recipe(always=(defects.jpeg,)),
}
