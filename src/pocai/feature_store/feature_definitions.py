"""What Feast is told: entities, feature views, push sources, and one feature service for each version of the models.

`feature_repo/` declares just this for Feast's own command line; `feast_store` applies the same. Importing this module
imports Feast, which takes seconds: do it where it is needed.
"""

from __future__ import annotations

import re

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource
from feast.data_format import ParquetFormat
from feast.types import Array, Bytes, FeastType, Float32, Float64, Int64, String
from feast.value_type import ValueType

from pocai.feature_store.feature_table import DOCUMENT, SCHOOL, VIEWS, Kind, View
from pocai.feature_store.history import CREATED, TIME

TYPES: dict[Kind, FeastType] = {
    "int": Int64,
    "float": Float64,
    "string": String,
    "text": Bytes,  # encrypted
    "ints": Array(Int64),
    "floats": Array(Float32),
}
ENTITIES = {
    SCHOOL: Entity(name=SCHOOL, join_keys=[SCHOOL], value_type=ValueType.STRING, description="a school's id"),
    DOCUMENT: Entity(name=DOCUMENT, join_keys=[DOCUMENT], value_type=ValueType.STRING, description="a document's id"),
}


def feature_views(history: str) -> list[FeatureView]:
    """The views over a plain copy of the history: ``history/VIEW.parquet``.

    The history itself is encrypted and is read by pocai only; see `feast_store.training_rows`.
    """
    return [_view(view, history) for view in VIEWS.values()]


def feature_service(version: str, views: list[FeatureView]) -> FeatureService:
    """What the models of one version are given: all features of these views."""
    return FeatureService(
        name=service_name(version),
        features=list(views),
        tags={"models": version},
        description="what extraction is given before a timetable is assembled",
    )


def service_name(version: str) -> str:
    """The name of the service of a version of the models, "extraction_0_1_0"."""
    return "extraction_" + re.sub(r"\W", "_", version)


def declarations(history: str, version: str) -> list[Entity | FeatureView | FeatureService]:
    """All that is to be applied."""
    views = feature_views(history)
    return [*ENTITIES.values(), *views, feature_service(version, views)]


def _view(view: View, history: str) -> FeatureView:
    batch = FileSource(
        name=f"{view.name}_history",
        path=f"{history}/{view.name}.parquet",
        timestamp_field=TIME,
        created_timestamp_column=CREATED,
        file_format=ParquetFormat(),
    )
    return FeatureView(
        name=view.name,
        entities=[ENTITIES[view.entity]],
        ttl=view.ttl,
        schema=[Field(name=view.entity, dtype=String)]
        + [
            Field(name=each.name, dtype=TYPES[each.kind], description=each.meaning, tags={"unit": each.unit})
            for each in view.features
        ],
        source=PushSource(name=f"{view.name}_push", batch_source=batch),
        owner=view.owner,
    )
