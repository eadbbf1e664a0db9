"""Jobs in SQLite, documents as files: what one service keeps in its state folder, so that a restart loses nothing.

::

    state folder
    ├── lock            held while a service uses the folder (flock)
    ├── jobs.sqlite     jobs, results, files to be removed
    └── documents/ID    one file for each job

A document is on the disk before its row is, and its row is gone before it is: a file without a row is rubbish, and is
removed when the store is opened. All files are readable for us only.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import math
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pocai.errors import ConfigurationError
from pocai.server.document_folder import DocumentFolder, unavailable
from pocai.server.job_json import dumped, fault_text, job_of, queue_full, row_of, taken
from pocai.server.jobs import Fault, Job, Priority

T = TypeVar("T")
Statement = tuple[str, Mapping[str, object]]

VERSION = 1  # of the tables; kept in the database's user_version
PATIENCE = 5.0  # seconds to wait for somebody else who has the database open: a backup, say
BATCH = 100  # jobs that are forgotten in one transaction, so that others are not kept waiting

# Results stand apart, so that progress rewrites short rows. What is deleted is overwritten: it holds names.
SETUP = """
PRAGMA journal_mode = WAL;
PRAGMA journal_size_limit = 67108864;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
"""
SCHEMA = f"""
BEGIN;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, priority INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, created REAL NOT NULL,
    deadline REAL NOT NULL, details TEXT NOT NULL, status TEXT NOT NULL, stage TEXT NOT NULL, progress REAL NOT NULL,
    attempts INTEGER NOT NULL, owner TEXT NOT NULL, lease REAL NOT NULL, started REAL, finished REAL, fault TEXT
) STRICT;
CREATE INDEX queue ON jobs (priority, created, id) WHERE status = 'queued';
CREATE INDEX leases ON jobs (lease) WHERE status = 'running';
CREATE INDEX same ON jobs (tenant, fingerprint, created, id);
CREATE INDEX final ON jobs (finished) WHERE finished IS NOT NULL;
CREATE TABLE results (id TEXT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, json TEXT NOT NULL) STRICT;
CREATE TABLE files (path BLOB PRIMARY KEY, due REAL NOT NULL) STRICT;
PRAGMA user_version = {VERSION};
COMMIT;
"""

ADD = """
INSERT INTO jobs SELECT :id, :tenant, :kind, :priority, :fingerprint, :sha256, :size, :created, :deadline, :details,
    :status, :stage, :progress, :attempts, :owner, :lease, :started, :finished, :fault
WHERE (SELECT count(*) FROM jobs WHERE status = 'queued' AND priority = :priority) < :limit
ON CONFLICT (id) DO NOTHING RETURNING id
"""
GET = "SELECT jobs.*, json FROM jobs LEFT JOIN results USING (id) WHERE id = :id"
FIND = """
SELECT jobs.*, json FROM jobs LEFT JOIN results USING (id)
WHERE tenant = :tenant AND fingerprint = :fingerprint AND status <> 'cancelled'
ORDER BY created DESC, id DESC LIMIT 1
"""
CLAIM = """
UPDATE jobs SET status = 'running', owner = :owner, lease = :lease, started = :now, attempts = attempts + 1
WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY priority, created, id LIMIT 1) RETURNING *
"""
# A job has an owner only while it runs, so that the owner alone says whose it is.
RENEW = "UPDATE jobs SET lease = :lease WHERE id = :id AND owner = :owner RETURNING id"
ADVANCE = "UPDATE jobs SET stage = :stage, progress = :progress WHERE id = :id AND owner = :owner"
KEEP_RESULT = "INSERT INTO results SELECT id, :json FROM jobs WHERE id = :id AND owner = :owner"
SUCCEED = """
UPDATE jobs SET status = 'succeeded', progress = 1.0, finished = :now, owner = '', lease = 0.0
WHERE id = :id AND owner = :owner RETURNING id
"""
FAIL = """
UPDATE jobs SET status = 'failed', fault = :fault, finished = :now, owner = '', lease = 0.0
WHERE id = :id AND owner = :owner RETURNING id
"""
HAND_BACK = """
UPDATE jobs SET status = 'queued', owner = '', lease = 0.0, stage = '', progress = 0.0, started = NULL,
    attempts = attempts - :uncounted
