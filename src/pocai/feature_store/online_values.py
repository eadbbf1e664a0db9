"""Rows as Feast keeps them online: its protocol buffers, to and from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pocai.errors import FeatureStoreError
from pocai.feature_store.feature_table import VIEWS, Kind, View
from pocai.feature_store.store import FeatureRow

if TYPE_CHECKING:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

Kept = tuple["EntityKey", dict[str, "Value"], datetime, datetime | None]
"""A row as Feast's providers take it: its key, its values, its event time, and when it was made."""

FIELDS: dict[Kind, str] = {
    "int": "int64_val",
    "float": "double_val",
    "string": "string_val",
    "text": "bytes_val",
    "ints": "int64_list_val",
    "floats": "float_list_val",
}


def entity_key(view: View, key: str) -> EntityKey:
    """Feast's key of a school or document."""
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return EntityKey(join_keys=[view.entity], entity_values=[Value(string_val=key)])


def feast_row(view: View, row: FeatureRow) -> Kept:
    """A row for `online_write_batch` of Feast's providers."""
    return entity_key(view, row.key[view.entity]), messages_of(view, row), row.at.astimezone(UTC), datetime.now(UTC)


def messages_of(view: View, row: FeatureRow) -> dict[str, Value]:
    """The values of a row as Feast's messages; null is an empty one."""
    from feast.protos.feast.types import Value_pb2

    lists = {"ints": Value_pb2.Int64List, "floats": Value_pb2.FloatList}
    made = {}
    for feature in view.features:
        value = row.values[feature.name]
        if value is None:
            made[feature.name] = Value_pb2.Value()
            continue
        held = lists[feature.kind](val=value) if feature.kind in lists else value
        made[feature.name] = Value_pb2.Value(**{FIELDS[feature.kind]: held})
    return made


def row_of(view: View, key: str, at: datetime, messages: Mapping[str, Value]) -> FeatureRow:
    """A row from Feast's messages; a feature that is not there is null.

    Raises FeatureStoreError for a message of another kind than the feature.
    """
    try:
        values = {name: value_of(field, many, messages.get(name)) for name, field, many in fields_of(view.name)}
    except ValueError:
        raise damaged(view) from None
    return FeatureRow(view.name, {view.entity: key}, values, at)


def damaged(view: View) -> FeatureStoreError:
    """The error of a row that pocai did not write like this."""
    return FeatureStoreError(f"a row of the view {view.name} is damaged", mend="Forget it, or materialise it again")


@cache
def fields_of(view: str) -> tuple[tuple[str, str, bool], ...]:
    """Of each feature its name, the field of Feast's message that it is in, and whether that is a list."""
    return tuple((each.name, FIELDS[each.kind], each.kind in ("ints", "floats")) for each in VIEWS[view].features)


def value_of(field: str, many: bool, message: Value | None) -> Any:
    """What stands in a field of a message; raises ValueError where something else does."""
    if message is None:
        return None
    if not message.HasField(field):
        if message.ByteSize() and not message.HasField("null_val"):
            raise ValueError(field)
        return None
    value = getattr(message, field)
    return list(value.val) if many else value
