"""A real Redis dies and comes back while schools are looked up: no look-up fails, and it is used again by itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from redis_server import free_port, redis_server
from school_stores import RedisStore, Watching, week

from pocai.feature_store.features import school_row
from pocai.inference.breaker import State
from pocai.inference.feature_store_client import FeatureStoreClient
from pocai.inference.lessons import Lesson
from pocai.settings import FeatureSettings
from pocai.timetable.school import SchoolMemory

THREADS = 8
SCHOOLS = [f"school {number}" for number in range(20)]
BUSY = 0.5  # seconds by which a busy machine may be late


class Load:
    """Threads that look schools up without a pause; each answer is noted with its time."""

    def __init__(self, client: FeatureStoreClient) -> None:
        self._client = client
        self._over = threading.Event()
        self.answers: list[tuple[float, float, SchoolMemory | None]] = []  # begin, seconds, what was known
        self.failed: list[Exception] = []

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            begin = time.monotonic()
            try:
                found = self._client.school(SCHOOLS[number % len(SCHOOLS)])
            except Exception as error:  # noqa: BLE001 - this is what the test is about
                self.failed.append(error)
                continue
            self.answers.append((begin, time.monotonic() - begin, found))
            number += 1
            time.sleep(0.002)

    def stop(self) -> None:
        self._over.set()

    def since(self, begin: float) -> list[tuple[float, float, SchoolMemory | None]]:
        return [answer for answer in list(self.answers) if answer[0] >= begin]


def until(what: str, seconds: float, fits: object) -> float:
    """Wait until ``fits()``; the time."""
    assert callable(fits)
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, what
        time.sleep(0.005)
    return time.monotonic()


def test_redis_killed_under_load() -> None:
    port, watch = free_port(), Watching()
    settings = FeatureSettings(kind="redis", cache_seconds=0, read_seconds=0.2, flush_seconds=0)
    with ExitStack() as first, ThreadPoolExecutor(THREADS) as pool:
        url = first.enter_context(redis_server(port=port))
        client = FeatureStoreClient(RedisStore(url), school_row, settings, watch)
        for name in SCHOOLS:
            client.learn(Lesson(name, [week("Maths")]))
        load = Load(client)
        try:
            running = [pool.submit(load.run) for _ in range(THREADS)]
            until("no answers", 10, lambda: len(load.answers) > 200)
            assert all(found is not None for *_, found in list(load.answers))

            killed = time.monotonic()
            first.close()  # SIGKILL
            client.remember(Lesson(SCHOOLS[0], [week("Art")]))  # while Redis is away
            opened = until("the breaker stays closed", 5, lambda: client.state is not State.CLOSED)
            assert opened - killed < 1.0
            time.sleep(1.0)
            away = load.since(opened + 0.1)
            assert len(away) > 200
            assert all(found is None for *_, found in away)
            assert max(seconds for _, seconds, _ in away) < settings.read_seconds + BUSY

            with redis_server(port=port):
                back = time.monotonic()
                until("the breaker stays open", 10, lambda: client.state is State.CLOSED)
                assert time.monotonic() - back < 2.0
                for name in SCHOOLS[1:]:
                    client.learn(Lesson(name, [week("Maths")]))
                assert client.flush(10)
                again = time.monotonic()
                until("no answers", 10, lambda: len(load.since(again)) > 200)
                assert all(found is not None for *_, found in load.since(again))
                found = client.school(SCHOOLS[0])
                assert found is not None
                assert set(found.names) == {"Art"}  # what was remembered meanwhile was written afterwards
                load.stop()
                client.close()
        finally:
            load.stop()
        for each in running:
            each.result()
    assert load.failed == []
    assert watch.lost == 0
    assert watch.states[0] is State.OPEN
    assert State.CLOSED in watch.states  # a machine that is busy may open it once more
