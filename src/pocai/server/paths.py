"""The host application's files, which it names by path on a volume that it shares with us.

Only what lies inside the configured roots is read or written, wherever links lead. A path is resolved first; what it
leads to is then opened one folder after another from its root, without following any link, so that a link that is put
there in between leads nowhere (open(2): openat, O_NOFOLLOW). All methods block: call them in a thread.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pocai.errors import LimitExceeded, NotAllowed, NotFound, PocaiError, Unavailable, UnreadableDocument
from pocai.settings import HostApplication, Limits

T = TypeVar("T")

LONGEST = 4096  # characters of a path (limits.h: PATH_MAX)
PIECE = 2**20  # bytes that are read at a time
READABLE = 0o644  # mode of what is written: the host runs as another user
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # else opening a pipe would wait for its writer
FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PASSING = frozenset((errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EINTR))  # what a network volume says at times
MISSING = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG))
PAUSES = (0.05, 0.2, 0.5)  # seconds before it is tried again


@dataclass(frozen=True, slots=True)
class _Place:
    """A path without links, as its root and the names that lead on from there."""

    root: str
    names: tuple[str, ...]

    @property
    def path(self) -> Path:
        return Path(self.root, *self.names)


class Paths:
    """Reads and writes the host's files inside the roots of its settings; ``limits`` bound the size of a file.

    Roots need not exist yet: the volume may be mounted later.
    """

    def __init__(self, settings: HostApplication, limits: Limits | None = None) -> None:
        self._settings = settings
        self._largest = (limits or Limits()).max_bytes

    def resolve(self, path: str) -> Path:
        """Where a path leads, links followed, whether it exists or not.

        Raises NotAllowed outside the roots, NotFound for a path that is empty or too long.
        """
        return self._place(path).path

    def read(self, path: str) -> bytes:
        """The content of a regular file.

        Raises NotAllowed outside the roots, NotFound where nothing is, UnreadableDocument for what is no regular file
        or not ours to read, LimitExceeded before a file that is too large is read, Unavailable when the volume fails.
        """
        place = self._place(path)
        with _told("read"):
            return patiently(lambda: self._content(place))

    def beside(self, path: Path) -> tuple[Path, ...]:
        """The regular files in the folder of ``path``, links not counted; none where there is no such folder."""
        place = self._place(str(path.parent))
        with _told("read"), suppress(FileNotFoundError, NotADirectoryError), _folder(place.root, place.names) as folder:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
            return tuple(place.path / name for name in names)
        return ()

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that everybody may read, whole or not at all; its folders are made where they are missing.

        Raises NotAllowed outside the roots, NotFound where the root itself is missing, Unavailable where the volume
        refuses.
        """
        place = self._place(str(path))
        with _told("written"):
            patiently(lambda: _write(place, content))

    def _place(self, path: str) -> _Place:
        if not self._settings.roots:
            raise NotAllowed(
                "no folder is open to the host application",
                mend="Set STORAGE_PATH (or POCAI_SERVER__HOST_APPLICATION__ROOTS) to the folder of its uploads",
            )
        if not 0 < len(path) <= LONGEST:
            raise NotFound("there is no file of that name", mend="Send the path of an upload")
        begun = os.path.join(self._settings.relative_to or "", path)  # noqa: PTH118 - text to text, as the host sends it
        try:
            with _told("read"):
                real = patiently(lambda: os.path.realpath(begun))
        except ValueError as error:  # a NUL, or half a character
            raise _outside() from error
        for root in map(os.path.realpath, self._settings.roots):
            if Path(real).is_relative_to(root):
                return _Place(root, Path(real).relative_to(root).parts)
        raise _outside()

    def _content(self, place: _Place) -> bytes:
        with _folder(place.root, place.names[:-1]) as folder:
            file = os.open(place.names[-1] if place.names else ".", FILE, dir_fd=folder)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableDocument("that is no file but a folder or a device", mend="Send the path of a file")
            content = bytearray()
            size = found.st_size
            while size <= self._largest and (piece := os.read(file, PIECE)):
                content += piece
                size = max(size, len(content))  # a file may grow while it is read
        finally:
            os.close(file)
        if size > self._largest:
            raise LimitExceeded(f"the file has {size} bytes, more than {self._largest}", mend="Send a smaller file")
        return bytes(content)


def patiently(operation: Callable[[], T], pauses: tuple[float, ...] = PAUSES) -> T:
    """What an operation on files gives, tried again after each pause (in seconds) where it fails for a passing reason.

    Raises the OSError of the last try.
    """
    for pause in pauses:
        try:
            return operation()
        except OSError as error:
            if error.errno not in PASSING:
                raise
        time.sleep(pause)
    return operation()


@contextmanager
def _folder(root: str, names: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder that ``names`` lead to, no link followed below the root."""
    folder = os.open(root, FOLDER)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            deeper = os.open(name, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = deeper
        yield folder
    finally:
        os.close(folder)


def _write(place: _Place, content: bytes) -> None:
    """Under another name first, so that nobody ever sees half a file."""
    assert place.names, "a file has a name below its root"
    *folders, name = place.names
    temporary = f".{secrets.token_hex(8)}.part"
    with _folder(place.root, tuple(folders), make=True) as folder:
        file = os.open(temporary, NEW, 0o600, dir_fd=folder)
        try:
            with open(file, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
                stream.write(content)
                os.fchmod(file, READABLE)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


@contextmanager
def _told(done: str) -> Iterator[None]:
    """Turn what the system says into an error of ours, without the path."""
    try:
        yield
    except OSError as error:
        raise _error_of(error, done) from error


def _error_of(error: OSError, done: str) -> PocaiError:
    reason = error.strerror or type(error).__name__
    if error.errno in MISSING:
        return NotFound("there is no file of that name", mend="Send the path of an upload")
    if error.errno == errno.ELOOP:
        return _outside()
    if done == "written" or error.errno in PASSING:
        return Unavailable(f"the file cannot be {done} ({reason})", mend="Look after the shared volume", retry_after=2)
    return UnreadableDocument(f"the file cannot be {done} ({reason})", mend="Let the service's user read it")


def _outside() -> NotAllowed:
    return NotAllowed("the path lies outside the folders that may be used", mend="Add its folder to STORAGE_PATH")
