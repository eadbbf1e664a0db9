"""The host application as its middleware sees it: how uploads arrive, and which calls follow one another."""

from __future__ import annotations

import io
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from host_contract import faults
from PIL import Image

LONGEST_SIDE = 2048  # pixels of the copy that the host makes
CONVERTED = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".tiff", ""}  # uploads that it makes a copy of
API_KEY = "sk-ant-a-real-secret-of-the-user"


@dataclass(frozen=True)
class Answers:
    """What the four calls for one document gave; ``path`` is the enhanced picture's."""

    path: Path
    ocr: dict[str, Any]
    gate: dict[str, Any]
    timetable: dict[str, Any]


@dataclass(frozen=True)
class Host:
    """Stores uploads in ``uploads`` and calls the middleware, as the queue of the host does."""

    client: httpx.Client
    uploads: Path

    def store(self, content: bytes, ending: str, *, keep_original: bool = True) -> Path:
        """Store an upload in a folder of its own; the path of the file that the middleware is given."""
        folder = self.uploads / str(uuid.uuid4())
        folder.mkdir(parents=True)
        original = folder / f"{secrets.token_hex(16)}{ending}"
        if ending not in CONVERTED:
            original.write_bytes(content)
            return original
        if keep_original:
            original.write_bytes(content)
        handed = folder / f"{original.stem}.converted.compressed.webp"
        handed.write_bytes(converted(content))
        return handed

    def post(self, path: str, **body: Any) -> httpx.Response:
        """One call; whatever the status, the answer must be one that the host understands."""
        answer = self.client.post(path, json=body)
        assert faults(path, answer.status_code, answer.json()) == []
        return answer

    def enhance(self, handed: Path) -> Path:
        """The first call: the enhanced picture, in the upload's own folder."""
        answer = self.post("/preprocess/enhance", image_path=str(handed), output_dir=str(handed.parent))
        assert answer.status_code == httpx.codes.OK, answer.text
        return Path(answer.json()["enhanced_image_path"])

    def process(self, handed: Path) -> Answers:
        """All calls for one document, each with what the ones before gave; each must succeed."""
        enhanced = self.enhance(handed)
        ocr = self.post("/ocr/process", image_path=str(enhanced))
        assert ocr.status_code == httpx.codes.OK, ocr.text
        gate = self.post("/ocr/quality-gate", **ocr.json())
        choice = {"provider": "claude", "model": "claude-3-opus-20240229", "api_key": API_KEY}
        timetable = self.post("/ai/extract-async", image_path=str(enhanced), **choice)
        assert timetable.status_code == httpx.codes.OK, timetable.text
        return Answers(enhanced, ocr.json(), gate.json(), timetable.json())


def converted(content: bytes) -> bytes:
    """The copy that the host makes of a picture: JPEG or, with transparency, 256 colours; then a small lossy WebP.

    Its pixels are those that are stored: the EXIF orientation is dropped and not applied.
    """
    picture = Image.open(io.BytesIO(content))
    between, out = io.BytesIO(), io.BytesIO()
    if picture.mode in {"RGBA", "LA", "PA"}:
        picture.convert("RGBA").quantize(256).save(between, "PNG")
    else:
        picture.convert("RGB").save(between, "JPEG", quality=90)
    copy = Image.open(between)
    copy.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    copy.convert("RGBA" if "transparency" in copy.info else "RGB").save(out, "WEBP", quality=85)
    return out.getvalue()
