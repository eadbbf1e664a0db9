"""Lines of plain print that any student must read, and changes of a line's picture after which it says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocai.synthetic.fonts import Face, faces, font

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

TEXTS = (
    *("Monday", "Tuesday", "Maths", "English", "Geography", "Room 12", "Mr Smith", "Class 4B"),
    *("9:00 – 9:45", "10.15 – 11.00", "Deutsch", "Übung", "Français", "Break", "Year 7"),
)
CHANGED = (  # two texts that differ in what matters most
    *(("Room 12", "Room 17"), ("9:00 – 9:45", "9:05 – 9:45"), ("Class 4B", "Class 5B"), ("Monday", "Mondays")),
    *(("11:30", "14:30"), ("Maths", "Baths"), ("Year 7", "Year 8"), ("10.15", "10.45")),
)
SIZE = 30  # pixels of the em
_KINDS = ("sans", "serif", "condensed")
_MARGIN = 0.25  # of the em, around the ink


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLine:
    """A crop, RGB ``(h, w, 3)`` uint8, and what is printed on it."""

    image: Pixels
    text: str


def drawn_lines() -> tuple[DrawnLine, ...]:
    """Plain texts in a face each of three kinds. Raises ConfigurationError where too few faces are installed."""
    return tuple(DrawnLine(drawn(text, face), text) for face in plain_faces() for text in TEXTS)


def plain_faces() -> Iterator[Face]:
    """The first installed face of each ordinary kind, among those that nothing is trained on."""
    for kind in _KINDS:
        yield from [face for face in faces("test") if face.kind == kind][:1]


def drawn(text: str, face: Face) -> Pixels:
    """A text in black on white, with a little paper around."""
    import numpy as np
    from PIL import Image, ImageDraw

    letters = font(face.file, SIZE)
    left, top, right, bottom = letters.getbbox(text, anchor="ls")
    room = round(_MARGIN * SIZE)
    canvas = Image.new("RGB", (round(right - left) + 2 * room, round(bottom - top) + 2 * room), "white")
    ImageDraw.Draw(canvas).text((room - left, room - top), text, fill="black", font=letters, anchor="ls")
    return np.asarray(canvas)


def fainter(image: Pixels) -> Pixels:
    """Grey ink on greyish paper."""
    import numpy as np

    found: Pixels = (60 + image.astype(np.float32) * 0.6).astype(np.uint8)
    return found


def inverted(image: Pixels) -> Pixels:
    """Light ink on dark paper."""
    found: Pixels = 255 - image
    return found


def finer(image: Pixels) -> Pixels:
    """Twice as many pixels each way."""
    return _resized(image, 2.0)


def coarser(image: Pixels) -> Pixels:
    """Four pixels for five each way."""
    return _resized(image, 0.8)


def with_paper(image: Pixels) -> Pixels:
    """With more paper at the left and right."""
    import numpy as np

    room = max(2, image.shape[0] // 4)
    return np.pad(image, ((0, 0), (room, room), (0, 0)), mode="edge")


LINE_CHANGES: Mapping[str, Callable[[Pixels], Pixels]] = {
    "fainter print": fainter,
    "light on dark": inverted,
    "a finer picture": finer,
    "a coarser picture": coarser,
    "more paper beside it": with_paper,
}


def _resized(image: Pixels, by: float) -> Pixels:
    import numpy as np
    from PIL import Image

    high, wide = image.shape[:2]
    size = (max(1, round(wide * by)), max(1, round(high * by)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
