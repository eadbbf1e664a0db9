"""Feast's rows in SQLite, for one machine without a Redis.

Feast's store for SQLite is one connection that threads may not share; it keeps whatever was written last, older or not;
and it cuts event times to whole seconds. `SQLiteRows` lets one thread in at a time, leaves older rows out, and keeps
the exact time as one value more, which Feast's SDK never asks for.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pocai.feature_store.feature_table import View
from pocai.feature_store.online_values import Kept, entity_key, feast_row, row_of
from pocai.feature_store.store import FeatureRow

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig
    from feast.infra.provider import Provider
    from feast.protos.feast.types.Value_pb2 import Value

EXACT = "_event_time"  # microseconds since 1970, UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SQLiteRows:
    """Rows of one Feast project. Raises what sqlite3 and Feast raise."""

    def __init__(self, provider: Provider, config: RepoConfig, views: Mapping[str, FeatureView]) -> None:
        self._provider = provider
        self._config = config
        self._views = views
        self._lock = threading.Lock()

    def read(self, views: Sequence[View], keys: Sequence[str]) -> list[list[FeatureRow | None]]:
        """For each key the rows of these views, which are of one entity, as they are kept; None where there is none."""
        with self._lock:
            columns = [self._column(view, keys) for view in views]
        return [list(rows) for rows in zip(*columns, strict=True)]

    def write(self, view: View, rows: Sequence[FeatureRow]) -> None:
        """Keep rows, one for each key, that are newer than what is held."""
        with self._lock:
            held = self._column(view, [row.key[view.entity] for row in rows])
            newer = [row for row, old in zip(rows, held, strict=True) if old is None or old.at < row.at]
            data = [_with_time(feast_row(view, row)) for row in newer]
            self._provider.online_write_batch(self._config, self._views[view.name], data, None)

    def erase(self, view: View, keys: Iterable[str]) -> None:
        """Remove all rows of these keys from this view, and their traces from the file."""
        from feast.infra.key_encoding_utils import serialize_entity_key

        names = [(serialize_entity_key(entity_key(view, key), entity_key_serialization_version=3),) for key in keys]
        table = f'"{self._config.project}_{view.name}"'
        with self._lock, closing(sqlite3.connect(self._file)) as database:
            with database:
                database.executemany(f"DELETE FROM {table} WHERE entity_key = ?", names)  # noqa: S608 - our own names
            database.execute("VACUUM")  # what was deleted or replaced stays in the file's free pages until then

    def check(self) -> None:
        """A file of this machine is there, or is made."""

    def close(self) -> None:
        """Nothing is held here."""

    @property
    def _file(self) -> Path:
        return Path(self._config.online_store.path)

    def _column(self, view: View, keys: Sequence[str]) -> list[FeatureRow | None]:
        wanted = [entity_key(view, key) for key in keys]
        answers = self._provider.online_read(self._config, self._views[view.name], wanted)
        return [_row(view, key, *answer) for key, answer in zip(keys, answers, strict=True)]


def _row(view: View, key: str, at: datetime | None, messages: Mapping[str, Value] | None) -> FeatureRow | None:
    if at is None or messages is None:
        return None
    exact = messages.get(EXACT)
    if exact is not None:
        at = EPOCH + timedelta(microseconds=exact.int64_val)
    return row_of(view, key, at, messages)


def _with_time(row: Kept) -> Kept:
    from feast.protos.feast.types.Value_pb2 import Value

    key, messages, at, created = row
    return key, {**messages, EXACT: Value(int64_val=(at - EPOCH) // timedelta(microseconds=1))}, at, created
