"""What a run came from: the revision of the code, the environment, and the content of its data."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pocai
from pocai.training.recipe import Recipe

PACKAGES = ("pocai", "torch", "accelerate", "transformers", "peft", "numpy", "safetensors", "onnx", "onnxruntime")
ROOMS = (  # what a model depends on
    "documents",
    "timetable",
    "models",
    "evaluation",
    "synthetic",
    "training",
    "assets/fonts",
    "assets/synthetic",
)
GIT_SECONDS = 10.0
_HERE = Path(pocai.__file__).parent


@dataclass(frozen=True, slots=True)
class Revision:
    """Which code runs: the package's ``version``; in a checkout its ``commit``, and whether that was changed since.

    ``source`` is the SHA-256 of all that a model depends on, whether it is in a checkout or not.
    """

    version: str
    commit: str | None
    dirty: bool
    source: str


def revision() -> Revision:
    """The revision of the code that runs now."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=normal", "--", "src") if commit else None
    return Revision(metadata.version("pocai"), commit, bool(changed), _source())


def environment() -> dict[str, Any]:
    """Python, packages and machine; nothing that names the machine or its user."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    machine = {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}
    return {"python": platform.python_version(), "packages": versions, "machine": machine}


def data_manifest(recipe: Recipe) -> list[dict[str, Any]]:
    """Each file that a recipe names, or that lies in a folder that it names: its path, SHA-256 and size in bytes."""
    names = sorted({*_strings(recipe.data), *_strings(recipe.model), *_strings(recipe.initial)} - {""})
    files = [file for name in names for file in _files(Path(name))]
    return [{"file": str(file), "sha256": sha256_of(file), "bytes": file.stat().st_size} for file in files]


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            return sorted(each for each in path.rglob("*") if each.is_file())
        return [path] if path.is_file() else []
    except OSError:  # a text that is no path: too long, or with a zero byte
        return []


def _strings(value: Any) -> Iterator[str]:
    """All texts in a table, keys of tables too."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _strings(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, (str, Path)):
        yield str(value)


def _git(*arguments: str) -> str | None:
    """What git says of the checkout that this package lies in; None where it lies in none."""
    root = _HERE.parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "--no-optional-locks", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _source() -> str:
    whole = hashlib.sha256()
    for room in ROOMS:
        for file in sorted((_HERE / room).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                whole.update(f"{file.relative_to(_HERE)}\n".encode())
                whole.update(file.read_bytes())
    return whole.hexdigest()
