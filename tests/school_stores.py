"""Feature stores for tests of what uses one: in memory, and in a Redis without Feast. Both keep the protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import redis

from pocai.errors import FeatureStoreError
from pocai.feature_store.feature_table import VIEWS
from pocai.feature_store.features import memory_of
from pocai.feature_store.store import FeatureRow
from pocai.inference.breaker import State
from pocai.inference.feature_store_client import Outcome
from pocai.timetable.school import SchoolMemory
from pocai.timetable.timetable import TimeBlock, Timetable

Key = tuple[str, tuple[tuple[str, str], ...]]
NOW = datetime.now(UTC)


def week(*names: str, start: str = "09:00", end: str = "10:00") -> Timetable:
    """A timetable with one lesson a name, all on Monday at the same time."""
    blocks = tuple(TimeBlock(day="Monday", name=name, start_time=start, end_time=end) for name in names)
    return Timetable(timeblocks=blocks)


class MemoryStore:
    """The newest row of each key, and all rows as ``history``; can be made to fail or to hang."""

    def __init__(self) -> None:
        self.online: dict[Key, FeatureRow] = {}
        self.history: list[FeatureRow] = []
        self.asked: list[tuple[str, ...]] = []
        self.failing: Exception | None = None
        self.closed = False
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()

    def schools(self, keys: Sequence[str]) -> list[SchoolMemory | None]:
        self.asked.append(tuple(keys))
        self._trouble()
        oldest = datetime.now(UTC) - VIEWS["school"].ttl
        rows = [self.online.get(("school", (("school", key),))) for key in keys]
        return [None if row is None or row.at < oldest else memory_of(row) for row in rows]

    def documents(self, keys: Sequence[str]) -> list[dict[str, FeatureRow]]:
        self._trouble()
        wanted = [(("document", key),) for key in keys]
        return [{view: row for (view, of), row in self.online.items() if of == key} for key in wanted]

    def write(self, rows: Sequence[FeatureRow]) -> None:
        self._trouble()
        with self._lock:
            for row in rows:
                key = (row.view, tuple(sorted(row.key.items())))
                self.history.append(row)
                held = self.online.get(key)
                if held is None or row.at >= held.at:
                    self.online[key] = row

    def forget(self, *, school: str | None = None, document: str | None = None) -> int:
        self._trouble()
        with self._lock:
            gone = [row for row in self.history if _is_of(row, school, document)]
            self.history = [row for row in self.history if not _is_of(row, school, document)]
            self.online = {key: row for key, row in self.online.items() if not _is_of(row, school, document)}
        return len(gone)

    def close(self) -> None:
        self.closed = True

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """A block in which no call returns."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def _trouble(self) -> None:
        self._open.wait()
        if self.failing is not None:
            raise self.failing


def _is_of(row: FeatureRow, school: str | None, document: str | None) -> bool:
    of_school = school is not None and school in {row.key.get("school"), row.values.get("school")}
    return of_school or (document is not None and row.key.get("document") == document)


class RedisStore:
    """Rows of schools as JSON in a Redis; rows of documents are not kept."""

    def __init__(self, url: str, seconds: float = 0.5) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)

    def schools(self, keys: Sequence[str]) -> list[SchoolMemory | None]:
        with _told():
            held = self._redis.mget([f"school:{key}" for key in keys])
        assert isinstance(held, list)
        return [None if text is None else memory_of(_row(json.loads(text))) for text in held]

    def documents(self, keys: Sequence[str]) -> list[dict[str, FeatureRow]]:
        return [{} for _ in keys]

    def write(self, rows: Sequence[FeatureRow]) -> None:
        held = {
            f"school:{row.key['school']}": json.dumps([dict(row.key), dict(row.values), row.at.timestamp()])
            for row in rows
        }
        with _told():
            self._redis.mset(held)

    def forget(self, *, school: str | None = None, document: str | None = None) -> int:
        with _told():
            gone = self._redis.delete(f"school:{school or document}")
        assert isinstance(gone, int)
        return gone

    def close(self) -> None:
        self._redis.close()


def _row(held: tuple[Mapping[str, str], Mapping[str, object], float]) -> FeatureRow:
    key, values, at = held
    return FeatureRow("school", key, values, datetime.fromtimestamp(0, UTC) + timedelta(seconds=at))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise FeatureStoreError("Redis does not answer", mend="Start it") from error


class Watching:
    """An observer that notes everything."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[Outcome, int]] = []
        self.seconds: list[float] = []
        self.ages: list[tuple[float | None, float]] = []
        self.states: list[State] = []
        self.lags: list[tuple[int, float]] = []
        self.most_waiting = 0
        self.lost = 0
        self.failures = 0

    def looked_up(self, outcome: Outcome, schools: int) -> None:
        self.outcomes.append((outcome, schools))

    def answered(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def found(self, age: float | None, empty: float) -> None:
        self.ages.append((age, empty))

    def breaker(self, state: State) -> None:
        self.states.append(state)

    def waiting(self, items: int) -> None:
        self.most_waiting = max(self.most_waiting, items)

    def written(self, items: int, lag: float) -> None:
        self.lags.append((items, lag))

    def write_failed(self) -> None:
        self.failures += 1

    def dropped(self, items: int) -> None:
        self.lost += items
