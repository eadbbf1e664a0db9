"""A model that can be handed on: a folder with its files, a manifest of them, and a signature.

``manifest.json`` names each file with its size and its SHA-256; its own SHA-256 is the package's *digest*, by which it
is known. ``model.sig`` (`pocai.models.signing`) signs all of it. Nothing here loads weights: files are looked at byte
by byte, within limits.

Between a check and a load somebody who may write into the folder can exchange its files. So packages that came from
elsewhere lie where only we may write (`pocai.mlops.registry`), and are checked again before every load.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocai.errors import ModelError, UntrustedModel
from pocai.models.card import Digest
from pocai.models.onnx_external import External
from pocai.models.package_forms import DATA, JSON, ONNX, TENSORS, check_form, json_object, suffix_of

ModelKind = Literal["layout", "student", "layout-adapter", "student-adapter"]
KINDS: tuple[ModelKind, ...] = get_args(ModelKind)
MANIFEST, SIGNATURE = "manifest.json", "model.sig"
MOST_BYTES, MOST_FILES, MOST_MANIFEST, MOST_SIGNATURE = 2 * 2**30, 32, 2**20, 2**20
_ADAPTER_CARD = "adapter.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)  # no folder, no "..", nothing that is not printed
_CHUNK = 2**20
_REFUSED = "Do not use this model."


class FileFact(BaseModel):
    """What a file must be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sha256: Digest
    bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)]


class _Written(BaseModel):
    """A manifest as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    kind: ModelKind
    name: Annotated[str, Field(min_length=1, max_length=200)]
    card: str
    files: Annotated[Mapping[str, FileFact], Field(min_length=2, max_length=MOST_FILES)]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package holds: ``card`` is the name of the model card's file, ``digest`` the SHA-256 of the manifest."""

    kind: ModelKind
    name: str
    card: str
    files: Mapping[str, FileFact]
    digest: str

    @property
    def weights(self) -> str:
        """The name of the file of weights that the card is of."""
        return _weights(self.kind, self.card)


