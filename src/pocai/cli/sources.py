"""Which documents a command reads, and under which name each one's results are saved."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from pocai.errors import InputError

STDIN = Path("-")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif")
SUFFIXES = frozenset((*PICTURES, ".pdf", ".docx", ".docm", ".xlsx", ".xlsm"))


@dataclass(frozen=True, slots=True)
class Source:
    """A document to read; ``output`` is the relative path of its results, without an ending."""

    path: Path
    output: PurePath

    @property
    def label(self) -> str:
        """What the user calls it."""
        return "standard input" if self.path == STDIN else str(self.path)

    def content(self) -> bytes | Path:
        """What the pipeline reads: the path, or the bytes from standard input.

        Raises `InputError` where the path is no file.
        """
        if self.path == STDIN:
            return sys.stdin.buffer.read()
        if not self.path.is_file():
            raise InputError("there is no such file", mend="Check the path")
        return self.path


def find_sources(arguments: Sequence[Path], *, leave_out: Path | None = None) -> tuple[Source, ...]:
    """The documents that ``arguments`` name: files as they are, folders with all documents of a known ending below.

    No document is named twice. Nothing below ``leave_out`` is taken from a folder: that is where results go.
    Raises `InputError` for a folder without documents.
    """
    found: dict[Path, PurePath] = {}
    for argument in arguments:
        for path, place in _below(argument, leave_out) if argument.is_dir() else [(argument, PurePath(argument.name))]:
            found.setdefault(path, place)
    return tuple(Source(path, output) for path, output in zip(found, _output_names(found.values()), strict=True))


def _below(folder: Path, leave_out: Path | None) -> Iterator[tuple[Path, PurePath]]:
    hidden = leave_out.resolve() if leave_out is not None and leave_out.resolve() != folder.resolve() else None
    documents = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.name.startswith((".", "~$"))
        and (hidden is None or hidden not in path.resolve().parents)
    ]
    if not documents:
        raise InputError(f"no document in the folder {folder}", mend="It takes pictures, PDF, .docx and .xlsx")
    for path in documents:
        yield path, path.relative_to(folder)


def _output_names(places: Iterable[PurePath]) -> list[PurePath]:
    """A name for each place, ``a`` of ``a.png``; beside an ``a.pdf`` ``a.png`` as a whole.

    Names are unique even where capitals do not count.
    """
    places = [PurePath("stdin") if str(place) == "-" else place for place in places]
    bare = [place.with_name(place.stem) for place in places]
    common = Counter(str(name).casefold() for name in bare)
    taken: set[str] = set()
    names = []
    for place, stem in zip(places, bare, strict=True):
        wanted = stem if common[str(stem).casefold()] == 1 else place
        name, number = wanted, 2
        while str(name).casefold() in taken:
            name, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
        taken.add(str(name).casefold())
        names.append(name)
    return names
