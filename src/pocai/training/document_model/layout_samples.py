"""Sample pages of a trained layout transformer: each line a box in the colour of its role, mistakes framed in red.

No text is drawn, so that the pictures may go wherever the figures of a run go.
"""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hls_to_rgb
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import nn

from pocai.models.layout_tokens import ROLES
from pocai.training.document_model.layout_pages import LayoutPage
from pocai.training.document_model.layout_task import batch_of

SCALE = 14  # pixels for the height of text
MARGIN = 12  # pixels
LARGEST = 2000  # pixels of a side
FRAME = 3  # pixels
WRONG = (200, 0, 0)


def draw_samples(network: nn.Module, pages: Sequence[LayoutPage], folder: Path) -> tuple[Path, ...]:
    """Draw what a network says of pages to ``folder/page-N.png``; the network must be in use mode."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, page in enumerate(pages, start=1):
        batch = batch_of([page])
        with torch.inference_mode():
            roles, _ = network(batch.letters, batch.facts, batch.places, batch.cells, batch.filled)
        files.append(folder / f"page-{number}.png")
        _drawn(page, roles[0].argmax(dim=1).tolist()).save(files[-1])
    return tuple(files)


def _drawn(page: LayoutPage, said: Sequence[int]) -> Image.Image:
    far = float(page.places[:, 2:4].max())
    scale = min(SCALE, (LARGEST - 2 * MARGIN) / max(far, 1.0))
    wide, high = (int(scale * float(page.places[:, side].max())) + 2 * MARGIN for side in (2, 3))
    picture = Image.new("RGB", (max(wide, 1), max(high, 1)), "white")
    draw = ImageDraw.Draw(picture)
    for place, role, truth in zip(page.places[:, :4].tolist(), said, page.roles.tolist(), strict=True):
        box = [MARGIN + scale * value for value in place]
        box = [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]
        wrong = role != truth
        draw.rectangle(box, fill=_colour(role), outline=WRONG if wrong else None, width=FRAME if wrong else 0)
    return picture


def _colour(role: int) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in hls_to_rgb(role / len(ROLES), 0.72, 0.6))
    return red, green, blue
