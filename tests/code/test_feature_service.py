"""A service and its feature store in trouble: documents are read all the same, and nothing is lost at the end."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from calling import Caller, code, week
from feature_services import corrected, flushed, is_open, measured, remembering_service, until
from redis_server import free_port, redis_server
from serving import Running

from pocai.errors import ConfigurationError
from pocai.inference.breaker import State
from pocai.server.app import create_app
from pocai.settings import FeatureSettings, Settings

CALLERS = 3
SLACK = 0.3  # seconds by which a busy machine may be late
PLENTY = {"waiting": 100}


class Load:
    """Callers that hand in one document after the other, each for a school of its own."""

    def __init__(self, api: Caller) -> None:
        self._api = api
        self._over = threading.Event()
        self.answers: list[tuple[float, float, int]] = []  # begin, seconds, status

    def run(self, number: int) -> None:
        document = week(f"of caller {number}")
        turn = 0
        while not self._over.is_set():
            begin, turn = time.monotonic(), turn + 1
            answer = self._api.send(document + bytes([turn % 256, turn // 256]), f"/v1/extractions?school=s{number}")
            self.answers.append((begin, time.monotonic() - begin, answer.status_code))

    def stop(self) -> None:
        self._over.set()

    def since(self, begin: float) -> list[tuple[float, float, int]]:
        return [answer for answer in list(self.answers) if answer[0] >= begin]


def recalling(running: Running) -> float:
    """Seconds that the look-up before a reading takes now."""

    async def recall() -> float:
        begin = time.perf_counter()
        await running.service.features.recall("local/s0")
        return time.perf_counter() - begin

    return float(running.run(recall()))


def state(running: Running) -> State:
    return running.service.features.client.state


def test_redis_killed_while_documents_are_read(tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as server:
        url = server.enter_context(redis_server(port=port))
        features = {"kind": "redis", "connection": url, "cache_seconds": 0, "read_seconds": 0.2}
        with remembering_service(tmp_path, features, queue=PLENTY) as running, ThreadPoolExecutor(CALLERS) as threads:
            api = Caller(running, {})
            load = Load(api)
            readers = [threads.submit(load.run, number) for number in range(CALLERS)]
            try:
                until("nothing is read", lambda: len(load.answers) >= 15)
                flushed(running)
                assert api("GET", "/v1/features/schools/s0").json()["documents"] >= 2

                server.close()  # SIGKILL
                killed = time.monotonic()
                opened = until("the breaker stays closed", lambda: state(running) is not State.CLOSED)
                assert opened - killed < 1.0
                asked = time.monotonic()
                refused = api("GET", "/v1/features/schools/s0")
                assert (refused.status_code, code(refused)) == (503, "feature_store_error")
                assert str(port) not in refused.text
                assert int(refused.headers["Retry-After"]) >= 1
                assert time.monotonic() - asked < 5.0
                until("nothing is read without Redis", lambda: len(load.since(opened)) >= 15)
                assert max(recalling(running) for _ in range(50)) < 0.2 + SLACK  # what Redis adds to a document
                assert state(running) is not State.CLOSED
                assert measured(api, 'pocai_feature_breaker_state{state="closed"}') == 0

                with redis_server(port=port):
                    back = time.monotonic()
                    until("the breaker stays open", lambda: state(running) is State.CLOSED)
                    assert time.monotonic() - back < 5.0
                    until(
                        "nothing is remembered again", lambda: api("GET", "/v1/features/schools/s0").status_code == 200
                    )
                    load.stop()
                    for reader in readers:
                        reader.result()
                    flushed(running)
                    remembered = sum(
                        api("GET", f"/v1/features/schools/s{number}").json()["documents"] for number in range(CALLERS)
                    )
                    assert measured(api, "pocai_feature_writes_dropped_total") == 0
                    # Redis came back empty; a write that hung between may know of documents before that
                    assert len(load.since(killed)) <= remembered <= len(load.answers)
            finally:
                load.stop()
    assert {status for *_, status in load.answers} == {200}
    before = [seconds for begin, seconds, _ in load.answers if begin < killed]
    away = [seconds for begin, seconds, _ in load.answers if opened <= begin < back]
    assert statistics.median(away) < statistics.median(before) + SLACK  # nothing waits for Redis


def test_what_is_remembered_is_written_when_the_service_stops(tmp_path: Path) -> None:
    with redis_server() as url:
        features = {"kind": "redis", "connection": url, "cache_seconds": 0, "flush_seconds": 20}
        with remembering_service(tmp_path, features) as running:
            for number in range(3):
                assert Caller(running, {}).send(week(str(number))).status_code == 200
        with remembering_service(tmp_path, features) as running:
            assert Caller(running, {}).send(week("later")).status_code == 200
            flushed(running)
            assert Caller(running, {})("GET", "/v1/features/schools/local").json()["documents"] == 4


def test_a_write_adds_nothing_to_the_answer(tmp_path: Path) -> None:
    with remembering_service(tmp_path, {"kind": "sqlite"}) as running:
        features = running.service.features
        result = Caller(running, {}).send(week("a write")).json()["result"]

        async def write() -> float:
            begin = time.perf_counter()
            features.learn("local", result)
            return time.perf_counter() - begin

        seconds = [running.run(write()) for _ in range(200)]
        flushed(running)
        assert statistics.median(seconds) < 0.0005
        assert statistics.quantiles(seconds, n=20)[-1] < 0.002
        assert Caller(running, {})("GET", "/v1/features/schools/local").json()["documents"] == 201


def test_a_service_starts_without_its_redis_and_finds_it_later(tmp_path: Path) -> None:
    port = free_port()
    features = {"kind": "redis", "connection": f"redis://127.0.0.1:{port}/0", "cache_seconds": 0}
    with remembering_service(tmp_path, features, opened=False) as running:
        api = Caller(running, {})
        assert api.send(week("early")).status_code == 200
        early = api("GET", "/v1/features/schools/local")
        assert (early.status_code, code(early)) in {(503, "unavailable"), (503, "feature_store_error")}
        with redis_server(port=port):
            until("the store is not opened", lambda: is_open(running), 120)
            until(
                "it is not found", lambda: api("POST", "/v1/features/schools/local", json=corrected("Art")).is_success
            )
            assert api.send(week("late")).status_code == 200
            flushed(running)
            assert api("GET", "/v1/features/schools/local").json()["documents"] == 3  # the first one too


def test_nothing_is_used_where_that_is_switched_off(tmp_path: Path) -> None:
    with remembering_service(tmp_path, {"kind": "sqlite", "in_extraction": False}) as running:
        api = Caller(running, {})
        api.send(week("one"))
        api.send(week("two"))
        flushed(running)
        assert measured(api, 'pocai_feature_lookups_total{outcome="hit"}') == 0
        assert measured(api, 'pocai_feature_lookups_total{outcome="miss"}') == 0
        assert api("GET", "/v1/features/schools/local").json()["documents"] == 2  # learned all the same


@pytest.fixture(name="forgetful")
def without_a_store(service: Running) -> Caller:
    return Caller(service, {})


def test_a_service_without_a_store_says_so(forgetful: Caller) -> None:
    for method, more in (("GET", {}), ("DELETE", {}), ("POST", {"json": corrected("Art")})):
        answer = forgetful(method, "/v1/features/schools/local", **more)
        assert (answer.status_code, code(answer)) == (404, "not_found")
        assert "POCAI_FEATURES__KIND" in answer.text
    assert forgetful.send(week("of no school"), "/v1/extractions?school=north").status_code == 200


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"kind": "redis"}, "POCAI_FEATURES__CONNECTION"),
        ({"kind": "redis", "connection": "http://:hunter2@redis"}, "redis://"),
        ({"kind": "sqlite", "key": "hunter2"}, "key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_at_the_start(features: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_app(Settings.model_construct(features=FeatureSettings.model_validate(features)))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_redis_that_hangs_holds_up_neither_documents_nor_the_service(tmp_path: Path) -> None:
    with redis_server() as url:
        features = {"kind": "redis", "connection": url, "cache_seconds": 0, "read_seconds": 0.2, "flush_seconds": 0}
        with remembering_service(tmp_path, features, queue=PLENTY) as running, ThreadPoolExecutor(8) as threads:
            api = Caller(running, {})
            assert api("POST", "/v1/features/schools/local", json=corrected("Art")).status_code == 200
            with redis.Redis.from_url(url) as operator:
                operator.client_pause(4000)  # milliseconds, for reading and writing
            visits = [
                threads.submit(api, "POST", "/v1/features/schools/local", json=corrected("Art")) for _ in range(8)
            ]
            assert max(recalling(running) for _ in range(20)) < 0.2 + SLACK
            begin = time.monotonic()
            assert api.send(week("while Redis hangs")).status_code == 200
            assert api("GET", "/health/ready").status_code == 200
            assert time.monotonic() - begin < 4.0
            assert {visit.result().status_code for visit in visits} <= {200, 503}
