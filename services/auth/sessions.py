"""What every request needs to know about a session: kept in Redis, known for certain by PostgreSQL.

A live session's state is remembered in Redis for a short while; an ended one is marked there as ended for as long as
its access tokens could live. The mark overwrites, the memory never does (`SET NX`), so that a slow reader cannot undo
an end. Without Redis, PostgreSQL answers every time. If Redis can't be told of an end, it is told again until the
memory of the live session has run out there by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select

from services.auth.models import Session
from services.storage.database import Database
from services.users.models import User

log = structlog.get_logger(__name__)

_REMEMBER: Final = 30
"""Seconds for which Redis remembers a live session."""
_PAUSE: Final = 1.0
"""Seconds during which Redis is not asked after it failed to answer."""
_RETRY: Final = 0.2
_ENDED: Final = b"ended"
_USER: Final = b"user"
_ADMIN: Final = b"admin"


@dataclass(slots=True)
class SessionStates:
    """Tells whether a session is live, and whether its user is an admin."""

    database: Database
    redis: Redis
    mark_seconds: int
    """How long an ended session is marked: the lifetime of access tokens."""
    _silent_until: float = 0.0
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def is_admin(self, session_id: UUID, user_id: UUID) -> bool | None:
        """Whether the session's user is an admin; None when the session is not live."""
        state = await self._remembered(session_id)
        if state is None:
            state = await self._recorded(session_id, user_id)
            if state is not _ENDED:
                await self._remember(session_id, state)
        return None if state == _ENDED else state == _ADMIN

    async def ended(self, session_ids: Iterable[UUID]) -> None:
        """Make the end of sessions known to every worker. To be called once it is committed."""
        keys = [_key(each) for each in session_ids]
        if keys and not await self._mark(keys):
            task = asyncio.create_task(self._mark_later(keys))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def _remembered(self, session_id: UUID) -> bytes | None:
        if monotonic() < self._silent_until:
            return None
        try:
            found = await self.redis.get(_key(session_id))
        except (RedisError, OSError):
            self._silence()
            return None
        return found.encode() if isinstance(found, str) else found

    async def _recorded(self, session_id: UUID, user_id: UUID) -> bytes:
        statement = (
            select(User.is_superuser)
            .join(Session, Session.user_id == User.id)
            .where(Session.id == session_id, User.id == user_id, User.is_active, Session.expires_at > func.now())
        )
        async with self.database.reading() as session:
            is_admin = (await session.execute(statement)).scalar_one_or_none()
        if is_admin is None:
            return _ENDED
        return _ADMIN if is_admin else _USER

    async def _remember(self, session_id: UUID, state: bytes) -> None:
        if monotonic() < self._silent_until:
            return
        try:
            await self.redis.set(_key(session_id), state, ex=_REMEMBER, nx=True)
        except (RedisError, OSError):
            self._silence()

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

    def _silence(self) -> None:
        if monotonic() >= self._silent_until:
            log.warning("redis_unavailable", consequence="sessions are looked up in PostgreSQL")
        self._silent_until = monotonic() + _PAUSE


def _key(session_id: UUID) -> str:
    return f"session:{session_id.hex}"
