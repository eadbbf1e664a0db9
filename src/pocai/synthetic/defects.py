"""Single defects of pictures of print. Each takes RGB ``(h, w, 3)`` uint8, a strength of 0 to 1 and the ``unit``.

The unit is the height of a line of text in pixels: what blurs a heading slightly would wipe out small print. The size
of the picture stays as it is. At strength 1 a person can still read the text, with some trouble.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, cos, pi, sin
from typing import TYPE_CHECKING

from pocai.synthetic.chance import between, happens, pick

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Plane = NDArray[np.float32]

Defect = Callable[["Image", "Generator", float, float], "Image"]


def grain(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Noise of paper and sensor, grey or coloured, fine or as coarse as JPEG leaves it."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    coarse = 1 + (happens(rng, 0.4) and unit > _COARSE)
    channels = 3 if happens(rng, 0.3) else 1
    noise = rng.standard_normal((ceil(height / coarse), ceil(width / coarse), channels), np.float32)
    if coarse > 1:
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    deepest = 0.16 * float(np.ptp(image.mean(axis=2)))  # faint print drowns sooner
    return _cut_off(image + noise * np.float32(min(deepest, 3 + 22 * strength)))


def dust(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Specks and hairs on the glass, dark or light."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    spoiled = image.copy()
    for _ in range(1 + rng.poisson(0.06 * strength * height * width / unit**2)):
        x, y, tone = rng.random() * width, rng.random() * height, int(rng.random() * 256)
        if happens(rng, 0.9):
            radius = max(0, round(unit * 0.04 * rng.random()))
            cv2.circle(spoiled, (int(x), int(y)), radius, (tone, tone, tone), -1)
        else:
            steps = np.cumsum(rng.normal(0, 0.12 * unit, (6, 2)), axis=0) + np.array((x, y))
            cv2.polylines(spoiled, [np.int32(steps)], isClosed=False, color=(tone, tone, tone), lineType=cv2.LINE_AA)
    return spoiled


def bleed(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Print of the other side of the sheet shining through, mirrored."""
    import cv2
    import numpy as np

    paper = np.median(image[:, :: max(1, image.shape[1] // 64)], axis=(0, 1))
    back = cv2.GaussianBlur(image[:, ::-1], (0, 0), max(0.6, 0.05 * unit)).astype(np.float32)
    back = np.roll(back, int(unit * (0.3 + 0.6 * rng.random())), axis=0)
    return _cut_off(image + (back - paper) * (0.08 + 0.2 * strength))


def shadow(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Uneven light, and at times the edge of a shadow across."""
    import numpy as np

    del unit
    height, width = image.shape[:2]
    turn = 2 * pi * rng.random()
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :] * cos(turn)
    place = across + np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * sin(turn)
    light = 1 - strength * (0.15 * rng.random() + 0.4 * rng.random() * (place + 0.5))
    if happens(rng, 0.5):
        soft, edge = 0.01 + 0.2 * rng.random(), rng.random() - 0.5
        light = light * (1 - strength * (0.1 + 0.15 * rng.random()) * (1 - np.tanh((place - edge) / soft)))
    return _cut_off(image * light.astype(np.float32)[:, :, None])


def cast(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """White balance and exposure gone wrong."""
    import numpy as np

    del unit
    gains = 1 + strength * (0.22 * (rng.random(3) - 0.6) + 0.25 * (rng.random() - 0.5))
    bent = 2.0 ** (strength * (rng.random() - 0.5))
    tones = 255 * (np.arange(256)[:, None] / 255) ** bent * gains
    return _mapped(image, tones)


def blur(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Out of focus."""
    import cv2

    sigma = (0.012 + 0.042 * strength * (0.4 + 0.6 * rng.random())) * unit
    return _cut_off(cv2.GaussianBlur(image, (0, 0), max(0.25, sigma)))


def motion(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """The camera moved: smeared along a line."""
    import cv2
    import numpy as np

    length = (0.02 + 0.11 * strength) * unit
    turn = pi * rng.random()
    size = 2 * ceil(length / 2) + 3
    kernel = np.zeros((size, size), np.float32)
    end = (length / 2 * cos(turn), length / 2 * sin(turn))
    for share in np.linspace(-1, 1, 4 * size):  # spread over the four pixels around each place
        x, y = size // 2 + share * end[0], size // 2 + share * end[1]
        left, top = int(x), int(y)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return _cut_off(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))


def moire(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """The grid of a screen against that of the camera: fine stripes and coloured bands."""
    import numpy as np

    height, width = image.shape[:2]
    waves = np.ones((height, width, 3), np.float32)
    for period in (2 + 3 * rng.random(), unit * (0.3 + 1.5 * rng.random())):
        turn, depth = pi * rng.random(), strength * (0.05 + 0.13 * rng.random())
        xs = np.arange(width, dtype=np.float32)[None, :] * (cos(turn) * 2 * pi / period)
        ys = np.arange(height, dtype=np.float32)[:, None] * (sin(turn) * 2 * pi / period)
        phases = 2 * pi * rng.random() + rng.random(3) * (2.0 if happens(rng, 0.5) else 0.0)
        for channel in range(3):  # sin(a + b) from the parts, which are a row and a column
            waves[:, :, channel] += depth * (
                np.sin(xs + phases[channel]) * np.cos(ys) + np.cos(xs + phases[channel]) * np.sin(ys)
            )
    return _cut_off(image * waves)


def glow(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """A screen shines: light spills over the letters, which turn bluish and pale."""
    import cv2
    import numpy as np

    spilled = cv2.GaussianBlur(image, (0, 0), unit * (0.15 + 0.3 * rng.random())).astype(np.float32)
    share = strength * (0.1 + 0.3 * rng.random())
    return _cut_off((image * (1 - share) + spilled * share) * np.array((0.94, 0.98, 1.04), np.float32))


def fade(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Little toner: ink and paper are closer to each other."""
    import numpy as np

    del unit
    paper = np.median(image[:, :: max(1, image.shape[1] // 64)], axis=(0, 1))
    contrast = float(np.abs(image.astype(np.float32) - paper).max())
    kept = min(1.0, max(1 - strength * (0.3 + 0.4 * rng.random()), _LEAST_CONTRAST / max(1.0, contrast)))
    return _mapped(image, paper + (np.arange(256)[:, None] - paper) * kept)


def spread(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """A copy of a copy: strokes swell or thin."""
    import cv2
    import numpy as np

    kernel = np.ones((2, 2), np.uint8) if happens(rng, 0.6) else np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    changed = cv2.erode(image, kernel) if happens(rng, 0.7) else cv2.dilate(image, kernel)
    share = min(1.0, (0.15 + 0.5 * strength) * min(1.0, unit / _FINE_PRINT))
    return _cut_off(cv2.addWeighted(image, 1 - share, changed, share, 0))


def fax(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Black and white only, with ragged edges and lost rows.

    Each pixel is held against the middle of the tones around it (Bernsen 1986), so that print on fills stays print.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    finer = max(1, min(3, ceil(_FAX_UNIT / unit)))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (width * finer, height * finer), interpolation=cv2.INTER_CUBIC)
    around = np.ones((2 * round(0.3 * unit * finer) + 1,) * 2, np.uint8)
    calm = cv2.GaussianBlur(grey, (0, 0), 0.04 * unit * finer + 0.3)
    high, low = cv2.dilate(calm, around).astype(np.float32), cv2.erode(calm, around).astype(np.float32)
    contrast = high - low
    limit = np.where(contrast > _FLAT, low + contrast * np.float32(between(rng, 0.4, 0.55)), np.float32(_MID_GREY))
    ragged = cv2.GaussianBlur(rng.standard_normal(grey.shape, np.float32), (0, 0), 0.7) * contrast
    printed = np.where(grey + ragged * np.float32(0.3 * strength) > limit, np.float32(255), np.float32(0))
    for _ in range(rng.poisson(0.5 * strength * height / unit)):
        row = int(rng.random() * len(printed))
        printed[row : row + max(1, round(finer * unit / 40))] = 255.0 * happens(rng, 0.7)
    small = cv2.resize(printed, (width, height), interpolation=cv2.INTER_AREA)
    return _cut_off(cv2.cvtColor(_cut_off(small), cv2.COLOR_GRAY2RGB))


def low(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Stored with too few pixels and enlarged again."""
    import cv2

    height, width = image.shape[:2]
    factor = max(1 - strength * (0.25 + 0.35 * rng.random()), _LOWEST_UNIT / unit)
    if factor >= 1:
        return image
    down = pick(rng, (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR))
    up = pick(rng, (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST))
    few = cv2.resize(image, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=down)
    return _cut_off(cv2.resize(few, (width, height), interpolation=up))


def jpeg(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Compressed too much; small print suffers sooner and is spared."""
    import cv2

    floor = 12 if unit > _FINE_PRINT else 28
    quality = max(floor, int(85 - 75 * strength + 10 * rng.random()))
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return _cut_off(decoded)


def strokes(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """A pen has been here: lines under or through words, circles; on a page ticks, which a crop would take for text."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    marked = image.copy()
    shapes = (*_STROKES, _TICK) if height > _PAGE * unit else _STROKES
    for _ in range(1 + rng.poisson(0.004 * strength * height * width / unit**2)):
        color = pick(rng, _PENS)
        thickness = max(1, round(unit * (0.02 + 0.05 * strength * rng.random())))
        shape = np.array(pick(rng, shapes)) * unit
        place = np.array([rng.random() * width, rng.random() * height])
        path = place + shape * (0.6 + 0.8 * rng.random()) + rng.normal(0, 0.04 * unit, shape.shape)
        curve = np.rint(_smooth(path) * 8).astype(np.int32)
        cv2.polylines(marked, [curve], isClosed=False, color=color, thickness=thickness, lineType=cv2.LINE_AA, shift=3)
    return marked


def highlighter(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """Bars of a transparent colour over some words."""
    import numpy as np

    height, width = image.shape[:2]
    marked = image.copy()
    for _ in range(1 + rng.poisson(0.002 * strength * height * width / unit**2)):
        tall, wide = min(height, round(unit * between(rng, 0.6, 1.1))), min(width, round(unit * between(rng, 1, 8)))
        top, left = int(rng.random() * (height - tall + 1)), int(rng.random() * (width - wide + 1))
        color = 1 - (1 - np.array(pick(rng, _MARKERS), np.float32) / 255) * (0.4 + 0.6 * strength)
        part = marked[top : top + tall, left : left + wide]
        part[:] = np.rint(part * color)
    return marked


def crease(image: Image, rng: Generator, strength: float, unit: float) -> Image:
    """A fold of the sheet: a bright and a dark line side by side."""
    import numpy as np

    height, width = image.shape[:2]
    turn = pick(rng, (0.0, pi / 2)) + rng.normal(0, 0.08)
    ys, xs = np.ogrid[:height, :width]
    place = (xs - rng.random() * width) * cos(turn) + (ys - rng.random() * height) * sin(turn)
    near = (place / (unit * (0.08 + 0.15 * rng.random()))).astype(np.float32)
    light = 60 * strength * near * np.exp(-(near**2)) * pick(rng, (-1, 1))
    return _cut_off(image + light[:, :, None])


def _smooth(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """A curve through the bends of a path (Chaikin's corner cutting, twice)."""
    import numpy as np

    for _ in range(2):
        ends, starts = path[1:], path[:-1]
        inner = np.stack((0.75 * starts + 0.25 * ends, 0.25 * starts + 0.75 * ends), axis=1).reshape(-1, 2)
        path = np.concatenate((path[:1], inner, path[-1:]))
    return path


def _mapped(image: Image, tones: NDArray[np.float64]) -> Image:
    """Each tone replaced by that of a table ``(256, 3)``."""
    import cv2

    return _cut_off(cv2.LUT(image, _cut_off(tones)[None]))


def _cut_off(values: NDArray[np.generic]) -> Image:
    """Tones as uint8, those beyond black and white cut off."""
    import numpy as np

    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    whole: Image = np.clip(values, 0, 255).astype(np.uint8)
    return whole


_COARSE, _FINE_PRINT, _FAX_UNIT, _LOWEST_UNIT = 18, 20, 44, 11  # pixels a line of text
_STROKES: tuple[tuple[tuple[float, float], ...], ...] = (  # in units, from where the pen is set down
    ((0.0, 0.0), (0.8, 0.05), (1.8, -0.03), (2.6, 0.04)),  # under or through a word
    ((0.0, 0.0), (0.5, -0.5), (1.8, -0.6), (2.4, 0.0), (1.7, 0.5), (0.5, 0.5), (0.0, 0.1)),  # circle
    ((0.0, 0.0), (0.3, 0.15), (0.6, -0.1), (0.9, 0.15), (1.2, -0.1), (1.5, 0.15)),  # wavy line
)
_TICK = ((0.0, 0.0), (0.2, 0.3), (0.8, -0.6))
_PAGE = 5  # lines of text: what is higher is no crop of a line
_LEAST_CONTRAST, _FLAT, _MID_GREY = 45.0, 30.0, 127.0  # tones
_PENS = ((30, 40, 160), (20, 20, 30), (200, 30, 40), (20, 120, 60), (60, 60, 70), (25, 60, 200))
_MARKERS = ((255, 250, 90), (150, 255, 140), (255, 160, 210), (255, 205, 110), (140, 225, 255))
