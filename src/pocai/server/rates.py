"""How often one key or one address may call: a moving window, in memory, or in Redis for all replicas together."""

from __future__ import annotations

import time
from typing import Any, Literal, cast

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from pocai.errors import Busy, Unavailable
from pocai.settings import Settings

PATIENCE = 5.0  # seconds that Redis may take


class Rates:
    """Counts requests. Made inside the service's event loop; `close` at the end."""

    def __init__(self, settings: Settings) -> None:
        access, url = settings.server.access, settings.server.redis_url
        self._limits = {"key": parse_rates(access.rate_per_key), "ip": parse_rates(access.rate_per_ip)}
        self._pool = None if url is None else _connections(url.get_secret_value())
        self._storage = MemoryStorage() if self._pool is None else _in_redis(self._pool)
        self._window = MovingWindowRateLimiter(self._storage)

    async def hit(self, kind: Literal["key", "ip"], who: str) -> None:
        """Count a request. Raises Busy with the seconds to wait when there were too many, and then does not count it.

        Raises Unavailable where Redis cannot be reached.
        """
        try:
            for limit in self._limits[kind]:
                if not await self._window.hit(limit, kind, who):
                    raise await self._busy(limit, kind, who)
        except StorageError as error:  # its own text may hold the address with a password in it
            raise Unavailable("rates cannot be counted", mend="Come again in a moment", retry_after=2) from error

    async def close(self) -> None:
        """Let go of Redis."""
        if self._pool is not None:
            await self._pool.aclose()
        elif isinstance(self._storage, MemoryStorage) and self._storage.timer is not None:
            await self._storage.timer  # it forgets old entries, and ends by itself

    async def _busy(self, limit: RateLimitItem, kind: str, who: str) -> Busy:
        stats = await self._window.get_window_stats(limit, kind, who)
        return Busy(
            f"more than {limit.amount} requests in {limit.get_expiry()} seconds",
            mend="Send fewer, or come again later",
            retry_after=max(1.0, stats.reset_time - time.time()),
        )


def parse_rates(text: str) -> tuple[RateLimitItem, ...]:
    """Rates as in ``10/second;600/minute``; raises ValueError for anything else, and for a rate of nothing."""
    limits = tuple(parse_many(text))
    if any(limit.amount < 1 for limit in limits):
        raise ValueError(f"{text!r} allows nothing")
    return limits


def _connections(url: str) -> ConnectionPool:
    return ConnectionPool.from_url(
        url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, health_check_interval=30
    )


def _in_redis(pool: ConnectionPool) -> RedisStorage:
    return RedisStorage(
        "async+redis://",  # the address is in the pool
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="pocai:rates",
        connection_pool=cast("Any", pool),
    )
