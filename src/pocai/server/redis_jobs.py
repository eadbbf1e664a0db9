"""Jobs in Redis (6 or later, alone or one end point of a cluster), for several services that share them.

Every step is one Lua script, so that it happens whole or not at all. All keys carry one hash tag and so lie together::

    pocai:{jobs}:job:ID          hash: the row of the job, without its result
    pocai:{jobs}:document:ID     the document
    pocai:{jobs}:upload:…        a document whose job is about to come
    pocai:{jobs}:result:ID       the result, as JSON
    pocai:{jobs}:queue:PRIORITY  sorted set: queued jobs by age
    pocai:{jobs}:leases          sorted set: running jobs by the end of their lease
    pocai:{jobs}:final           sorted set: final jobs by their end
    pocai:{jobs}:same:…          sorted set: jobs of one tenant and fingerprint by age, without the cancelled
    pocai:{jobs}:files           sorted set: noted files by when they are due

Leases follow the clock of Redis, so that services may disagree about the time. A crash of a service loses nothing; what
a crash of Redis loses is up to its own persistence (``appendonly yes``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as Disconnected

from pocai.errors import ConfigurationError, Unavailable
from pocai.server.job_json import dumped, fault_text, job_of, queue_full, row_of, taken
from pocai.server.jobs import Fault, Job, Priority, new_id

BASE = "pocai:{jobs}"
ANSWER = 10.0  # seconds that Redis may take for an answer, or the network for a document of 50 MB
CONNECT = 5.0  # seconds
CONNECTIONS = 64  # of one service
HEALTH_CHECK = 30.0  # seconds of silence after which a connection is tried before it is used
UPLOAD = 600  # seconds that a document is kept without its job: a service died in between
MARGIN = 8 * 24 * 3600  # seconds after its deadline that a job is kept when no service is there to expire it
BATCH = 100  # jobs that are forgotten in one step, so that Redis is not kept from others

PRELUDE = """
local base = KEYS[1]
local leases, final = base .. ':leases', base .. ':final'
local function at(kind, name) return base .. ':' .. kind .. ':' .. name end
local function exists(id) return redis.call('EXISTS', at('job', id)) == 1 end
local function whole(id) return {redis.call('HGETALL', at('job', id)), redis.call('GET', at('result', id))} end
local function now()
    local time = redis.call('TIME')
    return string.format('%d.%06d', time[1], time[2])
end
local function mine(id, owner) return redis.call('HGET', at('job', id), 'owner') == owner end -- none unless it runs
local function lease(id, seconds)
    local till = string.format('%.6f', now() + seconds)
    redis.call('HSET', at('job', id), 'lease', till)
    redis.call('ZADD', leases, till, id)
end
local function keep(id)
    local job = redis.call('HMGET', at('job', id), 'keep', 'same')
    for _, key in ipairs({at('job', id), at('document', id), at('result', id), job[2]}) do
        redis.call('EXPIRE', key, job[1])
    end
end
local function requeue(id)
    local job = redis.call('HMGET', at('job', id), 'priority', 'created')
    redis.call('HSET', at('job', id), 'status', 'queued', 'owner', '', 'lease', 0, 'stage', '', 'progress', 0)
    redis.call('HDEL', at('job', id), 'started')
    redis.call('ZREM', leases, id)
    redis.call('ZADD', at('queue', job[1]), job[2], id)
end
local function finish(id, status, time)
    redis.call('HSET', at('job', id), 'status', status, 'finished', time, 'owner', '', 'lease', 0)
    redis.call('ZREM', leases, id)
    redis.call('ZADD', final, time, id)
    keep(id)
end
local function forget(id)
    local job = redis.call('HMGET', at('job', id), 'priority', 'same')
    if job[1] then
        redis.call('ZREM', at('queue', job[1]), id)
        redis.call('ZREM', job[2], id)
    end
    redis.call('ZREM', leases, id)
    redis.call('ZREM', final, id)
    redis.call('DEL', at('job', id), at('document', id), at('result', id))
end
"""
# A job that is there already, and was made at the same moment, was sent twice: the connection broke before the answer.
ADD = """
local id, priority, created, limit, same, seconds, upload = unpack(ARGV, 1, 7)
if exists(id) then
    redis.call('DEL', upload)
    return redis.call('HGET', at('job', id), 'created') == created and 1 or 2
end
if redis.call('ZCARD', at('queue', priority)) >= tonumber(limit) then
    redis.call('DEL', upload)
    return 0
end
redis.call('RENAME', upload, at('document', id))
redis.call('HSET', at('job', id), 'same', same, 'keep', seconds, unpack(ARGV, 8))
redis.call('ZADD', at('queue', priority), created, id)
redis.call('ZADD', same, created, id)
keep(id)
return 1
"""
GET = "return whole(ARGV[1])"
FIND = """
for _, id in ipairs(redis.call('ZREVRANGE', ARGV[1], 0, -1)) do
    if exists(id) then return whole(id) end
