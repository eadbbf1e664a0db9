"""The frozen set of the gate: read documents and line pictures with the truth about them, which never change.

A set is a folder that is named by the SHA-256 of its content. Documents are kept as they were read, so that a document
model is evaluated in seconds, without OCR; lines as pixels. ``manifest.json`` lists all files. A file is compared with
its SHA-256 whenever it is read, so that an altered set is refused and never measured with.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, TypeAlias

from pocai.documents.page import Document
from pocai.documents.stored import from_json, to_json
from pocai.errors import InputError
from pocai.evaluation.slices import Slice
from pocai.evaluation.timetables import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

Tell: TypeAlias = Callable[[str, float], None]
"""Is told what is done and the share of it that is done, 0 to 1."""

MANIFEST, DOCUMENTS, LINES, TEXTS = "manifest.json", "documents", "lines.npz", "lines.json"
FORMAT = 1
OURS, OWN = "made", "own"  # values of the slice "set"
_MEND = "Remove its folder, and it is made again"
_MOST_MANIFEST = 64 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class FrozenDocument:
    """A document as it was read, and the truth about it in the host's shape."""

    name: str
    document: Document
    truth: Json
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FrozenLine:
    """A line crop, RGB ``(h, w, 3)`` uint8, and what is printed on it."""

    name: str
    image: Pixels
    text: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What is put into a set."""

    documents: Sequence[FrozenDocument] = ()
    lines: Sequence[FrozenLine] = ()


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """One or several sets, by their folders; each is named by the SHA-256 of its content."""

    folders: tuple[Path, ...]

    @property
    def sha256(self) -> str:
        """Of the content, whatever the order of the folders."""
        names = sorted(folder.name for folder in self.folders)
        return names[0] if len(names) == 1 else hashlib.sha256("\n".join(names).encode()).hexdigest()

    def with_(self, other: FrozenSet) -> FrozenSet:
        """Both sets as one."""
        return FrozenSet((*self.folders, *(folder for folder in other.folders if folder not in self.folders)))

    def verify(self) -> None:
        """Look at every byte. Raises InputError where anything was added, removed or altered."""
        for folder in self.folders:
            _verify(folder)

    def documents(self) -> Iterator[FrozenDocument]:
        """The documents in their order. Raises InputError where one was altered."""
        for folder in self.folders:
            files = _files(folder)
            for name in sorted(name for name in files if name.startswith(f"{DOCUMENTS}/")):
                yield _document(json.loads(_content(folder, name, files[name])))

    def lines(self) -> Iterator[FrozenLine]:
        """The lines in their order. Raises InputError where they were altered."""
        for folder in self.folders:
            files = _files(folder)
            if LINES in files:
                yield from _lines(*(_content(folder, name, files[name]) for name in (LINES, TEXTS)))


def sets_in(home: Path) -> Path:
    """The folder of the sets below that of the settings, made where it is missing; only we may read it."""
    folder = home.expanduser() / "frozen"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def kept(folder: Path, recipe: Mapping[str, Any], make: Callable[[], Content]) -> FrozenSet:
    """The set in ``folder`` that was made by a recipe, verified; made now where there is none.

    Raises InputError where it was altered.
    """
    found = _found(folder, recipe)
    if found is None:
        found = _written(folder, recipe, make())
    _verify(found)
    return FrozenSet((found,))


def opened(folder: Path) -> FrozenSet:
    """The set in a folder of its own, verified. Raises InputError where it is none, or was altered."""
    _verify(folder)
    return FrozenSet((folder,))


def is_set(folder: Path) -> bool:
    """Whether a folder says that it is a frozen set."""
    return (folder / MANIFEST).is_file() and "recipe" in _manifest(folder)


def _found(folder: Path, recipe: Mapping[str, Any]) -> Path | None:
    """The first set that was made by a recipe."""
    wanted = json.loads(json.dumps(recipe))
    there = sorted(file.parent for file in folder.glob(f"*/{MANIFEST}") if not file.parent.name.startswith("."))
    return next((each for each in there if _manifest(each).get("recipe") == wanted), None)


def _written(folder: Path, recipe: Mapping[str, Any], content: Content) -> Path:
    """Write a set to a folder beside, which then gets its name; of two that are alike the first stays."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=".making-", dir=folder))
    try:
        files = {name: _saved(draft / name, data) for name, data in _packed(content)}
        sha256 = _hash_of(files)
        held = {"format": FORMAT, "recipe": recipe, "files": files, "content_sha256": sha256}
        _saved(draft / MANIFEST, json.dumps(held, indent=1, sort_keys=True).encode())
        if not (folder / sha256).is_dir():
            draft.replace(folder / sha256)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder / sha256


