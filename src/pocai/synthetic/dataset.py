"""Made data sets on disk: documents, the truth about them, their lines, and a manifest.

``documents/NAME.ext`` with ``truth/NAME.json`` is the layout that `pocai.evaluation.dataset.read_dataset` reads.
``lines/NAME.json`` holds every printed line by page: text, role, reading angle, the time blocks that it belongs to,
its words, and, in formats that have pages of their own, its corners after damage, in pixels of the picture or points
of the PDF. ``manifest.json`` is written last; a folder without it is unfinished.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pocai.errors import ConfigurationError
from pocai.synthetic.fonts import face
from pocai.synthetic.made_document import AMOUNTS, FORMATS, DocumentSet, MadeDocument, made_document

Progress = Callable[[int], None]
"""Is told how many documents are written."""

FORMAT = 1  # of the data set
_MANIFEST, _STARTED = "manifest.json", "unfinished.json"
_FOLDERS = ("documents", "truth", "lines")
_PACKAGES = ("numpy", "opencv-python-headless", "openpyxl", "pillow", "python-docx", "reportlab")


def write_documents(folder: Path, documents: DocumentSet, progress: Progress | None = None) -> Path:
    """Write a data set to ``folder``; gives back its manifest. A finished set of these parameters is left as it is.

    An interrupted set is continued; the result is the same, byte by byte. Raises ConfigurationError for parameters
    that cannot be, and where the folder holds anything but this set.
    """
    _check(documents)
    parameters = _parameters(documents)
    _check_folder(folder, parameters)
    manifest = folder / _MANIFEST
    if manifest.is_file():
        return manifest
    names = [f"{number:05d}" for number in range(documents.count)]
    for number, name in enumerate(names):
        if not (folder / "lines" / f"{name}.json").is_file():
            made = made_document(documents, number)
            _start(folder, parameters)
            _write(folder, name, made)
        if progress is not None:
            progress(number + 1)
    _save(manifest, _json(_manifest(folder, parameters, names)))
    (folder / _STARTED).unlink()
    return manifest


def _check(documents: DocumentSet) -> None:
    if documents.count < 1:
        raise ConfigurationError(f"a data set of {documents.count} documents", mend="Ask for 1 or more")
    if documents.seed < 0:
        raise ConfigurationError(f"the seed {documents.seed} is negative", mend="Choose one from 0 on")
    unknown = sorted(set(documents.formats) - set(FORMATS))
    if unknown or not documents.formats:
        named = f"there are no documents in the format {unknown[0]!r}" if unknown else "no format is named"
        raise ConfigurationError(named, mend=f"Choose from: {', '.join(FORMATS)}")
    if documents.damage not in AMOUNTS:
        raise ConfigurationError(
            f"there is no damage {documents.damage!r}", mend=f"Choose one of: {', '.join(AMOUNTS)}"
        )


def _parameters(documents: DocumentSet) -> dict[str, Any]:
    parameters: dict[str, Any] = json.loads(json.dumps(asdict(documents)))
    return {"format": FORMAT, **parameters}


def _check_folder(folder: Path, parameters: dict[str, Any]) -> None:
    """Raise ConfigurationError unless the folder is empty, or holds this set, finished or not."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    for name in (_MANIFEST, _STARTED):
        if (folder / name).is_file():
            if _read(folder / name).get("parameters") != parameters:
                raise ConfigurationError(
                    f"{folder} holds a data set that was made with other parameters", mend="Name another folder"
                )
            return
    raise ConfigurationError(f"{folder} is not empty and holds no data set", mend="Name another folder")


def _start(folder: Path, parameters: dict[str, Any]) -> None:
    """Make the folders, and note what is written to them."""
    if (folder / _STARTED).is_file():
        return
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    _save(folder / _STARTED, _json({"parameters": parameters}))


def _write(folder: Path, name: str, made: MadeDocument) -> None:
    """Write one document; its lines come last and say that it is whole."""
    for other in (folder / "documents").glob(f"{name}.*"):
        other.unlink()
    _save(folder / "documents" / f"{name}.{made.ending}", made.printed.data)
    _save(folder / "truth" / f"{name}.json", _json(made.truth()))
    _save(folder / "lines" / f"{name}.json", _json(made.lines(), indent=None))


def _manifest(folder: Path, parameters: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    entries = [_entry(folder, name) for name in names]
    files = {path: digest for entry in entries for path, digest in entry.pop("files").items()}
    families = sorted({family for entry in entries for family in entry["faces"]})
    content = "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))
    return {
        "kind": "documents",
        "parameters": parameters,
        "versions": _versions(),
        "faces": {family: _font_files(family) for family in families},
        "documents": entries,
        "files": dict(sorted(files.items())),
        "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
    }


def _entry(folder: Path, name: str) -> dict[str, Any]:
    """What the manifest says of a document; ``files`` are its files with their SHA-256."""
    lines = _read(folder / "lines" / f"{name}.json")
    files = [path for part in _FOLDERS for path in (folder / part).glob(f"{name}.*")]
    digests = {path.relative_to(folder).as_posix(): _digest(path) for path in files}
    return {"name": name, **{key: value for key, value in lines.items() if key != "pages"}, "files": digests}


def _font_files(family: str) -> dict[str, str]:
    """The files of a family with their SHA-256."""
    found = face(family)
    return {file.name: _digest(file) for file in (found.file, found.bold) if file is not None}


def _versions() -> dict[str, str]:
    from PIL import features

    packages = {name: version(name) for name in _PACKAGES}
    freetype = str(features.version("freetype2"))
    return {"pocai": version("pocai"), "python": platform.python_version(), "freetype": freetype, **packages}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path} is damaged", mend="Delete the folder and make it again") from error
    return content


def _json(value: object, indent: int | None = 1) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


def _save(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
