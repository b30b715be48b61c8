"""Limits on attempts to sign in, per account and per address, in Redis; in the worker's memory while Redis is down."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil
from time import time
from typing import Any

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis

from services.auth.config import AuthConfig
from services.catalogue import Problem
from services.catalogue.problems import TOO_MANY_REQUESTS

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SignInThrottle:
    """Counts attempts; a success clears the account's count."""

    redis: Redis
    config: AuthConfig
    _shared: FixedWindowRateLimiter = field(init=False)
    _local: FixedWindowRateLimiter = field(init=False)

    def __post_init__(self) -> None:
        pool: Any = self.redis.connection_pool  # which `limits` takes, but does not say so
        storage = RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", connection_pool=pool)
        self._shared = FixedWindowRateLimiter(storage)
        self._local = FixedWindowRateLimiter(MemoryStorage())

    async def attempt(self, account: str, address: str) -> None:
        """Count an attempt, before it is looked at. Raises `too_many_requests` with the seconds to wait."""
        await self._hit(parse_many(self.config.attempts_per_address), "address", address or "unknown")
        await self._hit(parse_many(self.config.attempts_per_account), "account", account_key(account))

    async def succeeded(self, account: str) -> None:
        """Forget the account's attempts."""
        for item in parse_many(self.config.attempts_per_account):
            try:
                await self._shared.clear(item, "sign-in", "account", account_key(account))
            except StorageError:
                await self._local.clear(item, "sign-in", "account", account_key(account))

    async def _hit(self, items: list[RateLimitItem], kind: str, key: str) -> None:
        for item in items:
            try:
                limiter, allowed = self._shared, await self._shared.hit(item, "sign-in", kind, key)
            except StorageError:
                log.warning("redis_unavailable", consequence="attempts to sign in are counted by this worker alone")
                limiter, allowed = self._local, await self._local.hit(item, "sign-in", kind, key)
            if not allowed:
                stats = await limiter.get_window_stats(item, "sign-in", kind, key)
                wait = max(1, ceil(stats.reset_time - time()))
                raise Problem(TOO_MANY_REQUESTS, f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)


def account_key(name: str) -> str:
    """A fixed-size key for whatever was given as an account's name."""
    return blake2b(name.strip().lower().encode(), digest_size=16).hexdigest()
