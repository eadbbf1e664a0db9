"""Files of a model: where they lie, whether they are the ones that were tested, and the session that runs them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocai.errors import ModelError


@dataclass(frozen=True, slots=True)
class Artefact:
    """One weight file inside an installed package, by its path there and its SHA-256 (hexadecimal)."""

    package: str
    path: str
    sha256: str
    licence: str

    @property
    def file(self) -> Path:
        """Where the file lies; the package is looked up, not imported. Raises ModelError when it is missing."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(f"package {self.package} is not installed", mend=f"pip install {self.package}")
        file = Path(spec.submodule_search_locations[0]) / self.path
        if not file.is_file():
            raise ModelError(f"{self.path} is missing from package {self.package}", mend=f"Reinstall {self.package}.")
        return file

    @property
    def installed(self) -> bool:
        """Whether the file is there at all; its content is not looked at."""
        try:
            return self.file.is_file()
        except ModelError:
            return False

    def verified(self) -> Path:
        """The file after its SHA-256 was checked; raises ModelError when it is missing or altered."""
        file = self.file
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != self.sha256:
            what = f"{file.name} is not the tested file: SHA-256 {digest[:12]}…, expected {self.sha256[:12]}…"
            raise ModelError(what, mend=f"Reinstall {self.package}.")
        return file


def usable_threads(threads: int) -> int:
    """``threads``, or the number of cores that this process may use where it is 0."""
    if threads > 0:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_session(file: Path, threads: int) -> Any:
    """An ONNX Runtime session on the CPU with ``threads`` threads; raises ModelError when the file is no model.

    The memory arena and the memory pattern are off: inputs of ever new sizes would make both grow without
    bound. Threads do not spin, because the cores are shared with the rest of the machine.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises bare C++ errors of many kinds
        raise ModelError(f"{file.name} cannot be loaded as an ONNX model", mend="Reinstall the package.") from error
