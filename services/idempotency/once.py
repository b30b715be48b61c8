"""Writes that are made once, however often they are sent.

A write with an idempotency key puts its answer into the transaction that it is made in: either both are there or
neither is. Who sends the key again gets that answer, byte for byte, and nothing is done. The order of a try is

    lock, look, (answer again | write, keep the answer), commit

The lock is an advisory one that is not waited for: while a first try is under way, a second is an
`idempotency_conflict`. It ends with its transaction, so also when the process or its connection does. The look is a
statement of its own behind the lock: one that does both would look with a snapshot from before the lock, and might miss
what was committed between.

Some operations give their connection back while they hash a password, and the lock with it. Two tries may then both
come to write; the primary key lets one of them keep its answer, and the other is rolled back.

Failures are not kept: a write that fails is rolled back, and may be tried again with the same key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, LargeBinary, func, select  # noqa: TID251 - answers are no resource's rows
from sqlalchemy.dialects.postgresql import insert

from services.auth.throttle import SignInThrottle
from services.catalogue.calls import Call
from services.catalogue.operations import Operation
from services.catalogue.problems import IDEMPOTENCY_CONFLICT, IDEMPOTENCY_KEY_REUSED, TOO_COMPLEX, Problem
from services.idempotency.entries import Entry, request_of, who
from services.idempotency.models import KeptAnswer
from services.idempotency.sweeping import SWEEP_EVERY, sweep
from services.storage.prepared import Prepared, given

STATEMENTS: Final = 4
"""What a key costs at most: lock, look, keep, and now and then sweep."""
MAX_ANSWER: Final = 1_048_576
"""Bytes of an answer that is kept."""
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of a write. `asked` stands for what of the result is shown, and how; `shape` makes the answer of it."""

    key: str
    asked: bytes
    shape: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as its face has shaped it, and whether it was given before."""

    content: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Keeps answers for a while. `secret` has 32 bytes."""

    secret: bytes = field(repr=False)
    lifetime: timedelta

    async def once(
        self, operation: Operation, call: Call, asked: Idempotency, told: Mapping[str, Any],
        perform: Callable[[], Awaitable[Any]],
    ) -> Answered:  # fmt: skip
        """The answer to a write: the one that was given before, or that of `perform`, which makes it.

        `told` is what the caller has sent. Raises `idempotency_conflict`, `idempotency_key_reused`, and what `perform`
        raises.
        """
        request = request_of(operation, call.actor, asked.asked, told)
        entry = Entry.of(self.secret, who(call.actor, call.client), asked.key, request)
        found = await self._claim(entry, call)
        if found is not None:
            return Answered(found, replayed=True)
        session, locked = call.session, call.session.sync_session.get_transaction()
        try:
            result = await perform()
        except Problem as problem:
            if problem.keep or session.sync_session.get_transaction() is locked:
                raise
            # The lock was given back in between: what is in the way may be the other try's own work.
            await session.rollback()
            await session.connection()
            call.after_commit.clear()
            found = await self._claim(entry, call)
            if found is None:
                raise
            return Answered(found, replayed=True)
        content = asked.shape(result)
        await self._keep(entry, call, content)
        return Answered(content, replayed=False)

    async def _claim(self, entry: Entry, call: Call) -> bytes | None:
        """Lock and look: the answer that is kept, if there is one."""
        if not await _locking().value(call.session, {"lock": entry.lock}):
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        row = await _looking().row(call.session, {"id": entry.id, "expired": self._expired(call.now)})
        if row is None:
            return None
        if not compare_digest(row[0], entry.fingerprint):
            if call.actor.is_anonymous:
                # Whoever shares the network could try passwords against somebody's answer to a sign-in.
                await call.part(SignInThrottle).address(call.client.address)
            raise Problem(IDEMPOTENCY_KEY_REUSED)
        return entry.opened(row[1])

    async def _keep(self, entry: Entry, call: Call, content: bytes) -> None:
        if len(content) > MAX_ANSWER:
            raise Problem(TOO_COMPLEX, f"With an idempotency key an answer has at most {MAX_ANSWER:,} bytes.")
        values: dict[str, Any] = {
            "id": entry.id, "fingerprint": entry.fingerprint, "answer": entry.sealed(content), "created_at": call.now,
            "expired": self._expired(call.now),
        }  # fmt: skip
        await call.session.connection()  # an operation may have given its own back
        if await _keeping().row(call.session, values) is None:
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        if entry.id[-1] % SWEEP_EVERY == 0:
            await sweep(call.session, self._expired(call.now))

    def _expired(self, now: datetime) -> datetime:
        return now - self.lifetime


@cache
def _locking() -> Prepared:
    return Prepared(select(func.pg_try_advisory_xact_lock(given("lock", BigInteger()))))


@cache
def _looking() -> Prepared:
    wanted = KeptAnswer.id == given("id", LargeBinary())
    fresh = KeptAnswer.created_at > given("expired", DateTime(timezone=True))
    return Prepared(select(KeptAnswer.fingerprint, KeptAnswer.answer).where(wanted, fresh))


@cache
def _keeping() -> Prepared:
    """The row's id, unless another one is there that has not expired."""
    columns = KeptAnswer.__table__.columns
    adding = insert(KeptAnswer).values({each.name: given(each.name, each.type) for each in columns})
    replacing = adding.on_conflict_do_update(
        index_elements=[KeptAnswer.id],
        set_={name: adding.excluded[name] for name in ("fingerprint", "answer", "created_at")},
        where=KeptAnswer.created_at <= given("expired", DateTime(timezone=True)),
    )
    return Prepared(replacing.returning(KeptAnswer.id))
