"""The feature store over SQLite, a Redis and a Redis Cluster: what is written is read, and nothing older or too old."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feature_fixtures import KINDS, PlaceOf, StoreOf, a_place, a_store  # noqa: F401 - fixtures
from feature_servers import KEY, a_document, a_memory, a_reading
from redis_server import free_port

from pocai.errors import FeatureStoreError
from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.feature_definitions import TYPES, service_name
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import Subject, document_rows, memory_of, school_row
from pocai.feature_store.online_values import messages_of
from pocai.feature_store.sealing import sealed
from pocai.feature_store.store import FeatureRow

NOW = datetime.now(UTC)
SECOND = timedelta(seconds=1)
SCHOOL = VIEWS["school"]


def row(number: int = 1, at: datetime = NOW, school: str = "A") -> FeatureRow:
    return school_row(school, a_memory(number, at))


def documents(count: int, at: datetime = NOW, school: str | None = "A") -> list[FeatureRow]:
    """The rows of documents "d0", "d1" …; every second one is scanned."""
    made: list[FeatureRow] = []
    for number in range(count):
        document = a_document(number)
        readings = [a_reading(document)] if number % 2 else []
        made += document_rows(Subject(f"d{number}", at, school), document, readings, 0.9 if number % 3 else None)
    return made


@pytest.fixture(params=KINDS, name="kind")
def each_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_rows_of_all_views_are_read_as_they_were_written(kind: str, store: StoreOf) -> None:
    used = store(kind)
    rows = [row(1), row(2, school="Straße 9\u2028/ü"), *documents(3)]
    used.write(rows)
    assert used.schools(["A", "nobody", "Straße 9\u2028/ü"]) == [memory_of(rows[0]), None, memory_of(rows[1])]
    assert used.schools([]) == []
    found = used.documents(["d0", "d1", "none", "d2"])
    assert [each and [each["ocr"], each["document"]] for each in found] == [rows[2:4], rows[4:6], {}, rows[6:8]]


def test_another_store_of_the_same_place_reads_what_was_written(kind: str, store: StoreOf, place: PlaceOf) -> None:
    where = place(kind)
    store(where).write([row(1)])
    assert store(where).schools(["A"]) == [a_memory(1, NOW)]


def test_projects_do_not_see_each_other(kind: str, store: StoreOf) -> None:
    one, other = store(kind), store(kind)
    one.write([row(1)])
    assert other.schools(["A"]) == [None]


def test_what_is_not_newer_is_ignored(kind: str, store: StoreOf) -> None:
    used = store(kind)
    used.write([row(1)])
    used.write([row(2, NOW - SECOND)])
    used.write([row(3, NOW)])
    assert used.schools(["A"]) == [a_memory(1, NOW)]
    tick = NOW + timedelta(microseconds=1)
    used.write([row(4, tick)])
    assert used.schools(["A"]) == [a_memory(4, tick)]


def test_of_rows_that_are_written_together_the_newest_counts(kind: str, store: StoreOf) -> None:
    used = store(kind)
    used.write([row(1, NOW - SECOND), row(2), row(3, NOW - 2 * SECOND)])
    assert used.schools(["A"]) == [a_memory(2, NOW)]


def test_what_is_past_its_time_is_not_known(kind: str, store: StoreOf) -> None:
    used = store(kind)
    now = datetime.now(UTC)  # not NOW, which may be minutes old when this test has its turn
    edge = now - SCHOOL.ttl
    used.write([row(1, edge - SECOND), row(2, edge + 60 * SECOND, "B")])
    assert used.schools(["A", "B"]) == [None, a_memory(2, edge + 60 * SECOND)]
    old, young = (now - VIEWS["ocr"].ttl + each for each in (-SECOND, 60 * SECOND))
    first, *_, last = documents(1, old) + documents(1, young)
    used.write([replace(first, key={"document": "mixed"}), replace(last, key={"document": "mixed"})])
    assert used.documents(["mixed"]) == [{"document": replace(last, key={"document": "mixed"})}]


def test_the_newest_of_the_history_is_brought_online(kind: str, store: StoreOf, place: PlaceOf) -> None:
    where = place(kind)
    used = store(where)
    used.write([row(2, NOW), row(1, NOW - SECOND), row(3, NOW - timedelta(days=500), "old"), *documents(2)])
    empty = store(replace(where, project=where.project + "_b", registry=str(where.folder / "b.db"), address=_b(where)))
    assert empty.schools(["A"]) == [None]
    assert empty.materialize(NOW - timedelta(days=1), NOW) == 5
    assert empty.schools(["A", "old"]) == [a_memory(2, NOW), None]
    assert empty.documents(["d0", "d1"]) == used.documents(["d0", "d1"])
    assert empty.materialize(NOW + SECOND, NOW + 2 * SECOND) == 0
    assert empty.materialize(NOW - timedelta(days=600), NOW) == 5, "what is past its time stays where it is"


def _b(where: object) -> str:
    """The same Redis, or another file of SQLite."""
    kind, address, folder = (getattr(where, name) for name in ("kind", "address", "folder"))
    return str(folder / "b-online.db") if kind == "sqlite" else str(address)


def test_materialising_leaves_what_is_newer(store: StoreOf, place: PlaceOf) -> None:
    where = place("redis")
    used = store(where)
    used.write([row(1, NOW - SECOND)])
    used.write([row(2)])
    used.materialize(NOW - timedelta(days=1), NOW - SECOND)
    assert used.schools(["A"]) == [a_memory(2, NOW)]


def test_threads_share_a_store(kind: str, store: StoreOf) -> None:
    used = store(kind)

    def work(number: int) -> bool:
        own = [row(step, NOW + step * SECOND, f"s{number}") for step in range(1, 6)]
        for each in own:
            used.write([each])
            if used.schools([f"s{number}"]) != [memory_of(each)]:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [True] * 4


def test_feasts_own_reading_gives_the_same_values(kind: str, store: StoreOf) -> None:
    used = store(kind)
    rows = [row(1), *documents(2)]
    used.write(rows)
    sdk = used.feast()
    for view in VIEWS.values():
        keys = [each.key[view.entity] for each in rows if each.view == view.name] + ["nobody"]
        names = [f"{view.name}:{name}" for name in view.names]
        entities = [{view.entity: key} for key in keys]
        told = sdk.get_online_features(features=names, entity_rows=entities).to_dict()
        kept = used.kept([view], keys)
        for place, (held,) in enumerate(kept):
            for name in view.names:
                assert told[name][place] == (None if held is None else held.values[name]), name


def test_applying_again_changes_nothing(kind: str, store: StoreOf) -> None:
    used = store(kind)
    used.write([row(1)])

    def declared() -> list[object]:
        sdk = used.feast()
        return [
            sdk.list_feature_views(),
            sdk.list_entities(),
            sdk.list_feature_services(),
        ]  # which have an == without times

    before = declared()
    used.apply()
    used.refresh()
    assert declared() == before
    assert used.schools(["A"]) == [a_memory(1, NOW)]


def test_each_version_of_the_models_has_a_service_of_its_own(store: StoreOf, place: PlaceOf) -> None:
    where = place()
    store(replace(where, version="1.2.0"))
    later = store(replace(where, version="1.3.0"))
    services = {service.name: service for service in later.feast().list_feature_services()}
    assert set(services) == {service_name("1.2.0"), service_name("1.3.0")} == {"extraction_1_2_0", "extraction_1_3_0"}
    assert services["extraction_1_3_0"].tags == {"models": "1.3.0"}
    views = {
        each.name: [field.name for field in each.features]
        for each in services["extraction_1_3_0"].feature_view_projections
    }
    assert views == {view.name: list(view.names) for view in VIEWS.values()}


def test_what_feast_was_told_is_the_table(store: StoreOf) -> None:
    for declared in store().feast().list_feature_views():
        view = VIEWS[declared.name]
        assert (declared.ttl, declared.owner, declared.join_keys) == (view.ttl, view.owner, [view.entity])
        told = [(each.name, each.dtype, each.description, each.tags.get("unit", "")) for each in declared.features]
        assert told == [(each.name, TYPES[each.kind], each.meaning, each.unit) for each in view.features]


def test_text_goes_to_feast_as_bytes_that_do_not_hold_it() -> None:
    made = messages_of(SCHOOL, sealed(row(1), KEY))
    assert b"Maths" not in made["names"].bytes_val
    assert made["day_start"].int64_val == 510


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (lambda each: replace(each, view="schools"), "'schools'"),
        (lambda each: replace(each, key={"document": "A"}), "'school'"),
        (lambda each: replace(each, key={"school": "a\nb"}), "3 characters"),
        (lambda each: replace(each, key={"school": ""}), "0 characters"),
        (lambda each: replace(each, at=NOW.replace(tzinfo=None)), "time zone"),
        (lambda each: replace(each, values={**each.values, "secret": 1}), "secret"),
        (lambda each: replace(each, values={"names": "{}"}), "adapter"),
        (lambda each: replace(each, values={**each.values, "cycle": "Maths"}), "school.cycle is a str"),
        (lambda each: replace(each, values={**each.values, "cycle": True}), "school.cycle is a bool"),
    ],
)
def test_what_is_no_row_is_refused_before_anything_is_written(
    spoiled: Callable[[FeatureRow], FeatureRow], told: str, store: StoreOf
) -> None:
    used = store()
    with pytest.raises(FeatureStoreError, match=told) as caught:
        used.write([row(1, school="B"), spoiled(row(1))])
    assert "Maths" not in str(caught.value)
    assert used.schools(["A", "B"]) == [None, None]
    assert used.trace(school="B") == 0


def test_a_store_that_was_not_applied_says_so(place: PlaceOf) -> None:
    used = FeastStore(place())
    try:
        with pytest.raises(FeatureStoreError, match="pocai features apply"):
            used.write([row(1)])
    finally:
        used.close()


def test_redis_that_does_not_answer_is_an_error_and_the_history_stays_as_it_is(place: PlaceOf) -> None:
    where = replace(place("redis"), address=f"redis://user:s3cret@127.0.0.1:{free_port()}/0", timeout=0.2)
    used = FeastStore(where)
    try:
        for act in (lambda: used.write([row(1)]), lambda: used.schools(["A"]), lambda: used.forget(school="A")):
            with pytest.raises(FeatureStoreError) as caught:
                act()
            assert "s3cret" not in str(caught.value)
        assert not list(Path(where.history_url).glob("**/*.parquet"))
    finally:
        used.close()
