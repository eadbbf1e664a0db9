"""Training sets: for each moment in the past, the features as they were then and not later.

Feast's offline store (DuckDB) does the point-in-time join. The history is encrypted in a way that DuckDB cannot open,
so the rows that are needed are put for it into a folder of this user's own, texts still encrypted, which is gone
afterwards.
Nothing of this touches the online store or the registry.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pocai.errors import FeatureStoreError
from pocai.feature_store.feast_import import import_feast
from pocai.feature_store.feature_table import DOCUMENT, SCHOOL, VIEWS, View
from pocai.feature_store.features import aware
from pocai.feature_store.history import TIME, History
from pocai.feature_store.place import Place
from pocai.feature_store.sealing import opened_values

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = "moment"  # Feast's stores lose and reorder rows: each carries its number
_one_at_a_time = threading.Lock()  # DuckDB's default connection is shared


@dataclass(frozen=True, slots=True)
class Moment:
    """What features are wanted for: a school, a document, or both, ``at`` a time with a time zone."""

    at: datetime
    school: str | None = None
    document: str | None = None


def training_rows(history: History, moments: Sequence[Moment], key: bytes, version: str) -> list[dict[str, Any]]:
    """For each moment its features, as "VIEW__NAME"; null where nothing was known then, or it was no longer fresh.

    ``key`` opens the texts. Raises FeatureStoreError.
    """
    if not moments:
        return []
    latest = max(aware(moment.at) for moment in moments)
    with TemporaryDirectory(prefix="pocai-features-") as folder:
        for view in VIEWS.values():
            _copy(history.read(view.name, end=latest), Path(folder) / f"{view.name}.parquet")
        with _one_at_a_time:
            joined = _joined(Path(folder), moments, version)
    rows = sorted(joined.to_pylist(), key=lambda row: int(row[NUMBER]))
    if [row[NUMBER] for row in rows] != list(range(len(moments))):
        raise FeatureStoreError(
            f"Feast gave {len(rows)} rows for {len(moments)} moments", mend="Use the offline store duckdb"
        )
    return [_plain(row, key) for row in rows]


def _copy(table: pa.Table, file: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file)


def _joined(folder: Path, moments: Sequence[Moment], version: str) -> pa.Table:
    import_feast()
    import pandas as pd
    from feast import FeatureStore

    from pocai.feature_store.feature_definitions import declarations, service_name

    store = FeatureStore(config=Place(folder, b"").repo_config())
    store.apply(declarations(str(folder), version))
    wanted = pd.DataFrame(
        {
            NUMBER: range(len(moments)),
            SCHOOL: [moment.school or "" for moment in moments],
            DOCUMENT: [moment.document or "" for moment in moments],
            TIME: pd.to_datetime([moment.at for moment in moments], utc=True),
        }
    )
    service = store.get_feature_service(service_name(version))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of ibis, which calls DuckDB by an old name
        return store.get_historical_features(entity_df=wanted, features=service, full_feature_names=True).to_arrow()


def _plain(row: dict[str, Any], key: bytes) -> dict[str, Any]:
    """The row of all views with its texts opened."""
    plain: dict[str, Any] = {}
    for view in VIEWS.values():
        values = {name: row[f"{view.name}__{name}"] for name in view.names}
        plain |= {f"{view.name}__{name}": value for name, value in _opened(view, row, values, key).items()}
    return plain


def _opened(view: View, row: dict[str, Any], values: dict[str, Any], key: bytes) -> dict[str, Any]:
    return opened_values(view, row[view.entity], values, key)
