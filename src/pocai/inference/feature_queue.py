"""Threads that wait for a feature store in place of those who have no time: one that writes, a few that read."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from pocai.errors import FeatureStoreError

T = TypeVar("T")

BATCH = 64  # items that are written at once
PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds before a write that failed is tried again; doubled each time
PATIENCE = 600.0  # seconds after which an item that cannot be written is dropped

log = logging.getLogger(__name__)


class QueueObserver(Protocol):
    """Is told what becomes of what is written."""

    def waiting(self, items: int) -> None:
        """So many items wait now."""

    def written(self, items: int, lag: float) -> None:
        """Items were written, the first of them ``lag`` seconds after it was put."""

    def write_failed(self) -> None:
        """The store did not take what was written; it is tried again."""

    def dropped(self, items: int) -> None:
        """Items are lost: the queue was full, they could not be written, or the time to flush was over."""


class WriteQueue(Generic[T]):
    """Items on their way to ``write``, at most ``most``; one thread writes them, in batches.

    Where ``write`` raises FeatureStoreError an item is tried again, behind the others, for `PATIENCE` seconds; any
    other error is the item's own, and it is dropped. `put` never waits; where the queue is full the oldest is dropped.
    """

    def __init__(self, write: Callable[[Sequence[T]], object], most: int, observer: QueueObserver) -> None:
        self._write = write
        self._most = most
        self._observer = observer
        self._items: deque[tuple[float, T]] = deque()
        self._flying: list[tuple[float, T]] = []
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._until: float | None = None  # when the flush ends, once it has begun
        self._overflows = False

    def __len__(self) -> int:
        return len(self._items) + len(self._flying)

    def put(self, item: T) -> None:
        """Have an item written some time; after `close` it is dropped."""
        with self._changed:
            if self._until is not None:
                self._observer.dropped(1)
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="features-write", daemon=True)
                self._thread.start()
            self._add([(time.monotonic(), item)])
            self._changed.notify()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """A block during which nothing is written; raises FeatureStoreError where that is not to be had in time."""
        if not self._writing.acquire(timeout=seconds):
            raise FeatureStoreError("the feature store is still busy with an earlier write", mend="Come again later")
        try:
            yield
        finally:
            self._writing.release()

    def discard(self, gone: Callable[[T], bool]) -> None:
        """Forget items that wait; call it where you are `alone`, and none of them is just being written."""
        with self._changed:
            self._items = deque((since, item) for since, item in self._items if not gone(item))
            self._observer.waiting(len(self._items))

    def flush(self, seconds: float) -> bool:
        """Wait until all is written, at most so long; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not len(self), seconds)

    def close(self, seconds: float) -> None:
        """Write what waits, at most so long; the rest is dropped."""
        with self._changed:
            self._until = time.monotonic() + seconds
            self._changed.notify_all()
            self._changed.wait_for(lambda: not len(self), seconds)
            lost = len(self)
            self._items.clear()
            self._flying = []  # a write that hangs is left alone: its thread ends with the process
            self._observer.waiting(0)
            if lost:
                self._observer.dropped(lost)
                log.warning("%d writes to the feature store were lost at the end", lost)
        if self._thread is not None and not lost:
            self._thread.join(1.0)

    def _add(self, items: Sequence[tuple[float, T]]) -> None:
        self._items.extend(items)
        over = max(0, len(self._items) - self._most)
        for _ in range(over):
            self._items.popleft()
        if over:
            self._observer.dropped(over)
            if not self._overflows:
                log.warning("the feature store takes less than is written: the oldest writes are dropped")
        self._overflows = self._overflows or over > 0
        self._observer.waiting(len(self._items))

    def _work(self) -> None:
        size, pause = BATCH, PAUSE
        while self._begin():
            with self._writing:
                done = self._write_some(size)
            if done:
                size, pause = min(BATCH, 2 * size), PAUSE
                continue
            size = 1  # one item that the store refuses must not take others with it
            self._rest(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _begin(self) -> bool:
        """Wait for something to write; False when there will be nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._until is not None)
            return bool(self._items)

    def _rest(self, seconds: float) -> None:
        """A pause, shorter where everything has to end."""
        with self._changed:
            if self._until is not None:
                seconds = min(seconds, PAUSE)
            self._changed.wait_for(lambda: not self._items, seconds)

    def _write_some(self, size: int) -> bool:
        """Write the first items; False where the store does not take them."""
        with self._changed:
            self._flying = [self._items.popleft() for _ in range(min(size, len(self._items)))]
            flying = self._flying
        if not flying:
            return True
        try:
            self._write([item for _, item in flying])
        except FeatureStoreError:
            self._again(flying)
            return False
        except Exception as error:  # noqa: BLE001 - a fault in what is written must not end the thread that writes
            return self._sift(flying, error)
        self._settle(flying, written=True)
        return True

    def _sift(self, flying: list[tuple[float, T]], error: Exception) -> bool:
        """Find the item that is at fault: alone it is dropped, among others all are tried one by one."""
        if len(flying) > 1:
            self._again(flying)
            return False
        log.warning("a write to the feature store is dropped", extra={"reason": type(error).__name__})
        self._settle(flying, written=False)
        return True

    def _settle(self, flying: list[tuple[float, T]], *, written: bool) -> None:
        with self._changed:
            if self._flying is not flying:
                return  # the queue was closed meanwhile, and has counted them
            self._flying = []
            if written:
                self._observer.written(len(flying), time.monotonic() - flying[0][0])
            else:
                self._observer.dropped(len(flying))
            self._overflows = self._overflows and bool(self._items)
            self._observer.waiting(len(self._items))
            self._changed.notify_all()

    def _again(self, flying: list[tuple[float, T]]) -> None:
        oldest = time.monotonic() - PATIENCE
        with self._changed:
            if self._flying is not flying:
                return
            self._flying = []
            kept = [(since, item) for since, item in flying if since > oldest]
            self._observer.write_failed()
            if len(kept) < len(flying):
                self._observer.dropped(len(flying) - len(kept))
            self._add(kept)
            self._changed.notify_all()


class Readers:
    """Up to ``size`` threads that call a store for others, who wait no longer than they want to.

    A call that hangs keeps its thread; where all of them hang, further calls time out until the store lets one go, as
    its own time-outs see to. The threads end with the process, whatever they wait for.
    """

    def __init__(self, size: int = 4) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._size = size
        self._threads: list[threading.Thread] = []
        self._free = 0
        self._lock = threading.Lock()

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """What ``work`` gives; raises what it raises, TimeoutError where that takes longer."""
        answer: Future[T] = Future()
        with self._lock:
            if self._free <= self._calls.qsize() and len(self._threads) < self._size:
                thread = threading.Thread(target=self._serve, name="features-read", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._calls.put((answer, work))
        try:
            return answer.result(seconds)
        except TimeoutError:
            answer.cancel()  # one that has not begun never does
            raise

    def close(self) -> None:
        """Let the threads end that wait for work."""
        for _ in self._threads:
            self._calls.put(None)

    def _serve(self) -> None:
        while True:
            self._count(1)
            call = self._calls.get()
            self._count(-1)
            if call is None:
                return
            answer, work = call
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is waited for
                answer.set_exception(error)

    def _count(self, change: int) -> None:
        with self._lock:
            self._free += change
