"""What is forgotten is gone: a search of every byte, online and in the history, finds nothing of it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
import redis
from feature_fixtures import KINDS, PlaceOf, StoreOf, a_place, a_store  # noqa: F401 - fixtures
from feature_servers import KEY, a_document, a_memory

from pocai.errors import FeatureStoreError
from pocai.feature_store.encryption import Keys
from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import Subject, document_rows, school_row
from pocai.feature_store.history import History, rows_of
from pocai.feature_store.place import Place
from pocai.feature_store.sealing import opened
from pocai.feature_store.store import FeatureRow

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
KEYS = Keys.of(KEY)


def everything(place: Place) -> bytes:
    """Every byte that is held: Redis's keys and fields, SQLite's files, Parquet's files, and what these say opened."""
    parts = [*_online(place)]
    root = place.history_url.removeprefix("s3://")
    files = fsspec.filesystem("s3" if place.storage else "file", **place.storage)
    files.invalidate_cache()
    parts += [path.encode() + files.cat_file(path) for path in files.find(root)]
    history = History(place.history_url, KEYS.files, place.storage)
    parts += [
        repr(opened(row, KEYS.texts)).encode()
        for view in VIEWS.values()
        for row in rows_of(view, history.read(view.name))
    ]
    return b"\n".join(parts)


def _online(place: Place) -> Iterator[bytes]:
    if place.kind == "sqlite":
        for path in Path(place.folder).glob("online.db*"):
            yield path.read_bytes()
        return
    for node in place.address.removeprefix("redis://").split("/")[0].split(","):
        with redis.Redis.from_url(f"redis://{node}/0") as server:
            for key in server.scan_iter("*", count=1000):
                if not key.endswith(place.project.encode()):
                    continue
                yield key
                for field, value in server.hgetall(key).items():
                    yield field + value


def rows(school: str, count: int, first: int = 0, at: datetime = NOW) -> list[FeatureRow]:
    made = [school_row(school, a_memory(first, at))]
    for number in range(first, first + count):
        made += document_rows(Subject(f"{school}/{number}", at, school), a_document(number))
    return made


@pytest.fixture(params=[*((kind, "") for kind in KINDS), ("redis", "s3")], ids="-".join, name="where")
def each_place(request: pytest.FixtureRequest, place: PlaceOf) -> Place:
    kind, offline = request.param
    return place(kind, offline=offline)


def test_a_school_is_forgotten_with_its_documents(where: Place, store: StoreOf) -> None:
    used = store(where)
    used.write(rows("st-marys", 3, at=NOW - HOUR))
    used.write(rows("st-marys", 3) + rows("st-johns", 2, first=50))
    used.compact((NOW + timedelta(days=1)).date())
    held = everything(where)
    assert b"st-marys" in held
    assert b"Maths 0/0" in held, "opened, from the history"
    # twice 1 + 3 · 2 rows in the history, 1 + 3 · 2 online
    assert used.trace(school="st-marys") == used.forget(school="st-marys") == 21
    left = everything(where)
    for word in (b"st-marys", b"Maths 0/0", b"English 0/1", base64.b64encode(b"st-marys")[:9]):
        assert word not in left
    assert used.trace(school="st-marys") == used.forget(school="st-marys") == 0
    assert used.schools(["st-marys", "st-johns"]) == [None, a_memory(50, NOW)]
    assert [bool(found) for found in used.documents(["st-marys/0", "st-johns/50", "st-johns/51"])] == [
        False,
        True,
        True,
    ]
    assert b"st-johns/51" in left


def test_a_document_is_forgotten_and_its_school_stays(where: Place, store: StoreOf) -> None:
    used = store(where)
    used.write(rows("st-marys", 2))
    assert b"st-marys/1" in everything(where)
    assert used.forget(document="st-marys/1") == 4
    left = everything(where)
    assert b"st-marys/1" not in left
    assert b"st-marys/0" in left
    assert used.schools(["st-marys"]) == [a_memory(0, NOW)]
    assert [bool(found) for found in used.documents(["st-marys/0", "st-marys/1"])] == [True, False]


def test_a_school_whose_name_begins_like_anothers_stays(where: Place, store: StoreOf) -> None:
    used = store(where)
    used.write(rows("st", 1) + rows("st-marys", 1, first=9))
    assert used.forget(school="st") == 6
    assert used.schools(["st", "st-marys"]) == [None, a_memory(9, NOW)]
    assert used.trace(school="st-marys") == 6


def test_what_was_replaced_online_is_gone_too(store: StoreOf, place: PlaceOf) -> None:
    """SQLite leaves what was deleted or replaced in free pages of its file; forgetting clears them."""
    where = place("sqlite")
    used = store(where)
    adapters = [f"adapters/secret-{number}" for number in range(30)]
    for number, adapter in enumerate(adapters):
        memory = a_memory(number, NOW + number * HOUR)
        row = school_row("st-marys", memory)
        used.write([FeatureRow(row.view, row.key, {**row.values, "adapter": adapter}, row.at)])
    used.forget(school="st-marys")
    assert not any(adapter.encode() in held for held in _online(where) for adapter in adapters)


def test_what_is_to_be_forgotten_must_be_named(store: StoreOf) -> None:
    used = store()
    for names in ({}, {"school": "a", "document": "b"}):
        for act in (used.forget, used.trace):
            with pytest.raises(FeatureStoreError, match="Name a school or a document"):
                act(**names)


def test_what_comes_while_it_is_forgotten_is_told(place: PlaceOf, store: StoreOf) -> None:
    """Rows that another process wrote meanwhile are no success: they are there."""
    where = place("sqlite")
    used, other = store(where), FeastStore(where)

    used.write(rows("st-marys", 1))
    with contextlib.closing(other):
        forget = History.forget

        def slow(self: History, view: str, keys: object) -> int:
            gone = forget(self, view, keys)  # type: ignore[arg-type]
            if view == "school":
                other.write(rows("st-marys", 1, at=NOW + HOUR))
            return gone

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(History, "forget", slow)
            with pytest.raises(FeatureStoreError, match="came while 6 were erased"):
                used.forget(school="st-marys")
    assert used.forget(school="st-marys") > 0
    assert used.trace(school="st-marys") == 0
