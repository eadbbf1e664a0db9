"""Rows in Redis, read without Feast's SDK: the same as the SDK's, by TLS and with a user of few rights, and checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import redis
from feast.infra.key_encoding_utils import serialize_entity_key
from feature_fixtures import PlaceOf, Servers, StoreOf, a_place, a_store  # noqa: F401 - fixtures
from feature_servers import KEY, a_document, a_memory, certificates
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis_server import free_port, redis_server

from pocai.errors import FeatureStoreError
from pocai.feature_store.encryption import Keys
from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.feature_table import VIEWS, Kind, View
from pocai.feature_store.features import Subject, document_rows, school_row
from pocai.feature_store.online_values import entity_key
from pocai.feature_store.redis_rows import RedisRows
from pocai.feature_store.sealing import opened
from pocai.feature_store.store import FeatureRow

NOW = datetime.now(UTC)
_numbers = count()
SCHOOL = VIEWS["school"]
RIGHTS = ("~*", "+ping", "+hset", "+hmget", "+expire", "+del")  # all that a store needs
VALUES: dict[Kind, st.SearchStrategy[object]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "ints": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
    "floats": st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5),
}
ROWS = st.sampled_from(list(VIEWS.values())).flatmap(
    lambda view: st.fixed_dictionaries({each.name: st.none() | VALUES[each.kind] for each in view.features}).map(
        lambda values: (view, values)
    )
)


def rows_in(store: FeastStore) -> RedisRows:
    rows = store.online
    assert isinstance(rows, RedisRows)
    return rows


def server_of(servers: Servers) -> redis.Redis:
    return redis.Redis.from_url(servers.url("redis"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=ROWS)
def test_every_feature_is_what_the_sdk_gives(drawn: tuple[View, dict[str, object]], fresh_store: FeastStore) -> None:
    """Whatever values there are: what was written is read, and Feast's SDK reads the same."""
    (view, values), key = drawn, f"key {next(_numbers)}"
    fresh_store.write([FeatureRow(view.name, {view.entity: key}, values, NOW)])
    ((kept,),) = fresh_store.kept([view], [key])
    names = [f"{view.name}:{name}" for name in view.names]
    told = fresh_store.feast().get_online_features(features=names, entity_rows=[{view.entity: key}]).to_dict()
    assert kept is not None
    assert {name: told[name][0] for name in view.names} == kept.values
    assert opened(kept, Keys.of(KEY).texts).values == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_categories=["Cs"]), max_size=150), view=st.sampled_from(list(VIEWS.values())))
@example(key="\x7f" * 127, view=SCHOOL)
@example(key="x" * 700, view=SCHOOL)
def test_keys_are_feasts(key: str, view: View, fresh_store: FeastStore) -> None:
    made = rows_in(fresh_store).key(view, key)
    feasts = serialize_entity_key(entity_key(view, key), entity_key_serialization_version=3)
    assert made == feasts + fresh_store.feast().project.encode()


@pytest.fixture(name="fresh_store")
def store_with_one_project(store: StoreOf) -> FeastStore:
    return store("redis")


def test_keys_go_when_their_view_is_past_its_time(store: StoreOf, servers: Servers) -> None:
    used = store("redis")
    used.write([school_row("A", a_memory(1, NOW)), *document_rows(Subject("d", NOW), a_document(1))])
    with server_of(servers) as server:
        for name, key in (("school", "A"), ("document", "d")):
            seconds = server.ttl(rows_in(used).key(VIEWS[name], key))
            assert 0 <= VIEWS[name].ttl.total_seconds() - seconds < 60


def test_many_keys_go_in_one_round_trip(store: StoreOf, servers: Servers) -> None:
    used = store("redis")
    used.write([school_row(f"s{number}", a_memory(number, NOW)) for number in range(100)])
    with server_of(servers) as server:
        used.schools(["s0"])  # its connection is open
        before = server.info("stats")["total_reads_processed"]
        assert None not in used.schools([f"s{number}" for number in range(100)])
        assert server.info("stats")["total_reads_processed"] - before <= 10, "reads of sockets, for 100 keys"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda held: held[:-1] + bytes([held[-1] ^ 1]), "does not open"),
        (lambda held: held[:40], "damaged"),
        (lambda _: b"\xff\xff", "damaged"),
        (lambda _: b"\x0a\x02{}", "does not open"),  # a text in plain, as Feast would keep it
        (lambda _: b"\x12\x02{}", "damaged"),  # one as a string
    ],
    ids=["one bit", "cut", "no message", "plain", "string"],
)
def test_a_text_that_was_altered_in_redis_is_refused(
    change: Callable[[bytes], bytes], told: str, store: StoreOf, servers: Servers
) -> None:
    used = store("redis")
    used.write([school_row("A", a_memory(1, NOW)), school_row("B", a_memory(2, NOW))])
    rows = rows_in(used)
    key, field = rows.key(SCHOOL, "A"), rows.fields_of(SCHOOL)[SCHOOL.names.index("names")]
    with server_of(servers) as server:
        held = server.hget(key, field)
        assert isinstance(held, bytes)
        server.hset(key, field, change(held))
    with pytest.raises(FeatureStoreError, match=told) as caught:
        used.schools(["A"])
    assert "Maths" not in str(caught.value)
    assert used.schools(["B"]) == [a_memory(2, NOW)]


