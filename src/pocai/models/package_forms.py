"""Forms of the files that a package of a model may hold, told by their bytes: ONNX, safetensors and JSON only.

Pickles, and what holds them (torch's archives), run code when they are opened. They are none of these forms, whatever
their names are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import prod
from mmap import mmap
from typing import Any

from pocai.errors import UntrustedModel
from pocai.models.onnx_external import External, external_data

ONNX, DATA, TENSORS, JSON = ".onnx", ".onnx.data", ".safetensors", ".json"
SUFFIXES = (ONNX, DATA, TENSORS, JSON)
MOST_JSON, MOST_HEADER = 16 * 2**20, 16 * 2**20  # bytes
FOREIGN: Mapping[bytes, str] = {  # how files begin that are often met instead; this only serves the message
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"PK": "zip archive (as torch writes)",
    b"\x1f\x8b": "gzip archive",
    b"\x7fELF": "program",
    b"MZ": "program",
    b"#!": "script",
}
ITEM_BITS: Mapping[str, int] = {  # https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
}
_PREFIX = 8  # bytes that hold the length of safetensors' header


def suffix_of(name: str) -> str | None:
    """Which of the forms a file's name says; None for any other."""
    return next((suffix for suffix in (DATA, ONNX, TENSORS, JSON) if name.endswith(suffix)), None)


def check_form(name: str, content: mmap | bytes) -> tuple[External, ...]:
    """Where a file's data lies beside that in it; raises UntrustedModel where it is not of the form its name says."""
    try:
        return _FORMS[suffix_of(name)](content)
    except UntrustedModel as error:
        foreign = next((f"; it is a {what}" for start, what in FOREIGN.items() if content[: len(start)] == start), "")
        raise UntrustedModel(f"{name} is refused: {error.what}{foreign}", mend="Do not use this model.") from None


def json_object(content: mmap | bytes, most: int) -> dict[str, Any]:
    """A JSON object, the bytes of which are at most ``most``; raises UntrustedModel for anything else."""
    if len(content) > most:
        raise UntrustedModel(f"{len(content)} bytes of JSON, more than {most}")
    try:
        value = json.loads(content[:].decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise UntrustedModel("it is no JSON") from None
    if not isinstance(value, dict):
        raise UntrustedModel("it is no JSON object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys stand in it once: readers differ in which of two they take."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _tensors(content: mmap | bytes) -> tuple[External, ...]:
    """Raises UntrustedModel where the bytes are no safetensors: a header, and after it its tensors without holes."""
    size = int.from_bytes(content[:_PREFIX], "little")
    if len(content) < _PREFIX or size > min(len(content) - _PREFIX, MOST_HEADER):
        raise UntrustedModel("its header is longer than it")
    header = json_object(content[_PREFIX : _PREFIX + size], MOST_HEADER)
    header.pop("__metadata__", None)
    end = 0
    for start, stop in sorted(_bytes_of(tensor) for tensor in header.values()):
        if start != end:
            raise UntrustedModel("its tensors overlap, or leave holes")
        end = stop
    if end != len(content) - _PREFIX - size:
        raise UntrustedModel("its tensors are not what follows its header")
    return ()


def _bytes_of(tensor: Any) -> tuple[int, int]:
    """From where to where a tensor's data lies."""
    try:
        bits, (start, stop) = ITEM_BITS[tensor["dtype"]], tensor["data_offsets"]
        shape = tensor["shape"]
        numbers = all(type(number) is int and 0 <= number < 2**48 for number in (start, stop, *shape))
        right = numbers and (stop - start) * 8 == prod(shape) * bits
    except (KeyError, TypeError, ValueError):
        right = False
    if not right:
        raise UntrustedModel("its header does not say how its tensors lie")
    return start, stop


def _text(content: mmap | bytes) -> tuple[External, ...]:
    json_object(content, MOST_JSON)
    return ()


def _numbers(content: mmap | bytes) -> tuple[External, ...]:
    """Data of an ONNX model: any bytes."""
    del content
    return ()


def _none(content: mmap | bytes) -> tuple[External, ...]:
    del content
    raise UntrustedModel(f"models are made of {', '.join(SUFFIXES)} only")


_FORMS: Mapping[str | None, Callable[[mmap | bytes], tuple[External, ...]]] = {
    ONNX: external_data,
    DATA: _numbers,
    TENSORS: _tensors,
    JSON: _text,
    None: _none,
}
