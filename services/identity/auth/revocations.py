"""Revocations reach every worker through a Redis channel, and each worker knows how far it has heard everything.

A subscription that has gone silent looks like one on which nothing happens. So the worker pings Redis through the
subscription's own connection. Redis serves one command after the other and a connection keeps their order: with the
answer to a ping, everything that was published before the ping was sent has been heard. Memory is trusted for a time
that counts from then, from the sending and not from the answer, so that whatever hangs in between (a dead link, a
stopped Redis, a stalled event loop), a revocation is missed for `TRUSTED_SECONDS` at the most.

What is published while nobody listens is lost: a new subscription starts with everything forgotten.
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

from services.identity.auth.memory import TokenMemory

log = structlog.get_logger(__name__)

CHANNEL: Final = "revocations"
"""Of the whole server: Redis' databases share their channels, which does no harm, the keys being unique."""

TRUSTED_SECONDS: Final = 0.75
_BEAT_SECONDS: Final = 0.25
_SILENCE_SECONDS: Final = 2.0
"""After this long without a word, the connection is given up for a new one."""
_PAUSE_SECONDS: Final = 0.5
_LOST_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 0.2
REMEMBERED_SECONDS: Final = 30
"""For how long the state of a session or key counts before it is asked for again, whatever was heard of it."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Keys of Redis, what they are set to, and for how many seconds."""

    keys: Sequence[str] = ()
    value: bytes = b""
    seconds: int = 0


NONE: Final = Marks()


def announcement(subjects: Iterable[UUID]) -> str:
    """The message that these (sessions, API keys, users, by their primary keys) are revoked."""
    return " ".join(each.hex for each in subjects)


@dataclass(slots=True)
class Revocations:
    """Makes the end of credentials known to every worker, again and again if Redis cannot be told."""

    redis: Redis
    memory: TokenMemory
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def announce(self, subjects: Sequence[UUID], marks: Marks = NONE) -> None:
        """Say that these have ended. To be called once that is committed.

        `marks` are left in Redis first, for whoever asks there.
        """
        if not subjects:
            return
        self.memory.forget(subjects)
        told = await self._tell(subjects, marks)
        # Whoever asked Redis before it was told would be remembered here until the channel brings the end back.
        self.memory.forget(subjects)
        if not told:
            task = asyncio.create_task(self._tell_later(subjects, marks))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def close(self) -> None:
        """Stop telling Redis."""
        await stop(self._retries)

    async def _tell(self, subjects: Sequence[UUID], marks: Marks) -> bool:
        """Leave the marks, then announce the end to whoever remembers."""
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for key in marks.keys:
                    pipeline.set(key, marks.value, ex=marks.seconds)
                pipeline.publish(CHANNEL, announcement(subjects))
                await pipeline.execute()
        except (RedisError, OSError):
            return False
        return True

    async def _tell_later(self, subjects: Sequence[UUID], marks: Marks) -> None:
        until = monotonic() + REMEMBERED_SECONDS
        while monotonic() < until:
            await asyncio.sleep(_RETRY_SECONDS)
            if await self._tell(subjects, marks):
                return


@asynccontextmanager
async def heard_revocations(redis: Redis, memory: TokenMemory) -> AsyncIterator[None]:
    """Keeps a memory true while the block runs. `redis` must have time-outs: its handshakes wait for no longer."""
    task = asyncio.create_task(_Listener(redis, memory).listen(), name="revocations")
    try:
        yield
    finally:
        await stop([task])


async def stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end.

    Python 3.11's `wait_for`, which the Redis client sends with, loses a cancellation that comes at the moment at which
    it is done: so they are cancelled until they have ended.
    """
    pending = set(tasks)
    while pending:
        for each in pending:
            each.cancel()
        _, pending = await asyncio.wait(pending, timeout=_LOST_SECONDS)


@dataclass(slots=True)
class _Listener:
    redis: Redis
    memory: TokenMemory
    _lost: bool = False

    async def listen(self) -> None:
        """Subscribe, again and again, until cancelled."""
        while True:
            try:
                async with self.redis.pubsub() as subscription:
                    await self._follow(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
            except Exception:
                # Whatever it was: without this task, every request would ask Redis until the process is restarted.
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
            # Never a blocking read, so that the client's time-outs do not matter to it.
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
            self.memory.forget([UUID(hex=each) for each in text.split()])
        except ValueError:
            # From a later version, perhaps, in the middle of a roll-out: it revokes something.
            self.memory.forget_all()

    def _note_loss(self, error: BaseException) -> None:
        if not self._lost:
            self._lost = True
            log.warning("revocations_unheard", error=type(error).__name__, consequence="every token's state is asked")

    def _note_return(self) -> None:
        if self._lost:
            self._lost = False
            log.info("revocations_heard_again")
