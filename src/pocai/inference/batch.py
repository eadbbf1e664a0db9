"""Many documents to results: each is read by a process of its own, and has one result however often all is interrupted.

::

    results/PATH.SHA.json   the result of each document that was read, the name ending in its content's hash
    manifest.jsonl          what became of each document, as it happened (`batch_manifest`)
    results.jsonl           one line a document, when all are through
    summary.json            how many, what went wrong, how fast

Only this process reads the source and writes the target; those that read documents get bytes and give bytes. A result
is written before the manifest names it, and its name follows from its document alone: a batch that was killed does
again what the manifest does not have, and puts it where it would have been.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from queue import LifoQueue
from threading import Event, Lock
from time import perf_counter
from typing import Any, Protocol

from pocai.documents.limits import check_size
from pocai.errors import ConfigurationError, DeadlineExceeded, InputError, WorkerLost
from pocai.inference.batch_manifest import LATE, LOST, Manifest, Record
from pocai.inference.batch_sources import Entry, Locate, Place, inside, place
from pocai.inference.batch_worker import Answer, Told, configuration
from pocai.settings import Settings

RESULTS, INDEX, SUMMARY = "results", "results.jsonl", "summary.json"
AHEAD = 2  # documents that are fetched, read or saved at a time, for each process
STARTS = 3  # processes that may die while they load their models before all ends
LONGEST_NAME, LONGEST_PATH = 200, 700  # bytes of a name and of a path that results are named by


class Worker(Protocol):
    """A process that reads one document at a time."""

    def read(self, content: bytes, seconds: float) -> Answer:
        """Raises WorkerLost and DeadlineExceeded, after which it is of no more use."""
        ...

    def close(self) -> None:
        """End it; whoever waits for its answer is told that it is lost."""
        ...


Start = Callable[[Mapping[str, Any], int], Worker]
"""Starts a process with a configuration and a number of threads; raises WorkerLost, and what it reports."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read, and how: addresses are folders, or URLs such as ``s3://bucket/prefix``.

    ``suffixes`` are endings of documents. Each of the ``workers`` keeps ``threads`` cores busy. A document whose
    process dies is tried ``attempts`` times. Without ``resume`` the target must hold no batch.
    """

    source: str
    target: str
    suffixes: Collection[str]
    workers: int = 1
    threads: int = 1
    attempts: int = 3
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: ``done`` of ``total`` documents, ``failed`` among them."""

    done: int
    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What came out: ``failed`` counts errors by code; ``read``, ``pages`` and ``seconds`` (wall) are of this run."""

    documents: int
    done: int
    failed: Mapping[str, int]
    read: int
    pages: int
    seconds: float
    exit_code: int

    @property
    def pages_per_second(self) -> float:
        return self.pages / self.seconds if self.seconds else 0.0


Tell = Callable[[Progress], None]


def run(plan: Plan, start: Start, settings: Settings, tell: Tell | None = None, locate: Locate = place) -> Summary:
    """Read all documents of a source that the target has no result of.

    What is wrong with one document becomes its line in the manifest. Raises InputError for a source without documents,
    ConfigurationError for a target that cannot be used, Unavailable where a bucket does not answer, and what keeps the
    processes from reading at all, as a ModelError.
    """
    source, target = locate(plan.source), locate(plan.target)
    entries = source.documents(plan.suffixes, inside(plan.target, plan.source))
    if not entries:
        raise InputError("the source holds no document", mend="It takes pictures, PDF, .docx and .xlsx")
    configured = configuration(settings, plan.threads)
    limits = settings.server.workers
    with target.held():
        manifest = Manifest(target, _fingerprint(configured), resume=plan.resume)
        begun = perf_counter()
        pool = _Pool(lambda: start(configured, plan.threads), plan.workers, limits.recycle_after)
        batch = _Batch(plan, settings, (source, target), manifest, pool)
        records = batch.all(entries, tell)
        summary = _summary(records, batch.read, perf_counter() - begun)
        target.write(INDEX, b"".join(record.line() + b"\n" for record in records))
        told = {**asdict(summary), "pages_per_second": round(summary.pages_per_second, 2)}
        target.write(SUMMARY, (json.dumps(told, indent=2) + "\n").encode())
    return summary


def result_path(path: str, sha256: str) -> str:
    """Where the result of a document lies: by its path, or the hash of it where that is no name everywhere."""
    plain = path.isprintable() and "\\" not in path and len(path.encode()) <= LONGEST_PATH
    parts = path.split("/")
    if not plain or any(part in {"", ".", ".."} or len(part.encode()) > LONGEST_NAME for part in parts):
        path = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return f"{RESULTS}/{path}.{sha256[:12]}.json"


def _fingerprint(configured: Mapping[str, Any]) -> str:
    """What results depend on: all settings but the threads and the key."""
    told = {name: value for name, value in configured["settings"].items() if name != "threads"}
    told["language"] = {name: value for name, value in told["language"].items() if name != "key"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _summary(records: Sequence[Record], read: Collection[Record], seconds: float) -> Summary:
    return Summary(
        documents=len(records),
        done=sum(record.state == "done" for record in records),
        failed=dict(Counter(record.code for record in records if record.state != "done")),
        read=len(read),
        pages=sum(record.pages for record in read),
        seconds=round(seconds, 3),
        exit_code=max(record.exit_code for record in records),
    )


class _Stopped(Exception):
    """The batch ends before its time; what is being read is read again when it is resumed."""


class _Pool:
    """Reading processes, each started when it is first needed, and replaced when it died or has read enough."""

    def __init__(self, start: Callable[[], Worker], count: int, recycle_after: int) -> None:
        self._start = start
        self._recycle_after = recycle_after
        self._free: LifoQueue[_Place] = LifoQueue()
        for _ in range(count):
            self._free.put(_Place())
        self._lock = Lock()
        self._all: set[Worker] = set()
        self._stopping = Event()

    def read(self, content: bytes, seconds: float) -> Answer:
        """What a process makes of a document. Raises WorkerLost, DeadlineExceeded, and what keeps one from starting."""
        here = self._free.get()
        try:
            if here.worker is None:
                here.worker = self._started()
            told, result = here.worker.read(content, seconds)
            here.served += 1
            if told.last or here.served >= self._recycle_after:
                self._end(here)
        except BaseException as error:
            self._end(here)
            if self._stopping.is_set():
                raise _Stopped from error
            raise
        finally:
            self._free.put(here)
        return told, result

    def close(self) -> None:
        """End all processes; whoever reads or waits is told that it is over."""
        self._stopping.set()
        with self._lock:
            running = list(self._all)
        for worker in running:
            worker.close()

    def _started(self) -> Worker:
        for _ in range(STARTS):
            if self._stopping.is_set():
                raise _Stopped
            try:
                worker = self._start()
            except WorkerLost:
                continue
            with self._lock:
                self._all.add(worker)
            if self._stopping.is_set():  # since it was asked for
                worker.close()
            return worker
        what = f"{STARTS} reading processes died while they loaded their models"
        raise ConfigurationError(what, mend="Is there memory for so many? Take fewer workers")

    def _end(self, here: _Place) -> None:
        if here.worker is not None:
            here.worker.close()
            with self._lock:
                self._all.discard(here.worker)
        here.worker, here.served = None, 0


@dataclass(slots=True, eq=False)
class _Place:
    """A place for one process, and how many documents it has read."""

    worker: Worker | None = None
    served: int = 0


class _Tally:
    """The documents that nobody has begun with, and what became of the others."""

    def __init__(self, entries: Sequence[Entry], tell: Tell | None) -> None:
        self._waiting, self._total, self._tell = iter(entries), len(entries), tell
        self._lock = Lock()
        self._failed = 0
        self.records: list[Record] = []

    def next(self) -> Entry | None:
        """The next document to begin with."""
        with self._lock:
            return next(self._waiting, None)

    def add(self, record: Record) -> None:
        """One more is through."""
        with self._lock:
            self.records.append(record)
            self._failed += record.state != "done"
            if self._tell is not None:
                self._tell(Progress(len(self.records), self._total, self._failed))


class _Batch:
    """All documents of a source on their way; ``read`` are those of this run."""

    def __init__(
        self, plan: Plan, settings: Settings, places: tuple[Place, Place], manifest: Manifest, pool: _Pool
    ) -> None:
        self._plan, self._settings = plan, settings
        self._source, self._target = places
        self._manifest, self._pool = manifest, pool
        self._lock = Lock()
        self.read: list[Record] = []

    def all(self, entries: Sequence[Entry], tell: Tell | None) -> list[Record]:
        """What became of each, in order of their paths."""
        tally = _Tally(entries, tell)
        crew = min(len(entries), AHEAD * self._plan.workers)
        with ThreadPoolExecutor(crew, thread_name_prefix="batch") as threads:
            try:
                for loop in as_completed([threads.submit(self._loop, tally) for _ in range(crew)]):
                    loop.result()
            finally:
                self._pool.close()
        return sorted(tally.records, key=lambda record: record.path)

    def _loop(self, tally: _Tally) -> None:
        while (entry := tally.next()) is not None:
            tally.add(self._one(entry))

    def _one(self, entry: Entry) -> Record:
        before = self._manifest.get(entry.path)
        settled = before is not None and before.settled(self._plan.attempts)
        if before is not None and settled and before.version == entry.version:
            return before
        blank = Record(entry.path, entry.version, "", "error")
        try:
            check_size(entry.size, self._settings.limits)
            content = self._source.read(entry.path)
        except InputError as error:
            return self._noted(replace(blank, code=error.code, what=error.what))
        sha256 = hashlib.sha256(content).hexdigest()
        if before is None or before.sha256 != sha256:
            return self._tried(replace(blank, sha256=sha256), content)
        if settled:
            return self._noted(replace(before, version=entry.version))
        lost = before.attempts if before.code == LOST else 0
        return self._tried(replace(blank, sha256=sha256, attempts=lost), content)

    def _tried(self, record: Record, content: bytes) -> Record:
        """Read a document until a process survives it; the attempts of earlier runs count."""
        seconds = self._settings.server.workers.wall_seconds
        for attempt in range(record.attempts + 1, self._plan.attempts + 1):
            record = replace(record, attempts=attempt)
            try:
                told, result = self._pool.read(content, seconds)
            except WorkerLost:
                self._noted(replace(record, state="lost", code=LOST))
            except DeadlineExceeded as error:
                return self._noted(replace(record, code=LATE, what=error.what, seconds=seconds))
            else:
                return self._kept(record, told, result)
        return self._noted(replace(record, code=LOST, what="each process that read the document died"))

    def _kept(self, record: Record, told: Told, result: bytes) -> Record:
        """Save a result, and note it."""
        ended = replace(record, seconds=told.seconds, pages=told.pages)
        if told.code:
            ended = replace(ended, code=told.code, what=told.what)
        else:
            path = result_path(record.path, record.sha256)
            self._target.write(path, result)
            digest = hashlib.sha256(result).hexdigest()
            ended = replace(ended, state="done", verdict=told.verdict, result=path, result_sha256=digest)
        with self._lock:
            self.read.append(ended)
        return self._noted(ended)

    def _noted(self, record: Record) -> Record:
        self._manifest.add(record)
        return record
