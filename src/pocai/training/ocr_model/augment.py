"""Small changes to line images while they are trained on, so that no line is seen twice in the same way."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pocai.models.line_image import HEIGHT, PAPER

Pixels = NDArray[np.uint8]

SHIFT = 3  # pixels up or down
STRETCH = 0.15  # share by which a line becomes wider or narrower
SLANT = 0.3  # pixels to the side for each pixel up or down
WAVE = 2.5  # pixels by which a written line rises and falls
WAVES = (60, 240)  # pixels from one rise to the next


def augmented(image: Pixels, random: np.random.Generator, strength: float, *, stretch: bool = True) -> Pixels:
    """A line image ``(48, w)`` uint8 changed a little: moved, stretched, slanted, fatter, blurred, noisy, uneven.

    ``strength`` from 0 (nothing) to 1 is the chance of each change. ``stretch=False`` keeps the width, for lines that
    a teacher's scores belong to.
    """
    if random.random() < strength:
        image = _moved(image, int(random.integers(-SHIFT, SHIFT + 1)))
    if stretch and random.random() < strength:
        width = max(8, round(image.shape[1] * random.uniform(1 - STRETCH, 1 + STRETCH)))
        image = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if stretch and random.random() < strength / 2:
        image = _written(image, random)
    if random.random() < strength / 2:
        change = cv2.erode if random.random() < 0.5 else cv2.dilate  # noqa: PLR2004
        image = change(image, np.ones((2, 2), np.uint8)).astype(np.uint8)
    if random.random() < strength / 3:
        image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 1.4))).astype(np.uint8)
    if random.random() < strength:
        image = _toned(image, random)
    return image


def _moved(image: Pixels, by: int) -> Pixels:
    moved = np.full_like(image, PAPER)
    source, target = (slice(0, HEIGHT - by), slice(by, HEIGHT)) if by >= 0 else (slice(-by, HEIGHT), slice(0, by))
    moved[target] = image[source]
    return moved


def _written(image: Pixels, random: np.random.Generator) -> Pixels:
    """Slanted to one side, on a baseline that rises and falls: as no hand writes straight."""
    height, width = image.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    turns = 2 * np.pi / random.uniform(*WAVES)
    rise = np.float32(random.uniform(0, WAVE)) * np.sin(columns * turns + random.uniform(0, 2 * np.pi))
    slant = np.float32(random.uniform(-SLANT, SLANT)) * (rows - height / 2)
    drawn: NDArray[np.uint8] = cv2.remap(
        image, columns + slant, (rows + rise).astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, PAPER
    )
    return drawn


def _toned(image: Pixels, random: np.random.Generator) -> Pixels:
    """Weaker ink, greyer paper, grain."""
    low, high = random.uniform(0, 60), random.uniform(190, 255)
    tones = low + image.astype(np.float32) * ((high - low) / 255)
    tones += random.standard_normal(image.shape, np.float32) * random.uniform(0, 12)
    toned: Pixels = np.clip(tones, 0, 255).astype(np.uint8)
    return toned
