"""Where a batch's documents come from and its results go: a folder, or a bucket at any URL that fsspec knows.

Both write whole files or none, and append lines that are there for good when the call returns.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from pocai.errors import ConfigurationError, InputError, Unavailable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PARTIAL = ".pocai-"  # how the name of a file begins that is being written


@dataclass(frozen=True, slots=True)
class Entry:
    """A document: its path below the source with slashes, its size in bytes, and what changes when it is changed."""

    path: str
    size: int
    version: str


class Place(Protocol):
    """A folder or a bucket. Paths are below it, with slashes.

    What is not there, or may not be read, raises InputError; what cannot be written ConfigurationError; a bucket that
    does not answer Unavailable.
    """

    def documents(self, suffixes: Collection[str], leave_out: str = "") -> tuple[Entry, ...]:
        """The files with these endings (lower case) in order of their paths, none hidden or in ``leave_out``."""
        ...

    def read(self, path: str) -> bytes:
        """A file."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Put a file there, whole or not at all, in the place of one of the same name."""
        ...

    def lines(self, name: str) -> list[bytes]:
        """All lines that were appended to a file, in their order; the last one may be broken off."""
        ...

    def append(self, name: str, line: bytes) -> None:
        """Add a line; `lines` must have been called before."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep others from writing here meanwhile, as far as the place allows."""
        ...


def place(address: str) -> Place:
    """The place that an address names."""
    return Bucket(address) if "://" in address else Folder(Path(address))


def inside(address: str, other: str) -> str:
    """The path of one address below another one with a slash at its end, "" where it is not below."""
    if ("://" in address) != ("://" in other):
        return ""
    if "://" in address:
        below, above = address.rstrip("/") + "/", other.rstrip("/") + "/"
        return below.removeprefix(above) if below.startswith(above) else ""
    one, two = Path(address).resolve(), Path(other).resolve()
    return f"{one.relative_to(two).as_posix()}/" if two in one.parents else ""


def _wanted(path: str, suffixes: Collection[str], leave_out: str) -> bool:
    name = PurePosixPath(path)
    hidden = name.name.startswith((".", "~$"))
    return name.suffix.lower() in suffixes and not hidden and not (leave_out and path.startswith(leave_out))


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def documents(self, suffixes: Collection[str], leave_out: str = "") -> tuple[Entry, ...]:
        """See `Place`."""
        if not self._root.is_dir():
            raise InputError(f"there is no folder {self._root}", mend="Check the path")
        found = []
        for path in self._root.rglob("*"):
            relative = path.relative_to(self._root).as_posix()
            if _wanted(relative, suffixes, leave_out) and path.is_file():
                facts = path.stat()
                found.append(Entry(relative, facts.st_size, f"{facts.st_mtime_ns}-{facts.st_size}"))
        return tuple(sorted(found, key=lambda entry: entry.path))

    def read(self, path: str) -> bytes:
        """See `Place`."""
        try:
            return (self._root / path).read_bytes()
        except OSError as error:
            raise InputError(f"the file cannot be read ({error.strerror})", mend="May we read it?") from error

    def write(self, path: str, content: bytes) -> None:
        """See `Place`."""
        target = self._root / path
        scratch = target.with_name(f"{PARTIAL}{uuid4().hex}")
        with self._writing():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with scratch.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                scratch.replace(target)
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise

    def lines(self, name: str) -> list[bytes]:
        """See `Place`."""
        path = self._root / name
        with self._writing():
            return path.read_bytes().split(b"\n") if path.exists() else []

    def append(self, name: str, line: bytes) -> None:
        """See `Place`. A line that was broken off before is ended first."""
        with self._writing():
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / name).open("ab+") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - 1))
                begin = b"" if file.read(1) in {b"", b"\n"} else b"\n"
                file.write(begin + line + b"\n")
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def held(self) -> Iterator[None]:
        """See `Place`. Raises ConfigurationError where another process holds it; the lock of one that died is free."""
        import fcntl

        with self._writing():
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / ".lock").open("wb")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigurationError("another batch writes into this target", mend="Wait for its end") from error
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"{self._root} cannot be written ({error.strerror})"
            raise ConfigurationError(what, mend="Choose another target") from error


class Bucket:
    """Files at a URL. Objects cannot be appended to, so each line is an object of its own."""

    def __init__(self, url: str, storage: dict[str, Any] | None = None) -> None:
        """``storage`` are options of the file system; without it takes its credentials from where it always does."""
        self._url = url
        self._storage = storage or {}
        self._numbers: Iterator[int] = itertools.count()

    def documents(self, suffixes: Collection[str], leave_out: str = "") -> tuple[Entry, ...]:
        """See `Place`."""
        system, root = self._files
        with _reached():
            found = system.find(root, detail=True)
        entries = []
        for full, facts in found.items():
            path = full.removeprefix(root).lstrip("/")
            if _wanted(path, suffixes, leave_out):
                version = str(facts.get("ETag") or facts.get("mtime") or facts.get("created") or "")
                entries.append(Entry(path, int(facts["size"]), f"{version}-{facts['size']}"))
        return tuple(sorted(entries, key=lambda entry: entry.path))

    def read(self, path: str) -> bytes:
        """See `Place`."""
        system, root = self._files
        with _reached():
            return bytes(system.cat_file(f"{root}/{path}"))

    def write(self, path: str, content: bytes) -> None:
        """See `Place`."""
        system, root = self._files
        with _reached():
            system.pipe_file(f"{root}/{path}", content)

    def lines(self, name: str) -> list[bytes]:
        """See `Place`."""
        system, root = self._files
        with _reached():
            paths = sorted(system.find(f"{root}/{_parts(name)}"))
            held = system.cat(paths) if paths else {}
        newest = int(PurePosixPath(paths[-1]).name.partition("-")[0]) if paths else 0
        self._numbers = itertools.count(newest + 1)
        return [held[path] for path in paths]

    def append(self, name: str, line: bytes) -> None:
        """See `Place`."""
        self.write(f"{_parts(name)}/{next(self._numbers):012}-{uuid4().hex[:8]}", line)

    def held(self) -> AbstractContextManager[None]:
        """Nobody is kept away: two batches read the same documents twice, and write the same files."""
        return nullcontext()

    @cached_property
    def _files(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs

            system, root = url_to_fs(self._url, **{"use_listings_cache": False, **self._storage})
        except ImportError as error:
            what = f"a package for this kind of address is not installed ({error.name or 'of fsspec'})"
            raise ConfigurationError(what, mend="pip install 'pocai[scale]' for s3://") from error
        except ValueError as error:
            what = "this kind of address is not known"
            raise ConfigurationError(what, mend="Write it as s3://bucket/prefix") from error
        return system, root.rstrip("/")


def _parts(name: str) -> str:
    """The folder whose files are the lines of a file."""
    return PurePosixPath(name).stem


@contextmanager
def _reached() -> Iterator[None]:
    """Turn what a file system says into errors that tell neither address nor key."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("there is no such file or bucket", mend="Check the address") from error
    except Exception as error:
        raise Unavailable(
            f"the bucket does not answer, or refuses ({type(error).__name__})",
            mend="Are the credentials right, and is it reachable? Then start again with --resume",
        ) from error


Locate = Callable[[str], Place]
"""Gives the place of an address: `place`, or in a test one with options of its own."""
