"""Adapters in packages: only in open forms there, and made anew for ONNX Runtime where they are used.

ONNX Runtime's own form (``adapter.onnx_adapter``) is not one that packages hold. Its matrices go into
``runtime.safetensors`` instead (beside ``adapter.safetensors``, which are those of training), and come out of it again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.errors import ModelError
from pocai.models.adapter import RUNTIME, TENSORS, write_runtime_adapter
from pocai.models.adapter_card import CARD, AdapterCard, sha256_of, verified
from pocai.models.package_forms import check_form

if TYPE_CHECKING:
    from pocai.models.adapter import Matrices

MATRICES = "runtime.safetensors"
_ALIGNED = 8  # bytes: the header of safetensors is padded to a multiple


def portable(adapter: Path, target: Path) -> Path:
    """Copy an adapter into the new folder ``target`` in the forms that a package may hold.

    Raises ModelError where it is missing, or altered.
    """
    from onnxruntime import AdapterFormat

    card = AdapterCard.read(adapter)
    verified(adapter / TENSORS, card.tensors_sha256)
    try:
        held = AdapterFormat.read_adapter(str(verified(adapter / RUNTIME, card.sha256))).get_parameters()
    except RuntimeError as error:
        raise ModelError(f"{RUNTIME} is no adapter of ONNX Runtime", mend="Train the adapter again.") from error
    target.mkdir(parents=True)
    for name in (CARD, TENSORS):
        shutil.copyfile(adapter / name, target / name)
    (target / MATRICES).write_bytes(_as_tensors({name: value.numpy() for name, value in held.items()}))
    return target


def usable(package: Path, target: Path) -> Path:
    """Write the adapter of a package, which was verified, as `Adapters` take it, into the new folder ``target``.

    The same package gives the same files. Raises ModelError where it was not made by `portable`.
    """
    card = AdapterCard.read(package)
    target.mkdir(parents=True)
    shutil.copyfile(package / TENSORS, target / TENSORS)
    write_runtime_adapter(_read_tensors(package / MATRICES), target / RUNTIME)
    card.model_copy(update={"sha256": sha256_of(target / RUNTIME)}).write(target)
    return target


def _as_tensors(matrices: Matrices) -> bytes:
    """Matrices as safetensors, in the order of their names."""
    header, place, parts = {}, 0, []
    for name, value in sorted(matrices.items()):
        parts.append(value.astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [place, place + len(parts[-1])]}
        place += len(parts[-1])
    said = json.dumps(header, separators=(",", ":")).encode()
    said += b" " * (-len(said) % _ALIGNED)
    return len(said).to_bytes(8, "little") + said + b"".join(parts)


def _read_tensors(file: Path) -> Matrices:
    import numpy as np

    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"the package holds no {file.name}", mend="Register the adapter again.") from error
    check_form(file.name, content)
    size = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, tensor in json.loads(content[8:size]).items():
        if tensor["dtype"] != "F32":
            raise ModelError(f"{file.name} holds {tensor['dtype']}, not F32", mend="Register the adapter again.")
        start, stop = (size + place for place in tensor["data_offsets"])
        found[name] = np.frombuffer(content[start:stop], "<f4").reshape(tensor["shape"])
    return found
