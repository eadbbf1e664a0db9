"""The feature store on the request path: a look-up costs little and never fails, a write costs nothing.

Reads go through a small cache, a time-out and a circuit breaker; what cannot be had in time counts as not known.
Writes are queued and done by one thread. Nobody's name, and no key of a store, is logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol

from pocai.errors import ConfigurationError, FeatureStoreError
from pocai.feature_store.store import FeatureRow, FeatureStore
from pocai.inference.breaker import Breaker, State
from pocai.inference.feature_queue import QueueObserver, Readers, WriteQueue
from pocai.inference.lessons import Lesson, taught
from pocai.settings import FeatureSettings
from pocai.timetable.school import SchoolMemory

if TYPE_CHECKING:
    from pocai.feature_store.feast_store import FeastStore

Outcome = Literal["hit", "miss", "cached", "failed", "late", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("hit", "miss", "cached", "failed", "late", "refused")
RowOf = Callable[[str, SchoolMemory], FeatureRow]
MOST_CACHED = 4096  # schools
BUSY = 30.0  # seconds that forgetting waits for a write to end
CLOSING = 1.0  # seconds that a store may take to let its connections go

log = logging.getLogger(__name__)


class Observer(QueueObserver, Protocol):
    """Is told what the client does; its methods are called by any thread, must be quick, and must not raise."""

    def looked_up(self, outcome: Outcome, schools: int) -> None:
        """What became of looking up so many schools."""

    def answered(self, seconds: float) -> None:
        """The store answered a look-up after so many seconds; the cache does not count."""

    def found(self, age: float | None, empty: float) -> None:
        """A school was found: seconds since it was last added to, and the share of its features that are empty."""

    def breaker(self, state: State) -> None:
        """The breaker is in another state."""


class Nobody:
    """An observer that takes no notice."""

    def looked_up(self, outcome: Outcome, schools: int) -> None: ...
    def answered(self, seconds: float) -> None: ...
    def found(self, age: float | None, empty: float) -> None: ...
    def breaker(self, state: State) -> None: ...
    def waiting(self, items: int) -> None: ...
    def written(self, items: int, lag: float) -> None: ...
    def write_failed(self) -> None: ...
    def dropped(self, items: int) -> None: ...


class FeatureStoreClient:
    """Looks schools up in a ``store`` and teaches it, for any number of threads. `close` it at the end.

    ``row_of`` makes the row that holds a school's memory.
    """

    def __init__(
        self, store: FeatureStore, row_of: RowOf, settings: FeatureSettings, observer: Observer | None = None
    ) -> None:
        self._store = store
        self._row_of = row_of
        self._settings = settings
        self._observer = observer or Nobody()
        self._breaker = Breaker(self._note_state)
        self._cache = _Cache(settings.cache_seconds)
        self._readers = Readers()
        self._queue: WriteQueue[Lesson] = WriteQueue(self._teach, settings.queue, self._observer)
        self._closed = False

    @property
    def state(self) -> State:
        """Whether the store is asked."""
        return self._breaker.state

    def school(self, key: str) -> SchoolMemory | None:
        """What is known of a school; None where nothing is known, or nothing can be known in time. Never raises."""
        return self.schools((key,))[0]

    def schools(self, keys: Sequence[str]) -> list[SchoolMemory | None]:
        """What is known of each school; those that are not in the cache are fetched in one round trip."""
        found = {key: entry for key in keys if (entry := self._cache.get(key)) is not None}
        if found:
            self._observer.looked_up("cached", len(found))
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            memories, outcome = self._fetch(missing)
            if outcome is not None:
                self._observer.looked_up(outcome, len(missing))
            found.update({key: _Entry(memory) for key, memory in zip(missing, memories, strict=True)})
        return [found[key].memory for key in keys]

    def look(self, key: str) -> SchoolMemory | None:
        """What the store holds of a school, without cache or time-out. Raises FeatureStoreError where it fails."""
        return self._store.schools((key,))[0]

    def document(self, key: str) -> dict[str, FeatureRow]:
        """The rows of a document by view, as `look` gives a school."""
        return self._store.documents((key,))[0]

    def remember(self, lesson: Lesson) -> None:
        """Have the store taught in a moment: never waits, never raises; what does not fit any more is dropped."""
        self._queue.put(lesson)

    def write(self, rows: Sequence[FeatureRow]) -> None:
        """Have rows written in a moment, as `remember` does; not for rows of schools, which have a history."""
        self._queue.put(Lesson("", rows=tuple(rows)))

    def learn(self, lesson: Lesson) -> SchoolMemory:
        """Teach the store now; what is known of the school then. Raises FeatureStoreError where it fails."""
        with self._queue.alone(BUSY):
            return self._teach((lesson,)).get(lesson.school, SchoolMemory())

    def forget(self, *, school: str | None = None, document: str | None = None) -> int:
        """Erase a school or a document, also what waits to be written of it; how many rows there were.

        Other processes may know a school from their caches for `cache_seconds` more. Raises FeatureStoreError.
        """
        with self._queue.alone(BUSY):
            self._queue.discard(lambda lesson: _is_about(lesson, school, document))
            try:
                return self._store.forget(school=school, document=document)
            finally:
                if school is not None:
                    self._cache.drop(school)

    def flush(self, seconds: float) -> bool:
        """Wait until all is written that was remembered, at most so long; whether it is."""
        return self._queue.flush(seconds)

    def close(self) -> None:
        """Write what waits, within `flush_seconds`, and let the store go. Nothing is known afterwards."""
        if self._closed:
            return
        self._closed = True
        self._queue.close(self._settings.flush_seconds)
        try:
            self._readers.call(self._store.close, CLOSING)
        except (TimeoutError, FeatureStoreError):
            log.warning("the feature store could not be closed")
        self._readers.close()

    def _fetch(self, keys: Sequence[str]) -> tuple[list[SchoolMemory | None], Outcome | None]:
        """What the store holds of schools; with an outcome where that is not each school's own."""
        nothing: list[SchoolMemory | None] = [None] * len(keys)
        if self._closed or not self._breaker.admits():
            return nothing, "refused"
        begin, version = time.perf_counter(), self._cache.version
        try:
            memories = self._readers.call(lambda: self._store.schools(keys), self._settings.read_seconds)
        except TimeoutError:
            self._breaker.failed()
            return nothing, "late"
        except Exception:  # noqa: BLE001 - whatever is wrong with the store, the document is read all the same
            self._breaker.failed()
            return nothing, "failed"
        self._breaker.succeeded()
        self._observer.answered(time.perf_counter() - begin)
        for key, memory in zip(keys, memories, strict=True):
            self._cache.put(key, memory, version)
            self._note_found(memory)
        return memories, None

    def _teach(self, lessons: Sequence[Lesson]) -> dict[str, SchoolMemory]:
        """Write what lessons teach; the memories that changed. Raises FeatureStoreError, and where one is damaged."""
        keys = list(dict.fromkeys(lesson.school for lesson in lessons if lesson.school))
        known = dict(zip(keys, self._store.schools(keys), strict=True)) if keys else {}
        before = {key: memory or SchoolMemory() for key, memory in known.items()}
        after = dict(before)
        for lesson in lessons:
            if lesson.school:
                after[lesson.school] = taught(after[lesson.school], lesson)
        rows = [self._row_of(key, memory) for key, memory in after.items() if memory is not before[key]]
        rows += [row for lesson in lessons for row in lesson.rows]
        if rows:
            self._store.write(rows)
        for key in keys:
            self._cache.drop(key)
        return after

    def _note_found(self, memory: SchoolMemory | None) -> None:
        self._observer.looked_up("miss" if memory is None else "hit", 1)
        if memory is not None:
            age = None if memory.updated is None else (datetime.now(UTC) - memory.updated).total_seconds()
            self._observer.found(None if age is None else max(0.0, age), empty_share(memory))

    def _note_state(self, state: State) -> None:
        self._observer.breaker(state)
        if state is State.CLOSED:
            log.info("the feature store answers again")
        elif state is State.OPEN:
            log.log(
                logging.DEBUG if self._reported else logging.WARNING,
                "the feature store does not answer; documents are read without what it knows",
            )
        self._reported = state is not State.CLOSED

    _reported = False  # that the store does not answer; further tries that fail are no news


