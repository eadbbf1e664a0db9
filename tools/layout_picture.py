"""Draws docs/roles.png: what the shipped layout transformer says of a made page whose layout it never learned.

python tools/layout_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pocai.models.layout import LayoutModel
from pocai.settings import SchoolHours
from pocai.synthetic.compose import compose
from pocai.timetable.pointed_picture import draw_pointed
from pocai.training.document_model.made_pages import made_pages

ROOT = Path(__file__).parents[1]
SEED = 950_003
WIDTH = 1400  # pixels


def main() -> None:
    """Make a page, point, draw, shrink, save."""
    (made, *_) = made_pages(compose(SEED, layouts="test", split="test"), np.random.default_rng(SEED), plain=True)
    picture = Image.fromarray(draw_pointed(LayoutModel(SchoolHours()).pointed(made.page)))
    small = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(ROOT / "docs/roles.png", optimize=True)


if __name__ == "__main__":
    main()
