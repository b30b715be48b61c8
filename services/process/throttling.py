"""How often something may be done in a time: counted in Redis, in the worker's memory while Redis is down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import ceil
from operator import methodcaller
from time import time
from typing import Any

from limits import RateLimitItem, WindowStats
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
            if not await self._ask(methodcaller("hit", rate, self._name, *key)):
                stats: WindowStats = await self._ask(methodcaller("get_window_stats", rate, self._name, *key))
                return max(1, ceil(stats.reset_time - time()))
        return 0

    async def clear(self, rates: Sequence[RateLimitItem], *key: str) -> None:
        for rate in rates:
            await self._local.clear(rate, self._name, *key)
            with suppress(RedisSilentError):
                await self._breaker.ask(self._shared.clear(rate, self._name, *key))

    async def _ask(self, question: Callable[[FixedWindowRateLimiter], Awaitable[Any]]) -> Any:
        try:
            return await self._breaker.ask(question(self._shared))
        except RedisSilentError:
            return await question(self._local)
