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

A request may have one key and make several writes, each in a transaction of its own. Its key is then that of a row
without an answer, whose fingerprint is that of the whole request, and which comes with the first write that succeeds;
each write has a key made of it, and its answer there. So the one lock is that of the request's key, and whoever comes
with this key and another request is refused, whatever its writes are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final

from services.catalogue.calls import Call
from services.catalogue.operations import Operation
from services.catalogue.problems import IDEMPOTENCY_CONFLICT, IDEMPOTENCY_KEY_REUSED, TOO_COMPLEX, Problem
from services.engine.idempotency.entries import Entry, request_of, who
from services.engine.idempotency.statements import BOTH, keeping, keeping_both, locking, looking, looking_at_both
from services.engine.idempotency.sweeping import SWEEP_EVERY, sweep
from services.identity.auth.throttle import SignInThrottle

STATEMENTS: Final = 4
"""What a key costs at most: lock, look, keep, and now and then sweep."""
MAX_ANSWER: Final = 1_048_576
"""Bytes of an answer that is kept."""
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Whole:
    """A request that makes several writes: its key, and what stands for all that it asks for (no JSON array)."""

    key: str
    asked: bytes


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key of a write. `asked` stands for what of the result is shown, and how; `shape` makes the answer of it.

    `whole` is the request that it is one of several writes of, whose key nobody can send as a write's.
    """

    key: str
    asked: bytes
    shape: Callable[[Any], bytes]
    whole: Whole | None = None


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
        claim = self._claim_of(operation, call, asked, told)
        found = await self._claimed(claim, call)
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
            found = await self._claimed(claim, call)
            if found is None:
                raise
            return Answered(found, replayed=True)
        content = asked.shape(result)
        await self._keep(claim, call, content)
        return Answered(content, replayed=False)

    def _claim_of(self, operation: Operation, call: Call, asked: Idempotency, told: Mapping[str, Any]) -> _Claim:
        caller, request = who(call.actor, call.client), request_of(operation, call.actor, asked.asked, told)
        entry, whole = Entry.of(self.secret, caller, asked.key, request), asked.whole
        return _Claim(entry, Entry.of(self.secret, caller, whole.key, whole.asked) if whole is not None else None)

    async def _claimed(self, claim: _Claim, call: Call) -> bytes | None:
        """Lock and look: the answer that is kept, if there is one."""
        entry, whole = claim.entry, claim.whole
        if not await locking().value(call.session, {"lock": (whole or entry).lock}):
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        wanted = {"id": entry.id, "expired": self._expired(call.now)}
        if whole is None:
            kept = await looking().row(call.session, wanted)
        else:
            both = await looking_at_both().row(call.session, {**wanted, "whole_id": whole.id})
            assert both is not None
            of_whole, *kept = both
            await _check(whole, of_whole, call)
        fingerprint, answer = kept or (None, None)
        await _check(entry, fingerprint, call)
        return entry.opened(answer) if answer is not None else None

    async def _keep(self, claim: _Claim, call: Call, content: bytes) -> None:
        if len(content) > MAX_ANSWER:
            raise Problem(TOO_COMPLEX, f"With an idempotency key an answer has at most {MAX_ANSWER:,} bytes.")
        entry, whole = claim.entry, claim.whole
        values: dict[str, Any] = {
            "id": entry.id, "fingerprint": entry.fingerprint, "answer": entry.sealed(content), "created_at": call.now,
            "expired": self._expired(call.now),
        }  # fmt: skip
        await call.session.connection()  # an operation may have given its own back
        if whole is None:
            is_kept = await keeping().row(call.session, values) is not None
        else:
            values |= {"whole_id": whole.id, "whole_fingerprint": whole.fingerprint, "whole_answer": b""}
            is_kept = await keeping_both().value(call.session, values) == BOTH
        if not is_kept:
            raise Problem(IDEMPOTENCY_CONFLICT, retry_after=_RETRY_SECONDS)
        if entry.id[-1] % SWEEP_EVERY == 0:
            await sweep(call.session, self._expired(call.now))

    def _expired(self, now: datetime) -> datetime:
        return now - self.lifetime


@dataclass(frozen=True, slots=True)
class _Claim:
    """The key of a write, and that of the request that it is one of several of."""

    entry: Entry
    whole: Entry | None


async def _check(entry: Entry, fingerprint: bytes | None, call: Call) -> None:
    """Raises `idempotency_key_reused` where what is kept, if anything, is not of this request."""
    if fingerprint is None or compare_digest(fingerprint, entry.fingerprint):
        return
    if call.actor.is_anonymous:
        # Whoever shares the network could try passwords against somebody's answer to a sign-in.
        await call.part(SignInThrottle).address(call.client.address)
    raise Problem(IDEMPOTENCY_KEY_REUSED)
