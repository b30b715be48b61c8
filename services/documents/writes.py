"""How many documents one actor may have kept in a time: counted in Redis, by each worker while Redis is down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from time import time
from typing import Any, Final

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from services.auth.throttle import network_of
from services.catalogue import Actor, Problem
from services.catalogue.problems import TOO_MANY_REQUESTS
from services.storage.breaker import Breaker, RedisSilentError

_NAME: Final = "persisted-documents"


@dataclass(slots=True)
class DocumentWrites:
    """Counts what actors bring. `rate` is in the syntax of the library `limits`."""

    redis: Redis
    breaker: Breaker
    rate: str
    _shared: FixedWindowRateLimiter = field(init=False)
    _local: FixedWindowRateLimiter = field(init=False)
    _limits: Sequence[RateLimitItem] = field(init=False)

    def __post_init__(self) -> None:
        pool: Any = self.redis.connection_pool  # which `limits` takes, but does not say so
        self._shared = FixedWindowRateLimiter(
            RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)
        )
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._limits = parse_many(self.rate)

    async def count(self, actor: Actor, address: str) -> None:
        """Count a document of this actor; of the network address where nobody is signed in.

        Raises `too_many_requests` with the seconds to wait.
        """
        key = f"address/{network_of(address)}" if actor.is_anonymous else str(actor)
        for item in self._limits:
            try:
                limiter, allowed = self._shared, await self.breaker.ask(self._shared.hit(item, _NAME, key))
            except RedisSilentError:
                limiter, allowed = self._local, await self._local.hit(item, _NAME, key)
            if not allowed:
                wait = await self._seconds_left(limiter, item, key)
                words = f"Too many new documents. Try again in {wait} seconds."
                raise Problem(TOO_MANY_REQUESTS, words, retry_after=wait)

    async def _seconds_left(self, limiter: FixedWindowRateLimiter, item: RateLimitItem, key: str) -> int:
        stats = limiter.get_window_stats(item, _NAME, key)
        try:
            reset = (await (self.breaker.ask(stats) if limiter is self._shared else stats)).reset_time
        except RedisSilentError:
            return item.get_expiry()
        return max(1, ceil(reset - time()))
