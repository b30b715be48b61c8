"""Revocations are sent to every worker through a Redis channel, and each worker knows up to when it has received all.

A dead subscription cannot be told from one without messages. So the worker pings Redis through the subscription's own
connection. Redis executes commands in sequence and a connection preserves their order, so with the reply to a ping,
everything that was published before the ping was sent has been received. The memory is trusted for a time counted from
the sending of the ping, so that whatever fails in between (a dead link, a stopped Redis, a stalled event loop), a
revocation is missed for at most `TRUSTED_SECONDS`.

Messages published while a worker is not subscribed are lost: a new subscription starts with an empty memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from services.identity.auth.memory import REMEMBERED_SECONDS, CredentialCache

log = structlog.get_logger(__name__)

CHANNEL: Final = "revocations"
"""Name of the channel, which all databases of a Redis server share. That is harmless, since keys are unique."""

TRUSTED_SECONDS: Final = 0.75
_BEAT_SECONDS: Final = 0.25
_SILENCE_SECONDS: Final = 2.0
"""After this time without a message the connection is replaced."""
_PAUSE_SECONDS: Final = 0.5
_LOST_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 0.2
ENDED: Final = b"ended"


def state_key(session_id: UUID) -> str:
    return f"session:{session_id.hex}"


@dataclass(slots=True)
class Revocations:
    """Announces the end of credentials to every worker, and applies what workers announce to this one's memory."""

    redis: Redis
    """Must have time-outs, for its handshakes."""
    memory: CredentialCache
    mark_seconds: int
    """How long an ended session is marked as such: the lifetime of access tokens."""
    _retries: set[asyncio.Task[None]] = field(default_factory=set)
    _lost: bool = False

    async def announce(self, sessions: Collection[UUID] = (), others: Collection[UUID] = ()) -> None:
        """Announce the end of sessions and of other subjects (API keys, users); call this after the commit.

        While Redis is unavailable this is tried again, until the state that it has of sessions has expired by itself.
        """
        if not sessions and not others:
            return
        self.memory.forget([*sessions, *others])
        is_published = await self._publish(sessions, others)
        # An answer that Redis gave before would stay in memory until the message arrives through the channel.
        self.memory.forget([*sessions, *others])
        if not is_published:
            task = asyncio.create_task(self._retry(sessions, others))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def _publish(self, sessions: Collection[UUID], others: Collection[UUID]) -> bool:
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for session_id in sessions:
                    pipeline.set(state_key(session_id), ENDED, ex=max(self.mark_seconds, REMEMBERED_SECONDS))
                pipeline.publish(CHANNEL, " ".join(subject.hex for subject in (*sessions, *others)))
                await pipeline.execute()
        except (RedisError, OSError):
            return False
        return True

    async def _retry(self, sessions: Collection[UUID], others: Collection[UUID]) -> None:
        until = monotonic() + REMEMBERED_SECONDS
        while monotonic() < until:
            await asyncio.sleep(_RETRY_SECONDS)
            if await self._publish(sessions, others):
                return

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Listen to the channel while the block runs, then cancel retries as well."""
        listening = asyncio.create_task(self._listen(), name="revocations")
        try:
            yield
        finally:
            await stop([listening, *self._retries])

    async def _listen(self) -> None:
        while True:
            try:
                async with self.redis.pubsub() as subscription:
                    await self._follow(subscription)
            except (RedisError, OSError) as error:
                if not self._lost:
                    name = type(error).__name__
                    log.warning("revocations_unheard", error=name, consequence="every token's state is asked")
                self._lost = True
            except Exception:
                # Without this task, every request would ask Redis until the process is restarted.
                log.exception("revocations_failed")
            finally:
                self.memory.trusted_until = 0.0
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self, subscription: PubSub) -> None:
        await subscription.subscribe(CHANNEL)
        heard = due = monotonic()
        while True:
            now = monotonic()
            if now >= due:
                await subscription.ping(repr(now))
                due = now + _BEAT_SECONDS
            # Not a blocking read, so that the client's time-outs do not apply.
            message = await subscription.get_message(timeout=max(due - now, 0.01))
            if message is not None:
                heard = monotonic()
                self._take(message)
            elif monotonic() - heard > _SILENCE_SECONDS:
                raise TimeoutError("no answer to a ping")

    def _take(self, message: dict[str, Any]) -> None:
        kind, data = message["type"], message["data"]
        if kind == "subscribe":
            self.memory.forget_all()
            if self._lost:
                log.info("revocations_heard_again")
            self._lost = False
        elif kind == "message":
            self._revoke(data)
        elif kind == "pong":
            self.memory.trusted_until = float(data) + TRUSTED_SECONDS

    def _revoke(self, data: bytes | str) -> None:
        text = data.decode("ascii", "replace") if isinstance(data, bytes) else data
        try:
            self.memory.forget([UUID(hex=subject) for subject in text.split()])
        except ValueError:
            # A message of another version, during a deployment: it revokes something.
            self.memory.forget_all()


async def stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end.

    Cancellation is repeated, since Python 3.11's `wait_for`, which the Redis client uses, loses a cancellation that
    arrives just when it completes.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_LOST_SECONDS)
