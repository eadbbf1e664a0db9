"""What a document teaches is written behind its back: nobody waits, little is lost, and what is forgotten is gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from school_stores import NOW, MemoryStore, Watching, week

from pocai.errors import FeatureStoreError
from pocai.feature_store.features import school_row
from pocai.feature_store.store import FeatureRow
from pocai.inference.feature_queue import WriteQueue
from pocai.inference.feature_store_client import FeatureStoreClient
from pocai.inference.lessons import Lesson, taught
from pocai.settings import FeatureSettings
from pocai.timetable.school import CORRECTED, SchoolMemory

SOON = 10.0  # seconds that anything may take on a busy machine

Made = Callable[..., FeatureStoreClient]


@pytest.fixture(name="store")
def memory_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(name="watch")
def watching() -> Watching:
    return Watching()


@pytest.fixture(name="made")
def maker(store: MemoryStore, watch: Watching) -> Iterator[Made]:
    """Makes clients of the store, and closes them."""
    clients: list[FeatureStoreClient] = []

    def make(**settings: float) -> FeatureStoreClient:
        chosen = FeatureSettings.model_validate({"flush_seconds": 0.3, **settings})
        clients.append(FeatureStoreClient(store, school_row, chosen, watch))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def document_row(document: str = "d1", school: str | None = None) -> FeatureRow:
    return FeatureRow("document", {"document": document}, {"school": school, "pages": 1}, NOW)


# --- lessons -----------------------------------------------------------------------------------------------------


def test_a_lesson_is_learned_and_a_correction_weighs_more() -> None:
    memory = taught(SchoolMemory(), Lesson("s", [week("Maths")], when=NOW))
    again = taught(memory, Lesson("s", [week("Art").model_dump(mode="json", by_alias=True)], corrected=True, when=NOW))
    assert dict(again.names) == {"Maths": 1, "Art": CORRECTED}
    assert (again.documents, again.corrected) == (2, 1)
    assert memory.updated == NOW
    assert again.updated is not None
    assert again.updated > NOW  # a store would not take a second row of the same time


def test_a_lesson_that_teaches_nothing_changes_nothing() -> None:
    memory = SchoolMemory(documents=1, adapter="a", updated=NOW)
    assert taught(memory, Lesson("s")) is memory
    assert taught(memory, Lesson("s", adapter="a")) is memory
    assert taught(SchoolMemory(), Lesson("s", adapter="")).adapter is None


def test_an_adapter_is_set_and_taken_away() -> None:
    later = NOW + timedelta(hours=1)
    memory = taught(SchoolMemory(), Lesson("s", adapter="out/school", when=NOW))
    assert (memory.adapter, memory.updated, memory.documents) == ("out/school", NOW, 0)
    assert taught(memory, Lesson("s", [week("Maths")], when=later)).adapter == "out/school"
    assert taught(memory, Lesson("s", adapter="", when=later)).adapter is None


@pytest.mark.parametrize("damaged", [{"timeblocks": [{"day": "Noday", "name": "x"}]}, {"unknown": 1}])
def test_a_damaged_lesson_is_refused(damaged: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        taught(SchoolMemory(), Lesson("s", [damaged]))


def test_what_a_person_changed_is_counted() -> None:
    read = [week("Maths", "Ort", "Lunch")]
    memory = taught(SchoolMemory(), Lesson("s", [week("Maths", "Art")], corrected=True, read=read, when=NOW))
    assert (memory.fields, memory.changed) == (12, 1 + 4)  # a name, and a lesson that is none
    assert memory.correction_rate == pytest.approx(5 / 12)
    again = taught(memory, Lesson("s", [week("Maths")], corrected=True, read=[week("Maths")]))
    assert (again.fields, again.changed) == (16, 5)
    unseen = taught(memory, Lesson("s", [week("Maths")], read=read))  # nobody has corrected it
    assert (unseen.fields, unseen.changed) == (12, 5)


# --- writing -----------------------------------------------------------------------------------------------------


def test_what_is_remembered_is_written_soon(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made()
    for name in ("Maths", "Art", "Maths"):
        client.remember(Lesson("s", [week(name)]))
    client.remember(Lesson("other", [week("PE")], rows=(document_row(),)))
    client.write([document_row("d2")])
    assert client.flush(SOON)
    found = client.school("s")
    assert found is not None
    assert (dict(found.names), found.documents) == ({"Maths": 2, "Art": 1}, 3)
    assert {row.key["document"] for row in store.history if row.view == "document"} == {"d1", "d2"}
    assert sum(items for items, _ in watch.lags) == 5
    assert all(0 <= lag < SOON for _, lag in watch.lags)
    assert watch.lost == 0


def test_learning_now_gives_the_memory_and_says_what_fails(made: Made, store: MemoryStore) -> None:
    client = made()
    assert dict(client.learn(Lesson("s", [week("Maths")])).names) == {"Maths": 1}
    assert client.learn(Lesson("s")).documents == 1
    assert len(store.history) == 1  # a lesson that teaches nothing is not written
    store.failing = FeatureStoreError("away")
    with pytest.raises(FeatureStoreError, match="away"):
        client.learn(Lesson("s", [week("Art")]))


def test_remembering_never_waits_for_a_store_that_hangs(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made(queue=10)
    with store.hanging():
        begin = time.monotonic()
        for number in range(500):
            client.remember(Lesson("s", [week(str(number))]))
        assert (time.monotonic() - begin) / 500 < 0.002  # a write adds at most 2 ms
        assert watch.most_waiting <= 10
    assert client.flush(SOON)
    found = client.school("s")
    assert found is not None
    assert "499" in found.names  # the newest ones are kept
    assert watch.lost == 500 - found.documents > 400


def test_a_full_queue_is_said_once(made: Made, store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    client = made(queue=2)
    with caplog.at_level(logging.INFO, "pocai"), store.hanging():
        for number in range(20):
            client.remember(Lesson("Hogwarts", [week(str(number))]))
    assert client.flush(SOON)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "dropped" in said[0]
    assert "Hogwarts" not in said[0]


def test_writes_outlast_a_store_that_is_away_for_a_while(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made()
    store.failing = FeatureStoreError("away")
    for number in range(5):
        client.remember(Lesson("s", [week(str(number))]))
    assert not client.flush(0.3)
    assert watch.failures
    store.failing = None
    assert client.flush(SOON)
    found = client.school("s")
    assert found is not None
    assert set(found.names) == {"0", "1", "2", "3", "4"}
    assert watch.lost == 0


def test_a_lesson_at_fault_takes_no_other_with_it(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made()
    with store.hanging():  # so that all are one batch
        client.remember(Lesson("first", [week("x")]))
        for number in range(10):
            damaged = {"timeblocks": "of a document"}
            client.remember(Lesson("s", [damaged if number == 4 else week(str(number))]))
    assert client.flush(SOON)
    found = client.school("s")
    assert found is not None
    assert set(found.names) == {*"012356789"}
    assert watch.lost == 1


def test_one_that_the_store_refuses_is_given_up_in_the_end(watch: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocai.inference.feature_queue.PATIENCE", 0.5)
    written: list[int] = []

    def write(items: Sequence[int]) -> None:
        if 3 in items:
            raise FeatureStoreError("too large")
        written.extend(items)

    queue: WriteQueue[int] = WriteQueue(write, 100, watch)
    for number in range(6):
        queue.put(number)
    assert queue.flush(SOON)
    assert sorted(written) == [0, 1, 2, 4, 5]
    assert watch.lost == 1
    queue.close(0.1)


# --- the end -----------------------------------------------------------------------------------------------------


def test_closing_writes_what_waits(made: Made, store: MemoryStore, watch: Watching) -> None:
    client = made(flush_seconds=SOON)
    for number in range(200):
        client.remember(Lesson("s", [week(str(number))]))
    client.close()
    (row,) = store.online.values()
    assert row.values["documents"] == 200
    client.remember(Lesson("s", [week("late")]))
    assert watch.lost == 1


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
def test_closing_waits_no_longer_than_it_may(
    made: Made, store: MemoryStore, watch: Watching, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = made(flush_seconds=0.3)
    store.failing = FeatureStoreError("away") if trouble == "fails" else None
    with store.hanging() if trouble == "hangs" else caplog.at_level(logging.INFO):
        for number in range(7):
            client.remember(Lesson("s", [week(str(number))]))
        begin = time.monotonic()
        client.close()
        assert time.monotonic() - begin < 1.0
        assert watch.lost == 7
    time.sleep(0.1)  # a write that hung comes back, and changes no count
    assert watch.lost == 7
    assert "7 writes" in caplog.text


def test_a_client_that_wrote_nothing_starts_no_thread(made: Made) -> None:
    before = threading.active_count()
    made()
    assert threading.active_count() == before


# --- forgetting --------------------------------------------------------------------------------------------------


def test_a_forgotten_school_is_gone_and_does_not_come_back(made: Made, store: MemoryStore) -> None:
    client = made(cache_seconds=60)
    client.learn(Lesson("s", [week("Maths")], rows=(document_row("d1", "s"),)))
    client.learn(Lesson("other", [week("Art")]))
    assert client.school("s") is not None
    store.failing = FeatureStoreError("away")
    client.remember(Lesson("s", [week("PE")]))  # waits, and must not be written later
    client.write([document_row("d2", "s")])
    time.sleep(0.15)
    store.failing = None
    gone = client.forget(school="s")
    assert client.flush(SOON)
    assert gone >= 2
    assert client.school("s") is None
    assert client.school("other") is not None
    assert [row for row in store.history if "s" in {row.key.get("school"), row.values.get("school")}] == []
    assert client.forget(school="s") == 0


def test_a_document_is_forgotten_alone(made: Made, store: MemoryStore) -> None:
    client = made()
    client.learn(Lesson("s", [week("Maths")], rows=(document_row("d1", "s"), document_row("d2", "s"))))
    assert client.forget(document="d1") == 1
    assert [row.key for row in store.history if row.view == "document"] == [{"document": "d2"}]
    assert client.look("s") is not None


def test_forgetting_does_not_wait_for_ever(made: Made, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocai.inference.feature_store_client.BUSY", 0.1)
    client = made()
    with store.hanging():
        client.remember(Lesson("s", [week("Maths")]))
        time.sleep(0.05)
        with pytest.raises(FeatureStoreError, match="busy"):
            client.forget(school="s")
    assert client.flush(SOON)


def test_event_times_only_grow(made: Made, store: MemoryStore) -> None:
    client = made()
    early = datetime.now(UTC) - timedelta(days=3)
    for number in range(3):
        client.learn(Lesson("s", [week(str(number))], when=early))
    times = [row.at for row in store.history]
    assert times[0] == early
    assert times == sorted(set(times))
    found = client.school("s")
    assert found is not None
    assert found.documents == 3
