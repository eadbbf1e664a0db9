"""API keys: made once, kept as a hash, revoked for good; in SQLite, or in Redis where several replicas share them.

A token is ``pocai_<id>_<secret>``: eight hexadecimal digits name the key, 256 random bits prove it. Because the secret
is random and not a password, one SHA-256 of it is enough; only that is stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from pocai.errors import ConfigurationError, InputError, Unavailable

if TYPE_CHECKING:
    from pocai.settings import Settings

PREFIX = "pocai_"
TOKEN = re.compile(PREFIX + r"([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
TENANT = re.compile(r"[\w.@-]{1,100}")
FRESH = 5.0  # seconds that a key is believed before it is looked up again: a revocation elsewhere acts within them
NOTED = 60.0  # seconds between two notes of a key's last use
PATIENCE = 5.0  # seconds that a store may take
LONGEST_NAME = 100  # characters
VERSION = 1  # of the SQLite schema


class Scope(StrEnum):
    """What a caller may do; ``admin`` implies all others."""

    EXTRACT = "extract"
    REVIEW = "review"
    FEATURES = "features"
    MODELS_READ = "models:read"
    MODELS_DEPLOY = "models:deploy"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; all times are UTC."""

    id: str
    name: str
    tenant: str
    scopes: frozenset[str]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None

    @property
    def valid(self) -> bool:
        """Whether it opens anything now: neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or datetime.now(UTC) < self.expires)


class KeyStore(Protocol):
    """Keeps API keys. Every method may block; all are safe to call from several threads and processes.

    Raises `pocai.errors.Unavailable` where the store cannot be reached.
    """

    def create(
        self, name: str, tenant: str, scopes: Iterable[str], expires: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its token, which is shown this once. Raises InputError for values that cannot be used."""

    def find(self, token: str) -> ApiKey | None:
        """The key that a token proves; None where it is malformed, unknown, wrong, revoked or expired.

        A key that another process revoked is refused `FRESH` seconds later at the latest, one that this object
        revoked at once.
        """

    def list(self) -> tuple[ApiKey, ...]:
        """Every key, the oldest first, revoked and expired ones too."""

    def revoke(self, key_id: str) -> bool:
        """Refuse a key from now on; False where there is none of that id, or it was revoked before."""

    def close(self) -> None:
        """Let go of the store."""


def key_store(settings: Settings) -> KeyStore:
    """Redis where it is configured, so that replicas share keys; else SQLite in the state folder.

    Raises ConfigurationError where the store cannot be used.
    """
    url = settings.server.redis_url
    if url is None:
        return HashedKeys(SQLiteRecords(settings.server.state_dir.expanduser()))
    return HashedKeys(RedisRecords(url.get_secret_value()))


@dataclass(frozen=True, slots=True)
class Record:
    """A key as it is stored; ``digest`` is the SHA-256 of its secret, in hexadecimal digits."""

    key: ApiKey
    digest: str


class Records(Protocol):
    """Where records lie; none is ever removed."""

    def insert(self, record: Record) -> bool:
        """Keep a new record; False where its id is taken."""

    def get(self, key_id: str) -> Record | None:
        """The record of an id."""

    def all(self) -> Iterator[Record]:
        """Every record."""

    def revoke(self, key_id: str, when: datetime) -> bool:
        """Mark as revoked; False where there is nothing to mark."""

    def used(self, key_id: str, when: datetime) -> None:
        """Note the last use."""

    def close(self) -> None:
        """Close the connection."""


