"""The walk through the bytes of ONNX: where data lies is found wherever it is said, and odd bytes are refused."""

from __future__ import annotations

from contextlib import suppress

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_packages import graph, model, outside
from onnx import helper

from pocai.errors import UntrustedModel
from pocai.models.onnx_external import DEEPEST, FIELDS, INNER, MOST_FIELDS, External, external_data


def test_the_tables_are_those_of_onnx() -> None:
    tables = {name: getattr(onnx, name).DESCRIPTOR for name in FIELDS}
    assert {name: {field.number for field in table.fields} for name, table in tables.items()} == FIELDS
    walked = {
        name: {field.number: field.message_type.name for field in table.fields if field.message_type}
        for name, table in tables.items()
    }
    assert {name: {k: v for k, v in inner.items() if v in INNER} for name, inner in walked.items()} == INNER


def test_no_message_that_is_stepped_over_holds_a_tensor() -> None:
    def holds(message: object, seen: set[str]) -> bool:
        name = message.name  # type: ignore[attr-defined]
        if name in INNER:
            return True
        seen.add(name)
        inner = [field.message_type for field in message.fields if field.message_type]  # type: ignore[attr-defined]
        return any(each.name not in seen and holds(each, seen) for each in inner)

    fields = [field for name in INNER for field in getattr(onnx, name).DESCRIPTOR.fields]
    others = [each.message_type for each in fields if each.message_type and each.message_type.name not in INNER]
    assert len(others) > 5
    assert not any(holds(each, set()) for each in others)


def test_where_data_lies_is_found() -> None:
    found = external_data(model(outside("a.onnx.data"), outside("b.onnx.data", offset=16, length=4)))
    assert set(found) == {External("a.onnx.data"), External("b.onnx.data", 16, 4)}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"location": "x", "basepath": "/"}, "cannot be understood"),
        ({"offset": 3}, "cannot be understood"),
        ({"location": "x" * 2000}, "cannot be understood"),
        ({"location": "x", "offset": -1}, "no number"),
        ({"location": "x", "length": "9" * 40}, "no number"),
    ],
)
def test_data_that_is_said_oddly_to_lie_outside_is_refused(said: dict[str, object], why: str) -> None:
    made = outside("x")
    del made.external_data[:]
    for key, value in said.items():
        made.external_data.add(key=key, value=str(value))
    with pytest.raises(UntrustedModel, match=why):
        external_data(model(made))


def test_data_that_lies_outside_must_say_where() -> None:
    made = outside("x")
    del made.external_data[:]
    with pytest.raises(UntrustedModel, match="does not say where"):
        external_data(model(made))


def test_a_second_place_is_refused() -> None:
    made = outside("layout.onnx.data")
    made.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(UntrustedModel, match="cannot be understood"):
        external_data(model(made))


def test_a_graph_that_comes_in_parts_is_walked_whole() -> None:
    more = onnx.ModelProto(graph=onnx.GraphProto(initializer=[outside("/etc/passwd")]))
    assert external_data(model() + more.SerializeToString()) == (External("/etc/passwd"),)


def test_graphs_deep_in_graphs_are_refused() -> None:
    inner = graph()
    for _ in range(DEEPEST // 3 + 1):  # graph, node, attribute
        inner = helper.make_graph([helper.make_node("If", ["a"], ["b"], then_branch=inner)], "g", [], [])
    with pytest.raises(UntrustedModel, match=f"more than {DEEPEST} deep"):
        external_data(onnx.ModelProto(ir_version=8, graph=inner).SerializeToString())


def test_a_model_of_nothing_but_fields_is_refused() -> None:
    with pytest.raises(UntrustedModel, match=f"more than {MOST_FIELDS} fields"):
        external_data(model() + b"\x08\x08" * MOST_FIELDS)


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (b"\x9a\x06\x00", "field 99, which ONNX has not"),
        (b"\x38\x01", "is no message"),
        (b"\x0b", "wire type 3"),
        (b"\x08" + b"\xff" * 11, "no protocol buffer"),
        (b"\x12\x7f", "cut off"),
        (b"\x00\x00", "no protocol buffer"),
    ],
)
def test_what_is_no_model_is_refused(tail: bytes, why: str) -> None:
    with pytest.raises(UntrustedModel, match=why):
        external_data(model() + tail)


def test_a_model_without_a_graph_is_refused() -> None:
    with pytest.raises(UntrustedModel, match="no graph"):
        external_data(b"\x08\x08")


@settings(max_examples=300)
@given(st.data())
def test_no_bytes_break_the_walk(data: st.DataObject) -> None:
    content = bytearray(model(outside("a.onnx.data", offset=1)))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    with suppress(UntrustedModel):
        external_data(bytes(content))
