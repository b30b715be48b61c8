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
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from services.identity.auth.memory import CredentialCache

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
REMEMBERED_SECONDS: Final = 30
"""How long the state of a session or key is used before it is asked for again, in any case."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Redis keys to set, their value, and their lifetime in seconds."""

    keys: Sequence[str] = ()
    value: bytes = b""
    seconds: int = 0


NONE: Final = Marks()


def announcement(subjects: Iterable[UUID]) -> str:
    """Return the message that revokes subjects (primary keys of sessions, API keys, users)."""
    return " ".join(subject.hex for subject in subjects)


@dataclass(slots=True)
class Revocations:
    """Announces the end of credentials to every worker, with retries while Redis is unavailable."""

    redis: Redis
    memory: CredentialCache
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def announce(self, subjects: Sequence[UUID], marks: Marks = NONE) -> None:
        """Announce that subjects are revoked; call this after the commit. `marks` are set in Redis first."""
        if not subjects:
            return
        self.memory.forget(subjects)
        is_published = await self._publish(subjects, marks)
        # An answer that Redis gave before would stay in memory until the message arrives through the channel.
        self.memory.forget(subjects)
        if not is_published:
            task = asyncio.create_task(self._retry(subjects, marks))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def close(self) -> None:
        """Cancel retries."""
        await stop(self._retries)

    async def _publish(self, subjects: Sequence[UUID], marks: Marks) -> bool:
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for key in marks.keys:
                    pipeline.set(key, marks.value, ex=marks.seconds)
                pipeline.publish(CHANNEL, announcement(subjects))
                await pipeline.execute()
        except (RedisError, OSError):
            return False
        return True

    async def _retry(self, subjects: Sequence[UUID], marks: Marks) -> None:
        until = monotonic() + REMEMBERED_SECONDS
        while monotonic() < until:
            await asyncio.sleep(_RETRY_SECONDS)
            if await self._publish(subjects, marks):
                return


@asynccontextmanager
async def heard_revocations(redis: Redis, memory: CredentialCache) -> AsyncIterator[None]:
    """Apply revocations to a memory while the block runs. `redis` must have time-outs, for its handshakes."""
    task = asyncio.create_task(_Listener(redis, memory).listen(), name="revocations")
    try:
        yield
    finally:
        await stop([task])


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


@dataclass(slots=True)
class _Listener:
    redis: Redis
    memory: CredentialCache
    _lost: bool = False

    async def listen(self) -> None:
        """Subscribe, and resubscribe after errors, until cancelled."""
        while True:
            try:
                async with self.redis.pubsub() as subscription:
                    await self._follow(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
            except Exception:
                # Without this task, every request would ask Redis until the process is restarted.
                log.exception("revocations_failed")
            finally:
                self.memory.distrust()
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
            self._note_return()
        elif kind == "message":
            self._revoke(data)
        elif kind == "pong":
            self.memory.trust(float(data) + TRUSTED_SECONDS)

    def _revoke(self, data: bytes | str) -> None:
        text = data.decode("ascii", "replace") if isinstance(data, bytes) else data
        try:
            self.memory.forget([UUID(hex=subject) for subject in text.split()])
        except ValueError:
            # A message of another version, during a deployment: it revokes something.
            self.memory.forget_all()

    def _note_loss(self, error: BaseException) -> None:
        if not self._lost:
            self._lost = True
            log.warning("revocations_unheard", error=type(error).__name__, consequence="every token's state is asked")

    def _note_return(self) -> None:
        if self._lost:
            self._lost = False
            log.info("revocations_heard_again")
