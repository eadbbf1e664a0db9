"""Rows as they are kept: checked against their view, and with every text encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pocai.errors import FeatureStoreError
from pocai.feature_store.encryption import decrypted, encrypted
from pocai.feature_store.feature_table import VIEWS, Kind, View
from pocai.feature_store.features import aware, checked
from pocai.feature_store.store import FeatureRow

_TYPES: dict[Kind, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "string": (str,),
    "text": (str,),
    "ints": (list, tuple),
    "floats": (list, tuple),
}


def view_of(row: FeatureRow) -> View:
    """The row's view; raises FeatureStoreError where the row does not fit it, and tells no value."""
    view = VIEWS.get(row.view)
    if view is None:
        raise FeatureStoreError(f"there is no feature view {row.view!r}", mend=f"Choose one of: {', '.join(VIEWS)}")
    if set(row.key) != {view.entity}:
        raise FeatureStoreError(f"a row of the view {view.name} has no key {view.entity!r}", mend="Give just this key")
    if set(row.values) != set(view.names):
        odd = ", ".join(sorted(set(row.values) ^ set(view.names)))
        raise FeatureStoreError(f"a row of the view {view.name} lacks or invents features: {odd}", mend="Give them all")
    for feature in view.features:
        value = row.values[feature.name]
        if value is not None and (not isinstance(value, _TYPES[feature.kind]) or isinstance(value, bool)):
            raise FeatureStoreError(
                f"{view.name}.{feature.name} is a {type(value).__name__}", mend=f"It is of the kind {feature.kind}"
            )
    checked(row.key[view.entity])
    aware(row.at)
    return view


def sealed(row: FeatureRow, key: bytes) -> FeatureRow:
    """The row as it is kept: texts as bytes that only the key opens, numbers with the width of their columns."""
    view = view_of(row)
    entity = row.key[view.entity]
    values = {each.name: _kept(each.kind, row.values[each.name]) for each in view.features}
    for name in texts_of(view.name):
        if values[name] is not None:
            values[name] = encrypted(key, values[name].encode(), _place(view.name, name, entity))
    return FeatureRow(row.view, dict(row.key), values, row.at)


def opened(row: FeatureRow, key: bytes) -> FeatureRow:
    """The row as it was given to `sealed`; raises FeatureStoreError for a wrong key or a text that was changed."""
    view = VIEWS[row.view]
    if not texts_of(row.view):
        return row
    return FeatureRow(row.view, row.key, opened_values(view, row.key[view.entity], row.values, key), row.at)


def opened_values(view: View, entity: str, values: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """The values of a row with its texts opened."""
    plain = dict(values)
    for name in texts_of(view.name):
        if plain[name] is not None:
            plain[name] = decrypted(key, plain[name], _place(view.name, name, entity)).decode()
    return plain


@cache
def texts_of(view: str) -> tuple[str, ...]:
    """The features of a view, by its name, that hold what documents say."""
    return tuple(feature.name for feature in VIEWS[view].features if feature.kind == "text")


def _place(view: str, feature: str, entity: str) -> bytes:
    return f"{view}\0{feature}\0{entity}".encode()


def _kept(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind == "float":
        return float(value)
    return list(value) if kind in ("ints", "floats") else value
