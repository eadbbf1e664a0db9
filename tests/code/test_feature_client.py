"""Looking schools up: a cache, a time-out and a breaker stand between a document and its feature store."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from school_stores import MemoryStore, Watching, week

from pocai.errors import ConfigurationError, FeatureStoreError
from pocai.feature_store.features import school_row
from pocai.inference.breaker import Breaker, State
from pocai.inference.feature_store_client import FeatureStoreClient, empty_share, open_client
from pocai.inference.lessons import Lesson
from pocai.settings import FeatureSettings
from pocai.timetable.school import SchoolMemory, remember

QUICK = 0.05  # seconds that a look-up may take in these tests
SLACK = 0.15  # seconds by which a busy machine may be late

Made = Callable[..., FeatureStoreClient]


@pytest.fixture(name="store")
def memory_store() -> MemoryStore:
    store = MemoryStore()
    now = datetime.now(UTC)
    for number, name in enumerate(("Maths", "Art", "PE")):
        store.write([school_row(name, remember(SchoolMemory(), [week(name)], now - timedelta(hours=number)))])
    return store


@pytest.fixture(name="watch")
def watching() -> Watching:
    return Watching()


@pytest.fixture(name="made")
def maker(store: MemoryStore, watch: Watching) -> Iterator[Made]:
    """Makes clients of the store, and closes them."""
    clients: list[FeatureStoreClient] = []

    def make(**settings: float) -> FeatureStoreClient:
        chosen = FeatureSettings.model_validate({"read_seconds": QUICK, "flush_seconds": 0.2, **settings})
        clients.append(FeatureStoreClient(store, school_row, chosen, watch))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# --- what is known -----------------------------------------------------------------------------------------------


def test_a_school_is_found_and_one_that_is_not_known_is_none(made: Made, watch: Watching) -> None:
    client = made()
    found = client.school("Art")
    assert found is not None
    assert (dict(found.names), dict(found.periods), found.documents) == ({"Art": 1}, {(540, 600): 1}, 1)
    assert client.school("nobody") is None
    assert watch.outcomes == [("hit", 1), ("miss", 1)]
    ((age, empty),) = watch.ages
    assert age == pytest.approx(3600, abs=60)
    assert empty == pytest.approx(3 / 6)  # notes, corrections and adapter
    assert len(watch.seconds) == 2
    assert empty_share(SchoolMemory()) == 1.0


def test_several_schools_are_one_round_trip(made: Made, store: MemoryStore) -> None:
    client = made()
    known = client.schools(("PE", "nobody", "Maths", "PE"))
    assert [memory and list(memory.names) for memory in known] == [["PE"], None, ["Maths"], ["PE"]]
    assert store.asked == [("PE", "nobody", "Maths")]
    assert [memory and list(memory.names) for memory in client.schools(("Art", "PE"))] == [["Art"], ["PE"]]
    assert store.asked[1:] == [("Art",)]  # the other one is in the cache
    assert client.schools(()) == []


def test_the_cache_believes_for_a_while_only(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made(cache_seconds=0.2)
    for _ in range(5):
        client.school("Art")
        client.school("nobody")
    assert store.asked == [("Art",), ("nobody",)]
    assert watch.outcomes.count(("cached", 1)) == 8
    time.sleep(0.25)
    client.school("Art")
    assert store.asked == [("Art",), ("nobody",), ("Art",)]
    without = made(cache_seconds=0)
    without.school("Art")
    without.school("Art")
    assert len(store.asked) == 5


def test_the_cache_is_bounded(made: Made, monkeypatch: pytest.MonkeyPatch, store: MemoryStore) -> None:
    monkeypatch.setattr("pocai.inference.feature_store_client.MOST_CACHED", 2)
    client = made()
    for name in ("Art", "PE", "Maths", "PE", "Art"):
        client.school(name)
    assert [name for (name,) in store.asked] == ["Art", "PE", "Maths", "Art"]


def test_what_was_learned_is_known_at_once(made: Made) -> None:
    client = made(cache_seconds=60)
    assert client.school("Art") is not None
    client.learn(Lesson("Art", [week("Pottery")]))
    found = client.school("Art")
    assert found is not None
    assert set(found.names) == {"Art", "Pottery"}


def test_a_look_without_cache_says_why_it_fails(made: Made, store: MemoryStore) -> None:
    client = made()
    assert client.look("Art") is not None
    store.failing = FeatureStoreError("away", mend="Start it")
    with pytest.raises(FeatureStoreError, match="away"):
        client.look("Art")


# --- a store in trouble ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [FeatureStoreError("away"), RuntimeError("a fault"), KeyError("damaged")])
def test_no_error_of_the_store_reaches_a_document(
    made: Made, store: MemoryStore, watch: Watching, error: Exception
) -> None:
    client = made()
    store.failing = error
    assert client.schools(("Art", "PE")) == [None, None]
    assert watch.outcomes == [("failed", 2)]
    store.failing = None
    assert client.school("Art") is not None  # a failure is not kept in the cache


def test_a_store_that_hangs_costs_the_time_out_and_no_more(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made()
    with store.hanging():
        begin = time.monotonic()
        assert client.school("Art") is None
        assert QUICK <= time.monotonic() - begin < QUICK + SLACK
    assert watch.outcomes == [("late", 1)]


def test_the_breaker_opens_within_a_second_and_recovers_by_itself(
    made: Made, store: MemoryStore, watch: Watching
) -> None:
    client = made()
    with store.hanging():
        begin = time.monotonic()
        while client.state is not State.OPEN:
            assert client.school("Art") is None
        assert time.monotonic() - begin < 1.0
        begin = time.monotonic()
        for _ in range(100):
            assert client.school("Art") is None
        assert time.monotonic() - begin < SLACK  # nobody waits any more
        assert watch.outcomes[-1] == ("refused", 1)
        asked = len(store.asked)
        time.sleep(0.6)
        assert client.school("Art") is None  # one tries
        assert client.school("Art") is None
        assert len(store.asked) <= asked + 1
    time.sleep(0.6)
    assert client.school("Art") is not None
    assert watch.states == [State.OPEN, State.HALF_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_many_threads_that_meet_a_hanging_store_wait_no_longer_than_one(made: Made, store: MemoryStore) -> None:
    client, others = made(), set(threading.enumerate())
    with store.hanging(), ThreadPoolExecutor(40) as pool:
        begin = time.monotonic()
        assert list(pool.map(lambda _: client.school("Art"), range(40))) == [None] * 40
        assert time.monotonic() - begin < QUICK + 3 * SLACK
        assert sum(thread.name == "features-read" for thread in set(threading.enumerate()) - others) <= 4
    time.sleep(0.6)
    assert client.school("Art") is not None


def test_a_change_of_state_is_one_line_without_names(
    made: Made, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    client = made()
    store.failing = FeatureStoreError("redis://:password@host says no to Art")
    with caplog.at_level(logging.INFO, "pocai"):
        for _ in range(10):
            client.school("Art")
        time.sleep(0.6)
        client.school("Art")  # a try that fails is no news
        store.failing = None
        time.sleep(0.6)
        client.school("Art")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "does not answer" in said[0]
    assert "answers again" in said[1]
    assert not any("Art" in line or "password" in line for line in said)


def test_threads_find_what_they_ask_for(made: Made) -> None:
    client = made(cache_seconds=0.001, read_seconds=5)
    names = ("Maths", "Art", "PE")

    def ask(number: int) -> bool:
        wanted = [names[number % 3], names[(number + 1) % 3]]
        found = client.schools(wanted)
        return [memory and list(memory.names) for memory in found] == [[name] for name in wanted]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_a_closed_client_knows_nothing_and_lets_the_store_go(made: Made, store: MemoryStore) -> None:
    client = made(cache_seconds=0)
    client.close()
    assert store.closed
    assert client.school("Art") is None
    client.close()


# --- the breaker -------------------------------------------------------------------------------------------------


def test_a_breaker_counts_failures_in_a_row() -> None:
    states: list[State] = []
    now = [0.0]
    breaker = Breaker(states.append, failures=2, pause=1.0, clock=lambda: now[0])
    for told in (breaker.failed, breaker.succeeded, breaker.failed):
        assert breaker.admits()
        told()
    assert states == []
    breaker.failed()
    assert (breaker.state, breaker.admits()) == (State.OPEN, False)
    now[0] = 0.5
    breaker.failed()  # of a call that had begun before: the pause is no longer for that
    now[0] = 1.0
    assert breaker.admits()
    assert not breaker.admits()  # one at a time
    now[0] = 2.0
    assert breaker.admits()  # the other one never reported
    breaker.failed()
    assert (breaker.state, breaker.admits()) == (State.OPEN, False)
    now[0] = 3.0
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert states == [State.OPEN, State.HALF_OPEN, State.OPEN, State.HALF_OPEN, State.CLOSED]


# --- settings ----------------------------------------------------------------------------------------------------


def test_without_a_store_there_is_no_client() -> None:
    with pytest.raises(ConfigurationError, match="POCAI_FEATURES__KIND"):
        open_client(FeatureSettings())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocai.inference.feature_store_client.find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"pocai\[features\]"):
        open_client(FeatureSettings(kind="sqlite"))


def test_secrets_of_the_settings_are_not_shown() -> None:
    settings = FeatureSettings.model_validate({"connection": "redis://:hidden@host", "key": "hidden"})
    assert "hidden" not in repr(settings)
    assert settings.kind == "none"