class HashedKeys:
    """The `KeyStore` over records; what it read is believed for ``fresh`` seconds."""

    def __init__(self, records: Records, *, fresh: float = FRESH) -> None:
        self._records = records
        self._fresh = fresh
        self._read: dict[str, tuple[float, Record]] = {}  # by id; no larger than the store, as misses are not kept
        self._revoked: set[str] = set()  # a thread that read a record before may keep it after

    def create(
        self, name: str, tenant: str, scopes: Iterable[str], expires: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its token; see `KeyStore`."""
        now = datetime.now(UTC)
        key = ApiKey("", name, tenant, frozenset(scopes), now, expires)
        _check(key)
        secret = secrets.token_urlsafe(32)
        while True:
            key = replace(key, id=secrets.token_hex(4))
            if self._records.insert(Record(key, _digest(secret))):
                return key, f"{PREFIX}{key.id}_{secret}"

    def find(self, token: str) -> ApiKey | None:
        """The key that a token proves; see `KeyStore`."""
        match = TOKEN.fullmatch(token)
        if match is None:
            return None
        key_id, secret = match.groups()
        record = self._record(key_id)
        # An unknown id is compared too, so that it takes as long as a wrong secret.
        proven = hmac.compare_digest(_digest(secret), "" if record is None else record.digest)
        if record is None or not proven or not record.key.valid or key_id in self._revoked:
            return None
        self._note_use(record)
        return record.key

    def list(self) -> tuple[ApiKey, ...]:
        """Every key, the oldest first."""
        return tuple(sorted((record.key for record in self._records.all()), key=lambda key: (key.created, key.id)))

    def revoke(self, key_id: str) -> bool:
        """Refuse a key from now on; see `KeyStore`."""
        revoked = self._records.revoke(key_id, datetime.now(UTC))
        if revoked:
            self._revoked.add(key_id)
        return revoked

    def close(self) -> None:
        """Let go of the store."""
        self._records.close()

    def _record(self, key_id: str) -> Record | None:
        read, record = self._read.get(key_id, (0.0, None))
        now = time.monotonic()
        if record is None or now - read >= self._fresh:
            record = self._records.get(key_id)
            if record is not None:
                self._read[key_id] = (now, record)
        return record

    def _note_use(self, record: Record) -> None:
        now = datetime.now(UTC)
        last = record.key.last_used
        if last is None or (now - last).total_seconds() >= NOTED:
            self._records.used(record.key.id, now)
            read, _ = self._read[record.key.id]
            self._read[record.key.id] = (read, replace(record, key=replace(record.key, last_used=now)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(key: ApiKey) -> None:
    """Raise InputError for a key that must not be made."""
    if not key.name.strip() or len(key.name) > LONGEST_NAME or not key.name.isprintable():
        raise InputError("the name of a key is empty, too long or not printable", mend="Name its user or purpose")
    if TENANT.fullmatch(key.tenant) is None:
        raise InputError(f"the tenant {key.tenant!r} cannot be used", mend="Take letters, digits, “.”, “@”, “-” or “_”")
    unknown = sorted(key.scopes - set(Scope))
    if unknown or not key.scopes:
        said = f"the scope {unknown[0]!r} is unknown" if unknown else "a key without a scope opens nothing"
        raise InputError(said, mend=f"Take some of {', '.join(Scope)}")
    if not key.valid:
        raise InputError("the key would have expired already", mend="Take a time in the future")


COLUMNS = "id, digest, name, tenant, scopes, created, expires, revoked, last_used"
SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, name TEXT NOT NULL, tenant TEXT NOT NULL, scopes TEXT NOT NULL,
    created REAL NOT NULL, expires REAL, revoked REAL, last_used REAL
)
"""


class SQLiteRecords:
    """Records in ``folder/keys.sqlite``, which only its owner can read; shared by service and command line."""

    def __init__(self, folder: Path) -> None:
        path = folder / "keys.sqlite"
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.fchmod(file, 0o600)
            os.close(file)
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error

    def insert(self, record: Record) -> bool:
        """Keep a new record; False where its id is taken."""
        row = _row(record)
        sql = f"INSERT INTO keys ({COLUMNS}) VALUES (?{', ?' * (len(row) - 1)}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 - constants only
        return self._run(sql, *row).rowcount == 1

    def get(self, key_id: str) -> Record | None:
        """The record of an id."""
        return next(self._rows("WHERE id = ?", key_id), None)

    def all(self) -> Iterator[Record]:
        """Every record."""
        return self._rows("")

    def revoke(self, key_id: str, when: datetime) -> bool:
        """Mark as revoked; False where there is nothing to mark."""
        sql = "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL"
        return self._run(sql, when.timestamp(), key_id).rowcount == 1

    def used(self, key_id: str, when: datetime) -> None:
        """Note the last use."""
        self._run("UPDATE keys SET last_used = ? WHERE id = ?", when.timestamp(), key_id)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _prepare(self, path: Path) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            self._connection.close()
            raise ConfigurationError(f"{path} was written by a newer pocai", mend="Update pocai")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")  # a revocation must outlive a power cut
        self._connection.execute(SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def _rows(self, where: str, *values: str) -> Iterator[Record]:
        sql = f"SELECT {COLUMNS} FROM keys {where}"  # noqa: S608 - constants only
        with self._lock, _reaching(sqlite3.Error):
            rows = self._connection.execute(sql, values).fetchall()
        return map(_record, rows)

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        with self._lock, _reaching(sqlite3.Error):
            return self._connection.execute(sql, cast("Any", values))


class RedisRecords:
    """Records in the Redis hash ``pocai:keys``; revocations and last uses in hashes of their own.

    A field is written once and never rewritten, so that no late note of a use can undo a revocation.
    """

    KEYS, REVOKED, USED = "pocai:keys", "pocai:keys:revoked", "pocai:keys:used"

    def __init__(self, url: str) -> None:
        import redis

        self._fault = redis.RedisError
        try:
            self._redis = redis.Redis.from_url(
                url, decode_responses=True, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
            )
        except ValueError as error:
            raise ConfigurationError(
                "POCAI_SERVER__REDIS_URL is no address of a Redis",
                mend="Write it as rediss://USER:PASSWORD@HOST:PORT/0",
            ) from error

    def insert(self, record: Record) -> bool:
        """Keep a new record; False where its id is taken."""
        with _reaching(self._fault):
            return bool(self._redis.hsetnx(self.KEYS, record.key.id, json.dumps(_row(record))))

    def get(self, key_id: str) -> Record | None:
        """The record of an id."""
        with _reaching(self._fault), self._redis.pipeline(transaction=False) as pipe:
            for name in (self.KEYS, self.REVOKED, self.USED):
                pipe.hget(name, key_id)
            kept, revoked, used = pipe.execute()
        return None if kept is None else _assembled(kept, revoked, used)

    def all(self) -> Iterator[Record]:
        """Every record."""
        with _reaching(self._fault), self._redis.pipeline(transaction=False) as pipe:
            for name in (self.KEYS, self.REVOKED, self.USED):
                pipe.hgetall(name)
            kept, revoked, used = pipe.execute()
        return (_assembled(row, revoked.get(key_id), used.get(key_id)) for key_id, row in kept.items())

    def revoke(self, key_id: str, when: datetime) -> bool:
        """Mark as revoked; False where there is nothing to mark."""
        with _reaching(self._fault):
            if not self._redis.hexists(self.KEYS, key_id):
                return False
            return bool(self._redis.hsetnx(self.REVOKED, key_id, str(when.timestamp())))

    def used(self, key_id: str, when: datetime) -> None:
        """Note the last use."""
        with _reaching(self._fault):
            self._redis.hset(self.USED, key_id, str(when.timestamp()))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _row(record: Record) -> tuple[str | float | None, ...]:
    """A record as the values of `COLUMNS`; times are seconds since 1970."""
    key = record.key
    times = (key.created, key.expires, key.revoked, key.last_used)
    seconds = (None if moment is None else moment.timestamp() for moment in times)
    return (key.id, record.digest, key.name, key.tenant, " ".join(sorted(key.scopes)), *seconds)


def _record(row: Iterable[Any]) -> Record:
    key_id, digest, name, tenant, scopes, *seconds = row
    created, *others = (None if moment is None else datetime.fromtimestamp(moment, UTC) for moment in seconds)
    assert created is not None, "every row has it"
    return Record(ApiKey(key_id, name, tenant, frozenset(scopes.split()), created, *others), digest)


def _assembled(row: str, revoked: str | None, used: str | None) -> Record:
    later = [None if moment is None else float(moment) for moment in (revoked, used)]
    return _record([*json.loads(row)[: -len(later)], *later])


@contextlib.contextmanager
def _reaching(fault: type[Exception]) -> Iterator[None]:
    """Turn faults of a store into Unavailable; their own text may hold an address with a password in it."""
    try:
        yield
    except fault as error:
        raise Unavailable(
            f"the key store cannot be reached ({type(error).__name__})", mend="Come again in a moment", retry_after=2
        ) from error


def _unusable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the key store {path} cannot be used ({error})",
        mend="Set POCAI_SERVER__STATE_DIR to a folder of your own, or put the damaged file aside and make new keys",
    )
