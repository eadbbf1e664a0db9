"""Fetches files of a run into a folder where nothing is used from, until they were checked.

Their names come from elsewhere. All are looked at before the first is fetched: none may lead out of its folder, be a
folder, be unusually large, or stand where files are not fetched from.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pocai.errors import RegistryError, UntrustedModel
from pocai.mlops.connection import answered

if TYPE_CHECKING:
    from mlflow import MlflowClient

SCHEMES = frozenset({"", "file", "s3", "mlflow-artifacts"})
FOLDER = "quarantine"
STALE = 24 * 3600.0  # seconds after which what a killed process left there is removed
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_MEND = "Do not use this model; look at who may write to its run."


def names_below(client: MlflowClient, run_id: str, place: str) -> dict[str, int]:
    """Names and sizes (bytes) of the files of a run in the folder ``place``; none where there is no such folder.

    Raises UntrustedModel where one of them cannot be a plain file of that folder.
    """
    with answered():
        address = str(client.get_run(run_id).info.artifact_uri)
    if urlsplit(address).scheme not in SCHEMES:
        raise UntrustedModel(f"run {run_id} keeps its files at {urlsplit(address).scheme}://", mend=_MEND)
    try:
        with answered():
            listed = client.list_artifacts(run_id, place)
    except RegistryError as error:
        cause = error.__cause__
        if "Invalid path" in str(cause) or "path traversal" in str(cause).lower():  # MLflow's own check
            raise UntrustedModel(f"run {run_id} has a file whose name leads out of it", mend=_MEND) from error
        raise
    found: dict[str, int] = {}
    for each in listed:
        name = PurePosixPath(each.path).name
        if each.path != f"{place}/{name}" or not _PLAIN.fullmatch(name) or each.is_dir or each.file_size is None:
            raise UntrustedModel(f"run {run_id} has {each.path[:200]!a}, where no such file can be", mend=_MEND)
        found[name] = int(each.file_size)
    return found


def fetch(client: MlflowClient, run_id: str, place: str, names: dict[str, int], target: Path) -> Path:
    """Fetch files of a run (see `names_below`) into a new folder in ``target``, which is given back.

    Raises UntrustedModel where one is larger than was said.
    """
    came, folder = target / "came", target / "fetched"
    came.mkdir()
    folder.mkdir()
    for name, size in names.items():
        with answered():
            file = Path(client.download_artifacts(run_id, f"{place}/{name}", str(came)))
            file.replace(folder / name)
        if (folder / name).lstat().st_size != size:
            raise UntrustedModel(f"{name} of run {run_id} is not as large as was said", mend=_MEND)
    return folder


@contextmanager
def quarantined(folder: Path) -> Iterator[Path]:
    """A new folder below ``folder`` for what was not checked yet; removed at the end, as is what was left there."""
    place = folder / FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in place.iterdir():
        with suppress(OSError):
            if left.lstat().st_mtime < time.time() - STALE:
                shutil.rmtree(left)
    new = Path(tempfile.mkdtemp(dir=place))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_sizes(names: dict[str, int], most: int, allowed: Callable[[str], None]) -> None:
    """Raises UntrustedModel where files are larger than ``most`` bytes together, or ``allowed`` raises for a name."""
    for name in names:
        allowed(name)
    if sum(names.values()) > most:
        raise UntrustedModel(f"its files have {sum(names.values())} bytes; at most {most} are fetched", mend=_MEND)


def same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, with the same content."""
    names = [sorted(file.name for file in folder.glob("*")) for folder in (one, other)]
    return names[0] == names[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in names[0])
