"""Idempotent writes: a write with an idempotency key is performed once, however often it is sent.

The answer is stored in the transaction of the write, so that either both exist or neither does. A request with the same
key receives the stored answer, byte for byte, and performs nothing. The order of an attempt is

    lock, look up, (repeat the answer | write, store the answer), commit

The lock is a transaction-level advisory lock that is not waited for: a second attempt during the first raises
`idempotency_conflict`. It is released with the transaction, also if the process or its connection dies. The look-up is
a separate statement after the lock: a statement that did both would use a snapshot from before the lock, and might miss
an answer committed in between.

Some operations release their connection while they hash a password, and the lock with it. Two attempts may then both
write; the primary key lets one of them store its answer, and the other is rolled back.

Failures are not stored: a write that fails is rolled back, and may be attempted again with the same key.

A request may have one key and make several writes, each in a transaction of its own. The request's key then has a row
without an answer, whose fingerprint is that of the whole request and which is stored with the first write that
succeeds; each write has a key derived from it, and its answer under that key. The lock is on the request's key, and
another request with the same key is refused, whatever its writes are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    LargeBinary,
    and_,
    func,
    or_,
    select,  # noqa: TID251 - stored answers are no resource
)
from sqlalchemy.dialects.postgresql import insert

from services.catalogue.calls import Call
from services.catalogue.operations import Operation
from services.catalogue.problems import IDEMPOTENCY_CONFLICT, IDEMPOTENCY_KEY_REUSED, TOO_COMPLEX, Problem
from services.engine.idempotency.entries import Entry, request_of, who
from services.engine.idempotency.models import StoredAnswer
from services.identity.auth.throttle import SignInThrottle
from services.storage.prepared import Prepared, given
from services.storage.sweeping import sweep

STATEMENTS: Final = 4
"""SQL statements that a key adds at most: lock, look up, store, and now and then sweep."""
MAX_ANSWER: Final = 1_048_576  # bytes
SWEEP_EVERY: Final = 32
"""One in this many stored answers is followed by a sweep of expired ones."""
SWEPT: Final = 500
"""Rows deleted by a sweep at most: more than are stored between two sweeps."""
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that makes several writes: its key, and bytes that identify its content (not a JSON array)."""

    key: str
    asked: bytes


@dataclass(frozen=True, slots=True)
class IdempotentWrite:
    """The key of a write. `asked` identifies the selection of the result; `shape` serialises the result.

    `whole` is the request that this is one of several writes of; its key cannot be sent as the key of a single write.
    """

    key: str
    asked: bytes
    shape: Callable[[Any], bytes]
    whole: IdempotentRequest | None = None


