"""Line pictures and folders of them, as users have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import pocai

FONT = Path(pocai.__file__).parent / "assets" / "fonts" / "Vera.ttf"
Picture = NDArray[np.uint8]


def picture(text: str, size: int = 30, paper: int = 255, pad: int = 6) -> Picture:
    """Text on paper, RGB ``(h, w, 3)``."""
    font = ImageFont.truetype(FONT, size)
    left, top, right, bottom = font.getbbox(text)
    drawn = Image.new("RGB", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad), (paper,) * 3)
    ImageDraw.Draw(drawn).text((pad - left, pad - top), text, fill="black", font=font)
    return np.array(drawn)


def save(path: Path, image: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def listed(folder: Path, texts: Mapping[str, str]) -> Path:
    """A folder of pictures with ``labels.tsv``: the text of each file."""
    for name, text in texts.items():
        save(folder / name, picture(text))
    rows = "".join(f"{name}\t{text}\n" for name, text in texts.items())
    (folder / "labels.tsv").write_text(rows, encoding="utf-8")
    return folder
