"""Colours that go together: paper, ink, accents, and tints for subjects."""

from __future__ import annotations

from colorsys import hls_to_rgb
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from pocai.synthetic.layouts.chance import between, happens, pick

if TYPE_CHECKING:
    from numpy.random import Generator

    from pocai.documents.page import Color

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
LEGIBLE = 5.0  # least contrast of letters, as WCAG 2.2 counts it
OFFICE: tuple[Color, ...] = (  # the default colours of word processors and spreadsheets
    (255, 0, 0), (255, 192, 0), (255, 255, 0), (146, 208, 80), (0, 176, 80), (0, 176, 240), (0, 112, 192),
    (112, 48, 160), (192, 192, 192), (91, 155, 213), (237, 125, 49), (165, 165, 165), (112, 173, 71), (244, 176, 131),
    (189, 214, 238), (255, 230, 153), (197, 224, 179), (248, 203, 173), (217, 217, 217), (255, 102, 204),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one document; ``tints`` are for the subjects, pale or strong."""

    accent: Color
    soft: Color  # a pale shade of the accent
    second: Color  # another pale shade
    ink: Color
    tints: tuple[Color, ...]

    def tint(self, name: str) -> Color:
        """The tint of a subject: the same wherever its name stands."""
        return self.tints[crc32(name.casefold().encode()) % len(self.tints)]


def palette_of(rng: Generator) -> Palette:
    """A palette: mostly black ink, one accent with a hue of its own, and tints of one manner."""
    hue = float(rng.random())
    accent = _shade(hue, between(rng, 0.18, 0.45), between(rng, 0.35, 0.9))
    if happens(rng, 0.18):
        accent = pick(rng, ((0, 0, 0), (64, 64, 64), (31, 56, 100), (68, 84, 106)))
    soft = _shade(hue, between(rng, 0.84, 0.94), between(rng, 0.3, 0.9))
    grey = int(rng.integers(205, 243))
    second = (grey, grey, grey) if happens(rng, 0.5) else _shade(hue + between(rng, 0.1, 0.9), 0.9, 0.6)
    ink = BLACK if happens(rng, 0.75) else _shade(hue, between(rng, 0.04, 0.22), 0.6)
    return Palette(accent, soft, second, ink, _tints(rng))


def _tints(rng: Generator) -> tuple[Color, ...]:
    count = int(rng.integers(5, 13))
    match pick(rng, ("pastel", "strong", "office", "near"), (0.45, 0.2, 0.22, 0.13)):
        case "pastel":
            light, vivid = between(rng, 0.8, 0.93), between(rng, 0.4, 0.95)
            start = float(rng.random())
            return tuple(_shade(start + i / count, light, vivid) for i in range(count))
        case "strong":
            start = float(rng.random())
            return tuple(_shade(start + i / count, between(rng, 0.3, 0.6), between(rng, 0.5, 1)) for i in range(count))
        case "office":
            return tuple(OFFICE[i] for i in rng.permutation(len(OFFICE))[:count])
        case _:
            hue = float(rng.random())
            return tuple(_shade(hue + 0.012 * i, 0.95 - 0.025 * i, 0.6) for i in range(count))


def _shade(hue: float, light: float, vivid: float) -> Color:
    red, green, blue = hls_to_rgb(hue % 1, light, vivid)
    return round(red * 255), round(green * 255), round(blue * 255)


def contrast(one: Color, other: Color) -> float:
    """The contrast of two colours, 1 to 21. Source: WCAG 2.2, contrast ratio."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]  # noqa: PLR2004 - sRGB
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def legible(ink: Color, ground: Color) -> Color:
    """The ink where it can be read on the ground; else black or white, whichever is read better."""
    if contrast(ink, ground) >= LEGIBLE:
        return ink
    return max((BLACK, WHITE), key=lambda color: contrast(color, ground))


def faded(color: Color, share: float) -> Color:
    """The colour mixed with white; 1 is white."""
    return tuple(round(c + (255 - c) * share) for c in color)  # type: ignore[return-value]  # three in, three out
