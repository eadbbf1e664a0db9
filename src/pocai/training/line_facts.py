"""What a labelled line is like: the figures that checks of training data compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from pocai.errors import InputError
from pocai.models.line_image import LEAST_CONTRAST, line_image
from pocai.training.datasets import NamedLines, Pixels, hash_of_pixels

STEP = 4  # pixels of a line 48 pixels high for which the student gives one vector of scores; see `student_network`
_GRID = (32, 8)  # places of a picture that its fingerprint tells apart: columns, rows
NEAR = 20  # of the 256 places, how many may differ between pictures that look alike


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line, measured: ``width`` is that of its image 48 pixels high, ``height`` that of its picture, in pixels.

    ``pixels`` is the SHA-256 of the picture, ``looks`` its fingerprint (see `fingerprint`), ``blank`` whether there
    is no ink on it.
    """

    name: str
    text: str
    pixels: str
    looks: bytes
    width: int
    height: int
    blank: bool

    @property
    def steps(self) -> int:
        """Vectors of scores that the student gives for the line."""
        return -(-self.width // STEP)

    @property
    def steps_needed(self) -> int:
        """Vectors of scores that the label needs: one for each letter, and a blank between equal neighbours."""
        return len(self.text) + sum(one == other for one, other in pairwise(self.text))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line whose picture could not be had, and why."""

    name: str
    why: str


def measured(lines: NamedLines) -> Iterator[LineFacts | Unreadable]:
    """Measure lines one after the other."""
    for number in range(len(lines)):
        name = lines.name(number)
        try:
            line = lines.line(number)
        except InputError as error:
            yield Unreadable(name, error.what)
            continue
        yield _facts(name, line.text, line.image)


def fingerprint(line: Pixels) -> bytes:
    """256 bits, one for each place of a grid of 32 x 8: whether a line image ``(48, w)`` is darker there than its mean.

    An average hash (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), wider than
    high. It hardly changes when a picture is compressed, scaled, brightened, inverted or blurred a little, nor when
    the same words are set again in the same face; it does when the picture is cut, shifted or turned.
    """
    small = cv2.resize(line, _GRID, interpolation=cv2.INTER_AREA)
    return np.packbits(small < small.mean()).tobytes()


def look_alike(one: bytes, others: list[bytes]) -> bool:
    """Whether a fingerprint differs from any of the others in at most `NEAR` places."""
    if not others:
        return False
    table = np.frombuffer(b"".join(others), np.uint8).reshape(len(others), -1)
    differing = np.bitwise_count(table ^ np.frombuffer(one, np.uint8)).sum(axis=1)
    return bool(differing.min() <= NEAR)


def _facts(name: str, text: str, image: Pixels) -> LineFacts:
    line = line_image(image)
    return LineFacts(
        name=name,
        text=text,
        pixels=hash_of_pixels(image),
        looks=fingerprint(line),
        width=line.shape[1],
        height=image.shape[0],
        blank=_is_blank(image),
    )


def _is_blank(image: Pixels) -> bool:
    """Whether no two places differ as ink and paper do; blurred a little first, so that noise is no ink."""
    smooth = cv2.blur(image, (2, 2)) if min(image.shape[:2]) > 1 else image
    tones = smooth.reshape(-1, smooth.shape[-1]).astype(np.int16)
    return bool(np.ptp(tones, axis=0).max() < LEAST_CONTRAST)
