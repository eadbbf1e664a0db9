"""Which document is read for a file that the host application names.

The host hands over a converted copy of the upload, has it enhanced, and then names the enhanced picture only. What the
upload knew (text of a PDF, colours, full size) stays within reach: an enhanced picture holds in an iTXt chunk where its
source lies and which content it had, and beside a converted copy the untouched upload is looked for. Neither is
believed: a chunk counts only with the right SHA-256 inside the roots, an upload only where it shows the same picture.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import DeadlineExceeded, InputError, NotAllowed, NotFound, WorkerLost
from pocai.server.frames import Frame
from pocai.server.paths import Paths
from pocai.server.workers import Task

KEYWORD = "pocai-source"  # of the iTXt chunk
PNG = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 64  # that are looked at before the pixels begin
LONGEST_TEXT = 2**16  # bytes of a chunk that is looked at
MATCHING = 30.0  # seconds for the comparison of two pictures
CONVERTED = re.compile(r"(?P<stem>.+?)\.(?:converted|compressed)\..+")  # how the host names what it made of an upload

Run = Callable[[Task], Awaitable[Frame]]


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file of the host: where it lies, links followed, and its content."""

    path: Path
    content: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """What is read for a file of the host.

    ``size`` is width and height in pixels of the picture that the host sees, None where that is the document itself;
    ``orientation`` is the document's (EXIF, 1 to 8): boxes of the document are as stored, and so is what the host sees.
    """

    file: HostFile
    size: tuple[int, int] | None = None
    orientation: int = 1


class Pointer(BaseModel):
    """What an enhanced picture says about its source; ``path`` starts from the folder of the picture."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    orientation: int = Field(1, ge=1, le=8)


async def find_source(paths: Paths, file: HostFile, run: Run) -> Source:
    """What is read for a file: what it points to, the untouched upload beside it, or the file itself.

    ``run`` has a task done by a reading process; where the comparison fails, the file itself is read.
    """
    source = await asyncio.to_thread(pointed_to, paths, file)
    if source is not None:
        return source
    upload = await asyncio.to_thread(untouched, paths, file)
    if upload is None:
        return Source(file)
    with suppress(InputError, WorkerLost, DeadlineExceeded):
        match = (await run(Task("match", {}, (file.content, upload.content), MATCHING, urgent=True))).head
        if match["same"] is True:
            return Source(upload, (int(match["width"]), int(match["height"])), int(match["orientation"]))
    return Source(file)


def open_file(paths: Paths, path: str) -> HostFile:
    """A file of the host; blocks. Raises what `Paths.read` raises."""
    real = paths.resolve(path)
    return HostFile(real, paths.read(str(real)))


def pointer(source: Source, folder: Path) -> dict[str, str]:
    """The text for an enhanced picture in ``folder``, by the keyword of its chunk."""
    told = Pointer(
        path=os.path.relpath(source.file.path, folder),
        sha256=hashlib.sha256(source.file.content).hexdigest(),
        orientation=source.orientation,
    )
    return {KEYWORD: told.model_dump_json()}


def pointed_to(paths: Paths, picture: HostFile) -> Source | None:
    """The source of an enhanced picture; None where it is none of ours, or the source is gone or changed. Blocks."""
    text = png_text(picture.content, KEYWORD)
    if text is None:
        return None
    try:
        told = Pointer.model_validate_json(text)
        file = open_file(paths, str(picture.path.parent / told.path))
    except (ValidationError, NotAllowed, NotFound, InputError):
        return None
    if hashlib.sha256(file.content).hexdigest() != told.sha256:
        return None
    return Source(file, png_size(picture.content), told.orientation)


def untouched(paths: Paths, file: HostFile) -> HostFile | None:
    """The upload that a converted copy was made from, by its name; None where there is none, or several. Blocks."""
    made = CONVERTED.fullmatch(file.path.name)
    if made is None:
        return None
    original = re.compile(re.escape(made["stem"]) + r"(?:\.(?!converted$|compressed$)[^.]+)?")
    found = [path for path in paths.beside(file.path) if original.fullmatch(path.name)]
    if len(found) != 1:
        return None
    try:
        return open_file(paths, str(found[0]))
    except (NotAllowed, NotFound, InputError):
        return None


def png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG by its IHDR chunk (PNG 3rd edition, 11.2.1); None for anything else."""
    if not content.startswith(PNG) or content[12:16] != b"IHDR" or len(content) < 24:  # noqa: PLR2004 - IHDR's place
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return (width, height) if width and height else None


def png_text(content: bytes, keyword: str) -> str | None:
    """The text of an uncompressed iTXt chunk (PNG 3rd edition, 11.3.3.4) before the pixels of a PNG, or None."""
    if png_size(content) is None:
        return None
    head = keyword.encode("latin-1") + b"\0\0\0"  # not compressed
    place = len(PNG)
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(content):
            return None
        length, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + min(length, LONGEST_TEXT)]
        if kind == b"iTXt" and length <= LONGEST_TEXT and body.startswith(head):
            *_, text = body.removeprefix(head).split(b"\0", 2)  # language, translated keyword, text
            return text.decode("utf-8", "replace")
        if kind == b"IDAT":
            return None
        place += 12 + length
    return None