end
return {{}, false}
"""
CLAIM = """
for place = 4, #ARGV do
    local queue = at('queue', ARGV[place])
    local first = redis.call('ZPOPMIN', queue)
    while first[1] do
        local id = first[1]
        if exists(id) then
            redis.call('HSET', at('job', id), 'status', 'running', 'owner', ARGV[1], 'started', ARGV[3])
            redis.call('HINCRBY', at('job', id), 'attempts', 1)
            lease(id, ARGV[2])
            return whole(id)
        end
        first = redis.call('ZPOPMIN', queue)
    end
end
return {{}, false}
"""
RENEW = """
if not mine(ARGV[1], ARGV[2]) then return 0 end
lease(ARGV[1], ARGV[3])
return 1
"""
ADVANCE = (
    "if mine(ARGV[1], ARGV[2]) then redis.call('HSET', at('job', ARGV[1]), 'stage', ARGV[3], 'progress', ARGV[4]) end"
)
SUCCEED = """
if not mine(ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', at('result', ARGV[1]), ARGV[4])
redis.call('HSET', at('job', ARGV[1]), 'progress', 1)
finish(ARGV[1], 'succeeded', ARGV[3])
return 1
"""
FAIL = """
if not mine(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', at('job', ARGV[1]), 'fault', ARGV[4])
finish(ARGV[1], 'failed', ARGV[3])
return 1
"""
HAND_BACK = """
if not mine(ARGV[1], ARGV[2]) then return 0 end
redis.call('HINCRBY', at('job', ARGV[1]), 'attempts', ARGV[3])
requeue(ARGV[1])
return 1
"""
CANCEL = """
local job = redis.call('HMGET', at('job', ARGV[1]), 'status', 'priority', 'same')
if job[1] ~= 'queued' and job[1] ~= 'running' then return 0 end
redis.call('ZREM', at('queue', job[2]), ARGV[1])
redis.call('ZREM', job[3], ARGV[1])
redis.call('DEL', at('document', ARGV[1]))
finish(ARGV[1], 'cancelled', ARGV[2])
return 1
"""
DELETE = "forget(ARGV[1])"
RECLAIM = """
local count = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now())) do
    if exists(id) then
        requeue(id)
        count = count + 1
    else
        redis.call('ZREM', leases, id)
    end
