"""How often something may be done in a time: counted in Redis, in the worker's memory while Redis is down."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from time import time
from typing import Any

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from services.process.breaker import Breaker, RedisSilentError


class Throttle:
    """Counts under a name. Rates are those that the library `limits` has parsed."""

    def __init__(self, redis: Redis, breaker: Breaker, name: str) -> None:
        pool: Any = redis.connection_pool  # which `limits` takes, but does not say so
        self._shared = FixedWindowRateLimiter(
            RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)
        )
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._breaker, self._name = breaker, name

    async def hit(self, rates: Sequence[RateLimitItem], *key: str) -> int:
        """Count once. Returns the seconds to wait where that was once too often, otherwise 0."""
        for rate in rates:
            try:
                limiter, allowed = self._shared, await self._breaker.ask(self._shared.hit(rate, self._name, *key))
            except RedisSilentError:
                limiter, allowed = self._local, await self._local.hit(rate, self._name, *key)
            if not allowed:
                return await self._seconds_left(limiter, rate, key)
        return 0

    async def clear(self, rates: Sequence[RateLimitItem], *key: str) -> None:
        """Forget what was counted."""
        for rate in rates:
            await self._local.clear(rate, self._name, *key)
            try:
                await self._breaker.ask(self._shared.clear(rate, self._name, *key))
            except RedisSilentError:
                continue

    async def _seconds_left(self, limiter: FixedWindowRateLimiter, rate: RateLimitItem, key: Sequence[str]) -> int:
        stats = limiter.get_window_stats(rate, self._name, *key)
        try:
            reset = (await (self._breaker.ask(stats) if limiter is self._shared else stats)).reset_time
        except RedisSilentError:
            return rate.get_expiry()
        return max(1, ceil(reset - time()))
