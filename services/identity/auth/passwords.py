"""Password hashing: argon2id for new hashes, bcrypt still verified and upgraded.

What is hashed is the prepared password (users/passwords.py). Hashes from before are of passwords as they were
typed: these still verify, and are replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from passlib.context import CryptContext

from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE
from services.identity.auth.config import AuthConfig
from services.identity.users.passwords import prepared

T = TypeVar("T")

_AT_ONCE = 2
"""Hashes computed at the same time: each takes a core and 64 MiB."""

_WAITING = 40
"""Hashes that may wait for their turn: some three seconds' worth."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Hashes and verifies passwords, in threads and behind a small limiter."""

    context: CryptContext
    limiter: CapacityLimiter

    @classmethod
    def of(cls, config: AuthConfig) -> Passwords:
        """With the configured costs."""
        context = CryptContext(
            ["argon2", "bcrypt"], deprecated="auto",
            argon2__time_cost=config.hash_time_cost, argon2__memory_cost=config.hash_memory_kib,
        )  # fmt: skip
        return cls(context, CapacityLimiter(_AT_ONCE))

    async def hash(self, password: str) -> str:
        """A hash to store. Raises `unavailable` when too many are waiting."""
        self._refuse_crowd()
        return await self._work(lambda: str(self.context.hash(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether the password is right, and a new hash if the stored one should be replaced: it is tried prepared, and
        as it is where that is something else.

        With nothing stored (no such account) it takes as long and is never right. Raises `unavailable` when too many
        are waiting.
        """
        self._refuse_crowd()
        return await self._work(lambda: self._verify(password, stored))

    async def _work(self, function: Callable[[], T]) -> T:
        """Run it in a thread. Who gives up waiting leaves its place taken until the thread is done."""
        place = object()
        await self.limiter.acquire_on_behalf_of(place)

        async def work() -> T:
            try:
                return await anyio.to_thread.run_sync(function)
            finally:
                self.limiter.release_on_behalf_of(place)

        return await asyncio.shield(asyncio.create_task(work()))

    def _refuse_crowd(self) -> None:
        if self.limiter.statistics().tasks_waiting >= _WAITING:
            raise Problem(UNAVAILABLE, "Too many sign-ins at once. Try again in a moment.", retry_after=2)

    def _verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        usual = prepared(password)
        right, new_hash = self._matches(password if usual is None else usual, stored)
        if right or usual in (None, password):
            return right, new_hash
        right, _ = self._matches(password, stored)
        return right, str(self.context.hash(usual)) if right else None

    def _matches(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        if stored is None:
            self.context.dummy_verify()
            return False, None
        try:
            return self.context.verify_and_update(password, stored)
        except ValueError:  # more than bcrypt's 72 bytes, a NUL, or a hash of unknown kind
            return False, None
