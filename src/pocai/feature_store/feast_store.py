"""The feature store by Feast: online in SQLite, Redis or a Redis Cluster, the history in encrypted Parquet.

Reads do not go through Feast's SDK where there is a Redis (`redis_rows`); writes go through its provider. Feast is
imported with the first use, which takes seconds: call `FeastStore.warm` in the background.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from pocai.errors import ConfigurationError, FeatureStoreError, PocaiError
from pocai.feature_store.encryption import Keys, given_key, local_key
from pocai.feature_store.feast_import import import_feast
from pocai.feature_store.feature_table import DOCUMENT, SCHOOL, VIEWS, View
from pocai.feature_store.features import memory_of
from pocai.feature_store.history import History
from pocai.feature_store.place import Place
from pocai.feature_store.redis_rows import RedisRows
from pocai.feature_store.sealing import opened, sealed
from pocai.feature_store.sqlite_rows import SQLiteRows
from pocai.feature_store.store import FeatureRow
from pocai.feature_store.training_sets import Moment, training_rows
from pocai.settings import FeatureSettings
from pocai.timetable.school import SchoolMemory

if TYPE_CHECKING:
    from feast import FeatureStore

KEY_FILE = "features.key"  # in the folder, where the settings hold no key
OF_DOCUMENTS = tuple(view for view in VIEWS.values() if view.entity == DOCUMENT)


class Online(Protocol):
    """Where rows are kept online, as they are kept (see `sealing`)."""

    def read(self, views: Sequence[View], keys: Sequence[str]) -> list[list[FeatureRow | None]]: ...

    def write(self, view: View, rows: Sequence[FeatureRow]) -> None: ...

    def erase(self, view: View, keys: Iterable[str]) -> None: ...

    def check(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Feast:
    """Feast, once it is imported."""

    store: FeatureStore
    online: Online


class FeastStore:
    """The `FeatureStore` by Feast; threads may share it. Every method raises FeatureStoreError where it fails."""

    def __init__(self, place: Place) -> None:
        """Nothing is opened yet; raises ConfigurationError for a key or an address that cannot be used."""
        self._place = place
        self._address = place.redis
        self._keys = Keys.of(place.key)
        self._history = History(place.history_url, self._keys.files, place.storage)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._made: _Feast | None = None

    def warm(self) -> None:
        """Import Feast, which takes seconds."""
        self._opened()

    def apply(self) -> None:
        """Tell Feast's registry, and the online store, what features there are; done again it changes nothing."""
        from pocai.feature_store.feature_definitions import declarations

        feast = self._opened()
        with _reached():
            feast.store.apply(declarations(self._place.history_url, self._place.version))

    def refresh(self) -> None:
        """Read Feast's registry anew; no read or write waits for it."""
        with _reached():
            self._opened().store.refresh_registry()

    def feast(self) -> FeatureStore:
        """Feast's own store, for its clients; what it writes is not encrypted, and not in the history."""
        return self._opened().store

    @property
    def online(self) -> Online:
        """Where rows are kept online."""
        return self._opened().online

    def schools(self, keys: Sequence[str]) -> list[SchoolMemory | None]:
        """What is known of each school, in one round trip; None of a school that is not known, or no longer fresh."""
        return [None if row is None else memory_of(row) for (row,) in self._read([VIEWS[SCHOOL]], keys)]

    def documents(self, keys: Sequence[str]) -> list[dict[str, FeatureRow]]:
        """The rows of each document by view, in one round trip; those that are not known or not fresh are left out."""
        return [{row.view: row for row in rows if row is not None} for rows in self._read(OF_DOCUMENTS, keys)]

    def kept(self, views: Sequence[View], keys: Sequence[str]) -> list[list[FeatureRow | None]]:
        """The rows of views of one entity for each key as they are kept online: of any age, and with sealed texts."""
        if not keys:
            return []
        with _reached():
            return self.online.read(views, keys)

    def write(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows online and to the history. A row that is not newer than what is held online leaves that as it is.

        All that is online is in the history too, which `forget` relies on. Written again after an error, a row counts
        once.
        """
        kept = [sealed(row, self._keys.texts) for row in rows]
        with _reached():
            self.online.check()  # so that the history is not added to over and over while Redis is down
        self._history.append(kept)
        self._write_online(kept)

    def materialize(self, begin: datetime, end: datetime) -> int:
        """Bring the newest rows of the history, of that time, online; how many there were that are fresh."""
        count = 0
        for name in VIEWS:
            fresh = [row for row in self._history.latest(name, begin, end) if _is_fresh(row)]
            self._write_online(fresh)
            count += len(fresh)
        return count

    def training_rows(self, moments: Sequence[Moment]) -> list[dict[str, Any]]:
        """For each moment the features as they were then, by "VIEW__NAME", from the history."""
        with _reached():
            return training_rows(self._history, moments, self._keys.texts, self._place.version)

    def compact(self, before: date) -> int:
        """Make one file of the history's files of each view and day before; how many files are gone."""
        return sum(self._history.compact(name, before) for name in VIEWS)

    def forget(self, *, school: str | None = None, document: str | None = None) -> int:
        """Erase a school with its documents, or a document, online and in the history; how many rows there were.

        It is looked up again afterwards: FeatureStoreError where something is left, or came meanwhile. What a school
        has learned from a document stays when only the document is forgotten.
        """
        concerned = self._concerned(school, document)
        count = self._count(concerned)
        with _reached():
            for view, keys in concerned:
                self.online.erase(view, keys)
            for view, keys in concerned:  # the view that names the documents of a school is the last
                self._history.forget(view.name, keys)
        if left := self._count(concerned):
            raise FeatureStoreError(f"{left} rows came while {count} were erased", mend="Forget it once more")
        return count

    def trace(self, *, school: str | None = None, document: str | None = None) -> int:
        """How many rows are held of a school and its documents, or of a document; 0 after `forget`."""
        return self._count(self._concerned(school, document))

    def close(self) -> None:
        """Give connections back."""
        made, self._made = self._made, None
        if made is not None:
            made.online.close()
            _close(made.store)

    def _opened(self) -> _Feast:
        with self._lock, _reached():
            if self._made is None:
                self._made = self._open()
            return self._made

    def _open(self) -> _Feast:
        import_feast()
        from feast import FeatureStore

        from pocai.feature_store.feature_definitions import feature_views

        self._place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = FeatureStore(config=self._place.repo_config())
        views = {view.name: view for view in feature_views(self._place.history_url)}
        if self._address is None:
            return _Feast(store, SQLiteRows(store.provider, store.config, views))
        return _Feast(store, RedisRows(store.provider, store.config, views, self._address))

    def _read(self, views: Sequence[View], keys: Sequence[str]) -> list[list[FeatureRow | None]]:
        """Rows of views of one entity for each key, with their texts; None for what is not known or not fresh."""
        key, found = self._keys.texts, self.kept(views, keys)
        return [[opened(row, key) if row is not None and _is_fresh(row) else None for row in rows] for rows in found]

    def _write_online(self, rows: Sequence[FeatureRow]) -> None:
        feast = self._opened()
        with self._writing, _reached():
            for name, view in VIEWS.items():
                if some := _newest(view, [row for row in rows if row.view == name]):
                    feast.online.write(view, some)

    def _concerned(self, school: str | None, document: str | None) -> list[tuple[View, list[str]]]:
        """The views with the keys in them that are of a school or a document."""
        if (school is None) == (document is None):
            raise FeatureStoreError("it is not clear what is to be forgotten", mend="Name a school or a document")
        keys = {SCHOOL: [school] if school is not None else [], DOCUMENT: [document] if document is not None else []}
        if school is not None:
            keys[DOCUMENT] = sorted(self._history.keys(DOCUMENT, SCHOOL, school))
        return [(view, keys[view.entity]) for view in VIEWS.values() if keys[view.entity]]

    def _count(self, concerned: Sequence[tuple[View, list[str]]]) -> int:
        with _reached():
            return sum(
                sum(row is not None for (row,) in self.online.read([view], keys)) + self._history.count(view.name, keys)
                for view, keys in concerned
            )


def open_store(settings: FeatureSettings) -> FeastStore:
    """The store that the settings name; nothing is opened yet.

    Without a key one is made in the folder with the first use. Raises ConfigurationError for a key or an address that
    cannot be used, and tells neither.
    """
    if settings.kind == "none":
        raise ConfigurationError("there is no feature store", mend="Set POCAI_FEATURES__KIND to sqlite or redis")
    address = "" if settings.connection is None else settings.connection.get_secret_value()
    if settings.kind != "sqlite" and not address:
        raise ConfigurationError(
            f"the feature store of the kind {settings.kind} has no address", mend="Set POCAI_FEATURES__CONNECTION"
        )
    folder = settings.folder.expanduser()
    key = partial(local_key, folder / KEY_FILE) if settings.key is None else given_key(settings.key.get_secret_value())
    return FeastStore(
        Place(
            folder,
            key,
            kind=settings.kind,
            address=address,
            project=settings.project,
            registry=settings.registry or "",
            history=settings.offline or "",
            version=version("pocai"),
            timeout=settings.read_seconds,
        )
    )


def _is_fresh(row: FeatureRow) -> bool:
    return row.at + VIEWS[row.view].ttl >= datetime.now(UTC)


def _newest(view: View, rows: Sequence[FeatureRow]) -> list[FeatureRow]:
    """The newest row of each key."""
    newest: dict[str, FeatureRow] = {}
    for row in rows:
        key = row.key[view.entity]
        if key not in newest or newest[key].at < row.at:
            newest[key] = row
    return list(newest.values())


def _close(store: FeatureStore) -> None:
    """Close Feast's own connections; what it offers for that closes the asynchronous ones only."""
    with _reached():
        asyncio.run(store.close())
        online = store.provider.online_store
        for held in (getattr(online, "_client", None), getattr(online, "_conn", None)):
            if held is not None:
                held.close()


@contextmanager
def _reached() -> Iterator[None]:
    """Turn what Feast, Redis, SQLite and the disk say into FeatureStoreError, which tells neither address nor key."""
    try:
        yield
    except PocaiError:
        raise
    except Exception as error:
        raise FeatureStoreError(
            f"the feature store cannot be used ({type(error).__name__})",
            mend="Is it reachable, and was it set up with `pocai features apply`?",
        ) from error
