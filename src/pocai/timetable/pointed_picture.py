"""Draws what a model says of a page: roles of lines as colours, events as frames, threads to their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pocai.documents.page import Box
from pocai.timetable.overlay import PAPER, font, picture_of
from pocai.timetable.pointed import Pointed, groups_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageDraw import ImageDraw

Color = tuple[int, int, int]

# After Okabe and Ito; roles of a kind have one colour.
COLORS: Mapping[str, Color] = {
    "event": (0, 94, 162),
    "break": (0, 140, 170),
    "note": (0, 122, 92),
    "day": (181, 71, 8),
    "time": (176, 32, 48),
    "period": (200, 90, 130),
    "key": (120, 94, 0),
    "title": (110, 60, 150),
    "teacher": (110, 60, 150),
    "class": (110, 60, 150),
    "term": (110, 60, 150),
    "year": (110, 60, 150),
    "other": (110, 110, 116),
}
LEGEND = ("event", "break", "note", "day", "time", "period", "key", "title", "other")
ROOM = 1.6  # height of the legend, in heights of its letters


def draw_pointed(pointed: Pointed) -> NDArray[np.uint8]:
    """The page with roles, events and the threads from each event to its labels, RGB ``(H, W, 3)`` uint8."""
    from PIL import Image, ImageDraw

    picture = picture_of(pointed.page)
    scale = picture.width / pointed.page.width
    glaze = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    canvas = ImageDraw.Draw(glaze)
    stroke = max(1, min(picture.size) // 700)
    boxes = [line.box.scaled(scale) for line in pointed.lines]
    _draw_events(canvas, pointed, boxes, stroke)
    for box, role in zip(boxes, pointed.roles, strict=True):
        canvas.rectangle(box, fill=(*COLORS[role], 96))
    marked = Image.alpha_composite(picture.convert("RGBA"), glaze).convert("RGB")
    size = max(12, picture.width // 70)
    whole = Image.new("RGB", (picture.width, picture.height + round(ROOM * size)), PAPER)
    whole.paste(marked, (0, round(ROOM * size)))
    _draw_legend(ImageDraw.Draw(whole), size)
    return np.asarray(whole, dtype=np.uint8)


def _draw_events(canvas: ImageDraw, pointed: Pointed, boxes: Sequence[Box], stroke: int) -> None:
    for group in groups_of(pointed):
        around = Box.around(boxes[number] for number in group.lines)
        for label, role in ((group.days, "day"), (group.times, "time")):
            for number in label:
                canvas.line((boxes[number].center, around.center), fill=(*COLORS[role], 70), width=stroke)
        pad = 3 * stroke
        frame = (around.left - pad, around.top - pad, around.right + pad, around.bottom + pad)
        canvas.rectangle(frame, outline=(*COLORS["event"], 255), width=2 * stroke)


def _draw_legend(canvas: ImageDraw, size: int) -> None:
    left, face = size, font(size)
    for role in LEGEND:
        canvas.rectangle((left, size // 3, left + size, size // 3 + size), fill=COLORS[role])
        canvas.text((left + 1.4 * size, size // 3 + size // 2), role, font=face, fill=(30, 30, 34), anchor="lm")
        left += round(3 * size + face.getlength(role))
