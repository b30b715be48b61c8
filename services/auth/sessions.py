"""What every request needs to know about a session: kept in Redis, known for certain by PostgreSQL.

A live session's state is remembered in Redis for a short while; an ended one is marked there as ended for as long as
its access tokens could live. The mark overwrites, the memory never does (`SET NX`), so that a slow reader cannot undo
an end. Without Redis, PostgreSQL answers every time. If Redis can't be told of an end, it is told again until the
memory of the live session has run out there by itself.

Workers remember tokens on top of that (services/auth/memory.py) and are told of an end through a channel. Their memory
of a session runs out with Redis', so that one who is told nothing is wrong for no longer, and so that PostgreSQL is
asked, and notes that the session is in use, as often as if the workers had no memory.
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

from services.auth.memory import TokenMemory
from services.auth.models import Session
from services.auth.revocations import CHANNEL, announcement, stop
from services.storage.breaker import Breaker, RedisSilentError
from services.storage.database import Database
from services.users.models import User

_REMEMBER: Final = 30
"""Seconds for which Redis remembers a live session."""
_RETRY: Final = 0.2
_ENDED: Final = b"ended"
_USER: Final = b"user"
_ADMIN: Final = b"admin"


@dataclass(frozen=True, slots=True)
class Live:
    """A session that is live, and whether its user is an admin, to be asked again at `until` on the monotonic clock."""

    is_admin: bool
    until: float


@dataclass(slots=True)
class SessionStates:
    """Tells whether a session is live, and whether its user is an admin."""

    database: Database
    redis: Redis
    breaker: Breaker
    memory: TokenMemory
    mark_seconds: int
    """How long an ended session is marked: the lifetime of access tokens."""
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def find(self, session_id: UUID, user_id: UUID) -> Live | None:
        """The session's state; None when it is not live."""
        asked = monotonic()
        state, seconds = await self._remembered(session_id)
        if state is None:
            state, seconds = await self._recorded(session_id, user_id), _REMEMBER
            if state != _ENDED:
                await self._remember(session_id, state)
        return None if state == _ENDED else Live(state == _ADMIN, asked + seconds)

    async def ended(self, session_ids: Iterable[UUID]) -> None:
        """Make the end of sessions known to every worker. To be called once it is committed."""
        ids = list(session_ids)
        if not ids:
            return
        self.memory.forget(ids)
        told = await self._tell(ids)
        # Whoever asked Redis before it was told would be remembered here until the channel brings the end back.
        self.memory.forget(ids)
        if not told:
            task = asyncio.create_task(self._tell_later(ids))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def close(self) -> None:
        """Stop telling Redis of ended sessions."""
        await stop(self._retries)

    async def _remembered(self, session_id: UUID) -> tuple[bytes | None, float]:
        """What Redis remembers, and for how many seconds more."""
        try:
            found, milliseconds = await self.breaker.ask(self._asked(_key(session_id)))
        except RedisSilentError:
            return None, 0
        state = found.encode() if isinstance(found, str) else found
        return state, min(max(milliseconds / 1000, 0), _REMEMBER)

    async def _asked(self, key: str) -> tuple[bytes | str | None, int]:
        async with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.get(key)
            pipeline.pttl(key)
            found, milliseconds = await pipeline.execute()
        return found, milliseconds

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

    async def _tell(self, ids: list[UUID]) -> bool:
        """Mark the sessions for whoever asks, then announce them to whoever remembers."""
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for each in ids:
                    pipeline.set(_key(each), _ENDED, ex=max(self.mark_seconds, _REMEMBER))
                pipeline.publish(CHANNEL, announcement(ids))
                await pipeline.execute()
        except (RedisError, OSError):
            return False
        return True

    async def _tell_later(self, ids: list[UUID]) -> None:
        until = monotonic() + _REMEMBER
        while monotonic() < until:
            await asyncio.sleep(_RETRY)
            if await self._tell(ids):
                return


def _key(session_id: UUID) -> str:
    return f"session:{session_id.hex}"
