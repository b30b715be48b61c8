"""What every request needs to know about a session: kept in Redis, known for certain by PostgreSQL.

A live session's state is remembered in Redis for a short while; an ended one is marked there as ended for as long as
its access tokens could live. The mark overwrites, the memory never does (`SET NX`), so that a slow reader cannot undo
an end. Without Redis, PostgreSQL answers every time. If Redis can't be told of an end, it is told again until the
memory of the live session has run out there by itself.

Workers remember tokens on top of that (auth/memory.py) and are told of an end through a channel. Their memory
of a session runs out with Redis', so that one who is told nothing is wrong for no longer, and so that PostgreSQL is
asked, and notes that the session is in use, as often as if the workers had no memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import func, select, update  # noqa: TID251 - this is how an actor is found

from services.identity.auth.models import Session
from services.identity.auth.revocations import REMEMBERED_SECONDS, Marks, Revocations
from services.identity.users.models import User
from services.process.breaker import Breaker, RedisSilentError
from services.storage.database import Database

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
    revocations: Revocations
    mark_seconds: int
    """How long an ended session is marked: the lifetime of access tokens."""

    async def find(self, session_id: UUID, user_id: UUID) -> Live | None:
        """The session's state; None when it is not live."""
        asked = monotonic()
        state, seconds = await self._remembered(session_id)
        if state is None:
            state, seconds = await self._recorded(session_id, user_id), REMEMBERED_SECONDS
            if state != _ENDED:
                await self._remember(session_id, state)
        return None if state == _ENDED else Live(state == _ADMIN, asked + seconds)

    async def ended(self, session_ids: Iterable[UUID], others: Iterable[UUID] = ()) -> None:
        """Make the end of sessions, and of other subjects with them, known to every worker, once it is committed."""
        ids = list(session_ids)
        marks = Marks([_key(each) for each in ids], _ENDED, max(self.mark_seconds, REMEMBERED_SECONDS))
        await self.revocations.announce([*ids, *others], marks)

    async def _remembered(self, session_id: UUID) -> tuple[bytes | None, float]:
        """What Redis remembers, and for how many seconds more."""
        try:
            found, milliseconds = await self.breaker.ask(self._asked(_key(session_id)))
        except RedisSilentError:
            return None, 0
        state = found.encode() if isinstance(found, str) else found
        return state, min(max(milliseconds / 1000, 0), REMEMBERED_SECONDS)

    async def _asked(self, key: str) -> tuple[bytes | str | None, int]:
        async with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.get(key)
            pipeline.pttl(key)
            found, milliseconds = await pipeline.execute()
        return found, milliseconds

    async def _recorded(self, session_id: UUID, user_id: UUID) -> bytes:
        """What PostgreSQL knows; it also takes note that the session is in use, twice a minute at the most."""
        live = (Session.id == session_id, Session.user_id == user_id, Session.expires_at > func.now())
        unnoted = Session.last_used_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, REMEMBERED_SECONDS)
        of_user = select(User.is_superuser, unnoted).join(Session, Session.user_id == User.id)
        async with self.database.reading() as session:
            found = (await session.execute(of_user.where(User.is_active, *live))).one_or_none()
        if found is None:
            return _ENDED
        is_admin, is_unnoted = found
        if is_unnoted:
            await self.database.note(update(Session).where(*live, unnoted).values(last_used_at=func.now()))
        return _ADMIN if is_admin else _USER

    async def _remember(self, session_id: UUID, state: bytes) -> None:
        with suppress(RedisSilentError):
            await self.breaker.ask(self.redis.set(_key(session_id), state, ex=REMEMBERED_SECONDS, nx=True))


def _key(session_id: UUID) -> str:
    return f"session:{session_id.hex}"
