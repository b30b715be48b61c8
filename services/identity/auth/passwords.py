"""Password hashing: argon2id for new hashes; bcrypt hashes are verified and upgraded.

Passwords are prepared before hashing (users/passwords.py). Older hashes, of passwords as they were typed, are verified
and replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from passlib.context import CryptContext

from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE
from services.identity.users.passwords import prepared

T = TypeVar("T")

_AT_ONCE = 2
"""Hashes computed concurrently; each takes a core and 64 MiB."""

_WAITING = 40
"""Maximum length of the queue, about three seconds."""


class Passwords:
    """Hashes and verifies passwords, in a few threads with a short queue."""

    def __init__(self, time_cost: int, memory_kib: int) -> None:
        self.context = CryptContext(
            ["argon2", "bcrypt"], deprecated="auto", argon2__time_cost=time_cost, argon2__memory_cost=memory_kib
        )
        self.pending: set[Future[Any]] = set()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "passwords")

    async def hash(self, password: str) -> str:
        """Return a hash to store. Raise `unavailable` if too many are waiting."""
        return await self._work(lambda: str(self.context.hash(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Return whether the password matches, prepared or as typed, and a new hash if the stored one is outdated.

        Without a stored hash (no such account) it takes as long and never matches. Raise `unavailable` if too many are
        waiting.
        """
        return await self._work(lambda: self._verify(password, stored))

    async def _work(self, function: Callable[[], T]) -> T:
        """Call the function in a thread. A cancelled caller's place stays occupied until the thread is done."""
        if len(self.pending) >= _AT_ONCE + _WAITING:
            raise Problem(UNAVAILABLE, "Too many sign-ins at once. Try again in a moment.", retry_after=2)
        future = self._threads.submit(function)
        self.pending.add(future)
        future.add_done_callback(self.pending.discard)
        return await asyncio.wrap_future(future)

    def _verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        normal = prepared(password)
        is_right, new_hash = self._matches(password if normal is None else normal, stored)
        if is_right or normal in (None, password):
            return is_right, new_hash
        is_right, _ = self._matches(password, stored)
        return is_right, str(self.context.hash(normal)) if is_right else None

    def _matches(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        if stored is None:
            self.context.dummy_verify()
            return False, None
        try:
            return self.context.verify_and_update(password, stored)
        except ValueError:  # more than bcrypt's 72 bytes, a NUL, or a hash of unknown kind
            return False, None
