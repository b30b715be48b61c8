"""SQL statements of idempotency. A write that is one of several in a request has two rows: see once.py."""

from __future__ import annotations

from functools import cache

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

from services.engine.idempotency.models import StoredAnswer
from services.storage.prepared import Prepared, given


@cache
def locking() -> Prepared:
    """Try to take the advisory lock until the transaction ends; the value is whether it was taken."""
    return Prepared(select(func.pg_try_advisory_xact_lock(given("lock", BigInteger()))))


@cache
def looking() -> Prepared:
    """Select the fingerprint of the whole request, and fingerprint and answer of the write; null if not stored."""
    live = StoredAnswer.created_at > given("expired", DateTime(timezone=True))
    members = ((StoredAnswer.fingerprint, "whole_id"), (StoredAnswer.fingerprint, "id"), (StoredAnswer.answer, "id"))
    found = [select(member).where(StoredAnswer.id == given(name, LargeBinary()), live) for member, name in members]
    return Prepared(select(*(each.scalar_subquery() for each in found)))


@cache
def keeping() -> Prepared:
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
