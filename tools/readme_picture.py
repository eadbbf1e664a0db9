"""Draws docs/demo.png: the bundled document as it is read now, every lesson marked.

python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pocai.inference.pipeline import read
from pocai.timetable.overlay import draw

ROOT = Path(__file__).parents[1]
WIDTH = 1400  # pixels, enough for a README


def main() -> None:
    """Read, draw, shrink, save."""
    extraction = read(ROOT / "src/pocai/assets/demo/demo.png")
    picture = Image.fromarray(draw(extraction.document.pages[0], extraction.timetables))
    small = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(ROOT / "docs/demo.png", optimize=True)


if __name__ == "__main__":
    main()