@dataclass(frozen=True, slots=True)
class _Entry:
    """A school in the cache, which may be one that is not known."""

    memory: SchoolMemory | None
    until: float = 0.0


class _Cache:
    """What was looked up within the last ``seconds``, of `MOST_CACHED` schools at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self.version = 0  # grows with everything that is dropped

    def get(self, key: str) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            return entry if entry is not None and time.monotonic() < entry.until else None

    def put(self, key: str, memory: SchoolMemory | None, version: int) -> None:
        """Keep what was read; not where something was dropped since the ``version`` that it was read at."""
        with self._lock:
            if self._seconds and version == self.version:
                self._entries[key] = _Entry(memory, time.monotonic() + self._seconds)
                self._entries.move_to_end(key)
                if len(self._entries) > MOST_CACHED:
                    self._entries.popitem(last=False)

    def drop(self, key: str) -> None:
        with self._lock:
            self.version += 1
            self._entries.pop(key, None)


def empty_share(memory: SchoolMemory) -> float:
    """The share of a school's features that hold nothing, 0 to 1."""
    parts = (memory.periods, memory.names, memory.notes, memory.cycle, memory.corrected, memory.adapter)
    return sum(not part for part in parts) / len(parts)


def _is_about(lesson: Lesson, school: str | None, document: str | None) -> bool:
    if school is not None and lesson.school == school:
        return True
    if document is not None:
        return any(row.key.get("document") == document for row in lesson.rows)
    return any(school in {row.key.get("school"), row.values.get("school")} for row in lesson.rows)


def check_store(settings: FeatureSettings) -> None:
    """Raises ConfigurationError where settings name a store that cannot be opened; opens and imports nothing heavy."""
    if settings.kind != "none":
        _made(settings)


def opened_store(settings: FeatureSettings) -> FeastStore:
    """The store that the settings name; takes seconds, most of them Feast's own.

    Raises ConfigurationError where none is named or a package is missing, FeatureStoreError where it cannot be opened.
    """
    store = _made(settings)
    store.warm()
    if settings.kind == "sqlite":  # a file of our own needs nobody to set it up
        store.apply()
    return store


def _made(settings: FeatureSettings) -> FeastStore:
    if settings.kind == "none":
        raise ConfigurationError("there is no feature store", mend="Set POCAI_FEATURES__KIND to sqlite or redis")
    if find_spec("feast") is None:
        raise ConfigurationError("the package feast is not installed", mend="pip install 'pocai[features]'")
    from pocai.feature_store.feast_store import open_store

    return open_store(settings)


def open_client(settings: FeatureSettings, observer: Observer | None = None) -> FeatureStoreClient:
    """A client of the store that the settings name; as `opened_store`."""
    from pocai.feature_store.features import school_row

    return FeatureStoreClient(opened_store(settings), school_row, settings, observer)