@dataclass(frozen=True, slots=True)
class StoredOrNewAnswer:
    """A serialised answer, and whether it repeats a stored one."""

    content: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class IdempotencyStore:
    """Stores answers for `lifetime`. `secret` has 32 bytes."""

    secret: bytes = field(repr=False)
    lifetime: timedelta

    async def once(
        self, operation: Operation, call: Call, idempotency: IdempotentWrite, inputs: Mapping[str, Any],
        perform: Callable[[], Awaitable[Any]],
    ) -> StoredOrNewAnswer:  # fmt: skip
        """Return the stored answer to a write, or call `perform` and store its answer.

        `inputs` is the caller's input. Raise `idempotency_conflict`, `idempotency_key_reused`, and whatever `perform`
        raises.
        """
        caller = who(call.actor, call.client)
        request = request_of(operation, call.actor, idempotency.asked, inputs)
        entry, whole = Entry.of(self.secret, caller, idempotency.key, request), None
        if idempotency.whole is not None:
            whole = Entry.of(self.secret, caller, idempotency.whole.key, idempotency.whole.asked)
        stored = await self._lock_and_look_up(entry, whole, call)
        if stored is not None:
            return StoredOrNewAnswer(stored, replayed=True)
        session, locked = call.session, call.session.sync_session.get_transaction()
        try:
            result = await perform()
        except Problem as problem:
            if problem.keep or session.sync_session.get_transaction() is locked:
                raise
            # The lock was released in between: the conflict may be with the write of another attempt.
            await session.rollback()
            await session.connection()
            call.after_commit.clear()
            stored = await self._lock_and_look_up(entry, whole, call)
            if stored is None:
                raise
            return StoredOrNewAnswer(stored, replayed=True)
        content = idempotency.shape(result)
        await self._store(entry, whole, call, content)
        return StoredOrNewAnswer(content, replayed=False)

    async def _lock_and_look_up(self, entry: Entry, whole: Entry | None, call: Call) -> bytes | None:
        if not await _locking().value(call.session, {"lock": (whole or entry).lock}):
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        ids = {"id": entry.id, "whole_id": whole and whole.id}
        row = await _looking().row(call.session, {**ids, "expired": call.now - self.lifetime})
        assert row is not None
        whole_fingerprint, fingerprint, answer = row
        await _check_fingerprint(whole or entry, whole_fingerprint, call)
        await _check_fingerprint(entry, fingerprint, call)
        return entry.opened(answer) if answer is not None else None

    async def _store(self, entry: Entry, whole: Entry | None, call: Call, content: bytes) -> None:
        if len(content) > MAX_ANSWER:
            raise Problem(TOO_COMPLEX, f"With an idempotency key an answer has at most {MAX_ANSWER:,} bytes.")
        expired = call.now - self.lifetime
        rows = [(whole.id, whole.fingerprint, b"")] if whole is not None else []
        rows.append((entry.id, entry.fingerprint, entry.sealed(content)))
        ids, fingerprints, answers = zip(*rows, strict=True)
        values = {"id": ids, "fingerprint": fingerprints, "answer": answers, "created_at": call.now, "expired": expired}
        await call.session.connection()  # the operation may have released its own
        if await _keeping().value(call.session, values) < len(rows):
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        if entry.id[-1] % SWEEP_EVERY == 0:
            await sweep(call.session, StoredAnswer.created_at, expired, most=SWEPT)


async def _check_fingerprint(entry: Entry, fingerprint: bytes | None, call: Call) -> None:
    """Raise `idempotency_key_reused` if the stored fingerprint, if any, is that of another request."""
    if fingerprint is None or compare_digest(fingerprint, entry.fingerprint):
        return
    if call.actor.is_anonymous:
        # Callers that share a network share its keys: one could try passwords against another's stored sign-in.
        await call.part(SignInThrottle).address(call.client.address)
    raise Problem(IDEMPOTENCY_KEY_REUSED)


@cache
def _locking() -> Prepared:
    """Try to take the advisory lock until the transaction ends; the value is whether it was taken."""
    return Prepared(select(func.pg_try_advisory_xact_lock(given("lock", BigInteger()))))


@cache
def _looking() -> Prepared:
    """Select the fingerprint of the whole request, and fingerprint and answer of the write; null if not stored."""
    live = StoredAnswer.created_at > given("expired", DateTime(timezone=True))
    members = ((StoredAnswer.fingerprint, "whole_id"), (StoredAnswer.fingerprint, "id"), (StoredAnswer.answer, "id"))
    found = [select(member).where(StoredAnswer.id == given(name, LargeBinary()), live) for member, name in members]
    return Prepared(select(*(each.scalar_subquery() for each in found)))


@cache
def _keeping() -> Prepared:
    """Insert rows and return how many were written: fewer if another exists that has not expired.

    The row of a whole request has an empty answer. It is rewritten with each answer, so that it outlives them all.
    """
    given_columns = [func.unnest(given(name, ARRAY(LargeBinary))) for name in ("id", "fingerprint", "answer")]
    created_at = given("created_at", DateTime(timezone=True))
    names = ["id", "fingerprint", "answer", "created_at"]
    adding = insert(StoredAnswer).from_select(names, select(*given_columns, created_at))
    has_expired = StoredAnswer.created_at <= given("expired", DateTime(timezone=True))
    is_same = adding.excluded.fingerprint == StoredAnswer.fingerprint
    kept = adding.on_conflict_do_update(
        index_elements=[StoredAnswer.id],
        set_={name: adding.excluded[name] for name in names[1:]},
        where=or_(has_expired, and_(is_same, func.length(adding.excluded.answer) == 0)),
    ).returning(StoredAnswer.id)
    return Prepared(select(func.count()).select_from(kept.cte("kept")))