def pack(source: Path, target: Path, kind: ModelKind) -> Manifest:
    """Make a package in the new folder ``target`` of the model in a folder, or of one file of weights.

    Only files of the allowed forms are copied; others are left behind. Raises ModelError where it cannot be told which
    model is meant, or it has no card; UntrustedModel where its files are not what their names say.
    """
    card, files = _chosen(source, kind)
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise ModelError(f"{target} is there already", mend="Name a new folder.") from None
    facts = {file.name: _copied(file, target / file.name) for file in files}
    name = _object(target / card, facts[card]).get("name")
    written = _Written(kind=kind, name=str(name)[:200] or card, card=card, files=dict(sorted(facts.items())))
    text = json.dumps(written.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
    (target / MANIFEST).write_text(text, encoding="utf-8")
    return checked(target)


def checked(folder: Path) -> Manifest:
    """What a package holds, after everything but its signature was checked.

    Raises UntrustedModel where it holds links, folders, files that are not listed or of other forms, content that is
    not what is listed, or a model whose data lies elsewhere; ModelError where it is no package at all.
    """
    present = listed(folder)
    manifest = _manifest(folder)
    named = {MANIFEST, *manifest.files}
    if present - {SIGNATURE} != named:
        odd = min(named ^ (present - {SIGNATURE}))
        what = "is not listed in its manifest" if odd in present else "is missing"
        raise UntrustedModel(f"{odd!r} of package {manifest.name!r} {what}", mend=_REFUSED)
    for name, fact in manifest.files.items():
        for external in _checked_file(folder / name, fact):
            _check_external(name, external, manifest.files)
    _check_card(folder, manifest)
    return manifest


def listed(folder: Path) -> frozenset[str]:
    """Names of the files in a package; raises UntrustedModel where one of them is no plain file of an allowed name."""
    if folder.is_symlink():
        raise UntrustedModel(f"{folder} is a link", mend="Name the folder itself.")
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                check_name(entry.name, own=True)
                _check_plain(entry.name, entry.stat(follow_symlinks=False))
                names.add(entry.name)
                if len(names) > MOST_FILES + 2:
                    raise UntrustedModel(f"{folder.name} holds more than {MOST_FILES} files", mend=_REFUSED)
    except OSError as error:
        raise ModelError(f"{folder} cannot be read as a package", mend="Name the folder of a package.") from error
    return frozenset(names)


def check_name(name: str, *, own: bool = False) -> None:
    """Raises UntrustedModel where ``name`` is none that a file of a package may have; ``own``: or its manifest's."""
    if own and name in {MANIFEST, SIGNATURE}:
        return
    if not _NAME.fullmatch(name) or suffix_of(name) is None or name == MANIFEST:
        raise UntrustedModel(f"a file {name[:200]!a} has no place in a package", mend=_REFUSED)


def read_file(file: Path, most: int) -> bytes:
    """A small file of a package; raises UntrustedModel where it is no plain file, or larger than ``most`` bytes."""
    with _opened(file) as (stream, size):
        if size > most:
            raise UntrustedModel(f"{file.name} has {size} bytes; at most {most} are read", mend=_REFUSED)
        return stream.read(most)


def _manifest(folder: Path) -> Manifest:
    """The manifest as it is written, and its digest."""
    if not (folder / MANIFEST).exists():
        raise ModelError(f"{folder.name} holds no {MANIFEST}", mend="Name the folder of a package.")
    content = read_file(folder / MANIFEST, MOST_MANIFEST)
    try:
        json_object(content, MOST_MANIFEST)
        written = _Written.model_validate_json(content)
    except UntrustedModel as error:
        raise UntrustedModel(f"{MANIFEST}: {error.what}", mend=_REFUSED) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UntrustedModel(f"{MANIFEST} is none: {first['msg']}", mend=_REFUSED) from None
    for name in written.files:
        check_name(name)
    if sum(fact.bytes for fact in written.files.values()) > MOST_BYTES:
        raise UntrustedModel(f"a package of more than {MOST_BYTES} bytes is not read", mend=_REFUSED)
    manifest = Manifest(written.kind, written.name, written.card, written.files, hashlib.sha256(content).hexdigest())
    if suffix_of(written.card) != JSON or not {written.card, manifest.weights} <= written.files.keys():
        raise UntrustedModel(f"{MANIFEST} lists no card with the weights that it is of", mend=_REFUSED)
    return manifest


def _checked_file(file: Path, fact: FileFact) -> tuple[External, ...]:
    """Where a file's data lies beside that in it, after its size, hash and form were checked; it is opened once."""
    with _opened(file) as (stream, size):
        if size != fact.bytes:
            raise UntrustedModel(f"{file.name} has {size} bytes, not {fact.bytes}", mend=_REFUSED)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != fact.sha256:
            what = f"{file.name} was altered: SHA-256 {digest[:12]}…, expected {fact.sha256[:12]}…"
            raise UntrustedModel(what, mend=_REFUSED)
        if not size:
            return check_form(file.name, b"")
        with mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
            return check_form(file.name, content)


def _check_external(name: str, external: External, files: Mapping[str, FileFact]) -> None:
    """Raises UntrustedModel where the data of a model does not lie in a listed file, or not within it."""
    fact = files.get(external.location) if suffix_of(external.location) == DATA else None
    if fact is None:
        what = f"{name} is refused: its data lies in {external.location[:200]!a}, which is no data of this package"
        raise UntrustedModel(what, mend=_REFUSED)
    if external.offset + (external.length or 0) > fact.bytes:
        raise UntrustedModel(f"{name} is refused: its data lies beyond the end of {external.location}", mend=_REFUSED)


def _check_card(folder: Path, manifest: Manifest) -> None:
    """Raises UntrustedModel where the card is of other weights than those in the package."""
    card = _object(folder / manifest.card, manifest.files[manifest.card])
    said = card.get("tensors_sha256" if manifest.card == _ADAPTER_CARD else "sha256")
    if said != manifest.files[manifest.weights].sha256:
        raise UntrustedModel(f"{manifest.card} is not the card of {manifest.weights}", mend=_REFUSED)


def _object(file: Path, fact: FileFact) -> dict[str, Any]:
    """The JSON object in a file of which the facts are known; raises UntrustedModel where it is another meanwhile."""
    content = read_file(file, fact.bytes)
    if hashlib.sha256(content).hexdigest() != fact.sha256:
        raise UntrustedModel(f"{file.name} was altered", mend=_REFUSED)
    return json_object(content, fact.bytes)


def _weights(kind: ModelKind, card: str) -> str:
    return card.removesuffix(JSON) + (TENSORS if kind.endswith("-adapter") else ONNX)


def _chosen(source: Path, kind: ModelKind) -> tuple[str, list[Path]]:
    """The name of the card, and the files that belong to the model in a folder, or to one file of weights."""
    folder, suffix = (source, None) if source.is_dir() else (source.parent, suffix_of(source.name))
    if not source.exists() or (source.is_file() and suffix is None):
        raise ModelError(f"{source} is no model", mend="Name a folder, or a file of weights (.onnx, .safetensors).")
    files = [file for file in sorted(folder.iterdir()) if suffix_of(file.name) and file.name != MANIFEST]
    if source.is_file():
        stem = source.name.removesuffix(str(suffix))
        files = [file for file in files if file.name.removesuffix(str(suffix_of(file.name))) == stem]
    names = {file.name for file in files}
    ours = _ADAPTER_CARD if kind.endswith("-adapter") else None
    cards = [name for name in sorted(names) if suffix_of(name) == JSON and _weights(kind, name) in names]
    cards = [name for name in cards if ours in {None, name}]
    if len(cards) != 1:
        what = "no weights with their card" if not cards else f"{len(cards)} models ({', '.join(cards)})"
        raise ModelError(f"{source} holds {what} of kind {kind}", mend="Name the file of weights, its card beside it.")
    return cards[0], files


def _copied(file: Path, target: Path) -> FileFact:
    """What a file is, after it was copied."""
    check_name(file.name)
    digest = hashlib.sha256()
    with _opened(file) as (stream, size), target.open("xb") as copy:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return FileFact(sha256=digest.hexdigest(), bytes=size)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BufferedReader, int]]:
    """A plain file and its size; neither a link is followed, nor a pipe waited for."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UntrustedModel(f"{file.name} cannot be opened, or is a link", mend=_REFUSED) from error
    with os.fdopen(handle, "rb") as stream:
        facts = os.fstat(handle)
        _check_plain(file.name, facts, linked=False)
        yield stream, facts.st_size


def _check_plain(name: str, facts: os.stat_result, *, linked: bool = True) -> None:
    """Raises UntrustedModel where something is no plain file, too large, or has ``linked`` other names."""
    if not stat.S_ISREG(facts.st_mode):
        raise UntrustedModel(f"{name!r} is no plain file: a link, a folder or a device", mend=_REFUSED)
    if linked and facts.st_nlink > 1:
        raise UntrustedModel(f"{name!r} has another name, under which it can be altered", mend=_REFUSED)
    if facts.st_size > MOST_BYTES:
        raise UntrustedModel(f"{name!r} has {facts.st_size} bytes; at most {MOST_BYTES} are read", mend=_REFUSED)