end
return count
"""
EXPIRE = """
local old = redis.call('ZRANGEBYSCORE', final, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(old) do forget(id) end
return #old
"""
QUEUED = """
local counts = {}
for place, priority in ipairs(ARGV) do counts[place] = redis.call('ZCARD', at('queue', priority)) end
return counts
"""

REFUSALS = (AuthenticationError, AuthorizationError, ResponseError)
RIGHTS = "~pocai:* +@read +@write +@scripting +time +ping"  # of the user, as Redis writes them

log = logging.getLogger(__name__)


class RedisJobs:
    """The `JobStore` that several services share. Every method raises Unavailable where Redis does not answer.

    What has been sent is also done where its caller is cancelled.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Redis  # from `open` to `close`
        self._sent: set[asyncio.Future[Any]] = set()

    async def open(self) -> None:
        """Connect; raises ConfigurationError for an address or credentials that Redis does not take."""
        self._redis = Redis.from_pool(_pool(self._url))
        try:
            await self.reclaim()
            await self._answer(self._warn_of_eviction())
        except BaseException as error:
            await self.close()
            if isinstance(error.__cause__, REFUSALS):
                raise ConfigurationError(
                    f"Redis refuses what it is asked at POCAI_SERVER__REDIS_URL ({type(error.__cause__).__name__})",
                    mend=f"Mend name and password; the user needs {RIGHTS}; Redis must be 6 or later, and writable",
                ) from error
            raise

    async def _warn_of_eviction(self) -> None:
        with suppress(NoPermissionError):  # not every user may ask
            policy = (await self._redis.info("memory")).get("maxmemory_policy", "noeviction")
            if policy != "noeviction":
                log.warning("Redis may evict accepted jobs: set its maxmemory-policy to noeviction, not %s", policy)

    async def close(self) -> None:
        """Wait for what was sent, and close all connections."""
        await asyncio.gather(*self._sent, return_exceptions=True)
        await self._redis.aclose()

    async def add(self, job: Job, document: bytes, *, limit: int) -> None:
        """Keep a queued job and its document; raises `QueueFull`, or Conflict where its id is taken."""
        if (await self.queued())[job.priority] >= limit:
            raise queue_full(limit)  # before the document is sent for nothing
        upload = f"{BASE}:upload:{new_id()}"
        await self._answer(self._redis.set(upload, document, ex=UPLOAD))
        row = [part for pair in row_of(job).items() if pair[1] is not None for part in pair]
        seconds = int(max(0.0, job.deadline - job.created)) + MARGIN
        same = _same(job.tenant, job.fingerprint)
        added = await self._do(ADD, job.id, int(job.priority), job.created, limit, same, seconds, upload, *row)
        if added != 1:
            raise taken() if added else queue_full(limit)

    async def get(self, job_id: str) -> Job | None:
        """The job, or None."""
        return _job(await self._do(GET, job_id))

    async def find(self, tenant: str, fingerprint: str) -> Job | None:
        """The newest job of the tenant with this fingerprint that was not cancelled, or None."""
        return _job(await self._do(FIND, _same(tenant, fingerprint)))

    async def document(self, job_id: str) -> bytes | None:
        """The document of a job, or None when it is gone."""
        document: bytes | None = await self._answer(self._redis.get(f"{BASE}:document:{job_id}"))
        return document

    async def claim(self, owner: str, seconds: float) -> Job | None:
        """Take the next queued job on lease."""
        return _job(await self._do(CLAIM, owner, seconds, time.time(), *map(int, Priority)))

    async def renew(self, job_id: str, owner: str, seconds: float) -> bool:
        """Extend the lease; False where the job is no longer running for this owner."""
        return bool(await self._do(RENEW, job_id, owner, seconds))

    async def advance(self, job_id: str, owner: str, stage: str, progress: float) -> None:
        """Say how far a running job is; ignored where it is not leased to the owner."""
        await self._do(ADVANCE, job_id, owner, stage, progress)

    async def finish(self, job_id: str, owner: str, outcome: dict[str, Any] | Fault) -> bool:
        """Succeed with a result or fail with a fault; False where the lease is not the owner's."""
        if isinstance(outcome, Fault):
            return bool(await self._do(FAIL, job_id, owner, time.time(), fault_text(outcome)))
        return bool(await self._do(SUCCEED, job_id, owner, time.time(), dumped(outcome)))

    async def hand_back(self, job_id: str, owner: str, *, counted: bool) -> bool:
        """Queue a running job again; its ``attempts`` keeps the last one only where it is ``counted``."""
        return bool(await self._do(HAND_BACK, job_id, owner, 0 if counted else -1))

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job that is queued or running and forget its document; False where it is not."""
        return bool(await self._do(CANCEL, job_id, time.time()))

    async def delete(self, job_id: str) -> None:
        """Forget a job, its document and its result."""
        await self._do(DELETE, job_id)

    async def reclaim(self) -> int:
        """Queue again the jobs whose lease ran out; how many there were."""
        return int(await self._do(RECLAIM))

    async def queued(self) -> dict[Priority, int]:
        """How many jobs are queued, for every priority."""
        return dict(zip(Priority, await self._do(QUEUED, *map(int, Priority)), strict=True))

    async def expire(self, before: float) -> int:
        """Forget final jobs that were finished before this time; how many there were."""
        count = 0
        while forgotten := await self._do(EXPIRE, before, BATCH):
            count += forgotten
        return count

    async def note_file(self, path: str, due: float) -> None:
        """Remember a file that is to be removed at ``due``."""
        await self._answer(self._redis.zadd(f"{BASE}:files", {os.fsencode(path): due}))

    async def due_files(self, now: float) -> list[str]:
        """The noted files that are due, the longest due first."""
        paths = await self._answer(self._redis.zrangebyscore(f"{BASE}:files", "-inf", now))
        return [os.fsdecode(path) for path in paths]

    async def forget_file(self, path: str) -> None:
        """Forget a noted file."""
        await self._answer(self._redis.zrem(f"{BASE}:files", os.fsencode(path)))

    async def _do(self, script: str, *values: Any) -> Any:
        return await self._answer(self._redis.register_script(PRELUDE + script)(keys=[BASE], args=values))

    async def _answer(self, command: Awaitable[Any]) -> Any:
        """The answer to a command. It has a task of its own, because the client may swallow a cancellation.

        On Python 3.11 it waits with `asyncio.wait_for`, which does so where the answer comes at that moment (gh-86296).
        """
        sent = asyncio.ensure_future(command)
        self._sent.add(sent)
        sent.add_done_callback(self._sent.discard)
        with _reached():
            return await asyncio.shield(sent)


@contextmanager
def _reached() -> Iterator[None]:
    """Turn what Redis and the network say into Unavailable, which tells neither address nor password."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            f"Redis cannot be used ({type(error).__name__})",
            mend="Is the Redis of POCAI_SERVER__REDIS_URL running, reachable and writable?",
            retry_after=5,
        ) from error


def _pool(url: str) -> BlockingConnectionPool:
    """Connections to an address; raises ConfigurationError where it is none."""
    # Only what was never answered is sent again, and not what took too long: Redis may be doing it.
    again = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 2, supported_errors=(Disconnected,))
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER,
            socket_timeout=ANSWER,
            socket_connect_timeout=CONNECT,
            health_check_interval=HEALTH_CHECK,
            retry=again,
        )
        pool.connection_class(**pool.connection_kwargs)  # knows the options; nothing is sent
    except (ValueError, TypeError):
        raise ConfigurationError(
            "POCAI_SERVER__REDIS_URL is not the address of a Redis",
            mend="Write it as redis://user:password@host:6379/0, or rediss:// for TLS",
        ) from None  # what it says may hold the password
    return pool


def _same(tenant: str, fingerprint: str) -> str:
    return f"{BASE}:same:{tenant}:{fingerprint}"


def _job(answer: tuple[list[bytes], bytes | None]) -> Job | None:
    flat, result = answer
    text = [part.decode() for part in flat]
    row = dict(zip(text[::2], text[1::2], strict=True))
    return job_of(row, result) if row else None
