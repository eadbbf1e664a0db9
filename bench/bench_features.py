"""Online features from Redis: a school's whole feature service through pocai's client, and the same bytes raw.

    python bench/bench_features.py [--lookups 20000] [--calls 1000]

A redis-server is started for it on loopback. Each look-up goes to Redis (the client's cache is off), for one of 500
schools of ordinary size. Beside it, in turn, redis-py reads the same fields of the same key and does nothing with them.
Then the same look-ups while the history is materialised over and over, by a process of its own as `pocai features
materialize` is one, and this process's registry is read anew every second; 100 documents in one call; what a write adds
to a response; and Feast's own SDK for comparison.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from redis import Redis

from pocai.feature_store.encryption import local_key
from pocai.feature_store.feast_store import FeastStore
from pocai.feature_store.feature_definitions import service_name
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import Subject, document_rows, school_row
from pocai.feature_store.place import Place
from pocai.feature_store.redis_rows import RedisRows
from pocai.inference.feature_store_client import FeatureStoreClient
from pocai.inference.lessons import Lesson
from pocai.settings import FeatureSettings
from pocai.timetable.timetable import TimeBlock, Timetable

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from feature_servers import a_document, a_memory
from redis_server import redis_server

Times: TypeAlias = NDArray[np.float64]
SCHOOLS, DOCUMENTS, TOGETHER = 500, 1000, 100
GOALS = {"school": (1.2, 4.0), "documents": (None, 15.0), "write": (None, 2.0)}  # milliseconds: p50, p99


def main() -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lookups", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=1000, help="calls for 100 documents")
    parser.add_argument("--materialize", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.materialize:
        return materialized(Path(given.materialize[0]), given.materialize[1])
    with tempfile.TemporaryDirectory() as folder, redis_server() as url:
        place = place_at(Path(folder), url)
        store = FeastStore(place)
        store.apply()
        filled(store)
        met = measured(store, place, given.lookups, given.calls)
        store.close()
    return 0 if met else 1


def place_at(folder: Path, url: str) -> Place:
    """The place of the bench, for each of its processes."""
    return Place(folder, local_key(folder / "key"), kind="redis", address=url, timeout=5)


def materialized(folder: Path, url: str) -> int:
    """The busy process: materialise until the input ends; the last line says how often that was done."""
    store = FeastStore(place_at(folder, url))
    store.warm()
    print("ready", flush=True)
    ended, rounds = threading.Event(), 0

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    end = datetime.now(UTC)
    while not ended.is_set():
        store.materialize(end - timedelta(days=1), end)
        rounds += 1
    print(rounds, flush=True)
    return 0


def filled(store: FeastStore) -> None:
    """Write schools and documents."""
    now = datetime.now(UTC)
    store.write([school_row(f"school-{number}", a_memory(number, now)) for number in range(SCHOOLS)])
    rows = [
        document_rows(Subject(f"document-{n}", now, f"school-{n % SCHOOLS}"), a_document(n)) for n in range(DOCUMENTS)
    ]
    store.write([row for pair in rows for row in pair])


def measured(store: FeastStore, place: Place, lookups: int, calls: int) -> bool:
    """Print the table; whether the goals were met."""
    rows, sdk, school = store.online, store.feast(), VIEWS["school"]
    assert isinstance(rows, RedisRows)
    redis: Any = Redis.from_url(place.address)
    fields = rows.fields_of(school)
    client = FeatureStoreClient(store, school_row, FeatureSettings(cache_seconds=0, read_seconds=5, queue=1_000_000))
    service = sdk.get_feature_service(service_name(place.version))
    keys = [rows.key(school, f"school-{number}") for number in range(SCHOOLS)]

    def fast(number: int) -> None:
        assert client.school(f"school-{number % SCHOOLS}") is not None

    def raw(number: int) -> None:
        redis.hmget(keys[number % SCHOOLS], fields)

    def by_sdk(number: int) -> None:
        entity = [{"school": f"school-{number % SCHOOLS}", "document": f"document-{number % DOCUMENTS}"}]
        sdk.get_online_features(features=service, entity_rows=entity, full_feature_names=True).to_dict()

    def some(number: int) -> list[str]:
        return [f"document-{(number * 7 + each) % DOCUMENTS}" for each in range(TOGETHER)]

    def together(number: int) -> None:
        assert all(len(found) == len(VIEWS) - 1 for found in store.documents(some(number)))

    def together_by_sdk(number: int) -> None:
        entities = [{"school": "school-1", "document": key} for key in some(number)]
        sdk.get_online_features(features=service, entity_rows=entities, full_feature_names=True).to_dict()

    size = sum(len(held or b"") for held in redis.hmget(keys[1], fields))
    print(f"{lookups} look-ups of {size} bytes each, alternately; milliseconds; load {os.getloadavg()[0]:.1f}")
    print(f"on {os.cpu_count()} cores\n\n{'':52}     p50     p99")
    quick, bare = alternately(lookups, fast, raw)
    met = told("one school, pocai's client", quick, *GOALS["school"])
    told("one school, raw redis-py, same bytes", bare)
    with busy(store, place) as rounds:
        quick, bare = alternately(lookups, fast, raw)
    met &= told("one school, pocai's client, busy beside it", quick, *GOALS["school"])
    told("one school, raw redis-py, busy beside it", bare)
    met &= told("100 documents in one call, pocai", alternately(calls, together)[0], *GOALS["documents"])
    met &= told("a write, as a response waits for it", writes(client, min(lookups, 2000)), *GOALS["write"])
    told("one school and a document, Feast's SDK", alternately(max(1, lookups // 20), by_sdk)[0])
    told("100 documents in one call, Feast's SDK", alternately(max(1, calls // 20), together_by_sdk)[0])
    print(f"\nbusy: {rounds[0]} materialisations of {SCHOOLS + 2 * DOCUMENTS} rows, {rounds[1]} registry refreshes")
    client.flush(60)
    redis.close()
    return met


def writes(client: FeatureStoreClient, count: int) -> Times:
    """What a lesson and the rows of a document cost a response, while those before are written beside it."""
    now = datetime.now(UTC)
    lesson = [Timetable(timeblocks=(TimeBlock(day="Monday", name="Maths", start_time="09:00", end_time="10:00"),))]
    rows = [document_rows(Subject(f"new-{number}", now, "school-1"), a_document(number)) for number in range(50)]
    taken = np.empty(count)
    for number in range(count):
        begin = time.perf_counter()
        client.remember(Lesson(f"school-{number % SCHOOLS}", lesson))
        client.write(rows[number % len(rows)])
        taken[number] = 1000 * (time.perf_counter() - begin)
        time.sleep(0.002)  # until the next response
    return taken


@contextmanager
def busy(store: FeastStore, place: Place) -> Iterator[list[int]]:
    """A process that materialises as often as it can, and a registry that is read every second; how often they did."""
    stop, rounds = threading.Event(), [0, 0]

    def refresh() -> None:
        while not stop.wait(1):
            store.refresh()
            rounds[1] += 1

    command = [sys.executable, __file__, "--materialize", str(place.folder), place.address]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        thread = threading.Thread(target=refresh)
        thread.start()
        try:
            yield rounds
        finally:
            stop.set()
            thread.join()
            process.stdin.close()
            rounds[0] = int(process.stdout.readline() or 0)


def alternately(count: int, *works: Callable[[int], None]) -> list[Times]:
    """Milliseconds of each call, after some that do not count."""
    for number in range(min(200, count)):
        for work in works:
            work(number)
    taken = np.empty((len(works), count))
    for number in range(count):
        for place, work in enumerate(works):
            begin = time.perf_counter()
            work(number)
            taken[place, number] = 1000 * (time.perf_counter() - begin)
    return list(taken)


def told(
    name: str,
    taken: Times,
    half: float | None = None,
    most: float | None = None,
) -> bool:
    """Print a line; whether its goals were met."""
    p50, p99 = np.percentile(taken, (50, 99))
    missed = (half is not None and p50 > half) or (most is not None and p99 > most)
    goal = "" if most is None else f"   goal {'' if half is None else f'{half} / '}{most}{'  MISSED' if missed else ''}"
    print(f"{name:52} {p50:7.2f} {p99:7.2f}{goal}", flush=True)
    return not missed


if __name__ == "__main__":
    sys.exit(main())