WHERE id = :id AND owner = :owner RETURNING id
"""
RECLAIM = """
UPDATE jobs SET status = 'queued', owner = '', lease = 0.0, stage = '', progress = 0.0, started = NULL
WHERE status = 'running' AND lease <= :until RETURNING id
"""
CANCEL = """
UPDATE jobs SET status = 'cancelled', finished = :now, owner = '', lease = 0.0
WHERE id = :id AND status IN ('queued', 'running') RETURNING id
"""
DELETE = "DELETE FROM jobs WHERE id = :id"
EXPIRE = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished < :before LIMIT :most) RETURNING id"
QUEUED = "SELECT priority, count(*) AS jobs FROM jobs WHERE status = 'queued' GROUP BY priority"
NOTE_FILE = "INSERT INTO files VALUES (:path, :due) ON CONFLICT (path) DO UPDATE SET due = :due"
DUE_FILES = "SELECT path FROM files WHERE due <= :now ORDER BY due, path"
FORGET_FILE = "DELETE FROM files WHERE path = :path"


class SQLiteJobs:
    """The `JobStore` of one service; `open` refuses a second one on the same folder.

    SQL runs in one thread and documents are written in two others, so that the event loop never waits for the disk.
    What has begun in a thread is done even where the caller is cancelled.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents = DocumentFolder(folder / "documents")
        self._resources = contextlib.ExitStack()
        self._base: sqlite3.Connection  # from `open` to `close`
        self._sql = ThreadPoolExecutor(1, "jobs-sql")
        self._disk = ThreadPoolExecutor(2, "jobs-disk")

    async def open(self) -> None:
        """Lock the folder, open the database, queue again what an earlier service was running.

        Raises ConfigurationError where another service uses the folder, or the database cannot be used.
        """
        await _in(self._sql, self._open)

    def _open(self) -> None:
        with contextlib.ExitStack() as stack:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.callback(os.close, _lock(self._folder))
                base = _connect(self._folder / "jobs.sqlite")
                stack.callback(base.close)
                base.execute(RECLAIM, {"until": math.inf})  # whoever ran a job is dead, or we would not have the lock
                self._documents.keep_only({row["id"] for row in base.execute("SELECT id FROM jobs")})
            except OSError as error:
                raise ConfigurationError(
                    f"the state folder {self._folder} cannot be used ({error.strerror})",
                    mend="Set POCAI_SERVER__STATE_DIR",
                ) from error
            self._base, self._resources = base, stack.pop_all()

    async def close(self) -> None:
        """Wait for what has begun, close the database, let go of the folder."""
        await _in(None, self._disk.shutdown)
        await _in(self._sql, self._resources.close)
        self._sql.shutdown()

    async def add(self, job: Job, document: bytes, *, limit: int) -> None:
        """Keep a queued job and its document; raises `QueueFull`, or Conflict where its id is taken."""
        if (await self.queued())[job.priority] >= limit:
            raise queue_full(limit)  # before the document is written for nothing
        await _in(self._disk, self._add, job, document, limit)

    def _add(self, job: Job, document: bytes, limit: int) -> None:
        """In one call, which nobody can cancel half-way: the file, then the row."""
        if not self._documents.write(job.id, document):
            raise taken()
        rows: list[sqlite3.Row] = []
        try:
            rows = self._sql.submit(self._write, (ADD, row_of(job) | {"limit": limit})).result()
        finally:
            if not rows:
                self._documents.remove(job.id)
        if not rows:
            there = self._sql.submit(self._read, GET, {"id": job.id}).result()
            raise taken() if there else queue_full(limit)

    async def get(self, job_id: str) -> Job | None:
        """The job, or None."""
        return await self._one(GET, {"id": job_id})

    async def find(self, tenant: str, fingerprint: str) -> Job | None:
        """The newest job of the tenant with this fingerprint that was not cancelled, or None."""
        return await self._one(FIND, {"tenant": tenant, "fingerprint": fingerprint})

    async def document(self, job_id: str) -> bytes | None:
        """The document of a job, or None when it is gone."""
        return await _in(self._disk, self._documents.read, job_id)

    async def claim(self, owner: str, seconds: float) -> Job | None:
        """Take the next queued job on lease."""
        now = time.time()
        rows = await self._do(CLAIM, {"owner": owner, "lease": now + seconds, "now": now})
        return job_of(dict(rows[0]), None) if rows else None

    async def renew(self, job_id: str, owner: str, seconds: float) -> bool:
        """Extend the lease; False where the job is no longer running for this owner."""
        lease = time.time() + seconds
        return bool(await self._do(RENEW, {"id": job_id, "owner": owner, "lease": lease}, durable=False))

    async def advance(self, job_id: str, owner: str, stage: str, progress: float) -> None:
        """Say how far a running job is; ignored where it is not leased to the owner."""
        await self._do(ADVANCE, {"id": job_id, "owner": owner, "stage": stage, "progress": progress}, durable=False)

    async def finish(self, job_id: str, owner: str, outcome: dict[str, Any] | Fault) -> bool:
        """Succeed with a result or fail with a fault; False where the lease is not the owner's."""
        values: dict[str, object] = {"id": job_id, "owner": owner, "now": time.time()}
        if isinstance(outcome, Fault):
            return bool(await self._do(FAIL, values | {"fault": fault_text(outcome)}))
        keep = (KEEP_RESULT, values | {"json": dumped(outcome)})
        return bool(await _in(self._sql, self._write, keep, (SUCCEED, values)))

    async def hand_back(self, job_id: str, owner: str, *, counted: bool) -> bool:
        """Queue a running job again; its ``attempts`` keeps the last one only where it is ``counted``."""
        return bool(await self._do(HAND_BACK, {"id": job_id, "owner": owner, "uncounted": int(not counted)}))

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job that is queued or running and forget its document; False where it is not."""
        cancelled = bool(await self._do(CANCEL, {"id": job_id, "now": time.time()}))
        if cancelled:
            await _in(self._disk, self._documents.remove, job_id)
        return cancelled

    async def delete(self, job_id: str) -> None:
        """Forget a job, its document and its result."""
        await self._do(DELETE, {"id": job_id})
        await _in(self._disk, self._documents.remove, job_id)

    async def reclaim(self) -> int:
        """Queue again the jobs whose lease ran out; how many there were."""
        return len(await self._do(RECLAIM, {"until": time.time()}))

    async def queued(self) -> dict[Priority, int]:
        """How many jobs are queued, for every priority."""
        counts = {row["priority"]: row["jobs"] for row in await _in(self._sql, self._read, QUEUED, {})}
        return {priority: counts.get(priority, 0) for priority in Priority}

    async def expire(self, before: float) -> int:
        """Forget final jobs that were finished before this time; how many there were."""
        count = 0
        while rows := await self._do(EXPIRE, {"before": before, "most": BATCH}):
            count += len(rows)
            await _in(self._disk, self._documents.remove, *(row["id"] for row in rows))
        return count

    async def note_file(self, path: str, due: float) -> None:
        """Remember a file that is to be removed at ``due``."""
        await self._do(NOTE_FILE, {"path": os.fsencode(path), "due": due})

    async def due_files(self, now: float) -> list[str]:
        """The noted files that are due, the longest due first."""
        return [os.fsdecode(row["path"]) for row in await _in(self._sql, self._read, DUE_FILES, {"now": now})]

    async def forget_file(self, path: str) -> None:
        """Forget a noted file."""
        await self._do(FORGET_FILE, {"path": os.fsencode(path)})

    async def _one(self, sql: str, values: Mapping[str, object]) -> Job | None:
        rows = await _in(self._sql, self._read, sql, values)
        return job_of(dict(rows[0]), rows[0]["json"]) if rows else None

    async def _do(self, sql: str, values: Mapping[str, object], *, durable: bool = True) -> list[sqlite3.Row]:
        return await _in(self._sql, lambda: self._write((sql, values), durable=durable))

    def _read(self, sql: str, values: Mapping[str, object]) -> list[sqlite3.Row]:
        try:
            return self._base.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def _write(self, *statements: Statement, durable: bool = True) -> list[sqlite3.Row]:
        """Rows of the last statement of a transaction; one that is not ``durable`` may be lost with the power."""
        base = self._base
        rows: list[sqlite3.Row] = []
        try:
            base.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            base.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                rows = base.execute(sql, values).fetchall()
            base.execute("COMMIT")
        except sqlite3.Error as error:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise unavailable(error) from error
        return rows


async def _in(executor: ThreadPoolExecutor | None, work: Callable[..., T], *values: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, work, *values)


def _lock(folder: Path) -> int:
    """The lock of the folder, as a file descriptor that holds it until it is closed or the process is dead."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise ConfigurationError(
            f"another service uses the folder {folder}",
            mend="Set POCAI_SERVER__STATE_DIR to another one, or POCAI_SERVER__REDIS_URL for services that share jobs",
        ) from error
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    """The database, checked, with its tables; raises ConfigurationError where it cannot be used."""
    with contextlib.ExitStack() as stack:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode
            path.chmod(0o600)
            base = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            stack.callback(base.close)
            base.row_factory = sqlite3.Row
            base.executescript(SETUP)
            (version,) = base.execute("PRAGMA user_version").fetchone()
            if version == 0:
                base.executescript(SCHEMA)
            (found,) = base.execute("PRAGMA quick_check(1)").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, str(error)) from error
        if found != "ok":
            raise _unusable(path, "its pages do not fit together")
        if version > VERSION:
            raise _unusable(path, f"a newer pocai made it: version {version}, not {VERSION}")
        stack.pop_all()
        return base


def _unusable(path: Path, why: str) -> ConfigurationError:
    aside = f"{path}, {path.name}-wal, {path.name}-shm and documents"
    return ConfigurationError(
        f"the job database {path} cannot be used ({why})",
        mend=f"Move {aside} to another folder and start again (accepted jobs go with them), or set another"
        " POCAI_SERVER__STATE_DIR",
    )