def test_a_time_that_was_altered_in_redis_is_refused(store: StoreOf, servers: Servers) -> None:
    used = store("redis")
    used.write([school_row("A", a_memory(1, NOW))])
    with server_of(servers) as server:
        server.hset(rows_in(used).key(SCHOOL, "A"), "_ts:school", b"\xff")
    with pytest.raises(FeatureStoreError, match="damaged"):
        used.schools(["A"])


def test_a_text_of_another_school_is_refused(store: StoreOf, servers: Servers) -> None:
    used = store("redis")
    used.write([school_row("A", a_memory(1, NOW)), school_row("B", a_memory(2, NOW))])
    with server_of(servers) as server:
        server.copy(rows_in(used).key(SCHOOL, "A"), rows_in(used).key(SCHOOL, "B"), replace=True)
    with pytest.raises(FeatureStoreError, match="does not open"):
        used.schools(["B"])


def test_rows_of_another_key_are_refused(store: StoreOf, place: PlaceOf, servers: Servers) -> None:
    del servers
    where = place("redis")
    store(where).write([school_row("A", a_memory(1, NOW))])
    other = store("redis", key=bytes(32), project=where.project)
    with pytest.raises(FeatureStoreError, match="does not open"):
        other.schools(["A"])


def test_tls_is_spoken_with_a_user_of_few_rights(place: PlaceOf, store: StoreOf) -> None:
    port = free_port()
    with certificates() as (key, certificate):
        secured = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
        users = ["--user", "default", "off", "--user", "pocai", "on", ">s3c,ret=é", *RIGHTS]
        login, ca = "pocai:s3c%2Cret%3D%C3%A9", f"?ssl_ca_certs={certificate}"
        with redis_server(*secured, "--tls-auth-clients", "no", *users) as plain:
            used = store("redis", address=f"rediss://{login}@127.0.0.1:{port}/0{ca}")
            used.write([school_row("A", a_memory(1, NOW)), *document_rows(Subject("d", NOW, "A"), a_document(1))])
            assert used.schools(["A", "B"]) == [a_memory(1, NOW), None]
            assert used.materialize(NOW - timedelta(days=1), NOW) == 3
            assert used.forget(school="A") == 6
            wrong = [
                f"rediss://{login}@127.0.0.1:{port}/0",  # nobody vouches for it
                f"rediss://pocai:wrong@127.0.0.1:{port}/0{ca}",
                f"rediss://127.0.0.1:{port}/0{ca}",
                plain,
            ]
            for address in wrong:
                refused = FeastStore(place("redis", address=address))
                with pytest.raises(FeatureStoreError) as caught:
                    refused.schools(["A"])
                assert "s3c" not in str(caught.value)
                refused.close()


def test_a_user_of_few_rights_is_enough_in_a_cluster(store: StoreOf, servers: Servers) -> None:
    url = servers.url("cluster")
    for node in url.removeprefix("redis://").split(","):
        with redis.Redis.from_url(f"redis://{node}") as server:
            server.execute_command("ACL", "SETUSER", "few", "on", ">s3cret", *RIGHTS, "+cluster", "+command")
    used = store("cluster", address=url.replace("//", "//few:s3cret@"))
    rows = [school_row(f"s{number}", a_memory(number, NOW)) for number in range(20)]
    used.write(rows)
    assert None not in used.schools([f"s{number}" for number in range(20)])
    assert used.forget(school="s1") == 2


def test_a_connection_that_redis_closed_is_opened_anew(store: StoreOf) -> None:
    with redis_server() as url:
        used = store("redis", address=url)
        used.write([school_row("A", a_memory(1, NOW))])
        assert used.schools(["A"]) == [a_memory(1, NOW)]
        with redis.Redis.from_url(url) as server:
            server.client_kill_filter(_type="normal", skipme=True)
        assert used.schools(["A"]) == [a_memory(1, NOW)]
