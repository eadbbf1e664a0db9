"""A document to send: what a caller has at hand becomes a name and bytes, so that it can be sent again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO

from pocai.errors import InputError

Source = Path | str | bytes | BinaryIO  # a str is a path

_NAMELESS = "document"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's name, without folders, and its bytes; neither is shown."""

    name: str = field(repr=False)
    content: bytes = field(repr=False)


def document_of(source: Source, name: str | None = None) -> Document:
    """The document, read from where it is; an open file is read from where it stands. Raises InputError."""
    if isinstance(source, bytes):
        return Document(name or _NAMELESS, source)
    if isinstance(source, str | Path):
        return Document(name or PurePath(source).name or _NAMELESS, _content(Path(source)))
    content = source.read()
    if not isinstance(content, bytes):
        raise InputError("the file was opened as text", mend='Open it with mode "rb"')
    return Document(name or _own_name(source), content)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be opened ({error.strerror})", mend="Check the path") from error


def _own_name(source: BinaryIO) -> str:
    """The name of an open file; a descriptor's is a number, and a file in memory has none."""
    name = getattr(source, "name", None)
    return PurePath(name).name or _NAMELESS if isinstance(name, str) else _NAMELESS