def _packed(content: Content) -> Iterator[tuple[str, bytes]]:
    """Files by name, with their content."""
    for number, each in enumerate(content.documents):
        held = {"name": each.name, "truth": each.truth, "slices": each.slices}
        text = json.dumps(held | {"document": json.loads(to_json(each.document))}, ensure_ascii=False)
        yield f"{DOCUMENTS}/{number:05d}.json", text.encode()
    if content.lines:
        import numpy as np

        pixels = np.concatenate([line.image.reshape(-1) for line in content.lines])
        sizes = np.array([line.image.shape[:2] for line in content.lines], np.int32)
        stream = io.BytesIO()
        np.savez_compressed(stream, allow_pickle=False, pixels=pixels, sizes=sizes)
        yield LINES, stream.getvalue()
        texts = [{"name": line.name, "text": line.text, "slices": line.slices} for line in content.lines]
        yield TEXTS, json.dumps(texts, ensure_ascii=False).encode()


def _document(held: dict[str, Any]) -> FrozenDocument:
    document = from_json(json.dumps(held["document"]).encode())
    return FrozenDocument(held["name"], document, held["truth"], _slices(held["slices"]))


def _lines(pixels: bytes, texts: bytes) -> Iterator[FrozenLine]:
    import numpy as np

    with np.load(io.BytesIO(pixels), allow_pickle=False) as arrays:
        flat, sizes = arrays["pixels"], arrays["sizes"].tolist()
    end = 0
    for (high, wide), held in zip(sizes, json.loads(texts), strict=True):
        start, end = end, end + high * wide * 3
        yield FrozenLine(held["name"], flat[start:end].reshape(high, wide, 3), held["text"], _slices(held["slices"]))


def _slices(held: Iterable[Sequence[str]]) -> tuple[Slice, ...]:
    return tuple(Slice(dimension, value) for dimension, value in held)


def _verify(folder: Path) -> None:
    files = _files(folder)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    odd = sorted(there ^ {MANIFEST, *files})
    if odd:
        what = "is missing from" if odd[0] in files else "was added to"
        raise InputError(f"{odd[0]} {what} the frozen set {folder.name[:12]}…", mend=_MEND)
    for name, sha256 in files.items():
        _content(folder, name, sha256)


def _files(folder: Path) -> dict[str, str]:
    """The files of a set with their SHA-256, after they were compared with the set's name."""
    files = _manifest(folder).get("files")
    if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
        raise InputError(f"{folder.name[:12]}… holds no frozen set", mend=_MEND)
    if _hash_of(files) != folder.name:
        raise InputError(f"the frozen set {folder.name[:12]}… is not what its name says: it was altered", mend=_MEND)
    return files


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        if file.stat().st_size > _MOST_MANIFEST:
            raise InputError(f"{file} is too large for a manifest", mend=_MEND)
        held: Any = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no frozen set", mend="Name the folder of one") from error
    return held if isinstance(held, dict) else {}


def _content(folder: Path, name: str, sha256: str) -> bytes:
    """A file, after its SHA-256 was compared."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        content = path.read_bytes() if inside else b""
    except OSError as error:
        raise InputError(f"{name} is missing from the frozen set {folder.name[:12]}…", mend=_MEND) from error
    if not inside or hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{name} of the frozen set {folder.name[:12]}… was altered", mend=_MEND)
    return content


def _saved(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _hash_of(files: Mapping[str, str]) -> str:
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
