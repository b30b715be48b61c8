"""States of sessions: cached in Redis, authoritative in PostgreSQL.

The state of a live session is cached in Redis for a short time; an ended session is marked as ended there for the
lifetime of its access tokens. The mark overwrites, the cache never does (`SET NX`), so that a slow reader cannot undo
an end. Without Redis, PostgreSQL is asked every time.

Workers also remember tokens (auth/memory.py), and receive the end of a session through a channel. Their memory of a
session expires together with that of Redis, so that a worker that receives nothing is outdated for no longer, and that
PostgreSQL records the use of a session as often as without workers' memories.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, select, update  # noqa: TID251 - this is how an actor is found

from services.identity.auth.memory import REMEMBERED_SECONDS
from services.identity.auth.models import Session
from services.identity.auth.revocations import ENDED, state_key
from services.identity.users.models import User
from services.process.breaker import Breaker, RedisSilentError
from services.storage.database import Database

_USER: Final = b"user"
_ADMIN: Final = b"admin"


@dataclass(slots=True)
class SessionStates:
    """Finds whether a session is live and whether its user is an admin."""

    database: Database
    redis: Redis
    breaker: Breaker

    async def find(self, session_id: UUID, user_id: UUID) -> tuple[bool, float] | None:
        """Return whether an admin owns a live session, and until when this is fresh (monotonic clock), or None."""
        now = monotonic()
        state, seconds = await self._cached(session_id)
        if state is None:
            state, seconds = await self._load(session_id, user_id), REMEMBERED_SECONDS
            if state != ENDED:
                with suppress(RedisSilentError):
                    await self.breaker.ask(self.redis.set(state_key(session_id), state, ex=REMEMBERED_SECONDS, nx=True))
        return None if state == ENDED else (state == _ADMIN, now + seconds)

    async def _cached(self, session_id: UUID) -> tuple[bytes | None, float]:
        """Return the state in Redis, and for how many seconds it remains there."""
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.get(state_key(session_id))
        pipeline.pttl(state_key(session_id))
        try:
            value, milliseconds = await self.breaker.ask(pipeline.execute())
        except RedisSilentError:
            return None, 0
        state = value.encode() if isinstance(value, str) else value
        return state, min(max(milliseconds / 1000, 0), REMEMBERED_SECONDS)

    async def _load(self, session_id: UUID, user_id: UUID) -> bytes:
        """Load the state from PostgreSQL, and record the use of the session, at most twice a minute."""
        live = (Session.id == session_id, Session.user_id == user_id, Session.expires_at > func.now())
        unnoted = Session.last_used_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, REMEMBERED_SECONDS)
        of_user = select(User.is_superuser, unnoted).join(Session, Session.user_id == User.id)
        async with self.database.reading() as session:
            row = (await session.execute(of_user.where(User.is_active, *live))).one_or_none()
        if row is None:
            return ENDED
        is_admin, is_unnoted = row
        if is_unnoted:
            await self.database.note(update(Session).where(*live, unnoted).values(last_used_at=func.now()))
        return _ADMIN if is_admin else _USER
