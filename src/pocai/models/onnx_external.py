"""Which files an ONNX model takes its weights from, found in its bytes before any real parser sees them.

An ONNX file is a protocol buffer (https://protobuf.dev/programming-guides/encoding/) of the message ``ModelProto``
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Of it only what can hold a tensor is walked; weights
themselves are stepped over. A form that these tables do not know is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import mmap

from pocai.errors import UntrustedModel

Content = bytes | mmap
DEEPEST, MOST_FIELDS, MOST_TEXT = 64, 300_000, 1024  # messages in messages; fields in all; bytes of a name
LOCATION, OFFSET, LENGTH = "location", "offset", "length"

# Fields of each message that hold others, by number; and all fields that it may have.
INNER: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "TensorProto": {},
}
FIELDS: Mapping[str, frozenset[int]] = {
    "ModelProto": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}),
    "GraphProto": frozenset({1, 2, 5, 10, 11, 12, 13, 14, 15, 16}),
    "NodeProto": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
    "AttributeProto": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 20, 21, 22, 23}),
    "SparseTensorProto": frozenset({1, 2, 3}),
    "TrainingInfoProto": frozenset({1, 2, 3, 4}),
    "FunctionProto": frozenset({1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}),
    "TensorProto": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16}),
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of TensorProto; the second is 1 where the data lies outside
_KEYS = frozenset({LOCATION, OFFSET, LENGTH, "checksum"})
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
_BEGINNING = 0x08  # ir_version as a varint: serializers write fields in the order of their numbers
_MOST_SHIFT = 63


@dataclass(frozen=True, slots=True)
class External:
    """Where a tensor's data lies: in the file ``location``, ``length`` bytes (None: all) from ``offset``."""

    location: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it is on the wire: its number, its wire type, and its bytes; a varint has its ``value``."""

    number: int
    wire: int
    start: int
    end: int
    value: int = 0


def external_data(content: Content) -> tuple[External, ...]:
    """What the tensors of an ONNX model say of data outside it, wherever they stand.

    Raises UntrustedModel where the bytes are no `ModelProto`, or of a form or size that models do not have.
    """
    if not len(content) or content[0] != _BEGINNING:
        raise UntrustedModel("it does not begin as an ONNX model")
    found: list[External] = []
    graphs, left = 0, MOST_FIELDS
    waiting = [("ModelProto", 0, len(content), 0)]
    while waiting:
        message, start, end, depth = waiting.pop()
        if depth > DEEPEST:
            raise UntrustedModel(f"its messages lie more than {DEEPEST} deep in each other")
        fields = tuple(_checked_fields(content, message, (start, end), left))
        left -= len(fields)
        graphs += message == "GraphProto"
        found += _outside(content, fields) if message == "TensorProto" else ()
        inner = INNER[message]
        waiting += [(inner[each.number], each.start, each.end, depth + 1) for each in fields if each.number in inner]
    if not graphs:
        raise UntrustedModel("it holds no graph")
    return tuple(found)


def _checked_fields(content: Content, message: str, place: tuple[int, int], left: int) -> Iterator[Field]:
    """The fields of a message, each of them known, at most ``left``."""
    inner, known = INNER[message], FIELDS[message]
    for count, field in enumerate(_fields(content, *place)):
        if count >= left:
            raise UntrustedModel(f"it has more than {MOST_FIELDS} fields")
        if field.number not in known:
            raise UntrustedModel(f"its {message} has field {field.number}, which ONNX has not")
        if field.number in inner and field.wire != _BYTES:
            raise UntrustedModel(f"field {field.number} of its {message} is no message")
        yield field


def _outside(content: Content, tensor: tuple[Field, ...]) -> list[External]:
    """What a tensor says of data outside: nothing, or one place."""
    entries = [field for field in tensor if field.number == EXTERNAL_DATA]
    outside = any(field.number == DATA_LOCATION and field.value for field in tensor)
    if not entries:
        if outside:
            raise UntrustedModel("a tensor's data lies outside, and it does not say where")
        return []
    pairs = [_entry(content, field) for field in entries]
    said = dict(pairs)
    if len(said) < len(pairs) or not said.keys() <= _KEYS or LOCATION not in said:
        raise UntrustedModel("a tensor says of data outside what cannot be understood")
    length = _number(said[LENGTH]) if LENGTH in said else None
    return [External(said[LOCATION], _number(said.get(OFFSET, "0")), length)]


def _entry(content: Content, field: Field) -> tuple[str, str]:
    """A StringStringEntryProto as key and value."""
    texts = {1: "", 2: ""}
    if field.wire != _BYTES or field.end - field.start > MOST_TEXT:
        raise UntrustedModel("a tensor says of data outside what cannot be understood")
    for each in _fields(content, field.start, field.end):
        if each.number not in texts or each.wire != _BYTES:
            raise UntrustedModel("a tensor says of data outside what cannot be understood")
        try:
            texts[each.number] = content[each.start : each.end].decode("utf-8")
        except UnicodeDecodeError:
            raise UntrustedModel("a tensor says of data outside what is no text") from None
    return texts[1], texts[2]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**63))):
        raise UntrustedModel("a tensor says of data outside what is no number")
    return int(text)


def _fields(content: Content, start: int, end: int) -> Iterator[Field]:
    """The fields between two places, which they fill exactly."""
    place = start
    while place < end:
        key, place = _varint(content, place, end)
        number, wire = key >> 3, key & 7
        value, begin = 0, place
        if wire == _VARINT:
            value, place = _varint(content, place, end)
        elif wire == _BYTES:
            size, begin = _varint(content, place, end)
            place = begin + size
        elif wire in {_EIGHT, _FOUR}:
            place += 8 if wire == _EIGHT else 4
        else:
            raise UntrustedModel(f"it is no protocol buffer: wire type {wire} at byte {begin}")
        if place > end or not number:
            raise UntrustedModel(f"it is no protocol buffer, or cut off, at byte {begin}")
        yield Field(number, wire, begin, place, value)


def _varint(content: Content, place: int, end: int) -> tuple[int, int]:
    """A number in base 128, and where what follows it begins."""
    value = 0
    for shift in range(0, _MOST_SHIFT + 1, 7):
        if place >= end:
            break
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number has no highest bit
            return value, place
    raise UntrustedModel(f"it is no protocol buffer, or cut off, at byte {place}")
