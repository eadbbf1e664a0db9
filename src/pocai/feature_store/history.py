"""The history of all rows: encrypted Parquet, by view and day, in a folder or at any URL that fsspec knows.

::

    VIEW/day=YYYY-MM-DD/NAME.parquet     rows whose event time is of that day (UTC)

Files are never changed. What is forgotten is written anew without it, and the old file removed. Each file is encrypted
as a whole (Parquet modular encryption, AES-GCM) by a key of its own, which is wrapped by the feature store's key.
Every row has a ``row_key``; one that was written twice counts once.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pocai.errors import FeatureStoreError
from pocai.feature_store.encryption import decrypted, encrypted
from pocai.feature_store.feature_table import VIEWS, Kind, View
from pocai.feature_store.store import FeatureRow

if TYPE_CHECKING:
    import pyarrow as pa

TIME, CREATED, ROW = "event_timestamp", "created_timestamp", "row_key"
MASTER = "pocai"  # name of the key that wraps the keys of files
SUFFIX = ".parquet"
ENCRYPTED = b"PARE"  # how files with an encrypted footer begin; others begin with PAR1


class History:
    """Rows as they are kept online (see `sealing`), for good. Every method raises FeatureStoreError where it fails."""

    def __init__(self, url: str, key: bytes, storage: Mapping[str, Any] | None = None) -> None:
        """``storage`` are options of the file system, such as credentials and the end point of S3."""
        self._url = url
        self._key = key
        self._storage = dict(storage or {})

    def append(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows, one file for each view and day."""
        parts: dict[tuple[str, str], list[FeatureRow]] = {}
        for row in rows:
            parts.setdefault((row.view, row.at.astimezone(UTC).date().isoformat()), []).append(row)
        with _reached():
            for (view, day), some in parts.items():
                self._put(f"{view}/day={day}", table_of(VIEWS[view], some))

    def read(self, view: str, begin: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """The rows of a view whose event time is from ``begin`` to ``end``, both included; each row once."""
        import pyarrow as pa
        import pyarrow.compute as pc

        with _reached():
            parts = [self._get(path) for path in self._files(view) if _within(path, begin, end)]
            whole = _once(pa.concat_tables(parts) if parts else schema_of(VIEWS[view]).empty_table())
            if begin is not None:
                whole = whole.filter(pc.greater_equal(whole[TIME], pa.scalar(begin, whole.schema.field(TIME).type)))
            if end is not None:
                whole = whole.filter(pc.less_equal(whole[TIME], pa.scalar(end, whole.schema.field(TIME).type)))
            return whole

    def latest(self, view: str, begin: datetime, end: datetime) -> list[FeatureRow]:
        """The newest row of each key in that time, as it is kept."""
        newest: dict[str, FeatureRow] = {}
        for row in rows_of(VIEWS[view], self.read(view, begin, end)):
            key = row.key[VIEWS[view].entity]
            if key not in newest or row.at > newest[key].at:
                newest[key] = row
        return list(newest.values())

    def keys(self, view: str, column: str, value: str) -> set[str]:
        """The keys of the rows of a view in whose ``column`` this value stands."""
        import pyarrow.compute as pc

        whole = self.read(view)
        return set(whole.filter(pc.equal(whole[column], value))[VIEWS[view].entity].to_pylist())

    def count(self, view: str, keys: Iterable[str]) -> int:
        """How many rows of a view are of one of these keys."""
        wanted = set(keys)
        return sum(key in wanted for key in self.read(view)[VIEWS[view].entity].to_pylist())

    def forget(self, view: str, keys: Iterable[str]) -> int:
        """Remove all rows of these keys; how many there were."""
        import pyarrow as pa
        import pyarrow.compute as pc

        gone, forgotten = pa.array(sorted(keys), pa.string()), 0
        with _reached():
            for path in self._files(view):
                held = self._get(path)
                kept = held.filter(pc.invert(pc.is_in(held[VIEWS[view].entity], value_set=gone)))
                if kept.num_rows < held.num_rows:
                    forgotten += held.num_rows - kept.num_rows
                    self._replace([path], kept)
        return forgotten

    def compact(self, view: str, before: date) -> int:
        """Make one file of the files of each day before; how many files are gone."""
        import pyarrow as pa

        days: dict[str, list[str]] = {}
        with _reached():
            for path in self._files(view):
                if _day(path) < before:
                    days.setdefault(_folder(path), []).append(path)
            several = [paths for paths in days.values() if len(paths) > 1]
            for paths in several:
                self._replace(paths, _once(pa.concat_tables([self._get(path) for path in paths])))
        return sum(len(paths) - 1 for paths in several)

    def _replace(self, paths: Sequence[str], table: pa.Table) -> None:
        """The new file comes first: where this breaks off rows are there twice, and count once."""
        if table.num_rows:
            self._put("/".join(_folder(paths[0]).split("/")[-2:]), table)
        for path in paths:
            self._files_at[0].rm_file(path)

    def _files(self, view: str) -> list[str]:
        system, root = self._files_at
        system.invalidate_cache()
        return sorted(path for path in system.find(f"{root}/{view}") if path.endswith(SUFFIX))

    def _put(self, folder: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        made = io.BytesIO()
        properties = self._crypto.writing()
        with pq.ParquetWriter(made, table.schema, encryption_properties=properties, compression="zstd") as writer:
            writer.write_table(table)
        system, root = self._files_at
        name = uuid4().hex
        system.makedirs(f"{root}/{folder}", exist_ok=True)
        if "file" in _protocols(system):  # elsewhere a file is there whole, or not at all
            system.pipe_file(f"{root}/{folder}/.{name}", made.getvalue())
            system.mv(f"{root}/{folder}/.{name}", f"{root}/{folder}/{name}{SUFFIX}")
        else:
            system.pipe_file(f"{root}/{folder}/{name}{SUFFIX}", made.getvalue())

    def _get(self, path: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        held = self._files_at[0].cat_file(path)
        if held[:4] != ENCRYPTED:  # readable without a key, so anybody may have put it there
            raise FeatureStoreError("a file of the history is not encrypted", mend="Remove it: pocai did not write it")
        view = VIEWS[_folder(path).split("/")[-2]]
        table = pq.ParquetFile(pa.BufferReader(held), decryption_properties=self._crypto.reading()).read()
        return table.cast(schema_of(view))

    @cached_property
    def _files_at(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(self._url, **self._storage)
        return system, root.rstrip("/")

    @cached_property
    def _crypto(self) -> _Crypto:
        return _Crypto(self._key)


class _Crypto:
    """Parquet's modular encryption with one wrapping key."""

    def __init__(self, key: bytes) -> None:
        import pyarrow.parquet.encryption as pe

        class Client(pe.KmsClient):  # type: ignore[misc]
            """Wraps the keys of files by the feature store's key, without a service."""

            def __init__(self, _: object) -> None:
                pe.KmsClient.__init__(self)

            def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
                return base64.b64encode(encrypted(key, key_bytes, master_key_identifier.encode())).decode()

            def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
                return decrypted(key, base64.b64decode(wrapped_key), master_key_identifier.encode())

        self._factory = pe.CryptoFactory(Client)
        self._connection = pe.KmsConnectionConfig()
        self._writing = pe.EncryptionConfiguration(
            footer_key=MASTER, uniform_encryption=True, encryption_algorithm="AES_GCM_V1", data_key_length_bits=256
        )

    def writing(self) -> Any:
        return self._factory.file_encryption_properties(self._connection, self._writing)

    def reading(self) -> Any:
        return self._factory.file_decryption_properties(self._connection)


@cache
def schema_of(view: View) -> pa.Schema:
    """The columns of a view's history; times are UTC, in microseconds."""
    import pyarrow as pa

    stamp = pa.timestamp("us", "UTC")
    types: dict[Kind, Callable[[], Any]] = {
        "int": pa.int64,
        "float": pa.float64,
        "string": pa.string,
        "text": pa.binary,
        "ints": lambda: pa.list_(pa.int64()),
        "floats": lambda: pa.list_(pa.float32()),
    }
    return pa.schema(
        [
            pa.field(ROW, pa.string()),
            pa.field(view.entity, pa.string()),
            pa.field(TIME, stamp),
            pa.field(CREATED, stamp),
            *(pa.field(feature.name, types[feature.kind]()) for feature in view.features),
        ]
    )


def table_of(view: View, rows: Sequence[FeatureRow]) -> pa.Table:
    """Rows of one view as a table."""
    import pyarrow as pa

    now = datetime.now(UTC)
    return pa.Table.from_pylist(
        [
            {
                ROW: f"{row.key[view.entity]}@{row.at.astimezone(UTC).isoformat()}",
                view.entity: row.key[view.entity],
                TIME: row.at,
                CREATED: now,
                **row.values,
            }
            for row in rows
        ],
        schema=schema_of(view),
    )


def rows_of(view: View, table: pa.Table) -> Iterator[FeatureRow]:
    """The rows of a table, as they are kept."""
    for held in table.to_pylist():
        values = {name: held[name] for name in view.names}
        yield FeatureRow(view.name, {view.entity: held[view.entity]}, values, held[TIME].astimezone(UTC))


def _once(table: pa.Table) -> pa.Table:
    first: dict[str, int] = {}
    for index, key in enumerate(table[ROW].to_pylist()):
        first.setdefault(key, index)
    return table if len(first) == table.num_rows else table.take(list(first.values()))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _day(path: str) -> date:
    return date.fromisoformat(_folder(path).rpartition("day=")[2])


def _within(path: str, begin: datetime | None, end: datetime | None) -> bool:
    day = _day(path)
    return (begin is None or day >= begin.astimezone(UTC).date()) and (end is None or day <= end.astimezone(UTC).date())


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


@contextmanager
def _reached() -> Iterator[None]:
    """Turn what the file system and Parquet say into FeatureStoreError, which tells neither address nor key."""
    try:
        yield
    except FeatureStoreError:
        raise
    except Exception as error:
        raise FeatureStoreError(
            f"the history of the feature store cannot be read or written ({type(error).__name__})",
            mend="Is its folder or bucket reachable, its key the one it was written with, and no file altered?",
        ) from error
