"""Packages of models for tests: small ones that are in order, and what somebody evil would make of them."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

from pocai.models.package import MANIFEST, SIGNATURE, pack

Change = Callable[[Path], object]
WEIGHTS, CARD, DATA = "layout.onnx", "layout.json", "layout.onnx.data"


class Evil:
    """Would run code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tensor(name: str = "b", values: Sequence[float] = (1.0, 2.0)) -> Any:
    """A tensor with its data in it."""
    import numpy as np

    return numpy_helper.from_array(np.array(values, np.float32), name)


def outside(location: str, **more: object) -> Any:
    """A tensor whose data lies in another file."""
    made = tensor()
    made.ClearField("raw_data")
    made.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        made.external_data.add(key=key, value=str(value))
    return made


def graph(*initializers: Any, nodes: Sequence[Any] = ()) -> Any:
    """A graph that adds, with these tensors."""
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("a", "c")]
    add = helper.make_node("Add", ["a", "b"], ["c"])
    return helper.make_graph([add, *nodes], "sum", ends[:1], ends[1:], list(initializers or (tensor(),)))


def model(*initializers: Any, nodes: Sequence[Any] = (), **more: Any) -> bytes:
    """A model as ONNX."""
    made = helper.make_model(graph(*initializers, nodes=nodes), ir_version=8, **more)
    return bytes(made.SerializeToString())


def tensors(size: int = 4, **header: Any) -> bytes:
    """Safetensors: one tensor of bytes."""
    said = json.dumps(header or {"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(said).to_bytes(8, "little") + said + bytes(size)


def model_folder(folder: Path, weights: bytes | None = None, **files: bytes) -> Path:
    """A folder as an export leaves it, with what has no place in a package; ``files`` by name, "." written "__"."""
    content = model() if weights is None else weights
    folder.mkdir(parents=True)
    card: dict[str, Any] = {"name": "tiny", "version": "1", "licence": "MIT", "sha256": sha256(content)}
    card |= {"data_sha256": "d" * 64, "metrics": {"all": {"slot": 0.5}}, "limits": ["of nothing"]}
    more = {name.replace("__", "."): value for name, value in files.items()}
    odd = {"log.csv": b"step,name,value\n", "best.pt": pickle.dumps(Evil()), "notes.txt": b"x"}
    for name, value in {WEIGHTS: content, CARD: json.dumps(card).encode(), **odd, **more}.items():
        (folder / name).write_bytes(value)
    return folder


def package(folder: Path, weights: bytes | None = None, **files: bytes) -> Path:
    """A package that is in order, if its model is."""
    pack(model_folder(folder / "model", weights, **files), folder / "package", "layout")
    return folder / "package"


def forged(folder: Path, files: Mapping[str, bytes], **manifest: Any) -> Path:
    """A package as an attacker makes it: whatever its files are, manifest and card say that they are right."""
    folder.mkdir(parents=True)
    card = {"name": "tiny", "sha256": sha256(files.get(WEIGHTS, b""))}
    content = {CARD: json.dumps(card).encode(), **files}
    for name, value in content.items():
        (folder / name).write_bytes(value)
    facts = {name: {"sha256": sha256(value), "bytes": len(value)} for name, value in content.items()}
    written = {"format": 1, "kind": "layout", "name": "tiny", "card": CARD, "files": facts, **manifest}
    (folder / MANIFEST).write_text(json.dumps(written))
    return folder


def signed_anyhow(folder: Path, private_key: Path, *, ignored: Sequence[str] = (SIGNATURE,)) -> Path:
    """A package with the signature of a key, whatever is in it: as one who has the key could make it."""
    from model_signing import hashing, signing

    hashed = hashing.Config().use_file_serialization().set_ignored_paths(paths=ignored, ignore_git_paths=False)
    config = signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(hashed)
    config.sign(folder, folder / SIGNATURE)
    return folder


def attribute_model() -> bytes:
    """A model in which the data of a tensor in a graph in an attribute lies outside."""
    inner = graph(outside("/etc/passwd"))
    branches = {"then_branch": inner, "else_branch": graph()}
    return model(nodes=[helper.make_node("If", ["a"], ["d"], **branches)])


def function_model() -> bytes:
    """The same of a constant in a function."""
    node = helper.make_node("Constant", [], ["v"], value=outside("../secret.onnx.data"))
    function = helper.make_function("own", "f", [], ["v"], [node], [helper.make_opsetid("", 17)])
    return model(functions=[function])


def sparse_model() -> bytes:
    """The same of a sparse tensor."""
    made = helper.make_model(graph(), ir_version=8)
    sparse = made.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside("other.onnx.data"))
    sparse.indices.CopyFrom(tensor("i"))
    return bytes(made.SerializeToString())


def training_model() -> bytes:
    """The same of a tensor that only training uses."""
    made = helper.make_model(graph(), ir_version=8)
    made.training_info.add().algorithm.CopyFrom(graph(outside("layout.json")))
    return bytes(made.SerializeToString())


EVIL_WEIGHTS: Mapping[str, bytes] = {  # in place of a model's weights
    **{f"pickle of protocol {each}": pickle.dumps(Evil(), each) for each in range(pickle.HIGHEST_PROTOCOL + 1)},
    "torch archive": b"PK\x03\x04" + b"\0" * 64 + pickle.dumps(Evil()),
    "data outside": model(outside("../weights.onnx.data")),
    "data at a root": model(outside("/etc/passwd")),
    "data of nobody": model(outside("other.onnx.data")),
    "data in the card": model(outside(CARD)),
    "data in memory": model(outside("*/_ORT_MEM_ADDR_/*", offset=4096, length=8)),
    "data of an attribute": attribute_model(),
    "data of a function": function_model(),
    "data of a sparse tensor": sparse_model(),
    "data of training": training_model(),
    "nothing": b"",
    "half a model": model()[:-3],
}
