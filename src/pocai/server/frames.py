"""What the service and its reading processes say to each other: frames of JSON and bytes, never pickle.

A frame is a length (4 bytes, big-endian), that many bytes of JSON, and the parts: its JSON holds under ``"parts"`` the
length of each. A reading process that a document has taken over can therefore say wrong things and run nothing.

The first frame configures a process: ``{"configure": {"settings": {...}, "memory_bytes": n, "cpu_seconds": n}}``; once
its models are loaded, it answers ``{"ready": true, "memory": {...}}``. Then the service sends one task at a time:
``{"task": "extract" | "read" | "enhance" | "match" | "overlay", "options": {...}}``, with the document as first part.
The process answers any number of ``{"progress": [stage, share]}``, then one of ``{"done": {...}}`` with parts, and
``{"fault": {"code", "what", "mend"}}``. With ``"last": true`` beside it, the process ends and is to be replaced; with
``"more": true`` beside ``"done"``, a ``{"more": {...}}`` or a fault follows, which nobody has to wait for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct(">I")
SMALLEST_HEAD = 2  # bytes: {}
LARGEST_HEAD = 32 * 2**20  # bytes of JSON; a result with every word of fifty pages has some megabytes
LARGEST_PART = 512 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: a JSON object and its parts."""

    head: dict[str, Any]
    parts: tuple[bytes, ...] = ()

    def chunks(self) -> list[bytes]:
        """The message as it is sent, in pieces, so that no document is copied."""
        text = json.dumps({**self.head, "parts": [len(part) for part in self.parts]}, ensure_ascii=False).encode()
        return [LENGTH.pack(len(text)), text, *self.parts]


class BrokenFrame(Exception):
    """The other side said something that is no frame, or stopped in the middle of one."""


def head_length(data: bytes) -> int:
    """Length of the JSON that follows; raises `BrokenFrame` where it is cut off or out of bounds."""
    if len(data) != LENGTH.size:
        raise BrokenFrame(f"{len(data)} of {LENGTH.size} bytes")
    (length,) = LENGTH.unpack(data)
    if not SMALLEST_HEAD <= length <= LARGEST_HEAD:
        raise BrokenFrame(f"a head of {length} bytes")
    return int(length)


def read_head(text: bytes) -> tuple[dict[str, Any], Sequence[int]]:
    """The JSON object and the lengths of the parts; raises `BrokenFrame`."""
    try:
        head = json.loads(text)
        lengths = head.pop("parts")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise BrokenFrame("the head is not an object with parts") from error
    if not isinstance(lengths, list) or not all(isinstance(n, int) and 0 <= n <= LARGEST_PART for n in lengths):
        raise BrokenFrame("parts of impossible length")
    return head, lengths


def read_frame(read: Callable[[int], bytes]) -> Frame | None:
    """The next frame of a blocking stream; None at its end. Raises `BrokenFrame` where it stops in the middle."""
    start = read(LENGTH.size)
    if not start:
        return None
    head, lengths = read_head(_exactly(read, head_length(start)))
    return Frame(head, tuple(_exactly(read, length) for length in lengths))


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    data = read(count) if count else b""
    if len(data) != count:
        raise BrokenFrame(f"{len(data)} of {count} bytes")
    return data
