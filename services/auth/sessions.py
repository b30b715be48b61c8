"""What every request needs to know about a session: kept in Redis, known for certain by PostgreSQL.

A live session's state is remembered in Redis for a short while; an ended one is marked there as ended for as long as
its access tokens could live. The mark overwrites, the memory never does (`SET NX`), so that a slow reader cannot undo
an end. Without Redis, PostgreSQL answers every time. If Redis can't be told of an end, it is told again until the
memory of the live session has run out there by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select, update

from services.auth.models import Session
from services.storage.breaker import Breaker, RedisSilentError
from services.storage.database import Database
from services.users.models import User

_REMEMBER: Final = 30
"""Seconds for which Redis remembers a live session."""
_RETRY: Final = 0.2
_ENDED: Final = b"ended"
_USER: Final = b"user"
_ADMIN: Final = b"admin"


@dataclass(slots=True)
class SessionStates:
    """Tells whether a session is live, and whether its user is an admin."""

    database: Database
    redis: Redis
    breaker: Breaker
    mark_seconds: int
    """How long an ended session is marked: the lifetime of access tokens."""
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def is_admin(self, session_id: UUID, user_id: UUID) -> bool | None:
        """Whether the session's user is an admin; None when the session is not live."""
        state = await self._remembered(session_id)
        if state is None:
            state = await self._recorded(session_id, user_id)
            if state != _ENDED:
                await self._remember(session_id, state)
        return None if state == _ENDED else state == _ADMIN

    async def ended(self, session_ids: Iterable[UUID]) -> None:
        """Make the end of sessions known to every worker. To be called once it is committed."""
        keys = [_key(each) for each in session_ids]
        if keys and not await self._mark(keys):
            task = asyncio.create_task(self._mark_later(keys))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def close(self) -> None:
        """Stop telling Redis of ended sessions."""
        for task in list(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)

    async def _remembered(self, session_id: UUID) -> bytes | None:
        try:
            found = await self.breaker.ask(self.redis.get(_key(session_id)))
        except RedisSilentError:
            return None
        return found.encode() if isinstance(found, str) else found

    async def _recorded(self, session_id: UUID, user_id: UUID) -> bytes:
        """What PostgreSQL knows; it also takes note that the session is in use, twice a minute at the most."""
        live = (Session.id == session_id, Session.user_id == user_id, Session.expires_at > func.now())
        of_user = select(User.is_superuser).join(Session, Session.user_id == User.id).where(User.is_active, *live)
        long_ago = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, _REMEMBER)
        async with self.database.reading() as session:
            is_admin = (await session.execute(of_user)).scalar_one_or_none()
            if is_admin is None:
                return _ENDED
            await session.execute(
                update(Session).where(*live, Session.last_used_at < long_ago).values(last_used_at=func.now())
            )
        return _ADMIN if is_admin else _USER

    async def _remember(self, session_id: UUID, state: bytes) -> None:
        with suppress(RedisSilentError):
            await self.breaker.ask(self.redis.set(_key(session_id), state, ex=_REMEMBER, nx=True))

    async def _mark(self, keys: list[str]) -> bool:
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(key, _ENDED, ex=max(self.mark_seconds, _REMEMBER))
                await pipeline.execute()
        except (RedisError, OSError):
            return False
        return True

    async def _mark_later(self, keys: list[str]) -> None:
        until = monotonic() + _REMEMBER
        while monotonic() < until:
            await asyncio.sleep(_RETRY)
            if await self._mark(keys):
                return


def _key(session_id: UUID) -> str:
    return f"session:{session_id.hex}"
